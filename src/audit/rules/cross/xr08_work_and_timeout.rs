//! X-R08: handlers that the broker gives up on.

use crate::audit::fact::Layer;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::int_of;
use crate::audit::rules::rabbitmq::topology::{Found, Kind, Topology};
use crate::audit::stated::Release;
use crate::audit::terms::canonical::WORK_MAX_MS;

rule! {
    /// # What it finds
    /// A live queue whose slowest delivery took longer than its `consumer-timeout`, by argument or policy, or the node's
    /// `consumer_timeout` of the run (30 minutes).
    ///
    /// # How messages are lost
    /// The channel is closed and the message redelivered: the work is done twice, and a delivery limit may end it deleted. From 4.3
    /// on only quorum queues are watched.
    ///
    /// # Instead
    /// A `consumer-timeout` for the queue above its slowest handler.
    ///
    /// # Example
    /// What is recorded of a queue: how long a consumer may take, and the longest that one took. `@` begins what was asked, `-` a thing by its name; below it stands what was told.
    /// Recorded, found:
    /// ```facts
    /// @ rabbitmq-topology live
    /// - queue orders
    /// arguments.x-consumer-timeout=60000
    /// @work.max-ms=90000
    /// ```
    /// Recorded, clean:
    /// ```facts
    /// @ rabbitmq-topology live
    /// - queue orders
    /// arguments.x-consumer-timeout=180000
    /// @work.max-ms=90000
    /// ```
    ///
    /// # Source
    /// RabbitMQ release notes of 3.8.17 and 4.3.0.
    pub(crate) static RULE = {
        code: "X-R08",
        name: "work-longer-than-timeout",
        title: "Work takes longer than a delivery may",
        evidence: &[Evidence::Live],
        variants: &[],
        applies: &[Role::RabbitTopology],
        check: check,
    };
}

/// What a node allows unless it is told otherwise, in milliseconds.
const NODE_MS: i64 = 1_800_000;

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let topology = Topology::new(judge);
    let only_quorum = judge.release().is_some_and(|r| r >= Release(4, 3, 0));
    let node = judge
        .near(Role::RabbitNode)
        .find_map(|u| u.live("consumer_timeout")?.value.text()?.trim().parse::<i64>().ok());
    for queue in unit.subjects_of(Layer::Queue) {
        let Some((fact, took)) = int_of(judge, queue, WORK_MAX_MS) else {
            continue;
        };
        if only_quorum && topology.kind(unit, queue).0 != Kind::Quorum {
            continue;
        }
        let limit = match topology.of(unit, queue, "consumer-timeout") {
            Found::Set(limit) => limit.value.parse().unwrap_or(NODE_MS),
            _ => node.unwrap_or(NODE_MS),
        };
        if took <= limit {
            continue;
        }
        let at = judge.at_fact(fact).of(queue);
        judge.hit(
            at,
            Say::new(
                format!("work on queue `{}` took {took} ms, and {limit} are allowed", queue.name),
                "done twice",
                "The channel is closed and the message redelivered: the work is done twice, and a delivery limit may end it deleted.",
                "a consumer-timeout for the queue above its slowest handler",
            ),
        );
    }
}
