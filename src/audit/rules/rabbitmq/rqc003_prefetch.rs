//! RQC003: a prefetch that is unlimited or very large.

use super::topology::is_short_lived;
use crate::audit::fact::Layer;
use crate::audit::judge::{At, Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::named;
use crate::audit::terms::canonical::UNBOUNDED;

rule! {
    /// # What it finds
    /// A `prefetch` of 0, which is unlimited, or above 250, Spring's default; a live consumer that acknowledges, on a channel without
    /// a limit.
    ///
    /// # How messages are lost
    /// A crash redelivers the whole window, and on a quorum queue raises the count of every message in it: a few crashes reach the
    /// delivery limit for all of them together.
    ///
    /// # Instead
    /// 10 to 100.
    ///
    /// # Example
    /// `application.properties`, found:
    /// ```properties
    /// spring.rabbitmq.host=mq
    /// spring.rabbitmq.listener.simple.prefetch=0
    /// ```
    /// `application.properties`, clean:
    /// ```properties
    /// spring.rabbitmq.host=mq
    /// spring.rabbitmq.listener.simple.prefetch=50
    /// ```
    ///
    /// # Source
    /// RabbitMQ `consumer-prefetch.md`; Spring AMQP: 250.
    pub(crate) static RULE = {
        code: "RQC003",
        name: "unbounded-prefetch",
        title: "One consumer holds too much at once",
        evidence: &[Evidence::File, Evidence::Live, Evidence::Code],
        variants: &[],
        applies: &[Role::Application, Role::RabbitTopology],
        check: check,
    };
}

/// What Spring hands out unless it is told otherwise.
const COMMON: i64 = 250;

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    for fact in named(unit, "spring.rabbitmq.listener.", ".prefetch") {
        let Some(n) = fact.value.text().and_then(|v| v.trim().parse::<i64>().ok()) else {
            continue;
        };
        if n > 0 && n <= COMMON {
            continue;
        }
        let headline = match n {
            0 => "one consumer may hold the whole queue".to_owned(),
            n => format!("one consumer may hold {n} messages"),
        };
        hit(judge, judge.at_fact(fact), headline);
    }
    for queue in unit.subjects_of(Layer::Queue).filter(|q| !is_short_lived(unit, q)) {
        if let Some(fact) = unit.of(queue, UNBOUNDED) {
            let headline = format!(
                "one consumer may hold all of queue `{}` ({})",
                queue.name,
                fact.value.show()
            );
            hit(judge, judge.at_fact(fact).of(queue), headline);
        }
    }
}

fn hit(judge: &mut Judge<'_>, at: At, headline: String) {
    judge.hit(
        at,
        Say::new(
            headline,
            "all of them come back after a crash",
            "A crash redelivers the whole window, and on a quorum queue raises the count of every message in it towards the delivery limit.",
            "a prefetch of 10 to 100",
        ),
    );
}
