//! RQP001: publishing without confirms.

use crate::audit::fact::{Fact, Layer};
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::{is_false, is_true, named, text_of};
use crate::audit::terms::canonical::UNCONFIRMED;

rule! {
    /// # What it finds
    /// `spring.rabbitmq.publisher-confirm-type: none`, or absent where nothing but publishing can be meant or where listeners are not
    /// the only thing that is configured (`RQP001/absent`); `simple`, which needs `waitForConfirms` in code (`RQP001/simple`);
    /// `publisher-confirms`, which Spring Boot ignores since 2.3; SmallRye's `publish-confirms` absent or false on an outgoing
    /// RabbitMQ channel; `confirm_publish` false for Celery; a shovel with `ack-mode` `on-publish` or `no-ack`;
    /// at a live broker a channel that has published without `confirm.select` or a transaction.
    ///
    /// # How messages are lost
    /// The connection drops or the node dies before the message is written. The client has handed it over and goes on; nobody ever
    /// tells it. A quorum queue promises nothing for what is not confirmed.
    ///
    /// # Instead
    /// `publisher-confirm-type: correlated`, and a resend on a nack or a time-out; `ack-mode: on-confirm` for shovels.
    ///
    /// # Example
    /// `application.properties`, found:
    /// ```properties
    /// spring.rabbitmq.host=mq
    /// spring.rabbitmq.publisher-confirm-type=none
    /// ```
    /// `application.properties`, clean:
    /// ```properties
    /// spring.rabbitmq.host=mq
    /// spring.rabbitmq.publisher-confirm-type=correlated
    /// ```
    ///
    /// # Source
    /// RabbitMQ `confirms.md`; Spring Boot `RabbitProperties`: none, `publisher-confirms` removed in 2.3; SmallRye: false; shovel:
    /// on-confirm.
    pub(crate) static RULE = {
        code: "RQP001",
        name: "unconfirmed-publishing",
        title: "The publisher never learns whether the broker has the message",
        evidence: &[Evidence::File, Evidence::Live, Evidence::Code],
        variants: &["absent", "simple"],
        applies: &[Role::Application, Role::RabbitTopology],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    shovels(judge);
    channels(judge);
    spring(judge);
    smallrye(judge);
    let unit = judge.unit;
    for fact in unit
        .facts
        .iter()
        .filter(|f| f.key.ends_with("confirm_publish") && is_false(f))
    {
        hit(judge, None, fact, "publisher confirms are switched off");
    }
}

fn shovels(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    for shovel in unit.subjects_of(Layer::Shovel) {
        let Some((fact, mode)) = text_of(judge, shovel, "ack-mode") else {
            continue;
        };
        if mode == "on-publish" || mode == "no-ack" {
            let at = judge.at_fact(fact).of(shovel).safe("on-confirm");
            judge.hit(
                at,
                Say::new(
                    format!("the shovel takes messages off before the other side has confirmed them ({mode})"),
                    "does not wait for the destination",
                    "The connection to the destination drops, and what was taken off the source and not yet written there is nowhere.",
                    "ack-mode: on-confirm, which is the default",
                ),
            );
        }
    }
}

fn channels(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    for publisher in unit.subjects_of(Layer::Producer) {
        let Some(fact) = unit.of(publisher, UNCONFIRMED) else {
            continue;
        };
        let at = judge.at_fact(fact).of(publisher);
        judge.hit(
            at,
            say(&format!(
                "user `{}` publishes without confirms ({})",
                publisher.name,
                fact.value.show()
            )),
        );
    }
}

fn spring(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    if let Some(old) = unit.live("spring.rabbitmq.publisher-confirms") {
        hit(
            judge,
            None,
            old,
            "publisher-confirms has no effect: Spring Boot ignores it since 2.3",
        );
    }
    if let Some((setting, value)) = judge.written("spring.rabbitmq.publisher-confirm-type") {
        let Some(fact) = setting.given else { return };
        match value.to_lowercase().as_str() {
            "none" => hit(judge, None, fact, "publisher confirms are switched off"),
            "simple" => hit(
                judge,
                Some("simple"),
                fact,
                "simple confirms: only code that calls waitForConfirms hears of them",
            ),
            _ => {}
        }
        return;
    }
    if unit.live("spring.rabbitmq.publisher-confirm-type").is_some() || unit.fragment.is_some() {
        return;
    }
    let about = |prefix: &'static str| named(unit, prefix, "").next();
    let publishes = about("spring.rabbitmq.template.").or_else(|| about("spring.rabbitmq.publisher-returns"));
    let listens = about("spring.rabbitmq.listener.").is_some();
    let any = about("spring.rabbitmq.").filter(|_| !listens);
    if publishes.or(any).is_some() && unit.live("spring.rabbitmq.publisher-confirms").is_none() {
        let absent = judge.setting("spring.rabbitmq.publisher-confirm-type");
        let at = judge.at(&absent);
        judge.hit_as(
            Some("absent"),
            at,
            say("publisher-confirm-type is not set, and Spring's default is none"),
        );
    }
}

fn smallrye(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    for connector in named(unit, "mp.messaging.outgoing.", ".connector") {
        if connector.value.text() != Some("smallrye-rabbitmq") {
            continue;
        }
        let key = connector.key.replace(".connector", ".publish-confirms");
        match unit.live(&key) {
            Some(fact) if is_true(fact) => {}
            Some(fact) => hit(judge, None, fact, "publisher confirms are switched off"),
            None => hit(
                judge,
                None,
                connector,
                "publish-confirms is not set, and the default is false",
            ),
        }
    }
}

fn hit(judge: &mut Judge<'_>, variant: Option<&'static str>, fact: &Fact, headline: &str) {
    let at = judge.at_fact(fact);
    judge.hit_as(variant, at, say(headline));
}

fn say(headline: &str) -> Say {
    Say::new(
        headline,
        "nobody hears whether it is stored",
        "The connection drops or the node dies before the message is written. The publisher has handed it over and goes on.",
        "publisher-confirm-type: correlated (SmallRye: publish-confirms=true), and a resend on a nack or a time-out",
    )
}
