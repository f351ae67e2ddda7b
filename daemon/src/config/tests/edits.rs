//! Adding and removing in a text: whatever it looks like, everything else survives byte for byte.

use std::path::Path;

use proptest::prelude::*;

use super::drafts::draft;
use super::{AccountDraft, AccountName, Config, parse};
use crate::config::draft::Naming;
use crate::config::edit;
use crate::config::present::{self, Standing};

fn name(text: &str) -> AccountName {
    AccountName::parse(text).unwrap()
}

fn without(text: &str, account: &str) -> String {
    assert!(parse(text).is_ok(), "{text}");
    let edited = edit::without(text, &name(account)).unwrap().text;
    let config = Config::parse(&edited, Path::new("c.toml")).unwrap_or_else(|errors| panic!("{errors}\n{edited}"));
    let named: Vec<_> = config.token_files.keys().chain(config.accounts.keys()).map(AccountName::as_str).collect();
    assert!(!named.contains(&account), "{edited}");
    edited
}

#[test]
fn an_account_goes_with_its_sub_tables_and_its_comments_and_no_others() {
    let text = "\
# This file is mine.

# Work, by the company.
[accounts.work] # ours
token_file = '/w'
# scopes = ['x']

# Home.
[accounts.home]
issuer = 'https://as.example'
# why this client
client_id = 'c'

# and more
[accounts.home.extra_parameters]
prompt = 'consent'
# below home

# Between.

# The network.
[network]
";
    let gone = "\
# This file is mine.

# Work, by the company.
[accounts.work] # ours
token_file = '/w'
# scopes = ['x']

# Between.

# The network.
[network]
";
    assert_eq!(without(text, "home"), gone);
    assert_eq!(
        edit::without(text, &name("work")).unwrap().difference,
        "# Work, by the company.\n[accounts.work] # ours\ntoken_file = '/w'\n# scopes = ['x']"
    );
    assert_eq!(without(gone, "work"), "# This file is mine.\n\n# Between.\n\n# The network.\n[network]\n");
}

#[test]
fn a_comment_that_touches_the_next_table_stays_with_it() {
    let text = "[accounts.a]\ntoken_file = '/a'\n# of b\n[accounts.b]\ntoken_file = '/b'\n";
    assert_eq!(without(text, "a"), "# of b\n[accounts.b]\ntoken_file = '/b'\n");
    assert_eq!(without(text, "b"), "[accounts.a]\ntoken_file = '/a'\n");
}

#[test]
fn what_is_spread_over_the_file_or_written_with_dots_goes_from_everywhere() {
    let cases = [
        (
            "accounts.a.token_file = '/a'\naccounts.b.token_file = '/b'\naccounts.a.scopes = [\n 'x', # x\n]\n[network]\n",
            "accounts.b.token_file = '/b'\n[network]\n",
        ),
        ("[accounts]\na = { token_file = '/a' }\n# b\nb.token_file = '/b'\n", "[accounts]\n# b\nb.token_file = '/b'\n"),
        (
            "[accounts.a.extra_parameters]\nx = 'y'\n\n[accounts.b]\ntoken_file = '/b'\n\n[ accounts . \"a\" ]\nissuer = 'https://as.example'\nclient_id = \"\"\"\nc\"\"\"\n",
            "[accounts.b]\ntoken_file = '/b'\n",
        ),
        (
            "[accounts.b]\ntoken_file = '/b'\n\n[accounts.a]\nissuer = 'https://as.example'\nclient_id = 'c'\nextra_parameters.x = 'y'\n",
            "[accounts.b]\ntoken_file = '/b'\n",
        ),
        ("\u{feff}[accounts.a]\r\ntoken_file = '/a'\r\n\r\n[network]\r\n", "\u{feff}[network]\r\n"),
        ("[network]\r\n\r\n[accounts.a]\r\ntoken_file = '/a'", "[network]"),
        ("[accounts.\"a\"]\ntoken_file = '/a'", ""),
        ("[accounts.a]\ntoken_file = '/a'\n[accounts.ab]\ntoken_file = '/b'\n", "[accounts.ab]\ntoken_file = '/b'\n"),
    ];
    for (text, expected) in cases {
        assert_eq!(without(text, "a"), expected, "{text}");
    }
}

#[test]
fn an_account_goes_out_of_an_inline_table() {
    let cases = [
        ("accounts = { a = { token_file = '/a' } }", "accounts = {  }"),
        ("accounts = { a.token_file = '/a', b.token_file = '/b' }", "accounts = { b.token_file = '/b' }"),
        ("accounts = { b.token_file = '/b', a.token_file = '/a' }", "accounts = { b.token_file = '/b' }"),
        (
            "accounts = { a.token_file = '/a', b.token_file = '/b', a.scopes = ['x,#y'] } # c",
            "accounts = { b.token_file = '/b' } # c",
        ),
        (
            "accounts = {\n  # b, the first\n  b.token_file = '/b', # of b\n  a.token_file = '/a',\n}\n",
            "accounts = {\n  # b, the first\n  b.token_file = '/b' # of b\n  ,\n}\n",
        ),
        (
            "accounts = {\n  a.token_file = '/a', # of a\n  b.token_file = '/b'\n}\n",
            "accounts = {\n   # of a\n  b.token_file = '/b'\n}\n",
        ),
        ("accounts = { a.token_file = '/a', }", "accounts = {  }"),
        (
            "accounts = { \"b\" = { token_file = '/b' }, 'a' . \"token_file\" = '/a', c = { token_file = '/c' } }",
            "accounts = { \"b\" = { token_file = '/b' }, c = { token_file = '/c' } }",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(without(text, "a"), expected, "{text}");
    }
}

fn standing(text: &str, draft: &AccountDraft) -> Standing {
    present::look(&parse(text).unwrap(), &draft.checked("").unwrap())
}

#[test]
fn the_same_account_is_found_by_name_by_resource_and_by_server_and_client() {
    let text = "[accounts.a]\nissuer = 'https://as.example'\nclient_id = 'abc'\n[accounts.r]\nissuer = 'https://other.example'\n\
                client_id = 'x'\nresource = 'https://r.example'\n[accounts.t]\ntoken_file = '/t'\n";
    let with_resource = |draft: AccountDraft| AccountDraft { resource: "https://r.example".to_owned(), ..draft };
    let token_file =
        |name: &str, path: &str| AccountDraft { name: name.to_owned(), token_file: path.to_owned(), ..AccountDraft::default() };
    let under = |text: &str| Standing::Under(name(text));

    assert_eq!(standing(text, &draft("a")), under("a"));
    assert_eq!(standing(text, &draft("")), under("a"));
    assert_eq!(standing(text, &draft("other")), under("a"), "the same server, client, and no resource");
    assert_eq!(standing(text, &with_resource(draft(""))), under("r"));
    assert_eq!(standing(text, &with_resource(draft("new"))), under("r"));
    assert_eq!(standing(text, &with_resource(draft("a"))), Standing::Taken(name("a")));
    assert_eq!(standing(text, &AccountDraft { scopes: vec!["s".to_owned()], ..draft("a") }), Standing::Taken(name("a")));
    assert_eq!(standing(text, &token_file("t", "/t")), under("t"));
    assert_eq!(standing(text, &token_file("u", "/t")), under("t"));
    assert_eq!(standing(text, &token_file("t", "/u")), Standing::Taken(name("t")));
    assert_eq!(standing(text, &token_file("u", "/u")), Standing::Nowhere(name("u")));
    // Another audience or another client is another grant.
    let audience = AccountDraft { audience: "b".to_owned(), ..draft("") };
    assert_eq!(standing(text, &audience), Standing::Nowhere(name("as.example")));
    let client = AccountDraft { client_id: "d".to_owned(), ..draft("b") };
    assert_eq!(standing(text, &client), Standing::Nowhere(name("b")));
}

#[test]
fn a_name_that_is_made_gets_a_number_where_it_is_taken() {
    let other = |name: &str| format!("[accounts.\"{name}\"]\ntoken_file = '/{name}'\n");
    let text = other("as.example") + &other("as.example-2");
    assert_eq!(standing(&text, &draft("")), Standing::Nowhere(name("as.example-3")));
    assert_eq!(standing(&text, &draft("as.example")), Standing::Taken(name("as.example")));
}

/// A piece of a file that holds; pieces may follow each other in any order.
fn piece() -> impl Strategy<Value = (usize, String)> {
    let login = "issuer = 'https://as.example/X'\nclient_id = 'c'\n";
    let forms = vec![
        "# only a comment\n".to_owned(),
        "\n".to_owned(),
        " \t\n".to_owned(),
        "# [accounts.fresh]\n\n\n".to_owned(),
        format!("[accounts.X]\n{login}"),
        format!("# above X\n[ accounts . X ] # beside\n  {}# below\n", login.replace('\n', " # of X\n  ")),
        format!("[accounts.X.extra_parameters]\nprompt = 'consent'\n# between\n[accounts.X]\n{login}"),
        format!("[accounts.X]\n{login}extra_parameters = {{ a = '[accounts.fresh]' }}\n"),
        format!("[accounts.X]\n{login}audience = \"\"\"\\\n# no comment\\\n\n[accounts.fresh]\"\"\" # one\n"),
        format!("[accounts.X]\nscopes = [ # all\n  'a', # one\n\n  'b',\n]\n{login}\n\n"),
        "[accounts.X]\ntoken_file = '''/t'''\n".to_owned(),
    ];
    (0..1000_usize, prop::sample::select(forms))
}

/// A whole file that holds.
fn file() -> impl Strategy<Value = String> {
    let tail = prop::sample::select(vec!["", "\n", "  ", "# end", "\n\n\n", "# end\n", "[network]", "[network]\n# proxy\n"]);
    let head = prop::sample::select(vec![
        "",
        "\u{feff}",
        "# head\n\n",
        "accounts.first.token_file = '/f'\naccounts.second.token_file = '/s'\naccounts.first.scopes = ['x']\n",
        "[accounts]\nfirst = { token_file = '/f' }\nsecond.token_file = '/s'\n",
        "[accounts.first] # x\n  token_file = '/f'   # y\n",
    ]);
    let pieces = prop::collection::vec(piece(), 0..6);
    let tables = (head, pieces, tail).prop_map(|(head, pieces, tail)| {
        let numbered = pieces.iter().enumerate().map(|(index, (number, form))| form.replace('X', &format!("n{number}-{index}")));
        format!("{head}{}{tail}", numbered.collect::<String>())
    });
    let inline = prop::sample::select(vec![
        "accounts = {}",
        "# c\naccounts = { } # c\n[network]\n",
        "accounts = { a = { token_file = '/a' } }\n",
        "accounts = { a.token_file = '/a' , b = { token_file = '/b' },\n # c\n}",
        "accounts = {\n\ta.token_file = '/a', # c, }\n\tb.token_file = '/b', a.scopes = [ '}' ] # d\n}\n",
    ]);
    prop_oneof![8 => tables, 1 => inline.prop_map(str::to_owned)].prop_flat_map(|text| {
        let crlf = text.replace('\n', "\r\n");
        prop::sample::select(vec![text, crlf])
    })
}

proptest! {
    #[test]
    fn what_was_added_and_removed_again_leaves_the_same_bytes(text in file(), made in any::<bool>(), parameters in any::<bool>()) {
        let before = parse(&text).unwrap_or_else(|errors| panic!("the generator is wrong: {errors}\n{text}"));
        let draft = AccountDraft {
            issuer: "https://fresh.example".to_owned(),
            extra_parameters: if parameters { [("prompt".to_owned(), "x".to_owned())].into() } else { [].into() },
            ..draft(if made { "" } else { "fresh" })
        };
        let described = draft.checked("").unwrap();
        let name = match described.naming() { Naming::Given(name) | Naming::Made(name) => name.clone() };
        let added = edit::with(&text, &name, &described).unwrap();

        // The old text is still there, whole: before what came, or on both sides of it.
        let come = added.text.len() - text.len();
        let at = text.bytes().zip(added.text.bytes()).take_while(|(old, new)| old == new).count();
        let rest = at..=text.len();
        prop_assert!(text.is_char_boundary(at));
        prop_assert_eq!(&added.text[at + come..], &text[*rest.start()..]);

        let with_it = parse(&added.text).unwrap_or_else(|errors| panic!("{errors}\n{}", added.text));
        prop_assert_eq!(with_it.accounts.len(), before.accounts.len() + 1);
        let removed = edit::without(&added.text, &name).unwrap();
        prop_assert_eq!(&removed.text, &text);
        prop_assert_eq!(removed.difference.trim(), added.difference.trim());
    }

    #[test]
    fn what_is_removed_takes_no_other_account_and_no_other_line_with_it(text in file(), pick in any::<prop::sample::Index>()) {
        let before = parse(&text).unwrap();
        let names: Vec<_> = before.accounts.keys().chain(before.token_files.keys()).cloned().collect();
        if names.is_empty() {
            return Ok(());
        }
        let gone = pick.get(&names);
        let removed = edit::without(&text, gone).unwrap().text;
        let mut expected = before;
        expected.accounts.remove(gone);
        expected.token_files.remove(gone);
        let after = parse(&removed).unwrap_or_else(|errors| panic!("{errors}\n{removed}"));
        prop_assert_eq!(after, expected);
        // Nothing is written anew: what is left stands in the old text in the same order.
        let mut old = text.chars();
        prop_assert!(removed.chars().all(|c| old.any(|old| old == c)), "{removed}");
    }
}
