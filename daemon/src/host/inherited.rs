//! Descriptors that a program has left open for us: closed, so that nothing of it lives on in the daemon (P25).
//!
//! Must never: close what a service manager hands over, or be called after anything was opened.

use std::os::fd::RawFd;

use super::activation;

/// Where descriptors that are handed over begin (`SD_LISTEN_FDS_START`).
const FIRST: RawFd = 3;

/// Closes everything above standard error. To be called first in `main`: whoever started us may have open what is not
/// ours: a connection, a lock, the end of a pipe that somebody waits for.
pub fn close() {
    // Read to the end first: reading needs a descriptor of its own.
    let Ok(entries) = std::fs::read_dir("/dev/fd") else { return };
    let open: Vec<RawFd> = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    let after = FIRST.saturating_add(activation::announced());
    for descriptor in open.into_iter().filter(|descriptor| *descriptor >= after) {
        // The one that was read through is closed already.
        let _ = nix::unistd::close(descriptor);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::io::Read;
    use std::os::fd::AsRawFd;
    use std::process::Command;

    /// Runs only as the child of the test below: it would close what other tests have open.
    #[test]
    fn in_a_process_of_its_own() {
        if std::env::var_os("MCP_AUTHD_TEST_INHERITED").is_some() {
            super::close();
            // The far end is told that nobody has the pipe any more; then its answer lets us go.
            let _ = std::io::stdin().read(&mut [0; 1]);
        }
    }

    #[test]
    fn a_pipe_that_was_left_open_for_us_is_closed() {
        let (mut far, near) = std::io::pipe().unwrap();
        // A descriptor without close-on-exec, as a careless program has them.
        let careless = nix::unistd::dup(&near).unwrap();
        nix::fcntl::fcntl(&careless, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty())).unwrap();
        assert!(careless.as_raw_fd() > 2);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "host::inherited::tests::in_a_process_of_its_own", "--nocapture"])
            .env("MCP_AUTHD_TEST_INHERITED", "1")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        drop((near, careless));
        // Ends only because the child has closed it: the child itself waits for us.
        assert_eq!(far.read(&mut [0; 1]).unwrap(), 0);
        assert!(child.try_wait().unwrap().is_none(), "the child lives, and has closed it");
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
    }
}
