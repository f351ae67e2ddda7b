//! The accounts by the daemon's word, and what their servers say about themselves.

use mcp_authd_client::admin::{NotProbed, Probed, Probing};
use mcp_authd_client::shell::word;
use mcp_authd_client::status::{AccountStatus, Health};

use super::super::facts::{Asked, Asking, Facts, Said};
use super::super::finding::{Check, Finding};
use super::{sentence, sentence_end};
use crate::exit::Exit;

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let Some(examined) = facts.daemon.examined() else { return vec![] };
    let accounts = &examined.status.accounts;
    let mut found: Vec<Finding> = accounts.iter().map(account).collect();
    match (facts.asking, &examined.more) {
        (Asking::None, _) => {
            found.push(Finding::worth_knowing(Check::Server, "No server was asked (--offline).", "authctl doctor"))
        }
        (Asking::Each, Some(_)) => {
            found.extend(facts.servers.iter().map(server));
            found.extend(accounts.iter().filter(|account| is_known_otherwise(account, facts)).map(not_asked));
        }
        // That it is too old to name them is told already.
        (Asking::Each, None) => {}
    }
    found
}

fn is_known_otherwise(account: &AccountStatus, facts: &Facts) -> bool {
    account.token_file.is_none() && !facts.servers.iter().any(|asked| asked.issuer == account.issuer)
}

fn account(account: &AccountStatus) -> Finding {
    let message = |usual: &str| account.message.as_deref().map_or_else(|| usual.to_owned(), sentence);
    let login = || account.next_step.clone().unwrap_or_else(|| format!("authctl login {}", word(&account.name)));
    let show = || account.next_step.clone().unwrap_or_else(|| format!("authctl account show {}", word(&account.name)));
    let wrong = |usual: &str, fix: String, exit| Finding::wrong(Check::Account, message(usual), fix).ending(exit);
    let finding = match account.health {
        Health::Good => Finding::well(Check::Account, message("It serves.")),
        Health::LoginRequired => wrong("A person has to log in.", login(), Exit::LoginRequired),
        Health::SigningIn => wrong("A login waits for you.", login(), Exit::LoginRequired),
        Health::Degraded => wrong("Something is wrong.", show(), Exit::Degraded),
        Health::Locked => wrong("The store's key is not open.", "authctl status".to_owned(), Exit::Locked),
        Health::Loading | Health::Removed => {
            Finding::worth_knowing(Check::Account, message("It is not ready yet."), "authctl doctor")
        }
        _ => Finding::worth_knowing(Check::Account, message("How it is, this authctl does not know."), show()),
    };
    finding.about(account.name.as_str())
}

fn not_asked(account: &AccountStatus) -> Finding {
    let message =
        format!("Not asked: {} knows it by its endpoints alone, which are asked at a login and a refresh.", account.name);
    Finding::well(Check::Server, message).about(account.issuer.as_str())
}

fn server(asked: &Asked) -> Finding {
    let check = format!("authctl provider check {}", word(&asked.issuer));
    let bad = |message: String| Finding::wrong(Check::Server, message, check.clone()).ending(Exit::Degraded);
    let finding = match &asked.answer {
        Said::TimeOver(seconds) => bad(format!("It said nothing within {seconds} s.")),
        Said::Failed(why) => bad(format!("It could not be asked. {}", sentence(why))),
        Said::Probing(Probing::Nothing(NotProbed { message, .. })) => {
            // What was asked is the server.
            bad(message
                .strip_prefix("The resource ")
                .map_or_else(|| sentence(message), |rest| format!("It {}", sentence_end(rest))))
        }
        Said::Probing(Probing::Found(found)) => told(found, &check),
    };
    let for_whom = match asked.accounts.as_slice() {
        [] => String::new(),
        [only] => format!(" Account: {only}."),
        several => format!(" Accounts: {}.", several.join(", ")),
    };
    Finding { message: finding.message.clone() + &for_whom, ..finding }.about(asked.issuer.as_str())
}

fn told(found: &Probed, check: &str) -> Finding {
    let bad = |message: String| Finding::wrong(Check::Server, message, check).ending(Exit::Degraded);
    match &found.server {
        None => {
            let why = found.passed_over.first().map_or("it says nothing about itself that can be used", |passed| &passed.message);
            bad(format!("It must not be used. {}", sentence(why)))
        }
        Some(server) if !found.login_possible => bad(format!("Nobody can log in there. {}", sentence(&server.why))),
        Some(server) => match server.findings.iter().find(|finding| finding.is_breach) {
            Some(breach) => {
                let message = format!("It works, and breaks a rule. {}", sentence(&breach.message));
                Finding::worth_knowing(Check::Server, message, check)
            }
            None => Finding::well(Check::Server, "It answers, and is who it says it is."),
        },
    }
}
