//! Tokens for SASL OAUTHBEARER: from an OpenID provider by client credentials (RFC 6749 section 4.4), from a file, or from a command.
//!
//! librdkafka's own way needs libcurl, which is not linked here; so it asks us whenever it needs a token.

use crate::connect::{ClientProperties, print_of};
use crate::model::{Problem, Result};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rdkafka::client::OAuthToken;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

/// How long the provider may take altogether; a person waits.
const PATIENCE: Duration = Duration::from_secs(8);
/// A token has some kilobytes.
const MOST_BYTES: u64 = 1 << 20;
/// How long a token is taken to be good that says nothing about it. Too short only asks again.
const LIFETIME: Duration = Duration::from_secs(300);

/// Properties that are read here and that librdkafka does not see.
pub(super) const OWN: [&str; 10] = [
    "sasl.oauthbearer.token.command",
    "sasl.oauthbearer.token.endpoint.url",
    "sasl.oauthbearer.client.id",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.scope",
    "sasl.oauthbearer.extensions",
    "sasl.oauthbearer.header.urlencode",
    "sasl.oauthbearer.sub.claim.name",
    "https.ca.location",
    "https.ca.pem",
];

enum Source {
    Command(Vec<String>),
    File(String),
    Endpoint(Box<Endpoint>),
}

struct Endpoint {
    url: String,
    id: String,
    secret: String,
    scope: Option<String>,
    url_encoded: bool,
    roots: Vec<Certificate<'static>>,
}

struct Token {
    text: String,
    principal: String,
    expires_ms: i64,
    fetched: Instant,
    lifetime: Duration,
}

/// The tokens of one connection, shared by all its clients, so that one run asks once.
pub(super) struct Tokens {
    source: Source,
    subject_claim: String,
    last: Mutex<Option<Token>>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

impl Tokens {
    /// Looks at the properties. Nothing is asked yet.
    ///
    /// # Errors
    /// A usage problem that names what is missing.
    pub(super) fn new(properties: &ClientProperties) -> Result<Arc<Tokens>> {
        if properties.get("sasl.oauthbearer.extensions").is_some() {
            return Err(Problem::usage("sasl.oauthbearer.extensions cannot be used")
                .because("the Kafka client here hands over a token without extensions")
                .next("leave them out, if the broker does without"));
        }
        let command = properties.get("sasl.oauthbearer.token.command");
        let url = properties.get("sasl.oauthbearer.token.endpoint.url");
        let source = match (command, url) {
            (Some(command), _) => match shlex::split(command).filter(|words| !words.is_empty()) {
                Some(words) => Source::Command(words),
                None => {
                    return Err(
                        Problem::usage("sasl.oauthbearer.token.command cannot be split into words")
                            .next("write PROGRAM ARG ARG, a word with spaces in quotes"),
                    );
                }
            },
            (None, Some(url)) => match url.strip_prefix("file:") {
                Some(path) => Source::File(path.trim_start_matches("//").to_owned()),
                None => Source::Endpoint(Box::new(endpoint(url, properties)?)),
            },
            (None, None) => {
                return Err(Problem::usage("sasl.mechanism is OAUTHBEARER, and nothing says where its tokens come from").next(
                    "give sasl.oauthbearer.token.endpoint.url with sasl.oauthbearer.client.id and …client.secret, or sasl.oauthbearer.token.command",
                ));
            }
        };
        let subject_claim = properties.get("sasl.oauthbearer.sub.claim.name").unwrap_or("sub");
        Ok(Arc::new(Tokens {
            source,
            subject_claim: subject_claim.to_owned(),
            last: Mutex::new(None),
        }))
    }

    /// A token that is good for a while. The error is for a person and holds no secret.
    pub(super) fn get(&self) -> std::result::Result<OAuthToken, String> {
        let mut last = self.last.lock().unwrap_or_else(|e| e.into_inner());
        // The client asks again after four fifths of the lifetime; what is older than half of it is no answer to that.
        if last.as_ref().is_none_or(|t| t.fetched.elapsed() * 2 >= t.lifetime) {
            *last = Some(self.fetch()?);
        }
        last.as_ref()
            .map(|token| OAuthToken {
                token: token.text.clone(),
                principal_name: token.principal.clone(),
                lifetime_ms: token.expires_ms,
            })
            .ok_or_else(|| "there is no token".to_owned())
    }

    fn fetch(&self) -> std::result::Result<Token, String> {
        let (text, expires_in, id) = match &self.source {
            Source::Command(words) => (print_of(words).map_err(|p| p.to_string())?, None, None),
            Source::File(path) => {
                let text =
                    std::fs::read_to_string(path).map_err(|e| format!("cannot read the token of {path}: {e}"))?;
                (text.trim().to_owned(), None, None)
            }
            Source::Endpoint(endpoint) => {
                let (token, expires_in) = endpoint.ask()?;
                (token, expires_in, Some(endpoint.id.clone()))
            }
        };
        // RFC 6750 section 2.1; anything else would be another part of the message to the broker.
        if text.is_empty()
            || !text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b))
        {
            return Err("what came is no bearer token".to_owned());
        }
        let claims = claims(&text);
        let claim = |name: &str| claims.as_ref().and_then(|c| c.get(name));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let exp = claim("exp").and_then(Value::as_f64).filter(|s| *s > 0.0 && *s < 1e11);
        let lifetime = match (exp, expires_in) {
            (Some(exp), _) => Duration::from_secs_f64(exp).saturating_sub(now),
            (None, Some(seconds)) => Duration::from_secs(seconds),
            (None, None) => LIFETIME,
        };
        if lifetime.is_zero() {
            return Err("the token that came has expired; check the clocks".to_owned());
        }
        let subject = claim(&self.subject_claim).and_then(Value::as_str).map(str::to_owned);
        let principal = subject.or(id).filter(|p| !p.contains('\0'));
        Ok(Token {
            text,
            principal: principal.unwrap_or_else(|| "mqsafe".to_owned()),
            // A provider may claim any number of seconds.
            expires_ms: i64::try_from(now.saturating_add(lifetime).as_millis()).unwrap_or(i64::MAX),
            fetched: Instant::now(),
            lifetime,
        })
    }
}

/// What a token says of itself, when it is a JWT (RFC 7519). Not verified: that is the broker's to do.
fn claims(token: &str) -> Option<Value> {
    let payload = token.split('.').nth(1)?;
    let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn endpoint(url: &str, properties: &ClientProperties) -> Result<Endpoint> {
    let key = "sasl.oauthbearer.token.endpoint.url";
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let authority = rest.and_then(|r| r.split(['/', '?', '#']).next());
    if authority.is_none_or(|a| a.is_empty() || a.contains('@')) {
        return Err(Problem::usage(format!("{key} is not https://HOST/PATH"))
            .next("write the provider's token endpoint, without user and password"));
    }
    let need = |key: &str| {
        properties.get(key).map(str::to_owned).ok_or_else(|| {
            Problem::usage(format!("{key} is missing"))
                .because("the token endpoint asks who wants a token")
                .next("give it with -X, -F or a context")
        })
    };
    Ok(Endpoint {
        url: url.to_owned(),
        id: need("sasl.oauthbearer.client.id")?,
        secret: need("sasl.oauthbearer.client.secret")?,
        scope: properties.get("sasl.oauthbearer.scope").map(str::to_owned),
        url_encoded: properties
            .get("sasl.oauthbearer.header.urlencode")
            .is_some_and(|v| v == "true"),
        roots: roots(properties)?,
    })
}

fn roots(properties: &ClientProperties) -> Result<Vec<Certificate<'static>>> {
    let bad = |key: &str, why: &dyn std::fmt::Display| {
        Problem::usage(format!("cannot use {key}"))
            .because(why)
            .next("give certificates in PEM form")
    };
    let parsed = |key: &str, pem: &[u8]| -> Result<Vec<CertificateDer<'static>>> {
        let all: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        all.map_err(|e| bad(key, &e))
    };
    let all = match (properties.get("https.ca.pem"), properties.get("https.ca.location")) {
        (Some(pem), _) => parsed("https.ca.pem", pem.as_bytes())?,
        (None, Some(path)) => {
            let key = "https.ca.location";
            let bytes = std::fs::read(path).map_err(|e| bad(key, &e))?;
            parsed(key, &bytes)?
        }
        (None, None) => rustls_native_certs::load_native_certs().certs,
    };
    Ok(all.iter().map(|c| Certificate::from_der(c).to_owned()).collect())
}

impl Endpoint {
    fn ask(&self) -> std::result::Result<(String, Option<u64>), String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(RootCerts::Specific(Arc::new(self.roots.clone())))
            .unversioned_rustls_crypto_provider(provider)
            .build();
        let agent = ureq::Agent::config_builder()
            .tls_config(tls)
            .timeout_global(Some(PATIENCE))
            // The secret is for this address and no other.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .user_agent("mqsafe")
            .build()
            .new_agent();
        let failed = |why: String| format!("no token from {}: {why}", self.shown());
        let part = |text: &str| {
            if self.url_encoded {
                encoded(text)
            } else {
                text.to_owned()
            }
        };
        let login = STANDARD.encode(format!("{}:{}", part(&self.id), part(&self.secret)));
        let mut form = vec![("grant_type", "client_credentials")];
        if let Some(scope) = &self.scope {
            form.push(("scope", scope));
        }
        let mut response = agent
            .post(&self.url)
            .header("Authorization", format!("Basic {login}"))
            .header("Accept", "application/json")
            .send_form(form)
            .map_err(|e| failed(e.to_string()))?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(MOST_BYTES).read_to_vec();
        let body = body.map_err(|e| failed(e.to_string()))?;
        let answer: Option<Value> = serde_json::from_slice(&body).ok();
        let field = |name: &str| answer.as_ref().and_then(|a| a.get(name));
        if status != 200 {
            // RFC 6749 section 5.2: a code of its own; the description may repeat what was sent.
            let code = field("error").and_then(Value::as_str);
            let code = code.filter(|c| c.len() < 40 && c.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
            let code = code.map(|c| format!(" {c}")).unwrap_or_default();
            return Err(failed(format!("it answered HTTP {status}{code}")));
        }
        let token = field("access_token").and_then(Value::as_str);
        let token = token.ok_or_else(|| failed("its answer holds no access_token".to_owned()))?;
        Ok((token.to_owned(), field("expires_in").and_then(Value::as_u64)))
    }

    /// The address without what may follow a question mark.
    fn shown(&self) -> &str {
        self.url.split(['?', '#']).next().unwrap_or_default()
    }
}

/// `application/x-www-form-urlencoded`, for the login as RFC 6749 section 2.3.1 has it.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b if b.is_ascii_alphanumeric() || b"-._*".contains(&b) => out.push(char::from(b)),
            b => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}

#[cfg(test)]
#[path = "oauth_tests.rs"]
mod tests;
