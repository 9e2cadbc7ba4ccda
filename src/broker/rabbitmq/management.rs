//! A look at RabbitMQ's management API: whether it lets us in, and whether what we publish to survives a restart.
//!
//! One GET at a time, bounded in time and size; nothing is followed anywhere, so the password goes to no other host.

use super::socket::{self, Cut};
use super::target::{Place, Target};
use crate::model::{Stage, Step, Unreached};
use async_compat::Compat;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::time::Duration;
use tokio::task::JoinHandle;

/// A queue with its statistics has some kilobytes.
const LARGEST: usize = 1 << 20;

/// The steps of asking the API that was named.
pub(super) async fn probe(target: &Target, url: &str, place: Option<&Place>, patience: Duration) -> Vec<Step> {
    let ask = |path: String| async move {
        match tokio::time::timeout(patience, get(target, url, &path)).await {
            Ok(answer) => answer,
            Err(_) => Err(Unreached::at(
                Stage::Tcp,
                format!("no answer within {} s", patience.as_secs()),
            )),
        }
    };
    let mut steps = Vec::new();
    let mut note = |stage: Stage, result: Result<String, String>| {
        steps.push(Step {
            stage,
            at: format!("management API {url}"),
            result,
        });
    };
    match ask("/api/whoami".to_owned()).await {
        Ok((200, who)) => {
            let text = |value: &Value| match value {
                Value::String(text) => text.clone(),
                Value::Array(list) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => String::new(),
            };
            let tags = text(&who["tags"]);
            note(
                Stage::Authentication,
                Ok(format!("user {} with the tags {tags}", text(&who["name"]))),
            );
        }
        Ok((status, answer)) => {
            note(Stage::Authentication, Err(refusal(status, &answer)));
            return steps;
        }
        Err(why) => {
            note(why.stage.unwrap_or(Stage::Tcp), Err(why.why));
            return steps;
        }
    }
    let Some(place) = place else { return steps };
    let (what, name) = if place.exchange.is_empty() {
        ("queue", &place.key)
    } else {
        ("exchange", &place.exchange)
    };
    let path = format!("/api/{what}s/{}/{}", encoded(&target.vhost), encoded(name));
    match ask(path).await {
        Ok((200, found)) => note(Stage::Authorisation, durability(what, name, &found)),
        Ok((status, answer)) => note(
            Stage::Authorisation,
            Err(format!("{what} {name}: {}", refusal(status, &answer))),
        ),
        Err(why) => note(why.stage.unwrap_or(Stage::Tcp), Err(why.why)),
    }
    steps
}

/// Whether messages survive a restart there.
fn durability(what: &str, name: &str, found: &Value) -> Result<String, String> {
    let kind = found["type"].as_str().unwrap_or("of an unknown kind");
    match found["durable"].as_bool() {
        Some(true) => Ok(format!("{what} {name} ({kind}) is durable")),
        Some(false) => Ok(format!(
            "{what} {name} ({kind}) is not durable: a restart of the broker removes it with what it holds"
        )),
        None => Err(format!("{what} {name}: the answer does not say whether it is durable")),
    }
}

pub(super) fn refusal(status: u16, answer: &Value) -> String {
    let reason = answer["reason"].as_str().or(answer["error"].as_str());
    match (status, reason) {
        (404, _) => "not found (404)".to_owned(),
        (300..400, _) => format!("it answers with a redirection ({status}), which is not followed"),
        (_, Some(reason)) => format!("{reason} ({status})"),
        (_, None) => format!("it answers with status {status}"),
    }
}

/// One answer of the API: its status and its body.
pub(super) async fn get(target: &Target, url: &str, path: &str) -> Result<(u16, Value), Unreached> {
    let mut session = Session::open(target, url).await?;
    let (status, body) = session.get(path, LARGEST).await?;
    Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
}

/// A connection to the API that takes one request after the other.
pub(super) struct Session {
    sender: SendRequest<Empty<Bytes>>,
    talk: JoinHandle<Result<(), hyper::Error>>,
    authority: String,
    prefix: String,
    login: String,
    _cut: Cut,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.talk.abort();
    }
}

impl Session {
    /// Connects to the API at `url`.
    pub(super) async fn open(target: &Target, url: &str) -> Result<Session, Unreached> {
        let bad = |why: &str| Unreached::new(why.to_owned());
        let (scheme, rest) = url
            .split_once("://")
            .filter(|(scheme, _)| ["http", "https"].contains(scheme))
            .ok_or_else(|| bad("the address of the management API is not http://HOST:PORT or https://HOST:PORT"))?;
        let (authority, prefix) = rest
            .split_once('/')
            .map_or((rest, ""), |(a, p)| (a, p.trim_end_matches('/')));
        if authority.contains('@') {
            return Err(bad("the address of the management API holds a user; leave it out"));
        }
        let has_port = authority
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let address = match (has_port, scheme) {
            (true, _) => authority.to_owned(),
            (false, "https") => format!("{authority}:15671"),
            (false, _) => format!("{authority}:15672"),
        };
        let addresses = socket::resolve(&address).await?;
        let (stream, cut) = socket::connect(&addresses).await?;
        let tls = target.management_tls.as_ref().filter(|_| scheme == "https");
        let stream = socket::secure(stream, tls, &address).await?;
        let (sender, talk) = hyper::client::conn::http1::handshake(TokioIo::new(Compat::new(stream)))
            .await
            .map_err(failed)?;
        Ok(Session {
            sender,
            talk: tokio::spawn(talk),
            authority: authority.to_owned(),
            prefix: match prefix {
                "" => String::new(),
                prefix => format!("/{prefix}"),
            },
            login: STANDARD.encode(format!("{}:{}", target.user, target.password)),
            _cut: cut,
        })
    }

    /// The status of one answer, and its body of at most so many bytes.
    pub(super) async fn get(&mut self, path: &str, largest: usize) -> Result<(u16, Bytes), Unreached> {
        let bad = |why: &str| Unreached::new(why.to_owned());
        let request = Request::get(format!("{}{path}", self.prefix))
            .header(header::HOST, &self.authority)
            .header(header::ACCEPT, "application/json")
            .header(header::AUTHORIZATION, format!("Basic {}", self.login))
            .body(Empty::<Bytes>::new())
            .map_err(|_| bad("the address of the management API cannot be asked for"))?;
        self.sender.ready().await.map_err(failed)?;
        let response = self.sender.send_request(request).await.map_err(failed)?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), largest).collect().await;
        let body = body.map_err(|_| bad("the answer of the management API is too long or broken off"))?;
        Ok((status, body.to_bytes()))
    }
}

fn failed(why: hyper::Error) -> Unreached {
    Unreached::new(format!("what answers is not the management API: {why}"))
}

/// A name as one segment of a path (RFC 3986).
pub(super) fn encoded(name: &str) -> String {
    let mut out = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn answers_become_words() {
        assert_eq!(encoded("/a b"), "%2Fa%20b");
        let is = |found: Value| durability("queue", "q", &found);
        assert!(is(json!({"durable": true, "type": "quorum"})).is_ok_and(|w| w.contains("is durable")));
        assert!(is(json!({"durable": false, "type": "classic"})).is_ok_and(|w| w.contains("not durable")));
        assert!(is(Value::Null).is_err());
        assert!(refusal(401, &json!({"error": "not_authorised", "reason": "Login failed"})).contains("Login failed"));
        assert!(refusal(302, &Value::Null).contains("not followed"));
    }
}
