//! Making a topic, for whoever asked for it.

use super::config::{self, KafkaTarget};
use super::context::{Asking, LastError};
use super::raw;
use crate::model::{Create, Unreached};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::RDKafkaErrorCode;
use std::time::{Duration, Instant};

/// What leaves the number to the broker (KIP-464, Kafka 2.4).
const ITS_OWN: i32 = -1;
const AGAIN: Duration = Duration::from_millis(50);

/// What became of the wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Made {
    /// It was made.
    Yes,
    /// Somebody else was faster.
    WasThere,
    /// This user may not make it.
    Denied(String),
    /// Nobody can make it like this.
    Cannot(String),
}

/// What the controller's answer means; `None` when asking again may help.
fn judge(code: RDKafkaErrorCode) -> Option<Made> {
    use RDKafkaErrorCode as Code;
    let denied = [Code::TopicAuthorizationFailed, Code::ClusterAuthorizationFailed];
    let wrong = [
        Code::InvalidTopic,
        Code::InvalidPartitions,
        // More replicas than brokers. Those that are down are no reason: they stay registered.
        Code::InvalidReplicationFactor,
        Code::InvalidReplicaAssignment,
        Code::InvalidConfig,
        Code::InvalidRequest,
        Code::PolicyViolation,
        Code::UnsupportedVersion,
    ];
    if code == Code::TopicAlreadyExists {
        return Some(Made::WasThere);
    }
    if denied.contains(&code) {
        return Some(Made::Denied(format!("it may not be created: {code}")));
    }
    wrong.contains(&code).then(|| Made::Cannot(code.to_string()))
}

fn unreached(error: impl std::fmt::Display) -> Unreached {
    Unreached::new(format!("the topic could not be made: {error}"))
}

/// Makes the topic of a target.
///
/// # Errors
/// When no controller answered in time, or with something that may heal; it can be asked again.
pub(super) fn topic(target: &KafkaTarget, create: Create, patience: Duration) -> Result<Made, Unreached> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(unreached)?;
    let admin = admin(target)?;
    let options = AdminOptions::new()
        .request_timeout(Some(patience))
        .operation_timeout(Some(patience));
    let partitions = create.partitions.unwrap_or(ITS_OWN);
    let replicas = create.replicas.map_or(ITS_OWN, i32::from);
    let new = NewTopic::new(&target.topic, partitions, TopicReplication::Fixed(replicas));
    let asked = runtime.block_on(async { tokio::time::timeout(patience, admin.create_topics([&new], &options)).await });
    let answer = match asked {
        Err(_) => return Err(unreached("no controller answered")),
        Ok(Err(e)) => match e.rdkafka_error_code().and_then(judge) {
            Some(made) => return Ok(made),
            None => return Err(unreached(e)),
        },
        Ok(Ok(answer)) => answer,
    };
    match answer.into_iter().next() {
        Some(Ok(_)) => Ok(Made::Yes),
        Some(Err((_, code))) => judge(code).ok_or_else(|| unreached(code)),
        None => Err(unreached("the answer names no topic")),
    }
}

/// Waits until every partition of a new topic has a leader, and says how many partitions and replicas there are.
///
/// # Errors
/// When they have none in time.
pub(super) fn await_leaders(target: &KafkaTarget, patience: Duration) -> Result<(i32, usize), Unreached> {
    let admin = admin(target)?;
    let start = Instant::now();
    loop {
        let left = patience
            .saturating_sub(start.elapsed())
            .clamp(AGAIN, Duration::from_secs(1));
        let metadata = admin.inner().fetch_metadata(Some(&target.topic), left);
        if let Ok(metadata) = metadata
            && let Some(topic) = metadata.topics().iter().find(|t| t.name() == target.topic)
            && topic.error().is_none()
            && let partitions = topic.partitions()
            && let Some(first) = partitions.first()
            && partitions.iter().all(|p| p.leader() >= 0)
        {
            return Ok((partitions.len() as i32, first.replicas().len()));
        }
        if start.elapsed() >= patience {
            return Err(unreached("it was made, and its partitions get no leader"));
        }
        std::thread::sleep(AGAIN);
    }
}

fn admin(target: &KafkaTarget) -> Result<AdminClient<Asking>, Unreached> {
    let context = Asking::new(target, LastError::default());
    let admin: AdminClient<Asking> = target
        .asking()
        .create_with_context(context)
        .map_err(|e| Unreached::new(config::refused(&e, &target.properties).to_string()))?;
    // This kind of client never asks for a token.
    if let Some(tokens) = &target.tokens {
        raw::set_token(admin.inner(), &tokens.get().map_err(unreached)?).map_err(unreached)?;
    }
    Ok(admin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_heal_is_asked_again() {
        use RDKafkaErrorCode as Code;
        assert_eq!(judge(Code::TopicAlreadyExists), Some(Made::WasThere));
        assert!(matches!(judge(Code::TopicAuthorizationFailed), Some(Made::Denied(_))));
        assert!(matches!(judge(Code::InvalidReplicationFactor), Some(Made::Cannot(_))));
        for code in [Code::NotController, Code::RequestTimedOut, Code::BrokerTransportFailure] {
            assert_eq!(judge(code), None, "{code:?}");
        }
    }
}
