//! What must not leave, whatever is asked, logged, kept or started (P5, P7, P10, P11).

mod asked;
mod bare_calls;
mod kept;
mod logged;
mod seeds;
mod started;
