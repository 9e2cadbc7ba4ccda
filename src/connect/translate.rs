//! Java's properties as librdkafka names them; what every broker's connection then reads.

use super::properties::{is_ours, is_secret};
use super::store::{self, Named};
use super::words::{Word, word};
use super::{BrokerKind, ClientProperties, Origin};
use crate::model::{Problem, Result};
use std::io;

/// One property as it was given. The value may be a secret, so there is no `Debug`.
pub(super) struct Setting {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) origin: Origin,
    /// How near to the person: the command line is 0. The nearest one counts.
    pub(super) rank: usize,
}

/// The properties, and what was left out on the way.
pub(super) struct Translated {
    pub(super) properties: ClientProperties,
    pub(super) notes: Vec<String>,
}

/// Names of which one excludes the others: a nearer certificate must not be joined with a farther key of the same kind.
const EXCLUSIVE: &[&[&str]] = &[
    &["ssl.ca.location", "ssl.ca.pem"],
    &["ssl.certificate.location", "ssl.certificate.pem"],
    &["ssl.key.location", "ssl.key.pem"],
    &["https.ca.location", "https.ca.pem"],
];

/// Keys for which Java takes -1 as "the system's own" or "never"; librdkafka takes the absence.
const MINUS_ONE: [&str; 3] = ["receive.buffer.bytes", "send.buffer.bytes", "connections.max.idle.ms"];

/// Translates what was given, the nearest first wins.
///
/// # Errors
/// A usage problem that names the property and its place, and never its value.
pub(super) fn translate(
    kind: BrokerKind,
    mut settings: Vec<Setting>,
    read_file: &dyn Fn(&str) -> io::Result<Vec<u8>>,
) -> Result<Translated> {
    settings.sort_by_key(|s| s.rank);
    let mut out = Out {
        kind,
        read_file,
        properties: ClientProperties::default(),
        ranks: Vec::new(),
        notes: Vec::new(),
    };
    for setting in &settings {
        let same = |other: &&Setting| other.key == setting.key;
        // The first is the nearest; in one file the last counts, as in Java and librdkafka.
        let nearest = settings
            .iter()
            .filter(same)
            .take_while(|s| s.rank <= first_rank(&settings, &setting.key))
            .last();
        if nearest.is_some_and(|n| std::ptr::eq(n, setting)) {
            out.one(setting, &settings)?;
        }
    }
    out.mechanism_as_the_broker_names_it();
    Ok(Translated {
        properties: out.properties,
        notes: out.notes,
    })
}

fn first_rank(settings: &[Setting], key: &str) -> usize {
    settings
        .iter()
        .filter(|s| s.key == key)
        .map(|s| s.rank)
        .min()
        .unwrap_or(0)
}

pub(super) struct Out<'a> {
    kind: BrokerKind,
    read_file: &'a dyn Fn(&str) -> io::Result<Vec<u8>>,
    properties: ClientProperties,
    ranks: Vec<(String, usize)>,
    notes: Vec<String>,
}

fn at(setting: &Setting) -> String {
    format!("{} ({})", setting.key, setting.origin)
}

pub(super) fn cannot(setting: &Setting, why: impl std::fmt::Display, next: impl Into<String>) -> Problem {
    Problem::usage(format!("{} cannot be used", at(setting)))
        .because(why)
        .next(next)
}

impl Out<'_> {
    /// Takes a property, unless a nearer one says the same.
    pub(super) fn put(&mut self, key: &str, value: impl Into<String>, from: &Setting) {
        let rivals = EXCLUSIVE
            .iter()
            .find(|group| group.contains(&key))
            .copied()
            .unwrap_or_default();
        let nearer = |(k, rank): &(String, usize)| (k == key || rivals.contains(&k.as_str())) && *rank < from.rank;
        if self.ranks.iter().any(nearer) {
            return;
        }
        // Of the same rank the one that is set by itself counts, and it comes in any order.
        if self.properties.get(key).is_some() && from.key != key {
            return;
        }
        self.ranks.push((key.to_owned(), from.rank));
        self.properties.set(key, value, from.origin.clone());
    }

    fn note(&mut self, setting: &Setting, why: &str) {
        self.notes.push(format!("{} is not used: {why}", at(setting)));
    }

    fn one(&mut self, setting: &Setting, all: &[Setting]) -> Result<()> {
        let key = setting.key.as_str();
        if setting.value.contains('\0') {
            return Err(cannot(setting, "its value holds a NUL", "correct the value"));
        }
        if is_ours(key) {
            // A file is written for other programs too; whoever writes for this one alone is told.
            if let Origin::File { .. } = setting.origin {
                self.note(setting, "the command sets it, because it decides what its answer means");
                return Ok(());
            }
            return Err(Problem::usage(format!("{} cannot be set", at(setting)))
                .because("the command sets it, because it decides what its answer means")
                .next("leave it out"));
        }
        // RabbitMQ and RocketMQ have heartbeats; a Kafka client has them with a group only.
        if self.kind != BrokerKind::Kafka && key == "heartbeat.interval.ms" {
            self.put(key, &setting.value, setting);
            return Ok(());
        }
        if self.kind == BrokerKind::Kafka && MINUS_ONE.contains(&key) && setting.value.trim() == "-1" {
            self.note(setting, "-1 leaves it to the client, as its absence does here");
            return Ok(());
        }
        match word(key) {
            None => self.put(key, &setting.value, setting),
            Some(Word::As(name)) => self.put(name, &setting.value, setting),
            Some(Word::Ignored(why)) => self.note(setting, why),
            Some(Word::Refused(next)) => {
                return Err(cannot(
                    setting,
                    "the clients here have nothing that does the same",
                    next,
                ));
            }
            Some(Word::Part) => self.part(setting, all)?,
        }
        Ok(())
    }

    fn part(&mut self, setting: &Setting, all: &[Setting]) -> Result<()> {
        let value = setting.value.trim();
        match setting.key.as_str() {
            "sasl.jaas.config" => self.login(setting)?,
            "ssl.truststore.location" => self.trust_store(setting, all)?,
            "ssl.keystore.location" => self.key_store(setting, all)?,
            "ssl.truststore.certificates" | "ssl.ca.pem" => self.pem(setting, "ssl.ca.pem")?,
            "ssl.keystore.certificate.chain" | "ssl.certificate.pem" => self.pem(setting, "ssl.certificate.pem")?,
            "ssl.keystore.key" | "ssl.key.pem" => self.pem(setting, "ssl.key.pem")?,
            // An empty value is Java's way to switch it off.
            "ssl.endpoint.identification.algorithm" if value.is_empty() => self.put(&setting.key, "none", setting),
            "ssl.endpoint.identification.algorithm" => self.put(&setting.key, value.to_ascii_lowercase(), setting),
            "ssl.enabled.protocols" | "ssl.protocol" => self.protocols(setting)?,
            "ssl.cipher.suites" if value.contains("_WITH_") || value.starts_with("TLS_") => {
                return Err(cannot(
                    setting,
                    "it names ciphers as Java does",
                    "leave it out, or give OpenSSL's names with -X ssl.cipher.suites=…",
                ));
            }
            // librdkafka gives this name to what it asks of the broker's own waiting.
            "request.timeout.ms" => match value.parse::<u64>() {
                Ok(ms) => self.put("socket.timeout.ms", ms.clamp(10, 300_000).to_string(), setting),
                Err(_) => return Err(cannot(setting, "it is not a number", "give milliseconds")),
            },
            "client.dns.lookup" if value == "default" => {}
            "sasl.login.callback.handler.class" | "sasl.oauthbearer.jwt.retriever.class" => self.handler(setting)?,
            "sasl.oauthbearer.header.urlencode" => self.put(&setting.key, value, setting),
            // The tokens are fetched here and not by librdkafka, whose own way needs another library.
            "sasl.oauthbearer.method" if value.eq_ignore_ascii_case("oidc") => {}
            "ssl.cipher.suites" | "client.dns.lookup" | "sasl.oauthbearer.method" => {
                self.put(&setting.key, value, setting)
            }
            // Read with the store that they belong to.
            _ => {}
        }
        Ok(())
    }

    fn protocols(&mut self, setting: &Setting) -> Result<()> {
        let named: Vec<String> = setting
            .value
            .split(',')
            .map(|p| p.trim().to_ascii_uppercase())
            .collect();
        let modern = |p: &String| matches!(p.as_str(), "TLSV1.2" | "TLSV1.3" | "TLS");
        if !named.iter().any(modern) {
            return Err(cannot(
                setting,
                "it allows nothing newer than TLS 1.1, which is broken",
                "allow TLSv1.2 or TLSv1.3; the broker must speak one of them",
            ));
        }
        self.note(setting, "TLS 1.2 and 1.3 are spoken, and nothing older");
        Ok(())
    }

    fn pem(&mut self, setting: &Setting, key: &str) -> Result<()> {
        let store = store::split(&setting.value)
            .map_err(|why| cannot(setting, why, "give certificates and keys in PEM form, each block whole"))?;
        let text = if key == "ssl.key.pem" {
            store.key
        } else {
            Some(store.trusted).filter(|t| !t.is_empty())
        };
        let text = text.ok_or_else(|| cannot(setting, "the PEM text holds something else", "check which is which"))?;
        self.put(key, text, setting);
        Ok(())
    }

    pub(super) fn read_store(&self, named: &Named<'_>) -> Result<store::Store> {
        let bytes = (self.read_file)(named.path).map_err(|e| {
            Problem::usage(format!("cannot read {} for {}", named.path, named.key))
                .because(e)
                .next("check the path")
        })?;
        store::read(named, &bytes)
    }

    fn trust_store(&mut self, setting: &Setting, all: &[Setting]) -> Result<()> {
        let value = |key: &str| nearest(all, key);
        let named = Named {
            key: &setting.key,
            path: setting.value.trim(),
            kind: value("ssl.truststore.type"),
            password: value("ssl.truststore.password"),
            key_password: None,
        };
        let store = self.read_store(&named)?;
        if store.trusted.is_empty() {
            return Err(cannot(
                setting,
                "the store holds no certificate that it trusts",
                "give the authority's certificate as a PEM file with type PEM, or import it with keytool -importcert",
            ));
        }
        self.put("ssl.ca.pem", store.trusted, setting);
        Ok(())
    }

    fn key_store(&mut self, setting: &Setting, all: &[Setting]) -> Result<()> {
        let value = |key: &str| nearest(all, key);
        let named = Named {
            key: &setting.key,
            path: setting.value.trim(),
            kind: value("ssl.keystore.type"),
            password: value("ssl.keystore.password"),
            key_password: value("ssl.key.password"),
        };
        let store = self.read_store(&named)?;
        let (Some(key), false) = (store.key, store.chain.is_empty()) else {
            return Err(cannot(
                setting,
                "the store does not hold a key with its certificate",
                "give the store of the client's own key",
            ));
        };
        self.put("ssl.certificate.pem", store.chain, setting);
        self.put("ssl.key.pem", key, setting);
        Ok(())
    }

    /// Kafka's client has one name for it, the other brokers the other.
    fn mechanism_as_the_broker_names_it(&mut self) {
        if self.kind != BrokerKind::Kafka
            && let Some((value, origin)) = self.properties.remove("sasl.mechanisms")
        {
            self.properties.set("sasl.mechanism", value, origin);
        }
    }
}

fn nearest<'a>(all: &'a [Setting], key: &str) -> Option<&'a str> {
    let rank = first_rank(all, key);
    all.iter()
        .rfind(|s| s.key == key && s.rank == rank)
        .map(|s| s.value.as_str())
}

/// A value for a person: secrets are not shown.
pub fn shown(key: &str, value: &str) -> String {
    if is_secret(key) {
        return "<secret>".to_owned();
    }
    match value.lines().next() {
        Some(first) if first.starts_with("-----BEGIN ") => format!("{first} …"),
        _ => value.to_owned(),
    }
}
