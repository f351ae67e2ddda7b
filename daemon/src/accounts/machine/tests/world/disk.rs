//! The disk and the store's key: they work, refuse, lie, and are locked.

use mcp_authd_oauth::token::Life;

use super::World;
use crate::accounts::grant::{GrantRecord, SignInRecord};
use crate::accounts::machine::{Event, SaveId};
use crate::accounts::{KeyState, LoadError, SaveError, Stored};

#[derive(Debug, Clone)]
pub(crate) enum DiskWork {
    Load,
    Grant(SaveId, GrantRecord),
    SignIn(SignInRecord),
    Forget(SaveId),
    ForgetSignIn(SaveId),
}

/// What the disk does with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disk {
    Works,
    /// It refuses, and holds what it held.
    Refuses,
    /// It has done it, and the last step failed: nobody knows whether it is durable.
    Lies,
}

impl World {
    pub(crate) fn step_disk(&mut self, works: bool) {
        self.step_disk_with(if works { Disk::Works } else { Disk::Refuses });
    }

    pub(crate) fn step_disk_with(&mut self, disk: Disk) {
        let Some(work) = self.disk_work.pop_front() else { return };
        let saves = !matches!(work, DiskWork::Forget(_) | DiskWork::ForgetSignIn(_));
        let works = disk != Disk::Refuses && !(saves && self.locked);
        let result = match disk {
            _ if saves && self.locked => Err(SaveError::Locked),
            Disk::Works => Ok(()),
            Disk::Refuses | Disk::Lies => Err(SaveError::Io("disk full".to_owned())),
        };
        match work {
            DiskWork::Load => {
                let loaded = self.load();
                self.tell(Event::Loaded(loaded));
            }
            DiskWork::Grant(id, record) => {
                self.settled.extend(record.grant.access.as_ref().map(|token| token.access_token.expose().to_owned()));
                if works {
                    self.disk.grant = Some(record);
                    self.saved_by(id);
                }
                self.tell(Event::GrantSaved(id, result));
            }
            DiskWork::SignIn(record) => {
                if works {
                    self.disk.sign_in = Some(record);
                }
                self.tell(Event::SignInSaved(result));
            }
            DiskWork::Forget(id) => {
                if works {
                    self.disk.grant = None;
                }
                self.tell(Event::GrantForgotten(id, result));
            }
            DiskWork::ForgetSignIn(id) => {
                if works {
                    self.disk.sign_in = None;
                }
                self.tell(Event::SignInForgotten(id, result));
            }
        }
    }

    /// As the store reads: what is damaged is set aside once, and the calendar decides what has ended.
    fn load(&mut self) -> Result<Stored, LoadError> {
        if self.locked {
            return Err(LoadError::Locked);
        }
        if std::mem::take(&mut self.unreadable) {
            return Err(LoadError::Io("no permission".to_owned()));
        }
        let mut stored = self.disk.clone();
        self.disk.damaged = None;
        if let Some(record) = &mut stored.grant
            && let Some(token) = &mut record.grant.access
            && let Life::Known(life) = token.life
        {
            let (asked, now) = (token.requested_wall, self.now);
            let sane = asked <= record.saved_at && record.saved_at <= now.wall && now.wall < asked + life;
            token.requested = if sane { now.instant_of(asked) } else { now.instant - life };
        }
        Ok(stored)
    }

    /// The grant's record is damaged while no daemon runs; the next reading sets it aside (B10).
    pub(crate) fn damage(&mut self) {
        if self.disk.grant.take().is_some() {
            self.disk.damaged = Some("grant.corrupt".to_owned());
        }
    }

    pub(crate) fn open_the_key(&mut self) {
        if std::mem::take(&mut self.locked) {
            self.tell(Event::KeyChanged(KeyState::Open));
        }
    }

    pub(crate) fn save_all(&mut self) {
        while !self.disk_work.is_empty() {
            self.step_disk(true);
        }
    }
}
