//! From the first question to the logout; many programs and one URL; what the person sees at the end.

use mcp_authd_client::status::{Health, Revocation};
use mcp_authd_client::{Answer, How, Purpose, Reason, Request, SignIn, SignInMode};
use mcp_authd_tests::daemon::Daemon;
use mcp_authd_tests::person::in_browser::{self, Seen};
use mcp_authd_tests::plain_http::fetch_with_token;
use mcp_authd_tests::programs::{
    Crowd, a_token, account_is, approve, program, prompt, prompted, refusal, token, tool, url, watched,
};
use mcp_authd_tests::server::{AuthorizationServer, Settings};

use super::{asked, daemon_at, listens_only_at, never, paths, port_of, stops_listening, subject_of, work};

#[tokio::test]
async fn a_program_is_told_a_url_and_has_a_token_once_the_person_has_answered_there() {
    // given
    let (server, daemon) = daemon_at(Settings::in_browser()).await;
    let program = program(&daemon);

    // when a program asks, it is told what to open: nobody has been asked yet but for the metadata
    let shown = prompt(program.token(work()).await.unwrap());
    assert!(url(&shown).as_str().starts_with(&format!("{}?", server.authorization_endpoint())));
    let sent = asked(&shown);
    assert_eq!((&*sent["response_type"], &*sent["code_challenge_method"]), ("code", "S256"));
    assert_eq!((&*sent["client_id"], &*sent["scope"], &sent["resource"]), ("mcp-authd-tests", "mcp:read", &server.resource()));
    assert_eq!((sent["state"].len(), sent["code_challenge"].len()), (43, 43));
    assert_eq!(paths(&server).into_iter().collect::<Vec<_>>(), ["/.well-known/oauth-authorization-server"]);
    let status = account_is(&tool(&daemon), "work", |status| status.sign_in.is_some()).await;
    assert_eq!((status.health, status.sign_in.map(|waits| waits.how)), (Health::SigningIn, Some(shown.how.clone())));
    listens_only_at(&daemon, port_of(&shown)).await;

    // and when the person answers, it has a token for the resource, by one exchange
    let seen = in_browser::approve(&url(&shown)).await.unwrap();
    assert_eq!(seen.status(), 200, "{seen:?}");
    let first = watched(&mut program.watch(work()), a_token).await;
    assert_eq!((subject_of(&server, &first).await.as_str(), first.scopes()), ("alice", &["mcp:read".to_owned()][..]));
    assert_eq!(first.resource(), Some(server.resource().as_str()));
    let counts = server.counts();
    assert_eq!((counts.authorizations_started, counts.codes_issued, counts.codes_redeemed, counts.exchanges), (1, 1, 1, 1));
    assert_eq!((counts.device_authorizations, counts.polls, counts.secrets_in_urls), (0, 0, 0));
    let status = account_is(&tool(&daemon), "work", |status| status.grant.is_some()).await;
    assert_eq!((status.health, status.sign_in), (Health::Good, None));
    stops_listening(&daemon, port_of(&shown)).await;

    // and a refresh works, and a logout ends it here and there
    let second = token(program.report_rejected(&first).await.unwrap());
    assert_ne!(first.expose(), second.expose());
    assert_eq!(server.counts().refreshes_ok(), 1);
    let signed_out = tool(&daemon).sign_out(None).await.unwrap();
    assert_eq!((signed_out.erased, signed_out.revocation), (true, Revocation::Sent));
    server.wait_for(|counts| counts.revocations_effective == 1).await;
    assert_eq!(fetch_with_token(&server.resource(), second.expose()).await.unwrap().status, 401);
    assert_eq!(refusal(program.token(never()).await.unwrap()).reason, Reason::SignedOut);
}

async fn programs_share_one_login(programs: usize) {
    // given
    let (server, daemon) = daemon_at(Settings::in_browser()).await;
    let crowd = Crowd::of(programs, &daemon);

    // when all ask at once, some of them waiting for the end
    let waiting = crowd.begin(1, Request::new(work()).sign_in(SignInMode::StartAndWait));
    let shown: Vec<SignIn> = crowd.ask(1, work()).await.into_iter().map(prompt).collect();

    // then all are told the same URL, and one answer serves all
    assert!(shown.iter().all(|one| (&one.id, &one.how) == (&shown[0].id, &shown[0].how)), "one login, one URL");
    assert_eq!(shown.len(), programs);
    approve(&shown[0]).await;
    let mut tokens: Vec<String> = waiting.answers().await.into_iter().map(|answer| token(answer).expose().to_owned()).collect();
    tokens.extend(crowd.ask(1, work()).await.into_iter().map(|answer| token(answer).expose().to_owned()));
    tokens.dedup();
    assert_eq!(tokens.len(), 1);
    let counts = server.counts();
    assert_eq!((counts.authorizations_started, counts.codes_redeemed, counts.exchanges, counts.refreshes), (1, 1, 1, 0));
    assert_eq!(counts.metadata_reads, 1);
    stops_listening(&daemon, port_of(&shown[0])).await;
}

#[tokio::test]
async fn one_program_begins_one_login_in_a_browser() {
    programs_share_one_login(1).await;
}

#[tokio::test]
async fn twenty_programs_at_once_share_one_login_in_a_browser() {
    programs_share_one_login(20).await;
}

#[tokio::test]
async fn a_program_that_goes_away_leaves_the_login_and_its_url_to_the_others() {
    let (server, daemon) = daemon_at(Settings::in_browser()).await;
    let shown = {
        let gone = program(&daemon);
        prompt(gone.token(work()).await.unwrap())
    };
    approve(&shown).await;
    let served = watched(&mut program(&daemon).watch(work()), a_token).await;
    assert_eq!(subject_of(&server, &served).await, "alice");
}

#[tokio::test]
async fn a_login_again_goes_to_another_url_while_the_present_token_serves() {
    // given an account that is logged in
    let (server, daemon) = daemon_at(Settings::in_browser()).await;
    let first = logged_in(&daemon).await;

    // when the person logs in once more
    let again = mcp_authd_client::admin::StartSignIn { account: Some("work".to_owned()), again: true, replace: false };
    let shown = tool(&daemon).start_sign_in(again).await.unwrap().sign_in.unwrap();

    // then the token serves, until the new one is there
    assert_eq!(shown.purpose, Purpose::Again);
    let Answer::UseToken(meanwhile) = program(&daemon).token(work()).await.unwrap() else { panic!("it serves") };
    assert_eq!(meanwhile.expose(), first.1.expose());
    assert_ne!(asked(&shown)["state"], asked(&first.0)["state"]);
    assert_ne!(asked(&shown)["code_challenge"], asked(&first.0)["code_challenge"]);
    approve(&shown).await;
    let mut watch = program(&daemon).watch(work());
    let second = watched(&mut watch, |answer| a_token(answer).filter(|token| token.expose() != first.1.expose())).await;
    assert_eq!(subject_of(&server, &second).await, "alice");
    assert_eq!((server.counts().codes_redeemed, server.counts().refreshes), (2, 0));
}

/// The first login, with its prompt.
async fn logged_in(daemon: &Daemon) -> (SignIn, mcp_authd_client::Token) {
    let shown = prompted(daemon, "work").await;
    approve(&shown).await;
    let token = watched(&mut program(daemon).watch(work()), a_token).await;
    (shown, token)
}

#[tokio::test]
async fn a_server_with_both_ways_is_logged_in_to_by_device_code() {
    let settings = Settings { code_grant: mcp_authd_tests::server::Offer::Yes, ..Settings::default() };
    let (server, daemon): (AuthorizationServer, Daemon) = daemon_at(settings).await;
    let shown = prompt(program(&daemon).token(work()).await.unwrap());
    assert!(matches!(shown.how, How::Device { .. }), "{shown:?}");
    assert_eq!((server.counts().device_authorizations, server.counts().authorizations_started), (1, 0));
}

#[tokio::test]
async fn the_person_sees_that_the_answer_has_arrived_and_where_its_end_is_told() {
    // given
    let (_server, daemon) = daemon_at(Settings::in_browser()).await;
    let shown = prompted(&daemon, "work").await;

    // when
    let back = in_browser::answer("approve", &url(&shown), &[]).await.unwrap();
    let seen = in_browser::follow(&back).await.unwrap();

    // then
    assert_eq!(plain(&seen), ARRIVED);

    // and who loads the page once more is told so, and nothing is traded in twice
    let again = in_browser::follow(&back).await.unwrap();
    assert_eq!(format!("{}\n{}", again.status_line, again.text), ALREADY);
}

const ARRIVED: &str = "\
HTTP/1.1 200 OK
Content-Type: text/html; charset=utf-8
Content-Length: LENGTH
Content-Security-Policy: default-src 'none'; style-src 'sha256-HASH'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'
Referrer-Policy: no-referrer
X-Content-Type-Options: nosniff
Cache-Control: no-store
Connection: close

You can close this window
The answer to your login has arrived.
Go back to where you began the login, your terminal or the program that asked for it: there it says whether the login has worked. \
authctl status says it too.
This page comes from mcp-authd, which runs on your own computer.
";
const ALREADY: &str = "\
HTTP/1.1 409 Conflict
This login has been answered already
The first answer counts; this one was not used. You can close this window.
How the login ended is said where you began it, and by authctl status.
This page comes from mcp-authd, which runs on your own computer.
";

/// The page without what differs when its style or its words are changed.
fn plain(seen: &Seen) -> String {
    let field = |field: &String| match field.split_once(": ") {
        Some(("Content-Length", _)) => "Content-Length: LENGTH".to_owned(),
        Some(("Content-Security-Policy", policy)) => {
            let (before, rest) = policy.split_once("'sha256-").unwrap();
            format!("Content-Security-Policy: {before}'sha256-HASH'{}", rest.split_once('\'').unwrap().1)
        }
        _ => field.clone(),
    };
    let fields: Vec<String> = seen.fields.iter().map(field).collect();
    format!("{}\n{}\n\n{}", seen.status_line, fields.join("\n"), seen.text)
}
