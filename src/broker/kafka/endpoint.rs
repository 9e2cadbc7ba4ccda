//! One topic of one cluster, before anything is published or read.

use super::config::{self, KafkaTarget};
use super::context::{Asking, LastError, Quiet, hear};
use super::create::{self, Made};
use super::handshake::{self, Handshake};
use super::publish::KafkaPublisher;
use super::raw;
use super::transact::KafkaTransactor;
use crate::model::{Deliver, Endpoint, How, Lanes, Publish, Result, Stage, Topology, Transact, Unreached};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::bindings::rd_kafka_resp_err_t as Code;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{IsError, KafkaError, RDKafkaErrorCode};
use rdkafka::producer::BaseProducer;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A batch may hold this much when the topic's limit is not known; librdkafka's own default, below every broker's default.
const BATCH_BYTES: u32 = 1_000_000;
/// Room for the batch header below the topic's limit (KIP-98: 61 bytes, and the length fields around it).
const BATCH_OVERHEAD_BYTES: u32 = 1024;
/// How long the question for a setting may take; the answer helps, and nothing depends on it.
pub(super) const SETTINGS: Duration = Duration::from_secs(2);
/// How long other brokers of the list get to answer after one refused: its certificate alone may have expired.
const OTHERS: Duration = Duration::from_secs(1);
/// Making a topic may take this long, also where a question may not: a controller writes it down first.
const MAKING: Duration = Duration::from_secs(15);
/// How long a topic may stay unknown before that is the answer: a topic made a moment ago is not on every broker yet.
const PROPAGATION: Duration = Duration::from_secs(2);

/// A Kafka topic to ask about and to publish to.
pub struct KafkaEndpoint {
    target: KafkaTarget,
    how: How,
    /// Whether it is published to, and not only asked about.
    publishes: bool,
    last_error: LastError,
    /// What a batch may hold, as soon as the broker has said it.
    limit: Mutex<Option<Receiver<Option<u32>>>>,
    made: Mutex<Option<String>>,
    /// Set by a transaction whose batch was refused for its size.
    too_large: Arc<AtomicBool>,
    asking: Mutex<Option<BaseConsumer<Asking>>>,
}

impl KafkaEndpoint {
    /// An endpoint. Nothing is connected yet, and the client has looked at every property.
    ///
    /// # Errors
    /// A usage problem that names the property which the client refuses.
    pub fn new(target: KafkaTarget) -> Result<KafkaEndpoint> {
        // Properties contradict each other only where a client is made; without addresses it connects to nothing.
        let unconnected = |mut config: ClientConfig| -> Result<()> {
            config.remove("bootstrap.servers");
            let client: std::result::Result<BaseProducer<Quiet>, KafkaError> = config.create_with_context(Quiet);
            client.map(drop).map_err(|e| config::refused(&e, &target.properties))
        };
        unconnected(target.producer(BATCH_BYTES, false, How::default()))?;
        checked(&target)?;
        Ok(KafkaEndpoint {
            target,
            how: How::default(),
            publishes: false,
            limit: Mutex::new(None),
            last_error: LastError::default(),
            made: Mutex::new(None),
            too_large: Arc::default(),
            asking: Mutex::new(None),
        })
    }

    /// Publishes in this way from now on.
    #[must_use]
    pub fn publishing(self, how: How) -> KafkaEndpoint {
        KafkaEndpoint {
            how,
            publishes: true,
            ..self
        }
    }

    /// Makes the topic as it was asked for, and says with how many partitions it is there. Somebody else may have made it meanwhile.
    fn make(&self, patience: Duration) -> std::result::Result<Topology, Unreached> {
        let create = self.how.create.unwrap_or_default();
        let topic = self.target.topic.as_str();
        let by_us = match create::topic(&self.target, create, patience)? {
            Made::Yes => true,
            Made::WasThere => false,
            Made::Denied(why) => return Ok(Topology::Denied(why)),
            Made::Cannot(why) => return Ok(Topology::CannotMake(why)),
        };
        if by_us {
            self.say_made(format!("topic {topic} was not there and was made"));
        }
        let (partitions, replicas) = create::await_leaders(&self.target, patience)?;
        if by_us {
            self.say_made(format!(
                "topic {topic} was not there and was made: {partitions} partitions, {replicas} replicas"
            ));
        }
        Ok(Topology::Known(Lanes::Partitions(partitions)))
    }

    /// Asks for the limit of a topic that is there, on a thread of its own: whoever waits for the answer need not wait until the
    /// client that asked is taken down. Not before the first answer, because each client that is refused is a failed login.
    fn ask_for_limit(&self) {
        if !self.publishes {
            return;
        }
        let (sender, receiver) = channel();
        let target = self.target.clone();
        let ask = move || {
            topic_config_to(&target, "max.message.bytes", SETTINGS, |value| {
                // Whoever asked may have gone on without it.
                let _ = sender.send(value.and_then(|bytes| bytes.parse().ok()));
            })
        };
        if std::thread::Builder::new().name("limit".to_owned()).spawn(ask).is_ok() {
            *self.limit.lock().unwrap_or_else(|e| e.into_inner()) = Some(receiver);
        }
    }

    fn say_made(&self, words: String) {
        *self.made.lock().unwrap_or_else(|e| e.into_inner()) = Some(words);
    }

    /// What a batch may hold: below the topic's own limit, where the user may read it.
    fn batch_bytes(&self) -> u32 {
        let asked = self.limit.lock().unwrap_or_else(|e| e.into_inner()).take();
        let limit = match asked {
            Some(answer) => answer.recv_timeout(SETTINGS).unwrap_or(None),
            None => message_limit(&self.target),
        };
        limit.map_or(BATCH_BYTES, |bytes| {
            bytes.saturating_sub(BATCH_OVERHEAD_BYTES).clamp(1024, BATCH_BYTES)
        })
    }
}

/// Whether the client that asks and reads takes every property. Nothing is connected.
///
/// # Errors
/// A usage problem that names the property which the client refuses.
pub(super) fn checked(target: &KafkaTarget) -> Result<()> {
    for mut config in [target.asking(), target.consumer(false)] {
        config.remove("bootstrap.servers");
        // Leaving a group takes a tenth of a second, also where nobody ever joined it.
        config.remove("group.id");
        let client: std::result::Result<BaseConsumer, KafkaError> = config.create();
        client.map(drop).map_err(|e| config::refused(&e, &target.properties))?;
    }
    Ok(())
}

/// Whether the client that asks and reads knows every property and takes its value; that they fit together shows [`checked`]. No
/// client is made, which costs threads and milliseconds.
///
/// # Errors
/// A usage problem that names the property which the client refuses.
pub(super) fn worded(target: &KafkaTarget) -> Result<()> {
    for config in [target.asking(), target.consumer(false)] {
        let native = config.create_native_config();
        native.map(drop).map_err(|e| config::refused(&e, &target.properties))?;
    }
    Ok(())
}

/// What one metadata answer says about a topic; `None` when it must be asked again.
fn read_topology(error: Option<Code>, partitions: usize) -> Option<Topology> {
    let Some(error) = error.filter(|e| e.is_error()) else {
        return i32::try_from(partitions)
            .ok()
            .filter(|n| *n > 0)
            .map(|partitions| Topology::Known(Lanes::Partitions(partitions)));
    };
    let words = || RDKafkaErrorCode::from(error).to_string();
    if error == Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || error == Code::RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION {
        return Some(Topology::NoSuchTopic);
    }
    let denied = [
        Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        Code::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
    ];
    denied.contains(&error).then(|| Topology::Denied(words()))
}

impl Endpoint for KafkaEndpoint {
    fn topology(&self, timeout: Duration) -> std::result::Result<Topology, Unreached> {
        let mut asking = self.asking.lock().unwrap_or_else(|e| e.into_inner());
        let client = match asking.take() {
            Some(client) => client,
            None => {
                let context = Asking::new(&self.target, self.last_error.clone());
                self.target
                    .asking()
                    .create_with_context(context)
                    .map_err(|e| Unreached::new(config::refused(&e, &self.target.properties).to_string()))?
            }
        };
        let client: &BaseConsumer<Asking> = asking.insert(client);
        let (start, topic) = (Instant::now(), self.target.topic.as_str());
        let is_alone = self.target.broker.hosts().len() == 1;
        // Before the first question there is nothing to hear but that a token is wanted.
        let mut hears = self.target.tokens.is_some();
        loop {
            let left = timeout.saturating_sub(start.elapsed()).max(Duration::from_millis(10));
            if std::mem::replace(&mut hears, true) {
                hear(client);
            }
            let answer = match client.fetch_metadata(Some(topic), left.min(Duration::from_millis(500))) {
                Ok(metadata) => {
                    let topic = metadata.topics().iter().find(|t| t.name() == topic);
                    topic.and_then(|t| read_topology(t.error(), t.partitions().len()))
                }
                Err(e) => {
                    hear(client);
                    tracing::debug!("metadata: {e}");
                    None
                }
            };
            match answer {
                Some(Topology::NoSuchTopic) if self.how.create.is_some() => return self.make(timeout.max(MAKING)),
                Some(Topology::NoSuchTopic) if start.elapsed() < PROPAGATION.min(timeout) => {}
                Some(known) => {
                    if let Topology::Known(_) = known {
                        self.ask_for_limit();
                    }
                    return Ok(known);
                }
                // The client would go on asking with what was refused.
                None if self.last_error.unreached().is_refusal()
                    && (is_alone || start.elapsed() >= OTHERS.min(timeout)) =>
                {
                    *asking = None;
                    return Err(explained(self.last_error.take(), &self.target));
                }
                None if start.elapsed() >= timeout => {
                    return Err(self.last_error.unreached());
                }
                None => {}
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn publisher(&self, deliver: Deliver) -> Result<Box<dyn Publish>> {
        // It connects while the answer about the limit is awaited; hardly any topic has a small one.
        let mut publisher = KafkaPublisher::new(
            self.target.clone(),
            BATCH_BYTES,
            self.how,
            self.last_error.clone(),
            deliver,
        )?;
        publisher.limit_batches(self.batch_bytes())?;
        Ok(Box::new(publisher))
    }

    fn transactor(&self, name: &str, deliver: Deliver) -> Result<Option<Box<dyn Transact>>> {
        let transactor = KafkaTransactor::new(
            self.target.clone(),
            self.batch_bytes(),
            name,
            self.last_error.clone(),
            deliver,
            Arc::clone(&self.too_large),
        )?;
        Ok(Some(Box::new(transactor)))
    }

    fn last_error(&self) -> Option<String> {
        self.last_error.get()
    }

    fn made(&self) -> Option<String> {
        self.made.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }
}

/// A refusal of the broker's certificate, with the reason that librdkafka does not give.
fn explained(why: Unreached, target: &KafkaTarget) -> Unreached {
    if why.stage != Some(Stage::Tls) || !why.why.contains("certificate verify failed") {
        return why;
    }
    let hosts = target.broker.hosts().iter();
    let bad = hosts.map(|host| (host, handshake::shake(host, &target.properties, SETTINGS)));
    let found = bad.into_iter().find_map(|(host, shaken)| match shaken {
        Handshake::Bad(reason) => Some(format!("{host}: {reason}")),
        Handshake::Good | Handshake::None => None,
    });
    found.map_or(why, |reason| Unreached::at(Stage::Tls, reason))
}

/// Whether old values of a topic's keys are removed by compaction, so that holes are no loss; `None` when the broker would not
/// say within `patience`.
pub(super) fn is_compacted(target: &KafkaTarget, patience: Duration) -> Option<bool> {
    topic_config(target, "cleanup.policy", patience).map(|policy| policy.contains("compact"))
}

/// The value of a topic setting; `None` when the broker would not say (DESCRIBE_CONFIGS is a right of its own), or not in time:
/// whoever asks must do without.
fn topic_config(target: &KafkaTarget, name: &str, patience: Duration) -> Option<String> {
    let mut found = None;
    topic_config_to(target, name, patience, |value| found = value);
    found
}

fn message_limit(target: &KafkaTarget) -> Option<u32> {
    topic_config(target, "max.message.bytes", SETTINGS)?.parse().ok()
}

/// The same, told before the client is taken down, which takes a tenth of a second.
fn topic_config_to(target: &KafkaTarget, name: &str, patience: Duration, tell: impl FnOnce(Option<String>)) {
    let client = asking_admin(target);
    tell(
        client
            .as_ref()
            .and_then(|client| described(client, target, name, patience)),
    );
}

fn asking_admin(target: &KafkaTarget) -> Option<AdminClient<Asking>> {
    let context = Asking::new(target, LastError::default());
    let admin: AdminClient<Asking> = target.asking().create_with_context(context).ok()?;
    // This kind of client never asks for a token.
    if let Some(tokens) = &target.tokens {
        raw::set_token(admin.inner(), &tokens.get().ok()?).ok()?;
    }
    Some(admin)
}

fn described(admin: &AdminClient<Asking>, target: &KafkaTarget, name: &str, patience: Duration) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .ok()?;
    // Any broker answers for a topic. Without one named the client waits for the controller, which not every cluster tells of.
    let metadata = admin.inner().fetch_metadata(Some(&target.topic), patience).ok()?;
    let broker = metadata.brokers().first()?.id();
    let options = AdminOptions::new().request_timeout(Some(patience)).broker_id(broker);
    let topic = [ResourceSpecifier::Topic(&target.topic)];
    let asked =
        runtime.block_on(async { tokio::time::timeout(patience, admin.describe_configs(&topic, &options)).await });
    let described = asked.ok()?.ok()?.into_iter().next()?.ok()?;
    described.get(name)?.value.clone()
}
