//! Where in an answer the members of the RFCs stand.
//!
//! Must never: look for a member in a place that nobody named.

use std::collections::BTreeMap;

/// Where the members of an answer stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AnswerShape {
    /// Members of the RFCs, by their names there, with where they stand: names of members, objects within objects divided by dots
    /// (`data.accessToken`). The first place that holds something counts. A member that stands here is read nowhere else, any
    /// other under its own name.
    pub members: BTreeMap<String, Vec<String>>,
    /// Values of the member `error` that say that there is none (`ok`). A number counts by its digits; 0 always says so.
    pub no_error: Vec<String>,
}

impl AnswerShape {
    /// Whether everything stands where the RFCs have it.
    pub(crate) fn is_plain(&self) -> bool {
        self.members.is_empty() && self.no_error.is_empty()
    }

    /// Every place that is named.
    pub(crate) fn places(&self) -> impl Iterator<Item = &str> + Clone {
        self.members.values().flatten().map(String::as_str)
    }
}
