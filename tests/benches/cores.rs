//! Which cores a process may run on: one for all, or whichever it likes.

use anyhow::{Context as _, Result, bail};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// Keeps this thread and other processes on one core. When it is dropped, they are free again.
#[derive(Debug)]
pub(crate) struct OneCore {
    threads: Vec<Pid>,
    before: CpuSet,
}

impl OneCore {
    /// This thread, and every thread of these processes.
    pub(crate) fn shared_with(processes: &[u32]) -> Result<Self> {
        let own = Pid::from_raw(0);
        let before = sched_getaffinity(own).context("the cores of this thread can be told")?;
        let mut one = CpuSet::new();
        one.set(last_of(&before)?)?;
        let mut threads = vec![own];
        for process in processes {
            threads.extend(threads_of(*process)?);
        }
        let pinned = Self { threads, before };
        pinned.put(&one)?;
        Ok(pinned)
    }

    fn put(&self, cores: &CpuSet) -> Result<()> {
        for thread in &self.threads {
            sched_setaffinity(*thread, cores).context("a thread can be pinned")?;
        }
        Ok(())
    }
}

impl Drop for OneCore {
    fn drop(&mut self) {
        let _some_are_gone = self.put(&self.before);
    }
}

/// The last one: interrupts like the first.
fn last_of(cores: &CpuSet) -> Result<usize> {
    match (0..CpuSet::count()).rev().find(|core| cores.is_set(*core) == Ok(true)) {
        Some(core) => Ok(core),
        None => bail!("this thread may run on no core"),
    }
}

fn threads_of(process: u32) -> Result<Vec<Pid>> {
    let entries = std::fs::read_dir(format!("/proc/{process}/task")).context("the threads of a process can be listed")?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().parse()?));
    names.map(|id: Result<i32>| id.map(Pid::from_raw)).collect()
}
