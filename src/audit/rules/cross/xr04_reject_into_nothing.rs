//! X-R04: rejection meets a queue without dead letters.

use crate::audit::fact::Layer;
use crate::audit::judge::{Judge, Say};
use crate::audit::role;
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::rabbitmq::rqc002_rejected::rejections;
use crate::audit::rules::rabbitmq::topology::{Found, Kind, Topology, is_last_stop, is_short_lived, name};

rule! {
    /// # What it finds
    /// An application of the run that rejects without requeue (see RQC002) beside queues without a dead letter exchange; a queue
    /// whose dead letters go to a direct exchange with a key that no binding has (`X-R04/key-mismatch`).
    ///
    /// # How messages are lost
    /// The message fails, is rejected, and is deleted. Or it is dead-lettered with a key that nothing is bound for, and dropped.
    ///
    /// # Instead
    /// A dead letter exchange for every queue that is consumed, and a binding for its key; without `dead-letter-routing-key` the
    /// message keeps its own.
    ///
    /// # Example
    /// `definitions.json`, found:
    /// ```json
    /// {
    ///   "rabbit_version": "4.1.0",
    ///   "vhosts": [{ "name": "/" }],
    ///   "queues": [
    ///     { "name": "orders", "vhost": "/", "durable": true,
    ///       "arguments": { "x-queue-type": "quorum" } }
    ///   ]
    /// }
    /// ```
    /// `definitions.json`, clean:
    /// ```json
    /// {
    ///   "rabbit_version": "4.1.0",
    ///   "vhosts": [{ "name": "/" }],
    ///   "queues": [
    ///     { "name": "orders", "vhost": "/", "durable": true,
    ///       "arguments": { "x-queue-type": "quorum", "x-dead-letter-exchange": "dlx" } },
    ///     { "name": "orders.dlq", "vhost": "/", "durable": true,
    ///       "arguments": { "x-queue-type": "quorum" } }
    ///   ],
    ///   "exchanges": [
    ///     { "name": "dlx", "vhost": "/", "type": "fanout", "durable": true }
    ///   ],
    ///   "bindings": [
    ///     { "source": "dlx", "vhost": "/", "destination": "orders.dlq", "destination_type": "queue", "routing_key": "" }
    ///   ]
    /// }
    /// ```
    /// `application.properties`, beside it:
    /// ```properties
    /// spring.rabbitmq.host=mq
    /// spring.rabbitmq.listener.simple.default-requeue-rejected=false
    /// ```
    ///
    /// # Source
    /// RabbitMQ `dlx.md`; Spring AMQP `ConditionalRejectingErrorHandler`.
    pub(crate) static RULE = {
        code: "X-R04",
        name: "rejected-into-nothing",
        title: "A consumer rejects, and the queue has nowhere for it",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &["key-mismatch"],
        applies: &[Role::Application, Role::RabbitTopology],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let topology = Topology::new(judge);
    if role::is(unit, Role::RabbitTopology) {
        key_mismatch(judge, &topology);
        return;
    }
    let rejects = rejections(unit);
    let Some((fact, by_default)) = rejects.first() else {
        return;
    };
    let ends = topology.dead_letter_queues();
    let nowhere = topology.queues().filter(|(u, q)| {
        let consumed = !ends.contains(&name(q)) && !is_last_stop(&q.name) && !is_short_lived(u, q);
        consumed
            && topology.kind(u, q).0 != Kind::Stream
            && matches!(topology.of(u, q, "dead-letter-exchange"), Found::Absent)
    });
    // The first by name, so that the answer does not depend on the order of a map.
    let Some((_, queue)) = nowhere.min_by_key(|(_, q)| &q.name) else {
        return;
    };
    let at = judge
        .at_fact(fact)
        .related(&queue.place, "has no dead letter exchange")
        .inferred(*by_default);
    judge.hit(
        at,
        Say::new(
            format!(
                "what fails is rejected, and queue `{}` has no dead letter exchange",
                queue.name
            ),
            "deleted",
            "The message fails, is rejected, and is deleted: the queue has nowhere for it.",
            "a dead letter exchange for every queue that is consumed, with a queue that lasts bound to it",
        ),
    );
}

fn key_mismatch<'a>(judge: &mut Judge<'a>, topology: &Topology<'a>) {
    let unit = judge.unit;
    if !topology.is_closed() {
        return;
    }
    for queue in unit.subjects_of(Layer::Queue) {
        let Found::Set(target) = topology.of(unit, queue, "dead-letter-exchange") else {
            continue;
        };
        let Found::Set(key) = topology.of(unit, queue, "dead-letter-routing-key") else {
            continue;
        };
        let (Some(to), Some(key_text)) = (target.fact.value.text(), key.fact.value.text()) else {
            continue;
        };
        let exchange = (queue.vhost.as_deref(), to);
        let Some((exchange_unit, declared)) = topology.exchange(exchange) else {
            continue;
        };
        let direct = exchange_unit.of(declared, "type").and_then(|f| f.value.text()) == Some("direct");
        let bindings = topology.bindings_of(exchange);
        let fits = bindings.iter().any(|(_, _, k)| k.is_none_or(|k| k == key_text));
        let alternate = exchange_unit.of(declared, "arguments.alternate-exchange").is_some();
        if !direct || bindings.is_empty() || fits || alternate {
            continue;
        }
        let at = judge
            .at_fact(key.fact)
            .of(queue)
            .related(&declared.place, "no binding has this key");
        judge.hit_as(
            Some("key-mismatch"),
            at,
            Say::new(
                format!(
                    "dead letters of queue `{}` have the key `{key_text}`, for which nothing is bound to `{to}`",
                    queue.name
                ),
                "dropped without a word",
                "What is rejected is published to the exchange with this key. No binding has it, so it is dropped.",
                format!("bind the dead letter queue to `{to}` with the key `{key_text}`"),
            ),
        );
    }
}
