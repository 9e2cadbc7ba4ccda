use super::write::{Message, Plan};
use super::*;
use proptest::prelude::*;

const CEILING: usize = 1 << 20;

fn plan(codec: i16, messages: Vec<Message>) -> Plan {
    Plan {
        base_offset: 1000,
        last_offset_delta: messages.last().map_or(0, |m| m.offset_delta),
        leader_epoch: 3,
        attributes: codec,
        base_ms: 50_000,
        max_ms: 50_000 + messages.iter().map(|m| m.ms_delta).max().unwrap_or(0),
        producer: (7, 1, 20),
        messages,
    }
}

/// All that a set of batches holds, as a test compares it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    offset: i64,
    timestamp_ms: Option<i64>,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

pub(super) fn all(bytes: &[u8], space: &mut Space) -> Result<Vec<Found>, Fault> {
    let mut found = Vec::new();
    for frame in Frames::new(bytes) {
        let frame = frame?;
        let batch = frame.open(space)?;
        if batch.is_control {
            continue;
        }
        let mut fault = None;
        batch.each(|entry| {
            match entry.headers() {
                Ok(headers) => found.push(Found {
                    offset: entry.offset,
                    timestamp_ms: entry.timestamp_ms,
                    key: entry.key.map(<[u8]>::to_vec),
                    value: entry.value.map(<[u8]>::to_vec),
                    headers: headers
                        .iter()
                        .map(|(n, v)| (n.to_vec(), v.map(<[u8]>::to_vec)))
                        .collect(),
                }),
                Err(why) => fault = Some(why),
            }
            ControlFlow::Continue(())
        })?;
        if let Some(fault) = fault {
            return Err(fault);
        }
    }
    Ok(found)
}

fn expected(plan: &Plan) -> Vec<Found> {
    let found = |m: &Message| Found {
        offset: plan.base_offset + i64::from(m.offset_delta),
        timestamp_ms: Some(plan.base_ms + m.ms_delta),
        key: m.key.clone(),
        value: m.value.clone(),
        headers: m.headers.clone(),
    };
    plan.messages.iter().map(found).collect()
}

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..most),
        // Something that compresses.
        (any::<u8>(), 0..most).prop_map(|(byte, count)| vec![byte; count]),
    ]
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    let header = (bytes(20), prop::option::of(bytes(40)));
    let one = (
        1i32..4,
        -5i64..500_000,
        prop::option::of(bytes(30)),
        prop::option::of(bytes(600)),
        prop::collection::vec(header, 0..3),
    );
    prop::collection::vec(one, 1..40).prop_map(|all| {
        let mut at = -1;
        let message = |(step, ms_delta, key, value, headers)| {
            at += step;
            Message {
                offset_delta: at,
                ms_delta,
                key,
                value,
                headers,
            }
        };
        all.into_iter().map(message).collect()
    })
}

/// More than one block of every codec, with matches that reach from one into the other.
fn long_messages() -> Vec<Message> {
    let value = |i: i32| format!("{{\"order\":{i},\"note\":\"the same words again and again\"}}").repeat(30);
    (0..200)
        .map(|i| Message {
            offset_delta: i,
            ms_delta: i.into(),
            key: Some(i.to_string().into_bytes()),
            value: Some(value(i).into_bytes()),
            headers: Vec::new(),
        })
        .collect()
}

#[test]
fn long_batches_of_every_codec() {
    let mut space = Space::new(CEILING);
    for codec in 0..5 {
        let plan = plan(codec, long_messages());
        assert_eq!(
            all(&plan.bytes(), &mut space).unwrap(),
            expected(&plan),
            "codec {codec}"
        );
    }
}

#[test]
fn what_a_header_says() {
    let mut plan = plan(0x10, long_messages());
    plan.last_offset_delta = 300;
    let bytes = plan.bytes();
    let frame = Frames::new(&bytes).next().unwrap().unwrap();
    assert_eq!(frame.last_offset(), Some(1300));
    assert_eq!((frame.leader_epoch(), frame.max_timestamp_ms()), (3, Some(50_199)));
    let mut space = Space::new(CEILING);
    let header = frame.open(&mut space).unwrap().header;
    let expected = BatchHeader {
        base_offset: 1000,
        last_offset: 1300,
        leader_epoch: 3,
        producer_id: 7,
        producer_epoch: 1,
        base_sequence: 20,
        control: None,
        transactional: true,
        max_timestamp_ms: 50_199,
        count: 200,
    };
    assert_eq!(header, expected);
}

#[test]
fn the_time_of_the_append_counts_for_each() {
    let plan = plan(0x08, long_messages());
    let found = all(&plan.bytes(), &mut Space::new(CEILING)).unwrap();
    assert!(found.iter().all(|f| f.timestamp_ms == Some(plan.max_ms)));
}

#[test]
fn marks_are_told_apart() {
    for (key, expected) in [
        (vec![0, 0, 0, 0], Control::Abort),
        (vec![0, 0, 0, 1], Control::Commit),
        (vec![0, 0, 0, 2], Control::Other(2)),
    ] {
        let mark = Message {
            key: Some(key),
            ..Message::default()
        };
        let bytes = plan(0x30, vec![mark]).bytes();
        let mut space = Space::new(CEILING);
        let batch = Frames::new(&bytes).next().unwrap().unwrap().open(&mut space).unwrap();
        assert!(batch.is_control);
        assert_eq!(batch.header.control, Some(expected));
    }
    let nothing = plan(0x30, vec![Message::default()]).bytes();
    let frame = Frames::new(&nothing).next().unwrap().unwrap();
    assert!(frame.open(&mut Space::new(CEILING)).is_err());
}

#[test]
fn a_batch_that_compaction_emptied() {
    let mut empty = plan(4, Vec::new());
    empty.last_offset_delta = 9;
    let bytes = empty.bytes();
    // Whatever the codec makes of nothing.
    assert_eq!(all(&bytes, &mut Space::new(CEILING)), Ok(Vec::new()));
    let header_only = {
        let mut cut = bytes[..HEADER].to_vec();
        cut[8..12].copy_from_slice(&((HEADER - PREFIX) as i32).to_be_bytes());
        let sum = crc32c::crc32c(&cut[CHECKED_AT..]);
        cut[17..21].copy_from_slice(&sum.to_be_bytes());
        cut
    };
    assert_eq!(all(&header_only, &mut Space::new(CEILING)), Ok(Vec::new()));
    let frame = Frames::new(&header_only).next().unwrap().unwrap();
    assert_eq!(frame.last_offset(), Some(1009));
}

#[test]
fn a_batch_that_is_cut_off_is_left_out() {
    let one = plan(0, long_messages()).bytes();
    let mut two = [one.clone(), one.clone()].concat();
    two.truncate(two.len() - 1);
    let mut frames = Frames::new(&two);
    assert_eq!(frames.by_ref().filter(Result::is_ok).count(), 1);
    assert_eq!(frames.cut_off_bytes(), Some(one.len()));
    assert_eq!(Frames::new(&two[..11]).cut_off_bytes(), None);
}

#[test]
fn no_codec_goes_beyond_the_ceiling() {
    for codec in 1..5 {
        let mut space = Space::new(CEILING);
        let bytes = bomb(codec);
        assert_eq!(all(&bytes, &mut space), Err(Fault::TooLarge(CEILING)), "codec {codec}");
        assert!(space.bytes.capacity() <= CEILING);
    }
}

/// The checksum made right again, so that what is behind it is reached.
fn resealed(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.len() >= HEADER && bytes[MAGIC_AT] == 2 {
        let sum = crc32c::crc32c(&bytes[CHECKED_AT..]);
        bytes[17..21].copy_from_slice(&sum.to_be_bytes());
    } else if bytes.len() > MAGIC_AT {
        let sum = crc32fast::hash(&bytes[MAGIC_AT..]);
        bytes[12..16].copy_from_slice(&sum.to_be_bytes());
    }
    bytes
}

/// Takes everything apart and keeps nothing.
fn walked(bytes: &[u8], space: &mut Space) -> Result<(), Fault> {
    for frame in Frames::new(bytes) {
        let mut fault = None;
        frame?.open(space)?.each(|entry| {
            fault = fault
                .take()
                .or(entry.headers().map(|headers| headers.iter().count()).err());
            ControlFlow::Continue(())
        })?;
        if let Some(fault) = fault {
            return Err(fault);
        }
    }
    Ok(())
}

/// Bytes that one decoder may hold at once: what it expands to, the same while it grows, and what a codec keeps for itself.
const MOST: u64 = 2 * CEILING as u64 + (256 << 10);

/// What was wrong with the memory that these bytes took, all that Rust allocates counted (and zstd writes only where it is told).
fn greed(bytes: &[u8], mut space: Space) -> Option<String> {
    let taken = allocation_counter::measure(|| {
        let _ = walked(bytes, &mut space);
    });
    let (most, kept) = (taken.bytes_max, space.bytes.capacity());
    (most > MOST || kept > CEILING).then(|| format!("{most} bytes at once, {kept} kept"))
}

/// What would be said of any bytes at all is judged here too: nothing panics, and the memory stays below its ceiling.
fn judged(bytes: &[u8]) {
    assert_eq!(greed(bytes, Space::new(CEILING)), None);
    let _ = all(bytes, &mut Space::new(CEILING));
    for frame in Frames::new(bytes).flatten() {
        let _ = (frame.last_offset(), frame.leader_epoch(), frame.max_timestamp_ms());
    }
    let _ = Frames::new(bytes).cut_off_bytes();
}

/// Five megabytes of nothing, in a few kilobytes.
fn bomb(codec: i16) -> Vec<u8> {
    let zeros = Message {
        value: Some(vec![0; 5 << 20]),
        ..Message::default()
    };
    plan(codec, vec![zeros]).bytes()
}

/// The judge of the memory must see a decoder that does not keep its ceiling.
#[test]
fn canary_a_decoder_without_a_ceiling_is_found() {
    for codec in 1..5 {
        let bytes = bomb(codec);
        assert_eq!(greed(&bytes, Space::new(CEILING)), None, "codec {codec}");
        let found = greed(&bytes, Space::new(usize::MAX >> 1));
        assert!(found.is_some(), "codec {codec}");
    }
    // Also one that gives back what it took too much of.
    let taken = allocation_counter::measure(|| drop(vec![0u8; 5 << 20]));
    assert!(taken.bytes_max > MOST, "{}", taken.bytes_max);
}

proptest! {
    #[test]
    fn what_was_written_is_read(codec in 0i16..5, messages in messages()) {
        let plan = plan(codec, messages);
        prop_assert_eq!(all(&plan.bytes(), &mut Space::new(CEILING)).unwrap(), expected(&plan));
    }

    #[test]
    fn arbitrary_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        judged(&bytes);
    }

    #[test]
    fn arbitrary_bytes_of_every_format_and_codec_are_judged(magic in 0u8..4, codec in 0u8..8, bytes in prop::collection::vec(any::<u8>(), 70..400)) {
        let mut bytes = bytes;
        let length = (bytes.len() - PREFIX) as i32;
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        bytes[MAGIC_AT] = magic;
        let at = if magic == 2 { 22 } else { 17 };
        bytes[at] = (bytes[at] & 0xf8) | codec;
        if magic == 2 {
            // Few enough messages that the count is believed.
            bytes[57..60].fill(0);
        } else {
            // No key, and all that is left as the value.
            let key = if magic == 0 { 18 } else { 26 };
            bytes[key..key + 4].fill(0xff);
            let left = (bytes.len() - key - 8) as i32;
            bytes[key + 4..key + 8].copy_from_slice(&left.to_be_bytes());
        }
        judged(&resealed(bytes));
    }

    #[test]
    fn mutated_batches_are_judged(codec in 0i16..5, messages in messages(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut in any::<prop::sample::Index>()) {
        let mut bytes = plan(codec, messages).bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        judged(&bytes);
        judged(&resealed(bytes.clone()));
        bytes.truncate(cut.index(bytes.len()));
        judged(&bytes);
    }

    #[test]
    fn one_changed_byte_of_the_checked_part_is_noticed(codec in 0i16..5, messages in messages(), at in any::<prop::sample::Index>(), flip in 1u8..) {
        let mut bytes = plan(codec, messages).bytes();
        let at = CHECKED_AT + at.index(bytes.len() - CHECKED_AT);
        bytes[at] ^= flip;
        prop_assert_eq!(all(&bytes, &mut Space::new(CEILING)), Err(Fault::Checksum));
    }
}

/// What `tests/fixtures/batches/Write.java` says that Kafka's own code wrote.
fn of_java(magic: u8, append: bool) -> Vec<Found> {
    let found = |n: u8| Found {
        offset: 100 + i64::from(n),
        timestamp_ms: match (magic, append) {
            (0, _) => None,
            (_, true) => Some(1_700_000_000_000),
            (_, false) => Some(1_600_000_000_000 + 10 * i64::from(n) - if n.is_multiple_of(3) { 500 } else { 0 }),
        },
        key: match n {
            n if n.is_multiple_of(5) => None,
            n if n % 7 == 1 => Some(Vec::new()),
            n => Some(vec![b'k', 0xff, n]),
        },
        value: (n % 6 != 5).then(|| format!("value {n} ").repeat(n.into()).into_bytes()),
        headers: (0..if magic < 2 { 0 } else { n % 3 })
            .map(|i| {
                (
                    format!("h{i}").into_bytes(),
                    (i != 1).then(|| format!("v{n}").into_bytes()),
                )
            })
            .collect(),
    };
    (0..20).map(found).collect()
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!(
        "{}/tests/fixtures/batches/{name}.bin",
        env!("CARGO_MANIFEST_DIR")
    ))
    .unwrap()
}

#[test]
fn what_kafka_wrote_in_every_format() {
    let codecs = ["none", "gzip", "snappy", "lz4", "append", "zstd"];
    for (magic, codecs) in [(0, &codecs[..4]), (1, &codecs[..5]), (2, &codecs[..])] {
        for codec in codecs {
            let bytes = fixture(&format!("v{magic}-{codec}"));
            let found = all(&bytes, &mut Space::new(CEILING)).unwrap();
            assert_eq!(found, of_java(magic, *codec == "append"), "format {magic}, {codec}");
            let mut last = Frames::new(&bytes).last().unwrap().unwrap();
            assert_eq!(last.last_offset(), Some(119));
            // Where a batch of an old format begins is known only when it is open.
            let mut space = Space::new(CEILING);
            let header = last.open(&mut space).unwrap().header;
            let first = if magic < 2 && *codec == "none" { 119 } else { 110 };
            assert_eq!(
                (header.base_offset, header.last_offset),
                (first, 119),
                "format {magic}, {codec}"
            );
            last.base_offset = -1;
            assert_eq!(last.last_offset(), None);
        }
    }
}

#[test]
fn transactions_that_kafka_wrote() {
    let bytes = fixture("v2-transactions");
    let mut space = Space::new(CEILING);
    let headers: Vec<BatchHeader> = Frames::new(&bytes)
        .map(|frame| frame.unwrap().open(&mut space).unwrap().header)
        .collect();
    let seen: Vec<_> = headers
        .iter()
        .map(|h| (h.base_offset, h.last_offset, h.base_sequence, h.control))
        .collect();
    let expected = [
        (100, 102, 0, None),
        (103, 103, -1, Some(Control::Abort)),
        (104, 106, 3, None),
        (107, 107, -1, Some(Control::Commit)),
    ];
    assert_eq!(seen, expected);
    let all_of_one =
        |h: &BatchHeader| (h.producer_id, h.producer_epoch, h.leader_epoch, h.transactional) == (9, 2, 4, true);
    assert!(headers.iter().all(all_of_one));
}

#[test]
fn changed_bytes_of_what_kafka_wrote_are_judged() {
    for name in [
        "v0-none",
        "v0-lz4",
        "v1-gzip",
        "v1-snappy",
        "v1-lz4",
        "v2-snappy",
        "v2-zstd",
    ] {
        let bytes = fixture(name);
        for at in 0..bytes.len().min(400) {
            for flip in [1, 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[at] ^= flip;
                judged(&changed);
                judged(&resealed(changed));
            }
        }
    }
}
