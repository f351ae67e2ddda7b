//! Manual pages in man(7): one for the program and one for each of its commands.

use std::collections::BTreeMap;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::help::{self, Block, Section};
use crate::{Format, Program};

/// What roff writes before each of its texts: how an apostrophe is shown. Once is enough for a page.
const APOSTROPHE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";
const MANUAL: &str = "mcp-authd";
/// The day on which the manual was last read through by a person.
const DATE: &str = "2026-11-21";
/// What fits into 80 columns beside the indent of a page, and of these lines.
const COLUMNS: usize = 71 - 2;

/// A file or a variable, and what it is.
pub type Term = (&'static str, &'static str);

/// Every page, by the name of its file.
pub(crate) fn all(program: &Program) -> BTreeMap<String, String> {
    // `authctl help login` is no command of its own.
    let mut command = program.command.clone().disable_help_subcommand(true);
    command.build();
    let mut pages = BTreeMap::new();
    add(program, &command, &[], &mut pages);
    pages
}

fn add(program: &Program, command: &Command, above: &[String], pages: &mut BTreeMap<String, String>) {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    pages.insert(format!("{name}.1"), page(program, command, above));
    let above = [above, &[name]].concat();
    for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        add(program, command, &above, pages);
    }
}

fn page(program: &Program, command: &Command, above: &[String]) -> String {
    let version = program.command.get_version().unwrap_or_default();
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let man =
        Man::new(command.clone()).title(name.to_uppercase()).date(DATE).source(format!("{MANUAL} {version}")).manual(MANUAL);
    let mut page = Vec::new();
    let written = man.render_title(&mut page).and_then(|()| man.render_name_section(&mut page));
    let written = written.and_then(|()| man.render_synopsis_section(&mut page));
    written.expect("a page is written to memory");

    let mut sections = sections(command);
    page.extend(sections.remove(&Section::Description).unwrap_or_default().render().bytes());
    if command.get_arguments().any(|argument| !argument.is_hide_set()) {
        man.render_options_section(&mut page).expect("a page is written to memory");
    }
    if command.get_subcommands().any(|command| !command.is_hide_set()) {
        man.render_subcommands_section(&mut page).expect("a page is written to memory");
    }
    let terms = |head: &str, terms: &[Term]| if above.is_empty() { list(head, terms) } else { String::new() };
    for (section, text) in &sections {
        if *section == Section::Notes {
            page.extend(terms("ENVIRONMENT", program.environment).bytes());
            page.extend(terms("FILES", program.files).bytes());
        }
        page.extend(text.render().bytes());
    }
    if !sections.contains_key(&Section::Notes) {
        page.extend(terms("ENVIRONMENT", program.environment).bytes());
        page.extend(terms("FILES", program.files).bytes());
    }
    page.extend(see_also(program, above).bytes());
    let page = String::from_utf8(page).expect("a page is UTF-8");
    finished(&page)
}

/// What is said above and below the options, by section.
fn sections(command: &Command) -> BTreeMap<Section, Roff> {
    let about = command.get_long_about().or_else(|| command.get_about()).map(ToString::to_string).unwrap_or_default();
    let after = command.get_after_long_help().or_else(|| command.get_after_help()).map(ToString::to_string).unwrap_or_default();
    let mut found: BTreeMap<Section, Roff> = BTreeMap::new();
    let all = help::sections(&about, Section::Description).into_iter().chain(help::sections(&after, Section::Notes));
    for (section, blocks) in all {
        let begun = found.contains_key(&section);
        let roff = found.entry(section).or_default();
        if begun {
            roff.control("PP", []);
        } else {
            roff.control("SH", [section.head()]);
        }
        for block in &blocks {
            add_block(roff, block);
        }
    }
    found
}

fn add_block(roff: &mut Roff, block: &Block) {
    match block {
        Block::Prose(prose) => prose.lines().for_each(|line| {
            roff.text([roman(line)]);
        }),
        Block::Lines(lines) => {
            let wide = lines.iter().any(|line| line.chars().count() > COLUMNS);
            roff.control("in", [if wide { "2n" } else { "+2n" }]).control("nf", []);
            for line in lines {
                roff.text([roman(line.as_str())]);
            }
            roff.control("fi", []).control("in", []);
        }
        Block::Code(number, meaning) => {
            roff.control("TP", []).text([bold(number.as_str())]).text([roman(meaning.as_str())]);
        }
    }
}

fn list(head: &str, terms: &[Term]) -> String {
    let mut roff = Roff::default();
    if !terms.is_empty() {
        roff.control("SH", [head]);
    }
    for (term, meaning) in terms {
        roff.control("TP", []).text([bold(*term)]).text([roman(*meaning)]);
    }
    roff.render()
}

fn see_also(program: &Program, above: &[String]) -> String {
    let above = above.iter().map(|name| format!("{name}(1)"));
    pages(&above.chain(program.see_also.iter().map(|page| (*page).to_owned())).collect::<Vec<_>>())
}

fn pages(all: &[String]) -> String {
    let mut roff = Roff::default();
    roff.control("SH", ["SEE ALSO"]).text([roman(all.join(", "))]);
    roff.render()
}

/// The page of a file.
pub(crate) fn of_format(format: &Format) -> BTreeMap<String, String> {
    let mut roff = Roff::default();
    let title = format.name.to_uppercase();
    roff.control("TH", [title.as_str(), "5", DATE, MANUAL, MANUAL]);
    roff.control("SH", ["NAME"]).text([roman(format!("{} - {}", format.name, format.what))]);
    roff.control("SH", ["DESCRIPTION"]);
    for (index, paragraph) in format.description.iter().enumerate() {
        if index > 0 {
            roff.control("PP", []);
        }
        roff.text([roman(*paragraph)]);
    }
    let lists: String = format.sections.iter().map(|(head, terms)| list(head, terms)).collect();
    let mut example = Roff::default();
    example.control("SH", ["EXAMPLES"]);
    add_block(&mut example, &Block::Lines(format.example.lines().map(str::to_owned).collect()));
    let see_also: Vec<_> = format.see_also.iter().map(|page| (*page).to_owned()).collect();
    let page = [roff.to_roff(), lists, example.to_roff(), pages(&see_also)].concat();
    BTreeMap::from([(format!("{}.5", format.name), finished(&page))])
}

/// With one preamble, and no blank at the end of a line.
fn finished(page: &str) -> String {
    let page = format!("{APOSTROPHE}{}", page.replace(APOSTROPHE, ""));
    page.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}
