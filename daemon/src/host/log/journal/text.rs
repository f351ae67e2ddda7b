//! Lines of text to a stream whose reader may have stopped: each is taken whole at once, or an error.
//!
//! Must never: wait for the reader, or write two lines into one.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd;

use nix::fcntl::{FcntlArg, OFlag, fcntl};

/// The stream.
#[derive(Debug)]
pub(super) struct Text {
    stream: File,
    /// What the next line must write first: the end of one that was cut short.
    owed: &'static str,
}

impl Text {
    /// To this stream, which does not block from now on, for whoever else has it, too.
    pub(super) fn to(stream: &impl AsFd) -> io::Result<Self> {
        let stream = File::from(stream.as_fd().try_clone_to_owned()?);
        let flags = OFlag::from_bits_retain(fcntl(&stream, FcntlArg::F_GETFL)?);
        fcntl(&stream, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        Ok(Self { stream, owed: "" })
    }

    /// Writes the line and its end. Where it fails, a part of it may have been written.
    pub(super) fn write(&mut self, line: &str) -> io::Result<()> {
        let whole = format!("{}{line}\n", self.owed);
        let mut left = whole.as_bytes();
        while !left.is_empty() {
            match self.stream.write(left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    left = left.get(written..).unwrap_or_default();
                    self.owed = if left.is_empty() { "" } else { "\n" };
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
