//! A store that is in order has no faults, and each planted fault is named.

use super::tests::{accept, open, settle, settled};
use super::*;
use redb::{ReadableTable, WriteTransaction};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// A store with something in every table; closed.
fn used(dir: &Path) -> PathBuf {
    let path = dir.join("s");
    let mut spool = open(&path);
    let target = spool.target("kafka://a:1", "orders").unwrap();
    let got = accept(&mut spool, &target, 12);
    let ends = [
        settled(&target, &got[0], Verdict::Confirmed(Some(0))),
        settled(&target, &got[1], Verdict::Confirmed(Some(1))),
        settled(&target, &got[2], Verdict::Failed("too large".into())),
        settled(&target, &got[3], Verdict::GivenUp("attempts used up (5): nack".into())),
    ];
    settle(&mut spool, &target, &ends);
    let input = InputProgress {
        path: b"/in".to_vec(),
        offset: 90,
        lines: 9,
        size: 90,
        prefix_sha256: [3; 32],
    };
    let retry = Retry {
        attempts: 1,
        next_ms: None,
        in_doubt: true,
        reason: "nack".into(),
    };
    let new = [super::tests::message(Place::Now(0), b"y")];
    let change = Change {
        accept: &new,
        retry: &[(4, retry)],
        await_ms: 5,
        input: Some(&input),
        ..Change::default()
    };
    let got = spool.commit(&target, &change).unwrap();
    settle(
        &mut spool,
        &target,
        &[settled(&target, &got[0], Verdict::Confirmed(None))],
    );
    apart(&mut spool, &target);
    path.join("spool.redb")
}

/// A check that waits for its time, an action in a transaction with numbers, an idempotency key.
fn apart(spool: &mut Spool, target: &Target) {
    let checks = spool.target("kafka://a:1", "checks").unwrap();
    let new = [super::tests::message(Place::Now(0), b"z")];
    let change = Change {
        accept: &new,
        remember: Some(Remember {
            ids: &[(0, b"order-1")],
            window_ms: 1000,
        }),
        ..Change::default()
    };
    let got = spool.commit(target, &change).unwrap();
    let settle = [settled(target, &got[0], Verdict::Confirmed(None))];
    let follow = Follow {
        check: Some((&checks, 60_000)),
        ..Follow::default()
    };
    let change = Change {
        settle: &settle,
        follow,
        ..Change::default()
    };
    spool.commit(target, &change).unwrap();
    let no = spool.begin_group(target, "--transaction", 1).unwrap();
    spool
        .publish_together(target, no, Way::Transaction, "mqsafe-p")
        .unwrap();
    let new = [super::tests::message(Place::Later(None), b"t"); 3];
    let change = Change {
        accept: &new,
        hold: Some(no),
        ..Change::default()
    };
    spool.commit(target, &change).unwrap();
    let wanted: Vec<(u64, i32)> = spool
        .group_messages(target, no)
        .unwrap()
        .iter()
        .map(|(id, _)| (*id, 0))
        .collect();
    spool.place_group(target, no, &wanted).unwrap();
    let probe = [(wanted[0].0, "0 5 stamp".to_owned())];
    spool.advance(target, no, Phase::Committing, &probe).unwrap();
}

/// Changes a closed store as no code of ours would.
fn plant(database: &Path, change: impl FnOnce(&WriteTransaction)) {
    let db = Database::create(database).unwrap();
    let txn = db.begin_write().unwrap();
    change(&txn);
    txn.commit().unwrap();
}

fn faults(database: &Path) -> Vec<String> {
    let before = std::fs::read(database).unwrap();
    let checked = check(database).unwrap();
    assert!(before == std::fs::read(database).unwrap(), "a check writes nothing");
    checked.faults.into_iter().map(|f| f.what).collect()
}

#[test]
fn a_store_that_was_used_is_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let database = used(dir.path());
    let checked = check(&database).unwrap();
    assert_eq!(checked.faults, []);
    let Stats {
        pending,
        failed,
        confirmed,
        awaiting,
        scheduled,
        undecided,
        ..
    } = checked.held;
    // Three of the pending are a transaction.
    assert_eq!((pending, failed, confirmed, awaiting), (11, 2, 4, 1));
    assert_eq!((scheduled, undecided), (1, 0));
    // One that is sent again, or gets another lane, is in order too.
    let mut spool = open(&dir.path().join("s"));
    let target = spool.target("kafka://a:1", "orders").unwrap();
    spool.retry(&target, &[2, 3, 12], None).unwrap();
    drop(spool);
    assert_eq!(check(&database).unwrap().faults, []);
    let mut spool = open(&dir.path().join("s"));
    spool.retry(&target, &[4, 5], Some(NewLane::default())).unwrap();
    spool.forget(&target, &[6]).unwrap();
    drop(spool);
    assert_eq!(check(&database).unwrap().faults, []);
}

/// A killed process leaves its file open; the check mends that in memory only.
#[test]
fn a_store_of_a_killed_process_is_read_without_touching_it() {
    let dir = tempfile::tempdir().unwrap();
    let database = used(dir.path());
    let spool = open(&dir.path().join("s"));
    let copy = dir.path().join("copy.redb");
    std::fs::copy(&database, &copy).unwrap();
    drop(spool);
    assert_eq!(faults(&copy), [] as [&str; 0]);
}

#[test]
fn each_planted_fault_is_named() {
    type Plant = (&'static str, fn(&WriteTransaction));
    let plants: [Plant; 22] = [
        ("belongs to action", |txn| {
            txn.open_table(schema::GROUPS).unwrap().retain(|_, _| false).unwrap();
        }),
        ("how action 77 is published cannot be read", |txn| {
            let mut table = txn.open_table(together::TOGETHER).unwrap();
            table.insert((0, 77), (9, 9, "x")).unwrap();
        }),
        ("a place at the broker is kept for message 5", |txn| {
            txn.open_table(together::HANDLES)
                .unwrap()
                .insert((0, 7, 5), "h")
                .unwrap();
        }),
        ("action 9999 is for target 0", |txn| {
            txn.open_table(schema::GROUPS)
                .unwrap()
                .insert((0, 9999), (true, 1, "x"))
                .unwrap();
        }),
        ("an idempotency key is kept for message 9999", |txn| {
            txn.open_table(seen::SEEN)
                .unwrap()
                .insert((0, b"k".as_slice()), (1, 9999))
                .unwrap();
        }),
        ("scheduled message 3 is for target 9", |txn| {
            let body: schema::Body<'_> = (-1, 0, 0, 0, "p", "", None, None, Vec::new(), None, 0);
            txn.open_table(schema::SCHEDULED)
                .unwrap()
                .insert((1, 9, 3), body)
                .unwrap();
        }),
        ("asks for its lane in way -4", |txn| {
            let body: schema::Body<'_> = (-4, 0, 0, 0, "p", "", None, None, Vec::new(), None, 0);
            txn.open_table(schema::SCHEDULED)
                .unwrap()
                .insert((1, 0, 3), body)
                .unwrap();
        }),
        ("the sheet of messages 0 to 11 is missing or damaged", |txn| {
            txn.open_table(schema::SHEETS).unwrap().remove((0, 0)).unwrap();
        }),
        ("the sheet of messages 0 to 11 is missing or damaged", |txn| {
            let mut sheets = txn.open_table(schema::SHEETS).unwrap();
            let mut bytes = sheets.get((0, 0)).unwrap().unwrap().value().to_vec();
            bytes.pop();
            sheets.insert((0, 0), bytes.as_slice()).unwrap();
        }),
        ("fit neither it nor the next", |txn| {
            let mut marks = txn.open_table(schema::MARKS).unwrap();
            marks.insert((0, 0), (12, false, &[255, 255][..])).unwrap();
        }),
        ("the sheet that begins with message 0 has no marks", |txn| {
            txn.open_table(schema::MARKS).unwrap().remove((0, 0)).unwrap();
        }),
        ("is both confirmed and pending", |txn| {
            let mut table = txn.open_table(schema::CONFIRMED).unwrap();
            let producer = {
                let lanes = txn.open_table(schema::LANES).unwrap();
                let row = redb::ReadableTable::first(&lanes).unwrap().unwrap();
                row.0.value().0.to_owned()
            };
            table.insert((producer.as_str(), "orders/0", 6), (7, -1, 0)).unwrap();
        }),
        ("is given, and 3 is the next", |txn| {
            let mut lanes = txn.open_table(schema::LANES).unwrap();
            let producer = redb::ReadableTable::first(&lanes)
                .unwrap()
                .unwrap()
                .0
                .value()
                .0
                .to_owned();
            lanes.insert((producer.as_str(), "orders/0"), (3, "")).unwrap();
        }),
        ("is no list of numbers", |txn| {
            let mut lanes = txn.open_table(schema::LANES).unwrap();
            lanes.insert(("p", "orders/9"), (3, "2,x")).unwrap();
        }),
        ("is both pending and void", |txn| {
            let mut lanes = txn.open_table(schema::LANES).unwrap();
            let producer = redb::ReadableTable::first(&lanes)
                .unwrap()
                .unwrap()
                .0
                .value()
                .0
                .to_owned();
            lanes.insert((producer.as_str(), "orders/0"), (99, "7")).unwrap();
        }),
        ("which is not there", |txn| {
            txn.open_table(schema::TARGETS).unwrap().remove(0).unwrap();
        }),
        ("is not below the next local number 2", |txn| {
            txn.open_table(schema::META).unwrap().insert("next_id", "2").unwrap();
        }),
        ("attempts are kept for message 50", |txn| {
            txn.open_table(schema::RETRIES)
                .unwrap()
                .insert((0, 50), (1, 0, false, "x"))
                .unwrap();
        }),
        ("lines in 5 bytes", |txn| {
            let mut inputs = txn.open_table(schema::INPUTS).unwrap();
            inputs.insert((0, &b"/in"[..]), (5, 9, 5, &[0; 32][..])).unwrap();
        }),
        ("is not in the index", |txn| {
            txn.delete_table(schema::AWAITED).unwrap();
            txn.open_table(schema::AWAITED).unwrap();
        }),
        ("was never acknowledged", |txn| {
            txn.delete_table(schema::CONFIRMED).unwrap();
            txn.open_table(schema::CONFIRMED).unwrap();
        }),
        ("confirmed run 9 to 4", |txn| {
            txn.open_table(schema::CONFIRMED)
                .unwrap()
                .insert(("p", "l", 9), (4, 0, 0))
                .unwrap();
        }),
    ];
    for (expected, change) in plants {
        let dir = tempfile::tempdir().unwrap();
        let database = used(dir.path());
        plant(&database, change);
        let found = faults(&database);
        assert!(
            found.iter().any(|fault| fault.contains(expected)),
            "{expected:?} is not among {found:?}"
        );
    }
}

#[test]
fn damaged_bytes_are_a_fault_or_unreadable_and_never_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let database = used(dir.path());
    let bytes = std::fs::read(&database).unwrap();
    // The text of a failure lies in pages that are no longer used too, where a change is no damage.
    let texts = bytes.windows(9).enumerate().filter(|(_, w)| *w == b"too large");
    let texts: Vec<usize> = texts.map(|(at, _)| at).collect();
    let file = std::fs::OpenOptions::new().write(true).open(&database).unwrap();
    for at in [&[0][..], &texts] {
        for at in at {
            file.write_all_at(&[!bytes[*at]], *at as u64).unwrap();
        }
        let checked = check(&database);
        assert!(
            checked.is_err() || checked.is_ok_and(|c| !c.faults.is_empty()),
            "{at:?}"
        );
        file.write_all_at(&bytes, 0).unwrap();
    }
    assert_eq!(check(&database).unwrap().faults, []);
    file.set_len(5000).unwrap();
    assert!(check(&database).is_err());
}

#[test]
fn a_repair_leaves_a_copy_of_what_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let database = used(dir.path());
    let before = std::fs::read(&database).unwrap();
    let copy = copy_aside(&database).unwrap();
    assert!(std::fs::read(&copy).unwrap() == before);
    assert!(!repair(&database).unwrap(), "there was nothing to mend");
    assert_eq!(check(&database).unwrap().faults, []);
}
