//! Single moves of the pump, against a broker that does what each test says.

use super::*;
use crate::model::{Deliver, Fate, KeyHash, Lanes, NamedLane, Offer, Outgoing, Position, Topology};
use crate::send::{Form, IdFrom, InputOptions, Receipt, Source, State};
use crate::spool::disk::{Disk, Failing, Fault};
use crate::spool::{NewMessage, Place};
use std::sync::Mutex;

/// Answers every message in one way, or nobody is there.
struct Broker {
    lanes: Option<Lanes>,
    answer: fn() -> Delivery,
    /// The key and lane of what was offered.
    offered: Arc<Mutex<Vec<(String, i32)>>>,
}

impl Broker {
    fn new(lanes: Option<Lanes>, answer: fn() -> Delivery) -> Broker {
        Broker {
            lanes,
            answer,
            offered: Arc::default(),
        }
    }
}

fn stored() -> Delivery {
    Delivery::Stored(Position {
        partition: 0,
        offset: Some(1),
    })
}

fn refused() -> Delivery {
    Delivery::Refused("too large".to_owned())
}

struct Client {
    answer: fn() -> Delivery,
    offered: Arc<Mutex<Vec<(String, i32)>>>,
}

impl Endpoint for Broker {
    fn topology(&self, _: Duration) -> std::result::Result<Topology, Unreached> {
        let lanes = self.lanes.clone().ok_or_else(|| Unreached::new("nobody answers"))?;
        Ok(Topology::Known(lanes))
    }

    fn publisher(&self, _: Deliver) -> Result<Box<dyn Publish>> {
        Ok(Box::new(Client {
            answer: self.answer,
            offered: Arc::clone(&self.offered),
        }))
    }

    fn last_error(&self) -> Option<String> {
        None
    }
}

impl Publish for Client {
    fn offer(&mut self, message: &Outgoing<'_>) -> Offer {
        let key = String::from_utf8_lossy(message.key.unwrap_or_default()).into_owned();
        self.offered.lock().unwrap().push((key, message.partition));
        Offer::Settled((self.answer)())
    }

    fn must_renew(&self) -> bool {
        false
    }

    fn recall(&mut self) {}

    fn renew(&mut self) -> Result<()> {
        Ok(())
    }
}

#[derive(Default)]
struct Ear(Vec<(u64, Fate)>);

impl Observer for Ear {
    fn receipt(&mut self, receipt: &Receipt<'_>) {
        self.0.push((receipt.line, receipt.fate));
    }

    fn state(&mut self, _: &State) {}
}

fn options() -> Options {
    let time = Duration::from_millis(300);
    Options::to_deliver(time, time, time)
}

fn store() -> (Spool, Target) {
    let mut spool = Spool::on(&Disk::default()).unwrap();
    let target = spool.target("kafka://a:1", "orders").unwrap();
    (spool, target)
}

fn accept(spool: &mut Spool, target: &Target, places: &[Place]) {
    let message = |(line, place): (usize, &Place)| NewMessage {
        line: line as u64 + 1,
        place: *place,
        key: Some(b"key"),
        value: Some(b"value"),
        headers: &[],
        tag: None,
    };
    let new: Vec<NewMessage<'_>> = places.iter().enumerate().map(message).collect();
    let change = crate::spool::Change {
        accept: &new,
        ..crate::spool::Change::default()
    };
    spool.commit(target, &change).unwrap();
}

fn run(spool: &mut Spool, target: &Target, broker: Broker, options: Options) -> Report {
    let mut ear = Ear::default();
    let pump = Pump::new(
        spool,
        target.clone(),
        Arc::new(broker),
        options,
        None,
        &mut ear,
        Events::default(),
    );
    pump.unwrap().run().unwrap()
}

fn partitions(count: i32) -> Option<Lanes> {
    Some(Lanes::Partitions(count))
}

#[test]
fn what_a_killed_run_may_have_sent_is_in_doubt_also_where_it_counts_as_own() {
    let (mut spool, target) = store();
    // A lane and no word of it: a run that was killed may have handed them over.
    accept(&mut spool, &target, &[Place::Now(0), Place::Now(0)]);
    let counted = Options {
        own: Some((0, 2)),
        ..options()
    };
    run(&mut spool, &target, Broker::new(partitions(1), refused), counted);
    accept(&mut spool, &target, &[Place::Now(0)]);
    let next = spool.pending(&target, 0, 9, 999).unwrap();
    assert_eq!(next[0].voids, "", "a number that may be in the log is called void");
    assert_eq!(spool.stats().unwrap().failed, 2);
}

/// What `send` accepts while nobody answers.
fn spooled(spool: &mut Spool, target: &Target, partitioner: Partitioner) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("input");
    let lines: String = (0..20).map(|n| format!("key-{n}:value\n")).collect();
    std::fs::write(&file, lines).unwrap();
    let form = Form::Text {
        end: b"\n".to_vec(),
        key_delimiter: Some(b":".to_vec()),
    };
    let source = Source::file(&file, &form, None).unwrap();
    let how = InputOptions {
        form,
        max_line_bytes: 1 << 20,
        ..InputOptions::default()
    };
    let (mut ear, input) = (Ear::default(), Input::new(source, how).unwrap());
    let options = Options {
        partitioner,
        ..options()
    };
    let nobody = Arc::new(Broker::new(None, stored));
    let pump = Pump::new(
        spool,
        target.clone(),
        nobody,
        options,
        Some(input),
        &mut ear,
        Events::default(),
    );
    assert_eq!(pump.unwrap().run().unwrap().own.spooled, 20);
}

#[test]
fn what_was_spooled_goes_where_its_own_run_wanted_it_whatever_later_runs_want() {
    for hash in KeyHash::ALL {
        let (mut spool, target) = store();
        spooled(&mut spool, &target, Partitioner::by(hash, 1));
        let broker = Broker::new(partitions(7), stored);
        let offered = Arc::clone(&broker.offered);
        // As `spool flush` does, and as a run that wants all of its own elsewhere.
        let partitioner = match hash {
            KeyHash::Crc32 => Partitioner::by_key(1),
            KeyHash::Murmur2 | KeyHash::Fnv1a => Partitioner::Fixed(6),
        };
        run(
            &mut spool,
            &target,
            broker,
            Options {
                partitioner,
                ..options()
            },
        );
        let offered = offered.lock().unwrap();
        assert_eq!(offered.len(), 20);
        for (key, lane) in offered.iter() {
            assert_eq!(Some(*lane), hash.partition(Some(key.as_bytes()), 7), "{hash:?} {key}");
        }
    }
    let (mut spool, target) = store();
    spooled(&mut spool, &target, Partitioner::Fixed(3));
    let broker = Broker::new(partitions(7), stored);
    let offered = Arc::clone(&broker.offered);
    run(&mut spool, &target, broker, options());
    assert!(offered.lock().unwrap().iter().all(|(_, lane)| *lane == 3));
}

#[test]
fn a_message_whose_lane_is_not_there_waits_and_goes_nowhere_else() {
    let (mut spool, target) = store();
    accept(
        &mut spool,
        &target,
        &[Place::Later(Some(5)), Place::Later(None), Place::Later(Some(1))],
    );
    let queues = |count: i32| {
        let lane = |queue| NamedLane {
            name: format!("orders/b-a/{queue}"),
            queue,
        };
        Some(Lanes::Named((0..count).map(lane).collect()))
    };
    let report = run(&mut spool, &target, Broker::new(queues(2), stored), options());
    assert_eq!((report.earlier.stored, report.earlier.spooled), (2, 1));
    assert_eq!(report.outcome, Outcome::Spooled);
    assert_eq!(report.why, None, "nothing else is to blame");
    let said: Vec<String> = report.troubles.iter().map(ToString::to_string).collect();
    assert!(said.len() == 1 && said[0].contains("number 5"), "{said:?}");
    let left = spool.pending(&target, 0, 9, 999).unwrap();
    assert_eq!((left.len(), left[0].partition, left[0].wish), (1, None, Some(5)));
    // It goes out when the queue is there.
    let report = run(&mut spool, &target, Broker::new(queues(6), stored), options());
    assert_eq!((report.earlier.stored, report.outcome), (1, Outcome::Good));
}

/// Says that there is no such topic as soon as something was accepted for it.
struct TooLate(Arc<AtomicBool>);

impl Endpoint for TooLate {
    fn topology(&self, _: Duration) -> std::result::Result<Topology, Unreached> {
        match self.0.load(Ordering::Relaxed) {
            true => Ok(Topology::NoSuchTopic),
            false => Err(Unreached::new("nobody answers")),
        }
    }

    fn publisher(&self, _: Deliver) -> Result<Box<dyn Publish>> {
        Err(Problem::unknown("nothing is published here"))
    }

    fn last_error(&self) -> Option<String> {
        None
    }
}

/// Tells when something was accepted.
struct Tells(Arc<AtomicBool>);

impl Observer for Tells {
    fn receipt(&mut self, _: &Receipt<'_>) {}

    fn state(&mut self, state: &State) {
        self.0.fetch_or(state.accepted > 0, Ordering::Relaxed);
    }
}

/// Input whose end comes long after the broker's refusal.
struct Slow(Option<&'static [u8]>, Arc<AtomicBool>);

impl std::io::Read for Slow {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if let Some(line) = self.0.take() {
            into[..line.len()].copy_from_slice(line);
            return Ok(line.len());
        }
        let began = Instant::now();
        while !self.1.load(Ordering::Relaxed) && began.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(0)
    }
}

#[test]
fn a_refusal_that_comes_after_something_was_kept_leaves_it_safe_in_the_spool() {
    let (mut spool, target) = store();
    let accepted = Arc::new(AtomicBool::new(false));
    let form = Form::Text {
        end: b"\n".to_vec(),
        key_delimiter: None,
    };
    let slow = Slow(Some(b"one\n"), Arc::clone(&accepted));
    let how = InputOptions {
        form,
        ..InputOptions::default()
    };
    let input = Input::new(Source::stream("stdin", Box::new(slow)), how).unwrap();
    let mut ear = Tells(Arc::clone(&accepted));
    let patient = Options {
        connect_timeout: Duration::from_secs(60),
        ..options()
    };
    let pump = Pump::new(
        &mut spool,
        target,
        Arc::new(TooLate(accepted)),
        patient,
        Some(input),
        &mut ear,
        Events::default(),
    );
    let report = pump.unwrap().run().unwrap();
    assert_eq!((report.own.spooled, report.outcome), (1, Outcome::Spooled));
    let said: Vec<String> = report.troubles.iter().map(ToString::to_string).collect();
    assert!(said.len() == 1 && said[0].contains("does not exist"), "{said:?}");
    assert_eq!(spool.stats().unwrap().pending, 1);
}

/// A client that asks for no acknowledgement, and has nothing to give back.
struct Unacknowledged;

impl Publish for Unacknowledged {
    fn offer(&mut self, _: &Outgoing<'_>) -> Offer {
        Offer::Taken
    }

    fn must_renew(&self) -> bool {
        false
    }

    fn is_acknowledged(&self) -> bool {
        false
    }

    fn recall(&mut self) {}

    fn renew(&mut self) -> Result<()> {
        Ok(())
    }
}

#[test]
fn what_nobody_acknowledges_is_over_also_when_it_is_heard_of_at_the_end() {
    let mut spool = Spool::without().unwrap();
    let target = spool.target("kafka://a:1", "orders").unwrap();
    accept(&mut spool, &target, &[Place::Now(0)]);
    let broker = Arc::new(Broker::new(None, stored));
    let mut ear = Ear::default();
    let events = Events::default();
    let mut pump = Pump::new(&mut spool, target, broker, options(), None, &mut ear, events).unwrap();
    pump.publisher = Some(Box::new(Unacknowledged));
    let message = pump.spool.pending(&pump.target, 0, 1, 1).unwrap().remove(0);
    assert!(pump.offer_pending(&message));
    pump.deliveries.add(0, Delivery::InDoubt("nobody was asked".to_owned()));
    pump.recall(true);
    assert_eq!((pump.settled.len(), pump.doubtful.len()), (1, 0));
}

#[test]
fn a_line_that_is_no_message_is_told_also_when_the_commit_failed_and_nobody_knows_whether_it_landed() {
    let disk = Disk::default();
    let mut spool = Spool::on(&disk).unwrap();
    let target = spool.target("kafka://a:1", "orders").unwrap();
    let form = Form::Text {
        end: b"\n".to_vec(),
        key_delimiter: Some(b":".to_vec()),
    };
    let lines: &[u8] = b"a:1\nno key\na:2\n";
    let how = InputOptions {
        form,
        id: Some(IdFrom::Key),
        ..InputOptions::default()
    };
    let input = Input::new(Source::stream("stdin", Box::new(lines)), how).unwrap();
    let again = Options {
        dedupe_window: Some(Duration::from_secs(60)),
        ..options()
    };
    // From now on nothing can be written, and so the store cannot be opened again.
    let from = disk.changes();
    disk.fail(Failing {
        fault: Fault::Broken,
        from,
        to: u64::MAX,
    });
    let (mut ear, broker) = (Ear::default(), Arc::new(Broker::new(None, stored)));
    let pump = Pump::new(
        &mut spool,
        target,
        broker,
        again,
        Some(input),
        &mut ear,
        Events::default(),
    );
    let ran = pump.unwrap().run();
    assert!(disk.failed() > 0, "{ran:?}");
    ear.0.sort_by_key(|(line, _)| *line);
    assert_eq!(ear.0, [(2, Fate::Rejected), (3, Fate::Repeated)]);
}
