//! What a process holds of the machine, as the kernel tells it.

use std::fs;
use std::time::Duration;

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
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
        let number = |name: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the kernel tells it");
            line.trim().trim_end_matches("kB").trim().parse().expect("it is a number")
        };
        Self {
            resident: number("VmRSS:") * 1024,
            descriptors: fs::read_dir(format!("/proc/{pid}/fd")).expect("its descriptors can be counted").count(),
            threads: usize::try_from(number("Threads:")).expect("it fits"),
            busy: busy(pid),
        }
    }
}

/// Fields 14 and 15 of `stat`, in ticks; the name before them may hold anything, but ends with the last `)`.
fn busy(pid: u32) -> Duration {
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
