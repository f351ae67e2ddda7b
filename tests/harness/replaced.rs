//! A program that is replaced while it runs, as packages do it: another file takes its name.
//!
//! Must never: write into a file that runs.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use nix::errno::Errno;

/// A program with one name and two files, of which one after the other has the name.
#[derive(Debug)]
pub struct Replaced {
    name: PathBuf,
    copies: [PathBuf; 2],
    upgrades: usize,
}

impl Replaced {
    /// Copies the program into `folder`, twice.
    ///
    /// # Panics
    /// If there is no place for it.
    #[must_use]
    pub fn of(program: &Path, folder: &Path) -> Self {
        fs::create_dir_all(folder).expect("a folder can be made");
        let name = folder.join(program.file_name().expect("a program has a name"));
        let copies = ["a", "b"].map(|copy| name.with_extension(copy));
        for copy in &copies {
            fs::copy(program, copy).expect("a program can be copied");
        }
        let replaced = Self { name, copies, upgrades: 0 };
        replaced.take_the_name();
        replaced
    }

    /// Where it is started.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.name
    }

    /// From now on whoever starts it starts the other file; who runs already runs on.
    pub fn upgrade(&mut self) {
        self.upgrades += 1;
        self.take_the_name();
    }

    /// Whether anybody runs the file that has the name.
    #[must_use]
    pub fn new_one_runs(&self) -> bool {
        runs(&self.copies[self.upgrades % 2])
    }

    /// Whether anybody runs the file that had it before.
    #[must_use]
    pub fn old_one_runs(&self) -> bool {
        runs(&self.copies[(self.upgrades + 1) % 2])
    }

    fn take_the_name(&self) {
        let beside = self.name.with_extension("new");
        fs::hard_link(&self.copies[self.upgrades % 2], &beside).expect("a file can have two names");
        fs::rename(&beside, &self.name).expect("a file can be replaced");
    }
}

/// The kernel lets nobody write into a file that is being executed.
fn runs(file: &Path) -> bool {
    match File::options().write(true).open(file) {
        Ok(_) => false,
        Err(error) if error.raw_os_error() == Some(Errno::ETXTBSY as i32) => true,
        Err(error) => panic!("{}: {error}", file.display()),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn who_runs_runs_on_and_who_starts_starts_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let mut replaced = Replaced::of(Path::new("/bin/sleep"), folder.path());
        assert!(!replaced.new_one_runs() && !replaced.old_one_runs());
        let mut first = Command::new(replaced.path()).arg("100").spawn().unwrap();
        assert!(replaced.new_one_runs());
        replaced.upgrade();
        assert!(replaced.old_one_runs() && !replaced.new_one_runs());
        let mut second = Command::new(replaced.path()).arg("100").spawn().unwrap();
        first.kill().unwrap();
        first.wait().unwrap();
        assert!(replaced.new_one_runs() && !replaced.old_one_runs());
        second.kill().unwrap();
        second.wait().unwrap();
    }
}
