//! What the tests of rules share: a file that is read, or facts that are fed by hand.
//!
//! Fed facts stand for what a live broker tells, or a reader that the rule does not care for. The text is a list of units:
//! ```text
//! ! kafka=3.6                    what is said of versions
//! @ kafka-producer librdkafka    a unit: its role, and the component where the role does not tell
//! acks=all                       its facts
//! ~ image=kafka:4.1              what surrounds it
//! @ kafka-topic file=topics
//! - topic orders                 a named thing of a unit, and below it the facts about it
//! min.insync.replicas=1
//! ```

use crate::audit::engine::judge_fed;
use crate::audit::fact::{Component, Dialect, Effect, Fact, FactValue, Layer, Place, Subject, Unit, Version};
use crate::audit::stated::{Release, Stated};
use crate::audit::terms::canonical::LIVE;
use crate::audit::{Options, Report, audit_bytes, registry};
use crate::config::Profile;
use crate::text::{SourceFile, Span};
use std::sync::Arc;

/// What the first word of a unit stands for.
const ROLES: [(&str, Dialect, Component); 18] = [
    ("kafka-broker", Dialect::KafkaBroker, Component::KafkaBroker),
    ("kafka-node-pool", Dialect::KafkaNodePool, Component::KafkaBroker),
    ("kafka-topic", Dialect::KafkaTopics, Component::KafkaBroker),
    ("kafka-producer", Dialect::KafkaProducer, Component::KafkaClients),
    ("kafka-consumer", Dialect::KafkaConsumer, Component::KafkaClients),
    (
        "librdkafka-producer",
        Dialect::LibrdkafkaProducer,
        Component::Librdkafka,
    ),
    (
        "librdkafka-consumer",
        Dialect::LibrdkafkaConsumer,
        Component::Librdkafka,
    ),
    ("kafka-connect-worker", Dialect::KafkaConnect, Component::KafkaConnect),
    ("kafka-connector", Dialect::KafkaConnector, Component::KafkaConnect),
    ("kafka-streams", Dialect::KafkaStreams, Component::KafkaStreams),
    ("kafka-mirrormaker", Dialect::KafkaMirror, Component::KafkaConnect),
    ("rabbitmq-node", Dialect::RabbitmqConf, Component::RabbitMq),
    ("rabbitmq-topology", Dialect::RabbitmqDefinitions, Component::RabbitMq),
    ("rocketmq-broker", Dialect::RocketmqBroker, Component::RocketMq),
    ("rocketmq-controller", Dialect::RocketmqController, Component::RocketMq),
    ("rocketmq-topic", Dialect::RocketmqTopics, Component::RocketMq),
    ("application", Dialect::Application, Component::Application),
    ("kafka-client", Dialect::KafkaClient, Component::UnknownKafkaClient),
];

fn profile(name: &str) -> Profile {
    match Profile::built_in(name, &registry::profile_names()) {
        Ok(Some(profile)) => profile,
        other => panic!("no profile {name}: {other:?}"),
    }
}

fn report(profile_name: &str, name: &str, text: &str) -> Report {
    let profile = profile(profile_name);
    audit_bytes(name, text.as_bytes(), &Options::new(&profile))
}

fn findings(report: &Report, code: &str) -> Vec<String> {
    report
        .findings
        .iter()
        .filter(|f| f.rule.code == code)
        .map(|f| {
            let spot = f.places.primary.spot;
            let value = f.value.as_deref().unwrap_or("(absent)");
            format!("{} {}:{} {}={value}", f.severity, spot.line, spot.column, f.key)
        })
        .collect()
}

/// What one rule finds in a file under a profile, as `severity line:column key=value`.
pub(crate) fn found_under(profile: &str, code: &str, name: &str, text: &str) -> Vec<String> {
    findings(&report(profile, name, text), code)
}

/// As [`found_under`] the default profile.
pub(crate) fn found(code: &str, name: &str, text: &str) -> Vec<String> {
    found_under("orders", code, name, text)
}

/// Why one rule could not tell.
pub(crate) fn undecided(code: &str, name: &str, text: &str) -> Vec<String> {
    why_not(report("orders", name, text), code)
}

fn why_not(report: Report, code: &str) -> Vec<String> {
    report
        .undecided
        .into_iter()
        .filter(|u| u.rule.code == code)
        .map(|u| u.reason)
        .collect()
}

/// What one rule finds in facts fed by hand, under the strictest profile.
fn fed(code: &str, text: &str) -> Vec<String> {
    fed_under("finance", code, text)
}

/// As [`fed`], under another profile.
pub(crate) fn fed_under(profile_name: &str, code: &str, text: &str) -> Vec<String> {
    findings(&fed_report(profile_name, text), code)
}

/// Everything that the rules say of facts fed by hand.
pub(crate) fn fed_report(profile_name: &str, text: &str) -> Report {
    let profile = profile(profile_name);
    let mut options = Options::new(&profile);
    let (mut units, mut files) = (Vec::new(), Vec::new());
    let mut open: Option<Open> = None;
    let source = SourceFile::new(text.as_bytes().to_vec());
    let mut at = 0;
    for line in text.lines() {
        let span = Span::new(at, at + line.len());
        at += line.len() + 1;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(stated) = line.strip_prefix("! ") {
            options.stated = versions(stated);
        } else if let Some(head) = line.strip_prefix("@ ") {
            close(open.take(), &mut units);
            let opened = Open::new(head);
            files.push(opened.file.clone());
            open = Some(opened);
        } else if let Some(open) = &mut open {
            let place = Place {
                file: open.file.clone(),
                span,
                spot: source.spot(span.start),
            };
            open.line(line, place);
        } else {
            panic!("{line}: no unit before it");
        }
    }
    close(open, &mut units);
    judge_fed(&units, files, text, &options)
}

fn versions(text: &str) -> Stated {
    let mut stated = Stated::default();
    for word in text.split_whitespace() {
        let (name, release) = word.split_once('=').unwrap_or((word, ""));
        let release = Release::parse(release);
        match name {
            "kafka" => stated.kafka = release,
            "java" => stated.java = release,
            "librdkafka" => stated.librdkafka = release,
            "rabbitmq" => stated.rabbitmq = release,
            "rocketmq" => stated.rocketmq = release,
            _ => panic!("no component {name}"),
        }
    }
    stated
}

struct Open {
    dialect: Dialect,
    component: Component,
    version: Version,
    fragment: Option<&'static str>,
    file: Arc<str>,
    facts: Vec<Fact>,
    subjects: Vec<Subject>,
    surroundings: Vec<Fact>,
    brokers: Option<usize>,
    release: Option<Release>,
    carrier: Option<&'static str>,
}

impl Open {
    fn new(head: &str) -> Open {
        let mut words = head.split_whitespace();
        let name = words.next().unwrap_or_default();
        let Some((_, dialect, component)) = ROLES.into_iter().find(|(r, ..)| *r == name) else {
            panic!("no role {name}")
        };
        let mut open = Open {
            dialect,
            component,
            version: Version::Unknown,
            fragment: None,
            file: Arc::from("facts"),
            facts: Vec::new(),
            subjects: Vec::new(),
            surroundings: Vec::new(),
            brokers: None,
            release: None,
            carrier: None,
        };
        for word in words {
            match word {
                "librdkafka" => open.component = Component::Librdkafka,
                "unknown" => open.component = Component::UnknownKafkaClient,
                "automq" => open.component = Component::AutoMq,
                "five" => open.version = Version::RocketMq5,
                "fragment" => open.fragment = Some("there is more elsewhere"),
                "compose" => open.carrier = Some("compose"),
                "operator" => open.carrier = Some("operator"),
                "live" => open.carrier = Some(LIVE),
                _ => match word.split_once('=') {
                    Some(("file", file)) => open.file = Arc::from(file),
                    Some(("brokers", n)) => open.brokers = n.parse().ok(),
                    Some(("release", release)) => open.release = Release::parse(release),
                    _ => panic!("{word}: nothing that a unit has"),
                },
            }
        }
        open
    }

    fn line(&mut self, line: &str, place: Place) {
        if let Some(named) = line.strip_prefix("- ") {
            let mut words = named.split_whitespace();
            let layer = match words.next() {
                Some("topic") => Layer::Topic,
                Some("queue") => Layer::Queue,
                Some("exchange") => Layer::Exchange,
                Some("binding") => Layer::Binding,
                Some("policy") => Layer::Policy,
                Some("operator-policy") => Layer::OperatorPolicy,
                Some("shovel") => Layer::Shovel,
                Some("vhost") => Layer::VirtualHost,
                Some("producer") => Layer::Producer,
                Some("consumer") => Layer::Consumer,
                other => panic!("{other:?}: no layer"),
            };
            self.subjects.push(Subject {
                layer,
                vhost: None,
                name: words.next().unwrap_or_default().to_owned(),
                place,
                facts: self.facts.len()..self.facts.len(),
            });
            return;
        }
        let around = line.strip_prefix("~ ");
        let (key, value) = around.unwrap_or(line).split_once('=').unwrap_or((line, ""));
        let typed = self.component == Component::RabbitMq && around.is_none();
        let list = match around {
            Some(_) => &mut self.surroundings,
            None => &mut self.facts,
        };
        list.push(Fact {
            key: key.to_owned(),
            value: match value {
                "true" if typed => FactValue::Bool(true),
                "false" if typed => FactValue::Bool(false),
                _ => FactValue::Text(value.to_owned()),
            },
            place,
            layer: self.subjects.last().map_or(Layer::Broker, |s| s.layer),
            effect: Effect::Live,
        });
        if let Some(subject) = self.subjects.last_mut().filter(|_| around.is_none()) {
            subject.facts.end = self.facts.len();
        }
    }
}

fn close(open: Option<Open>, units: &mut Vec<Unit>) {
    let Some(open) = open else { return };
    let mut unit = Unit::new(open.file, open.dialect, open.component, open.facts, open.subjects);
    unit.version = open.version;
    unit.surroundings = open.surroundings;
    unit.brokers = open.brokers;
    unit.release = open.release.map(|r| (r.0, r.1, r.2));
    unit.carrier = open.carrier;
    unit.fragment = open.fragment;
    units.push(unit);
}

/// One of the two files of a rule, when its facts are fed by hand.
fn fed_fixture(code: &str, kind: &str) -> Option<String> {
    let path = format!(
        "{}/tests/fixtures/audit/{code}/{kind}.facts",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read_to_string(path).ok()
}

/// What is wrong with a pair of fed facts: nothing when the rule finds something in the bad one, and nothing in the good one.
fn judge_pair(code: &str, bad: &str, good: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if fed(code, bad).is_empty() {
        wrong.push(format!("{code}: nothing is found in the bad facts"));
    }
    let in_good = fed(code, good);
    if !in_good.is_empty() {
        wrong.push(format!("{code}: {in_good:?} in the good facts"));
    }
    wrong
}

/// What all rules say of the facts in the words of one: severity, place, key, value and headline; then what it could not tell.
fn told(code: &str, text: &str) -> String {
    let report = fed_report("finance", text);
    let found = report.findings.iter().filter(|f| f.rule.code == code).map(|f| {
        let (spot, value) = (f.places.primary.spot, f.value.as_deref().unwrap_or("(absent)"));
        format!("{} line {}: {}={value}: {}\n", f.severity, spot.line, f.key, f.headline)
    });
    let open = report
        .undecided
        .iter()
        .filter(|u| u.rule.code == code)
        .map(|u| format!("not decided: {}\n", u.reason));
    found.chain(open).collect()
}

#[test]
fn every_fed_pair_is_told_apart_in_these_words() {
    let mut seen = 0;
    for rule in registry::RULES {
        if let (Some(bad), Some(good)) = (fed_fixture(rule.code, "bad"), fed_fixture(rule.code, "good")) {
            assert_eq!(judge_pair(rule.code, &bad, &good), Vec::<String>::new());
            // The harness itself must find a fault: with the two exchanged both halves are wrong.
            assert_eq!(judge_pair(rule.code, &good, &bad).len(), 2, "{}", rule.code);
            let directory = format!("{}/tests/fixtures/audit/{}", env!("CARGO_MANIFEST_DIR"), rule.code);
            let text = format!("bad\n{}good\n{}", told(rule.code, &bad), told(rule.code, &good));
            insta::with_settings!({snapshot_path => directory, prepend_module_to_snapshot => false, omit_expression => true}, {
                insta::assert_snapshot!("expected", text);
            });
            seen += 1;
        }
    }
    assert!(seen > 0, "no fed facts at all");
}

/// The recorded facts on the page of a rule: what it calls found, and what it calls clean.
fn recorded(page: &str) -> Option<(String, String)> {
    let (_, rest) = page.split_once("# Example\n")?;
    let section = rest.split("\n# ").next()?;
    let mut blocks = section
        .split("```facts\n")
        .skip(1)
        .filter_map(|b| b.split("```").next());
    Some((blocks.next()?.to_owned(), blocks.next()?.to_owned()))
}

#[test]
fn the_recorded_facts_on_every_page_are_true() {
    let mut seen = 0;
    for rule in registry::RULES {
        let Some((found, clean)) = recorded(&rule.explanation()) else {
            continue;
        };
        assert_eq!(judge_pair(rule.code, &found, &clean), Vec::<String>::new());
        assert_eq!(judge_pair(rule.code, &clean, &found).len(), 2, "{}", rule.code);
        seen += 1;
    }
    assert!(seen > 0, "no page has recorded facts");
}

/// A unit of a role that says nothing, with a bare thing of each kind that it may hold.
fn bare(role: &str, more: &str) -> String {
    let things = match role {
        "kafka-topic" | "rocketmq-topic" => "- topic orders\n",
        "rabbitmq-topology" => "- queue orders\n- exchange orders\n",
        _ => "",
    };
    format!("@ {role} {more}\n{things}")
}

/// What every rule makes of keys that are absent, and of a component that nothing is known of: the one may be a finding by a default, the
/// other never is.
#[test]
fn what_is_absent_and_what_is_unknown_comes_to_these_words() {
    let (mut table, mut wrong) = (String::new(), Vec::new());
    for rule in registry::RULES {
        for role in rule.applies {
            for (case, more) in [("absent", ""), ("unknown", "fragment")] {
                let words = told(rule.code, &bare(role.name(), more));
                // A thing that is named is whole; of a unit that is a part, nothing is known but what stands there.
                let is_part = case == "unknown" && !bare(role.name(), more).contains("- ");
                if is_part && words.lines().any(|l| !l.starts_with("not decided")) {
                    wrong.push(format!("{} {}: {words}", rule.code, role.name()));
                }
                let words = if words.is_empty() {
                    "nothing\n".to_owned()
                } else {
                    words
                };
                for line in words.lines() {
                    table.push_str(&format!("{} {} {case}: {line}\n", rule.code, role.name()));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new(), "what may stand elsewhere is found absent");
    let directory = format!("{}/tests/fixtures", env!("CARGO_MANIFEST_DIR"));
    insta::with_settings!({snapshot_path => directory, prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!("absent", table);
    });
}
