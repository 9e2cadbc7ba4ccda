//! X-R03: confirms without a word about routing.

use crate::audit::fact::{Layer, Subject, Unit};
use crate::audit::judge::{Judge, Say};
use crate::audit::role;
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::is_true;
use crate::audit::rules::rabbitmq::is_reserved;
use crate::audit::rules::rabbitmq::topology::{Topology, name};
use crate::audit::terms::canonical::POLICY;

rule! {
    /// # What it finds
    /// An application with publisher confirms and without `mandatory` or returns, beside exchanges of the run without an
    /// `alternate-exchange`; an exchange that nothing is bound to and that has none (`X-R03/no-bindings`), where the file holds all
    /// bindings.
    ///
    /// # How messages are lost
    /// No queue is bound for the key: the broker drops the message and confirms it.
    ///
    /// # Instead
    /// `publisher-returns: true` with `template.mandatory: true`; or an alternate exchange.
    ///
    /// # Example
    /// `application.properties`, found:
    /// ```properties
    /// spring.rabbitmq.host=mq
    /// spring.rabbitmq.publisher-confirm-type=correlated
    /// ```
    /// `application.properties`, clean:
    /// ```properties
    /// spring.rabbitmq.host=mq
    /// spring.rabbitmq.publisher-confirm-type=correlated
    /// spring.rabbitmq.publisher-returns=true
    /// ```
    /// `definitions.json`, beside it:
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
    /// RabbitMQ `rabbit_channel:process_routing_mandatory`, `ae.md`.
    pub(crate) static RULE = {
        code: "X-R03",
        name: "confirmed-and-unroutable",
        title: "A confirm says \"stored\" for what was dropped as unroutable",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &["no-bindings"],
        applies: &[Role::Application, Role::RabbitTopology],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    if role::is(unit, Role::Application) {
        application(judge);
        return;
    }
    let topology = Topology::new(judge);
    // A file without any binding may be one of an application that binds; a broker without any has none.
    let told = unit.is_live() || unit.subjects_of(Layer::Binding).next().is_some();
    if !topology.is_closed() || !told {
        return;
    }
    for exchange in unit.subjects_of(Layer::Exchange).filter(|e| !is_reserved(&e.name)) {
        if topology.has_bindings(name(exchange)) || has_alternate(unit, exchange) {
            continue;
        }
        let at = judge.at_subject(exchange, "bindings");
        judge.hit_as(
            Some("no-bindings"),
            at,
            Say::new(
                format!(
                    "nothing is bound to exchange `{}`: everything that is published there is dropped",
                    exchange.name
                ),
                "dropped, and confirmed",
                "The broker drops what it cannot route, and confirms it all the same.",
                "bind a queue, or give it an alternate exchange; unless an application binds to it",
            ),
        );
    }
}

fn has_alternate(unit: &Unit, exchange: &Subject) -> bool {
    let of_policy = || {
        let name = unit.of(exchange, POLICY)?.value.text()?;
        let mut policies = unit.subjects_of(Layer::Policy);
        let policy = policies.find(|p| p.vhost == exchange.vhost && p.name == name)?;
        unit.of(policy, "definition.alternate-exchange")
    };
    unit.of(exchange, "arguments.alternate-exchange").is_some() || of_policy().is_some()
}

fn application(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let confirms = unit
        .live("spring.rabbitmq.publisher-confirm-type")
        .filter(|f| f.value.text().is_some_and(|v| !v.trim().eq_ignore_ascii_case("none")));
    let Some(confirms) = confirms else { return };
    let on = |key: &str| unit.live(key).is_some_and(is_true);
    if on("spring.rabbitmq.template.mandatory") || on("spring.rabbitmq.publisher-returns") {
        return;
    }
    let policies = judge.near(Role::RabbitTopology).any(|u| {
        u.subjects_of(Layer::Policy)
            .any(|p| u.of(p, "definition.alternate-exchange").is_some())
    });
    let open = judge
        .near(Role::RabbitTopology)
        .flat_map(|u| u.subjects_of(Layer::Exchange).map(move |e| (u, e)))
        .find(|(u, e)| !is_reserved(&e.name) && !has_alternate(u, e));
    let Some((_, exchange)) = open.filter(|_| !policies) else {
        return;
    };
    let at = judge
        .at_fact(confirms)
        .related(&exchange.place, "no alternate exchange");
    judge.hit(
        at,
        Say::new(
            format!(
                "a confirm is also given for what exchange `{}` cannot route",
                exchange.name
            ),
            "confirmed, and nowhere",
            "No queue is bound for the key: the broker drops the message and confirms it.",
            "publisher-returns: true with template.mandatory: true and a handler, or an alternate exchange",
        ),
    );
}
