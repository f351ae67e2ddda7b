//! A client as small as can be: what the stories of the server ask with.

use anyhow::Result;
use mcp_authd_tests::plain_http::{Answered, fetch_with_token, post_form};
use mcp_authd_tests::server::AuthorizationServer;

const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// One login, one grant.
pub(crate) struct Guest<'a> {
    pub(crate) server: &'a AuthorizationServer,
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
}

pub(crate) async fn ask_for_login(server: &AuthorizationServer) -> Answered {
    post_form(&server.device_authorization_endpoint(), &[("client_id", "guest"), ("scope", "mcp:read openid")]).await.unwrap()
}

pub(crate) async fn poll(server: &AuthorizationServer, device_code: &str) -> Result<Answered> {
    let form = [("client_id", "guest"), ("grant_type", DEVICE_GRANT), ("device_code", device_code)];
    post_form(&server.token_endpoint(), &form).await
}

pub(crate) async fn refresh(server: &AuthorizationServer, refresh_token: &str) -> Result<Answered> {
    let form = [("client_id", "guest"), ("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
    post_form(&server.token_endpoint(), &form).await
}

pub(crate) async fn status_at_resource(server: &AuthorizationServer, access_token: &str) -> u16 {
    fetch_with_token(&server.resource(), access_token).await.unwrap().status
}

impl<'a> Guest<'a> {
    pub(crate) async fn signed_in(server: &'a AuthorizationServer) -> Self {
        let prompt = ask_for_login(server).await;
        server.approve(&prompt.member("user_code")).unwrap();
        let tokens = poll(server, &prompt.member("device_code")).await.unwrap();
        assert_eq!(tokens.status, 200, "{}", tokens.text());
        Self { server, access_token: tokens.member("access_token"), refresh_token: tokens.member("refresh_token") }
    }

    pub(crate) async fn refresh(&self) -> Result<Answered> {
        refresh(self.server, &self.refresh_token).await
    }
}
