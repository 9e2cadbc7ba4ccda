use super::*;

pub(super) fn message<'a>(place: Place, value: &'a [u8]) -> NewMessage<'a> {
    NewMessage {
        line: 1,
        place,
        key: Some(b"k"),
        value: Some(value),
        headers: &[("h", Some(b"v")), ("n", None)],
        tag: None,
    }
}

pub(super) fn open(path: &Path) -> Spool {
    Spool::open(StoreDir::lock(path).unwrap()).unwrap()
}

pub(super) fn settled(target: &Target, a: &Accepted, verdict: Verdict) -> Settled {
    Settled {
        id: a.id,
        producer: target.producer.as_str().into(),
        partition: 0,
        seq: a.seq,
        attempts: 1,
        verdict,
    }
}

pub(super) fn accept(spool: &mut Spool, target: &Target, n: usize) -> Vec<Accepted> {
    let new = vec![message(Place::Now(0), b"x"); n];
    spool
        .commit(
            target,
            &Change {
                accept: &new,
                now_ms: 7,
                ..Change::default()
            },
        )
        .unwrap()
}

pub(super) fn settle(spool: &mut Spool, target: &Target, settle: &[Settled]) {
    spool
        .commit(
            target,
            &Change {
                settle,
                now_ms: 8,
                ..Change::default()
            },
        )
        .unwrap();
}

#[test]
fn what_was_accepted_is_there_after_reopening_until_it_is_confirmed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let (id, target) = {
        let mut spool = open(&path);
        let target = spool.target("kafka://a:1", "orders").unwrap();
        let got = accept(&mut spool, &target, 3);
        assert_eq!(
            got.iter().map(|a| (a.id, a.seq)).collect::<Vec<_>>(),
            [(0, 1), (1, 2), (2, 3)]
        );
        (spool.id.clone(), target)
    };
    let mut spool = open(&path);
    assert_eq!(spool.id, id);
    assert_eq!(spool.target("kafka://a:1", "orders").unwrap(), target);
    let pending = spool.pending(&target, 0, 100, 1000).unwrap();
    assert_eq!(pending.len(), 3);
    assert_eq!(
        pending[1].headers,
        [("h".to_owned(), Some(b"v".to_vec())), ("n".to_owned(), None)]
    );
    assert_eq!(
        (pending[1].seq, pending[1].partition, pending[1].accepted_ms),
        (2, Some(0), 7)
    );
    let done: Vec<_> = [1, 2]
        .map(|seq| {
            settled(
                &target,
                &Accepted {
                    id: seq - 1,
                    seq,
                    voids: String::new(),
                },
                Verdict::Confirmed(Some(5)),
            )
        })
        .into();
    settle(&mut spool, &target, &done);
    let waiting = spool.waiting(&target).unwrap();
    assert_eq!(
        (waiting.count, waiting.first, waiting.last_without_lane),
        (1, Some(2), None)
    );
    assert_eq!(spool.stats().unwrap().confirmed, 2);
    // A number is never given twice, also when everything was confirmed in between.
    assert_eq!(
        accept(&mut spool, &target, 1)[0],
        Accepted {
            id: 3,
            seq: 4,
            voids: String::new()
        }
    );
}

#[test]
fn a_number_refused_for_good_is_carried_by_the_next_message_of_its_lane() {
    let mut spool = Spool::in_memory().unwrap();
    let target = spool.target("kafka://a:1", "orders").unwrap();
    let got = accept(&mut spool, &target, 4);
    let failed: Vec<_> = got[1..3]
        .iter()
        .map(|a| settled(&target, a, Verdict::Failed("too large".into())))
        .collect();
    settle(&mut spool, &target, &failed);
    assert_eq!(spool.stats().unwrap().failed, 2);
    let next = &accept(&mut spool, &target, 2);
    assert_eq!((next[0].voids.as_str(), next[1].voids.as_str()), ("2-3", ""));
    // When the carrier is refused too, nobody has read what it carried.
    settle(
        &mut spool,
        &target,
        &[settled(&target, &next[0], Verdict::Failed("too large".into()))],
    );
    assert_eq!(accept(&mut spool, &target, 1)[0].voids, "2-3,5");
}

#[test]
fn messages_accepted_without_a_lane_get_one_later() {
    let mut spool = Spool::in_memory().unwrap();
    let target = spool.target("kafka://a:1", "orders").unwrap();
    let new = [message(Place::Later(None), b"a"), message(Place::Later(Some(2)), b"b")];
    let got = spool
        .commit(
            &target,
            &Change {
                accept: &new,
                ..Change::default()
            },
        )
        .unwrap();
    assert!(got.iter().all(|a| a.seq == 0));
    assert_eq!(spool.waiting(&target).unwrap().last_without_lane, Some(1));
    // What the user asked for is kept until then.
    let wishes: Vec<_> = spool
        .pending(&target, 0, 9, 999)
        .unwrap()
        .iter()
        .map(|p| (p.partition, p.wish))
        .collect();
    assert_eq!(wishes, [(None, None), (None, Some(2))]);
    let placed = spool
        .commit(
            &target,
            &Change {
                place: &[(0, 2), (1, 2)],
                ..Change::default()
            },
        )
        .unwrap();
    assert_eq!(placed.iter().map(|a| a.seq).collect::<Vec<_>>(), [1, 2]);
    let pending = spool.pending(&target, 0, 9, 999).unwrap();
    assert_eq!(
        (pending[1].partition, pending[1].seq, pending[1].value.as_deref()),
        (Some(2), 2, Some(&b"b"[..]))
    );
}

#[test]
fn confirmed_numbers_are_kept_as_runs_in_any_order_of_arrival() {
    let mut spool = Spool::in_memory().unwrap();
    let target = spool.target("kafka://a:1", "orders").unwrap();
    let got = accept(&mut spool, &target, 100);
    for i in [0, 2, 1, 99, 50, 51, 49] {
        settle(
            &mut spool,
            &target,
            &[settled(&target, &got[i], Verdict::Confirmed(Some(i as i64)))],
        );
    }
    let runs = {
        let txn = spool.db().unwrap().begin_read().unwrap();
        let table = txn.open_table(schema::CONFIRMED).unwrap();
        redb::ReadableTable::iter(&table)
            .unwrap()
            .map(|r| r.map(|(k, v)| (k.value().2, v.value().0, v.value().1)).unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(runs, [(1, 3, 0), (50, 52, 49), (100, 100, 99)]);
    assert_eq!(spool.stats().unwrap().confirmed, 7);
}

#[test]
fn a_copy_signs_with_another_name_and_keeps_what_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("a"), dir.path().join("b"));
    let target = {
        let mut spool = open(&first);
        let target = spool.target("kafka://a:1", "orders").unwrap();
        accept(&mut spool, &target, 2);
        target
    };
    std::fs::create_dir(&second).unwrap();
    std::fs::copy(first.join("spool.redb"), second.join("spool.redb")).unwrap();
    let mut copy = open(&second);
    let again = copy.target("kafka://a:1", "orders").unwrap();
    assert_ne!(again.producer, target.producer);
    assert_eq!(again.no, target.no);
    assert!(
        copy.pending(&again, 0, 9, 99)
            .unwrap()
            .iter()
            .all(|p| p.producer == target.producer)
    );
    assert_eq!(
        accept(&mut copy, &again, 1)[0],
        Accepted {
            id: 2,
            seq: 1,
            voids: String::new()
        }
    );
    drop(copy);
    // The original is still itself.
    assert_eq!(
        open(&first).target("kafka://a:1", "orders").unwrap().producer,
        target.producer
    );
}

#[test]
fn two_clusters_with_one_topic_name_are_numbered_apart() {
    let mut spool = Spool::in_memory().unwrap();
    let a = spool.target("kafka://a:1", "orders").unwrap();
    let b = spool.target("kafka://b:1", "orders").unwrap();
    assert_ne!(a.producer, b.producer);
    accept(&mut spool, &a, 2);
    assert_eq!(accept(&mut spool, &b, 1)[0].seq, 1);
}

#[test]
fn a_second_process_is_told_who_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let held = StoreDir::lock(&path).unwrap();
    let refused = StoreDir::lock(&path).unwrap_err();
    assert!(
        matches!(&refused, SpoolError::InUse { owner, .. } if owner.contains(&std::process::id().to_string())),
        "{refused}"
    );
    drop(held);
    assert!(StoreDir::lock(&path).is_ok());
    let root = SpoolRoot::new(dir.path().join("root"));
    let (first, second) = (root.lock_any().unwrap(), root.lock_any().unwrap());
    assert_ne!(first.path(), second.path());
    let freed = first.path().to_owned();
    drop(first);
    assert_eq!(root.lock_any().unwrap().path(), freed);
}

#[test]
fn files_are_private_and_a_directory_open_to_others_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/er/s");
    drop(open(&path));
    let mode = |p: &Path| std::fs::metadata(p).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode(&path), mode(&path.join("spool.redb")), mode(&path.join("lock"))),
        (0o700, 0o600, 0o600)
    );
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
    assert!(StoreDir::lock(&path).is_err());
}

#[test]
fn another_format_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let spool = open(&path);
    let txn = spool.db().unwrap().begin_write().unwrap();
    txn.open_table(schema::META).unwrap().insert("format", "99").unwrap();
    txn.commit().unwrap();
    drop(spool);
    let refused = Spool::open(StoreDir::lock(&path).unwrap()).err().unwrap();
    assert!(
        matches!(&refused, SpoolError::Format { found, .. } if found == "99"),
        "{refused}"
    );
}

#[test]
fn rubbish_in_place_of_the_database_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    std::fs::create_dir(&path).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::write(path.join("spool.redb"), vec![7u8; 10_000]).unwrap();
    assert!(Spool::open(StoreDir::lock(&path).unwrap()).is_err());
    assert_eq!(std::fs::read(path.join("spool.redb")).unwrap(), vec![7u8; 10_000]);
}

/// A transaction's messages have numbers and are not offered; its end is that of all of them.
#[test]
fn what_belongs_together_ends_together() {
    let mut spool = Spool::in_memory().unwrap();
    let target = spool.target("kafka://a:1", "orders").unwrap();
    let group = |spool: &mut Spool| {
        let no = spool.begin_group(&target, "--transaction", 1).unwrap();
        spool
            .publish_together(&target, no, Way::Transaction, "mqsafe-p")
            .unwrap();
        let new = [message(Place::Later(None), b"t"); 3];
        let change = Change {
            accept: &new,
            hold: Some(no),
            ..Change::default()
        };
        spool.commit(&target, &change).unwrap();
        let ids: Vec<u64> = spool
            .group_messages(&target, no)
            .unwrap()
            .iter()
            .map(|(id, _)| *id)
            .collect();
        let wanted: Vec<(u64, i32)> = ids.iter().map(|id| (*id, 0)).collect();
        let got = spool.place_group(&target, no, &wanted).unwrap();
        assert_eq!(
            spool.place_group(&target, no, &wanted).unwrap(),
            [],
            "a number is given once"
        );
        spool.advance(&target, no, Phase::Decided, &[]).unwrap();
        assert_eq!(spool.waiting(&target).unwrap().count, 0);
        (no, got)
    };
    let (first, got) = group(&mut spool);
    assert_eq!(got.iter().map(|a| a.seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(spool.to_publish(&target).unwrap().len(), 1);
    // Rolled back before a commit was asked for: the numbers are void. After it they may be there.
    spool.decide(&target, first, Some("no"), 2).unwrap();
    let (second, got) = group(&mut spool);
    assert_eq!((got[0].seq, got[0].voids.as_str()), (4, "1-3"));
    spool.advance(&target, second, Phase::Committing, &[]).unwrap();
    spool.decide(&target, second, Some("given up"), 3).unwrap();
    let (third, got) = group(&mut spool);
    assert_eq!(
        (got[0].seq, got[0].voids.as_str()),
        (7, "1-3"),
        "what it carried is told again, and no more"
    );
    // Two are stored, one waits like others from now on.
    let ends: Vec<Settled> = got[..2]
        .iter()
        .map(|a| settled(&target, a, Verdict::Confirmed(None)))
        .collect();
    let change = Change {
        settle: &ends,
        ..Change::default()
    };
    spool.settle_group(&target, third, &change, &[got[2].id]).unwrap();
    assert_eq!(spool.undecided().unwrap(), []);
    assert_eq!(spool.waiting(&target).unwrap().count, 1);
    let stats = spool.stats().unwrap();
    assert_eq!(
        (stats.pending, stats.failed, stats.confirmed, stats.undecided),
        (1, 6, 2, 0)
    );
}
