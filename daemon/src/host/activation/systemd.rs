//! What systemd announces: three variables (sd_listen_fds(3)), and descriptors from 3 on.
//!
//! Must never: believe what was announced to another process.

use std::os::fd::RawFd;

use listenfd::ListenFd;

use super::{ADMIN, Handed, TOKENS, Unfit, listening};

/// Two are of any use; a number above this one is a mistake, and would keep open what nobody has announced.
const MOST: RawFd = 16;

/// How many descriptors, from 3 on, are announced to this very process. What they are is looked at in [`take`].
pub(super) fn announced() -> RawFd {
    let words = Words::of_this_process();
    if words.are_for(std::process::id()) { words.number().unwrap_or(0) } else { 0 }
}

/// Takes what is announced, and with it the variables out of the environment.
pub(super) fn take() -> Result<Vec<Handed>, Unfit> {
    let names = Words::of_this_process().announced_to(std::process::id())?;
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut descriptors = ListenFd::from_env();
    let mut taken = Vec::new();
    for (index, name) in names.into_iter().enumerate() {
        let listener = descriptors.take_unix_listener(index).and_then(listening);
        let listener = listener.map_err(|source| Unfit::NotListening { name, source })?;
        taken.push(Handed { name, listener });
    }
    Ok(taken)
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
