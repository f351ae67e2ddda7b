//! The floor, as a program of its own: the least that a process can do to exchange one message on a Unix socket. It blocks, and has
//! no runtime, no protocol and no allocation for a message.
//!
//! `serve SOCKET QUESTION ANSWER` answers so many bytes with so many, for ever; `ask SOCKET QUESTION ANSWER` does one exchange.
//!
//! Must never: be clever. What is compared with it is only as honest as it is plain.

use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::ExitCode;

fn main() -> ExitCode {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let [what, socket, question, answer] = given.as_slice() else { return ExitCode::from(2) };
    let (Ok(question), Ok(answer)) = (question.parse(), answer.parse()) else { return ExitCode::from(2) };
    let ended = match what.as_str() {
        "serve" => serve(socket, question, answer),
        "ask" => ask(socket, question, answer),
        _ => return ExitCode::from(2),
    };
    if ended.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn serve(socket: &str, question: usize, answer: usize) -> io::Result<()> {
    let listener = UnixListener::bind(socket)?;
    loop {
        let (stream, _) = listener.accept()?;
        std::thread::spawn(move || talk(stream, question, answer));
    }
}

/// Ends when the other side leaves.
fn talk(mut stream: UnixStream, question: usize, answer: usize) -> io::Result<()> {
    let (mut asked, said) = (vec![0; question], vec![0; answer]);
    loop {
        stream.read_exact(&mut asked)?;
        stream.write_all(&said)?;
    }
}

fn ask(socket: &str, question: usize, answer: usize) -> io::Result<()> {
    let mut stream = UnixStream::connect(socket)?;
    stream.write_all(&vec![0; question])?;
    stream.read_exact(&mut vec![0; answer])
}
