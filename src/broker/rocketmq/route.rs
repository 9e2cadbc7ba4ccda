//! Which brokers hold a topic, and where they are, as a name server tells it.

use crate::model::NamedLane;
use serde::Deserialize;
use std::collections::BTreeMap;

/// `PermName`: whether a queue may be read or written.
const READ: i32 = 0b100;
const WRITE: i32 = 0b010;

/// The brokers of one topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) brokers: BTreeMap<String, Broker>,
    pub(super) queues: Vec<Queues>,
}

/// A broker by its name: one master and its slaves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Broker {
    pub(super) master: Option<String>,
    /// In the order of their broker ids.
    pub(super) slaves: Vec<String>,
}

/// The queues of the topic at one broker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Queues {
    pub(super) broker_name: String,
    read_queue_nums: i32,
    write_queue_nums: i32,
    perm: i32,
}

/// No broker has this many queues of one topic (mqadmin and the dashboard stop far below); whoever claims more is not believed.
const MOST_QUEUES: i32 = 1 << 16;

impl Queues {
    fn is_writable(&self) -> bool {
        self.perm & WRITE != 0
    }

    /// The queues that may hold messages. There can be more to read than to write, while a topic shrinks, and fewer.
    pub(super) fn readable(&self) -> std::ops::Range<i32> {
        0..self.read_queue_nums
    }

    /// Why nothing can be read here, if so.
    pub(super) fn unreadable(&self) -> Option<String> {
        if self.perm & READ == 0 {
            return Some(format!("its permission is {}, which forbids reading", self.perm));
        }
        None
    }

    /// Queues that can be written and not be read: what is in them nobody can see.
    pub(super) fn hidden(&self) -> std::ops::Range<i32> {
        self.read_queue_nums..self.write_queue_nums.max(self.read_queue_nums)
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RouteText {
    queue_datas: Vec<Queues>,
    broker_datas: Vec<BrokerText>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct BrokerText {
    broker_name: String,
    broker_addrs: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ClusterText {
    broker_addr_table: BTreeMap<String, BrokerText>,
}

impl Route {
    /// Reads the answer to `GET_ROUTEINFO_BY_TOPIC` (`TopicRouteData`).
    ///
    /// # Errors
    /// That it cannot be read.
    pub(super) fn parse(body: &[u8]) -> Result<Route, String> {
        let text: RouteText = parse(body)?;
        let counts = text
            .queue_datas
            .iter()
            .flat_map(|q| [q.read_queue_nums, q.write_queue_nums]);
        if let Some(count) = counts.into_iter().find(|count| !(0..=MOST_QUEUES).contains(count)) {
            return Err(format!("its route speaks of {count} queues on one broker"));
        }
        Ok(Route {
            brokers: brokers(text.broker_datas),
            queues: text.queue_datas,
        })
    }

    /// Reads the answer to `GET_BROKER_CLUSTER_INFO` (`ClusterInfo`): every broker, and no queues.
    ///
    /// # Errors
    /// That it cannot be read.
    pub(super) fn of_cluster(body: &[u8]) -> Result<Route, String> {
        let text: ClusterText = parse(body)?;
        Ok(Route {
            brokers: brokers(text.broker_addr_table.into_values().collect()),
            queues: Vec::new(),
        })
    }

    /// The lanes that can be written to now: `TOPIC/BROKER/QUEUE`, in the order of broker names and queue ids.
    pub(super) fn lanes(&self, topic: &str) -> Vec<NamedLane> {
        let has_master = |q: &&Queues| self.brokers.get(&q.broker_name).is_some_and(|b| b.master.is_some());
        let mut all: Vec<(&str, i32)> = self
            .queues
            .iter()
            .filter(has_master)
            .filter(|q| q.is_writable())
            .flat_map(|q| (0..q.write_queue_nums).map(|queue| (q.broker_name.as_str(), queue)))
            .collect();
        all.sort_unstable();
        all.dedup();
        all.iter()
            .map(|(broker, queue)| NamedLane {
                name: format!("{topic}/{broker}/{queue}"),
                queue: *queue,
            })
            .collect()
    }

    /// Why there is no lane, for a person; `None` when only masters are missing, which can heal.
    pub(super) fn forbidden(&self) -> Option<String> {
        let writable = self.queues.iter().any(Queues::is_writable);
        (!writable && !self.queues.is_empty()).then(|| {
            let at: Vec<String> = self
                .queues
                .iter()
                .map(|q| format!("{} at {}", q.perm, q.broker_name))
                .collect();
            format!("no queue may be written (its permission is {})", at.join(", "))
        })
    }
}

fn brokers(texts: Vec<BrokerText>) -> BTreeMap<String, Broker> {
    let broker = |text: BrokerText| {
        let mut by_id: Vec<(u64, String)> = text
            .broker_addrs
            .into_iter()
            .filter_map(|(id, address)| Some((id.parse().ok()?, address)))
            .collect();
        by_id.sort_unstable();
        // `MixAll.MASTER_ID`.
        let (masters, slaves): (Vec<_>, Vec<_>) = by_id.into_iter().partition(|(id, _)| *id == 0);
        let broker = Broker {
            master: masters.into_iter().next().map(|(_, address)| address),
            slaves: slaves.into_iter().map(|(_, address)| address).collect(),
        };
        (text.broker_name, broker)
    };
    texts.into_iter().map(broker).collect()
}

pub(super) fn parse<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, String> {
    let text = std::str::from_utf8(body).map_err(|_| "the answer is not UTF-8".to_owned())?;
    serde_json::from_str(text)
        .or_else(|_| serde_json::from_str(&quoted(text)))
        .map_err(|e| format!("the answer cannot be read ({e})"))
}

/// Fastjson writes the numeric keys of a map without quotes (`{0:"127.0.0.1:10911"}`); servers before 4.9.4 always do, and
/// later ones still do it in the answer about the cluster.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let (mut in_text, mut escaped, mut may_be_key) = (false, false, false);
    let mut digits = String::new();
    for c in text.chars() {
        if !in_text && c.is_ascii_digit() && (may_be_key || !digits.is_empty()) {
            digits.push(c);
            may_be_key = false;
            continue;
        }
        if !digits.is_empty() {
            let quote = if c == ':' { "\"" } else { "" };
            out.push_str(quote);
            out.push_str(&digits);
            out.push_str(quote);
            digits.clear();
        }
        match c {
            '"' if !escaped => in_text = !in_text,
            '{' | ',' if !in_text => may_be_key = true,
            _ if !c.is_whitespace() => may_be_key = false,
            _ => {}
        }
        escaped = in_text && c == '\\' && !escaped;
        out.push(c);
    }
    out.push_str(&digits);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lanes_are_sorted_and_only_where_somebody_writes() {
        let body = br#"{"brokerDatas":[{"brokerAddrs":{1:"h:3",0:"h:1"},"brokerName":"b","cluster":"c"},
            {"brokerAddrs":{"0":"h:2"},"brokerName":"a","cluster":"c"},{"brokerAddrs":{"2":"h:5","1":"h:4"},"brokerName":"d"}],
            "filterServerTable":{},"queueDatas":[{"brokerName":"b","perm":6,"readQueueNums":4,"writeQueueNums":2,"topicSysFlag":0},
            {"brokerName":"a","perm":4,"readQueueNums":1,"writeQueueNums":1},{"brokerName":"d","perm":6,"readQueueNums":1,"writeQueueNums":1}]}"#;
        let route = Route::parse(body).unwrap();
        let names: Vec<String> = route.lanes("t").into_iter().map(|l| l.name).collect();
        assert_eq!(names, ["t/b/0", "t/b/1"]);
        assert_eq!(route.brokers["b"].master.as_deref(), Some("h:1"));
        assert_eq!(route.brokers["d"].slaves, ["h:4", "h:5"]);
        assert_eq!(route.forbidden(), None);
    }

    #[test]
    fn a_route_that_forbids_writing_says_so() {
        let body =
            br#"{"brokerDatas":[],"queueDatas":[{"brokerName":"a","perm":4,"readQueueNums":1,"writeQueueNums":1}]}"#;
        assert!(Route::parse(body).unwrap().forbidden().unwrap().contains("4 at a"));
        assert_eq!(Route::default().forbidden(), None);
    }

    #[test]
    fn bare_numbers_are_quoted_where_they_are_keys() {
        let text = r#"{0:"a:1,2:3{4:5",12:[1,2,{3:4}],"x\"5":6,"p":-7}"#;
        let expected = r#"{"0":"a:1,2:3{4:5","12":[1,2,{"3":4}],"x\"5":6,"p":-7}"#;
        assert_eq!(quoted(text), expected);
    }

    proptest! {
        #[test]
        fn arbitrary_answers_never_panic(body in prop::collection::vec(any::<u8>(), 0..200), text in r#"[{}\[\]:,"0-9a\\ ]{0,60}"#) {
            let _ = Route::parse(&body);
            let _ = Route::of_cluster(text.as_bytes());
        }
    }
}
