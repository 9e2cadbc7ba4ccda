//! RQB002: data that the next start of the node does not find.

use super::super::storage::{Held, holds};
use crate::audit::fact::Fact;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// A container without a volume for `/var/lib/rabbitmq` (`RQB002/anonymous-volume` where the image's own anonymous volume is all
    /// there is), on a `tmpfs` or an `emptyDir`; one with a volume and without a fixed host name; a cluster resource with
    /// `persistence.storage: 0` or an `emptyDir`.
    ///
    /// # How messages are lost
    /// The data directory is named after the node, and the node after its host. A container that is made anew has a random host name:
    /// it starts an empty node next to the old data. An `emptyDir` is gone with its pod.
    ///
    /// # Instead
    /// A fixed `hostname:` (or a StatefulSet) and a volume for `/var/lib/rabbitmq`; `prevent_startup_if_node_was_reset = true` helps
    /// to notice.
    ///
    /// # Example
    /// `docker-compose.yml`, found:
    /// ```yaml
    /// services:
    ///   mq:
    ///     image: rabbitmq:4.1
    /// ```
    /// `docker-compose.yml`, clean:
    /// ```yaml
    /// services:
    ///   mq:
    ///     image: rabbitmq:4.1
    ///     hostname: mq
    ///     volumes:
    ///       - mq-data:/var/lib/rabbitmq
    /// volumes:
    ///   mq-data: {}
    /// ```
    ///
    /// # Source
    /// docker-library `rabbitmq/content.md`; RabbitMQ cluster operator `RabbitmqClusterPersistenceSpec`.
    pub(crate) static RULE = {
        code: "RQB002",
        name: "rabbitmq-data-not-kept",
        title: "A new container or pod starts as an empty node",
        evidence: &[Evidence::File],
        variants: &["anonymous-volume"],
        applies: &[Role::RabbitNode],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let around = |name: &str| unit.surrounding(name).next();
    let zero = |f: &&Fact| {
        f.value
            .text()
            .is_some_and(|v| v.trim_end_matches(|c: char| c.is_alphabetic()).trim() == "0")
    };
    if let Some(fact) = around("persistence.storage")
        .filter(zero)
        .or_else(|| around("persistence.emptyDir"))
    {
        let at = judge.at_fact(fact);
        judge.hit(at, say("the data directory is gone with its pod"));
        return;
    }
    // An operator gives its pods a claim and a name.
    let Some(image) = around("image") else { return };
    if unit.carrier == Some("operator") {
        return;
    }
    let directory = match image.value.text() {
        Some(name) if name.contains("bitnami") => "/bitnami/rabbitmq/mnesia",
        _ => "/var/lib/rabbitmq/mnesia",
    };
    let at = judge.at_fact(image);
    match holds(unit, directory) {
        Held::Not => judge.hit(at, say(&format!("{directory} does not outlive the container"))),
        Held::ByThisContainer => judge.hit_as(
            Some("anonymous-volume"),
            at,
            say("no volume of its own: the next container starts as an empty node"),
        ),
        // The name of the node is part of the path.
        Held::ForGood if around("hostname").is_none() && around("nodename").is_none() => {
            // A file of variables that is not at hand may name the node instead.
            judge.hit(
                at.inferred(true),
                say("no fixed host name: unless RABBITMQ_NODENAME names the node, the next container starts as an empty one next to the old data"),
            );
        }
        Held::ForGood => {}
    }
}

fn say(headline: &str) -> Say {
    Say::new(
        headline,
        "starts empty",
        "The data directory is named after the node, and the node after its host. A container that is made anew, or a pod that is moved, \
         does not find what the old one kept.",
        "a fixed hostname and a volume for /var/lib/rabbitmq; a StatefulSet with a claim on Kubernetes",
    )
}
