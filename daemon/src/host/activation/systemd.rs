//! What systemd announces: three variables (sd_listen_fds(3)), and descriptors from 3 on.
//!
//! Must never: believe what was announced to another process.

use std::io;
use std::os::fd::RawFd;
use std::os::unix::net::UnixListener;

use listenfd::ListenFd;

use super::{ADMIN, Callers, Handed, Refused, TOKENS, Unfit, listening};

/// Two are of any use; a number above this one is a mistake, and would keep open what nobody has announced.
const MOST: RawFd = 16;

/// How many descriptors, from 3 on, are announced to this very process. What they are is looked at in [`take`].
pub(super) fn announced() -> RawFd {
    let words = Words::of_this_process();
    if words.are_for(std::process::id()) { words.number().unwrap_or(0) } else { 0 }
}

/// Takes what is announced, and with it the variables out of the environment.
pub(super) fn take() -> Result<Vec<Handed>, Refused> {
    let (words, own) = (Words::of_this_process(), std::process::id());
    if !words.are_for(own) {
        return Ok(Vec::new());
    }
    let mut descriptors = ListenFd::from_env();
    let count = words.number().and_then(|number| usize::try_from(number).ok()).unwrap_or(0);
    let sockets = (0..count).map(|index| descriptors.take_unix_listener(index).and_then(listening)).collect();
    named(words.announced_to(own), sockets)
}

/// Each socket with its name. Where that cannot be, all that listen are kept for their callers: whoever waits there would have the
/// manager start one daemon after the other.
fn named(names: Result<Vec<&'static str>, Unfit>, sockets: Vec<io::Result<UnixListener>>) -> Result<Vec<Handed>, Refused> {
    let names = match names {
        Ok(names) => names,
        Err(unfit) => return Err(Refused { unfit, callers: Callers(sockets.into_iter().flatten().collect()) }),
    };
    let (mut taken, mut unfit) = (Vec::new(), None);
    for (name, socket) in names.into_iter().zip(sockets) {
        match socket {
            Ok(listener) => taken.push(Handed { name, listener }),
            Err(source) => unfit = unfit.or(Some(Unfit::NotListening { name, source })),
        }
    }
    match unfit {
        None => Ok(taken),
        Some(unfit) => Err(Refused { unfit, callers: Callers(taken.into_iter().map(|handed| handed.listener).collect()) }),
    }
}

/// The three variables, as they are.
#[derive(Debug, Clone, Default)]
struct Words {
    pid: Option<String>,
    number: Option<String>,
    names: Option<String>,
}

impl Words {
    fn of_this_process() -> Self {
        let lossy = |name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        Self { pid: lossy("LISTEN_PID"), number: lossy("LISTEN_FDS"), names: lossy("LISTEN_FDNAMES") }
    }

    /// They may have been inherited from somebody whom they were meant for.
    fn are_for(&self, own: u32) -> bool {
        self.number.is_some() && self.pid.as_deref().and_then(|pid| pid.parse().ok()) == Some(own)
    }

    fn number(&self) -> Option<RawFd> {
        let number = self.number.as_deref()?.parse().ok()?;
        (0..=MOST).contains(&number).then_some(number)
    }

    /// The name of each descriptor that is announced to the process `own`, in their order.
    fn announced_to(&self, own: u32) -> Result<Vec<&'static str>, Unfit> {
        if !self.are_for(own) {
            return Ok(Vec::new());
        }
        let said = self.names.as_deref().unwrap_or_default();
        let names: Vec<_> = if said.is_empty() { Vec::new() } else { said.split(':').collect() };
        if self.number().and_then(|number| usize::try_from(number).ok()) != Some(names.len()) {
            let number = self.number.clone().unwrap_or_default();
            return Err(Unfit::Unclear { number, names: said.to_owned() });
        }
        let mut known = Vec::new();
        for name in names {
            let name = [TOKENS, ADMIN].into_iter().find(|own| *own == name).ok_or_else(|| Unfit::Unknown(name.to_owned()))?;
            if known.contains(&name) {
                return Err(Unfit::Twice(name));
            }
            known.push(name);
        }
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    const OWN: u32 = 4242;

    fn words(number: &str, names: &str) -> Words {
        Words { pid: Some(OWN.to_string()), number: Some(number.to_owned()), names: Some(names.to_owned()) }
    }

    #[test]
    fn both_sockets_are_known_in_any_order_and_one_alone() {
        assert_eq!(words("2", "mcp-authd-tokens:mcp-authd-admin").announced_to(OWN).unwrap(), [TOKENS, ADMIN]);
        assert_eq!(words("2", "mcp-authd-admin:mcp-authd-tokens").announced_to(OWN).unwrap(), [ADMIN, TOKENS]);
        assert_eq!(words("1", TOKENS).announced_to(OWN).unwrap(), [TOKENS]);
        assert!(words("0", "").announced_to(OWN).unwrap().is_empty());
    }

    #[test]
    fn what_is_announced_to_nobody_or_to_another_process_is_not_ours() {
        for pid in [None, Some("4243"), Some(""), Some("x"), Some("-1")] {
            let words = Words { pid: pid.map(str::to_owned), ..words("9", "nonsense") };
            assert!(words.announced_to(OWN).unwrap().is_empty(), "{pid:?}");
        }
        assert!(Words { number: None, ..words("", "") }.announced_to(OWN).unwrap().is_empty());
    }

    #[test]
    fn each_mistake_is_told_with_the_next_step() {
        let unclear = ["x", "", "-1", "3", "99999999999"].map(|number| words(number, "mcp-authd-tokens:mcp-authd-admin"));
        for words in unclear {
            let unfit = words.announced_to(OWN).unwrap_err();
            assert!(matches!(unfit, Unfit::Unclear { .. }) && unfit.to_string().ends_with(super::super::COMPARE), "{unfit}");
        }
        assert!(matches!(Words { names: None, ..words("1", "") }.announced_to(OWN), Err(Unfit::Unclear { .. })));
        let unknown = words("2", "mcp-authd-tokens:connection").announced_to(OWN).unwrap_err();
        assert!(unknown.to_string().contains("\"connection\""), "{unknown}");
        assert!(matches!(words("2", "mcp-authd-admin:mcp-authd-admin").announced_to(OWN), Err(Unfit::Twice(ADMIN))));
    }

    #[test]
    fn who_waits_at_sockets_that_are_refused_is_turned_away() {
        use std::io::Read as _;
        use std::os::unix::net::UnixStream;
        let dead = || Err(io::Error::other("it does not listen"));
        type Case = (Words, fn(&Unfit) -> bool);
        let cases: [Case; 4] = [
            (words("3", "mcp-authd-tokens:mcp-authd-admin"), |unfit| matches!(unfit, Unfit::Unclear { .. })),
            (words("2", "mcp-authd-tokens:connection"), |unfit| matches!(unfit, Unfit::Unknown(_))),
            (words("2", "mcp-authd-admin:mcp-authd-admin"), |unfit| matches!(unfit, Unfit::Twice(ADMIN))),
            (words("2", "mcp-authd-admin:mcp-authd-tokens"), |unfit| matches!(unfit, Unfit::NotListening { name: ADMIN, .. })),
        ];
        for (words, is_it) in cases {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("socket");
            let managers = UnixListener::bind(&path).unwrap();
            let mut waits = UnixStream::connect(&path).unwrap();
            waits.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
            let refused = named(words.announced_to(OWN), vec![dead(), managers.try_clone()]).unwrap_err();
            assert!(is_it(&refused.unfit), "{refused}");
            refused.callers.turn_away();
            assert_eq!(waits.read(&mut [0]).unwrap(), 0, "{words:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_announced_is_known_once_and_counted(number in "[0-9]{0,3}|\\PC{0,6}", names in "[a-z:-]{0,40}|\\PC{0,40}") {
            match words(&number, &names).announced_to(OWN) {
                Ok(known) => {
                    prop_assert_eq!(number.parse().ok(), RawFd::try_from(known.len()).ok());
                    prop_assert_eq!(known.join(":"), names);
                }
                Err(unfit) => prop_assert!(unfit.to_string().ends_with(super::super::COMPARE)),
            }
        }

        #[test]
        fn any_choice_of_our_names_is_taken_in_its_order(order in prop::sample::subsequence(vec![TOKENS, ADMIN], 0..=2).prop_shuffle()) {
            prop_assert_eq!(words(&order.len().to_string(), &order.join(":")).announced_to(OWN).unwrap(), order);
        }
    }
}
