//! What a Rust file names: every path, resolved as far as its text tells, and every single word. Test code is left out.
//!
//! `use` trees, `crate::`, `self::`, `super::`, renames, paths in macros and in attributes count. What a glob or a macro brings in unseen does not;
//! therefore a glob of a whole crate is told as such.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, Meta, UseTree};

use crate::tree::Source;

/// Where a file stands: its crate, and its path of modules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Module {
    /// The crate, as other crates call it.
    pub(crate) of: String,
    /// The modules, from the root of the crate.
    pub(crate) path: Vec<String>,
}

/// Something that a file names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// The line, counted from 1.
    pub(crate) line: usize,
    /// From the name of a crate downwards, if the path leads to one; else as it is written. A glob ends with `*`.
    pub(crate) path: Vec<String>,
}

impl Named {
    /// Whether the path is `prefix` or stands below it.
    pub(crate) fn is_below(&self, prefix: &[&str]) -> bool {
        self.path.len() >= prefix.len() && self.path.iter().zip(prefix).all(|(have, want)| have == want)
    }

    /// As it is written in Rust.
    pub(crate) fn shown(&self) -> String {
        self.path.join("::")
    }
}

/// What the file names.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Every path, resolved.
    pub(crate) paths: Vec<Named>,
    /// Every single word.
    pub(crate) words: Vec<(usize, String)>,
    /// Modules in files of their own that only tests have.
    pub(crate) test_modules: Vec<Vec<String>>,
}

/// The module of a file. `None`: the file is in no crate that the laws know.
pub(crate) fn module(path: &str) -> Option<Module> {
    const CRATES: [(&str, &str); 5] = [
        ("daemon/oauth/src/", "mcp_authd_oauth"),
        ("daemon/src/", "mcp_authd"),
        ("client/authctl/src/", "authctl"),
        ("client/src/", "mcp_authd_client"),
        ("proto/src/", "mcp_authd_proto"),
    ];
    let (folder, of) = CRATES.into_iter().find(|(folder, _)| path.starts_with(folder))?;
    let inner = path.strip_prefix(folder)?.strip_suffix(".rs")?;
    if inner == "main" {
        // A program is a crate beside its library.
        return Some(Module { of: format!("{of}(main)"), path: vec![] });
    }
    let mut path: Vec<_> = inner.split('/').map(str::to_owned).collect();
    if path.last().is_some_and(|last| last == "mod" || inner == "lib") {
        path.pop();
    }
    Some(Module { of: of.to_owned(), path })
}

/// Reads every file, and leaves out those that only tests have.
pub(crate) fn of_all(sources: &[Source]) -> Vec<(&Source, Module, Names)> {
    let mut all: Vec<_> = sources
        .iter()
        .filter_map(|source| module(&source.path).map(|module| (source, module.clone(), of(source, &module))))
        .collect();
    let of_tests: BTreeSet<_> = all
        .iter()
        .flat_map(|(_, module, names)| names.test_modules.iter().map(|path| (module.of.clone(), path.clone())))
        .collect();
    all.retain(|(_, module, _)| !of_tests.iter().any(|(of, path)| *of == module.of && module.path.starts_with(path)));
    all
}

/// What one file names.
pub(crate) fn of(source: &Source, module: &Module) -> Names {
    let file = syn::parse_file(&source.text).unwrap_or_else(|error| panic!("{}: {error}", source.path));
    if is_test(&file.attrs) {
        return Names::default();
    }
    let mut aliases = Reader::new(module, Aliases::default());
    aliases.visit_file(&file);
    let mut reader = Reader::new(module, aliases.found);
    reader.visit_file(&file);
    reader.names.paths.dedup();
    reader.names
}

/// What a name in this file stands for, by its `use` lines. One name may stand for several things in several scopes.
type Aliases = BTreeMap<String, BTreeSet<Vec<String>>>;

struct Reader {
    of: String,
    module: Vec<String>,
    known: Aliases,
    found: Aliases,
    names: Names,
}

impl Reader {
    fn new(module: &Module, known: Aliases) -> Self {
        Self { of: module.of.clone(), module: module.path.clone(), known, found: Aliases::default(), names: Names::default() }
    }

    fn name(&mut self, line: usize, path: &[String]) {
        for path in self.resolve(path, 4) {
            self.names.paths.push(Named { line, path });
        }
    }

    fn resolve(&self, path: &[String], depth: usize) -> Vec<Vec<String>> {
        let Some((first, rest)) = path.split_first() else { return vec![] };
        let below = |base: &[String], rest: &[String]| [base, rest].concat();
        let root = std::slice::from_ref(&self.of);
        match first.as_str() {
            "crate" => vec![below(root, rest)],
            "self" | "super" => {
                let ups = path.iter().take_while(|segment| *segment == "super" || *segment == "self").count();
                let supers = path.iter().take(ups).filter(|segment| *segment == "super").count();
                let base = &self.module[..self.module.len().saturating_sub(supers)];
                vec![[root, base, &path[ups..]].concat()]
            }
            name => match self.known.get(name) {
                Some(targets) if depth > 0 => targets
                    .iter()
                    .flat_map(|target| {
                        let path = below(target, rest);
                        // `use tokio::{self}` stands for itself.
                        if target.first() == Some(first) { vec![path] } else { self.resolve(&path, depth - 1) }
                    })
                    .collect(),
                _ => vec![path.to_vec()],
            },
        }
    }

    fn read_use(&mut self, tree: &UseTree, prefix: &[String]) {
        let line = tree.span().start().line;
        let below = |name: &Ident| [prefix, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.read_use(&path.tree, &below(&path.ident)),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.read_use(tree, prefix)),
            UseTree::Glob(_) => self.name(line, &[prefix, &["*".to_owned()]].concat()),
            UseTree::Name(name) if name.ident == "self" => self.bring(line, prefix, prefix.last().cloned()),
            UseTree::Name(name) => self.bring(line, &below(&name.ident), Some(name.ident.to_string())),
            UseTree::Rename(rename) if rename.ident == "self" => self.bring(line, prefix, Some(rename.rename.to_string())),
            UseTree::Rename(rename) => self.bring(line, &below(&rename.ident), Some(rename.rename.to_string())),
        }
    }

    fn bring(&mut self, line: usize, path: &[String], as_name: Option<String>) {
        let resolved = self.resolve(path, 4);
        if let Some(name) = as_name.filter(|name| name != "_") {
            self.found.entry(name).or_default().extend(resolved);
        }
        self.name(line, path);
    }

    /// Best effort: in a macro's tokens everything that looks like a path is one.
    fn read_tokens(&mut self, tokens: TokenStream, prefix: &[String]) {
        let mut path: Vec<String> = prefix.to_vec();
        let mut line = 0;
        let mut joined = !prefix.is_empty();
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Ident(ident) => {
                    if !joined {
                        self.end_of_path(line, &mut path);
                    }
                    line = ident.span().start().line;
                    self.names.words.push((line, ident.to_string()));
                    path.push(ident.to_string());
                    joined = false;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' && is_colon(tokens.peek()) => {
                    tokens.next();
                    joined = !path.is_empty();
                }
                TokenTree::Group(group) if joined && group.delimiter() == Delimiter::Brace => {
                    self.read_tokens(group.stream(), &path);
                    path.clear();
                    joined = false;
                }
                other => {
                    self.end_of_path(line, &mut path);
                    joined = false;
                    if let TokenTree::Group(group) = other {
                        self.read_tokens(group.stream(), &[]);
                    } else if is_comma(&other) && !prefix.is_empty() {
                        path = prefix.to_vec();
                        joined = true;
                    }
                }
            }
        }
        self.end_of_path(line, &mut path);
    }

    fn end_of_path(&mut self, line: usize, path: &mut Vec<String>) {
        if path.len() > 1 {
            self.name(line, path);
        }
        path.clear();
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        if is_test(attributes(item)) {
            if let Item::Mod(module) = item
                && module.content.is_none()
            {
                self.names.test_modules.push([self.module.as_slice(), &[module.ident.to_string()]].concat());
            }
            return;
        }
        if let Item::Mod(module) = item {
            self.module.push(module.ident.to_string());
            visit::visit_item(self, item);
            self.module.pop();
        } else {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !is_test(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.read_use(&item.tree, &[]);
        visit::visit_item_use(self, item);
    }

    fn visit_item_extern_crate(&mut self, item: &'ast syn::ItemExternCrate) {
        let of = if item.ident == "self" { self.of.clone() } else { item.ident.to_string() };
        let line = item.span().start().line;
        self.name(line, std::slice::from_ref(&of));
        if let Some((_, rename)) = &item.rename {
            self.found.entry(rename.to_string()).or_default().insert(vec![of]);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if segments.len() > 1 {
            self.name(path.span().start().line, &segments);
        }
        visit::visit_path(self, path);
    }

    /// Who may see an item is no use of anything.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_ident(&mut self, ident: &'ast Ident) {
        self.names.words.push((ident.span().start().line, ident.to_string()));
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        self.read_tokens(call.tokens.clone(), &[]);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        let line = attribute.span().start().line;
        match &attribute.meta {
            // A link in a comment is for readers.
            Meta::NameValue(meta) if meta.path.is_ident("doc") => {}
            Meta::List(meta) => {
                // `#[serde(with = "crate::store::x")]`
                for path in strings(meta.tokens.clone()).iter().filter_map(|text| syn::parse_str::<syn::Path>(text).ok()) {
                    let segments: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
                    if segments.len() > 1 {
                        self.name(line, &segments);
                    }
                }
                self.visit_path(&meta.path);
                self.read_tokens(meta.tokens.clone(), &[]);
            }
            _ => visit::visit_attribute(self, attribute),
        }
    }
}

fn strings(tokens: TokenStream) -> Vec<String> {
    let text = |token| match token {
        TokenTree::Literal(literal) => {
            syn::parse_str::<syn::LitStr>(&literal.to_string()).map(|text| vec![text.value()]).unwrap_or_default()
        }
        TokenTree::Group(group) => strings(group.stream()),
        _ => vec![],
    };
    tokens.into_iter().flat_map(text).collect()
}

fn is_colon(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':')
}

fn is_comma(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',')
}

/// `#[cfg(test)]`, `#[cfg(all(test, ..))]`, `#[test]` and `#[tokio::test]`. Not `any(test, ..)`: that is there without a test too.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let is_test_function = attribute.path().segments.last().is_some_and(|last| last.ident == "test");
        let Meta::List(meta) = &attribute.meta else { return is_test_function };
        is_test_function || (meta.path.is_ident("cfg") && needs_test(meta.tokens.clone()))
    })
}

fn needs_test(predicate: TokenStream) -> bool {
    match syn::parse2::<Meta>(predicate) {
        Ok(Meta::Path(path)) => path.is_ident("test"),
        Ok(Meta::List(meta)) if meta.path.is_ident("all") => {
            let all = meta.parse_args_with(syn::punctuated::Punctuated::<Meta, syn::Token![,]>::parse_terminated);
            all.is_ok_and(|all| all.iter().any(|meta| meta.path().is_ident("test")))
        }
        _ => false,
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
