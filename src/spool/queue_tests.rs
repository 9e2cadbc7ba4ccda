//! The queue does what a plain map would do.

use super::queue::{Queue, QueueReader};
use super::schema::{self, Body};
use proptest::prelude::*;
use redb::{Database, ReadableDatabase};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// One step in one transaction.
#[derive(Debug, Clone)]
enum Step {
    /// Accept so many messages together, after a gap.
    Accept(u32, u64, usize),
    /// Take out every so-many-th of what waits, and keep some as rows of their own.
    End(usize, bool),
    /// Write a message anew, whether it waits or not.
    Insert(u32, u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..3_u32, 0..3_u64, 1..20_usize).prop_map(|(target, gap, count)| Step::Accept(target, gap, count)),
        (1..5_usize, any::<bool>()).prop_map(|(every, keep)| Step::End(every, keep)),
        (0..3_u32, 0..60_u64).prop_map(|(target, id)| Step::Insert(target, id)),
    ]
}

fn body(line: u64) -> Body<'static> {
    (
        1,
        2,
        3,
        line,
        "p",
        "",
        Some(b"key"),
        None,
        vec![("h", Some(&b"x"[..]))],
        None,
        0,
    )
}

/// What is read of a range, at most so many: each with its line.
fn read(queue: &QueueReader, from: (u32, u64), to: (u32, u64), most: usize) -> Vec<((u32, u64), u64)> {
    let mut found = Vec::new();
    let _ = queue
        .visit(from..=to, |at, body| {
            found.push((at, body.3));
            Ok(match found.len() < most {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            })
        })
        .unwrap();
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn as_a_map_does_it(steps in prop::collection::vec(step(), 1..15), from in 0..40_u64) {
        let db = Database::builder().create_with_backend(redb::backends::InMemoryBackend::new()).unwrap();
        let txn = db.begin_write().unwrap();
        Queue::open(&txn).unwrap().store().unwrap();
        txn.commit().unwrap();
        let (mut model, mut next, mut line) = (BTreeMap::new(), 0, 0);
        for step in steps {
            let txn = db.begin_write().unwrap();
            let mut queue = Queue::open(&txn).unwrap();
            match step {
                Step::Accept(target, gap, count) => {
                    next += gap;
                    let bodies: Vec<Body<'_>> = (0..count as u64).map(|n| body(line + n)).collect();
                    queue.accept(target, next, &bodies).unwrap();
                    model.extend((0..count as u64).map(|n| ((target, next + n), line + n)));
                    (next, line) = (next + count as u64, line + count as u64);
                }
                Step::End(every, keep) => {
                    let some: Vec<(u32, u64)> = model.keys().copied().step_by(every).collect();
                    for at in some {
                        let spot = queue.find(at).unwrap().expect("it waits");
                        let told = queue.read(spot, |body| Ok(body.3)).unwrap();
                        prop_assert_eq!(model.remove(&at), Some(told));
                        queue.remove(spot).unwrap();
                        prop_assert!(queue.find(at).unwrap().is_none());
                        if keep {
                            queue.insert(at, &body(told)).unwrap();
                            model.insert(at, told);
                        }
                    }
                }
                Step::Insert(target, id) => {
                    // Numbers are given once, so a message is only written anew below the next.
                    if id < next {
                        queue.insert((target, id), &body(line)).unwrap();
                        model.insert((target, id), line);
                        line += 1;
                    }
                }
            }
            queue.store().unwrap();
            txn.commit().unwrap();
            let txn = db.begin_read().unwrap();
            let queue = QueueReader::open(&txn).unwrap();
            prop_assert_eq!(queue.faults().unwrap(), Vec::<String>::new());
            prop_assert_eq!(queue.len().unwrap(), model.len() as u64);
            let all: Vec<_> = model.iter().map(|(at, line)| (*at, *line)).collect();
            prop_assert_eq!(&read(&queue, (0, 0), (u32::MAX, u64::MAX), usize::MAX), &all);
            for target in 0..3 {
                let (first, last) = ((target, from), (target, from + 20));
                let some: Vec<_> = model.range(first..=last).map(|(at, line)| (*at, *line)).take(7).collect();
                prop_assert_eq!(read(&queue, first, last, 7), some);
                for id in 0..next + 2 {
                    prop_assert_eq!(queue.holds((target, id)).unwrap(), model.contains_key(&(target, id)));
                }
            }
            // What has ended takes no room.
            if model.is_empty() {
                let sheets = txn.open_table(schema::SHEETS).unwrap();
                prop_assert_eq!(redb::ReadableTableMetadata::len(&sheets).unwrap(), 0);
            }
        }
    }
}
