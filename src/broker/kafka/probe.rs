//! Connecting step by step, for a person who wants to know which step fails.

use super::config::{self, KafkaTarget};
use super::context::{Asking, LastError, hear};
use super::endpoint::KafkaEndpoint;
use super::handshake::{self, Handshake};
use crate::connect::Connection;
use crate::model::{Result, Stage, Step, Unreached};
use rdkafka::bindings::rd_kafka_resp_err_t as Code;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{IsError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The topic of a probe that asks about none; it is never sent.
const NO_TOPIC: &str = "-";
/// How long one question may take, so that errors are heard in between.
const SLICE: Duration = Duration::from_millis(250);
/// How long the handshake may take that only explains another.
const SHAKE: Duration = Duration::from_secs(3);

/// The steps of connecting to a cluster: for each server its name and its port, then TLS and the login, then what this user may see.
///
/// # Errors
/// A usage problem when the client refuses a property.
pub fn probe(connection: &Connection, topic: Option<&str>, patience: Duration) -> Result<Vec<Step>> {
    let target = match topic {
        Some(topic) => KafkaTarget::new(connection, topic)?,
        None => KafkaTarget::cluster(connection, NO_TOPIC)?,
    };
    // The client looks at every property before anything is tried.
    KafkaEndpoint::new(target.clone())?;
    let mut steps = Vec::new();
    for host in connection.url.hosts() {
        let found = lookup(host, patience);
        let (result, addresses) = match found {
            Ok(addresses) => (Ok(list(&addresses)), addresses),
            Err(why) => (Err(why), Vec::new()),
        };
        steps.push(step(Stage::Dns, host, result));
        if addresses.is_empty() {
            continue;
        }
        let connected = connect(&addresses, patience);
        let is_open = connected.is_ok();
        steps.push(step(Stage::Tcp, host, connected));
        if is_open {
            // Each server with itself alone, so that a good one does not hide a bad one.
            let mut one = connection.clone();
            one.url = crate::connect::BrokerUrl::parse(host)?;
            let one = KafkaTarget {
                broker: one.url,
                ..target.clone()
            };
            ask(&one, host, topic, patience, &mut steps)?;
        }
    }
    Ok(steps)
}

fn step(stage: Stage, at: &str, result: std::result::Result<String, String>) -> Step {
    Step {
        stage,
        at: at.to_owned(),
        result,
    }
}

/// The addresses of `host:port`. The system's resolver knows no limit of time, so it is asked on a thread that may be left behind.
pub(super) fn lookup(host: &str, patience: Duration) -> std::result::Result<Vec<SocketAddr>, String> {
    let (sender, receiver) = mpsc::channel();
    let name = host.to_owned();
    std::thread::spawn(move || {
        let found = name.to_socket_addrs().map(Iterator::collect::<Vec<_>>);
        // Whoever waited may have gone.
        let _ = sender.send(found);
    });
    match receiver.recv_timeout(patience) {
        Ok(Ok(addresses)) if addresses.is_empty() => Err("the name has no address".to_owned()),
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(e)) => Err(e.to_string()),
        Err(_) => Err(format!("no answer within {} s", patience.as_secs())),
    }
}

fn list(addresses: &[SocketAddr]) -> String {
    let all: Vec<String> = addresses.iter().map(|a| a.ip().to_string()).collect();
    all.join(", ")
}

fn connect(addresses: &[SocketAddr], patience: Duration) -> std::result::Result<String, String> {
    let start = Instant::now();
    let mut last = String::new();
    for address in addresses {
        let left = patience.saturating_sub(start.elapsed());
        if left.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(address, left) {
            Ok(_) => return Ok(format!("connected to {address} in {} ms", start.elapsed().as_millis())),
            Err(e) => last = format!("{address}: {e}"),
        }
    }
    Err(last)
}

/// What the rest of the way comes to: the client says at which step it failed; the steps before that one went well.
fn ask(target: &KafkaTarget, host: &str, topic: Option<&str>, patience: Duration, steps: &mut Vec<Step>) -> Result<()> {
    let errors = LastError::default();
    let client: BaseConsumer<Asking> = target
        .asking()
        .create_with_context(Asking::new(target, errors.clone()))
        .map_err(|e| config::refused(&e, &target.properties))?;
    let protocol = target.properties.get("security.protocol").map(str::to_ascii_uppercase);
    let protocol = protocol.as_deref().unwrap_or("PLAINTEXT");
    let mut stages = Vec::new();
    if protocol.ends_with("SSL") {
        stages.push((Stage::Tls, "the certificate is good".to_owned()));
    }
    if protocol.starts_with("SASL") {
        let mechanism = target.properties.get("sasl.mechanisms").unwrap_or("GSSAPI");
        stages.push((Stage::Authentication, format!("accepted by {mechanism}")));
    }
    let start = Instant::now();
    let answer = loop {
        // The token of OAUTHBEARER is fetched here, and errors are heard here.
        hear(&client);
        match client.client().fetch_metadata(topic, SLICE) {
            Ok(metadata) => break Ok(metadata),
            Err(e) => tracing::debug!("metadata: {e}"),
        }
        hear(&client);
        let why = errors.unreached();
        if why.is_refusal() || start.elapsed() >= patience {
            break Err(why);
        }
    };
    match answer {
        Err(why) => {
            let (failed, words) = placed(&why, target, host, stages.first().map(|(stage, _)| *stage));
            for (stage, words) in stages.into_iter().filter(|(stage, _)| *stage < failed) {
                steps.push(step(stage, host, Ok(words)));
            }
            steps.push(step(failed, host, Err(target.properties.without_secrets(&words))));
        }
        Ok(metadata) => {
            for (stage, words) in stages {
                steps.push(step(stage, host, Ok(words)));
            }
            let cluster = client.client().fetch_cluster_id(patience.min(Duration::from_secs(2)));
            steps.push(authorised(&metadata, host, topic, cluster.as_deref()));
        }
    }
    Ok(())
}

/// At which step it failed, and in which words. librdkafka is silent about a server that hangs up on it; a TLS handshake shows whether
/// that is because the server waits for one, and what is wrong with its certificate.
fn placed(why: &Unreached, target: &KafkaTarget, host: &str, first: Option<Stage>) -> (Stage, String) {
    let shaken = || handshake::shake(host, &target.properties, SHAKE);
    match (why.stage.filter(|stage| *stage > Stage::Tcp), first) {
        (Some(Stage::Tls), _) => match shaken() {
            Handshake::Bad(reason) => (Stage::Tls, reason),
            Handshake::Good | Handshake::None => (Stage::Tls, why.why.clone()),
        },
        (Some(stage), _) => (stage, why.why.clone()),
        (None, None | Some(Stage::Authentication)) if shaken() != Handshake::None => (
            Stage::Tls,
            "the broker speaks TLS at this port; add security.protocol=SSL or SASL_SSL".to_owned(),
        ),
        (None, None) => (
            Stage::Authentication,
            format!(
                "the port is open, and the broker does not answer without a login: {}; check security.protocol",
                why.why
            ),
        ),
        // What cannot be placed failed at the first step that was still to be taken.
        (None, Some(first)) => (first, why.why.clone()),
    }
}

fn authorised(metadata: &Metadata, host: &str, topic: Option<&str>, cluster: Option<&str>) -> Step {
    let brokers = metadata.brokers().len();
    let cluster = cluster.map(|id| format!("cluster {id} of ")).unwrap_or_default();
    let seen = format!("{cluster}{brokers} brokers");
    let Some(topic) = topic else {
        return step(Stage::Authorisation, host, Ok(seen));
    };
    let found = metadata.topics().iter().find(|t| t.name() == topic);
    let error = found.and_then(|t| t.error()).filter(|e| e.is_error());
    let result = match (found, error) {
        (Some(found), None) => Ok(format!(
            "{seen}; topic {topic} has {} partitions; whether it may be written is known when the first message is sent",
            found.partitions().len()
        )),
        (_, Some(Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)) => {
            Err(format!("topic {topic} does not exist, or this user may not know of it"))
        }
        (_, Some(error)) => Err(format!("topic {topic}: {}", RDKafkaErrorCode::from(error))),
        (None, None) => Err(format!("the broker said nothing of topic {topic}")),
    };
    step(Stage::Authorisation, host, result)
}
