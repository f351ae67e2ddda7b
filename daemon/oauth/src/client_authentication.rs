//! How a client says who it is (RFC 6749, 2.3), and the POST that every endpoint of an authorization server takes.
//!
//! Must never: put a secret into a URL (D64).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::endpoint::Endpoint;
use crate::http::{HttpRequest, Patience};
use crate::profile::RequestShape;
use crate::secret::{ClientSecret, SecretText};
use crate::terms::{ClientId, TokenEndpointAuthMethod};
use crate::token::ErrorAnswer;
use crate::wire::error_answer::Sent;
use crate::wire::{form, json_body};

/// The `token_endpoint_auth_method` of a client (RFC 7591, section 2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// `none`: only the `client_id` is sent.
    Public,
    /// `client_secret_basic`: both in the `Authorization` header.
    ClientSecretBasic(ClientSecret),
    /// `client_secret_post`: both in the body.
    ClientSecretPost(ClientSecret),
}

/// Why a client cannot say who it is, or is not believed (RFC 6749, 2.3).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAuthenticated {
    /// Its method needs a secret, and none is kept. Nothing was sent.
    #[error("its client authenticates with a secret, and none is kept")]
    NoSecret,
    /// Its secret cannot be read: the reason in words. Nothing was sent.
    #[error("the client's secret cannot be read: {0}")]
    Unreadable(String),
    /// The server does not take its secret (`invalid_client`; RFC 6749, 5.2). Nothing was spent.
    #[error("the authorization server does not take the client's secret: {}", .error.error)]
    Refused {
        /// In the server's words.
        error: ErrorAnswer,
        /// The file that the secret came from; `None`: it was kept by us.
        file: Option<String>,
    },
}

impl ClientAuthentication {
    /// By the configured method. Without one: as RFC 6749, 2.3.1 wants every server to take it, where there is a secret.
    ///
    /// # Errors
    /// Where the method needs a secret and there is none.
    pub fn by(method: Option<TokenEndpointAuthMethod>, secret: Option<ClientSecret>) -> Result<Self, NotAuthenticated> {
        match (method, secret) {
            (Some(TokenEndpointAuthMethod::None), _) | (None, None) => Ok(Self::Public),
            (Some(TokenEndpointAuthMethod::ClientSecretBasic) | None, Some(secret)) => Ok(Self::ClientSecretBasic(secret)),
            (Some(TokenEndpointAuthMethod::ClientSecretPost), Some(secret)) => Ok(Self::ClientSecretPost(secret)),
            (Some(TokenEndpointAuthMethod::ClientSecretBasic | TokenEndpointAuthMethod::ClientSecretPost), None) => {
                Err(NotAuthenticated::NoSecret)
            }
        }
    }

    /// Every secret of a request, in each shape in which it goes out: an answer must not echo them (D61).
    pub(crate) fn sent<'a>(&'a self, client_id: &ClientId, others: impl IntoIterator<Item = &'a str>) -> Sent {
        let mut secrets = Vec::new();
        let secret = match self {
            Self::Public => None,
            Self::ClientSecretBasic(secret) => {
                secrets.push(basic(client_id, secret));
                Some(secret.expose())
            }
            Self::ClientSecretPost(secret) => Some(secret.expose()),
        };
        for secret in secret.into_iter().chain(others) {
            secrets.push(SecretText::new(secret));
            secrets.push(SecretText::new(form::encode_value(secret)));
            secrets.push(json_body::escaped(secret));
        }
        Sent::new(secrets)
    }
}

/// A POST with parameters, before its client has signed it.
pub(crate) struct Post<'a> {
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) client_id: &'a ClientId,
    pub(crate) parameters: Vec<(&'a str, &'a str)>,
    pub(crate) patience: Patience,
}

impl<'a> Post<'a> {
    /// The request as the RFCs have it.
    #[cfg(test)]
    pub(crate) fn signed_by(self, client: &'a ClientAuthentication) -> HttpRequest {
        self.shaped_by(&RequestShape::default(), client)
    }

    /// The request as a provider wants it. RFC 6749, 2.3: one method of authentication in a request, not two.
    pub(crate) fn shaped_by(mut self, shape: &RequestShape, client: &'a ClientAuthentication) -> HttpRequest {
        // A provider that knows no clients has given us no name (`ClientNeed::None`).
        let client_id = Some(self.client_id.as_str()).filter(|client_id| !client_id.is_empty());
        let client_id = client_id.map(|client_id| ("client_id", client_id));
        let authorization = match client {
            ClientAuthentication::Public => {
                self.parameters.extend(client_id);
                None
            }
            ClientAuthentication::ClientSecretPost(secret) => {
                self.parameters.extend(client_id);
                self.parameters.push(("client_secret", secret.expose()));
                None
            }
            ClientAuthentication::ClientSecretBasic(secret) => {
                let credentials = basic(self.client_id, secret);
                Some(SecretText::new(format!("Basic {}", credentials.expose())))
            }
        };
        HttpRequest {
            endpoint: self.endpoint.clone(),
            method: shape.method(&self.parameters),
            authorization,
            patience: self.patience,
        }
    }
}

/// The credentials of Basic. RFC 6749, 2.3.1: both halves are form-urlencoded first.
fn basic(client_id: &ClientId, secret: &ClientSecret) -> SecretText {
    let secret = Zeroizing::new(form::encode_value(secret.expose()));
    let pair = Zeroizing::new(format!("{}:{}", form::encode_value(client_id.as_str()), secret.as_str()));
    SecretText::new(STANDARD.encode(pair.as_bytes()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;
    use crate::endpoint::Loopback;
    use crate::http::Method;

    fn post(client: &ClientAuthentication) -> (String, Option<String>) {
        let request = Post {
            endpoint: &Endpoint::parse("https://as.example/token", Loopback::Refused).unwrap(),
            client_id: &ClientId::new("me:you"),
            parameters: vec![("a", "1 2")],
            patience: Patience::Endpoint,
        }
        .signed_by(client);
        assert!(!format!("{request:?}").contains("SNTL"));
        let Method::PostForm(body) = request.method else { panic!("not a POST") };
        (body.expose().to_owned(), request.authorization.map(|header| header.expose().to_owned()))
    }

    #[test]
    fn the_configured_method_decides_and_without_one_a_secret_goes_into_the_header() {
        use TokenEndpointAuthMethod::{ClientSecretBasic, ClientSecretPost, None as Public};
        let secret = || Some(ClientSecret::new("s"));
        let by = ClientAuthentication::by;
        assert_eq!(by(None, None), Ok(ClientAuthentication::Public));
        assert_eq!(by(None, secret()), Ok(ClientAuthentication::ClientSecretBasic(ClientSecret::new("s"))));
        assert_eq!(by(Some(ClientSecretBasic), secret()), by(None, secret()));
        assert_eq!(by(Some(ClientSecretPost), secret()), Ok(ClientAuthentication::ClientSecretPost(ClientSecret::new("s"))));
        assert_eq!(by(Some(Public), secret()), Ok(ClientAuthentication::Public), "what needs no secret is told none");
        for method in [ClientSecretBasic, ClientSecretPost] {
            assert_eq!(by(Some(method), None), Err(NotAuthenticated::NoSecret));
        }
    }

    #[test]
    fn a_public_client_sends_its_name_in_the_body() {
        assert_eq!(post(&ClientAuthentication::Public), ("a=1+2&client_id=me%3Ayou".to_owned(), None));
    }

    #[test]
    fn a_secret_goes_into_the_body_or_into_the_header_and_never_into_both() {
        let secret = || ClientSecret::new("SNTL_CS:%");
        let (body, header) = post(&ClientAuthentication::ClientSecretPost(secret()));
        assert_eq!((body.as_str(), header), ("a=1+2&client_id=me%3Ayou&client_secret=SNTL_CS%3A%25", None));
        let (body, header) = post(&ClientAuthentication::ClientSecretBasic(secret()));
        assert_eq!(body, "a=1+2");
        let header = header.unwrap();
        let decoded = STANDARD.decode(header.strip_prefix("Basic ").unwrap()).unwrap();
        assert_eq!(String::from_utf8(decoded).unwrap(), "me%3Ayou:SNTL_CS%3A%25");
    }
}
