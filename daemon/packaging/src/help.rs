//! What stands below the options in a help, taken apart: exit codes, examples, and the rest, each in a section of a manual page.

/// A section of a page, in the order of man-pages(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Section {
    /// What the command does.
    Description,
    /// What it writes for programs.
    Json,
    /// Its exit codes.
    ExitStatus,
    /// Whatever else is said.
    Notes,
    /// What to type.
    Examples,
}

/// A piece of a section.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Block {
    /// Filled.
    Prose(String),
    /// Line by line, without what all lines are indented by.
    Lines(Vec<String>),
    /// A number and what it means.
    Code(String, String),
}

impl Section {
    pub(crate) fn head(self) -> &'static str {
        match self {
            Self::Description => "DESCRIPTION",
            Self::Json => "JSON OUTPUT",
            Self::ExitStatus => "EXIT STATUS",
            Self::Notes => "NOTES",
            Self::Examples => "EXAMPLES",
        }
    }

    fn of(paragraph: &str, otherwise: Self) -> Self {
        let begins = |word| paragraph.starts_with(word);
        match () {
            () if begins("Exit codes:") => Self::ExitStatus,
            () if begins("Example") => Self::Examples,
            () if begins("With --json") => Self::Json,
            () => otherwise,
        }
    }
}

/// The paragraphs of a help. Those that are of no section by their first words are of this one.
pub(crate) fn sections(text: &str, otherwise: Section) -> Vec<(Section, Vec<Block>)> {
    let paragraphs = text.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty());
    let of = |paragraph| (Section::of(paragraph, otherwise), paragraph);
    paragraphs.map(of).map(|(section, paragraph)| (section, blocks(section, paragraph))).collect()
}

fn blocks(section: Section, paragraph: &str) -> Vec<Block> {
    // The head of the section says these words.
    let bare = ["Exit codes:", "Examples:", "Example:"].into_iter().find_map(|words| paragraph.strip_prefix(words));
    let mut blocks = Vec::new();
    let mut lines = Vec::new();
    for line in bare.unwrap_or(paragraph).lines().filter(|line| !line.trim().is_empty()) {
        let code = (section == Section::ExitStatus).then(|| line.trim().split_once("  ")).flatten();
        match code {
            Some((number, meaning)) => blocks.push(Block::Code(number.to_owned(), meaning.trim().to_owned())),
            None if line.starts_with("  ") => lines.push(line.to_owned()),
            None => {
                blocks.extend(as_they_stand(&mut lines));
                match blocks.last_mut() {
                    Some(Block::Prose(prose)) => prose.push_str(&format!("\n{}", line.trim())),
                    _ => blocks.push(Block::Prose(line.trim().to_owned())),
                }
            }
        }
    }
    blocks.extend(as_they_stand(&mut lines));
    blocks
}

fn as_they_stand(lines: &mut Vec<String>) -> Option<Block> {
    let indent = lines.iter().map(|line| line.len() - line.trim_start().len()).min()?;
    let cut = std::mem::take(lines).into_iter().map(|line| line.chars().skip(indent).collect());
    Some(Block::Lines(cut.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_help_is_taken_apart_by_the_first_words_of_its_paragraphs() {
        let text = "It does.\nIt does more.\n\nExamples:\n  a b \\\n    --c\n\nWith --json, one:\n  x,\n   y\nNull.\n\nExit codes:\n   0  good\n 130  stopped";
        let prose = |text: &str| Block::Prose(text.to_owned());
        let lines = |lines: &[&str]| Block::Lines(lines.iter().map(|line| (*line).to_owned()).collect());
        let code = |number: &str, meaning: &str| Block::Code(number.to_owned(), meaning.to_owned());
        let expected = vec![
            (Section::Notes, vec![prose("It does.\nIt does more.")]),
            (Section::Examples, vec![lines(&["a b \\", "  --c"])]),
            (Section::Json, vec![prose("With --json, one:"), lines(&["x,", " y"]), prose("Null.")]),
            (Section::ExitStatus, vec![code("0", "good"), code("130", "stopped")]),
        ];
        assert_eq!(sections(text, Section::Notes), expected);
    }

    #[test]
    fn exit_codes_in_a_sentence_stay_one() {
        let told = sections("Exit codes: 0 logged in, 1 failed,\n2 wrong usage.", Section::Notes);
        assert_eq!(told, [(Section::ExitStatus, vec![Block::Prose("0 logged in, 1 failed,\n2 wrong usage.".to_owned())])]);
    }
}
