//! Whether messages survive a restart of the broker where they are published to.
//!
//! AMQP does not tell: a passive declare answers the same for every queue that is there. The management API does. What decides is
//! the queue: a durable exchange that routes to transient queues only keeps nothing. Which queues an exchange reaches is told where
//! that follows from its bindings; otherwise it is not known, which is said.

use super::management::{self, encoded, get};
use super::target::{Place, Target};
use serde_json::Value;
use std::time::Duration;

/// How long the management API may take for all of it; publishing does not wait longer.
const PATIENCE: Duration = Duration::from_secs(3);
/// So many queues of an exchange are looked at.
const QUEUES: usize = 20;

/// What is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Durability {
    /// What is confirmed there survives a restart.
    Durable,
    /// It does not, and why.
    Transient(String),
    /// It could not be told, and why.
    Unknown(String),
}

/// Asks the management API at `url`.
pub(super) async fn ask(target: &Target, url: &str, place: &Place) -> Durability {
    let asked = async {
        if place.exchange.is_empty() {
            of_queue(target, url, &place.key).await
        } else {
            of_exchange(target, url, place).await
        }
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(known) => known,
        Err(_) => Durability::Unknown(format!("{url} does not answer")),
    }
}

/// What the API says about one thing; `Err` with the words why it does not.
async fn look(target: &Target, url: &str, what: &str, path: &str) -> Result<Value, Durability> {
    let vhost = encoded(&target.vhost);
    match get(target, url, &format!("/api/{what}s/{vhost}/{path}")).await {
        Ok((200, found)) => Ok(found),
        Ok((status, answer)) => Err(Durability::Unknown(format!(
            "{url} about {what}: {}",
            management::refusal(status, &answer)
        ))),
        Err(why) => Err(Durability::Unknown(format!("{url}: {}", why.why))),
    }
}

async fn of_queue(target: &Target, url: &str, name: &str) -> Durability {
    match look(target, url, "queue", &encoded(name)).await {
        Ok(found) => judge("queue", name, &found),
        Err(unknown) => unknown,
    }
}

async fn of_exchange(target: &Target, url: &str, place: &Place) -> Durability {
    let path = encoded(&place.exchange);
    let exchange = match look(target, url, "exchange", &path).await {
        Ok(found) => found,
        Err(unknown) => return unknown,
    };
    let own = judge("exchange", &place.exchange, &exchange);
    if own != Durability::Durable {
        return own;
    }
    let bindings = match look(target, url, "exchange", &format!("{path}/bindings/source")).await {
        Ok(found) => found,
        Err(unknown) => return unknown,
    };
    let kind = exchange["type"].as_str().unwrap_or_default();
    let Reached { queues, mut others } = match reached(kind, &bindings, place) {
        Ok(reached) => reached,
        Err(why) => return Durability::Unknown(why),
    };
    if queues.len() > QUEUES {
        others = others.or(Some(format!("it reaches {} queues", queues.len())));
    }
    let mut transient = None;
    for queue in queues.iter().take(QUEUES) {
        match of_queue(target, url, queue).await {
            Durability::Durable => return Durability::Durable,
            Durability::Transient(why) => transient = transient.or(Some(why)),
            Durability::Unknown(why) => others = others.or(Some(why)),
        }
    }
    let (exchange, key) = (&place.exchange, &place.key);
    match (transient, others) {
        (_, Some(why)) => Durability::Unknown(format!(
            "no durable queue was found behind exchange {exchange}, and {why}"
        )),
        (Some(why), None) => Durability::Transient(format!(
            "exchange {exchange} with routing key {key:?} reaches no durable queue: {why}"
        )),
        (None, None) => Durability::Unknown(format!(
            "exchange {exchange} has no queue bound for routing key {key:?}"
        )),
    }
}

/// What a queue or an exchange is by itself.
fn judge(what: &str, name: &str, found: &Value) -> Durability {
    let is = |field: &str| found[field].as_bool();
    if is("durable").is_none() {
        return Durability::Unknown(format!(
            "the management API does not say whether {what} {name} is durable"
        ));
    }
    let reasons = [
        (is("durable") == Some(false), "is not durable"),
        (
            is("exclusive") == Some(true),
            "is exclusive: it ends with the connection that made it",
        ),
        (
            is("auto_delete") == Some(true),
            "deletes itself when nobody uses it any more (auto-delete)",
        ),
    ];
    match reasons.iter().find(|(holds, _)| *holds) {
        Some((_, why)) => Durability::Transient(format!("{what} {name} {why}")),
        None => Durability::Durable,
    }
}

/// What a message with some routing key reaches.
#[derive(Debug, PartialEq, Eq)]
struct Reached {
    queues: Vec<String>,
    /// Why there may be more.
    others: Option<String>,
}

/// The queues that a message with this routing key reaches, where the bindings tell.
fn reached(kind: &str, bindings: &Value, place: &Place) -> Result<Reached, String> {
    let exchange = &place.exchange;
    let matches = |pattern: &str| match kind {
        "direct" => Ok(pattern == place.key),
        "fanout" => Ok(true),
        "topic" => Ok(topic_matches(pattern, &place.key)),
        other => Err(format!(
            "which queues exchange {exchange} of type {other} reaches cannot be told"
        )),
    };
    let Some(bindings) = bindings.as_array() else {
        return Err(format!(
            "the management API does not tell the bindings of exchange {exchange}"
        ));
    };
    let mut queues: Vec<String> = Vec::new();
    let mut others = None;
    for binding in bindings {
        if !matches(binding["routing_key"].as_str().unwrap_or_default())? {
            continue;
        }
        match (binding["destination_type"].as_str(), binding["destination"].as_str()) {
            (Some("queue"), Some(queue)) => queues.push(queue.to_owned()),
            _ => others = Some("it routes to other exchanges".to_owned()),
        }
    }
    queues.sort_unstable();
    queues.dedup();
    Ok(Reached { queues, others })
}

/// Whether a topic exchange routes a key to a binding: words between dots, `*` for one word, `#` for any number of them (RabbitMQ:
/// AMQP concepts, "Topic Exchange").
fn topic_matches(pattern: &str, key: &str) -> bool {
    let words: Vec<&str> = if key.is_empty() {
        Vec::new()
    } else {
        key.split('.').collect()
    };
    // Which prefixes of the key the pattern matches until now; no pattern can make this more than words times words.
    let mut matched = vec![false; words.len() + 1];
    matched[0] = true;
    if pattern.is_empty() {
        return words.is_empty();
    }
    for part in pattern.split('.') {
        let mut next = vec![false; words.len() + 1];
        match part {
            "#" => {
                let mut any = false;
                for (from, to) in matched.iter().zip(&mut next) {
                    any |= *from;
                    *to = any;
                }
            }
            _ => {
                for ((from, word), to) in matched.iter().zip(&words).zip(next.iter_mut().skip(1)) {
                    *to = *from && (part == "*" || part == *word);
                }
            }
        }
        matched = next;
    }
    matched.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_ends_with_a_restart_or_a_client_is_transient() {
        let is = |found: Value| judge("queue", "q", &found);
        assert_eq!(
            is(json!({"durable": true, "auto_delete": false, "exclusive": false})),
            Durability::Durable
        );
        for found in [
            json!({"durable": false}),
            json!({"durable": true, "auto_delete": true}),
            json!({"durable": true, "exclusive": true}),
        ] {
            assert!(matches!(is(found), Durability::Transient(why) if why.starts_with("queue q ")));
        }
        assert!(matches!(is(Value::Null), Durability::Unknown(_)));
        assert!(matches!(is(json!({"durable": "yes"})), Durability::Unknown(_)));
    }

    #[test]
    fn topics_match_as_rabbitmq_says() {
        for (pattern, key, matches) in [
            ("*.orange.*", "quick.orange.rabbit", true),
            ("*.orange.*", "orange", false),
            ("*.orange.*", "quick.orange.new.rabbit", false),
            ("lazy.#", "lazy.orange.new.rabbit", true),
            ("lazy.#", "lazy", true),
            ("lazy.#", "lazyy", false),
            ("#", "", true),
            ("#", "a.b.c", true),
            ("#.b", "a.b", true),
            ("#.b", "b", true),
            ("#.b", "b.a", false),
            ("#.#.#.a", "x.a", true),
            ("*", "", false),
            ("", "", true),
            ("", "a", false),
            ("a.b", "a.b", true),
            ("a.b", "a.b.", false),
        ] {
            assert_eq!(topic_matches(pattern, key), matches, "{pattern} {key}");
        }
    }

    #[test]
    fn bindings_tell_the_queues() {
        let place = Place {
            exchange: "e".to_owned(),
            key: "paid".to_owned(),
        };
        let to = |kind: &str, name: &str, key: &str| json!({"destination_type": kind, "destination": name, "routing_key": key});
        let both = json!([
            to("queue", "a", "paid"),
            to("queue", "b", "other"),
            to("queue", "a", "paid")
        ]);
        let queues =
            |kind: &str, bindings: &Value| reached(kind, bindings, &place).map(|r| (r.queues, r.others.is_some()));
        let named = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        assert_eq!(queues("direct", &both), Ok((named(&["a"]), false)));
        assert_eq!(queues("fanout", &both), Ok((named(&["a", "b"]), false)));
        assert_eq!(queues("headers", &json!([])), Ok((named(&[]), false)));
        assert!(queues("headers", &both).is_err());
        // A queue behind another exchange may be durable.
        let behind = json!([to("exchange", "x", "paid"), to("queue", "a", "paid")]);
        assert_eq!(queues("direct", &behind), Ok((named(&["a"]), true)));
        assert!(reached("direct", &Value::Null, &place).is_err());
    }
}
