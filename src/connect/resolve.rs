//! From everything that may name a broker and its settings to one connection: the nearest word counts.
//!
//! The order is flag, `-X`, the file of `-F`, environment, context, the file of a context, default.

use super::context::{Context, Contexts};
use super::secret::{Surroundings, Value};
use super::translate::{self, Setting};
use super::{BrokerKind, BrokerUrl, ClientProperties, Connection, Origin, file};
use crate::model::{Problem, Result};

/// The variable that names a broker; it may hold a password.
pub const BROKER_VARIABLE: &str = "MQSAFE_BROKER";
/// The variable that names a context.
pub const CONTEXT_VARIABLE: &str = "MQSAFE_CONTEXT";

/// What was typed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Typed<'a> {
    /// `-b`.
    pub broker: Option<&'a str>,
    /// `-X`, in their order.
    pub properties: &'a [String],
    /// `-F`.
    pub config: Option<&'a str>,
    /// `-C`.
    pub context: Option<&'a str>,
    /// `--management`.
    pub management: Option<&'a str>,
}

/// A connection, and how it came to be.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// What to connect to.
    pub connection: Connection,
    /// Where the URL was given.
    pub broker: Origin,
    /// Where the management API was given.
    pub management: Option<Origin>,
    /// What was left out, for whoever asks with `-v`.
    pub notes: Vec<String>,
    /// A context that was not used, and why; for everybody.
    pub left_out: Option<String>,
}

/// A value that is fetched only when it counts: a command is not run for what somebody overrides.
struct Late {
    key: String,
    value: Value,
    origin: Origin,
    rank: usize,
}

const TYPED: usize = 0;
const FILE: usize = 1;
const ENVIRONMENT: usize = 2;
const CONTEXT: usize = 3;
const CONTEXT_FILE: usize = 4;

/// Finds the connection. `contexts` is asked only when a context may count.
///
/// # Errors
/// A usage problem that names the thing, its place and the next step, and never a secret.
pub fn resolve(
    typed: &Typed<'_>,
    around: &dyn Surroundings,
    contexts: &dyn Fn() -> Result<Contexts>,
) -> Result<Resolved> {
    Resolver {
        around,
        late: Vec::new(),
        brokers: Vec::new(),
        left_out: None,
    }
    .resolve(typed, contexts)
}

struct Resolver<'a> {
    around: &'a dyn Surroundings,
    late: Vec<Late>,
    /// Each place that names a broker, with the password of its URL.
    brokers: Vec<(BrokerUrl, Option<String>, Origin, usize)>,
    /// A context that would have counted for its own broker.
    left_out: Option<String>,
}

impl Resolver<'_> {
    fn resolve(mut self, typed: &Typed<'_>, contexts: &dyn Fn() -> Result<Contexts>) -> Result<Resolved> {
        let given = ClientProperties::parse(
            typed.properties,
            |path| {
                let bytes = self.around.file(path)?;
                String::from_utf8(bytes).map_err(|_| std::io::ErrorKind::InvalidData.into())
            },
            |name| self.around.variable(name),
        )?;
        for (key, value) in given.iter() {
            self.take(key, Value::Text(value.to_owned()), Origin::Property, TYPED);
        }
        if let Some(url) = typed.broker {
            self.brokers
                .push((BrokerUrl::parse(url)?, None, Origin::Flag("-b"), TYPED));
        }
        if let Some(path) = typed.config {
            self.file("-F", path, FILE)?;
        }
        if let Some(url) = self.around.variable(BROKER_VARIABLE) {
            let (url, password) = BrokerUrl::parse_with_password(&url)?;
            self.brokers
                .push((url, password, Origin::Environment(BROKER_VARIABLE), ENVIRONMENT));
        }
        let named = typed.context.map(str::to_owned);
        let context = self.context(named, contexts)?;
        self.brokers.sort_by_key(|(_, _, _, rank)| *rank);
        let Some((url, _, origin, _)) = self.brokers.first().cloned() else {
            return Err(Problem::usage("no broker is named").next(
                "give one with -b kafka://HOST:PORT, -F FILE with bootstrap.servers, -C CONTEXT or the environment's MQSAFE_BROKER",
            ));
        };
        // Whoever names the broker without its password means the same account.
        for (other, password, origin, rank) in std::mem::take(&mut self.brokers) {
            if let Some(password) = password.filter(|_| other == url) {
                self.take(password_property(url.kind()), Value::Text(password), origin, rank);
            }
        }
        let settings = fetch(self.late, self.around)?;
        let translated = translate::translate(url.kind(), settings, &|path| self.around.file(path))?;
        let management = match (typed.management, context.as_ref().and_then(|c| c.management.as_deref())) {
            (Some(typed), _) => Some((typed, Origin::Flag("--management"))),
            (None, Some(there)) => {
                let name = context.as_ref().map(|c| c.name.clone()).unwrap_or_default();
                Some((there, Origin::Context(name)))
            }
            (None, None) => None,
        };
        let mut connection = Connection {
            url,
            properties: translated.properties,
            management: None,
        };
        let mut management_origin = None;
        if let Some((text, origin)) = management {
            connection.management = Some(management_url(text)?);
            management_origin = Some(origin);
        }
        Ok(Resolved {
            connection,
            broker: origin,
            management: management_origin,
            notes: translated.notes,
            left_out: self.left_out,
        })
    }

    fn take(&mut self, key: &str, value: Value, origin: Origin, rank: usize) {
        // Two names of one thing must meet before the nearest is chosen.
        let key = if key == "sasl.mechanism" {
            "sasl.mechanisms"
        } else {
            key
        };
        self.late.push(Late {
            key: key.to_owned(),
            value,
            origin,
            rank,
        });
    }

    fn file(&mut self, flag: &str, path: &str, rank: usize) -> Result<()> {
        let bytes = self.around.file(path).map_err(|e| {
            Problem::usage(format!("cannot read {path} for {flag}"))
                .because(e)
                .next("check the path")
        })?;
        for line in file::read(path, bytes)? {
            match line.key.as_str() {
                "bootstrap.servers" | "metadata.broker.list" => {
                    let url = BrokerUrl::parse(&listeners(&line.value)).map_err(|p| {
                        Problem::usage(format!("{} ({}) names no brokers", line.key, line.origin)).because(p)
                    })?;
                    self.brokers.push((url, None, line.origin, rank));
                }
                _ => self.take(&line.key, Value::Text(line.value), line.origin, rank),
            }
        }
        Ok(())
    }

    /// The context that counts. One that is named on the command line counts for any broker. Any other one counts only where its own
    /// broker does: its password must not go to a broker that it was not made for.
    fn context(&mut self, named: Option<String>, contexts: &dyn Fn() -> Result<Contexts>) -> Result<Option<Context>> {
        let is_typed = named.is_some();
        let wanted = named.or_else(|| self.around.variable(CONTEXT_VARIABLE));
        let contexts = contexts()?;
        let Some(name) = wanted.or_else(|| contexts.current.clone()) else {
            return Ok(None);
        };
        let context = match contexts.get(&name) {
            Ok(context) => context.clone(),
            Err(_) if !is_typed && !self.brokers.is_empty() => return Ok(None),
            Err(problem) => return Err(problem),
        };
        let before = (self.brokers.len(), self.late.len());
        let origin = Origin::Context(name);
        if let Some(text) = &context.broker {
            let (url, password) = BrokerUrl::parse_with_password(text)
                .map_err(|p| Problem::usage(format!("the broker of {origin} cannot be read")).because(p))?;
            self.brokers.push((url, password, origin.clone(), CONTEXT));
        }
        if let Some(path) = &context.config_file {
            self.file(&format!("the config_file of {origin}"), path, CONTEXT_FILE)?;
        }
        let elsewhere = self.brokers.iter().take(before.0).min_by_key(|(_, _, _, rank)| *rank);
        let own = self.brokers.iter().skip(before.0).min_by_key(|(_, _, _, rank)| *rank);
        if let Some(elsewhere) = elsewhere
            && !is_typed
            && own.is_none_or(|own| own.0 != elsewhere.0)
        {
            self.brokers.truncate(before.0);
            self.late.truncate(before.1);
            self.left_out = Some(format!(
                "{origin} is not used: it is for another broker; name it with -C to use its settings all the same"
            ));
            return Ok(None);
        }
        // The password in its URL belongs to the broker that was named in another way, too.
        let password = own.and_then(|own| own.1.clone());
        let kind = self
            .brokers
            .iter()
            .min_by_key(|(_, _, _, rank)| *rank)
            .map(|(url, ..)| url.kind());
        let kind = kind.unwrap_or(BrokerKind::Kafka);
        if let Some(password) = password {
            self.take(password_property(kind), Value::Text(password), origin.clone(), CONTEXT);
        }
        for (key, value) in [
            (user_property(kind), &context.username),
            (password_property(kind), &context.password),
        ] {
            if let Some(value) = value {
                self.take(key, value.clone(), origin.clone(), CONTEXT);
            }
        }
        for (key, value) in &context.properties {
            self.take(key, value.clone(), origin.clone(), CONTEXT);
        }
        Ok(Some(context))
    }
}

/// The values that count, fetched.
fn fetch(late: Vec<Late>, around: &dyn Surroundings) -> Result<Vec<Setting>> {
    // Where one thing has two names in one URL and in its context, the last of the same rank counts, as in a file.
    let counts = |l: &Late| late.iter().filter(|o| o.key == l.key).map(|o| o.rank).min() == Some(l.rank);
    // Every variable that holds a secret is known before the first program is started, which then does not inherit it.
    for one in &late {
        if let Value::Environment(name) = &one.value {
            around.variable(name);
        }
    }
    let mut settings = Vec::new();
    for one in &late {
        // A key of this broker's that lies below another one is never fetched: the command behind it may ask a person.
        if !counts(one) && !matches!(one.value, Value::Text(_)) {
            continue;
        }
        let what = format!("{} ({})", one.key, one.origin);
        settings.push(Setting {
            key: one.key.clone(),
            value: one.value.fetch(&what, around)?,
            origin: one.origin.clone(),
            rank: one.rank,
        });
    }
    Ok(settings)
}

fn password_property(kind: BrokerKind) -> &'static str {
    match kind {
        BrokerKind::Kafka | BrokerKind::RabbitMq => "sasl.password",
        BrokerKind::RocketMq => "secret.key",
    }
}

fn user_property(kind: BrokerKind) -> &'static str {
    match kind {
        BrokerKind::Kafka | BrokerKind::RabbitMq => "sasl.username",
        BrokerKind::RocketMq => "access.key",
    }
}

/// librdkafka takes `SASL_SSL://host:port` in its list; the protocol is `security.protocol`'s to say.
pub(super) fn listeners(list: &str) -> String {
    let hosts: Vec<&str> = list
        .split(',')
        .map(|one| one.trim().split_once("://").map_or(one.trim(), |(_, host)| host))
        .filter(|one| !one.is_empty())
        .collect();
    hosts.join(",")
}

/// The base of RabbitMQ's management API, without user and password.
fn management_url(text: &str) -> Result<String> {
    let next = "write --management https://HOST:15671; user and password are those of the broker";
    let host = ["http://", "https://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    let Some(host) = host else {
        return Err(Problem::usage("the management URL is neither http:// nor https://").next(next));
    };
    if host.contains('@') {
        return Err(Problem::usage("the management URL holds a user or a password").next(next));
    }
    let authority = host.split('/').next().unwrap_or_default();
    let legal = |c: char| c.is_ascii_alphanumeric() || "-._[]:%".contains(c);
    if authority.is_empty() || !authority.chars().all(legal) || text.contains(['?', '#']) {
        return Err(Problem::usage("the management URL cannot be read").next(next));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
