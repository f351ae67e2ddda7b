//! What the manual says of the environment: each variable of ours that a program reads stands in a page, and no other.

use std::collections::BTreeSet;

use syn::visit::{self, Visit};
use syn::{Attribute, LitStr};

use crate::obeyed;
use crate::tree::{self, Source};

const OURS: &str = "MCP_AUTHD_";
const PROGRAMS: [&str; 3] = ["client/src/", "client/authctl/src/", "daemon/src/"];

/// The names that stand alone in a string outside of tests: only who reads a variable writes it so.
#[derive(Default)]
struct Reader {
    names: BTreeSet<String>,
}

impl Visit<'_> for Reader {
    fn visit_lit_str(&mut self, text: &LitStr) {
        let text = text.value();
        if text.strip_prefix(OURS).is_some_and(|rest| rest.chars().all(|c| c.is_ascii_uppercase() || c == '_')) {
            self.names.insert(text);
        }
    }

    fn visit_item_mod(&mut self, module: &syn::ItemMod) {
        if !is_test(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_macro(&mut self, _: &syn::Macro) {
        // What is only printed is not read.
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test")
    })
}

fn read(sources: &[Source]) -> BTreeSet<String> {
    let mut reader = Reader::default();
    for source in sources {
        reader.visit_file(&syn::parse_file(&source.text).unwrap_or_else(|error| panic!("{}: {error}", source.path)));
    }
    reader.names
}

/// The terms of the section ENVIRONMENT.
fn told(page: &str) -> BTreeSet<String> {
    let section = page.lines().skip_while(|line| *line != ".SH ENVIRONMENT").skip(1).take_while(|line| !line.starts_with(".SH"));
    let terms = section.filter_map(|line| line.strip_prefix("\\fB")?.strip_suffix("\\fR"));
    terms.filter(|term| term.starts_with(OURS)).map(str::to_owned).collect()
}

fn is_a_test_file(path: &str) -> bool {
    path.contains("/tests") || path.ends_with("cli/manual.rs")
}

#[test]
fn the_manual_tells_every_variable_that_is_read_and_no_other() {
    let mut sources = tree::rust_below(&PROGRAMS);
    sources.retain(|source| !is_a_test_file(&source.path));
    let read = read(&sources);
    let page = |name: &str| std::fs::read_to_string(tree::root().join("daemon/packaging/man").join(name)).unwrap();
    let told: BTreeSet<_> = ["authctl.1", "mcp-authd.1"].iter().flat_map(|name| told(&page(name))).collect();
    let missing = read.difference(&told).map(|name| format!("{name} is read, and no page says so"));
    let idle = told.difference(&read).map(|name| format!("{name} stands in the manual, and nobody reads it"));
    obeyed("daemon/packaging/man, ENVIRONMENT", &missing.chain(idle).collect::<Vec<_>>());
    assert!(read.len() > 4, "hardly any variable is read: {read:?}");
}

#[test]
fn a_variable_is_found_where_it_is_read_and_not_in_a_sentence_or_a_test() {
    let text = "fn f() { var(\"MCP_AUTHD_A\"); say(\"set MCP_AUTHD_B\"); println!(\"MCP_AUTHD_C\"); }\n\
                const D: &str = \"MCP_AUTHD_D\";\n#[cfg(test)]\nmod tests { const E: &str = \"MCP_AUTHD_E\"; }";
    assert_eq!(Vec::from_iter(read(&[Source::imagined("a.rs", text)])), ["MCP_AUTHD_A", "MCP_AUTHD_D"]);
    let page = ".SH ENVIRONMENT\n.TP\n\\fBMCP_AUTHD_A\\fR\nWhat.\n.TP\n\\fBNO_COLOR\\fR\n.SH FILES\n\\fBMCP_AUTHD_X\\fR\n";
    assert_eq!(Vec::from_iter(told(page)), ["MCP_AUTHD_A"]);
}
