//! `send` holds a bounded part of its input, whether the broker takes it or the spool does.

use crate::cluster;
use crate::judge;
use crate::support;
use crate::tool::{self, Case};
use std::process::Command;
use std::time::Duration;

const LINE_BYTES: usize = 100;
/// What may come on top for ten times the input: the window of 50,000 messages in flight at a little below 1 KiB each, which a
/// slow moment of the cluster fills in one run and not in another. The lines themselves, held, would be ten times as much.
const SLACK_KIB: u64 = 48 << 10;

/// The peak of resident memory of a run, in KiB, with its exit code.
fn peak(command: Command) -> (u64, i32) {
    let mut running = tool::start(command);
    running.close();
    let status = format!("/proc/{}/status", running.pid());
    let mut peak = 0;
    while !running.is_over() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:"));
        let kib = line.and_then(|l| l.trim().trim_end_matches("kB").trim().parse().ok());
        peak = kib.unwrap_or(peak);
        std::thread::sleep(Duration::from_millis(10));
    }
    (peak, running.wait().code)
}

fn grown(case: &Case<'_>, arguments: &[&str], code: i32) {
    let (few, many) = if support::full() {
        (100_000, 3_000_000)
    } else {
        (100_000, 1_000_000)
    };
    let [small, large] = [few, many].map(|count| {
        let input = case.file("input", &judge::text(&judge::lines(0, count, LINE_BYTES)));
        let begun = std::time::Instant::now();
        let mut send = case.send_with(&format!("spool-{count}"), arguments);
        send.arg(&input);
        let (peak, exit) = peak(send);
        println!(
            "{count} lines of {LINE_BYTES} bytes, exit {exit}: peak {peak} KiB, {:.1?}",
            begun.elapsed()
        );
        assert_eq!(exit, code);
        peak
    });
    assert!(large < small + SLACK_KIB, "{small} KiB grew to {large} KiB");
}

#[test]
fn memory_does_not_grow_with_the_input() {
    let Some(cluster) = cluster::shared("memory_does_not_grow_with_the_input") else {
        return;
    };
    grown(&Case::new(&cluster, "memory", 3), &[], 0);
}

/// Called while no node answers.
pub(crate) fn of_a_run_without_a_broker(case: &Case<'_>) {
    grown(case, &["--connect-timeout", "1s"], 4);
}
