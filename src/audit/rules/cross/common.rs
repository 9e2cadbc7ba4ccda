//! What several rules that join files ask for.

use crate::audit::fact::{Place, Subject, Unit};
use crate::audit::judge::{At, Judge};
use crate::audit::resolve::Setting;
use crate::audit::role::Role;
use crate::audit::rules::{int_of, named};

/// The producers that belong together with the unit.
pub(super) fn producers<'a>(judge: &Judge<'a>) -> impl Iterator<Item = &'a Unit> + use<'a> {
    judge
        .near(Role::KafkaProducer)
        .chain(judge.near(Role::LibrdkafkaProducer))
}

/// What a producer waits for.
pub(super) fn acks<'a>(judge: &Judge<'a>, unit: &'a Unit) -> Option<(String, Setting<'a>)> {
    let setting = judge.setting_of(unit, "acks");
    let value = setting.value.clone().ok()?;
    Some((value, setting))
}

/// How many in-sync replicas a topic asks for, itself or by the nearest broker, and where that is said.
pub(super) fn topic_min_insync<'a>(judge: &mut Judge<'a>, topic: &Subject) -> Option<(i64, At)> {
    const KEY: &str = "min.insync.replicas";
    let unit = judge.unit;
    if unit.of(topic, KEY).is_some() {
        let (fact, least) = int_of(judge, topic, KEY)?;
        return Some((least, judge.at_fact(fact).of(topic)));
    }
    let broker = judge.near(Role::KafkaBroker).next()?;
    let inherited = judge.setting_of(broker, KEY);
    let least = inherited.value.as_ref().ok()?.parse().ok()?;
    let place = inherited.given.map_or_else(|| broker.top(), |f| f.place.clone());
    let at = judge.at_subject(topic, KEY);
    Some((
        least,
        at.related(&place, "the broker's value, which the topic inherits"),
    ))
}

/// Where an application says, or leaves out, that it publishes to RabbitMQ without confirms; and whether it says so.
pub(super) fn unconfirmed(unit: &Unit) -> Option<(Place, bool)> {
    if let Some(kind) = unit.live("spring.rabbitmq.publisher-confirm-type") {
        let none = kind.value.text().is_some_and(|v| v.trim().eq_ignore_ascii_case("none"));
        return none.then(|| (kind.place.clone(), true));
    }
    if unit.fragment.is_some() {
        return None;
    }
    let publishes = named(unit, "spring.rabbitmq.template.", "")
        .next()
        .or_else(|| unit.live("spring.rabbitmq.publisher-confirms"))?;
    Some((publishes.place.clone(), false))
}
