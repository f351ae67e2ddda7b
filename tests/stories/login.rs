//! One login for all.
