//! The map in `daemon/README.md`: its two tables, as values.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree;

/// Every word that the arrows may use.
const ROOMS: [&str; 11] =
    ["oauth", "config", "host", "accounts", "upstream", "store", "desktop", "rpc", "daemon", "proto", "client"];

/// Who may know whom, and what may not be named.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Map {
    /// From each room, the rooms that it may use.
    pub(crate) arrows: BTreeMap<String, BTreeSet<String>>,
    /// What may not be named, and where.
    pub(crate) never: Vec<(Place, Vec<Forbidden>)>,
}

/// A room, or a part of one: `accounts/machine*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place(String);

/// What may not be named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Forbidden {
    /// This path and everything below it.
    Path(Vec<String>),
    /// This word.
    Word(String),
}

impl Place {
    /// `path` is `accounts/machine/serve`, from the folder of the crate.
    pub(crate) fn holds(&self, path: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(start) => path.starts_with(start),
            None => path == self.0 || path.strip_prefix(&self.0).is_some_and(|rest| rest.starts_with('/')),
        }
    }
}

impl Forbidden {
    fn parse(text: &str) -> Self {
        if text.starts_with(|c: char| c.is_ascii_uppercase()) {
            return Self::Word(text.to_owned());
        }
        let path = text.split("::").map(|segment| if segment == "crate" { "mcp_authd" } else { segment });
        Self::Path(path.map(str::to_owned).collect())
    }
}

/// The map as it stands in the repository.
pub(crate) fn of_the_house() -> Map {
    let text = std::fs::read_to_string(tree::root().join("daemon/README.md")).expect("daemon/README.md");
    parse(&text).unwrap_or_else(|error| panic!("daemon/README.md: {error}"))
}

/// Reads the tables below the heads `| from | may use |` and `| where | never names |`.
pub(crate) fn parse(text: &str) -> Result<Map, String> {
    let mut arrows = BTreeMap::new();
    for (from, to) in rows(text, ["from", "may use"])? {
        let [from] = from.as_slice() else { return Err(format!("one room a row, not {from:?}")) };
        let to: BTreeSet<_> = to.into_iter().collect();
        if let Some(unknown) = to.iter().chain([from]).find(|room| !ROOMS.contains(&room.as_str())) {
            return Err(format!("`{unknown}` is no room"));
        }
        if arrows.insert(from.clone(), to).is_some() {
            return Err(format!("`{from}` stands twice"));
        }
    }
    let mut never = Vec::new();
    for (places, names) in rows(text, ["where", "never names"])? {
        let names: Vec<_> = names.iter().map(|name| Forbidden::parse(name)).collect();
        never.extend(places.into_iter().map(|place| (Place(place), names.clone())));
    }
    Ok(Map { arrows, never })
}

/// What stands in backquotes in the two cells of a row.
type Row = (Vec<String>, Vec<String>);

/// The rows of the table with this head.
fn rows(text: &str, head: [&str; 2]) -> Result<Vec<Row>, String> {
    let cells = |line: &str| line.trim().trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let mut lines = text.lines().skip_while(|line| cells(line) != head);
    lines.next().ok_or(format!("there is no table | {} | {} |", head[0], head[1]))?;
    let mut rows = Vec::new();
    for line in lines.skip(1).take_while(|line| line.starts_with('|')) {
        let cells = cells(line);
        let [left, right] = cells.as_slice() else { return Err(format!("two cells a row, not {line}")) };
        rows.push((quoted(left), quoted(right)));
    }
    if rows.is_empty() { Err(format!("the table | {} | has no row", head[0])) } else { Ok(rows) }
}

fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_map_names_every_room() {
    let map = of_the_house();
    let named: Vec<_> = map.arrows.keys().map(String::as_str).collect();
    for room in ROOMS.iter().filter(|room| **room != "proto") {
        assert!(named.contains(room), "{room} has no row");
    }
}

#[test]
fn a_map_with_an_unknown_room_or_without_a_table_is_refused() {
    let never = "| where | never names |\n|---|---|\n| `rpc` | `Vault` |\n";
    assert!(parse(never).is_err());
    assert_eq!(
        parse(&format!("| from | may use |\n|---|---|\n| `rpc` | `cellar` |\n\n{never}")),
        Err("`cellar` is no room".to_owned())
    );
    assert!(parse(&format!("| from | may use |\n|---|---|\n| `rpc` | `oauth` |\n\n{never}")).is_ok());
}

#[test]
fn a_place_is_a_room_or_a_part_of_one() {
    assert!(Place("accounts".to_owned()).holds("accounts/need"));
    assert!(!Place("accounts".to_owned()).holds("accountsx"));
    assert!(Place("accounts/machine*".to_owned()).holds("accounts/machine/serve"));
    assert!(!Place("accounts/machine*".to_owned()).holds("accounts/keeper"));
}
