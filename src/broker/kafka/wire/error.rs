//! Kafka's error codes, in words. The numbers are those of the protocol's guide, "Error Codes".

use kafka_protocol::error::ResponseError as Code;

/// What an error code means, for a person.
pub(in crate::broker::kafka) fn words(code: i16) -> String {
    let known = [
        (Code::TopicAuthorizationFailed, "not allowed to read this topic"),
        (
            Code::ClusterAuthorizationFailed,
            "not allowed to do this on the cluster",
        ),
        (
            Code::UnknownTopicOrPartition,
            "the broker knows no such topic or partition",
        ),
        (Code::LeaderNotAvailable, "there is no leader"),
        (Code::NotLeaderOrFollower, "the leader has moved"),
        (Code::CorruptMessage, "the broker finds its log damaged"),
        (Code::KafkaStorageError, "the broker cannot read its disk"),
        (
            Code::OffsetNotAvailable,
            "the new leader does not yet know how far its log is good",
        ),
        (
            Code::UnsupportedSaslMechanism,
            "the broker does not support this SASL mechanism",
        ),
    ];
    match known.iter().find(|(c, _)| c.code() == code) {
        Some((_, words)) => (*words).to_owned(),
        None => match Code::try_from_code(code) {
            Some(code) => code.to_string(),
            None => format!("error {code}"),
        },
    }
}

fn is_one(code: i16, of: &[Code]) -> bool {
    of.iter().any(|c| c.code() == code)
}

/// Whether this user may not read it, however long one waits.
pub(in crate::broker::kafka) fn is_denied(code: i16) -> bool {
    is_one(
        code,
        &[Code::TopicAuthorizationFailed, Code::ClusterAuthorizationFailed],
    )
}

/// Whether another broker may answer, or this one a little later.
pub(in crate::broker::kafka) fn is_moved(code: i16) -> bool {
    is_one(
        code,
        &[
            Code::NotLeaderOrFollower,
            Code::LeaderNotAvailable,
            Code::ReplicaNotAvailable,
            Code::UnknownTopicOrPartition,
            Code::UnknownTopicId,
            Code::InconsistentTopicId,
            Code::FencedLeaderEpoch,
            Code::UnknownLeaderEpoch,
            Code::OffsetNotAvailable,
            Code::KafkaStorageError,
            Code::RequestTimedOut,
            Code::NetworkException,
            Code::UnknownServerError,
        ],
    )
}
