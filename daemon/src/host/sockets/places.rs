//! How many connections a socket takes at once (B22).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::company::{Company, Guest};
use crate::host::memory::Ebb;

/// The places of a socket; they outlive the socket's being bound again. A handle.
#[derive(Debug, Clone)]
pub struct Places {
    free: Arc<Semaphore>,
    was_full: Arc<AtomicBool>,
    ebb: Ebb,
    company: Company,
}

/// One that is taken. Free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    _guest: Guest,
    ebb: Ebb,
}

/// None is free.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full {
    /// And it was not so when the one before was asked for.
    pub(super) just_now: bool,
}

impl Places {
    /// So many, in a company of their own; `ebb` is told when one becomes free.
    #[must_use]
    pub fn new(places: usize, ebb: &Ebb) -> Self {
        Self::among(&Company::default(), places, ebb)
    }

    /// So many; whoever takes one is counted in this company, and nobody is taken in while its door is shut.
    #[must_use]
    pub fn among(company: &Company, places: usize, ebb: &Ebb) -> Self {
        let free = Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)));
        Self { free, was_full: Arc::default(), ebb: ebb.clone(), company: company.clone() }
    }

    pub(in crate::host) fn company(&self) -> &Company {
        &self.company
    }

    pub(super) fn take(&self) -> Result<Place, Full> {
        match self.free.clone().try_acquire_owned() {
            Ok(permit) => {
                self.was_full.store(false, Ordering::Relaxed);
                Ok(Place { _permit: permit, _guest: self.company.enter(), ebb: self.ebb.clone() })
            }
            Err(_) => Err(Full { just_now: !self.was_full.swap(true, Ordering::Relaxed) }),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.ebb.tell();
    }
}
