//! How much memory and time the tracker of `verify` needs for numbers that are fed straight to it.
//!
//! usage: cargo bench --bench tracker -- NUMBERS GAPS
//! NUMBERS numbers of 1,000 producers over 64 lanes, with GAPS of them left out, evenly. Prints one JSON object.
#![allow(missing_docs, clippy::print_stdout, reason = "a program that measures")]

use mqsafe::model::{PartitionRead, Record, ScanReport};
use mqsafe::verify::{Beside, Tracker, judge};
use std::io::Write;
use std::time::Instant;

const PRODUCERS: u64 = 1000;
const LANES: u64 = 64;
/// Messages of one producer that lie one after the other, as in a batch.
const BATCH: u64 = 100;

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|word| word.parse::<u64>().ok());
    let numbers = arguments.next().unwrap_or(1_000_000_000);
    let gaps = arguments.next().unwrap_or(0);
    let each = numbers / (PRODUCERS * LANES);
    // Every so many numbers one is left out, neither the first nor the last of its lane.
    let every = numbers.checked_div(gaps).unwrap_or(u64::MAX);
    let mut tracker = Tracker::default();
    let mut stamp = Vec::with_capacity(64);
    let (began, mut offsets, mut fed, mut left_out) = (Instant::now(), vec![0i64; LANES as usize], 0u64, 0u64);
    let mut first = 1;
    while first <= each {
        let last = (first + BATCH - 1).min(each);
        for lane in 0..LANES {
            for producer in 0..PRODUCERS {
                for seq in first..=last {
                    fed += 1;
                    if fed % every == 0 && seq > 1 && seq < each {
                        left_out += 1;
                        continue;
                    }
                    stamp.clear();
                    let _ = write!(stamp, "{seq} 3f9ac81e-{producer:04} orders/{lane}");
                    let headers: [(&[u8], Option<&[u8]>); 1] = [(b"mqsafe-id", Some(&stamp))];
                    let record = Record {
                        partition: lane as i32,
                        offset: offsets[lane as usize],
                        headers: headers.into_iter().collect(),
                        ..Record::default()
                    };
                    offsets[lane as usize] += 1;
                    tracker.insert("orders", &record);
                }
            }
        }
        first = last + 1;
    }
    let seconds = began.elapsed().as_secs_f64();
    let fed_kib = peak_kib();
    let partition = |(no, end): (usize, &i64)| PartitionRead {
        partition: no as i32,
        to: *end,
        read_to: *end,
        ..PartitionRead::default()
    };
    let report = ScanReport {
        partitions: offsets.iter().enumerate().map(partition).collect(),
        compacted: Some(false),
        ..ScanReport::default()
    };
    let verdict = judge(&mut tracker, "orders", &report, Beside::default());
    assert_eq!((verdict.totals.gap, verdict.totals.duplicate), (left_out, 0));
    println!(
        "{{\"numbers\":{fed},\"gaps\":{left_out},\"seconds\":{seconds:.2},\"per_second\":{:.0},\"peak_kib\":{fed_kib},\"peak_with_verdict_kib\":{}}}",
        fed as f64 / seconds,
        peak_kib()
    );
}

/// The most memory that this process had so far, as Linux counts it.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
