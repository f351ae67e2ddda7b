//! Starting the daemon where nothing answers (DESIGN, section 5): whether, how, and what is said where not.
//!
//! ```text
//! facts.rs     gathers what is so: the environment, files, namespaces       \
//! plan.rs      decides, purely                                               > on a thread of its own (attempt.rs): a home
//! launch.rs    spawns mcp-authd, or asks the service manager                /  on a dead network drive holds no program up
//! starter.rs   waits for the socket; one attempt at a time for a connection
//! mark.rs      the person's stop mark
//! owner.rs     what the lock file says about who owns the store
//! situation.rs all of it at one moment, for the person
//! kept.rs      where the daemon keeps what it keeps, and how that stands
//! restart.rs   what has the service begin anew
//! ```
//!
//! Must never: start anything where a rule forbids it, hand a variable or a descriptor on that is not written down here, or use a
//! shell.

mod asked;
mod attempt;
mod facts;
mod kept;
mod launch;
mod log;
mod mark;
mod owner;
mod places;
mod plan;
mod refusal;
mod restart;
mod situation;
mod starter;

pub(crate) use asked::Asked;
pub use facts::{has_manager, installed};
pub use kept::{At, Kept};
pub use launch::program;
pub use mark::StopMark;
pub use owner::{Owner, Process, lives};
pub(crate) use plan::SocketPlace;
pub use plan::{Confinement, Manager, Plan, Service};
pub use refusal::NotStarted;
pub use situation::{Ownership, Situation};
pub(crate) use starter::{Patience, Starter, explained};
