//! Topics of a drill on a real test cluster: made for it, looked at, and removed after it.

use super::config::KafkaTarget;
use crate::model::{Problem, Result};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::time::{Duration, Instant};

const ASK: Duration = Duration::from_secs(90);

/// Who holds partition 0 of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// The leader's broker id; negative when there is none.
    pub leader: i32,
    /// All replicas.
    pub replicas: Vec<i32>,
    /// Those in sync.
    pub in_sync: Vec<i32>,
}

fn failed(what: &str, error: impl std::fmt::Display) -> Problem {
    Problem::unknown(what)
        .because(error)
        .next("the drill needs a test cluster on which it may create and delete topics")
}

fn admin(target: &KafkaTarget) -> Result<(tokio::runtime::Runtime, AdminClient<DefaultClientContext>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.map_err(|e| failed("cannot ask the cluster", e))?;
    let admin = target
        .asking()
        .create()
        .map_err(|e: KafkaError| failed("cannot ask the cluster", e))?;
    Ok((runtime, admin))
}

/// Makes a topic of one partition with these settings, and waits until it has a leader.
///
/// # Errors
/// When the cluster refuses it or does not answer.
pub fn create(target: &KafkaTarget, replicas: i32, settings: &[(&str, &str)]) -> Result<()> {
    let (runtime, admin) = admin(target)?;
    let mut topic = NewTopic::new(&target.topic, 1, TopicReplication::Fixed(replicas));
    for (key, value) in settings {
        topic = topic.set(key, value);
    }
    let options = AdminOptions::new()
        .request_timeout(Some(ASK))
        .operation_timeout(Some(ASK));
    let made = runtime.block_on(admin.create_topics([&topic], &options));
    let refused = |code: RDKafkaErrorCode| failed(&format!("cannot create topic {}", target.topic), code);
    let made = made.map_err(|e| failed(&format!("cannot create topic {}", target.topic), e))?;
    if let Some(Err((_, code))) = made.into_iter().next() {
        return Err(refused(code));
    }
    let start = Instant::now();
    while placement(target).is_none_or(|p| p.leader < 0 || p.in_sync.len() < p.replicas.len()) {
        if start.elapsed() > ASK {
            return Err(failed(&format!("topic {} gets no leader", target.topic), "waited 20 s"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Removes a topic of the drill; a cluster that refuses keeps it, which is only untidy.
pub fn delete(target: &KafkaTarget) {
    if let Ok((runtime, admin)) = admin(target) {
        let options = AdminOptions::new()
            .request_timeout(Some(ASK))
            .operation_timeout(Some(ASK));
        if let Err(e) = runtime.block_on(admin.delete_topics(&[&target.topic], &options)) {
            tracing::warn!("topic {} was not deleted: {e}", target.topic);
        }
    }
}

/// Who holds partition 0, as the cluster says now; `None` when it does not say.
pub fn placement(target: &KafkaTarget) -> Option<Placement> {
    let client: BaseConsumer = target.asking().create().ok()?;
    let metadata = client
        .fetch_metadata(Some(&target.topic), Duration::from_secs(5))
        .ok()?;
    let topic = metadata.topics().first()?;
    let partition = topic.partitions().first()?;
    Some(Placement {
        leader: partition.leader(),
        replicas: partition.replicas().to_vec(),
        in_sync: partition.isr().to_vec(),
    })
}
