//! What a person may type about providers: `authctl provider ..`.

mod check;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};

use crate::exit;

pub(crate) use check::Check;

const JSON_HELP: &str = "  name, origin: shipped, configured, unknown, text (the file, where it is
  shipped), parameters [{name, usual}], client: any, with_secret, none, unknown,
  device, browser: yes, no, as_advertised, unknown, meaning [sentences]
What is not known is null.";

/// The commands about providers.
#[derive(Debug, Subcommand)]
pub(crate) enum ProviderCommand {
    /// List the providers that an account can name, and what it has to give for each
    #[command(after_help = format!("With --json, one object on standard output: {{\"providers\" [{{..}}]}}, each with\n{JSON_HELP}\n\n{}", exit::HELP))]
    List(List),
    /// Show one: what an account gives, what it means, and its file
    #[command(after_help = format!("With --json, one object on standard output:\n{JSON_HELP}\n\n{}", exit::HELP))]
    Show(Show),
    /// Find out what stands behind a URL, and how a login there would go
    #[command(after_help = check::help())]
    Check(Check),
}

/// `authctl provider list`
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Print one JSON object, for a program
    #[arg(long)]
    pub(crate) json: bool,
}

/// `authctl provider show`
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The provider, as `authctl provider list` shows it
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) name: String,
    /// Print one JSON object, for a program
    #[arg(long)]
    pub(crate) json: bool,
}
