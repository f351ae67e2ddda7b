//! The personas are strict: what a real provider refuses is refused in its own words, and recorded without a secret.

use mcp_authd_tests::persona::{
    Auth0, Body, DeviceSwitch, Door, Entra, Exp, GitHub, GitLab, Google, Keycloak, Okta, OwnWords, Persona, Provider,
};
use mcp_authd_tests::plain_http::{Answered, fetch, post_form, post_form_as, post_json};
use serde_json::{Value, json};

const DEVICE: (&str, &str) = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
const CLIENT: (&str, &str) = ("client_id", "me");

struct Asked(Provider);

impl Asked {
    fn of(persona: impl Persona) -> Self {
        Self(Provider::start(persona))
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answered {
        post_form(&format!("{}{path}", self.0.origin()), form).await.unwrap()
    }

    /// The request is refused with this status and this error, and stands in the book as such.
    async fn refuses(&self, path: &str, form: &[(&str, &str)], (status, error): (u16, &str)) -> Answered {
        let before = self.0.refused().len();
        let answered = self.post(path, form).await;
        let said = match answered.json() {
            Value::Null => {
                url::form_urlencoded::parse(&answered.body).find(|(name, _)| name == "error").map(|pair| pair.1.into_owned())
            }
            json => json["error"].as_str().map(str::to_owned),
        };
        assert_eq!((answered.status, said.as_deref()), (status, Some(error)), "{path} {form:?}: {}", answered.text());
        let refused = self.0.refused();
        assert_eq!((refused.len(), refused[before].refused.as_deref()), (before + 1, Some(error)));
        answered
    }
}

#[tokio::test]
async fn github_answers_with_forms_and_200_and_takes_its_client_by_parameters_alone() {
    let github = Asked::of(GitHub::App);
    let code = github.post("/login/device/code", &[CLIENT]).await;
    assert_eq!((code.status, code.json()), (200, Value::Null), "a form, where nobody asks for JSON");
    assert!(code.text().contains("device_code=SNTL_DC_"));
    github.refuses("/login/device/code", &[], (200, "incorrect_client_credentials")).await;
    let exchange = [CLIENT, ("grant_type", "authorization_code"), ("code", "x"), ("code_verifier", "y")];
    github.refuses("/login/oauth/access_token", &exchange, (200, "incorrect_client_credentials")).await;
    let url = format!("{}/login/oauth/access_token", github.0.origin());
    let basic = post_form_as("Basic bWU6eA==", &url, &[CLIENT, DEVICE]).await.unwrap();
    assert!(basic.text().contains("error=incorrect_client_credentials"), "{}", basic.text());
    let unknown = github.post("/login/oauth/access_token", &[CLIENT, DEVICE, ("device_code", "x")]).await;
    assert!(unknown.status == 200 && unknown.text().contains("error=incorrect_device_code"), "{}", unknown.text());
    let dead = github.post("/login/oauth/access_token", &[CLIENT, ("grant_type", "refresh_token"), ("refresh_token", "x")]).await;
    assert!(dead.status == 200 && dead.text().contains("error=bad_refresh_token"), "{}", dead.text());
    Asked::of(GitHub::WithoutDeviceFlow).refuses("/login/device/code", &[CLIENT], (200, "device_flow_disabled")).await;
}

#[tokio::test]
async fn google_wants_its_secret_a_scope_of_its_list_and_waits_with_428() {
    let google = Asked::of(Google::default());
    google.refuses("/device/code", &[CLIENT], (400, "invalid_request")).await;
    google.refuses("/device/code", &[CLIENT, ("scope", "openid https://mail.google.com/")], (400, "invalid_scope")).await;
    let code = google.post("/device/code", &[CLIENT, ("scope", "openid")]).await;
    assert!(!code.member("verification_url").is_empty() && code.member("verification_uri").is_empty(), "{}", code.text());
    let device_code = code.member("device_code");
    let poll = [CLIENT, DEVICE, ("device_code", device_code.as_str())];
    google.refuses("/token", &poll, (400, "invalid_request")).await;
    google.refuses("/token", &[&poll[..], &[("client_secret", "SNTL_CS_wrong")]].concat(), (401, "invalid_client")).await;
    let waits = google.post("/token", &[&poll[..], &[("client_secret", Google::CLIENT_SECRET)]].concat()).await;
    assert_eq!((waits.status, waits.member("error").as_str()), (428, "authorization_pending"));
}

#[tokio::test]
async fn entra_has_numbers_takes_no_resource_and_knows_one_tenant() {
    let entra = Asked::of(Entra);
    let base = format!("/{}/oauth2/v2.0", Entra::TENANT);
    let resource = [CLIENT, ("scope", "openid"), ("resource", "https://mcp.example/")];
    let refused = entra.refuses(&format!("{base}/devicecode"), &resource, (400, "invalid_target")).await;
    assert_eq!(refused.json()["error_codes"], json!([9_010_010]));
    assert!(refused.member("error_description").starts_with("AADSTS9010010: "), "{}", refused.text());
    entra.refuses(&format!("{base}/devicecode"), &[CLIENT], (400, "invalid_request")).await;
    entra.refuses("/other.example/oauth2/v2.0/devicecode", &[CLIENT, ("scope", "openid")], (404, "nothing_here")).await;
    let dead = entra.post(&format!("{base}/token"), &[CLIENT, ("grant_type", "refresh_token"), ("refresh_token", "x")]).await;
    assert_eq!((dead.member("error").as_str(), &dead.json()["error_codes"]), ("invalid_grant", &json!([700_082])));
}

#[tokio::test]
async fn the_others_refuse_in_their_own_words() {
    let auth0 = Asked::of(Auth0);
    auth0.refuses("/oauth/device/code", &[CLIENT, ("audience", "https://other.example/")], (403, "access_denied")).await;
    auth0.refuses("/oauth/device/code", &[CLIENT, ("resource", "https://mcp.example/")], (400, "invalid_request")).await;
    let okta = Asked::of(Okta);
    okta.refuses("/oauth2/default/v1/device/authorize", &[CLIENT], (400, "invalid_scope")).await;
    okta.refuses("/oauth2/other/v1/device/authorize", &[CLIENT, ("scope", "openid")], (404, "nothing_here")).await;
    let gitlab = Asked::of(GitLab);
    gitlab.refuses("/oauth/authorize_device", &[CLIENT, ("scope", "repo")], (400, "invalid_scope")).await;
    gitlab.refuses("/oauth/revoke", &[("token", "x")], (403, "unauthorized_client")).await;
    let keycloak = Asked::of(Keycloak { device_grant: DeviceSwitch::Off });
    let base = "/realms/work/protocol/openid-connect";
    keycloak.refuses(&format!("{base}/auth/device"), &[CLIENT], (400, "invalid_grant")).await;
    keycloak.refuses("/realms/other/protocol/openid-connect/token", &[CLIENT], (404, "nothing_here")).await;
}

#[tokio::test]
async fn a_server_that_has_read_no_rfc_takes_json_with_its_own_names_alone() {
    let odd = Asked::of(OwnWords { exp: Exp::Missing });
    odd.refuses("/v2/cli/code", &[CLIENT], (422, "not_understood")).await;
    odd.refuses("/v2/cli/token", &[("refreshToken", "x")], (422, "not_understood")).await;
    let url = format!("{}/v2/cli/token", odd.0.origin());
    for body in [json!({ "refresh_token": "x" }), json!({ "refreshToken": "x", "client_id": "me" })] {
        assert_eq!(post_json(&url, &body).await.unwrap().status, 422, "{body}");
    }
    let dead = post_json(&url, &json!({ "refreshToken": "SNTL_RT_unknown" })).await.unwrap();
    assert_eq!((dead.status, dead.body.len()), (401, 0));

    // What was asked is kept by its names, and no secret by its value.
    let line = odd.0.heard_at(Door::Token).pop().unwrap();
    assert_eq!((line.body, line.names(), line.value("refreshToken")), (Body::Json, vec!["refreshToken"], ""));
    assert!(!format!("{:?}", odd.0).contains("SNTL"), "{:?}", odd.0);
}

#[tokio::test]
async fn no_endpoint_takes_a_get_and_no_url_a_secret() {
    let gitlab = Asked::of(GitLab);
    assert_eq!(fetch(&format!("{}/oauth/token", gitlab.0.origin())).await.unwrap().status, 405);
    let url = format!("{}/oauth/authorize?client_id=me&code=SNTL_AC_000001_00", gitlab.0.origin());
    assert_eq!(fetch(&url).await.unwrap().status, 400);
    let refused: Vec<_> = gitlab.0.refused().into_iter().filter_map(|line| line.refused).collect();
    assert_eq!(refused, ["method_not_allowed", "secret_in_url"]);
}
