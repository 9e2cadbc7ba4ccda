//! X-K13: applications that write to what the broker makes up.

use crate::audit::fact::{Fact, Layer};
use crate::audit::judge::{Judge, Say};
use crate::audit::resolve::is_placeholder;
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::named;
use std::collections::HashSet;

rule! {
    /// # What it finds
    /// An application that names a topic to write to (`destination` of an output binding, `topic` of an outgoing channel,
    /// `spring.kafka.template.default-topic`) that no file of the run declares, beside a broker that creates topics by itself with
    /// one copy.
    ///
    /// # How messages are lost
    /// The topic appears with the first record, with one copy. The loss of one disk takes it.
    ///
    /// # Instead
    /// Declare the topic with three copies; `auto.create.topics.enable=false`.
    ///
    /// # Example
    /// `server.properties`, found:
    /// ```properties
    /// process.roles=broker
    /// node.id=4
    /// log.dirs=/var/lib/kafka/data
    /// auto.create.topics.enable=true
    /// ```
    /// `server.properties`, clean:
    /// ```properties
    /// process.roles=broker
    /// node.id=4
    /// log.dirs=/var/lib/kafka/data
    /// auto.create.topics.enable=false
    /// ```
    /// `application.properties`, beside it:
    /// ```properties
    /// spring.cloud.stream.kafka.binder.brokers=kafka-1:9092
    /// spring.cloud.stream.bindings.orders-out-0.destination=orders
    /// ```
    ///
    /// # Source
    /// Kafka `AutoTopicCreationManager`.
    pub(crate) static RULE = {
        code: "X-K13",
        name: "undeclared-topic",
        title: "A topic that is written to is declared nowhere, and is born with one copy",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::Application],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let targets = targets(unit);
    if targets.is_empty() {
        return;
    }
    let number = |s: &crate::audit::resolve::Setting<'_>| s.value.as_ref().ok().and_then(|v| v.parse::<i64>().ok());
    let makes = judge.near(Role::KafkaBroker).find(|broker| {
        let create = judge.setting_of(broker, "auto.create.topics.enable");
        let copies = number(&judge.setting_of(broker, "default.replication.factor"));
        create.value.as_deref().is_ok_and(|v| v.eq_ignore_ascii_case("true")) && copies.is_some_and(|n| n == 1)
    });
    let Some(broker) = makes else { return };
    let declared: HashSet<&str> = judge
        .near(Role::KafkaTopic)
        .flat_map(|u| u.subjects_of(Layer::Topic))
        .map(|t| t.name.as_str())
        .collect();
    for fact in targets {
        let name = fact.value.text().unwrap_or_default().trim();
        if name.is_empty() || is_placeholder(name) || declared.contains(name) {
            continue;
        }
        let at = judge.at_fact(fact).related(&broker.top(), "creates it with one copy");
        judge.hit(
            at,
            Say::new(
                format!("topic `{name}` is declared nowhere, and the broker makes it with one copy"),
                "born with one copy",
                "The topic appears with the first record, and with one copy. The loss of one disk takes it.",
                "declare the topic with three copies, and auto.create.topics.enable=false",
            ),
        );
    }
}

/// Where an application says which topic of Kafka it writes to.
fn targets(unit: &crate::audit::fact::Unit) -> Vec<&Fact> {
    let mut found: Vec<&Fact> = unit.live("spring.kafka.template.default-topic").into_iter().collect();
    if named(unit, "spring.cloud.stream.kafka.", "").next().is_some() {
        found.extend(
            named(unit, "spring.cloud.stream.bindings.", ".destination")
                .filter(|f| f.key.contains("-out-") || f.key.contains(".output.")),
        );
    }
    for connector in
        named(unit, "mp.messaging.outgoing.", ".connector").filter(|f| f.value.text() == Some("smallrye-kafka"))
    {
        found.extend(unit.live(&connector.key.replace(".connector", ".topic")));
    }
    found
}
