//! RQT004: an exchange that a restart deletes while its queues stay.

use super::{is_durable_queue, is_reserved};
use crate::audit::fact::{FactValue, Layer, Subject, Unit};
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use std::collections::{HashMap, HashSet};

rule! {
    /// # What it finds
    /// An exchange with `durable: false` from which a binding leads to a durable queue, directly or over other exchanges. Where the file
    /// holds no bindings, a transient exchange is told as advice (`RQT004/no-bindings`).
    ///
    /// # How messages are lost
    /// A restart of the node removes the exchange and its bindings. Publishers get an error and a closed channel, or, when somebody
    /// declares the exchange again without the bindings, their messages are dropped as unroutable and still confirmed.
    ///
    /// # Instead
    /// `durable: true` on every exchange that durable queues are bound to.
    ///
    /// # Example
    /// `definitions.json`, found:
    /// ```json
    /// {
    ///   "rabbit_version": "4.1.0",
    ///   "vhosts": [{ "name": "/" }],
    ///   "exchanges": [
    ///     { "name": "shop", "vhost": "/", "type": "topic", "durable": false }
    ///   ],
    ///   "queues": [
    ///     { "name": "orders", "vhost": "/", "durable": true }
    ///   ],
    ///   "bindings": [
    ///     { "source": "shop", "vhost": "/", "destination": "orders", "destination_type": "queue", "routing_key": "order.#" }
    ///   ]
    /// }
    /// ```
    /// `definitions.json`, clean:
    /// ```json
    /// {
    ///   "rabbit_version": "4.1.0",
    ///   "vhosts": [{ "name": "/" }],
    ///   "exchanges": [
    ///     { "name": "shop", "vhost": "/", "type": "topic", "durable": true }
    ///   ],
    ///   "queues": [
    ///     { "name": "orders", "vhost": "/", "durable": true }
    ///   ],
    ///   "bindings": [
    ///     { "source": "shop", "vhost": "/", "destination": "orders", "destination_type": "queue", "routing_key": "order.#" }
    ///   ]
    /// }
    /// ```
    ///
    /// # Source
    /// RabbitMQ `rabbit_exchange`, `rabbit_definitions`. Terraform, pika and the Java client declare transient exchanges by default.
    pub(crate) static RULE = {
        code: "RQT004",
        name: "transient-exchange",
        title: "A restart removes the exchange that durable queues are fed by",
        evidence: &[Evidence::File, Evidence::Live, Evidence::Code],
        variants: &["no-bindings"],
        applies: &[Role::RabbitTopology],
        check: check,
    };
}

type Name<'a> = (Option<&'a str>, &'a str);

fn name(subject: &Subject) -> Name<'_> {
    (subject.vhost.as_deref(), subject.name.as_str())
}

/// Which exchanges lead to a durable queue, and one such queue for each.
fn feeding(unit: &Unit) -> HashMap<Name<'_>, &str> {
    let durable: HashSet<Name<'_>> = unit
        .subjects_of(Layer::Queue)
        .filter(|q| is_durable_queue(unit, q))
        .map(name)
        .collect();
    let mut found: HashMap<Name<'_>, &str> = HashMap::new();
    let mut sources_of: HashMap<Name<'_>, Vec<Name<'_>>> = HashMap::new();
    let mut open = Vec::new();
    for binding in unit.subjects_of(Layer::Binding) {
        let Some(to) = unit.of(binding, "destination").and_then(|f| f.value.text()) else {
            continue;
        };
        let target = (binding.vhost.as_deref(), to);
        if unit.of(binding, "destination_type").and_then(|f| f.value.text()) == Some("exchange") {
            sources_of.entry(target).or_default().push(name(binding));
        } else if durable.contains(&target) && !found.contains_key(&name(binding)) {
            found.insert(name(binding), to);
            open.push((name(binding), to));
        }
    }
    while let Some((exchange, queue)) = open.pop() {
        for source in sources_of.get(&exchange).into_iter().flatten() {
            if !found.contains_key(source) {
                found.insert(*source, queue);
                open.push((*source, queue));
            }
        }
    }
    found
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let feeding = feeding(unit);
    let no_bindings = unit.fragment.is_some() || unit.subjects_of(Layer::Binding).next().is_none();
    for exchange in unit.subjects_of(Layer::Exchange).filter(|e| !is_reserved(&e.name)) {
        let queue = feeding.get(&name(exchange)).copied();
        let durable = unit.of(exchange, "durable");
        match durable.map(|f| &f.value) {
            Some(FactValue::Bool(true)) => continue,
            Some(FactValue::Bool(false)) => {}
            _ => {
                if queue.is_some() {
                    judge.undecided(
                        "an exchange has no usable `durable`, and what the import makes of that differs by version",
                    );
                }
                continue;
            }
        }
        let Some(durable) = durable else { continue };
        let (variant, headline) = match queue {
            Some(queue) => (
                None,
                format!(
                    "exchange `{}` does not survive a restart, and feeds durable queue `{queue}`",
                    exchange.name
                ),
            ),
            None if no_bindings => (
                Some("no-bindings"),
                format!("exchange `{}` does not survive a restart", exchange.name),
            ),
            None => continue,
        };
        let at = judge.at_fact(durable).of(exchange);
        judge.hit_as(
            variant,
            at,
            Say {
                headline,
                label: "removed, with its bindings, when the node restarts".to_owned(),
                story: "A restart of the node removes the exchange and its bindings. Publishers fail; or, once somebody declares the \
                        exchange again without the bindings, their messages are dropped as unroutable and still confirmed."
                    .to_owned(),
                fix: "\"durable\": true; an import skips an exchange that exists, so the broker's own must be replaced".to_owned(),
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::audit::rules::testing::{found, undecided};

    fn file(exchange: &str, bindings: &str) -> String {
        format!(
            "{{\"rabbit_version\":\"4.1.0\",\"queues\":[{{\"name\":\"q\",\"vhost\":\"/\",\"durable\":true}},\
             {{\"name\":\"t\",\"vhost\":\"/\",\"durable\":false}}],\n\"exchanges\":[{exchange}]{bindings}}}"
        )
    }

    fn bind(source: &str, kind: &str, to: &str) -> String {
        format!(
            "{{\"source\":\"{source}\",\"vhost\":\"/\",\"destination\":\"{to}\",\"destination_type\":\"{kind}\",\"routing_key\":\"\"}}"
        )
    }

    const TRANSIENT: &str = "{\"name\":\"x\",\"vhost\":\"/\",\"type\":\"fanout\",\"durable\":false}";

    #[test]
    fn a_durable_queue_hangs_on_it() {
        let direct = format!(",\"bindings\":[{}]", bind("x", "queue", "q"));
        assert_eq!(
            found("RQT004", "d.json", &file(TRANSIENT, &direct)),
            ["high 2:54 durable=false"]
        );
        let indirect = format!(
            ",\"bindings\":[{},{},{}]",
            bind("x", "exchange", "y"),
            bind("y", "exchange", "x"),
            bind("y", "queue", "q")
        );
        assert_eq!(found("RQT004", "d.json", &file(TRANSIENT, &indirect)).len(), 1);
    }

    #[test]
    fn without_bindings_it_is_advice_and_otherwise_clean() {
        assert_eq!(
            found("RQT004", "d.json", &file(TRANSIENT, "")),
            ["low 2:54 durable=false"]
        );
        let transient_queue = format!(",\"bindings\":[{}]", bind("x", "queue", "t"));
        assert!(found("RQT004", "d.json", &file(TRANSIENT, &transient_queue)).is_empty());
        let durable = TRANSIENT.replace("false", "true");
        assert!(found("RQT004", "d.json", &file(&durable, "")).is_empty());
        let reserved = TRANSIENT.replace("\"x\"", "\"amq.fanout\"");
        assert!(found("RQT004", "d.json", &file(&reserved, "")).is_empty());
    }

    #[test]
    fn an_exchange_that_does_not_say() {
        let silent = "{\"name\":\"x\",\"vhost\":\"/\",\"type\":\"fanout\"}";
        let direct = format!(",\"bindings\":[{}]", bind("x", "queue", "q"));
        assert_eq!(undecided("RQT004", "d.json", &file(silent, &direct)).len(), 1);
    }
}
