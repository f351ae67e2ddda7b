//! How `authctl status` ends: the worst of the key and of every account.
//!
//! Must never: end well where something is wrong.

use mcp_authd_client::status::{AccountStatus, DaemonStatus, Health, Key};

use crate::exit::Exit;

/// The worst first: what closes every account, what waits for the person, what goes on by itself.
const ORDER: [Exit; 3] = [Exit::Locked, Exit::LoginRequired, Exit::Degraded];

/// The exit code.
pub(crate) fn verdict(daemon: &DaemonStatus) -> Exit {
    let found: Vec<Exit> = daemon.accounts.iter().map(of_account).chain([of_key(daemon.key)]).collect();
    ORDER.into_iter().find(|exit| found.contains(exit)).unwrap_or(Exit::Done)
}

fn of_key(key: Key) -> Exit {
    match key {
        Key::Open => Exit::Done,
        Key::Locked | Key::Wrong => Exit::Locked,
        _ => Exit::Degraded,
    }
}

fn of_account(account: &AccountStatus) -> Exit {
    match account.health {
        Health::Good => Exit::Done,
        Health::LoginRequired | Health::SigningIn => Exit::LoginRequired,
        Health::Locked => Exit::Locked,
        _ => Exit::Degraded,
    }
}

/// The exit code in a word.
pub(crate) fn word(exit: Exit) -> &'static str {
    match exit {
        Exit::Done => "good",
        Exit::LoginRequired => "login_required",
        Exit::Degraded => "degraded",
        Exit::Locked => "locked",
        Exit::NotRunning => "not_running",
        _ => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{HEALTHS, account, daemon};
    use super::*;

    const KEYS: [Key; 5] = [Key::Open, Key::Locked, Key::Wrong, Key::Loading, Key::Other];

    /// What each alone ends with, as the help says.
    fn code(health: Health) -> u8 {
        match health {
            Health::Good => 0,
            Health::LoginRequired | Health::SigningIn => 3,
            Health::Locked => 5,
            _ => 4,
        }
    }

    fn code_of_key(key: Key) -> u8 {
        match key {
            Key::Open => 0,
            Key::Locked | Key::Wrong => 5,
            _ => 4,
        }
    }

    #[test]
    fn the_worst_counts_in_every_combination_of_healths_and_keys() {
        for key in KEYS {
            for chosen in 0..1_u32 << HEALTHS.len() {
                let healths: Vec<Health> =
                    HEALTHS.iter().enumerate().filter(|(bit, _)| chosen >> bit & 1 == 1).map(|(_, health)| *health).collect();
                let codes: Vec<u8> = healths.iter().map(|health| code(*health)).chain([code_of_key(key)]).collect();
                // 5 goes before 3, and 3 before 4.
                let expected = [5, 3, 4].into_iter().find(|code| codes.contains(code)).unwrap_or(0);
                let accounts = healths.iter().map(|health| account("x", *health));
                for accounts in [accounts.clone().collect::<Vec<_>>(), accounts.rev().collect()] {
                    let daemon = DaemonStatus { key, ..daemon(accounts) };
                    assert_eq!(verdict(&daemon) as u8, expected, "{key:?} {healths:?}");
                }
            }
        }
    }

    #[test]
    fn every_end_of_a_status_has_a_word_of_its_own() {
        let ends = [Exit::Done, Exit::LoginRequired, Exit::Degraded, Exit::Locked, Exit::NotRunning, Exit::Failed];
        let words: std::collections::BTreeSet<&str> = ends.into_iter().map(word).collect();
        assert_eq!(words.len(), ends.len());
    }
}
