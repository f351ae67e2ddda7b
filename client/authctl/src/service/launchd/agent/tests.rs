//! The agent, as a property list reader that is not ours sees it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::process::Command;

use plist::{Dictionary, Value};
use proptest::prelude::*;

use super::*;

pub(in crate::service::launchd) fn places() -> Places {
    Places {
        agent: "/Users/ada/Library/LaunchAgents/mcp-authd.plist".into(),
        run: "/Users/ada/Library/Application Support/mcp-authd/run".into(),
        log: "/Users/ada/Library/Logs/mcp-authd.log".into(),
    }
}

pub(in crate::service::launchd) fn failures() -> Vec<Failure> {
    let program = Path::new("/Users/ada b/bin/mcp-authd");
    [Unwritable::NotText, Unwritable::Character('\u{7}')].map(|why| unwritable(program, why)).into()
}

fn read(text: &str) -> Dictionary {
    Value::from_reader_xml(text.as_bytes()).unwrap().into_dictionary().unwrap()
}

fn dictionary(entries: &[(&str, Value)]) -> Value {
    Value::Dictionary(entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
}

#[test]
fn the_agent_has_these_keys_and_no_others() {
    let text = text(Path::new("/opt/a & b/<mcp-authd>"), &places()).unwrap();
    let socket = |name: &str| {
        let path = format!("/Users/ada/Library/Application Support/mcp-authd/run/{name}");
        // Decimal: 0600.
        dictionary(&[("SockFamily", "Unix".into()), ("SockPathName", path.into()), ("SockPathMode", 0o600.into())])
    };
    let expected = dictionary(&[
        ("Label", "mcp-authd".into()),
        ("ProgramArguments", Value::Array(vec!["/opt/a & b/<mcp-authd>".into(), "--take-over".into()])),
        ("Sockets", dictionary(&[("mcp-authd-tokens", socket("tokens.sock")), ("mcp-authd-admin", socket("admin.sock"))])),
        // Who leaves because nobody needs it is not started again before somebody asks.
        ("KeepAlive", dictionary(&[("SuccessfulExit", false.into())])),
        ("ExitTimeOut", 75.into()),
        ("Umask", 0o077.into()),
        ("SoftResourceLimits", dictionary(&[("Core", 0.into())])),
        ("StandardErrorPath", "/Users/ada/Library/Logs/mcp-authd.log".into()),
    ]);
    assert_eq!(Value::Dictionary(read(&text)), expected);
    assert!(!text.contains('@'), "every place is filled in: {text}");
}

/// Debian's libplist-utils, another reader than ours. In CI nothing is skipped.
#[test]
fn plistutil_reads_the_agent_as_we_do() {
    let folder = tempfile::tempdir().unwrap();
    let (file, binary) = (folder.path().join("agent.plist"), folder.path().join("agent.bin"));
    let text = text(Path::new("/opt/a & b/<mcp-authd>"), &places()).unwrap();
    fs::write(&file, &text).unwrap();
    let run = Command::new("plistutil").args(["-f", "bin", "-i"]).arg(&file).arg("-o").arg(&binary).output();
    match run {
        Err(_) => {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "plistutil is missing: apt install libplist-utils");
            // Not caught by the runner's capture: a skip is told aloud.
            use std::io::Write as _;
            writeln!(std::io::stderr(), "SKIPPED: plistutil is missing: apt install libplist-utils").unwrap();
        }
        Ok(output) => {
            assert!(output.status.success(), "{output:?}");
            assert_eq!(Value::from_file(&binary).unwrap(), Value::Dictionary(read(&text)));
        }
    }
}

#[test]
fn whether_somebody_has_edited_it_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mcp-authd.plist");
    assert_eq!(Found::at(&file), Found::Nothing);
    let ours = text(Path::new("/a/mcp-authd"), &places()).unwrap();
    fs::write(&file, &ours).unwrap();
    assert_eq!(Found::at(&file), Found::Ours(ours.clone()));
    for edited in
        [ours.replace("<integer>75", "<integer>5"), ours.replace("sha256 ", "sha256 0"), format!("{ours}\n"), String::new()]
    {
        fs::write(&file, &edited).unwrap();
        assert_eq!(Found::at(&file), Found::Edited(edited));
    }
    let link = folder.path().join("link");
    std::os::unix::fs::symlink("/nowhere/at/all", &link).unwrap();
    assert!(matches!(Found::at(&link), Found::Edited(_)), "a link is somebody else's");
}

proptest! {
    #[test]
    fn every_path_is_read_back_as_it_is_or_refused(path in "/\\PC{0,30}|/[ -~]{0,30}|/[\\x00-\\x1f]{1,3}") {
        match text(Path::new(&path), &places()) {
            Ok(text) => {
                let agent = read(&text);
                prop_assert_eq!(agent["ProgramArguments"].as_array().unwrap()[0].as_string(), Some(path.as_str()));
                prop_assert!(is_unedited(&text));
            }
            Err(why) => prop_assert!(matches!(why, Unwritable::Character(_))),
        }
    }
}
