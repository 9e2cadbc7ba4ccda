//! RQC001: consumers that acknowledge nothing.

use crate::audit::fact::Fact;
use crate::audit::judge::At;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::rabbitmq::topology::is_short_lived;
use crate::audit::rules::{is_false, is_true, named};
use crate::audit::terms::canonical::{ACK_REQUIRED, ACK_REQUIRED_WHO};

rule! {
    /// # What it finds
    /// Spring's `acknowledge-mode: none`, SmallRye's `auto-acknowledgement=true` on an incoming channel, Spring Cloud Stream's
    /// `acknowledge-mode: NONE`; a live consumer with `ack_required` false, but for one of a queue that is
    /// exclusive, named by the broker or meant for answers, which ends with it. Spring's `auto` is the container's acknowledgement and
    /// clean.
    ///
    /// # How messages are lost
    /// The message is deleted when it is written to the socket. A crash, or a buffer that is full, takes everything that was on its
    /// way; the prefetch does not limit it.
    ///
    /// # Instead
    /// `acknowledge-mode: auto` or `manual`.
    ///
    /// # Example
    /// `application.properties`, found:
    /// ```properties
    /// spring.rabbitmq.host=mq
    /// spring.rabbitmq.listener.simple.acknowledge-mode=none
    /// ```
    /// `application.properties`, clean:
    /// ```properties
    /// spring.rabbitmq.host=mq
    /// spring.rabbitmq.listener.simple.acknowledge-mode=auto
    /// ```
    ///
    /// # Source
    /// RabbitMQ `confirms.md`; Spring AMQP `AcknowledgeMode`: auto; SmallRye: false.
    pub(crate) static RULE = {
        code: "RQC001",
        name: "automatic-acknowledgement",
        title: "A message is deleted when it is sent to the consumer",
        evidence: &[Evidence::File, Evidence::Live, Evidence::Code],
        variants: &[],
        applies: &[Role::Application, Role::RabbitTopology],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let none = |f: &&Fact| f.value.text().is_some_and(|v| v.trim().eq_ignore_ascii_case("none"));
    let spring = named(unit, "spring.", ".acknowledge-mode").filter(none);
    let smallrye = named(unit, "mp.messaging.incoming.", ".auto-acknowledgement").filter(|f| is_true(f));
    let of_application: Vec<At> = spring.chain(smallrye).map(|f| judge.at_fact(f)).collect();
    // A queue that ends with its consumer loses with it whatever is acknowledged: nobody else could have it.
    let live = unit
        .subjects
        .iter()
        .filter(|s| !is_short_lived(unit, s))
        .filter_map(|s| Some((s, unit.of(s, ACK_REQUIRED).filter(|f| is_false(f))?)));
    let of_broker: Vec<(At, String)> = live
        .map(|(s, f)| {
            let who = unit.of(s, ACK_REQUIRED_WHO).map(|f| format!(" ({})", f.value.show()));
            let words = format!(
                "messages of queue `{}` are deleted when they are sent to a consumer{}",
                s.name,
                who.unwrap_or_default()
            );
            (judge.at_fact(f).of(s), words)
        })
        .collect();
    let of_application = of_application
        .into_iter()
        .map(|at| (at, "messages are deleted when they are sent to the consumer".to_owned()));
    for (at, headline) in of_application.chain(of_broker) {
        judge.hit(
            at,
            Say::new(
                headline,
                "nothing is acknowledged",
                "The message is deleted when it is written to the socket. A crash takes everything that was on its way or in a buffer.",
                "acknowledge-mode: auto or manual",
            ),
        );
    }
}
