//! The person beside the client: adds an account by the URL of an MCP server, says what they know of a client there, and follows
//! each prompt once, by one GET, as the suite's browser does.
//!
//! Must never: know an endpoint, or open a prompt a second time.

use anyhow::{Context as _, Result, bail, ensure};
use mcp_authd_client::admin::{AccountDescription, Added, NotWritten, Reloading, Removed};
use mcp_authd_client::status::SignInEnd;
use mcp_authd_client::{AdminClient, Purpose, Secret, SignIn};
use mcp_authd_tests::daemon::Daemon;
use mcp_authd_tests::person::in_browser;
use mcp_authd_tests::programs::{account_is, tool, url};
use mcp_authd_tests::{plain_http, sentinel};
use url::Url;

use crate::Scenario;

/// Where the person of the scenario about Client ID Metadata Documents has one. The suite says so in its words only, and never opens it.
const DOCUMENT: (&str, &str) = ("auth/basic-cimd", "https://conformance-test.local/client-metadata.json");

/// A person, at one daemon.
pub(crate) struct Person<'a> {
    daemon: &'a Daemon,
    tool: AdminClient,
}

impl<'a> Person<'a> {
    pub(crate) fn of(daemon: &'a Daemon) -> Self {
        Self { daemon, tool: tool(daemon) }
    }

    /// `authctl account add URL`, with what was agreed with the server beforehand. The account's name.
    pub(crate) async fn adds(&self, url: &str, scenario: &Scenario) -> Result<String> {
        let told = |name: &str| scenario.context[name].as_str().unwrap_or_default().to_owned();
        let account = AccountDescription { client_id: told("client_id"), ..AccountDescription::default() };
        let name = match self.tool.add_account_at(Some(url.to_owned()), account).await?.0 {
            Added::Written(account) | Added::Present(account) => account.name,
            Added::NotWritten(why) => bail!(sentence(&why)),
        };
        let client_secret = told("client_secret");
        if !client_secret.is_empty() {
            sentinel::learn(&client_secret, "a client secret");
            self.tool.set_client_secret(Some(name.clone()), Some(Secret::new(client_secret))).await?;
        }
        if scenario.name == DOCUMENT.0 {
            self.writes(&format!("client_id_metadata_document = \"{}\"\n", DOCUMENT.1)).await?;
        }
        Ok(name)
    }

    /// One more line for the account, by hand, at the end of its table and of the file; and `authctl reload`.
    async fn writes(&self, line: &str) -> Result<()> {
        let file = self.daemon.dirs().config_file();
        let text = std::fs::read_to_string(&file)? + line;
        std::fs::write(&file, text)?;
        match self.tool.reload().await? {
            Reloading::Done(_) => Ok(()),
            Reloading::Refused(why) => bail!(sentence(&why)),
        }
    }

    /// Does what a prompt asks for. A login that was good a moment ago and is asked for again makes a person look first.
    pub(crate) async fn answers(&self, prompt: &SignIn, url: &str) -> Result<()> {
        if prompt.purpose == Purpose::Again && self.moves(&prompt.account, url).await? {
            return Ok(());
        }
        self.follows(prompt).await
    }

    /// `authctl account add URL` once more: where the server names another authorization server now, the daemon says so, and this
    /// does what it says next. Whether that was so.
    async fn moves(&self, name: &str, url: &str) -> Result<bool> {
        let again = |name: &str| AccountDescription { name: name.to_owned(), ..AccountDescription::default() };
        let why = match self.tool.add_account_at(Some(url.to_owned()), again("")).await?.0 {
            Added::NotWritten(why) => why,
            Added::Present(_) => return Ok(false),
            Added::Written(account) => bail!("a second account for one URL: {}", account.name),
        };
        let next = format!("authctl account remove {name}, then: authctl account add {url} {name}");
        ensure!(why.next_step.as_ref().is_some_and(|told| told.ends_with(&next)), "no way on: {}", sentence(&why));
        if let Removed::NotWritten(why) = self.tool.remove_account(name.to_owned()).await? {
            bail!(sentence(&why));
        }
        match self.tool.add_account_at(Some(url.to_owned()), again(name)).await?.0 {
            Added::Written(_) => Ok(true),
            Added::Present(_) => bail!("the account that was removed is there"),
            Added::NotWritten(why) => bail!(sentence(&why)),
        }
    }

    /// Opens a prompt, is sent back to the daemon, and waits until the login has ended well.
    async fn follows(&self, prompt: &SignIn) -> Result<()> {
        let page = plain_http::fetch(url(prompt).as_str()).await.context("the authorization endpoint")?;
        let back = page.header("location").with_context(|| format!("nobody was sent back: status {}", page.status))?;
        in_browser::follow(&Url::parse(back)?).await?;
        let after =
            account_is(&self.tool, &prompt.account, |status| status.sign_in.as_ref().is_none_or(|now| now.id != prompt.id)).await;
        match after.last_sign_in_end {
            None | Some(SignInEnd::Granted) => Ok(()),
            Some(end) => bail!("the login has ended as {end:?}: {}", after.message.unwrap_or_default()),
        }
    }
}

fn sentence(why: &NotWritten) -> String {
    let problems = why.problems.iter().map(|problem| problem.message.as_str());
    [why.message.as_str()].into_iter().chain(problems).collect::<Vec<_>>().join(" ")
}
