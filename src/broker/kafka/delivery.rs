//! What a delivery report of librdkafka means.
//!
//! The same error can tell two truths: a message that timed out in the queue was certainly not sent, one that timed out on the
//! wire may be in the log. Only the persistence status tells them apart, so it is asked first.

use super::raw::Persistence;
use crate::model::{Delivery, Position};
use rdkafka::error::RDKafkaErrorCode;

/// Errors after which no retry of this message can succeed: codes of the Kafka protocol that are not retriable and concern the
/// message or the right to write it. A corrupt message (code 2) is not among them: the next attempt carries the right bytes.
const PERMANENT: [RDKafkaErrorCode; 7] = [
    RDKafkaErrorCode::MessageSizeTooLarge,
    RDKafkaErrorCode::MessageBatchTooLarge,
    RDKafkaErrorCode::InvalidTimestamp,
    RDKafkaErrorCode::InvalidRecord,
    RDKafkaErrorCode::TopicAuthorizationFailed,
    RDKafkaErrorCode::ClusterAuthorizationFailed,
    RDKafkaErrorCode::PolicyViolation,
];

/// Whether a message was refused for its size alone.
pub(super) fn is_too_large(code: RDKafkaErrorCode) -> bool {
    code == RDKafkaErrorCode::MessageSizeTooLarge || code == RDKafkaErrorCode::MessageBatchTooLarge
}

/// What became of an attempt, from the status, the error and the place that the report names.
pub(super) fn judge(status: Persistence, error: Option<RDKafkaErrorCode>, partition: i32, offset: i64) -> Delivery {
    match (status, error) {
        (Persistence::Persisted, None) => Delivery::Stored(Position {
            partition,
            offset: (offset >= 0).then_some(offset),
        }),
        // With acks=0 this is how "nobody asked" looks.
        (Persistence::Possibly | Persistence::Not, None) => {
            Delivery::InDoubt("written to the connection without an error, and not acknowledged".to_owned())
        }
        (Persistence::Persisted | Persistence::Possibly, Some(code)) => Delivery::InDoubt(words(code)),
        (Persistence::Not, Some(code)) => not_sent(code),
    }
}

/// A message that is certainly not in the log.
pub(super) fn not_sent(code: RDKafkaErrorCode) -> Delivery {
    if PERMANENT.contains(&code) {
        Delivery::Refused(words(code))
    } else {
        Delivery::NotSent(words(code))
    }
}

fn words(code: RDKafkaErrorCode) -> String {
    code.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use RDKafkaErrorCode as Code;

    #[test]
    fn only_an_acknowledgement_is_stored() {
        let stored = judge(Persistence::Persisted, None, 3, 42);
        assert_eq!(
            stored,
            Delivery::Stored(Position {
                partition: 3,
                offset: Some(42)
            })
        );
        // A duplicate of an idempotent producer is acknowledged without its offset.
        assert_eq!(
            judge(Persistence::Persisted, None, 3, -1),
            Delivery::Stored(Position {
                partition: 3,
                offset: None
            })
        );
        // acks=0 reports no error; the safe client would call it success.
        assert!(matches!(
            judge(Persistence::Possibly, None, 3, -1001),
            Delivery::InDoubt(_)
        ));
        assert!(matches!(judge(Persistence::Not, None, 3, -1001), Delivery::InDoubt(_)));
    }

    #[test]
    fn one_error_two_truths() {
        assert!(matches!(
            judge(Persistence::Possibly, Some(Code::MessageTimedOut), -1, -1),
            Delivery::InDoubt(_)
        ));
        assert!(matches!(
            judge(Persistence::Not, Some(Code::MessageTimedOut), -1, -1),
            Delivery::NotSent(_)
        ));
        assert!(matches!(
            judge(Persistence::Possibly, Some(Code::MessageSizeTooLarge), -1, -1),
            Delivery::InDoubt(_)
        ));
        assert!(matches!(
            judge(Persistence::Not, Some(Code::MessageSizeTooLarge), -1, -1),
            Delivery::Refused(_)
        ));
    }

    #[test]
    fn what_can_heal_is_not_refused() {
        for code in [
            Code::PurgeQueue,
            Code::UnknownPartition,
            Code::UnknownTopic,
            Code::UnknownTopicOrPartition,
            Code::Fatal,
            Code::InvalidMessage,
        ] {
            assert!(
                matches!(judge(Persistence::Not, Some(code), 0, -1), Delivery::NotSent(_)),
                "{code:?}"
            );
        }
        for code in PERMANENT {
            assert!(
                matches!(judge(Persistence::Not, Some(code), 0, -1), Delivery::Refused(_)),
                "{code:?}"
            );
        }
    }
}
