//! A terminal: what a program writes to it becomes what a person sees. It knows what our screens use of ECMA-48, and panics at anything
//! else, so that a sequence that terminals may not know is noticed.

#![allow(dead_code, reason = "each test program uses its part")]

use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Nothing here takes so long; a test that waits longer waits for something that does not come.
const WATCHDOG: Duration = Duration::from_secs(60);

/// A screen that is drawn again every second never stops writing.
const WATCHDOG_WRITES: usize = 200;

pub(crate) const COLUMNS: usize = 80;
pub(crate) const ROWS: usize = 24;

/// A program on a terminal of 80 columns and 24 rows.
pub(crate) struct Terminal {
    pub(crate) screen: Screen,
    child: Child,
    near: OwnedFd,
    keys: std::fs::File,
    written: Receiver<Vec<u8>>,
}

impl Terminal {
    /// Starts it under a line that stood there before.
    pub(crate) fn start(mut command: Command) -> Self {
        let size = Winsize { ws_row: ROWS as u16, ws_col: COLUMNS as u16, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(Some(&size), None).unwrap();
        std::fs::File::from(pair.slave.try_clone().unwrap()).write_all(b"before\n").unwrap();
        let end = || Stdio::from(pair.slave.try_clone().unwrap());
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        let (send, written) = channel();
        let mut far = std::fs::File::from(pair.master);
        let keys = far.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length) = far.read(&mut bytes) {
                if length == 0 || send.send(bytes[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { screen: Screen::new(), child, near: pair.slave, keys, written }
    }

    /// Looks on until this is so.
    pub(crate) fn until(&mut self, seen: impl Fn(&Screen) -> bool) {
        for _ in 0..WATCHDOG_WRITES {
            if seen(&self.screen) {
                return;
            }
            match self.written.recv_timeout(WATCHDOG) {
                Ok(bytes) => self.screen.take(&bytes),
                Err(error) => panic!("{error}; the screen:\n{}", self.screen.text()),
            }
        }
        panic!("it does not come; the screen:\n{}", self.screen.text());
    }

    /// As the person at it types.
    pub(crate) fn type_in(&mut self, text: &str) {
        self.keys.write_all(text.as_bytes()).unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Wakes it after Ctrl-Z until this is so: a wake-up that comes before the sleep is lost.
    pub(crate) fn wake_until(&mut self, seen: impl Fn(&Screen) -> bool) {
        for _ in 0..600 {
            self.signal(Signal::SIGCONT);
            match self.written.recv_timeout(WATCHDOG / 600) {
                Ok(bytes) => self.screen.take(&bytes),
                Err(RecvTimeoutError::Timeout) => {}
                Err(error) => panic!("{error}"),
            }
            if seen(&self.screen) {
                return;
            }
        }
        panic!("it does not wake up; the screen:\n{}", self.screen.text());
    }

    /// Makes the window another size, as a person does.
    pub(crate) fn resize(&mut self, columns: usize, rows: usize) {
        let mut stty = Command::new("stty");
        stty.args(["cols", &columns.to_string(), "rows", &rows.to_string()]);
        assert!(stty.stdin(Stdio::from(self.near.try_clone().unwrap())).status().unwrap().success());
        self.screen.resize(columns, rows);
        self.signal(Signal::SIGWINCH);
    }

    /// Waits for its end; what it wrote last is on the screen then.
    pub(crate) fn end(mut self) -> (Option<i32>, Screen) {
        let status = self.child.wait().unwrap();
        drop(self.near);
        while let Ok(bytes) = self.written.recv_timeout(WATCHDOG) {
            self.screen.take(&bytes);
        }
        (status.code(), self.screen)
    }
}

type Grid = Vec<Vec<char>>;

/// What a person sees.
pub(crate) struct Screen {
    grid: Grid,
    /// What the alternate screen covers.
    covered: Option<(Grid, (usize, usize))>,
    columns: usize,
    /// Row and column.
    pub(crate) cursor: (usize, usize),
    pub(crate) cursor_is_shown: bool,
    pub(crate) wraps: bool,
    /// How many lines have left through the top.
    pub(crate) scrolled: usize,
    /// How many lines were longer than the screen is wide.
    pub(crate) wrapped: usize,
    /// Whether colours were used.
    pub(crate) coloured: bool,
    /// How many frames were drawn in one update each.
    pub(crate) updates: usize,
    pending: Vec<u8>,
}

impl Screen {
    fn new() -> Self {
        Self {
            grid: vec![vec![' '; COLUMNS]; ROWS],
            covered: None,
            columns: COLUMNS,
            cursor: (0, 0),
            cursor_is_shown: true,
            wraps: true,
            scrolled: 0,
            wrapped: 0,
            coloured: false,
            updates: 0,
            pending: Vec::new(),
        }
    }

    pub(crate) fn is_alternate(&self) -> bool {
        self.covered.is_some()
    }

    /// The rows without the empty ones at the end, and without spaces at their ends.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.grid.iter().map(|row| row.iter().collect::<String>().trim_end().to_owned()).collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
    }

    pub(crate) fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// The row that begins so.
    pub(crate) fn row(&self, beginning: &str) -> Option<usize> {
        self.lines().iter().position(|line| line.starts_with(beginning))
    }

    fn resize(&mut self, columns: usize, rows: usize) {
        self.columns = columns;
        self.grid.resize(rows, Vec::new());
        self.grid.iter_mut().for_each(|row| row.resize(columns, ' '));
        self.cursor = (self.cursor.0.min(rows - 1), self.cursor.1.min(columns - 1));
    }

    fn take(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        while let Some(length) = self.step() {
            self.pending.drain(..length);
        }
    }

    /// Heeds one character or sequence; says how long it was. `None`: it has not come whole yet.
    fn step(&mut self) -> Option<usize> {
        let first = *self.pending.first()?;
        if first == 0x1b {
            assert!(self.pending.get(1).is_none_or(|byte| *byte == b'['), "{:?}", self.pending);
            let end = 2 + self.pending.iter().skip(2).position(|byte| (0x40..=0x7e).contains(byte))?;
            let sequence = String::from_utf8(self.pending[2..=end].to_vec()).unwrap();
            self.control(&sequence);
            return Some(end + 1);
        }
        let length = match first {
            0..0x80 => 1,
            0xc0..0xe0 => 2,
            0xe0..0xf0 => 3,
            _ => 4,
        };
        let character = std::str::from_utf8(self.pending.get(..length)?).unwrap().chars().next().unwrap();
        match character {
            '\r' => self.cursor.1 = 0,
            '\n' => self.line_feed(),
            shown => self.put(shown),
        }
        Some(length)
    }

    fn control(&mut self, sequence: &str) {
        let (row, column) = self.cursor;
        match sequence {
            "H" => self.cursor = (0, 0),
            "K" => self.grid[row][column.min(self.columns - 1)..].fill(' '),
            "J" => {
                self.grid[row][column.min(self.columns - 1)..].fill(' ');
                self.grid[row + 1..].iter_mut().for_each(|row| row.fill(' '));
            }
            "?1049h" => {
                assert!(self.covered.is_none(), "entered twice");
                let blank = vec![vec![' '; self.columns]; self.grid.len()];
                self.covered = Some((std::mem::replace(&mut self.grid, blank), self.cursor));
            }
            "?1049l" => {
                if let Some((grid, cursor)) = self.covered.take() {
                    (self.grid, self.cursor) = (grid, cursor);
                }
            }
            "?25h" => self.cursor_is_shown = true,
            "?25l" => self.cursor_is_shown = false,
            "?7h" => self.wraps = true,
            "?7l" => self.wraps = false,
            "?2026h" => {}
            "?2026l" => self.updates += 1,
            colours if colours.ends_with('m') => self.coloured = true,
            unknown => panic!("terminals may not know {unknown:?}"),
        }
    }

    fn put(&mut self, character: char) {
        if self.cursor.1 == self.columns {
            if self.wraps {
                self.cursor.1 = 0;
                self.wrapped += 1;
                self.line_feed();
            } else {
                self.cursor.1 -= 1;
            }
        }
        self.grid[self.cursor.0][self.cursor.1] = character;
        self.cursor.1 += 1;
    }

    fn line_feed(&mut self) {
        if self.cursor.0 + 1 < self.grid.len() {
            self.cursor.0 += 1;
        } else {
            self.grid.remove(0);
            self.grid.push(vec![' '; self.columns]);
            self.scrolled += 1;
        }
    }
}
