//! X-R09: definitions that do not hold.

use crate::audit::fact::{Fact, FactValue, Layer, Subject, Unit};
use crate::audit::judge::{Judge, Say};
use crate::audit::resolve::is_placeholder;
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// Queues, exchanges and policies of a file together with the running cluster that it belongs to: those that the cluster has otherwise, and
    /// there weaker (a transient queue, a classic one instead of a quorum queue); `X-R09/differs` where one cannot be told to be weaker;
    /// `X-R09/missing` where the cluster does not have them.
    ///
    /// # How messages are lost
    /// An import skips a queue or exchange that exists, and a declaration with other arguments is refused: the file says durable or quorum,
    /// and the queue stays what it was.
    ///
    /// # Instead
    /// Declare the queue anew under another name, move its messages, then delete the old one; or correct the file.
    ///
    /// # Example
    /// A file asks for a durable queue; a node answers what the queue is. `@` begins what was asked, `-` a thing by its name; below it stands what was told.
    /// Recorded, found:
    /// ```facts
    /// @ rabbitmq-topology file=definitions.json
    /// - queue orders
    /// durable=true
    /// @ rabbitmq-topology live file=amqp
    /// - queue orders
    /// durable=false
    /// ```
    /// Recorded, clean:
    /// ```facts
    /// @ rabbitmq-topology file=definitions.json
    /// - queue orders
    /// durable=true
    /// @ rabbitmq-topology live file=amqp
    /// - queue orders
    /// durable=true
    /// ```
    ///
    /// # Source
    /// RabbitMQ `rabbit_definitions`: what exists is skipped.
    pub(crate) static RULE = {
        code: "X-R09",
        name: "definitions-do-not-hold",
        title: "The running cluster is not what the file declares",
        evidence: &[Evidence::Live],
        variants: &["differs", "missing"],
        applies: &[Role::RabbitTopology],
        check: check,
    };
}

/// What of a queue or exchange decides about loss, beside its arguments.
const KEYS: [&str; 2] = ["durable", "auto_delete"];

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    if unit.is_live() {
        return;
    }
    let Some(running) = judge.running(Role::RabbitTopology).next() else {
        return;
    };
    for subject in &unit.subjects {
        if !matches!(subject.layer, Layer::Queue | Layer::Exchange | Layer::Policy) {
            continue;
        }
        if is_placeholder(&subject.name) || crate::audit::rules::rabbitmq::is_reserved(&subject.name) {
            continue;
        }
        let Some(same) = twin(running, subject) else {
            // What could not be read may be there.
            if running.fragment.is_none() && has_host(running, subject) {
                missing(judge, subject);
            }
            continue;
        };
        for (here, there) in pairs(unit, subject, running, same) {
            differs(judge, subject, here, there, &running.file);
        }
    }
}

/// The same thing in the running cluster. A file of a single virtual host does not name it.
fn twin<'r>(running: &'r Unit, subject: &Subject) -> Option<&'r Subject> {
    let mut all = running.subjects_of(subject.layer).filter(|s| s.name == subject.name);
    match &subject.vhost {
        Some(vhost) => all.find(|s| s.vhost.as_ref() == Some(vhost)),
        None => {
            let first = all.next()?;
            all.next().is_none().then_some(first)
        }
    }
}

/// Whether the cluster showed the virtual host at all.
fn has_host(running: &Unit, subject: &Subject) -> bool {
    let mut exchanges = running.subjects_of(Layer::Exchange);
    match &subject.vhost {
        Some(vhost) => exchanges.any(|e| e.vhost.as_ref() == Some(vhost)),
        None => {
            let mut hosts: Vec<_> = exchanges.map(|e| &e.vhost).collect();
            hosts.dedup();
            hosts.len() == 1
        }
    }
}

/// What is declared, each with what runs; `None` for what does not.
fn pairs<'u>(
    unit: &'u Unit,
    subject: &Subject,
    running: &'u Unit,
    same: &Subject,
) -> Vec<(&'u Fact, Option<&'u Fact>)> {
    let mut found = Vec::new();
    for fact in unit.facts_of(subject) {
        let key = fact.key.as_str();
        let there = match key {
            // Old queues have no such argument, and still a type.
            "arguments.x-queue-type" | "type" if subject.layer == Layer::Queue => running.of(same, "type"),
            _ => running.of(same, key),
        };
        let matters = KEYS.contains(&key)
            || key.starts_with("arguments.")
            || key.starts_with("definition.")
            || matches!(key, "type" | "pattern" | "priority" | "apply-to");
        if matters && !matches!(fact.value, FactValue::Null | FactValue::Composite | FactValue::Secret) {
            found.push((fact, there));
        }
    }
    found
}

fn differs(judge: &mut Judge<'_>, subject: &Subject, here: &Fact, there: Option<&Fact>, target: &str) {
    let declared = here.value.show();
    let runs = there.map(|f| f.value.show());
    if is_placeholder(&declared) || runs.as_deref().is_some_and(|r| r.trim() == declared.trim()) {
        return;
    }
    // Absent and false are the same of a switch.
    if runs.is_none() && declared == "false" {
        return;
    }
    let is_type = here.key.ends_with("type") && subject.layer == Layer::Queue;
    let weaker = match runs.as_deref() {
        Some("false") if here.key == "durable" => true,
        Some("true") if here.key == "auto_delete" => true,
        Some("classic") if is_type => true,
        Some(_) => false,
        None => subject.layer == Layer::Policy || here.key.contains("dead-letter") || here.key.contains("overflow"),
    };
    let what = format!("{} `{}`", subject.layer.name(), subject.name);
    let key = here
        .key
        .trim_start_matches("arguments.")
        .trim_start_matches("definition.");
    let shown = runs.unwrap_or_else(|| "not set".to_owned());
    let mut at = judge.at_fact(here).of(subject);
    if let Some(there) = there {
        at = at.related(&there.place, format!("{target} has {key}={shown}"));
    }
    judge.hit_as(
        (!weaker).then_some("differs"),
        at,
        Say::new(
            format!("{what}: {key} is {declared} here and {shown} on the cluster"),
            if weaker { "weaker than declared" } else { "not what runs" },
            "An import skips what exists, and a queue keeps what it was declared with first. Whoever reads the file believes that it holds.",
            match subject.layer {
                Layer::Policy => "set the policy again: rabbitmqctl import_definitions, or set_policy with what the file says",
                _ => "declare it anew under another name, move the messages, then delete the old one; or correct the file",
            },
        ),
    );
}

fn missing(judge: &mut Judge<'_>, subject: &Subject) {
    let what = format!("{} `{}`", subject.layer.name(), subject.name);
    let at = judge.at_subject(subject, "name");
    judge.hit_as(
        Some("missing"),
        at,
        Say::new(
            format!("{what} is declared here, and the cluster does not have it"),
            "not there",
            "What is published for it is dropped as unroutable, or its limits and dead letters are not there, until somebody declares it.",
            "rabbitmqctl import_definitions with this file; or remove it from the file",
        ),
    );
}
