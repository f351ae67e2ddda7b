//! Accounts by command: the daemon writes the file, and serves at once what stands there.

use mcp_authd_client::status::Health;
use mcp_authd_client::{Need, Reason};
use mcp_authd_proto::v1;
use mcp_authd_proto::v1::admin_client::AdminClient;
use mcp_authd_proto::v1::{add_account_response, reload_response, remove_account_response};
use mcp_authd_tests::daemon::{Config, Daemon};
use mcp_authd_tests::programs::{a_refusal, a_token, account_is, program, tool, watched};
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use tonic::Code;
use tonic::transport::Channel;

use super::{account, no_such_account, records_of};
use crate::logged_in::{log_in, look, used};
use mcp_authd_tests::bare::channel;

async fn admin(daemon: &Daemon) -> AdminClient<Channel> {
    AdminClient::new(channel(daemon.admin_socket()).await)
}

fn described(name: &str, server: &AuthorizationServer) -> v1::AccountDescription {
    v1::AccountDescription {
        name: name.to_owned(),
        issuer: server.issuer().to_owned(),
        client_id: "mcp-authd-tests".to_owned(),
        scopes: vec!["mcp:read".to_owned()],
        ..v1::AccountDescription::default()
    }
}

async fn add(admin: &mut AdminClient<Channel>, account: v1::AccountDescription) -> add_account_response::Outcome {
    let request = v1::AddAccountRequest { account: Some(account), url: String::new() };
    admin.add_account(request).await.unwrap().into_inner().outcome.unwrap()
}

async fn remove(admin: &mut AdminClient<Channel>, name: &str) -> remove_account_response::Outcome {
    let request = v1::RemoveAccountRequest { account: name.to_owned() };
    admin.remove_account(request).await.unwrap().into_inner().outcome.unwrap()
}

#[tokio::test]
async fn an_account_that_is_added_is_served_at_once_and_one_that_is_removed_has_left_nothing() {
    use add_account_response::Outcome::{Added, Present};
    // given a daemon without accounts, with a comment in its file, and a program that watches for one
    let server = AuthorizationServer::start(Settings::default());
    let daemon = Daemon::start(Config::new().text("# mine")).await;
    let client = program(&daemon);
    let mut watch = client.watch(Need::account("work"));
    let none = watched(&mut watch, a_refusal).await;
    assert_eq!(none.reason, Reason::NoSuchAccount);
    assert!(none.next_step.contains("authctl account add"), "{none:?}");

    // when it is added, twice
    let mut admin = admin(&daemon).await;
    let Added(status) = add(&mut admin, described("work", &server)).await else { panic!("not added") };
    assert_eq!((status.name.as_str(), status.health()), ("work", v1::Health::LoginRequired));
    let file = std::fs::read_to_string(daemon.dirs().config_file()).unwrap();
    assert!(file.contains("# mine") && file.contains("[accounts.work]"), "{file}");
    let Present(status) = add(&mut admin, described("work", &server)).await else { panic!("added twice") };
    assert_eq!(status.name, "work");
    assert_eq!(std::fs::read_to_string(daemon.dirs().config_file()).unwrap(), file);

    // then who watched sees it, and its token once somebody logs in
    let is_there = |answer| a_refusal(answer).filter(|refusal| refusal.reason == Reason::LoginRequired);
    watched(&mut watch, is_there).await;
    let token = log_in(&client, &server, "work").await;
    assert_eq!(watched(&mut watch, a_token).await.sha256(), token.sha256());

    // and when it is removed its login is given back and forgotten, in the file too
    let remove_account_response::Outcome::Removed(removed) = remove(&mut admin, "work").await else { panic!("not removed") };
    assert_eq!((removed.account.as_str(), removed.erased, removed.revocation()), ("work", true, v1::Revocation::Sent));
    assert_eq!(records_of(&daemon, "work"), [""; 0], "erased means erased");
    no_such_account(&client, "work").await;
    let gone = |answer| a_refusal(answer).filter(|refusal| refusal.reason == Reason::NoSuchAccount);
    watched(&mut watch, gone).await;
    server.wait_for(|counts| counts.revocations == 2).await;
    assert_eq!(server.end_grants(), 0);
    assert!(!std::fs::read_to_string(daemon.dirs().config_file()).unwrap().contains("accounts"));

    // and once more from the beginning
    let Added(_) = add(&mut admin, described("work", &server)).await else { panic!("not added") };
    assert_ne!(log_in(&client, &server, "work").await.sha256(), token.sha256());
}

#[tokio::test]
async fn a_command_serves_what_was_written_by_hand_too_and_a_reload_tells_what_it_changed() {
    let server = AuthorizationServer::start(Settings::default());
    let start = Config::new().account(account("first", &server)).account(account("second", &server));
    let daemon = Daemon::start(start).await;
    let client = program(&daemon);
    let kept = log_in(&client, &server, "first").await;

    // given a file that somebody has changed, and not said so
    let other = account("second", &server).client_id("other");
    daemon.write_config(&Config::new().account(account("first", &server)).account(other).account(account("third", &server)));
    no_such_account(&client, "third").await;

    // when it is read again
    let mut admin = admin(&daemon).await;
    let answer = admin.reload(v1::ReloadRequest {}).await.unwrap().into_inner();
    let Some(reload_response::Outcome::Reloaded(done)) = answer.outcome else { panic!("{answer:?}") };
    let expected = v1::Reloaded {
        added: vec!["third".to_owned()],
        signed_out: vec!["second".to_owned()],
        unchanged: vec!["first".to_owned()],
        ..v1::Reloaded::default()
    };
    assert_eq!(done, expected);

    // and a command finds what is written meanwhile
    daemon.write_config(&Config::new().account(account("first", &server)).account(account("by-hand", &server)));
    let another = v1::AccountDescription { client_id: "another".to_owned(), ..described("by-command", &server) };
    add(&mut admin, another).await;
    let names: Vec<_> = client.accounts().await.unwrap().into_iter().map(|account| account.name).collect();
    assert_eq!(names, ["by-command", "by-hand", "first"]);
    assert_eq!(used(look(&client, "first").await).sha256(), kept.sha256());
}

#[tokio::test]
async fn what_cannot_be_done_changes_nothing_and_says_what_to_do() {
    let server = AuthorizationServer::start(Settings::default());
    let daemon = Daemon::start(Config::new().account(account("work", &server))).await;
    let client = program(&daemon);
    let token = log_in(&client, &server, "work").await;
    let mut admin = admin(&daemon).await;
    let helps = |why: &v1::NotWritten| assert!(why.message.ends_with('.') && !why.next_step.is_empty(), "{why:?}");

    // an account that is not there
    let remove_account_response::Outcome::NotWritten(why) = remove(&mut admin, "nobody").await else { panic!("removed") };
    helps(&why);
    assert!(why.message.contains("nobody") && why.next_step.contains("work"), "{why:?}");
    let status = admin.remove_account(v1::RemoveAccountRequest { account: String::new() }).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");

    // an account that does not hold
    let bad = v1::AccountDescription { issuer: "ftp://as.example".to_owned(), ..described("bad", &server) };
    let add_account_response::Outcome::NotWritten(why) = add(&mut admin, bad).await else { panic!("added") };
    helps(&why);
    assert!(!why.problems.is_empty(), "{why:?}");

    // a file that does not hold
    let good = std::fs::read_to_string(daemon.dirs().config_file()).unwrap();
    std::fs::write(daemon.dirs().config_file(), format!("{good}\n[accounts.work2]\nissuer = 7\nclient_id = \"c\"\n")).unwrap();
    let line = u32::try_from(good.lines().count() + 3).unwrap();
    let answer = admin.reload(v1::ReloadRequest {}).await.unwrap().into_inner();
    let Some(reload_response::Outcome::Refused(why)) = answer.outcome else { panic!("{answer:?}") };
    helps(&why);
    assert_eq!(why.problems.first().map(|problem| problem.line), Some(line), "{why:?}");
    let add_account_response::Outcome::NotWritten(why) = add(&mut admin, described("more", &server)).await else {
        panic!("added")
    };
    assert!(why.text.contains("[accounts.more]") && why.problems.first().map(|problem| problem.line) == Some(line), "{why:?}");

    // no file at all
    std::fs::remove_file(daemon.dirs().config_file()).unwrap();
    let answer = admin.reload(v1::ReloadRequest {}).await.unwrap().into_inner();
    let Some(reload_response::Outcome::Refused(why)) = answer.outcome else { panic!("{answer:?}") };
    helps(&why);
    assert!(why.message.contains("is not there"), "{why:?}");

    // and everything is served as before
    account_is(&tool(&daemon), "work", |status| status.health == Health::Good).await;
    assert_eq!(used(look(&client, "work").await).sha256(), token.sha256());
}
