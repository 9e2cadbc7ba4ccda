//! X-K14: files that do not hold.

use crate::audit::fact::{Component, Fact, Given, Layer, Unit};
use crate::audit::judge::{At, Judge, Say};
use crate::audit::live::canonical::{ORIGIN_BROKER, ORIGIN_CLUSTER, ORIGIN_DEFAULT};
use crate::audit::remedy::{set_topic, unset_broker};
use crate::audit::resolve::is_placeholder;
use crate::audit::role::{self, Role};
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::kafka::topics;
use std::cmp::Ordering;

rule! {
    /// # What it finds
    /// A file together with the running cluster that it belongs to, where the two differ in what decides about loss: copies, in-sync
    /// replicas, unclean election, retention, compaction, forced writes. `X-K14/declared-weaker`: the file is the weaker one;
    /// `X-K14/differs`: one cannot be told to be weaker.
    ///
    /// # How messages are lost
    /// Whoever reads the file believes in copies that do not exist: a replication factor is not changed by applying a manifest, nor a
    /// broker's setting by its file while a dynamic setting stands above it. Where the file is the weaker one, the protection is gone
    /// with the next restart or the next time the manifest is applied.
    ///
    /// # Instead
    /// A reassignment of the partitions for copies, `kafka-configs.sh` for the rest; or the file corrected to what is wanted.
    ///
    /// # Example
    /// A file asks for three copies; a cluster answers how many there are. `@` begins what was asked, `-` a thing by its name; below it stands what was told.
    /// Recorded, found:
    /// ```facts
    /// @ kafka-topic file=topic.yaml
    /// - topic orders
    /// replication.factor=3
    /// @ kafka-topic file=kafka live
    /// - topic orders
    /// replication.factor=1
    /// ```
    /// Recorded, clean:
    /// ```facts
    /// @ kafka-topic file=topic.yaml
    /// - topic orders
    /// replication.factor=3
    /// @ kafka-topic file=kafka live
    /// - topic orders
    /// replication.factor=3
    /// ```
    ///
    /// # Source
    /// Kafka `TopicCommand`, `DynamicBrokerConfig`, Strimzi topic operator; DescribeConfigs tells where a value comes from.
    pub(crate) static RULE = {
        code: "X-K14",
        name: "live-weaker-than-declared",
        title: "What runs is not what is declared",
        evidence: &[Evidence::Live],
        variants: &["declared-weaker", "differs"],
        applies: &[Role::KafkaTopic, Role::KafkaBroker],
        check: check,
    };
}

/// Which of two values keeps more.
#[derive(Clone, Copy)]
enum Safer {
    /// The larger number.
    More,
    /// The larger number, and a negative one is without end.
    Longer,
    /// The smaller number.
    Less,
    /// `false`.
    No,
    /// `true`.
    Yes,
    /// Nothing tells.
    Unknown,
}

/// Settings of topics that decide about loss.
const OF_TOPICS: [(&str, Safer); 11] = [
    ("replication.factor", Safer::More),
    ("min.insync.replicas", Safer::More),
    ("unclean.leader.election.enable", Safer::No),
    ("retention.ms", Safer::Longer),
    ("retention.bytes", Safer::Longer),
    ("delete.retention.ms", Safer::More),
    ("min.compaction.lag.ms", Safer::More),
    ("flush.messages", Safer::Less),
    ("flush.ms", Safer::Less),
    ("cleanup.policy", Safer::Unknown),
    ("message.timestamp.type", Safer::Unknown),
];

/// The same of brokers.
const OF_BROKERS: [(&str, Safer); 17] = [
    ("default.replication.factor", Safer::More),
    ("min.insync.replicas", Safer::More),
    ("unclean.leader.election.enable", Safer::No),
    ("auto.create.topics.enable", Safer::No),
    ("offsets.topic.replication.factor", Safer::More),
    ("transaction.state.log.replication.factor", Safer::More),
    ("transaction.state.log.min.isr", Safer::More),
    ("transaction.partition.verification.enable", Safer::Yes),
    ("offsets.retention.minutes", Safer::More),
    ("log.retention.ms", Safer::Longer),
    ("log.retention.minutes", Safer::Longer),
    ("log.retention.hours", Safer::Longer),
    ("log.retention.bytes", Safer::Longer),
    ("log.cleanup.policy", Safer::Unknown),
    ("log.flush.interval.messages", Safer::Less),
    ("log.flush.interval.ms", Safer::Less),
    ("log.dirs", Safer::Unknown),
];

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    // What runs is compared with itself by no one, and where the log lies in object storage these settings decide nothing.
    if unit.is_live() || unit.component == Component::AutoMq {
        return;
    }
    if role::is(unit, Role::KafkaBroker) {
        brokers(judge);
        return;
    }
    let running: Vec<_> = judge.running(Role::KafkaTopic).collect();
    for topic in topics(unit) {
        let there = running.iter().find_map(|u| {
            let same = u.subjects_of(Layer::Topic).find(|t| t.name == topic.name)?;
            Some((*u, same))
        });
        let Some((other, same)) = there else { continue };
        for (key, safer) in OF_TOPICS {
            let (Some(declared), Some(runs)) = (unit.of(topic, key), other.of(same, key)) else {
                continue;
            };
            let command = match (key, text(declared)) {
                ("replication.factor", _) | (_, None) => None,
                (_, Some(value)) => Some(set_topic(&other.file, &topic.name, key, value)),
            };
            let at = judge.at_fact(declared).of(topic);
            let what = format!("topic `{}`", topic.name);
            say(judge, at, &what, (declared, runs), safer, other, command);
        }
    }
}

fn brokers(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let node = |u: &Unit| {
        let id = u.live("node.id").or_else(|| u.live("broker.id"))?;
        id.value.text().map(|v| v.trim().to_owned())
    };
    let own = node(unit).filter(|id| !is_placeholder(id) && id != "-1");
    for other in judge.running(Role::KafkaBroker) {
        if own.is_some() && node(other) != own {
            continue;
        }
        for (key, safer) in OF_BROKERS {
            let (Some(declared), Some(runs)) = (unit.live(key), other.live(key)) else {
                continue;
            };
            let at = judge.at_fact(declared);
            let what = other.name.clone().unwrap_or_else(|| "the broker".to_owned());
            say(
                judge,
                at,
                &what,
                (declared, runs),
                safer,
                other,
                back(other, declared, runs),
            );
        }
        // One that says no number may be any of them: the first stands for all.
        if own.is_none() {
            return;
        }
    }
}

/// The command after which a broker has the declared value again: what stands dynamically above its file goes.
fn back(other: &Unit, declared: &Fact, runs: &Fact) -> Option<String> {
    let given = other.given(other.number_of(runs)?);
    let dynamic = |g: &&Given| [ORIGIN_BROKER, ORIGIN_CLUSTER].contains(&g.origin);
    // Below a dynamic value there may be one of the whole cluster; only when what comes next is the declared one does taking away help.
    let above: Vec<&Given> = given.iter().take_while(dynamic).collect();
    let beneath = given.get(above.len())?;
    if above.is_empty() || beneath.value.trim() != declared.value.show().trim() {
        return None;
    }
    let node = other.name.as_deref()?.strip_prefix("broker ")?;
    let each = above.iter().map(|g| {
        let node = (g.origin == ORIGIN_BROKER).then_some(node);
        unset_broker(&other.file, node, &g.key)
    });
    Some(each.collect::<Vec<_>>().join(" && "))
}

fn text(fact: &Fact) -> Option<&str> {
    fact.value.text().map(str::trim).filter(|v| !is_placeholder(v))
}

/// How the value that runs keeps against the declared one; `None` when they are the same, or one is not known.
fn compare(declared: &Fact, runs: &Fact, safer: Safer) -> Option<Option<Ordering>> {
    let (here, there) = (declared.value.show(), runs.value.show());
    let (here, there) = (here.trim(), there.trim());
    if is_placeholder(here) {
        return None;
    }
    let numbers = || Some((here.parse::<i64>().ok()?, there.parse::<i64>().ok()?));
    let long = |n: i64| if n < 0 { i64::MAX } else { n };
    let order = match safer {
        Safer::More => numbers().map(|(a, b)| b.cmp(&a)),
        Safer::Longer => numbers().map(|(a, b)| long(b).cmp(&long(a))),
        Safer::Less => numbers().map(|(a, b)| a.cmp(&b)),
        Safer::No => Some(
            here.eq_ignore_ascii_case("true")
                .cmp(&there.eq_ignore_ascii_case("true")),
        ),
        Safer::Yes => Some(
            there
                .eq_ignore_ascii_case("true")
                .cmp(&here.eq_ignore_ascii_case("true")),
        ),
        Safer::Unknown => None,
    };
    match order {
        Some(Ordering::Equal) => None,
        Some(order) => Some(Some(order)),
        // Lists, in whatever order, and blanks between their parts.
        None => {
            let parts = |text: &str| {
                let mut parts: Vec<String> = text.split(',').map(|p| p.trim().to_owned()).collect();
                parts.sort();
                parts
            };
            (parts(here) != parts(there)).then_some(None)
        }
    }
}

fn say(
    judge: &mut Judge<'_>,
    at: At,
    what: &str,
    (declared, runs): (&Fact, &Fact),
    safer: Safer,
    other: &Unit,
    command: Option<String>,
) {
    // A copy count of -1 leaves it to the broker.
    let is_left_open = declared.key == "replication.factor" && text(declared).is_some_and(|v| v.starts_with('-'));
    let Some(order) = compare(declared, runs, safer).filter(|_| !is_left_open) else {
        return;
    };
    let (key, here, there) = (&declared.key, declared.value.show(), runs.value.show());
    let number = other.number_of(runs);
    let set_by = match number.and_then(|n| other.origin(n)) {
        Some(ORIGIN_DEFAULT) => ", which nothing sets".to_owned(),
        Some(origin) => format!(", set by {origin}"),
        None => String::new(),
    };
    let otherwise = number.and_then(|n| Given::otherwise(other.given(n)));
    let set_by = match otherwise {
        Some(otherwise) => format!("{set_by}; otherwise {otherwise}"),
        None => set_by,
    };
    let at = at.related(&runs.place, format!("{what} runs with {key}={there}{set_by}"));
    let (variant, label, story) = match order {
        Some(Ordering::Less) => (
            None,
            "weaker than declared",
            "Whoever reads the file believes in a protection that does not exist.",
        ),
        Some(_) => (
            Some("declared-weaker"),
            "weaker than what runs",
            "The cluster is better than its file. The next restart, or the next time the file is applied, takes the protection away.",
        ),
        None => (
            Some("differs"),
            "not what runs",
            "What is kept, and for how long, is not what the file says.",
        ),
    };
    let fix = match (order, key.as_str(), command) {
        (Some(Ordering::Less), "replication.factor", _) => "a reassignment of the partitions".to_owned(),
        (Some(Ordering::Less), _, Some(command)) => format!("if the file is right, run: {command}"),
        (Some(Ordering::Less), _, None) => {
            "restart the broker with this file; a dynamic setting that stands above it goes with kafka-configs.sh --delete-config".to_owned()
        }
        (Some(_), ..) => format!("write {key}={there} into the file"),
        (None, ..) => "decide which of the two is right".to_owned(),
    };
    judge.hit_as(
        variant,
        at,
        Say::new(
            format!("{what}: {key} is {here} here and {there} on the broker"),
            label,
            story,
            fix,
        ),
    );
}
