//! X-R06: the limit of 4.0 meets consumers that requeue.

use crate::audit::fact::Layer;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::named;
use crate::audit::rules::rabbitmq::rqc002_rejected::rejections;
use crate::audit::rules::rabbitmq::topology::{Found, Kind, Topology, is_last_stop, name};
use crate::audit::stated::Release;

rule! {
    /// # What it finds
    /// A quorum queue without a dead letter exchange on 4.0 to 4.2, beside an application of the run that requeues what fails
    /// (Spring's default).
    ///
    /// # How messages are lost
    /// Since 4.0 a quorum queue delivers a message 20 times, and up to 4.2 every requeue counts; from 4.3 on only failures do. A
    /// consumer that puts back what fails, as it could for ever on 3.13, now reaches the limit, and the message is deleted; with a
    /// prefetch above 1 everything that was handed out together.
    ///
    /// # Instead
    /// A dead letter exchange before the upgrade.
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
    ///       "arguments": { "x-queue-type": "quorum", "x-dead-letter-exchange": "dlx" } }
    ///   ]
    /// }
    /// ```
    /// `application.properties`, beside it:
    /// ```properties
    /// spring.rabbitmq.host=mq
    /// spring.rabbitmq.listener.simple.prefetch=50
    /// ```
    ///
    /// # Source
    /// RabbitMQ release notes of 4.0.1 and 4.3.0; Spring AMQP: requeue by default.
    pub(crate) static RULE = {
        code: "X-R06",
        name: "requeue-into-the-limit",
        title: "Consumers put messages back until the delivery limit deletes them",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::RabbitTopology],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    // From 4.3 on putting a message back does not count.
    if judge
        .release()
        .is_none_or(|r| r < Release(4, 0, 0) || r >= Release(4, 3, 0))
    {
        return;
    }
    let requeues = judge
        .near(Role::Application)
        .filter(|u| rejections(u).is_empty())
        .find_map(|u| named(u, "spring.rabbitmq.listener.", "").next());
    let Some(listener) = requeues else { return };
    let unit = judge.unit;
    let topology = Topology::new(judge);
    let ends = topology.dead_letter_queues();
    for queue in unit.subjects_of(Layer::Queue) {
        if topology.kind(unit, queue).0 != Kind::Quorum || ends.contains(&name(queue)) || is_last_stop(&queue.name) {
            continue;
        }
        if !matches!(topology.of(unit, queue, "dead-letter-exchange"), Found::Absent) {
            continue;
        }
        if let Found::Set(limit) = topology.of(unit, queue, "delivery-limit")
            && limit.value.starts_with('-')
        {
            continue;
        }
        let at = judge
            .at_subject(queue, "arguments.x-dead-letter-exchange")
            .related(&listener.place, "puts back what fails");
        judge.hit(
            at,
            Say::new(
                format!("what fails is put back into queue `{}` until its delivery limit deletes it", queue.name),
                "deleted after 20 deliveries",
                "A consumer that puts back what fails reaches the limit, and the message is deleted; with a prefetch above 1 everything that \
                 was handed out together.",
                "a dead letter exchange",
            ),
        );
    }
}
