//! How much is done: everything, for figures, or hardly anything, to see that every measure still runs.

/// How much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Its figures may be told.
    Full,
    /// Its figures mean nothing.
    Quick,
}

impl Effort {
    /// So many at full effort, or so many at a quick one.
    pub(crate) fn of(self, full: usize, quick: usize) -> usize {
        match self {
            Self::Full => full,
            Self::Quick => quick,
        }
    }
}
