//! The daemon ends in the midst of it: killed or asked to leave, with answers on the way (B1-B6).

mod leaving;
