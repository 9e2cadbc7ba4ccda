//! What running brokers tell. Whoever asks a broker fills an [`Observation`]; rules see its units as they see those of files.
//!
//! A unit of a live broker has the carrier [`LIVE`], its `file` is the target as it may be shown (`kafka://10.0.0.1:9092`, never with a
//! password), and its name is the node (`broker 2`) where it is about one. Facts of a live broker have no span: [`place`] makes theirs.
//! Where a value comes from stands in [`Unit::origins`], one for each fact. Build units with [`Sheet`].

#[cfg(feature = "rabbitmq")]
pub(crate) use super::remedy::quoted;
pub(crate) use super::terms::canonical;
pub(crate) use super::terms::canonical::LIVE;

use super::fact::{Component, Dialect, Effect, Fact, FactValue, Given, Layer, Place, Subject, Unit};
use crate::text::{Span, Spot};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// What was read from one running cluster.
#[derive(Debug, Clone)]
pub struct Observation {
    /// The cluster as it may be shown: the `file` of its units.
    pub target: Arc<str>,
    /// What runs, as facts.
    pub units: Vec<Unit>,
    /// What could not be read. An audit that misses something is not "clean": without findings it ends with exit code 3.
    pub unread: Vec<Unread>,
    /// What could be lost if one node died now, by node; only nodes whose death could lose something.
    pub at_risk: Vec<AtRisk>,
    /// What is no finding and yet decides how far the answer reaches.
    pub notes: Vec<String>,
    /// How many requests were made, without those that open a connection.
    pub requests: u64,
    /// What was asked for; `None` for everything.
    pub asked: Option<Wanted>,
}

impl Observation {
    /// Nothing is read yet.
    pub fn new(target: Arc<str>) -> Observation {
        Observation {
            target,
            units: Vec::new(),
            unread: Vec::new(),
            at_risk: Vec::new(),
            notes: Vec::new(),
            requests: 0,
            asked: None,
        }
    }
}

/// What of a running cluster is asked for, and how long an answer may take.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Shell patterns of topics; empty for all.
    pub topics: Vec<String>,
    /// Shell patterns of queues and exchanges; empty for all.
    pub queues: Vec<String>,
    /// Shell patterns of topics, queues and exchanges that are left out.
    pub exclude: Vec<String>,
    /// How many waiting messages of each queue may be fetched and put back, to see whether they are persistent; 0 for none.
    pub peek: u32,
    /// How long one node may take to answer.
    pub patience: Duration,
}

impl Wanted {
    /// Whether a topic is asked for. A run that asks for queues only wants no topics.
    pub fn takes_topic(&self, name: &str) -> bool {
        self.takes(&self.topics, &self.queues, name)
    }

    /// Whether a queue or an exchange is asked for.
    pub fn takes_queue(&self, name: &str) -> bool {
        self.takes(&self.queues, &self.topics, name)
    }

    /// Whether a thing is asked for that a finding describes; whatever no pattern speaks of is.
    pub fn takes_described(&self, subject: &str) -> bool {
        let named = |layer: Layer| subject.strip_prefix(layer.name())?.strip_prefix(" `");
        let name = |rest: &str| {
            let end = rest.rfind("` in virtual host `").or_else(|| rest.rfind('`'));
            rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest).to_owned()
        };
        match (
            named(Layer::Topic),
            named(Layer::Queue).or_else(|| named(Layer::Exchange)),
        ) {
            (Some(topic), _) => self.takes_topic(&name(topic)),
            (None, Some(queue)) => self.takes_queue(&name(queue)),
            (None, None) => true,
        }
    }

    /// What was asked for by a pattern that nothing in any of these clusters has a name for: a slip of the pen must not look like a
    /// topic that is in order.
    pub fn unmet(&self, observed: &[Observation]) -> Vec<Unread> {
        let units = || observed.iter().flat_map(|o| &o.units);
        let is_met = |pattern: &str, layers: &[Layer]| {
            let mut named = units().flat_map(|u| &u.subjects);
            named.any(|s| layers.contains(&s.layer) && matches(pattern, &s.name))
        };
        let topics = self.topics.iter().map(|p| ("topics", p, &[Layer::Topic][..]));
        let queues = self
            .queues
            .iter()
            .map(|p| ("queues and exchanges", p, &[Layer::Queue, Layer::Exchange][..]));
        topics
            .chain(queues)
            .filter(|(_, pattern, layers)| !is_met(pattern, layers))
            .map(|(kind, pattern, _)| Unread {
                what: format!("{kind} with a name like {pattern}"),
                why: "there are none that this user may see".to_owned(),
                next: "check the name, and that the user may describe them".to_owned(),
            })
            .collect()
    }

    fn takes(&self, own: &[String], other: &[String], name: &str) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|p| matches(p, name));
        let asked = if own.is_empty() { other.is_empty() } else { any(own) };
        asked && !any(&self.exclude)
    }
}

/// Whether a shell pattern of `*` and `?` matches the whole name. Linear in the pattern times the name, whatever they are.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    // How far the name was when the last star was met, to take one more character into it when the rest does not fit.
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || name.get(n) == Some(c) => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}

/// A unit of a live broker in the making: settings, or named things with theirs, each with where its value comes from.
#[derive(Debug)]
pub struct Sheet {
    target: Arc<str>,
    facts: Vec<Fact>,
    origins: Vec<&'static str>,
    given: HashMap<usize, Vec<Given>>,
    subjects: Vec<Subject>,
    surroundings: Vec<Fact>,
}

impl Sheet {
    /// An empty one of this cluster.
    pub fn new(target: &Arc<str>) -> Sheet {
        Sheet {
            target: target.clone(),
            facts: Vec::new(),
            origins: Vec::new(),
            given: HashMap::new(),
            subjects: Vec::new(),
            surroundings: Vec::new(),
        }
    }

    /// Begins a named thing: what is put from now on is about it.
    pub fn subject(&mut self, layer: Layer, vhost: Option<&str>, name: &str) {
        let at = self.facts.len();
        self.subjects.push(Subject {
            layer,
            vhost: vhost.map(str::to_owned),
            name: name.to_owned(),
            place: place(&self.target),
            facts: at..at,
        });
    }

    /// A fact with where its value comes from, in words that follow "set by": `the topic itself`; empty where nothing sets it.
    pub fn put(&mut self, layer: Layer, key: impl Into<String>, value: FactValue, origin: &'static str) {
        let fact = self.fact(layer, key.into(), value);
        self.facts.push(fact);
        self.origins.push(origin);
        if let Some(subject) = self.subjects.last_mut() {
            subject.facts.end = self.facts.len();
        }
    }

    /// Every place that gives the fact that was put last its value, the one that counts first.
    pub fn given(&mut self, places: Vec<Given>) {
        if let Some(last) = self.facts.len().checked_sub(1).filter(|_| !places.is_empty()) {
            self.given.insert(last, places);
        }
    }

    /// Something that is known of the surroundings and is no setting.
    pub fn surround(&mut self, layer: Layer, key: impl Into<String>, value: impl Into<String>) {
        let fact = self.fact(layer, key.into(), FactValue::Text(value.into()));
        self.surroundings.push(fact);
    }

    fn fact(&self, layer: Layer, key: String, value: FactValue) -> Fact {
        Fact {
            key,
            value,
            place: place(&self.target),
            layer,
            effect: Effect::Live,
        }
    }

    /// The unit, of this node where it is about one.
    pub fn unit(self, dialect: Dialect, component: Component, node: Option<String>) -> Unit {
        let mut unit = Unit::new(self.target.clone(), dialect, component, self.facts, self.subjects);
        unit.head = Some(place(&self.target));
        unit.carrier = Some(LIVE);
        unit.name = node;
        unit.origins = self.origins;
        unit.given = self.given;
        unit.surroundings = self.surroundings;
        unit
    }
}

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// What: `the configuration of topic orders`.
    pub what: String,
    /// Why: the broker's own words, or the system's.
    pub why: String,
    /// What to do: the permission to grant, by its name, or what to start.
    pub next: String,
}

/// What could be lost if a node, or everything in a rack, died now with its disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtRisk {
    /// The node as operators name it: `broker 2`, `rabbit@a`, `broker-a at 10.0.0.1:10911`; or `rack eu-1a`.
    pub node: String,
    /// What could be lost, by name.
    pub losses: Vec<Loss>,
}

/// Acknowledged messages that one death could lose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Where they are: `orders/3` for a partition, `orders` for a queue.
    pub name: String,
    /// Why: `the only replica in sync`, `a classic queue lives on one node`.
    pub why: String,
}

/// Whether something stands at a live broker, and nowhere in a text.
pub const fn is_live(spot: Spot) -> bool {
    spot.line == 0
}

/// Where a fact of a live broker stands: at the broker, and nowhere in a text.
pub fn place(target: &Arc<str>) -> Place {
    Place {
        file: target.clone(),
        span: Span { start: 0, end: 0 },
        spot: Spot { line: 0, column: 0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name, is) in [
            ("orders", "orders", true),
            ("orders", "orders2", false),
            ("ord*", "orders", true),
            ("*", "", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("?", "ż", true),
            ("?", "", false),
        ] {
            assert_eq!(matches(pattern, name), is, "{pattern} {name}");
        }
        // No pattern takes long.
        assert!(!matches(&"*a".repeat(200), &"a".repeat(199)));
    }

    #[test]
    fn what_is_asked_for_of_one_kind_leaves_out_the_other() {
        let mut wanted = Wanted {
            topics: Vec::new(),
            queues: Vec::new(),
            exclude: vec!["tmp-*".to_owned()],
            peek: 0,
            patience: Duration::from_secs(1),
        };
        assert!(wanted.takes_topic("orders") && wanted.takes_queue("orders") && !wanted.takes_topic("tmp-1"));
        wanted.topics = vec!["ord*".to_owned()];
        assert!(wanted.takes_topic("orders") && !wanted.takes_topic("other") && !wanted.takes_queue("orders"));
        assert_eq!(wanted.unmet(&[]).len(), 1);
        assert!(wanted.takes_described("topic `orders`") && !wanted.takes_described("topic `other`"));
        assert!(!wanted.takes_described("queue `orders` in virtual host `/`") && wanted.takes_described("broker 1"));
    }
}
