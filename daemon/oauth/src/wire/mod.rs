//! Wire bodies.
