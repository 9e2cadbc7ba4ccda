//! Attempts, given up numbers, second tries, and consumption.

use super::tests::{accept, message, open, settle, settled};
use super::*;
use crate::model::Voids;
use std::ops::ControlFlow;

const ALL: Which = Which {
    pending: true,
    failed: true,
    awaiting: true,
    scheduled: true,
    undecided: true,
};

fn store() -> (Spool, Target) {
    let mut spool = Spool::in_memory().unwrap();
    let target = spool.target("kafka://a:1", "orders").unwrap();
    (spool, target)
}

fn kept(spool: &Spool, which: Which) -> Vec<Kept> {
    let mut all = Vec::new();
    spool
        .each(which, |_, kept| {
            all.push(kept);
            ControlFlow::Continue(())
        })
        .unwrap();
    all
}

fn came_back(spool: &mut Spool, target: &Target, id: u64, in_doubt: bool) {
    let retry = Retry {
        attempts: 3,
        next_ms: Some(99),
        in_doubt,
        reason: "no leader".into(),
    };
    let change = Change {
        retry: &[(id, retry)],
        ..Change::default()
    };
    spool.commit(target, &change).unwrap();
}

fn awaited(spool: &mut Spool, target: &Target, n: usize) -> Vec<Accepted> {
    let new = vec![message(Place::Now(0), b"x"); n];
    let change = Change {
        accept: &new,
        await_ms: 1000,
        now_ms: 7,
        ..Change::default()
    };
    spool.commit(target, &change).unwrap()
}

fn report(target: &Target, seq: u64, failure: Option<&str>) -> Consumption {
    Consumption {
        producer: target.producer.clone(),
        lane: target.lane(0),
        seq,
        failure: failure.map(str::to_owned),
    }
}

#[test]
fn what_came_back_is_known_after_reopening_and_forgotten_when_it_settles() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let (target, got) = {
        let mut spool = open(&path);
        let target = spool.target("kafka://a:1", "orders").unwrap();
        let got = accept(&mut spool, &target, 2);
        came_back(&mut spool, &target, got[0].id, false);
        // Of what does not wait nothing is kept.
        came_back(&mut spool, &target, 77, true);
        (target, got)
    };
    let mut spool = open(&path);
    let rows = spool.retries(&target).unwrap();
    assert_eq!(rows.len(), 1);
    let (id, retry) = &rows[0];
    assert_eq!(
        (*id, retry.attempts, retry.next_ms, retry.in_doubt),
        (got[0].id, 3, Some(99), false)
    );
    assert_eq!(retry.reason, "no leader");
    let doubts: Vec<bool> = kept(&spool, ALL)
        .into_iter()
        .map(|k| matches!(k.held, Held::Pending { in_doubt: true, .. }))
        .collect();
    assert_eq!(
        doubts,
        [false, true],
        "without word of it, what has a lane may have been sent"
    );
    let change = Change {
        untried_from: Some(1),
        ..Change::default()
    };
    spool.commit(&target, &change).unwrap();
    assert!(
        kept(&spool, ALL)
            .iter()
            .all(|k| matches!(k.held, Held::Pending { in_doubt: false, .. }))
    );
    spool.begin_to_hand_over(&target).unwrap();
    assert_eq!(spool.untried_from(&target).unwrap(), None);
    settle(
        &mut spool,
        &target,
        &[settled(&target, &got[0], Verdict::Confirmed(None))],
    );
    assert_eq!(spool.retries(&target).unwrap(), []);
}

#[test]
fn a_number_that_may_be_in_the_log_is_not_void_when_its_message_is_given_up() {
    let (mut spool, target) = store();
    let got = accept(&mut spool, &target, 2);
    let ends = [
        settled(&target, &got[0], Verdict::GivenUp("attempts used up (1): nack".into())),
        settled(&target, &got[1], Verdict::Failed("too large".into())),
    ];
    settle(&mut spool, &target, &ends);
    let voids: Vec<bool> = kept(&spool, ALL)
        .into_iter()
        .map(|k| match k.held {
            Held::Failed { void, attempts: 1, .. } => void,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(voids, [false, true]);
    assert_eq!(accept(&mut spool, &target, 1)[0].voids, "2");

    // The first keeps its number, the second gets a new one at the end of the lane.
    let done = spool.retry(&target, &[got[0].id, got[1].id, 99], None).unwrap();
    let how: Vec<_> = done.iter().map(|r| (r.was, r.id, r.how)).collect();
    assert_eq!(how, [(0, 0, Again::Same), (1, 3, Again::NewNumber)]);
    let pending: Vec<_> = spool.pending(&target, 0, 99, 9999).unwrap();
    assert_eq!(
        pending.iter().map(|p| (p.id, p.seq)).collect::<Vec<_>>(),
        [(0, 1), (2, 3), (3, 4)]
    );
    assert_eq!(spool.next_id(), 4);
    let doubts: Vec<bool> = spool
        .retries(&target)
        .unwrap()
        .iter()
        .map(|(_, r)| r.in_doubt)
        .collect();
    assert_eq!(doubts, [true, false]);
    assert_eq!(spool.retry(&target, &[0, 3], None).unwrap(), [], "they wait already");
}

#[test]
fn another_lane_voids_only_a_number_that_is_certainly_not_stored() {
    let (mut spool, target) = store();
    let got = accept(&mut spool, &target, 3);
    came_back(&mut spool, &target, got[0].id, false);
    came_back(&mut spool, &target, got[1].id, true);
    let done = spool
        .retry(&target, &[0, 1, 2], Some(NewLane { wish: Some(-2) }))
        .unwrap();
    let void: Vec<_> = done.iter().map(|r| r.how).collect();
    assert_eq!(
        void,
        [true, false, false].map(|void| Again::NewLane { void }),
        "the third may have been sent by a run that was killed"
    );
    let pending = spool.pending(&target, 0, 99, 9999).unwrap();
    assert_eq!(
        pending
            .iter()
            .map(|p| (p.id, p.partition, p.wish, p.seq))
            .collect::<Vec<_>>(),
        [3, 4, 5].map(|id| (id, None, Some(-2), 0)),
        "the way that was asked for is kept"
    );
    assert_eq!(accept(&mut spool, &target, 1)[0].voids, "1");
    // They get lanes as every other message does.
    let place = [(3, 4), (4, 4), (5, 5)];
    let change = Change {
        place: &place,
        ..Change::default()
    };
    let placed = spool.commit(&target, &change).unwrap();
    assert_eq!(placed.iter().map(|a| a.seq).collect::<Vec<_>>(), [1, 2, 1]);
}

#[test]
fn what_is_forgotten_is_gone_and_its_number_void_when_that_is_certain() {
    let (mut spool, target) = store();
    let got = accept(&mut spool, &target, 4);
    settle(
        &mut spool,
        &target,
        &[settled(&target, &got[0], Verdict::Failed("no".into()))],
    );
    came_back(&mut spool, &target, got[1].id, false);
    came_back(&mut spool, &target, got[2].id, true);
    let gone = spool.forget(&target, &[0, 1, 2, 50]).unwrap();
    assert_eq!(
        gone.iter().map(|d| (d.id, d.void)).collect::<Vec<_>>(),
        [(0, true), (1, true), (2, false)]
    );
    assert_eq!(kept(&spool, ALL).len(), 1);
    assert_eq!(spool.retries(&target).unwrap(), []);
    let voids = accept(&mut spool, &target, 1)[0].voids.clone();
    assert_eq!(Voids::parse(voids.as_bytes()).unwrap().ranges(), [(1, 2)]);
    assert!(spool.find(2).unwrap().is_none());
    let (found, kept) = spool.find(3).unwrap().unwrap();
    assert_eq!((found, kept.message.seq), (target, 4));
}

#[test]
fn a_stored_message_is_kept_until_it_is_consumed() {
    let (mut spool, target) = store();
    let got = awaited(&mut spool, &target, 4);
    let plain = accept(&mut spool, &target, 1);
    let ends: Vec<_> = got
        .iter()
        .chain(&plain)
        .map(|a| settled(&target, a, Verdict::Confirmed(Some(5))))
        .collect();
    // One report comes before the acknowledgement, and does not take its place.
    assert_eq!(
        spool.report(&[report(&target, 4, None)], 7).unwrap(),
        [Reported::Consumed]
    );
    assert_eq!(spool.stats().unwrap().pending, 5);
    settle(&mut spool, &target, &ends);
    let stats = spool.stats().unwrap();
    assert_eq!(
        (stats.pending, stats.confirmed, stats.awaiting, stats.consumed),
        (0, 5, 3, 1)
    );
    let reports = [
        report(&target, 1, None),
        report(&target, 1, None),
        report(&target, 2, Some("no stock")),
        report(&target, 5, Some("not awaited")),
        report(&target, 6, None),
        report(&target, 0, None),
        Consumption {
            lane: "orders/7".into(),
            ..report(&target, 1, None)
        },
        Consumption {
            producer: "other".into(),
            ..report(&target, 1, None)
        },
    ];
    use Reported::{Already, Consumed, Failed, Foreign, NeverGiven, NotAwaited};
    assert_eq!(
        spool.report(&reports, 9).unwrap(),
        [
            Consumed, Already, Failed, NotAwaited, NeverGiven, NeverGiven, NeverGiven, Foreign
        ]
    );
    // Confirmed at 8, awaited for 1000 ms.
    let unconsumed = |now_ms| -> Vec<u64> {
        kept(&spool, ALL)
            .into_iter()
            .filter(|k| k.held.is_unconsumed(now_ms))
            .map(|k| k.message.seq)
            .collect()
    };
    assert_eq!((unconsumed(1007), unconsumed(1008)), (vec![2], vec![2, 3]));

    // Sent again it keeps its number, and is counted once.
    let again = spool.retry(&target, &[1, 2], None).unwrap();
    assert!(again.iter().all(|r| r.how == Again::Same && r.was == r.id));
    assert_eq!(spool.stats().unwrap().awaiting, 0);
    settle(&mut spool, &target, &ends[1..3]);
    let stats = spool.stats().unwrap();
    assert_eq!(
        (stats.pending, stats.confirmed, stats.awaiting, stats.consumed),
        (0, 5, 2, 2)
    );
}

#[test]
fn numbers_confirmed_again_do_not_change_the_journal() {
    let (mut spool, target) = store();
    let got = awaited(&mut spool, &target, 9);
    let all: Vec<_> = got
        .iter()
        .map(|a| settled(&target, a, Verdict::Confirmed(Some(a.seq as i64))))
        .collect();
    settle(&mut spool, &target, &all);
    for id in [0, 4, 8] {
        spool.retry(&target, &[id], None).unwrap();
        settle(&mut spool, &target, &all[id as usize..][..1]);
    }
    let mut runs = Vec::new();
    spool
        .runs(|run| {
            runs.push((run.first, run.last, run.offset));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(runs, [(1, 9, Some(1))]);
}

#[test]
fn lanes_that_are_gone_are_remembered_until_they_are_back() {
    let (mut spool, target) = store();
    spool.set_gone(&target, &[1, 2].into(), 5).unwrap();
    spool.set_gone(&target, &[2, 3].into(), 6).unwrap();
    assert_eq!(spool.gone(&target).unwrap(), [2, 3].into());
    spool.set_gone(&target, &[].into(), 7).unwrap();
    assert!(spool.gone(&target).unwrap().is_empty());
}

/// A copy that forgot the names of its lanes would send what waits to others.
#[test]
fn a_copy_keeps_the_names_of_its_lanes() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("a"), dir.path().join("b"));
    {
        let mut spool = open(&first);
        let mut target = spool.target("rocketmq://a:1", "orders").unwrap();
        assert_eq!(
            spool.number_lanes(&mut target, &["orders/m/0", "orders/m/1"]).unwrap(),
            [0, 1]
        );
    }
    std::fs::create_dir(&second).unwrap();
    std::fs::copy(first.join("spool.redb"), second.join("spool.redb")).unwrap();
    let mut copy = open(&second);
    let mut target = copy.target("rocketmq://a:1", "orders").unwrap();
    assert_eq!(target.lane(1), "orders/m/1");
    assert_eq!(
        copy.number_lanes(&mut target, &["orders/n/0", "orders/m/0"]).unwrap(),
        [2, 0]
    );
}
