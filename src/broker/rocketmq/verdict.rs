//! What a broker's answer to a message means.
//!
//! The codes are `ResponseCode` and `RemotingSysResponseCode` of apache/rocketmq; what each of them means for the message was
//! read in `SendMessageProcessor`, `AbstractSendMessageProcessor`, `NettyRemotingAbstract`, `BrokerFastFailure`, `HookUtils`,
//! `CommitLog` and `DLedgerCommitLog` of 5.3.3.

use super::wire::Reply;
use crate::model::{Delivery, Position};

/// The answers that are known. A code of which nothing is known stays a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Stored,
    SystemError,
    SystemBusy,
    CodeNotSupported,
    FlushDiskTimeout,
    SlaveNotAvailable,
    FlushSlaveTimeout,
    MessageIllegal,
    ServiceNotAvailable,
    NoPermission,
    TopicNotExist,
    InvalidParameter,
    NotLeaderForQueue,
    GoAway,
    Other(i32),
}

impl From<i32> for Answer {
    fn from(code: i32) -> Answer {
        match code {
            0 => Answer::Stored,
            1 => Answer::SystemError,
            2 => Answer::SystemBusy,
            3 => Answer::CodeNotSupported,
            10 => Answer::FlushDiskTimeout,
            11 => Answer::SlaveNotAvailable,
            12 => Answer::FlushSlaveTimeout,
            13 => Answer::MessageIllegal,
            14 => Answer::ServiceNotAvailable,
            16 => Answer::NoPermission,
            17 => Answer::TopicNotExist,
            29 => Answer::InvalidParameter,
            501 => Answer::NotLeaderForQueue,
            1500 => Answer::GoAway,
            code => Answer::Other(code),
        }
    }
}

/// What became of a message that was sent to `queue`.
pub(super) fn judge(reply: &Reply, queue: i32) -> Delivery {
    let words = || reply.words();
    match Answer::from(reply.code) {
        Answer::Stored => stored(reply, queue),
        // Stored in the master's memory, but not with everything that was asked for; it may survive or not.
        Answer::FlushDiskTimeout => Delivery::InDoubt(format!("{}: FLUSH_DISK_TIMEOUT", words())),
        Answer::FlushSlaveTimeout => Delivery::InDoubt(format!("{}: FLUSH_SLAVE_TIMEOUT", words())),
        Answer::SlaveNotAvailable => Delivery::InDoubt(format!("{}: SLAVE_NOT_AVAILABLE", words())),
        // Any exception becomes this code, also one after the message was appended; one reason is always given before that.
        // "in-sync replicas not enough" is not: `DLedgerCommitLog` says it after it waited in vain for a quorum.
        Answer::SystemError if is_before_append(&reply.remark) => Delivery::NotSent(words()),
        Answer::SystemError => Delivery::InDoubt(words()),
        // Told before the request is looked at (full queues, slave, page cache), or after it was taken out of the queue unseen.
        Answer::SystemBusy => Delivery::NotSent(words()),
        // Mostly told before anything is appended, but by `DLedgerCommitLog` also when the leader changed meanwhile.
        Answer::ServiceNotAvailable => Delivery::InDoubt(words()),
        // The broker is going away and has not looked at the request.
        Answer::GoAway => Delivery::NotSent(words()),
        // Not (or no longer) a broker for this queue or topic: a new route may say which is.
        Answer::NotLeaderForQueue | Answer::TopicNotExist => Delivery::NotSent(words()),
        // The queue is not there (any more), or not a broker at all.
        Answer::InvalidParameter | Answer::CodeNotSupported => Delivery::NotSent(words()),
        // The access control of 5.x, or a topic that takes no messages of clients. Everything else under this code is the
        // broker's own write permission, which `wipeWritePerm` takes and gives, or a wrong key, which somebody may correct.
        Answer::NoPermission if is_for_good(&reply.remark) => Delivery::Refused(words()),
        Answer::NoPermission => Delivery::NotSent(words()),
        // Too large, or properties too long, or no key for a compaction topic.
        Answer::MessageIllegal => Delivery::Refused(words()),
        Answer::Other(_) => Delivery::InDoubt(words()),
    }
}

/// An acknowledgement counts only for the queue that was asked for: it is the lane of the message.
fn stored(reply: &Reply, queue: i32) -> Delivery {
    match (reply.field::<i32>("queueId"), reply.field::<i64>("queueOffset")) {
        (Ok(partition), Ok(offset)) if partition == queue => Delivery::Stored(Position {
            partition,
            offset: (offset >= 0).then_some(offset),
        }),
        (Ok(partition), Ok(_)) => Delivery::InDoubt(format!("acknowledged for queue {partition} instead of {queue}")),
        (Err(why), _) | (_, Err(why)) => Delivery::InDoubt(format!("acknowledged, but {why}")),
    }
}

fn is_before_append(remark: &str) -> bool {
    remark.starts_with("create mapped file failed")
}

/// `AclAuthorizationHandler`: "… has no permission to access …"; `msgCheck`: "Sending message to topic[…] is forbidden."
fn is_for_good(remark: &str) -> bool {
    remark.contains(" has no permission to access ") || remark.starts_with("Sending message to topic[")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::rocketmq::wire::reply;

    fn judged(code: i32, remark: &str) -> Delivery {
        judge(&reply(code, remark, &[("queueId", "3"), ("queueOffset", "7")]), 3)
    }

    #[test]
    fn only_send_ok_for_the_right_queue_is_stored() {
        let position = Position {
            partition: 3,
            offset: Some(7),
        };
        assert_eq!(judged(0, ""), Delivery::Stored(position));
        assert!(matches!(
            judge(&reply(0, "", &[("queueId", "2"), ("queueOffset", "7")]), 3),
            Delivery::InDoubt(_)
        ));
        assert!(matches!(judge(&reply(0, "", &[]), 3), Delivery::InDoubt(_)));
        for code in (-2000..4000).filter(|c| *c != 0) {
            assert!(!matches!(judged(code, ""), Delivery::Stored(_)), "{code}");
        }
    }

    #[test]
    fn every_known_answer_has_its_verdict_and_the_others_are_in_doubt() {
        let denied = "User:u has no permission to access Topic:t from 127.0.0.1, the decision is deny.";
        let table: [(i32, &str, &str); 19] = [
            (1, "UNKNOWN_ERROR", "doubt"),
            (1, "in-sync replicas not enough", "doubt"),
            (1, "create mapped file failed, server is busy or broken.", "not sent"),
            (2, "[TIMEOUT_CLEAN_QUEUE]broker busy", "not sent"),
            (3, " request type 310 not supported", "not sent"),
            (10, "", "doubt"),
            (11, "", "doubt"),
            (12, "", "doubt"),
            (13, "the message is illegal", "refused"),
            (14, "service not available now", "doubt"),
            (16, denied, "refused"),
            (
                16,
                "Sending message to topic[SCHEDULE_TOPIC_XXXX] is forbidden.",
                "refused",
            ),
            (16, "the broker[127.0.0.1] sending message is forbidden", "not sent"),
            (16, "check signature failed.", "not sent"),
            (17, "topic[t] not exist", "not sent"),
            (29, "request queueId[9] is illegal", "not sent"),
            (501, "", "not sent"),
            (1500, "please go away", "not sent"),
            (777, "", "doubt"),
        ];
        for (code, remark, expected) in table {
            let verdict = match judged(code, remark) {
                Delivery::Stored(_) => "stored",
                Delivery::Refused(_) => "refused",
                Delivery::NotSent(_) => "not sent",
                Delivery::InDoubt(_) => "doubt",
            };
            assert_eq!(verdict, expected, "{code} {remark}");
        }
    }
}
