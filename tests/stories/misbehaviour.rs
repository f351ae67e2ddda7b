//! A server that breaks every rule, and what the person reads then.
