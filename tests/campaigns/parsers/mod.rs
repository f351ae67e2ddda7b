//! Whoever reads bytes that others wrote: no input brings it down (P26).

mod mutate;
pub(crate) mod protobuf;
mod pure;
mod records;
mod targets;
mod words;

pub(crate) use mutate::Mutator;
