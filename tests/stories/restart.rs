//! The daemon ends and comes back.
