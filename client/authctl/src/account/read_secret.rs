//! Reads a secret from standard input: typed without an echo, or all of a pipe.
//!
//! Must never: read it from an argument or the environment (P11), leave a copy that is not wiped, name it in an error, or leave a
//! terminal without its echo.

use std::io::{self, IsTerminal as _};

use mcp_authd_client::Secret;
use nix::sys::termios::{_POSIX_VDISABLE, LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::exit::{Exit, Failure};
use crate::screen;

/// The longest secret, in bytes.
const LONGEST: usize = 4096;
/// A line on a terminal has no more than this; the kernel drops the rest without a word.
const LONGEST_TYPED: usize = 4094;
/// One line end, and one byte that shows that there is more.
const ROOM: usize = LONGEST + 3;

/// Reads the secret. The question is only put to a terminal.
pub(super) async fn read_secret(question: &str) -> Result<Secret, Failure> {
    if io::stdin().is_terminal() {
        let typed = type_in(question).await?;
        if typed.len() > LONGEST_TYPED {
            return Err(cut_off());
        }
        check(typed)
    } else {
        check(read(UpTo::End)?)
    }
}

/// With the echo off; it is back on whatever happens.
async fn type_in(question: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let _echo_off = EchoOff::begin()?;
    screen::complain(question);
    let (sender, typed) = oneshot::channel();
    // A thread of its own, that nobody joins: it may wait in its read for ever.
    std::thread::spawn(move || drop(sender.send(read(UpTo::LineEnd))));
    tokio::select! {
        typed = typed => typed.unwrap_or_else(|_| Err(io::ErrorKind::UnexpectedEof.into())).map_err(Failure::from),
        _ = interrupt.recv() => Err(stopped()),
        _ = terminate.recv() => Err(stopped()),
        _ = hang_up.recv() => Err(stopped()),
    }
}

/// Where to stop reading.
#[derive(Clone, Copy, PartialEq, Eq)]
enum UpTo {
    LineEnd,
    End,
}

/// Straight from the descriptor: a buffered reader would keep a copy. At most [`ROOM`] bytes, and never moved while it grows.
fn read(up_to: UpTo) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut secret = Zeroizing::new(vec![0; ROOM]);
    let mut filled = 0;
    while let Some(free) = secret.get_mut(filled..).filter(|free| !free.is_empty()) {
        match nix::unistd::read(io::stdin(), free) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        if up_to == UpTo::LineEnd && secret.get(..filled).is_some_and(|typed| typed.ends_with(b"\n")) {
            break;
        }
    }
    secret.truncate(filled);
    Ok(secret)
}

/// Without its line end; one line of text, not too long.
fn check(mut secret: Zeroizing<Vec<u8>>) -> Result<Secret, Failure> {
    if secret.last() == Some(&b'\n') {
        secret.pop();
        if secret.last() == Some(&b'\r') {
            secret.pop();
        }
    }
    if secret.is_empty() {
        return Err(wrong("there was no secret on standard input (to forget the one that is kept: --forget)"));
    }
    if secret.len() > LONGEST {
        return Err(wrong("a secret has 4096 bytes at most; check what was given"));
    }
    match std::str::from_utf8(&secret) {
        Err(_) => return Err(wrong("the secret is not UTF-8; check what was given")),
        Ok(text) if text.chars().any(char::is_control) => {
            return Err(wrong("the secret holds a line break or another control character; give it alone, on one line"));
        }
        Ok(_) => {}
    }
    // It has just been found to be text, so nothing is copied and no error holds it.
    Ok(Secret::new(String::from_utf8(std::mem::take(&mut *secret)).unwrap_or_default()))
}

fn cut_off() -> Failure {
    wrong("a terminal cuts lines as long as this; give the secret through a pipe")
}

fn wrong(message: &str) -> Failure {
    Failure::new(Exit::Usage, message, "authctl account set-secret --help")
}

fn stopped() -> Failure {
    Failure::new(Exit::Interrupted, "stopped; nothing was changed", "authctl account list")
}

/// A terminal that shows nothing of what is typed, and cannot be left with Ctrl-Z or Ctrl-\ meanwhile: a shell would put the echo
/// back while we still read.
struct EchoOff {
    before: Termios,
}

impl EchoOff {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_flags.remove(LocalFlags::ECHO);
        quiet.local_flags.insert(LocalFlags::ECHONL | LocalFlags::ICANON | LocalFlags::ISIG);
        for key in [SpecialCharacterIndices::VSUSP, SpecialCharacterIndices::VQUIT] {
            if let Some(key) = quiet.control_chars.get_mut(key as usize) {
                *key = _POSIX_VDISABLE;
            }
        }
        // What was typed before the question is no answer to it.
        tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &quiet)?;
        Ok(Self { before })
    }
}

impl Drop for EchoOff {
    fn drop(&mut self) {
        // Nobody is left to tell; and what was typed since must not land in the shell.
        tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &self.before).ok();
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    pub(in crate::account) fn failures() -> Vec<Failure> {
        let none = [b"".to_vec(), b"x".repeat(LONGEST + 1), b"\xff".to_vec(), b"two\nlines".to_vec()];
        let none = none.map(|bytes| checked(&bytes).unwrap_err());
        none.into_iter().chain([cut_off(), stopped()]).collect()
    }

    fn checked(bytes: &[u8]) -> Result<String, Failure> {
        check(Zeroizing::new(bytes.to_vec())).map(|secret| secret.expose().to_owned())
    }

    #[test]
    fn one_line_end_is_not_part_of_the_secret() {
        for bytes in [&b"s3cret"[..], b"s3cret\n", b"s3cret\r\n"] {
            assert_eq!(checked(bytes).unwrap(), "s3cret", "{bytes:?}");
        }
        assert_eq!(checked(b" s3 cret \n").unwrap(), " s3 cret ");
    }

    #[test]
    fn what_cannot_be_a_secret_is_refused_without_being_named() {
        let long = [b"x".repeat(LONGEST), b"\n".to_vec()].concat();
        assert_eq!(checked(&long).unwrap().len(), LONGEST);
        let too_long = b"x".repeat(LONGEST + 1);
        for bytes in
            [&b""[..], b"\n", b"\r\n", b"hunter2\n\n", b"hunter2\nb\n", b"hunter2\t", b"hunter2\xff", b"hunter2\0", &too_long]
        {
            let failure = checked(bytes).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage, "{bytes:?}");
            assert!(!format!("{failure:?}").contains("hunter2") && !failure.message.contains("xxx"), "{failure:?}");
        }
    }
}
