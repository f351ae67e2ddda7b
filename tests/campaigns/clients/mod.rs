//! The clients: floods, slow and hostile peers, a daemon that is stopped (B22-B27, B36, P16, P26).

mod abuse;
mod browser;
mod cancelled;
mod crowd;
mod exhausted;
mod frames;
mod huge;
mod load;
mod peer;
mod slow;
mod stopped;
