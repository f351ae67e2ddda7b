//! Who am I: an account shows its subject however it was learned, and is taken over by nobody else unless the person says so (P19).

use mcp_authd_client::Need;
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::{a_token, account_is, program, tool, watched};
use mcp_authd_tests::server::{AuthorizationServer, Settings, Spoilt};
use serde_json::json;

use crate::authctl::{Login, Told, authctl};

/// How the server tells whom a token belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TellsBy {
    IdToken,
    Userinfo,
}

fn server_that(tells_by: TellsBy) -> AuthorizationServer {
    let server = AuthorizationServer::start(Settings::default());
    if tells_by == TellsBy::Userinfo {
        // The harness's resource answers as a userinfo endpoint does: `sub` for a living token.
        let userinfo = json!(server.resource());
        server.change(|settings| {
            settings.token_answers = vec![Spoilt::Without("id_token")];
            settings.metadata_answers = vec![Spoilt::With("userinfo_endpoint", userinfo)];
        });
    }
    server
}

/// `authctl login work --again MORE`, approved as this subject.
async fn log_in_as(subject: &str, daemon: &Daemon, server: &AuthorizationServer, more: &[&str]) -> Told {
    let mut login = Login::begins(daemon, &[&["work", "--again", "--no-browser"][..], more].concat());
    let code = login.field("code").await;
    server.approve_as(&code, subject).unwrap();
    login.ends().await
}

async fn assert_user(daemon: &Daemon, subject: &str) {
    account_is(&tool(daemon), "work", |status| status.sign_in.is_none() && status.grant.is_some()).await;
    for command in [&["status"][..], &["account", "show", "work"]] {
        let told = authctl(daemon, command).await;
        let user = told.out.lines().find_map(|line| line.trim_start().strip_prefix("user "));
        assert_eq!(user.map(str::trim), Some(subject), "{told:?}");
    }
}

#[tokio::test]
async fn p19_an_account_shows_its_subject_and_only_the_person_gives_it_to_another() {
    for tells_by in [TellsBy::IdToken, TellsBy::Userinfo] {
        // given an account that alice has logged in to
        let server = server_that(tells_by);
        let account = Account::at("work", server.issuer()).scopes(["mcp:read", "openid"]);
        let mut daemon = Daemon::start(Config::new().account(account)).await;
        assert_eq!(log_in_as("alice", &daemon, &server, &[]).await.code, Some(0));
        assert_user(&daemon, "alice").await;
        let held = watched(&mut program(&daemon).watch(Need::account("work")), a_token).await;

        // when bob approves a login, then it is refused, bob's tokens go back, and alice's serve on, after a restart too
        let refused = log_in_as("bob", &daemon, &server, &[]).await;
        assert_eq!(refused.code, Some(7), "{refused:?}");
        assert!(refused.err.contains("came back for another user"), "{refused:?}");
        assert!(refused.err.ends_with("next: authctl login work --replace\n"), "{refused:?}");
        server.wait_for(|counts| counts.revocations_effective >= 1).await;
        assert_user(&daemon, "alice").await;
        assert_eq!(watched(&mut program(&daemon).watch(Need::account("work")), a_token).await.expose(), held.expose());
        assert!(daemon.restart().await.success());
        assert_user(&daemon, "alice").await;

        // and when the person says so, bob has the account, and may come again
        assert_eq!(log_in_as("bob", &daemon, &server, &["--replace"]).await.code, Some(0));
        assert_user(&daemon, "bob").await;
        assert_eq!(log_in_as("bob", &daemon, &server, &[]).await.code, Some(0));
        assert_user(&daemon, "bob").await;

        // and the server was asked once for each login, and only where no ID token told it
        let asked = if tells_by == TellsBy::Userinfo { 4 } else { 0 };
        let counts = server.counts();
        assert_eq!((counts.resource_served, counts.resource_refused, counts.secrets_in_urls), (asked, 0, 0), "{tells_by:?}");
    }
}
