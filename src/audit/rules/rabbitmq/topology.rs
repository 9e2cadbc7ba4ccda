//! What a queue really has: its arguments and the policies that match it, by the precedence of the server. And where dead letters go.

use crate::audit::fact::{Fact, FactValue, Layer, Subject, Unit};
use crate::audit::judge::Judge;
use crate::audit::resolve::is_placeholder;
use crate::audit::role::{self, Role};
use crate::audit::rules::is_true;
use crate::audit::terms::canonical::{OPERATOR_POLICY, POLICY};
use regex_automata::meta::Regex;
use std::collections::{HashMap, HashSet};

/// Virtual host and name.
pub(in crate::audit::rules) type Name<'a> = (Option<&'a str>, &'a str);

/// The name of a thing.
pub(in crate::audit::rules) fn name(subject: &Subject) -> Name<'_> {
    (subject.vhost.as_deref(), subject.name.as_str())
}

/// What a queue is, as far as durability goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::audit::rules) enum Kind {
    /// One copy.
    Classic,
    /// Replicated, flushed on a majority.
    Quorum,
    /// Replicated, not flushed.
    Stream,
    /// Filled in elsewhere.
    Unknown,
}

/// A key that a queue has, and from where.
#[derive(Debug, Clone)]
pub(in crate::audit::rules) struct Effective<'a> {
    /// Where it is said.
    pub fact: &'a Fact,
    /// The value as text.
    pub value: String,
}

/// What is known of a key of a queue.
#[derive(Debug, Clone)]
pub(in crate::audit::rules) enum Found<'a> {
    /// It has this value.
    Set(Effective<'a>),
    /// It is not set, by argument or policy.
    Absent,
    /// Why that cannot be told.
    Unknown(&'static str),
}

/// Why a key that a queue does not set is unknown: manifests of queues are often kept apart from those of policies.
pub(in crate::audit::rules) const ELSEWHERE: &str = "a policy that is not in the run may set what the queue does not";

struct Policy<'a> {
    unit: &'a Unit,
    subject: &'a Subject,
    /// `None` for a pattern that is not understood.
    pattern: Option<Pattern>,
    priority: i64,
    apply_to: &'a str,
}

/// A pattern, and what a name must not begin with.
struct Pattern {
    not: Option<Regex>,
    regex: Regex,
}

/// A policy whose pattern matches a queue.
pub(in crate::audit::rules) struct Match<'a> {
    /// Where it is.
    pub unit: &'a Unit,
    /// The policy.
    pub subject: &'a Subject,
    /// What it sets that the type of the queue does not know. With one such key the server leaves the whole policy out for that queue,
    /// and looks for the next one.
    pub bars: Vec<&'a Fact>,
}

/// Queues, exchanges, bindings and policies that belong together.
pub(in crate::audit::rules) struct Topology<'a> {
    policies: Vec<Policy<'a>>,
    operator: Vec<Policy<'a>>,
    queues: HashMap<Name<'a>, (&'a Unit, &'a Subject)>,
    exchanges: HashMap<Name<'a>, (&'a Unit, &'a Subject)>,
    /// Destination and whether that is a queue, by source.
    bindings: HashMap<Name<'a>, Vec<(&'a str, bool, Option<&'a str>)>>,
    default_types: HashMap<&'a str, &'a Fact>,
    node_default: Option<&'a Fact>,
    /// Whether every policy that there is must be in the run.
    whole: bool,
    /// Whether every exchange and binding that there is must be in the run.
    closed: bool,
}

impl<'a> Topology<'a> {
    /// What stands nearest to the unit that is judged, and itself.
    pub(in crate::audit::rules) fn new(judge: &Judge<'a>) -> Topology<'a> {
        let mut all = Topology {
            policies: Vec::new(),
            operator: Vec::new(),
            queues: HashMap::new(),
            exchanges: HashMap::new(),
            bindings: HashMap::new(),
            default_types: HashMap::new(),
            node_default: None,
            whole: true,
            closed: true,
        };
        let mut any_policy = false;
        // An export is whole by itself; a manifest is one of several.
        let units: Vec<&'a Unit> = match role::is(judge.unit, Role::RabbitTopology) {
            true if judge.unit.carrier.is_none() => vec![judge.unit],
            true => judge.beside(Role::RabbitTopology).collect(),
            false => judge.near(Role::RabbitTopology).collect(),
        };
        for unit in units {
            for subject in &unit.subjects {
                any_policy |= subject.layer == Layer::Policy && directory(&unit.file) == directory(&judge.unit.file);
                all.add(unit, subject);
            }
            // An export holds everything, and so does a broker of which nothing was left unread; a manifest holds what its author
            // manages there.
            let read = unit.is_live() && unit.fragment.is_none();
            all.whole &= unit.carrier.is_none() || read;
            all.closed &= (unit.carrier.is_none() || read) && unit.fragment.is_none();
        }
        all.whole |= any_policy;
        all.node_default = judge.near(Role::RabbitNode).find_map(|u| u.live("default_queue_type"));
        let by_priority = |list: &mut Vec<Policy<'_>>| list.sort_by_key(|p| std::cmp::Reverse(p.priority));
        by_priority(&mut all.policies);
        by_priority(&mut all.operator);
        all
    }

    fn add(&mut self, unit: &'a Unit, subject: &'a Subject) {
        let text = |key: &str| unit.of(subject, key).and_then(|f| f.value.text());
        match subject.layer {
            Layer::Queue => {
                self.queues.insert(name(subject), (unit, subject));
            }
            Layer::Exchange => {
                self.exchanges.insert(name(subject), (unit, subject));
            }
            Layer::Binding => {
                if let Some(to) = text("destination") {
                    let is_queue = text("destination_type") != Some("exchange");
                    let key = text("routing_key").or_else(|| text("routingKey"));
                    self.bindings
                        .entry(name(subject))
                        .or_default()
                        .push((to, is_queue, key));
                }
            }
            Layer::Policy | Layer::OperatorPolicy => {
                let policy = Policy {
                    unit,
                    subject,
                    pattern: Pattern::new(text("pattern").unwrap_or_default()),
                    priority: text("priority").and_then(|p| p.trim().parse().ok()).unwrap_or(0),
                    apply_to: text("apply-to").unwrap_or("all"),
                };
                match subject.layer {
                    Layer::Policy => self.policies.push(policy),
                    _ => self.operator.push(policy),
                }
            }
            Layer::VirtualHost => {
                let kind = ["default_queue_type", "metadata.default_queue_type"];
                if let Some(fact) = kind.iter().find_map(|k| unit.of(subject, k)) {
                    self.default_types.insert(&subject.name, fact);
                }
            }
            _ => {}
        }
    }

    /// What the queue says itself that it is, or is made by default.
    pub(in crate::audit::rules) fn kind(&self, unit: &'a Unit, queue: &'a Subject) -> (Kind, Option<&'a Fact>) {
        let own = ["arguments.x-queue-type", "type"]
            .iter()
            .find_map(|k| unit.of(queue, k));
        let of_host = self.default_types.get(queue.vhost.as_deref().unwrap_or("/")).copied();
        let fact = own.or(of_host).or(self.node_default);
        let kind = match (fact.map(|f| &f.value), fact.and_then(|f| f.value.text()).map(str::trim)) {
            (_, Some("quorum" | "rabbit_quorum_queue")) => Kind::Quorum,
            (_, Some("stream" | "rabbit_stream_queue")) => Kind::Stream,
            (Some(FactValue::Composite), _) => Kind::Unknown,
            (_, Some(text)) if is_placeholder(text) => Kind::Unknown,
            _ => Kind::Classic,
        };
        (kind, fact)
    }

    /// A key of a queue, by argument and policy.
    pub(in crate::audit::rules) fn of(&self, unit: &'a Unit, queue: &'a Subject, key: &str) -> Found<'a> {
        let kind = self.kind(unit, queue).0;
        let argument = unit.of(queue, &format!("arguments.x-{key}")).and_then(effective);
        let policy = match self.in_force(&self.policies, unit, queue, kind, POLICY) {
            Err(why) => return Found::Unknown(why),
            Ok(policy) => policy.and_then(|at| Topology::setting(&self.policies, at, key)),
        };
        let operator = match self.in_force(&self.operator, unit, queue, kind, OPERATOR_POLICY) {
            Err(why) => return Found::Unknown(why),
            Ok(policy) => policy.and_then(|at| Topology::setting(&self.operator, at, key)),
        };
        // Numbers: the lower one. Overflow: an operator's always, a policy's on quorum queues. Everything of a stream: the policy's.
        let policy_first = match key {
            "overflow" => kind == Kind::Quorum,
            _ => kind == Kind::Stream,
        };
        let of_user = match (argument, policy) {
            (Some(a), Some(p)) => Some(match lower(&a, &p) {
                Some(true) => a,
                Some(false) => p,
                None if policy_first => p,
                None => a,
            }),
            (a, p) => a.or(p),
        };
        let found = match (of_user, operator) {
            (Some(u), Some(o)) => Some(match lower(&u, &o) {
                Some(true) => u,
                Some(false) | None => o,
            }),
            (u, o) => u.or(o),
        };
        match found {
            Some(e) if is_placeholder(&e.value) => Found::Unknown("a value is filled in elsewhere"),
            Some(e) => Found::Set(e),
            None if self.whole => Found::Absent,
            None => Found::Unknown(ELSEWHERE),
        }
    }

    /// The one policy of a list that a queue has: the one that a live broker names, else the one that should match.
    fn in_force(
        &self,
        list: &[Policy<'a>],
        unit: &Unit,
        queue: &Subject,
        kind: Kind,
        named: &str,
    ) -> Result<Option<usize>, &'static str> {
        let Some(name) = unit.of(queue, named).and_then(|f| f.value.text()) else {
            return self.matching(list, queue, kind);
        };
        let at = list
            .iter()
            .position(|p| p.subject.vhost == queue.vhost && p.subject.name == name);
        match at {
            None if !name.is_empty() => Err("the queue has a policy that could not be read"),
            at => Ok(at),
        }
    }

    /// The one policy of a list that a queue has: of those that match it, the one of the highest priority.
    fn matching(&self, list: &[Policy<'a>], queue: &Subject, kind: Kind) -> Result<Option<usize>, &'static str> {
        for (i, policy) in list.iter().enumerate() {
            if policy.subject.vhost != queue.vhost || !covers(policy.apply_to, kind) {
                continue;
            }
            match &policy.pattern {
                None => return Err("the pattern of a policy is not understood"),
                Some(pattern) if pattern.matches(&queue.name) && bars(policy.unit, policy.subject, kind).is_empty() => {
                    return Ok(Some(i));
                }
                Some(_) => {}
            }
        }
        Ok(None)
    }

    /// Policies that match a queue, by priority: the first that nothing bars is the one that counts. Empty when a pattern is not
    /// understood.
    pub(in crate::audit::rules) fn policies_of(&self, queue: &Subject, kind: Kind) -> Vec<Match<'a>> {
        let fits = |p: &&Policy<'a>| p.subject.vhost == queue.vhost && covers(p.apply_to, kind);
        let candidates: Vec<&Policy<'a>> = self.policies.iter().filter(fits).collect();
        if candidates.iter().any(|p| p.pattern.is_none()) {
            return Vec::new();
        }
        let matching = candidates
            .into_iter()
            .filter(|p| p.pattern.as_ref().is_some_and(|x| x.matches(&queue.name)));
        matching
            .map(|p| Match {
                unit: p.unit,
                subject: p.subject,
                bars: bars(p.unit, p.subject, kind),
            })
            .collect()
    }

    /// The policy that mirrors a classic queue, by its `ha-mode`; `None` where it has one copy. From 4.0 on the key does nothing.
    pub(in crate::audit::rules) fn mirroring(&self, queue: &Subject) -> Option<&'a Fact> {
        let matching = self.policies_of(queue, Kind::Classic);
        let policy = matching.iter().find(|p| p.bars.is_empty())?;
        let mode = policy.unit.of(policy.subject, "definition.ha-mode")?;
        let copies = policy
            .unit
            .of(policy.subject, "definition.ha-params")
            .and_then(effective);
        let one = mode.value.text() == Some("exactly") && copies.is_some_and(|n| n.value == "1");
        (!one).then_some(mode)
    }

    /// Policies of a unit that no queue in the run has. They are for queues that applications declare, and a policy says enough to be
    /// judged by itself. A running broker tells all of its queues; names that begin with `amq.` are the server's own.
    pub(in crate::audit::rules) fn policies_without_queues(&self, unit: &'a Unit) -> Vec<&'a Subject> {
        let has = |p: &&Policy<'a>| {
            self.queues().any(|(u, q)| {
                q.vhost == p.subject.vhost
                    && covers(p.apply_to, self.kind(u, q).0)
                    && p.pattern.as_ref().is_none_or(|x| x.matches(&q.name))
            })
        };
        let own = |p: &&Policy<'a>| {
            let pattern = unit.of(p.subject, "pattern").and_then(|f| f.value.text());
            std::ptr::eq(p.unit, unit)
                && !matches!(p.apply_to, "exchanges" | "streams")
                && !pattern.is_some_and(|text| text.starts_with("^amq"))
        };
        let all = self.policies.iter().chain(&self.operator);
        let alone = all.filter(|_| !unit.is_live()).filter(own).filter(|p| !has(p));
        alone.map(|p| p.subject).collect()
    }

    /// Every queue.
    pub(in crate::audit::rules) fn queues(&self) -> impl Iterator<Item = (&'a Unit, &'a Subject)> {
        self.queues.values().copied()
    }

    /// The exchange of this name.
    pub(in crate::audit::rules) fn exchange(&self, name: Name<'_>) -> Option<(&'a Unit, &'a Subject)> {
        self.exchanges.get(&name).copied()
    }

    /// The queue of this name.
    pub(in crate::audit::rules) fn queue(&self, name: Name<'_>) -> Option<(&'a Unit, &'a Subject)> {
        self.queues.get(&name).copied()
    }

    /// Whether an exchange that is not in the run does not exist.
    pub(in crate::audit::rules) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether anything is bound to an exchange.
    pub(in crate::audit::rules) fn has_bindings(&self, exchange: Name<'_>) -> bool {
        self.bindings.contains_key(&exchange)
    }

    /// The bindings from an exchange: destination, whether that is a queue, and the key.
    pub(in crate::audit::rules) fn bindings_of(&self, exchange: Name<'a>) -> &[(&'a str, bool, Option<&'a str>)] {
        self.bindings.get(&exchange).map(Vec::as_slice).unwrap_or_default()
    }

    /// Every queue that an exchange may lead to.
    pub(in crate::audit::rules) fn reached(&self, exchange: Name<'a>) -> Vec<Name<'a>> {
        let (mut open, mut seen, mut found) = (vec![exchange], HashSet::from([exchange]), Vec::new());
        while let Some(source) = open.pop() {
            for (to, is_queue, _) in self.bindings_of(source) {
                let to = (exchange.0, *to);
                if *is_queue {
                    found.push(to);
                } else if seen.insert(to) {
                    open.push(to);
                }
            }
        }
        found
    }

    /// The queues that dead letters of other queues come to.
    pub(in crate::audit::rules) fn dead_letter_queues(&self) -> HashSet<Name<'a>> {
        let (mut out, mut seen) = (HashSet::new(), HashSet::new());
        for (unit, queue) in self.queues() {
            let Found::Set(exchange) = self.of(unit, queue, "dead-letter-exchange") else {
                continue;
            };
            let Some(to) = exchange.fact.value.text() else { continue };
            let vhost = queue.vhost.as_deref();
            if to.is_empty() {
                if let Found::Set(key) = self.of(unit, queue, "dead-letter-routing-key")
                    && let Some(key) = key.fact.value.text()
                {
                    out.insert((vhost, key));
                }
            } else if seen.insert((vhost, to)) {
                out.extend(self.reached((vhost, to)));
            }
        }
        out
    }
}

/// The directory of a file. Policies that stand beside the queues are taken for all that there are.
fn directory(file: &str) -> &str {
    file.get(..file.rfind(['/', '\\']).unwrap_or(0)).unwrap_or_default()
}

fn effective(fact: &Fact) -> Option<Effective<'_>> {
    let value = match &fact.value {
        FactValue::Text(text) => text.trim().to_owned(),
        FactValue::Bool(truth) => truth.to_string(),
        FactValue::Null | FactValue::Composite | FactValue::Secret => return None,
    };
    Some(Effective { fact, value })
}

impl<'a> Topology<'a> {
    /// The key that one of the policies sets.
    fn setting(list: &[Policy<'a>], at: usize, key: &str) -> Option<Effective<'a>> {
        let policy = list.get(at)?;
        policy
            .unit
            .of(policy.subject, &format!("definition.{key}"))
            .and_then(effective)
    }
}

/// Which of two numbers is the lower one; `None` when they are no numbers.
fn lower(a: &Effective<'_>, b: &Effective<'_>) -> Option<bool> {
    let (a, b): (i64, i64) = (a.value.parse().ok()?, b.value.parse().ok()?);
    Some(a <= b)
}

/// What a policy sets that queues of this kind do not know (`unsupported_policies` of their types, as far as 3.10 to 4.3 agree).
fn bars<'a>(unit: &'a Unit, policy: &'a Subject, kind: Kind) -> Vec<&'a Fact> {
    let unknown: &[&str] = match kind {
        Kind::Classic => &[
            "delivery-limit",
            "dead-letter-strategy",
            "target-group-size",
            "max-age",
            "stream-max-segment-size-bytes",
            "initial-cluster-size",
        ],
        Kind::Quorum => &[
            "max-priority",
            "queue-mode",
            "ha-mode",
            "ha-params",
            "ha-sync-mode",
            "ha-promote-on-shutdown",
            "ha-promote-on-failure",
            "queue-master-locator",
            "max-age",
            "stream-max-segment-size-bytes",
            "initial-cluster-size",
        ],
        Kind::Stream => &[
            "dead-letter-exchange",
            "overflow",
            "message-ttl",
            "delivery-limit",
            "dead-letter-strategy",
            "dead-letter-routing-key",
            "expires",
            "max-length",
            "max-in-memory-length",
            "max-in-memory-bytes",
            "max-priority",
            "queue-mode",
            "ha-mode",
            "ha-params",
            "ha-sync-mode",
            "ha-promote-on-shutdown",
            "ha-promote-on-failure",
            "queue-master-locator",
            "target-group-size",
        ],
        Kind::Unknown => &[],
    };
    let is_unknown = |f: &&Fact| {
        f.key
            .strip_prefix("definition.")
            .is_some_and(|key| unknown.contains(&key))
    };
    unit.facts_of(policy).iter().filter(is_unknown).collect()
}

/// Whether a policy that applies to this kind of thing applies to a queue of this kind.
fn covers(apply_to: &str, kind: Kind) -> bool {
    match apply_to {
        "all" | "queues" | "" => true,
        "classic_queues" => kind == Kind::Classic,
        "quorum_queues" => kind == Kind::Quorum,
        "streams" => kind == Kind::Stream,
        _ => false,
    }
}

impl Pattern {
    /// Reads a pattern; Erlang's are Perl's, so of what this crate does not know the one that people write is read: `^(?!amq\.).*`.
    fn new(text: &str) -> Option<Pattern> {
        if is_placeholder(text) {
            return None;
        }
        let look = text.strip_prefix("^(?!").or_else(|| text.strip_prefix("(?!"));
        let Some(inner) = look else {
            return Some(Pattern {
                not: None,
                regex: Regex::new(text).ok()?,
            });
        };
        let end = closing(inner)?;
        let (not, rest) = (inner.get(..end)?, inner.get(end + 1..)?);
        Some(Pattern {
            not: Some(Regex::new(&format!("^(?:{not})")).ok()?),
            regex: Regex::new(&format!("^(?:{rest})")).ok()?,
        })
    }

    fn matches(&self, name: &str) -> bool {
        !self.not.as_ref().is_some_and(|n| n.is_match(name)) && self.regex.is_match(name)
    }
}

/// Where the parenthesis that is open before the text is closed.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut escaped) = (1, false);
    for (i, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '(' => depth += 1,
            ')' => {
                depth -= 1;
                if depth == 0 {
                    return Some(i);
                }
            }
            _ => {}
        }
    }
    None
}

/// Parts of names of queues that live as long as somebody waits for an answer.
const SHORT_LIVED: [&str; 9] = [
    "reply",
    "rpc",
    "callback",
    "response",
    "anonymous",
    "tmp",
    "temp",
    "amq.gen",
    "celeryev",
];

/// Whether a queue is meant to live as long as its consumer: exclusive, named by the broker, or named as one for answers.
pub(in crate::audit::rules) fn is_short_lived(unit: &Unit, queue: &Subject) -> bool {
    let name = queue.name.to_lowercase();
    super::is_reserved(&queue.name)
        || SHORT_LIVED.iter().any(|w| name.contains(w))
        || name.ends_with(".pidbox")
        || unit.of(queue, "exclusive").is_some_and(is_true)
}

/// Parts of names of queues that take what others could not do.
const DEAD_LETTERS: [&str; 10] = [
    "dlq",
    "dlx",
    "dead",
    "parking",
    "error",
    "poison",
    "undeliver",
    "failed",
    "unroute",
    "quarantine",
];

/// Whether a queue is where messages end that nobody could work on, by its name.
pub(in crate::audit::rules) fn is_last_stop(name: &str) -> bool {
    let name = name.to_lowercase();
    DEAD_LETTERS.iter().any(|w| name.contains(w))
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn patterns_as_the_server_reads_them() {
        let matches = |pattern: &str, name: &str| Pattern::new(pattern).map(|p| p.matches(name));
        assert_eq!(matches("", "orders"), Some(true));
        assert_eq!(matches("ord", "my.orders"), Some(true));
        assert_eq!(matches("^ord", "my.orders"), Some(false));
        assert_eq!(matches("^(?!amq\\.).*", "amq.gen"), Some(false));
        assert_eq!(matches("^(?!amq\\.).*", "orders"), Some(true));
        assert_eq!(matches("^(?!(a|b)\\.)o", "orders"), Some(true));
        assert_eq!(matches("a(?=b)", "ab"), None);
        assert_eq!(matches("${PATTERN}", "x"), None);
    }
}
