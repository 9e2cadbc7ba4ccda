//! The members of a consumer group that are connected to a broker now (`GET_CONSUMER_CONNECTION_LIST`, as `mqadmin consumerConnection`).

use super::client::SUCCESS;
use super::route;
use super::wire::{Reply, Request};
use rocketmq_protocol::RequestCode;
use rocketmq_protocol::code::response_code::ResponseCode;
use serde::Deserialize;
use std::collections::BTreeMap;

const NOT_ONLINE: i32 = ResponseCode::ConsumerNotOnline as i32;

/// What a broker knows of the members of a group that are there (`ConsumerConnection`): what the last one said counts for all.
#[derive(Deserialize, Default, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Members {
    /// `CLUSTERING` or `BROADCASTING`.
    pub(super) message_model: String,
    /// `CONSUME_PASSIVELY` is what clients call push, `CONSUME_ACTIVELY` pull, `CONSUME_POP` pop.
    pub(super) consume_type: String,
    /// Where a member begins to read a queue in which the group has no position.
    pub(super) consume_from_where: String,
    /// What it subscribes to, by topic.
    pub(super) subscription_table: BTreeMap<String, Subscription>,
}

/// What a group wants of a topic.
#[derive(Deserialize, Default, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Subscription {
    /// Empty: every message.
    pub(super) tags_set: Vec<String>,
}

impl Members {
    /// The request for one group; it needs the action `Get` on it.
    pub(super) fn request(group: &str) -> Request {
        Request::new(RequestCode::GetConsumerConnectionList).with("consumerGroup", group)
    }

    /// What was answered: `None` when nobody of the group is connected, and when the answer is another one than either.
    ///
    /// # Errors
    /// That it cannot be read.
    pub(super) fn parse(reply: &Reply) -> Option<Result<Option<Members>, String>> {
        match reply.code {
            SUCCESS => Some(route::parse(&reply.body).map(Some)),
            NOT_ONLINE => Some(Ok(None)),
            _ => None,
        }
    }

    pub(super) fn is_broadcast(&self) -> bool {
        self.message_model == "BROADCASTING"
    }

    /// Whether the positions are those that the broker keeps, and the client begins by itself.
    pub(super) fn is_pushed_to(&self) -> bool {
        self.message_model == "CLUSTERING" && self.consume_type == "CONSUME_PASSIVELY"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_brokers_say_of_members() {
        let members: Members = route::parse(
            br#"{"connectionSet":[{"clientId":"x"}],"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","consumeType":"CONSUME_PASSIVELY",
            "messageModel":"BROADCASTING","subscriptionTable":{"t":{"codeSet":[1],"tagsSet":["red"],"subString":"red"}}}"#,
        )
        .unwrap();
        assert!(members.is_broadcast() && !members.is_pushed_to());
        assert_eq!(members.consume_from_where, "CONSUME_FROM_LAST_OFFSET");
        assert_eq!(members.subscription_table["t"].tags_set, ["red"]);
    }
}
