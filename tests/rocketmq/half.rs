//! Messages that readers get only when the broker was told. The broker of the tests asks after a second, and 5 times.

use crate::cluster::{self, Case, disturb, eventually};
use crate::direct::Direct;
use mqsafe::model::{Decision, Delivery, Ended, Endpoint, Position, Prepare, Prepared};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What is decided, by stamp; what is not in it is open.
#[derive(Clone, Default)]
struct Decisions(Arc<Mutex<HashMap<String, Decision>>>);

impl Decisions {
    fn set(&self, stamp: String, decision: Decision) {
        self.0.lock().unwrap().insert(stamp, decision);
    }
}

fn preparer(direct: &Direct, decisions: &Decisions) -> Box<dyn Prepare> {
    let decisions = decisions.clone();
    let decide = move |stamp: &str| {
        decisions
            .0
            .lock()
            .unwrap()
            .get(stamp)
            .copied()
            .unwrap_or(Decision::Open)
    };
    let preparer = direct.endpoint.preparer(direct.producer(), Box::new(decide));
    preparer.unwrap().unwrap()
}

fn prepare(preparer: &mut dyn Prepare, direct: &Direct, n: u64) -> Prepared {
    direct
        .with(n, Some("red"), |message| preparer.prepare(message))
        .unwrap()
}

fn is_stored(ended: &Ended) -> bool {
    matches!(ended, Ended::Stored(Position { partition: 0, .. }))
}

/// Once, and as it was sent.
#[track_caller]
fn readers_have(case: &Case, direct: &Direct, n: u64) {
    case.await_dispatched();
    let found = case.query(&format!("k{n}"), &[]).expect(0).json();
    assert_eq!(found["found"], 1, "{found}");
    let record = &found["records"][0];
    assert_eq!(
        (&record["value"], &record["tag"]),
        (&format!("body {n}").into(), &"red".into())
    );
    assert_eq!(record["id"]["seq"], n, "{record}");
    assert_eq!(record["id"]["producer"], direct.producer(), "{record}");
}

#[test]
fn readers_get_what_is_committed_and_nothing_else() {
    let Some(case) = cluster::shared("readers_get_what_is_committed_and_nothing_else", 1) else {
        return;
    };
    let (direct, decisions) = (Direct::new(&case), Decisions::default());
    let mut first = preparer(&direct, &decisions);
    let (kept, dropped) = (prepare(&mut *first, &direct, 1), prepare(&mut *first, &direct, 2));
    assert_eq!(case.held(), 0);
    case.query("k1", &[]).expect(1);
    let find = |preparer: &mut dyn Prepare, n| direct.with(n, None, |message| preparer.find(message)).unwrap();
    assert_eq!(find(&mut *first, 1), None);

    let ended = first.end(&kept, true);
    assert!(is_stored(&ended), "{ended:?}");
    decisions.set(direct.stamp(1), Decision::RollBack);
    assert_eq!(first.end(&dropped, false), Ended::Dropped);
    readers_have(&case, &direct, 1);
    let place = Position {
        partition: 0,
        offset: Some(0),
    };
    eventually("it is found by its id", || find(&mut *first, 1) == Some(place));

    // The next run does not know whether the answer came, and does not hand it out twice.
    let mut second = preparer(&direct, &decisions);
    assert_eq!(second.end(&kept, true), Ended::Stored(place));
    assert_eq!(second.end(&dropped, false), Ended::Dropped);
    case.await_dispatched();
    assert_eq!(case.held(), 1);
    case.query("k2", &[]).expect(1);

    // A place at which the broker's log holds nothing.
    let mut words: Vec<&str> = dropped.handle.split(' ').collect();
    (words[3], words[4]) = ("999999999999", "00000000000000000000000000000000");
    let elsewhere = Prepared {
        handle: words.join(" "),
    };
    let gone = second.end(&elsewhere, true);
    assert!(
        matches!(&gone, Ended::Gone(why) if why.contains("Find prepared")),
        "{gone:?}"
    );
    assert_eq!(second.end(&elsewhere, false), Ended::Dropped);
    assert!(matches!(
        second.end(&Prepared { handle: "x".to_owned() }, true),
        Ended::Gone(_)
    ));
    let refused = direct.with(3, Some("a|b"), |message| second.prepare(message));
    assert!(matches!(refused, Err(Delivery::Refused(_))), "{refused:?}");
    assert_eq!(case.held(), 1);
}

#[test]
fn a_broker_that_asks_is_answered_by_the_next_run() {
    let Some(case) = cluster::alone("a_broker_that_asks_is_answered_by_the_next_run", 1) else {
        return;
    };
    // It may ask more often than five times, which are over after as many seconds, whatever the machine was busy with.
    let _patient = case.configured("transactionCheckMax=1000", "transactionCheckMax=5");
    let (direct, decisions) = (Direct::new(&case), Decisions::default());
    let mut crashed = preparer(&direct, &decisions);
    let handles: Vec<Prepared> = (1..=3).map(|n| prepare(&mut *crashed, &direct, n)).collect();
    drop(crashed);
    decisions.set(direct.stamp(1), Decision::Commit);
    decisions.set(direct.stamp(2), Decision::RollBack);
    // Another producer is not asked, and could not answer.
    let foreign = Direct::new(&case);
    let _other = preparer(&foreign, &decisions);
    let mut next = preparer(&direct, &decisions);
    eventually("the committed one is there", || case.held() == 1);
    readers_have(&case, &direct, 1);
    assert!(is_stored(&next.end(&handles[0], true)));
    decisions.set(direct.stamp(1), Decision::RollBack);
    decisions.set(direct.stamp(3), Decision::Commit);
    eventually("what was open is there once it is decided", || case.held() == 2);
    readers_have(&case, &direct, 3);
    case.query("k2", &[]).expect(1);
    assert!(is_stored(&next.end(&handles[2], true)));
    assert_eq!(case.held(), 2);
}

#[test]
fn what_a_broker_gave_up_is_handed_out_all_the_same() {
    let Some(case) = cluster::shared("what_a_broker_gave_up_is_handed_out_all_the_same", 1) else {
        return;
    };
    let (direct, decisions) = (Direct::new(&case), Decisions::default());
    let mut crashed = preparer(&direct, &decisions);
    let prepared = prepare(&mut *crashed, &direct, 1);
    drop(crashed);
    let id = prepared.handle.split(' ').nth(4).unwrap();
    eventually("the broker gives it up", || {
        case.indexed("TRANS_CHECK_MAX_TIME_TOPIC", id).contains("body 1")
    });
    assert_eq!(case.held(), 0);
    let mut next = preparer(&direct, &decisions);
    assert_eq!(direct.with(1, None, |message| next.find(message)), Ok(None));
    assert!(is_stored(&next.end(&prepared, true)));
    readers_have(&case, &direct, 1);
    assert_eq!(case.held(), 1);
}

#[test]
fn what_is_handed_out_with_one_copy_is_in_doubt_until_there_are_two() {
    let Some(case) = cluster::alone("what_is_handed_out_with_one_copy_is_in_doubt_until_there_are_two", 1) else {
        return;
    };
    let (direct, decisions) = (Direct::new(&case), Decisions::default());
    let mut preparer = preparer(&direct, &decisions);
    let prepared = prepare(&mut *preparer, &direct, 1);
    {
        let _silent = disturb("stop", &["slave"]);
        let ended = preparer.end(&prepared, true);
        assert!(
            matches!(&ended, Ended::InDoubt(why) if why.contains("SLAVE")),
            "{ended:?}"
        );
        let weak = direct.with(2, None, |message| preparer.prepare(message));
        assert!(
            matches!(&weak, Err(Delivery::InDoubt(why)) if why.contains("SLAVE")),
            "{weak:?}"
        );
    }
    let start = std::time::Instant::now();
    while !is_stored(&preparer.end(&prepared, true)) {
        assert!(start.elapsed() < Duration::from_secs(120));
    }
    decisions.set(direct.stamp(1), Decision::RollBack);
    assert_eq!(case.held(), 1);
    readers_have(&case, &direct, 1);
}
