//! RQP002: no word for messages that route nowhere.

use crate::audit::fact::Layer;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::{self, Role};
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::{is_false, is_true, named};
use crate::audit::terms::canonical::UNROUTABLE;

rule! {
    /// # What it finds
    /// An application with confirms or a template and without `spring.rabbitmq.template.mandatory: true` or `publisher-returns:
    /// true`. An alternate exchange does the same job: where the topology is in the run X-R03 looks at both. At a live broker
    /// (`RQP002/dropped`) a virtual host whose connections have had messages dropped already.
    ///
    /// # How messages are lost
    /// A binding is missing, or its key is misspelt: the broker drops the message and confirms it all the same.
    ///
    /// # Instead
    /// `publisher-returns: true` with `template.mandatory: true` and a handler that does something; or an alternate exchange.
    ///
    /// # Example
    /// `application.properties`, found:
    /// ```properties
    /// spring.rabbitmq.host=mq
    /// spring.rabbitmq.publisher-confirm-type=correlated
    /// spring.rabbitmq.template.mandatory=false
    /// ```
    /// `application.properties`, clean:
    /// ```properties
    /// spring.rabbitmq.host=mq
    /// spring.rabbitmq.publisher-confirm-type=correlated
    /// spring.rabbitmq.template.mandatory=true
    /// ```
    ///
    /// # Source
    /// RabbitMQ `rabbit_channel:process_routing_mandatory`, `publishers.md`; Spring Boot `RabbitProperties`: both false.
    pub(crate) static RULE = {
        code: "RQP002",
        name: "unroutable-dropped",
        title: "A message that no queue is bound for is dropped, and still confirmed",
        evidence: &[Evidence::File, Evidence::Live, Evidence::Code],
        variants: &["dropped"],
        applies: &[Role::Application, Role::RabbitTopology],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    if role::is(unit, Role::RabbitTopology) {
        dropped(judge);
        return;
    }
    let on = |key: &str| unit.live(key).is_some_and(is_true);
    if on("spring.rabbitmq.template.mandatory") || on("spring.rabbitmq.publisher-returns") {
        return;
    }
    // Where the topology is at hand X-R03 knows more.
    if judge.near(Role::RabbitTopology).next().is_some() {
        return;
    }
    let told = [
        "spring.rabbitmq.template.mandatory",
        "spring.rabbitmq.publisher-returns",
        "spring.rabbitmq.publisher-confirm-type",
    ];
    let explicit = told.iter().filter_map(|k| unit.live(k)).find(|f| is_false(f));
    let confirms = unit
        .live("spring.rabbitmq.publisher-confirm-type")
        .filter(|f| f.value.text() != Some("none"));
    let Some(fact) = explicit
        .or(confirms)
        .or_else(|| named(unit, "spring.rabbitmq.template.", "").next())
    else {
        return;
    };
    let at = judge.at_fact(fact).inferred(explicit.is_none());
    judge.hit(
        at,
        Say::new(
            "nothing tells the publisher that a message routes nowhere",
            "neither mandatory nor returns",
            "A binding is missing, or its key is misspelt: the broker drops the message and confirms it all the same.",
            "publisher-returns: true with template.mandatory: true and a handler, or an alternate exchange",
        ),
    );
}

fn dropped(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    for host in unit.subjects_of(Layer::VirtualHost) {
        let Some(fact) = unit.of(host, UNROUTABLE) else {
            continue;
        };
        let at = judge.at_fact(fact).of(host);
        judge.hit_as(
            Some("dropped"),
            at,
            Say::new(
                format!(
                    "in virtual host `{}` {} messages were dropped, because nothing was bound for them",
                    host.name,
                    fact.value.show()
                ),
                "lost",
                "They were published without `mandatory` to exchanges that had no binding for their keys and no alternate exchange. Where \
                 confirms were on, the publisher was told that all is well.",
                "mandatory with a handler for what comes back, or an alternate exchange; then find the binding that is missing",
            ),
        );
    }
}
