//! What an account of the configuration says about its own server counts in a probe as it does in a login.

use mcp_authd_oauth::authorization_code::pkce::PkceRule;
use mcp_authd_oauth::way::{Because, FlowWish, NoCode, NoWay, Way};

use super::web::{MCP, Web, server};
use super::{AS, AS_METADATA, found};

const NEITHER: &[&str] = &["device_authorization_endpoint", "code_challenge_methods_supported"];

fn account(name: &str, more: &str) -> String {
    format!("[accounts.{name}]\nissuer = '{AS}'\nclient_id = 'c'\n{more}\n")
}

fn without(members: &[&str]) -> Web {
    let web = Web::protected();
    web.answers(AS_METADATA, 200, &server(AS, members));
    web
}

#[tokio::test(start_paused = true)]
async fn pkce_that_is_assumed_opens_the_browser_in_a_probe_too() {
    let alone = without(NEITHER).probe(MCP).await.unwrap();
    assert!(matches!(found(&alone).choice, Err(NoWay::Neither { code: NoCode::NoCodeChallengeMethods, .. })));
    for pkce in ["pkce = 'assumed'", "provider = 'p'\n[providers.p]\npkce = 'assumed'"] {
        let beside = without(NEITHER).beside(&account("a", pkce)).probe(MCP).await.unwrap();
        let choice = found(&beside).choice.as_ref().unwrap();
        assert!(matches!(choice.way, Way::Code { pkce: PkceRule::Assumed, .. }) && beside.login_is_possible(), "{choice:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_flow_of_an_account_and_a_device_grant_that_is_unavailable_count() {
    let browser = without(&[]).beside(&account("a", "flow = 'code'")).probe(MCP).await.unwrap();
    assert_eq!(found(&browser).choice.as_ref().unwrap().because, Because::Wished(FlowWish::Code));
    let off = account("a", "provider = 'p'\n[providers.p]\ndevice_grant = 'unavailable'");
    let off = without(&[]).beside(&off).probe(MCP).await.unwrap();
    assert!(matches!(found(&off).choice.as_ref().unwrap().way, Way::Code { .. }), "{off:?}");
}

#[tokio::test(start_paused = true)]
async fn the_account_of_the_very_resource_counts_and_where_accounts_differ_none_does() {
    let is_wished = async |toml: &str| {
        let probed = without(&[]).beside(toml).probe(MCP).await.unwrap();
        matches!(found(&probed).choice.as_ref().unwrap().because, Because::Wished(_))
    };
    let (code, device) = (account("a", "flow = 'code'"), account("b", "flow = 'device'"));
    assert!(!is_wished(&format!("{code}{device}")).await);
    assert!(is_wished(&format!("{code}{}", account("b", "flow = 'code'"))).await);
    assert!(is_wished(&format!("{code}{device}{}", account("c", &format!("flow = 'code'\nresource = '{MCP}'")))).await);
    let elsewhere = "[accounts.a]\nissuer = 'https://other.example'\nclient_id = 'c'\nflow = 'code'\n";
    assert!(!is_wished(elsewhere).await, "P14: another server's account says nothing here");
}
