//! `-X key=value`: client properties that are passed through.

use super::Origin;
use crate::model::{Problem, Result};
use std::collections::BTreeMap;
use std::fmt;

/// Client properties by name, each with its place. Secret values never show in `Debug`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ClientProperties(BTreeMap<String, (String, Origin)>);

/// Properties whose value is a secret and whose name does not end in a word that says so (librdkafka CONFIGURATION.md, Kafka's
/// `SslConfigs`, RocketMQ's `SessionCredentials`).
const SECRET: [&str; 6] = [
    "ssl.key.pem",
    "ssl.keystore.key",
    "sasl.oauthbearer.config",
    "sasl.jaas.config",
    "secret.key",
    "sasl.oauthbearer.assertion.private.key.pem",
];

/// Properties that decide what an acknowledgement means; the commands set them and nobody else.
const OURS: [&str; 27] = [
    "acks",
    "request.required.acks",
    "enable.idempotence",
    "transactional.id",
    "message.timeout.ms",
    "delivery.timeout.ms",
    "retries",
    "message.send.max.retries",
    "allow.auto.create.topics",
    "delivery.report.only.error",
    "enable.gapless.guarantee",
    "isolation.level",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "auto.offset.reset",
    "group.id",
    "bootstrap.servers",
    "metadata.broker.list",
    "test.mock.num.brokers",
    "batch.size",
    "batch.num.messages",
    "message.max.bytes",
    "queue.buffering.max.messages",
    "queue.buffering.max.kbytes",
    "check.crcs",
    "enable.partition.eof",
    "queued.max.messages.kbytes",
];

impl ClientProperties {
    /// Reads `-X` arguments. A secret is given as `@FILE` or `env:NAME`, because the command line is public in `ps`.
    /// `read_file` and `read_env` are the caller's way to them.
    ///
    /// # Errors
    /// A usage problem that names the key and never its value.
    pub fn parse(
        arguments: &[String],
        read_file: impl Fn(&str) -> std::io::Result<String>,
        read_env: impl Fn(&str) -> Option<String>,
    ) -> Result<ClientProperties> {
        let mut properties = BTreeMap::new();
        for argument in arguments {
            let Some((key, value)) = argument.split_once('=') else {
                return Err(Problem::usage("a -X argument is not KEY=VALUE").next("write -X linger.ms=20"));
            };
            let key = key.trim();
            if is_ours(key) {
                return Err(Problem::usage(format!("-X {key} cannot be set"))
                    .because("this command sets it, because it decides what its answer means")
                    .next("leave it out; for the broker list use -b"));
            }
            let value = if is_secret(key) {
                secret(key, value, &read_file, &read_env)?
            } else {
                value.to_owned()
            };
            properties.insert(key.to_owned(), (value, Origin::Property));
        }
        Ok(ClientProperties(properties))
    }

    /// The value of one property, secret or not.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|(value, _)| value.as_str())
    }

    /// Where one property was given.
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.0.get(key).map(|(_, origin)| origin)
    }

    /// Sets one property.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>, origin: Origin) {
        self.0.insert(key.into(), (value.into(), origin));
    }

    /// Takes one property out.
    pub fn remove(&mut self, key: &str) -> Option<(String, Origin)> {
        self.0.remove(key)
    }

    /// The text without any secret value that stands in it: words of a client or of a broker may repeat what they were given.
    pub fn without_secrets(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (key, value) in self.iter() {
            // A very short value stands in every text, and guessing it is easier than reading it here.
            if is_secret(key) && value.len() > 3 {
                text = text.replace(value, "<secret>");
            }
        }
        text
    }

    /// All properties, secrets included, for the client that needs them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, (v, _))| (k.as_str(), v.as_str()))
    }
}

impl fmt::Debug for ClientProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |k: &str, v: &str| {
            if is_secret(k) {
                "<secret>".to_owned()
            } else {
                v.to_owned()
            }
        };
        f.debug_map()
            .entries(self.iter().map(|(k, v)| (k, shown(k, v))))
            .finish()
    }
}

/// Whether a property decides what an answer means, so that only the commands set it.
pub(super) fn is_ours(key: &str) -> bool {
    OURS.contains(&key)
}

/// Whether the value of this property must never be shown.
pub fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SECRET.contains(&key.as_str())
        || ["password", "passphrase", "passwd", "pasword", "pwd", "secret", "token"]
            .iter()
            .any(|word| key.ends_with(word))
}

fn secret(
    key: &str,
    value: &str,
    read_file: impl Fn(&str) -> std::io::Result<String>,
    read_env: impl Fn(&str) -> Option<String>,
) -> Result<String> {
    if let Some(path) = value.strip_prefix('@') {
        let text = read_file(path).map_err(|e| {
            Problem::usage(format!("cannot read {path} for -X {key}"))
                .because(e)
                .next("check the path")
        })?;
        return Ok(text
            .strip_suffix('\n')
            .map(|t| t.strip_suffix('\r').unwrap_or(t))
            .unwrap_or(&text)
            .to_owned());
    }
    if let Some(name) = value.strip_prefix("env:") {
        return read_env(name).ok_or_else(|| {
            Problem::usage(format!("-X {key}: the environment has no {name}")).next(format!("export {name} first"))
        });
    }
    Err(Problem::usage(format!(
        "-X {key} holds a secret on the command line, where every user of this machine can read it"
    ))
    .next(format!("write -X {key}=@FILE or -X {key}=env:NAME")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<ClientProperties> {
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        let file = |path: &str| match path {
            "pw" => Ok("hunter2\n".to_owned()),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        };
        ClientProperties::parse(&arguments, file, |name| (name == "PW").then(|| "hunter2".to_owned()))
    }

    #[test]
    fn secrets_come_from_elsewhere_and_never_show() {
        for good in ["sasl.password=@pw", "sasl.password=env:PW"] {
            let properties = parse(&[good]).unwrap();
            assert_eq!(properties.iter().next(), Some(("sasl.password", "hunter2")));
            assert!(!format!("{properties:?}").contains("hunter2"));
        }
        for bad in [
            "sasl.password=hunter2",
            "ssl.key.password=hunter2",
            "some.new.secret=hunter2",
            "hunter2",
        ] {
            let problem = parse(&[bad]).unwrap_err();
            assert!(!format!("{problem:?}").contains("hunter2"), "{bad}");
        }
        assert!(parse(&["sasl.password=@nowhere"]).is_err());
        assert!(parse(&["sasl.password=env:NOWHERE"]).is_err());
    }

    #[test]
    fn what_an_answer_means_is_not_negotiable() {
        for ours in [
            "acks=0",
            "metadata.broker.list=elsewhere:1",
            "test.mock.num.brokers=1",
            "batch.size=1",
        ] {
            assert!(parse(&[ours]).is_err(), "{ours}");
        }
        assert!(parse(&["linger.ms=20"]).is_ok());
    }
}
