//! Lines that a person pastes, or a program pipes: one at a time, from standard input.
//!
//! Must never: read an address from an argument or the environment (P11), leave a copy that is not wiped, or name a part of it in an
//! error: a code stands in it.

use std::io::{self, IsTerminal as _};

use mcp_authd_client::Secret;
use tokio::sync::mpsc::{Receiver, channel};
use zeroize::Zeroizing;

/// The longest address, in bytes; the daemon takes no longer one.
const LONGEST: usize = 16 * 1024;
/// A line on a terminal has no more than this; the kernel drops the rest without a word (`MAX_CANON`).
const LONGEST_TYPED: usize = if cfg!(target_os = "macos") { 1022 } else { 4094 };

/// Where lines come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A person, who can try again.
    Terminal,
    /// A pipe or a file.
    Pipe,
}

impl Source {
    pub(super) fn of_stdin() -> Self {
        if io::stdin().is_terminal() { Self::Terminal } else { Self::Pipe }
    }
}

/// One line, without what surrounds it.
#[derive(Debug)]
pub(super) enum Line {
    /// Something that may be an address.
    Text(Secret),
    /// More than a terminal gives at once: its end is lost.
    CutOff,
    /// More than any address.
    TooLong,
    /// No text.
    NoText,
}

/// The lines of standard input.
pub(super) struct Lines(Receiver<io::Result<Line>>);

impl Lines {
    /// Reads ahead by one line. The thread is joined by nobody: it may wait in its read for ever.
    pub(super) fn begin(source: Source) -> Self {
        let (send, lines) = channel(1);
        std::thread::spawn(move || {
            loop {
                let line = read_line().map(|line| line.map(|line| judged(line, source))).transpose();
                match line {
                    // An empty line is no answer: a person has pressed Enter once too often.
                    Some(Ok(Line::Text(text))) if text.expose().is_empty() => {}
                    Some(line) => {
                        let failed = line.is_err();
                        if send.blocking_send(line).is_err() || failed {
                            return;
                        }
                    }
                    None => return,
                }
            }
        });
        Self(lines)
    }

    /// The next one; `None`: no further one comes.
    pub(super) async fn next(&mut self) -> io::Result<Option<Line>> {
        self.0.recv().await.transpose()
    }
}

/// Up to the line end, byte by byte, as a buffered reader would keep a copy; what is beyond the limit is read and dropped. `None`: the
/// input has ended.
fn read_line() -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    // Never moved while it grows.
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    let mut byte = Zeroizing::new([0; 1]);
    loop {
        match nix::unistd::read(io::stdin(), byte.as_mut_slice()) {
            Ok(0) if line.is_empty() => return Ok(None),
            Ok(0) => return Ok(Some(line)),
            Ok(_) if *byte == *b"\n" => return Ok(Some(line)),
            Ok(_) if line.len() <= LONGEST => line.extend_from_slice(byte.as_slice()),
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn judged(mut line: Zeroizing<Vec<u8>>, source: Source) -> Line {
    if line.len() > LONGEST {
        return Line::TooLong;
    }
    if source == Source::Terminal && line.len() >= LONGEST_TYPED {
        return Line::CutOff;
    }
    match std::str::from_utf8(&line).map(str::trim) {
        Err(_) => Line::NoText,
        Ok(text) if text.len() == line.len() => {
            // Nothing is copied, and no error holds it: it has just been found to be text.
            Line::Text(Secret::new(String::from_utf8(std::mem::take(&mut *line)).unwrap_or_default()))
        }
        Ok(text) => Line::Text(Secret::new(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8], source: Source) -> String {
        match judged(Zeroizing::new(bytes.to_vec()), source) {
            Line::Text(text) => text.expose().to_owned(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn what_surrounds_an_address_does_not_count() {
        for bytes in [&b"http://127.0.0.1/?code=c"[..], b"  http://127.0.0.1/?code=c\r", b"\thttp://127.0.0.1/?code=c "] {
            assert_eq!(shown(bytes, Source::Terminal), "http://127.0.0.1/?code=c");
        }
        assert_eq!(shown(b" \r", Source::Pipe), "");
    }

    #[test]
    fn what_is_no_address_is_known_without_being_named() {
        assert_eq!(shown(b"hunter2\xff", Source::Pipe), "NoText");
        assert_eq!(shown(&b"x".repeat(LONGEST + 1), Source::Pipe), "TooLong");
        assert_eq!(shown(&b"x".repeat(LONGEST), Source::Pipe).len(), LONGEST);
        assert_eq!(shown(&b"x".repeat(LONGEST_TYPED), Source::Terminal), "CutOff");
        assert!(!format!("{:?}", judged(Zeroizing::new(b"hunter2".to_vec()), Source::Pipe)).contains("hunter2"));
    }
}
