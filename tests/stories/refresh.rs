//! One refresh for all.
