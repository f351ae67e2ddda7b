//! What a process holds of the machine, as the kernel tells it.

use std::fs;
use std::time::Duration;

use mcp_authd_tests::skip::{Skip, skipped};

/// At one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Vitals {
    /// Resident memory in bytes.
    pub(crate) resident: u64,
    /// Open descriptors.
    pub(crate) descriptors: usize,
    /// Threads.
    pub(crate) threads: usize,
    /// Time on a processor since its start.
    pub(crate) busy: Duration,
}

impl Vitals {
    /// Of this process.
    pub(crate) fn of(pid: u32) -> Self {
        Self {
            resident: resident(pid),
            descriptors: fs::read_dir(descriptors(pid)).expect("whoever counts them has asked `are_hidden`").count(),
            threads: usize::try_from(status(pid, "Threads:")).expect("it fits"),
            busy: busy(pid),
        }
    }
}

/// Whether the kernel hides the descriptors of this process from us, as it does with a hardened one from all but root: then the
/// campaign that counts them is skipped, aloud.
pub(crate) fn are_hidden(campaign: &str, pid: u32) -> bool {
    let why = match fs::read_dir(descriptors(pid)) {
        Ok(_) => return false,
        Err(error) => format!("{} cannot be read ({error}): run as root on Linux", descriptors(pid)),
    };
    skipped(campaign, &Skip(why));
    true
}

/// Resident memory in bytes, which is hidden from nobody.
pub(crate) fn resident(pid: u32) -> u64 {
    status(pid, "VmRSS:") * 1024
}

fn descriptors(pid: u32) -> String {
    format!("/proc/{pid}/fd")
}

fn status(pid: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the kernel tells it");
    line.trim().trim_end_matches("kB").trim().parse().expect("it is a number")
}

/// Time on a processor since its start: fields 14 and 15 of `stat`, in ticks; the name before them may hold anything, but ends with the last `)`.
pub(crate) fn busy(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    let (_, fields) = stat.rsplit_once(')').expect("a name stands in brackets");
    let ticks: u64 = fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum();
    let a_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).expect("it is known").expect("it is said");
    Duration::from_millis(ticks * 1000 / u64::try_from(a_second).expect("it is positive"))
}

#[test]
fn this_process_has_vitals_and_work_makes_it_busier() {
    let before = Vitals::of(std::process::id());
    assert!(before.resident > 0 && before.descriptors >= 3 && before.threads >= 1, "{before:?}");
    let mut sum = 0_u64;
    while Vitals::of(std::process::id()).busy < before.busy + Duration::from_millis(50) {
        sum = std::hint::black_box((0..100_000).fold(sum, u64::wrapping_add));
    }
}
