//! The 401 path.
