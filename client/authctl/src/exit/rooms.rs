//! The failures that the tool makes itself: each room has all of its own in one snapshot, as a terminal of 80 columns shows them, and
//! a failure that is made anywhere and stands in none is found by the line that makes it.
//!
//! A line that makes several failures, from words that it is given, counts as shown by one of them: its room's list has to name each.
//!
//! Must never: take a line for shown because somebody has counted it.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::cell::RefCell;
use std::fs;
use std::panic::Location;
use std::path::Path;

use super::Failure;
use crate::screen::advice;

/// Each room, and where its failures are made: files, and folders of them. Below another room, the more exact one counts.
const ROOMS: [(&str, &[&str]); 10] = [
    ("account", &["account/"]),
    ("client", &["client/"]),
    ("daemon", &["daemon.rs", "daemon/"]),
    ("log", &["log.rs", "log/"]),
    ("login", &["login.rs", "login/"]),
    ("logout", &["logout.rs"]),
    ("provider", &["provider/"]),
    ("service", &["service.rs", "service/"]),
    ("service/launchd", &["service/launchd.rs", "service/launchd/"]),
    ("token", &["token.rs"]),
];

/// A place in the sources, from `src/`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Site {
    file: String,
    line: usize,
}

thread_local! {
    /// What was made in this test, and where.
    static MADE: RefCell<Vec<(Site, String)>> = const { RefCell::new(Vec::new()) };
}

/// Notes where it was made.
#[track_caller]
pub(super) fn made(failure: &Failure) {
    let caller = Location::caller();
    let here = file!().strip_suffix("exit/rooms.rs").unwrap();
    let file = caller.file().strip_prefix(here).unwrap_or(caller.file()).to_owned();
    let site = Site { file, line: usize::try_from(caller.line()).unwrap() };
    MADE.with_borrow_mut(|made| made.push((site, failure.to_text(None))));
}

/// All failures of a room, as a terminal of 80 columns shows them. Every line of its sources that makes one has to have made one of
/// these.
pub(crate) fn page_of(room: &str, failures: impl IntoIterator<Item = Vec<Failure>>) -> String {
    let failures: Vec<Failure> = failures.into_iter().flatten().collect();
    let texts: Vec<String> = failures.iter().map(|failure| failure.to_text(None)).collect();
    let sites =
        sources().into_iter().filter(|(file, _)| room_of(file) == Some(room)).flat_map(|(file, code)| sites(&file, &code));
    let shown = |site: &Site| MADE.with_borrow(|made| made.iter().any(|(at, text)| at == site && texts.contains(text)));
    let unread: Vec<String> = sites.filter(|site| !shown(site)).map(|site| format!("src/{}:{}", site.file, site.line)).collect();
    assert!(unread.is_empty(), "no failure made there is in the snapshot; add one to the room's failures: {unread:#?}");
    page(&failures)
}

pub(super) fn page(failures: &[Failure]) -> String {
    failures.iter().map(told).collect::<Vec<_>>().join("\n")
}

/// As a tired person reads it: within the terminal but for what is typed, with what to type at its end, and without the marks of two
/// sentences that were put together carelessly.
fn told(failure: &Failure) -> String {
    let text = failure.to_text(Some(80));
    // What is to be typed is never broken.
    let is_typed = |line: &str| line.starts_with("next: ") || advice::is_command(line.trim_start());
    let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > 80 && !is_typed(line)).collect();
    assert!(wide.is_empty(), "{wide:#?}");
    let doubled = ["..", ",,", ";;", "::", ".,", ".;", ".:", ",;", ",:", ";:", ";.", ":,", ":;", " ,", " ;", " :"];
    // In a pipe it says the same, a line for each sentence, whatever steers a terminal left out.
    let piped = failure.to_text(None);
    let without_spaces = |text: &str| text.split_whitespace().collect::<String>();
    assert_eq!(without_spaces(&piped), without_spaces(&text));
    assert_eq!(piped.lines().count(), 1 + usize::from(failure.next_step.is_some()), "{piped}");
    assert!(!piped.replace('\n', "").chars().any(char::is_control), "{piped:?}");
    let doubled: Vec<&str> = doubled.into_iter().filter(|marks| piped.contains(marks)).collect();
    assert!(doubled.is_empty(), "{doubled:?}: {piped}");
    match &failure.next_step {
        Some(next) => assert!(!next.is_empty() && !next.ends_with(['.', ':', ';', ' ']), "{piped}"),
        None => assert!(ends_in_what_to_type(&failure.message), "{piped}"),
    }
    text
}

fn ends_in_what_to_type(message: &str) -> bool {
    // Nobody who types anything sees a runtime end.
    advice::is_command(message) || advice::before_command(message).is_some() || message.ends_with("; begin a new watch")
}

/// The more exact room of several.
fn room_of(file: &str) -> Option<&'static str> {
    let holds = |paths: &[&str]| paths.iter().any(|path| file == *path || path.ends_with('/') && file.starts_with(path));
    ROOMS.iter().filter(|(_, paths)| holds(paths)).map(|(name, _)| *name).max_by_key(|name| name.len())
}

/// Every source file without its tests, from `src/`.
fn sources() -> Vec<(String, String)> {
    fn below(folder: &Path, root: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                below(&path, root, found);
            } else if path.extension().is_some_and(|kind| kind == "rs")
                && !path.ends_with("tests.rs")
                && !name.starts_with("exit/")
            {
                found.push((name, without_tests(&fs::read_to_string(&path).unwrap()).to_owned()));
            }
        }
    }
    let (root, mut found) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), Vec::new());
    below(&root, &root, &mut found);
    found.sort();
    found
}

/// What stands before its first module of tests.
fn without_tests(text: &str) -> &str {
    let begins = |(at, mark): (usize, &str)| {
        let next = text.get(at + mark.len()..)?.lines().next()?;
        next.split(' ').any(|word| word == "mod").then_some(at)
    };
    let end = text.match_indices("\n#[cfg(test)]\n").find_map(begins);
    text.get(..end.unwrap_or(text.len())).unwrap()
}

/// Where this code makes a failure.
fn sites(file: &str, code: &str) -> Vec<Site> {
    let makes =
        |(index, line): (usize, &str)| line.contains("Failure::new").then(|| Site { file: file.to_owned(), line: index + 1 });
    code.lines().enumerate().filter_map(makes).collect()
}

/// Literals of a failure in this code that take nothing from another one.
fn literals(code: &str) -> usize {
    let is_literal = |at: usize| {
        let before = code.get(..at).unwrap();
        let is_type = ["-> ", "for ", "struct ", "impl "].iter().any(|word| before.ends_with(word));
        let (fields, _) = code.get(at..).unwrap().split_once('}').unwrap();
        !is_type && !fields.contains("..")
    };
    code.match_indices("Failure {").filter(|(at, _)| is_literal(*at)).count()
}

#[test]
fn every_failure_of_the_tool_is_made_in_a_room_that_has_its_snapshot() {
    let sources = sources();
    let made = |(file, code): &(String, String)| !sites(file, code).is_empty() && room_of(file).is_none();
    let homeless: Vec<&String> = sources.iter().filter(|source| made(source)).map(|(file, _)| file).collect();
    assert!(homeless.is_empty(), "these make failures, and belong to no room above: {homeless:?}");
    let literal = sources.iter().filter(|(file, code)| file != "exit.rs" && literals(code) > 0).map(|(file, _)| file);
    assert_eq!(literal.collect::<Vec<_>>(), Vec::<&String>::new(), "make it with Failure::new: a literal is not looked for");
    for (name, paths) in ROOMS {
        let asked = format!("rooms::page_of(\"{name}\", ");
        let whole = |file: &String| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file)).unwrap();
        let asks = sources.iter().filter(|(file, _)| room_of(file) == Some(name) && whole(file).contains(&asked)).count();
        assert_eq!(asks, 1, "{name} ({paths:?}): its failures stand in one snapshot");
    }
}

#[test]
fn a_failure_is_found_where_it_is_made_and_not_in_tests() {
    let code = "use a;\nfn a() { Failure::new(\n) }\n#[cfg(test)]\nuse b;\nfn b() { x(Failure::new()) }\n\n";
    let text = format!("{code}#[cfg(test)]\npub(super) mod tests {{ Failure::new() }}\n");
    assert_eq!(without_tests(&text), code.strip_suffix('\n').unwrap());
    assert_eq!(sites("a.rs", code).iter().map(|site| site.line).collect::<Vec<_>>(), [2, 6]);
    let forms = ["fn a() -> Failure {}", "Failure { message, ..second }", "Failure { exit, next_step }"];
    assert_eq!(forms.map(literals), [0, 0, 1]);
    assert_eq!(
        ["service/launchd/here.rs", "service/here.rs", "doctor.rs"].map(room_of),
        [Some("service/launchd"), Some("service"), None]
    );
}

#[test]
#[should_panic(expected = "src/logout.rs:")]
fn a_room_that_leaves_a_failure_out_is_told_where() {
    page_of("logout", []);
}
