//! RQT001: a queue that a restart deletes.

use super::{is_always_durable, is_reserved};
use crate::audit::fact::{FactValue, Layer};
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// A queue with `durable: false`. An absent `durable` means true in definitions. Quorum queues and streams are durable whatever they
    /// say; queues named by the broker (`amq.gen-…`) belong to one connection and are left alone.
    ///
    /// # How messages are lost
    /// A restart of the node deletes the queue with everything in it, persistent messages too, and with its bindings: what is published
    /// afterwards is dropped as unroutable. RabbitMQ 4.3 refuses such queues unless they are exclusive.
    ///
    /// # Instead
    /// `durable: true`; better, a quorum queue (`x-queue-type: quorum`). An import skips a queue that exists: delete it first, or
    /// declare it under another name and move the messages.
    ///
    /// # Example
    /// `definitions.json`, found:
    /// ```json
    /// {
    ///   "rabbit_version": "4.1.0",
    ///   "vhosts": [{ "name": "/" }],
    ///   "queues": [
    ///     { "name": "orders", "vhost": "/", "durable": false }
    ///   ]
    /// }
    /// ```
    /// `definitions.json`, clean:
    /// ```json
    /// {
    ///   "rabbit_version": "4.1.0",
    ///   "vhosts": [{ "name": "/" }],
    ///   "queues": [
    ///     { "name": "orders", "vhost": "/", "durable": true }
    ///   ]
    /// }
    /// ```
    ///
    /// # Source
    /// RabbitMQ `docs/queues.md`, release notes of 4.3.0, `rabbit_definitions`.
    pub(crate) static RULE = {
        code: "RQT001",
        name: "transient-queue",
        title: "A restart deletes the queue with everything in it",
        evidence: &[Evidence::File, Evidence::Live, Evidence::Code],
        variants: &[],
        applies: &[Role::RabbitTopology],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    for queue in unit.subjects_of(Layer::Queue).filter(|q| !is_reserved(&q.name)) {
        let Some(durable) = unit.of(queue, "durable") else {
            continue;
        };
        match durable.value {
            FactValue::Bool(true) => continue,
            FactValue::Bool(false) => {}
            _ => {
                judge.undecided("a queue's `durable` is neither true nor false; the import refuses it");
                continue;
            }
        }
        if is_always_durable(unit, queue) {
            judge.note("RQT001: a quorum queue or stream with `durable: false` is refused by the import");
            continue;
        }
        if unit
            .of(queue, "exclusive")
            .is_some_and(|f| f.value == FactValue::Bool(true))
        {
            continue;
        }
        let at = judge.at_fact(durable).of(queue);
        judge.hit(
            at,
            Say {
                headline: format!("queue `{}` does not survive a restart", queue.name),
                label: "deleted when the node restarts".to_owned(),
                story: "A restart of the node deletes the queue with everything in it, persistent messages too. Its bindings go with it, \
                        so what is published afterwards is dropped as unroutable."
                    .to_owned(),
                fix: "\"durable\": true, better with \"x-queue-type\": \"quorum\"; an import skips a queue that exists, so the broker's \
                      own must be replaced"
                    .to_owned(),
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::audit::rules::testing::{found, undecided};

    fn queues(objects: &str) -> String {
        format!("{{\"rabbit_version\":\"3.13.0\",\n\"queues\":[\n{objects}\n]}}")
    }

    #[test]
    fn only_queues_that_a_restart_deletes() {
        let bad = queues("{\"name\":\"q\",\"vhost\":\"/\",\"durable\":false,\"arguments\":{}}");
        assert_eq!(
            found("RQT001", "definitions.json", &bad),
            ["critical 3:25 durable=false"]
        );
        for clean in [
            "{\"name\":\"q\",\"vhost\":\"/\",\"durable\":true}",
            "{\"name\":\"q\",\"vhost\":\"/\"}",
            "{\"name\":\"amq.gen-x\",\"vhost\":\"/\",\"durable\":false}",
            "{\"name\":\"q\",\"durable\":false,\"arguments\":{\"x-queue-type\":\"quorum\"}}",
            "{\"name\":\"q\",\"durable\":false,\"type\":\"stream\"}",
            "{\"name\":\"q\",\"durable\":false,\"durable\":true}",
        ] {
            assert!(
                found("RQT001", "definitions.json", &queues(clean)).is_empty(),
                "{clean}"
            );
        }
        let odd = queues("{\"name\":\"q\",\"durable\":\"no\"}");
        assert_eq!(undecided("RQT001", "definitions.json", &odd).len(), 1);
    }
}
