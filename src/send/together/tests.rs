//! Groups against a broker in memory that fails at random and remembers what it really did.

use super::*;
use crate::hooks::test_seed;
use crate::model::{
    Committed, Decide, Deliver, Delivery, Ended, Found, Hindered, Offer, Position, Prepare, Prepared, Probe, Publish,
    Transact, Unreached,
};
use crate::send::input::InputEnd;
use crate::send::{Input, InputOptions, Pump, Source};
use crate::spool::disk::{Disk, Failing, Fault};
use crate::spool::{NewMessage, Place};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;

/// What the broker holds for readers, by stamp, and how often; and what is with it.
struct Truth {
    rng: StdRng,
    /// Of a hundred steps so many go wrong.
    bad: u32,
    /// Planted: a committed transaction is said to be aborted.
    lies: bool,
    read: BTreeMap<String, u32>,
    /// Written in the open transaction.
    open: Vec<String>,
    /// Stamps of transactions that were aborted.
    aborted: HashSet<String>,
    /// A commit that was asked for and goes on behind the client's back.
    late: Option<Vec<String>>,
    half: HashSet<String>,
}

impl Truth {
    fn fails(&mut self) -> bool {
        let bad = self.bad;
        self.rng.random_range(0..100) < bad
    }

    fn hand_out(&mut self, stamps: Vec<String>) {
        for stamp in stamps {
            *self.read.entry(stamp).or_default() += 1;
        }
    }
}

#[derive(Clone)]
struct Broker(Arc<Mutex<Truth>>);

impl Broker {
    fn new(seed: u64, lies: bool) -> Broker {
        Broker(Arc::new(Mutex::new(Truth {
            rng: StdRng::seed_from_u64(seed),
            bad: 0,
            lies,
            read: BTreeMap::new(),
            open: Vec::new(),
            aborted: HashSet::new(),
            late: None,
            half: HashSet::new(),
        })))
    }

    fn truth(&self) -> std::sync::MutexGuard<'_, Truth> {
        self.0.lock().unwrap()
    }
}

struct Client(Broker, Deliver);

/// Sends nothing by itself.
struct Idle;

impl Publish for Idle {
    fn offer(&mut self, _: &Outgoing<'_>) -> Offer {
        Offer::Settled(Delivery::NotSent("only together".to_owned()))
    }

    fn must_renew(&self) -> bool {
        false
    }

    fn recall(&mut self) {}

    fn renew(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Endpoint for Broker {
    fn topology(&self, _: Duration) -> std::result::Result<Topology, Unreached> {
        match self.truth().fails() {
            true => Err(Unreached::new("nobody answers")),
            false => Ok(Topology::Known(Lanes::Partitions(3))),
        }
    }

    fn publisher(&self, _: Deliver) -> Result<Box<dyn Publish>> {
        Ok(Box::new(Idle))
    }

    fn last_error(&self) -> Option<String> {
        None
    }

    fn transactor(&self, _: &str, deliver: Deliver) -> Result<Option<Box<dyn Transact>>> {
        Ok(Some(Box::new(Client(self.clone(), deliver))))
    }

    fn preparer(&self, _: &str, _: Decide) -> Result<Option<Box<dyn Prepare>>> {
        Ok(Some(Box::new(Client(self.clone(), Box::new(|_, _| {})))))
    }
}

impl Transact for Client {
    fn fence(&mut self, _: Duration) -> std::result::Result<(), Hindered> {
        let mut truth = self.0.truth();
        if truth.fails() {
            return Err(Hindered::NotYet("no coordinator".to_owned()));
        }
        // What was asked for is done, what was not is dropped.
        if let Some(late) = truth.late.take() {
            truth.hand_out(late);
        }
        let open = std::mem::take(&mut truth.open);
        truth.aborted.extend(open);
        Ok(())
    }

    fn begin(&mut self) -> std::result::Result<(), Hindered> {
        Ok(())
    }

    fn offer(&mut self, message: &Outgoing<'_>) -> Offer {
        let mut truth = self.0.truth();
        let bad = truth.fails().then(|| truth.rng.random_range(0..4));
        truth.open.push(message.stamp.to_owned());
        let offset = truth.open.len() as i64;
        drop(truth);
        match bad {
            Some(0) => return Offer::Settled(Delivery::NotSent("dead".to_owned())),
            Some(1) => (self.1)(message.ticket, Delivery::InDoubt("lost".to_owned())),
            Some(2) => (self.1)(message.ticket, Delivery::Refused("too large".to_owned())),
            _ => {
                let position = Position {
                    partition: message.partition,
                    // Sometimes the broker does not say.
                    offset: bad.is_none().then_some(offset),
                };
                (self.1)(message.ticket, Delivery::Stored(position));
            }
        }
        Offer::Taken
    }

    fn commit(&mut self, _: Duration) -> Committed {
        let mut truth = self.0.truth();
        if !truth.fails() {
            let open = std::mem::take(&mut truth.open);
            truth.hand_out(open);
            return Committed::Yes;
        }
        match truth.rng.random_range(0..4) {
            0 => {
                let open = std::mem::take(&mut truth.open);
                truth.hand_out(open);
            }
            1 => truth.late = Some(std::mem::take(&mut truth.open)),
            _ => {}
        }
        match truth.rng.random() {
            true => Committed::NotYet("timed out".to_owned()),
            false => Committed::Unknown("fenced".to_owned()),
        }
    }

    fn abort(&mut self, _: Duration) -> std::result::Result<(), Hindered> {
        let mut truth = self.0.truth();
        if truth.fails() {
            return Err(Hindered::Over("dead".to_owned()));
        }
        let open = std::mem::take(&mut truth.open);
        truth.aborted.extend(open);
        Ok(())
    }

    fn find(&mut self, probes: &[Probe], _: Duration) -> Found {
        let mut truth = self.0.truth();
        if truth.fails() {
            return Found::Unknown("held back".to_owned());
        }
        match probes.first() {
            None => Found::Unknown("no probe".to_owned()),
            Some(probe) if truth.read.contains_key(&probe.stamp) && !truth.lies => Found::Committed,
            Some(_) => Found::Aborted,
        }
    }
}

impl Prepare for Client {
    fn prepare(&mut self, message: &Outgoing<'_>) -> std::result::Result<Prepared, Delivery> {
        let mut truth = self.0.truth();
        if truth.fails() {
            let why = "no answer".to_owned();
            return Err(match truth.rng.random_range(0..5) {
                0 => Delivery::Refused(why),
                1 | 2 => Delivery::NotSent(why),
                _ => Delivery::InDoubt(why),
            });
        }
        truth.half.insert(message.stamp.to_owned());
        Ok(Prepared {
            handle: message.stamp.to_owned(),
        })
    }

    fn end(&mut self, prepared: &Prepared, commit: bool) -> Ended {
        let mut truth = self.0.truth();
        let bad = truth.fails().then(|| truth.rng.random_range(0..3));
        if bad == Some(0) {
            return Ended::NotYet("no master".to_owned());
        }
        let was_there = truth.half.remove(&prepared.handle);
        if !commit {
            return Ended::Dropped;
        }
        if bad == Some(1) && was_there {
            return Ended::Gone("given up".to_owned());
        }
        if was_there {
            truth.hand_out(vec![prepared.handle.clone()]);
        } else if !truth.read.contains_key(&prepared.handle) {
            return Ended::Gone("given up".to_owned());
        }
        match bad {
            Some(_) => Ended::InDoubt("the answer was lost".to_owned()),
            None => Ended::Stored(Position {
                partition: 0,
                offset: None,
            }),
        }
    }

    fn find(&mut self, _: &Outgoing<'_>) -> std::result::Result<Option<Position>, String> {
        Ok(None)
    }
}

struct Deaf;

impl Observer for Deaf {
    fn receipt(&mut self, _: &Receipt<'_>) {}
    fn state(&mut self, _: &crate::send::State) {}
}

/// No run waits for anything: what does not come at once is left to the next one.
fn options() -> Options {
    Options::to_deliver(Duration::ZERO, Duration::ZERO, Duration::ZERO)
}

fn held(spool: &mut Spool, target: &Target, way: Way, messages: usize) -> Group {
    let no = spool.begin_group(target, "test", 1).unwrap();
    spool.publish_together(target, no, way, "name").unwrap();
    let message = NewMessage {
        line: 1,
        place: Place::Later(None),
        key: None,
        value: Some(b"v"),
        headers: &[],
        tag: None,
    };
    let change = Change {
        accept: &vec![message; messages],
        hold: Some(no),
        now_ms: 1,
        ..Change::default()
    };
    spool.commit(target, &change).unwrap();
    group(spool, no).unwrap()
}

fn group(spool: &Spool, no: u64) -> Option<Group> {
    let all = spool.undecided().unwrap().into_iter();
    all.map(|(_, group)| group).find(|group| group.no == no)
}

fn together<'a>(
    spool: &'a mut Spool,
    target: &Target,
    group: Group,
    broker: &Broker,
    deaf: &'a mut Deaf,
) -> Together<'a> {
    let (target, endpoint) = (target.clone(), Arc::new(broker.clone()));
    Together::new(spool, target, group, endpoint, options(), deaf, Events::default())
}

/// Says what is wrong with a group that came to its end, if anything.
fn judge(truth: &Truth, stored: u64, refused: u64, messages: u64) -> Option<String> {
    let (read, twice) = (truth.read.len() as u64, truth.read.values().filter(|n| **n > 1).count());
    if twice > 0 {
        return Some(format!("{twice} are there twice"));
    }
    if stored != read || stored + refused != messages {
        return Some(format!(
            "of {messages} stored {stored} and refused {refused}, and readers have {read}"
        ));
    }
    None
}

/// One transaction to its end, with a bad broker in the first runs. Each run is one attempt, and as good as a crash after it.
fn transaction(seed: u64, lies: bool) -> Option<String> {
    let (broker, mut rng) = (Broker::new(seed, lies), StdRng::seed_from_u64(seed ^ 1));
    let mut spool = Spool::in_memory().unwrap();
    let target = spool.target("kafka://a:1", "t").unwrap();
    let messages = rng.random_range(1..30);
    let its = held(&mut spool, &target, Way::Transaction, messages);
    spool.advance(&target, its.no, Phase::Decided, &[]).unwrap();
    let (mut tally, mut runs) = (Tally::default(), 0);
    while let Some(group) = group(&spool, its.no) {
        broker.truth().bad = if runs < 6 { rng.random_range(0..60) } else { 0 };
        let committing = is_committing(&group);
        let report = together(&mut spool, &target, group, &broker, &mut Deaf).publish();
        tally = report.own;
        if tally.accepted() != messages as u64 {
            return Some(format!("{tally} of {messages}"));
        }
        if tally.stored > 0 && tally.stored < messages as u64 || tally.refused > 0 && tally.refused < messages as u64 {
            return Some(format!("in part: {tally}"));
        }
        if tally.spooled > 0 && !broker.truth().read.is_empty() {
            return Some("readers have what is said not to be sent".to_owned());
        }
        runs += 1;
        // Nothing can be proven where the broker never said where it wrote.
        let given_up = runs > 60 && committing && spool.handles(&target, its.no).unwrap().is_empty();
        if given_up {
            return None;
        }
        assert!(runs < 100, "seed {seed}: it never ends");
    }
    let truth = broker.truth();
    judge(&truth, tally.stored, tally.refused, messages as u64)
}

#[test]
fn a_transaction_is_there_once_or_not_at_all_whatever_the_broker_does() {
    let seed = test_seed();
    for seed in (0..300).map(|n| seed.wrapping_add(n)) {
        assert_eq!(transaction(seed, false), None, "MQSAFE_TEST_SEED={seed}");
    }
}

#[test]
fn a_broker_that_lies_about_a_commit_is_found_out() {
    let twice = |seed| transaction(seed, true).is_some_and(|fault| fault.contains("twice"));
    assert!((0..300).any(twice));
}

/// A group that is prepared, decided and handed out; `true` when it never came to the decision.
fn prepared(seed: u64) -> Option<String> {
    let (broker, mut rng) = (Broker::new(seed, false), StdRng::seed_from_u64(seed ^ 2));
    let mut spool = Spool::in_memory().unwrap();
    let target = spool.target("rocketmq://a:1", "t").unwrap();
    let messages = rng.random_range(1..20);
    let its = held(&mut spool, &target, Way::Prepared, messages);
    broker.truth().bad = rng.random_range(0..30);
    let mut preparing = Preparing::connect(&spool, &target, &broker).unwrap();
    let done = together(&mut spool, &target, its.clone(), &broker, &mut Deaf).prepare(&mut preparing);
    let roll_back = matches!(done.unwrap(), Preparation::Refused(..)) || rng.random_range(0..4) == 0;
    if roll_back {
        let handles = spool.handles(&target, its.no).unwrap();
        spool.decide(&target, its.no, Some("no"), 2).unwrap();
        preparing.drop_all(&handles);
        let read = broker.truth().read.len() as u64;
        return judge(&broker.truth(), read, 0, read)
            .or((read > 0).then(|| "readers have what was rolled back".to_owned()));
    }
    spool.advance(&target, its.no, Phase::Decided, &[]).unwrap();
    let (mut stored, mut runs) = (0, 0);
    let mut preparing = Some(preparing);
    while let Some(group) = group(&spool, its.no) {
        broker.truth().bad = if runs < 6 { rng.random_range(0..60) } else { 0 };
        let mut deaf = Deaf;
        let run = together(&mut spool, &target, group, &broker, &mut deaf);
        // The run that prepared them, and later ones.
        let report = match preparing.take() {
            Some(preparing) => run.hand_out_prepared(preparing),
            None => run.publish(),
        };
        stored += report.own.stored;
        runs += 1;
        assert!(runs < 100, "seed {seed}: it never ends");
    }
    let loose = spool.waiting(&target).unwrap().count;
    judge(&broker.truth(), stored, loose, messages as u64)
}

#[test]
fn what_is_prepared_is_handed_out_once_or_sent_like_others() {
    let seed = test_seed();
    for seed in (0..300).map(|n| seed.wrapping_add(n)) {
        assert_eq!(prepared(seed), None, "MQSAFE_TEST_SEED={seed}");
    }
}

/// Remembers what was told.
#[derive(Default)]
struct Ear(Vec<Fate>);

impl Observer for Ear {
    fn receipt(&mut self, receipt: &Receipt<'_>) {
        self.0.push(receipt.fate);
    }

    fn state(&mut self, _: &crate::send::State) {}
}

/// A group of five that is prepared and decided, on a disk that can fail.
fn five_on(disk: &Disk, broker: &Broker) -> (Spool, Target, Group, Preparing) {
    let mut spool = Spool::on(disk).unwrap();
    let target = spool.target("rocketmq://a:1", "t").unwrap();
    let its = held(&mut spool, &target, Way::Prepared, 5);
    let mut preparing = Preparing::connect(&spool, &target, broker).unwrap();
    let done = together(&mut spool, &target, its.clone(), broker, &mut Deaf).prepare(&mut preparing);
    assert_eq!(done.unwrap(), Preparation::Ready(None));
    spool.advance(&target, its.no, Phase::Decided, &[]).unwrap();
    let its = group(&spool, its.no).unwrap();
    (spool, target, its, preparing)
}

/// The next change of the disk fails, and then it works again.
fn fail_once(disk: &Disk) {
    let (fault, from) = (Fault::Broken, disk.changes());
    disk.fail(Failing {
        fault,
        from,
        to: from + 1,
    });
}

#[test]
fn what_was_handed_out_is_counted_once_when_the_store_fails() {
    let (disk, broker, mut ear) = (Disk::default(), Broker::new(1, false), Ear::default());
    let (mut spool, target, its, preparing) = five_on(&disk, &broker);
    fail_once(&disk);
    let (endpoint, events) = (Arc::new(broker.clone()), Events::default());
    let run = Together::new(&mut spool, target, its, endpoint, options(), &mut ear, events);
    let report = run.hand_out_prepared(preparing);
    assert!(disk.failed() > 0);
    assert_eq!((report.own.stored, report.own.accepted()), (5, 5), "{}", report.own);
    assert_eq!(report.released, 0);
    assert_eq!(ear.0, [Fate::Stored; 5]);
    assert_eq!(
        report.outcome,
        Outcome::Spooled.and(Outcome::combine(report.troubles.iter().map(|t| t.outcome)))
    );
}

#[test]
fn what_was_told_is_not_asked_about_again_while_others_wait() {
    for seed in 0..6 {
        let (disk, broker, mut ear) = (Disk::default(), Broker::new(seed, false), Ear::default());
        let (mut spool, target, its, preparing) = five_on(&disk, &broker);
        broker.truth().bad = 50;
        fail_once(&disk);
        let some_rounds = Options {
            delivery_timeout: Duration::from_millis(400),
            ..options()
        };
        let (endpoint, events) = (Arc::new(broker.clone()), Events::default());
        let run = Together::new(&mut spool, target, its, endpoint, some_rounds, &mut ear, events);
        let report = run.hand_out_prepared(preparing);
        let accepted = report.own.accepted();
        assert_eq!(
            (accepted + report.released, ear.0.len() as u64),
            (5, accepted),
            "{}",
            report.own
        );
    }
}

#[test]
fn what_could_not_be_let_go_is_told_and_is_not_waited_for() {
    let (disk, broker, mut ear) = (Disk::default(), Broker::new(1, false), Ear::default());
    let (mut spool, target, its, preparing) = five_on(&disk, &broker);
    broker.truth().half.clear();
    fail_once(&disk);
    let (endpoint, events) = (Arc::new(broker.clone()), Events::default());
    let run = Together::new(&mut spool, target.clone(), its, endpoint, options(), &mut ear, events);
    let report = run.hand_out_prepared(preparing);
    assert!(disk.failed() > 0);
    assert_eq!((report.own.in_doubt, report.own.accepted()), (5, 5), "{}", report.own);
    assert_eq!((report.released, spool.waiting(&target).unwrap().count), (0, 0));
    assert_eq!(ear.0, [Fate::InDoubt; 5]);
    // The same with a disk that works lets go of all of them.
    let (disk, broker) = (Disk::default(), Broker::new(1, false));
    let (mut spool, target, its, preparing) = five_on(&disk, &broker);
    broker.truth().half.clear();
    let report = together(&mut spool, &target, its, &broker, &mut Deaf).hand_out_prepared(preparing);
    assert_eq!((report.released, report.own.accepted()), (5, 0));
    assert_eq!(spool.waiting(&target).unwrap().count, 5);
}

#[test]
fn a_transaction_whose_lane_is_not_there_is_told_and_can_be_given_up() {
    let (broker, mut ear) = (Broker::new(1, false), Ear::default());
    let mut spool = Spool::in_memory().unwrap();
    let target = spool.target("kafka://a:1", "t").unwrap();
    let its = held(&mut spool, &target, Way::Transaction, 2);
    let why = together(&mut spool, &target, its.clone(), &broker, &mut Deaf).misplaced();
    assert_eq!(why.unwrap(), None);
    let message = NewMessage {
        line: 3,
        place: Place::Later(Some(3)),
        key: None,
        value: Some(b"v"),
        headers: &[],
        tag: None,
    };
    let change = Change {
        accept: &[message],
        hold: Some(its.no),
        now_ms: 1,
        ..Change::default()
    };
    spool.commit(&target, &change).unwrap();
    let why = together(&mut spool, &target, its.clone(), &broker, &mut Deaf).misplaced();
    let why = why.unwrap().unwrap_or_default();
    assert!(why.contains("line 3 asks for partition 3"), "{why}");
    // One that was decided all the same, or whose lane has gone since.
    spool.advance(&target, its.no, Phase::Decided, &[]).unwrap();
    let its = group(&spool, its.no).unwrap();
    let (endpoint, events, no) = (Arc::new(broker.clone()), Events::default(), its.no);
    let run = Together::new(&mut spool, target, its, endpoint, options(), &mut ear, events);
    let report = run.publish();
    assert_eq!((report.own.spooled, report.own.accepted()), (3, 3), "{}", report.own);
    assert_eq!(ear.0, [Fate::Spooled; 3]);
    let next = report.troubles.iter().find_map(|t| t.next.clone()).unwrap_or_default();
    assert!(next.contains(&format!("mqsafe spool decide {no} rollback")), "{next}");
}

/// Reads `input` into a group of a store where a message of an earlier run waits for a lane that is not there.
fn read_whole(strict: bool, breaks: bool) -> Report {
    let mut spool = Spool::on(&Disk::default()).unwrap();
    let target = spool.target("kafka://a:1", "t").unwrap();
    let old = NewMessage {
        line: 1,
        place: Place::Now(7),
        key: None,
        value: Some(b"old"),
        headers: &[],
        tag: None,
    };
    let change = Change {
        accept: &[old],
        now_ms: 1,
        ..Change::default()
    };
    spool.commit(&target, &change).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("input");
    // Too long for the second case.
    std::fs::write(&file, "a\nb\nlonger\n").unwrap();
    let how = InputOptions {
        max_line_bytes: if strict { 3 } else { 100 },
        strict,
        ..InputOptions::default()
    };
    let input = Input::new(Source::file(&file, &how.form, None).unwrap(), how).unwrap();
    let no = spool.begin_group(&target, "test", 1).unwrap();
    let second = Duration::from_secs(1);
    let options = Options {
        hold: Some(no),
        ..Options::to_deliver(5 * second, second, second)
    };
    let events = Events::default();
    if breaks {
        let error = Some(std::io::Error::other("the disk broke"));
        let end = InputEnd {
            lines: 0,
            error,
            strict: None,
        };
        events.sender.send(Event::InputEnd(end)).unwrap();
    }
    let endpoint = Arc::new(Broker::new(1, false));
    let mut deaf = Deaf;
    let pump = Pump::new(&mut spool, target, endpoint, options, Some(input), &mut deaf, events);
    pump.and_then(Pump::run).unwrap()
}

#[test]
fn only_what_is_wrong_with_the_input_makes_it_less_than_whole() {
    let report = read_whole(false, false);
    let told: Vec<String> = report.troubles.iter().map(ToString::to_string).collect();
    assert!(told.iter().any(|t| t.contains("lanes that")), "{told:?}");
    assert!(report.whole && report.held == 3, "{report:?}");
    assert!(!read_whole(true, false).whole);
    assert!(!read_whole(false, true).whole);
}
