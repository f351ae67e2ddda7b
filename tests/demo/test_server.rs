//! The show at the test server: a login, the end of a token, and a token that the server kills. Everything is counted by the server.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::person;
use mcp_authd_tests::sentinel;
use mcp_authd_tests::server::{At, AuthorizationServer, Commit, Counts, Misbehaviour, Settings};
use serde_json::Value;

use crate::arguments::{Approval, Arguments};
use crate::page::{self, Table};
use crate::program::{ACCOUNT, RESOURCE};
use crate::programs::{Programs, status, text, the_same};

/// Long enough for a slow machine to use the token, short enough to wait for its end.
const FIRST_LIFE: Duration = Duration::from_secs(8);

struct Stage {
    server: AuthorizationServer,
    daemon: Daemon,
    programs: Programs,
    so_many: String,
    /// The 200s so far.
    served: u64,
}

/// Whether every count was right.
pub(crate) async fn show(arguments: &Arguments) -> Result<bool> {
    let so_many = page::word(arguments.programs);
    page::line(&format!(
        "mcp-authd: {so_many} programs, one login\n\n\
         This runs at a test server on this machine, with a daemon in a temporary home.\n\
         With an account in your own config.toml it runs there: see README.md."
    ));
    let mut stage = Stage::set(arguments, so_many).await?;
    stage.login(arguments).await?;
    stage.expiry().await?;
    stage.rejection().await?;
    stage.close().await
}

impl Stage {
    async fn set(arguments: &Arguments, so_many: String) -> Result<Self> {
        let server = AuthorizationServer::start(Settings { access_token_life: FIRST_LIFE, ..Settings::default() });
        let account = Account::at("demo", server.issuer()).client_id("mcp-authd-demo").scopes(["mcp:read"]);
        let daemon = Daemon::start(Config::new().account(account)).await;
        let environment =
            [("MCP_AUTHD_SOCKET", daemon.tokens_socket().into()), (ACCOUNT, "demo".into()), (RESOURCE, server.resource().into())];
        let programs = Programs::start(arguments.programs, &environment)?;
        Ok(Self { server, daemon, programs, so_many, served: 0 })
    }

    async fn login(&mut self, arguments: &Arguments) -> Result<()> {
        page::step(1, &format!("LOGIN. All {} ask for a token at the same moment.", self.so_many));
        let told = self.programs.all("ask").await?;
        for ((number, pid), told) in (1..).zip(self.programs.pids()).zip(&told) {
            page::program(number, &format!("(pid {pid}) is told: log in, with code {}", text(told, "code")?));
        }
        let code = the_same(&told, "code")?;
        let link = the_same(&told, "page_with_code")?;
        page::line(&format!(
            "   One login for all. Open this page on this machine and press Approve:\n\n       \
             {link}\n\n   It has to show the same code: {code}"
        ));
        match arguments.approval {
            Approval::ByItself => {
                person::approve(the_same(&told, "page")?, code).await?;
                page::line("   Approved through that page, because of --yes.");
            }
            Approval::ByThePerson => page::line("   Waiting for you. (Ctrl-C ends the demo; --yes approves by itself.)"),
        }
        self.programs.order("wait").await?;
        let told = self.programs.answers().await?;
        // Only the first token is short-lived; and its refresh has to wait for the second step.
        self.server.script(At::Refresh, Misbehaviour::Hold(Commit::Before));
        self.server.change(|settings| settings.access_token_life = Duration::from_secs(3600));
        self.use_tokens(&told).await
    }

    async fn expiry(&mut self) -> Result<()> {
        let seconds = FIRST_LIFE.as_secs();
        page::step(2, &format!("EXPIRY. The token ends {seconds} seconds after the login. Waiting for that."));
        self.programs.order("outlive").await?;
        self.server.wait_for(|counts| counts.held == 1).await;
        page::line("   The daemon refreshes ahead of the end; the server holds that one back.");
        self.programs.answers().await?;
        page::line(&format!("   The token has ended, and all {} ask at the same moment.", self.so_many));
        self.server.release();
        let told = self.programs.answers().await?;
        self.use_tokens(&told).await
    }

    async fn rejection(&mut self) -> Result<()> {
        page::step(3, "401. The server kills the token long before its end.");
        self.server.expire_all_access_tokens();
        for (number, answer) in (1..).zip(self.programs.all("call").await?) {
            page::program(number, &format!("calls the resource: {}", status(&answer)?));
        }
        page::line(&format!("   All {} report that at the same moment.", self.so_many));
        let told = self.programs.all("report").await?;
        self.use_tokens(&told).await
    }

    /// Every program calls the resource with what it was told.
    async fn use_tokens(&mut self, told: &[Value]) -> Result<()> {
        the_same(told, "token")?;
        for ((number, told), answer) in (1..).zip(told).zip(self.programs.all("call").await?) {
            let (name, status) = (text(told, "token")?, status(&answer)?);
            page::program(number, &format!("calls the resource: {status}  (token {name})"));
            self.served += u64::from(status == 200);
        }
        Ok(())
    }

    async fn close(mut self) -> Result<bool> {
        let ended = self.daemon.stop().await;
        ensure!(ended.success(), "the daemon did not end well: {ended}");
        let programs = u64::try_from(self.programs.len()).context("a number of programs")?;
        let leaks = u64::try_from(sentinel::in_directory(self.daemon.dirs().root()).len()).context("a number of files")?;
        let counts = self.server.counts();
        page::line("\nToken names are the beginning of a SHA-256. What the server has counted:");
        Ok(self.table(programs, &counts).row("files and logs of the daemon with a secret in clear", 0, leaks).show())
    }

    fn table(&self, programs: u64, counts: &Counts) -> Table {
        Table::default()
            .row("programs", programs, programs)
            .row("device authorizations", 1, counts.device_authorizations)
            .row("approvals", 1, counts.approvals)
            .row("logins paid out", 1, counts.grants_started)
            .row("calls served: login, expiry and 401", 3 * programs, counts.resource_served.min(self.served))
            .row("calls refused: the 401s", programs, counts.resource_refused)
            .row("refreshes: one at the expiry, one for the 401s", 2, counts.refreshes)
            .row("most refreshes in flight at once", 1, counts.max_concurrent_refreshes_of_one_grant)
            .row("refresh tokens used twice", 0, counts.reuses_detected)
            .row("logins lost", 0, counts.families_revoked)
    }
}
