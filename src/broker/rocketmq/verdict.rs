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

/// What became of several messages that were sent as one. The broker takes all of them or none, and gives one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Together {
    /// This holds for each of them; of a position it is the first.
    Each(Delivery),
    /// All are in doubt, for a reason that may lie in their being sent as one: the next attempt is one by one.
    Doubtful(String),
    /// None of them was taken, and which of them is to blame is not said: each one alone will tell.
    Suspect(String),
    /// None of them was taken, because they are too large together.
    TooLarge(String),
    /// None of them was taken: this broker takes no batches.
    NoBatches(String),
}

/// What became of several messages that were sent to `queue` as one.
pub(super) fn judge_together(reply: &Reply, queue: i32) -> Together {
    match Answer::from(reply.code) {
        // `SendMessageProcessor.sendBatchMessage` and `CommitLog.asyncPutMessages` say it before anything is appended.
        Answer::MessageIllegal => Together::Suspect(reply.words()),
        // `MessageExtEncoder.encode` throws before anything is appended, and any exception becomes this code.
        Answer::SystemError if reply.remark.contains("message body size exceeded") => Together::TooLarge(reply.words()),
        Answer::CodeNotSupported => Together::NoBatches(reply.words()),
        Answer::SystemError if !is_before_append(&reply.remark) => Together::Doubtful(reply.words()),
        Answer::Other(_) => Together::Doubtful(reply.words()),
        Answer::Stored
        | Answer::SystemError
        | Answer::SystemBusy
        | Answer::FlushDiskTimeout
        | Answer::SlaveNotAvailable
        | Answer::FlushSlaveTimeout
        | Answer::ServiceNotAvailable
        | Answer::NoPermission
        | Answer::TopicNotExist
        | Answer::InvalidParameter
        | Answer::NotLeaderForQueue
        | Answer::GoAway => Together::Each(judge(reply, queue)),
    }
}

/// What a broker said to being told what is to become of a half message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum EndAnswer {
    /// It did so. Whether a message that was handed out is safe too, it does not say.
    Done,
    /// Nothing was done, for a reason that can heal.
    NotYet(String),
    /// Done or not.
    InDoubt(String),
    /// It has no such half message, and never will.
    Gone(String),
}

/// What became of being told to end a half message (`EndTransactionProcessor`).
pub(super) fn judge_end(reply: &Reply) -> EndAnswer {
    match Answer::from(reply.code) {
        Answer::Stored => EndAnswer::Done,
        Answer::SystemError => {
            let says = |all: &[&str]| all.iter().any(|words| reply.remark.starts_with(words));
            match (says(&GONE), says(&UNTOUCHED)) {
                (true, _) => EndAnswer::Gone(reply.words()),
                (false, true) => EndAnswer::NotYet(reply.words()),
                (false, false) => EndAnswer::InDoubt(reply.words()),
            }
        }
        // Handed out it would be larger than the broker takes; as an ordinary message it will be refused with these words.
        Answer::MessageIllegal => EndAnswer::Gone(reply.words()),
        // Told before the half message is looked at; `SLAVE_NOT_AVAILABLE` here means that this broker is a slave.
        Answer::SystemBusy
        | Answer::SlaveNotAvailable
        | Answer::NoPermission
        | Answer::TopicNotExist
        | Answer::InvalidParameter
        | Answer::NotLeaderForQueue
        | Answer::CodeNotSupported
        | Answer::GoAway => EndAnswer::NotYet(reply.words()),
        Answer::FlushDiskTimeout | Answer::FlushSlaveTimeout | Answer::ServiceNotAvailable | Answer::Other(_) => {
            EndAnswer::InDoubt(reply.words())
        }
    }
}

/// The log holds something else at the place of the half message, or nothing.
const GONE: [&str; 4] = [
    "Find prepared transaction message failed",
    "The producer group wrong",
    "The transaction state table offset wrong",
    "The commit log offset wrong",
];
/// `sendFinalMessage`, before anything is appended.
const UNTOUCHED: [&str; 2] = ["Create mapped file failed", "OS page cache busy"];

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
    fn an_answer_to_a_batch_says_which_of_it_is_known() {
        let together =
            |code, remark| judge_together(&reply(code, remark, &[("queueId", "3"), ("queueOffset", "7")]), 3);
        let (stored, refused) = (
            together(0, ""),
            together(16, "User:u has no permission to access Topic:t"),
        );
        assert!(matches!(stored, Together::Each(Delivery::Stored(_))), "{stored:?}");
        assert!(matches!(refused, Together::Each(Delivery::Refused(_))), "{refused:?}");
        for weak in [10, 11, 12, 14] {
            assert!(
                matches!(together(weak, ""), Together::Each(Delivery::InDoubt(_))),
                "{weak}"
            );
        }
        assert!(matches!(together(2, ""), Together::Each(Delivery::NotSent(_))));
        assert!(matches!(together(13, "the message is illegal"), Together::Suspect(_)));
        let exception =
            "java.lang.RuntimeException: message body size exceeded, org.apache.rocketmq.store.MessageExtEncoder";
        assert!(matches!(together(1, exception), Together::TooLarge(_)));
        assert!(matches!(together(1, "UNKNOWN_ERROR"), Together::Doubtful(_)));
        assert!(matches!(together(777, ""), Together::Doubtful(_)));
        assert!(matches!(
            together(1, "create mapped file failed"),
            Together::Each(Delivery::NotSent(_))
        ));
        assert!(matches!(
            together(3, "request type 320 not supported"),
            Together::NoBatches(_)
        ));
        for code in (-2000..4000).filter(|c| *c != 0) {
            assert!(
                !matches!(together(code, ""), Together::Each(Delivery::Stored(_))),
                "{code}"
            );
        }
    }

    #[test]
    fn an_answer_to_an_end_is_done_only_when_it_says_so() {
        let ended = |code, remark| judge_end(&reply(code, remark, &[]));
        assert_eq!(ended(0, ""), EndAnswer::Done);
        for gone in GONE {
            assert!(matches!(ended(1, gone), EndAnswer::Gone(_)), "{gone}");
        }
        for untouched in UNTOUCHED {
            assert!(matches!(ended(1, untouched), EndAnswer::NotYet(_)), "{untouched}");
        }
        assert!(matches!(ended(1, "in-sync replicas not enough"), EndAnswer::InDoubt(_)));
        assert!(matches!(ended(11, ""), EndAnswer::NotYet(_)));
        for code in (-2000..4000).filter(|c| *c != 0) {
            assert_ne!(ended(code, ""), EndAnswer::Done, "{code}");
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
