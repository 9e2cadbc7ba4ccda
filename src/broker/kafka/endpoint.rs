//! One topic of one cluster, before anything is published or read.

use super::config::{self, KafkaTarget};
use super::context::{Asking, LastError};
use super::publish::KafkaPublisher;
use crate::model::{Endpoint, Publish, Report, Result, Topology};
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::bindings::rd_kafka_resp_err_t as Code;
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{IsError, RDKafkaErrorCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A batch may hold this much when the topic's limit is not known; librdkafka's own default, below every broker's default.
const BATCH_BYTES: u32 = 1_000_000;
/// Room for the batch header below the topic's limit (KIP-98: 61 bytes, and the length fields around it).
const BATCH_OVERHEAD_BYTES: u32 = 1024;
/// How long a topic may stay unknown before that is the answer: a topic made a moment ago is not on every broker yet.
const PROPAGATION: Duration = Duration::from_secs(2);

/// A Kafka topic to ask about and to publish to.
pub struct KafkaEndpoint {
    target: KafkaTarget,
    last_error: LastError,
    asking: Mutex<Option<BaseConsumer<Asking>>>,
    batch_bytes: AtomicU32,
}

impl KafkaEndpoint {
    /// An endpoint; nothing is connected yet.
    pub fn new(target: KafkaTarget) -> KafkaEndpoint {
        let (last_error, asking) = (LastError::default(), Mutex::new(None));
        KafkaEndpoint {
            target,
            last_error,
            asking,
            batch_bytes: AtomicU32::new(BATCH_BYTES),
        }
    }

    /// The topic's own limit on a batch, where the user may read it; the default otherwise.
    fn learn_batch_limit(&self, timeout: Duration) {
        let limit = topic_config(&self.target, &["max.message.bytes"], timeout);
        if let Some(bytes) = limit
            .into_iter()
            .flatten()
            .next()
            .flatten()
            .and_then(|v| v.parse::<u32>().ok())
        {
            let batch = bytes.saturating_sub(BATCH_OVERHEAD_BYTES).clamp(1024, BATCH_BYTES);
            self.batch_bytes.store(batch, Ordering::Relaxed);
        }
    }
}

/// What one metadata answer says about a topic; `None` when it must be asked again.
fn read_topology(error: Option<Code>, partitions: usize) -> Option<Topology> {
    let Some(error) = error.filter(|e| e.is_error()) else {
        return i32::try_from(partitions)
            .ok()
            .filter(|n| *n > 0)
            .map(|partitions| Topology::Known { partitions });
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
    fn topology(&self, timeout: Duration) -> std::result::Result<Topology, String> {
        let mut asking = self.asking.lock().unwrap_or_else(|e| e.into_inner());
        let client = match asking.take() {
            Some(client) => client,
            None => {
                let context = Asking {
                    last_error: self.last_error.clone(),
                };
                self.target
                    .asking()
                    .create_with_context(context)
                    .map_err(|e| config::refused(&e).to_string())?
            }
        };
        let client: &BaseConsumer<Asking> = asking.insert(client);
        let (start, topic) = (Instant::now(), self.target.topic.as_str());
        loop {
            let left = timeout.saturating_sub(start.elapsed()).max(Duration::from_millis(10));
            // Errors are queued until somebody polls.
            let _ = client.poll(Duration::ZERO);
            let answer = match client.fetch_metadata(Some(topic), left.min(Duration::from_millis(500))) {
                Ok(metadata) => {
                    let topic = metadata.topics().iter().find(|t| t.name() == topic);
                    topic.and_then(|t| read_topology(t.error(), t.partitions().len()))
                }
                Err(e) => {
                    let _ = client.poll(Duration::ZERO);
                    tracing::debug!("metadata: {e}");
                    None
                }
            };
            match answer {
                Some(Topology::NoSuchTopic) if start.elapsed() < PROPAGATION.min(timeout) => {}
                Some(known @ Topology::Known { .. }) => {
                    self.learn_batch_limit(Duration::from_secs(3));
                    return Ok(known);
                }
                Some(other) => return Ok(other),
                None if start.elapsed() >= timeout => {
                    return Err(self.last_error().unwrap_or_else(|| "no broker answered".to_owned()));
                }
                None => {}
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn publisher(&self, report: Report) -> Result<Box<dyn Publish>> {
        let batch_bytes = self.batch_bytes.load(Ordering::Relaxed);
        let publisher = KafkaPublisher::new(self.target.clone(), batch_bytes, self.last_error.clone(), report)?;
        Ok(Box::new(publisher))
    }

    fn last_error(&self) -> Option<String> {
        self.last_error.get()
    }
}

/// Values of topic settings in the order of `names`; `None` when the broker would not say (DESCRIBE_CONFIGS is a right of its own).
pub(super) fn topic_config(target: &KafkaTarget, names: &[&str], timeout: Duration) -> Option<Vec<Option<String>>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .ok()?;
    let admin: AdminClient<DefaultClientContext> = target.asking().create().ok()?;
    let options = AdminOptions::new().request_timeout(Some(timeout));
    let topic = [ResourceSpecifier::Topic(&target.topic)];
    let asked =
        runtime.block_on(async { tokio::time::timeout(timeout, admin.describe_configs(&topic, &options)).await });
    let described = asked.ok()?.ok()?;
    let resource = described.into_iter().next()?.ok()?;
    Some(
        names
            .iter()
            .map(|name| resource.get(name).and_then(|entry| entry.value.clone()))
            .collect(),
    )
}
