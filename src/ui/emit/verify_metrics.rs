//! What `verify --follow` sees, as Prometheus reads it (OpenMetrics text).

use crate::verify::{LaneVerdict, Totals};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::sync::atomic::AtomicU64;

/// Lanes that get series of their own. A topic can hold as many senders as somebody cares to write; a monitor can not.
pub const MOST_LANES: usize = 1000;

/// One lane as it is told.
#[derive(Debug)]
pub struct LaneNow<'a> {
    /// What was read of it.
    pub lane: &'a LaneVerdict,
    /// Numbers that are missing, and not for long.
    pub late: u64,
    /// Numbers that are missing for longer than that.
    pub missing: u64,
    /// Messages a second since the last round.
    pub rate: f64,
}

/// What is told of one round.
#[derive(Debug)]
pub struct Now<'a> {
    /// The topic.
    pub topic: &'a str,
    /// Sums over all lanes.
    pub totals: &'a Totals,
    /// The lanes, those with trouble first.
    pub lanes: &'a [LaneNow<'a>],
    /// Numbers late in all lanes.
    pub late: u64,
    /// Numbers missing in all lanes.
    pub missing: u64,
    /// Messages a second since the last round.
    pub rate: f64,
    /// Whether the last round read everything that it was to read.
    pub is_complete: bool,
    /// When the last round ended, in milliseconds since the Unix epoch.
    pub at_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Topic {
    topic: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Lane {
    topic: String,
    producer: String,
    lane: String,
}

type Number = Gauge<f64, AtomicU64>;

/// The text of one round.
pub fn metrics(now: &Now<'_>) -> String {
    let mut registry = Registry::with_prefix("mqsafe_verify");
    let topic = Topic {
        topic: now.topic.to_owned(),
    };
    let Totals {
        read,
        stamped,
        gap,
        duplicate,
        reordered,
        moved,
        expired,
        void,
        corrupt,
        aborted_read,
        // These need the journal or a second look, which is for the verdict at the end.
        lost: _,
        unseen: _,
        unconfirmed_missing: _,
        recovered: _,
        aborted: _,
        single: _,
    } = *now.totals;
    for (name, help, value) in [
        ("records", "Messages read", read),
        ("stamped", "Messages read that carry a number", stamped),
        ("duplicates", "Messages whose number was read before", duplicate),
        (
            "reordered",
            "Messages read after a larger number of their lane",
            reordered,
        ),
        ("moved", "Messages read outside their lane", moved),
        ("corrupt", "Messages whose number cannot be read", corrupt),
    ] {
        let family = Family::<Topic, Counter>::default();
        family.get_or_create(&topic).inc_by(value);
        registry.register(name, help, family);
    }
    let whole = |n: u64| n as f64;
    for (name, help, value) in [
        (
            "gap_numbers",
            "Numbers that are missing now, late ones included",
            whole(gap),
        ),
        (
            "late_numbers",
            "Numbers that are missing for less than --late-after",
            whole(now.late),
        ),
        (
            "missing_numbers",
            "Numbers that are missing for longer than --late-after",
            whole(now.missing),
        ),
        (
            "expired_numbers",
            "Numbers that expired or were removed by compaction",
            whole(expired),
        ),
        ("void_numbers", "Numbers that their sender gave up", whole(void)),
        (
            "aborted_read",
            "Messages of aborted transactions that were handed over",
            whole(aborted_read.unwrap_or(0)),
        ),
        (
            "records_per_second",
            "Messages read a second since the last round",
            now.rate,
        ),
        (
            "complete",
            "1 when the last round read everything up to the end of the topic, else 0",
            f64::from(u8::from(now.is_complete)),
        ),
        (
            "last_round_timestamp_seconds",
            "When the last round ended",
            now.at_ms as f64 / 1000.0,
        ),
        (
            "lanes",
            "Senders and lanes that were read",
            whole(now.lanes.len() as u64),
        ),
        (
            "lanes_without_series",
            "Lanes that have no series of their own, because there are too many",
            whole(now.lanes.len().saturating_sub(MOST_LANES) as u64),
        ),
    ] {
        let family = Family::<Topic, Number>::default();
        family.get_or_create(&topic).set(value);
        registry.register(name, help, family);
    }
    let all: [Family<Lane, Number>; 5] = Default::default();
    for told in now.lanes.iter().take(MOST_LANES) {
        let labels = Lane {
            topic: now.topic.to_owned(),
            producer: told.lane.producer.clone(),
            lane: told.lane.lane.clone(),
        };
        let values = [
            whole(told.lane.last),
            whole(told.lane.gaps.len() as u64),
            whole(told.late),
            whole(told.missing),
            told.rate,
        ];
        for (family, value) in all.iter().zip(values) {
            family.get_or_create(&labels).set(value);
        }
    }
    let names = [
        ("lane_last_number", "The largest number read in the lane"),
        ("lane_open_gaps", "Stretches of missing numbers in the lane"),
        (
            "lane_late_numbers",
            "Numbers missing in the lane for less than --late-after",
        ),
        (
            "lane_missing_numbers",
            "Numbers missing in the lane for longer than --late-after",
        ),
        (
            "lane_records_per_second",
            "Messages read in the lane a second since the last round",
        ),
    ];
    for ((name, help), family) in names.into_iter().zip(all) {
        registry.register(name, help, family);
    }
    let mut text = String::new();
    // A string takes whatever is written into it.
    let _ = encode(&mut text, &registry);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_told_and_what_strangers_wrote_is_escaped() {
        let lane = LaneVerdict {
            producer: "p\"} 1\n# EOF".to_owned(),
            lane: "t/0".to_owned(),
            last: 9,
            gaps: vec![(3, 4)],
            ..LaneVerdict::default()
        };
        let lanes: Vec<LaneNow<'_>> = (0..MOST_LANES + 2)
            .map(|_| LaneNow {
                lane: &lane,
                late: 2,
                missing: 0,
                rate: 1.5,
            })
            .collect();
        let text = metrics(&Now {
            topic: "t",
            totals: &Totals {
                read: 8,
                gap: 2,
                ..Totals::default()
            },
            lanes: &lanes,
            late: 2,
            missing: 0,
            rate: 8.0,
            is_complete: true,
            at_ms: 1500,
        });
        for line in [
            "mqsafe_verify_records_total{topic=\"t\"} 8",
            "mqsafe_verify_late_numbers{topic=\"t\"} 2",
            "mqsafe_verify_last_round_timestamp_seconds{topic=\"t\"} 1.5",
            "mqsafe_verify_lanes_without_series{topic=\"t\"} 2",
            "mqsafe_verify_lane_last_number{topic=\"t\",producer=\"p\\\"} 1\\n# EOF\",lane=\"t/0\"} 9",
        ] {
            assert!(text.lines().any(|l| l.starts_with(line)), "{line}\n{text}");
        }
        assert_eq!(text.lines().filter(|l| *l == "# EOF").count(), 1);
        assert!(text.ends_with("# EOF\n"));
    }
}
