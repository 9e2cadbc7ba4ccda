//! Ctrl-C and TERM while the cluster is well, and a reader of stdout that goes away.

use crate::cluster;
use crate::judge;
use crate::outage::values;
use crate::tool::{self, Case, Receipts};
use std::process::Stdio;
use std::time::Duration;

const LINE_BYTES: usize = 100;

#[test]
fn a_signal_in_the_middle_loses_nothing_that_was_accepted() {
    let Some(cluster) = cluster::shared("a_signal_in_the_middle_loses_nothing_that_was_accepted") else {
        return;
    };
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let case = Case::new(&cluster, "signal", 3);
        let lines = judge::lines(0, 200_000, LINE_BYTES);
        let input = case.file("input", &judge::text(&lines));
        let mut send = case.send(&["--receipts"]);
        send.arg(case.path("receipts")).arg(&input);
        let mut running = tool::start(send);
        cluster::eventually("the first lines are stored", || {
            std::fs::metadata(case.path("receipts")).is_ok_and(|m| m.len() > 0)
        });
        std::thread::sleep(Duration::from_millis(100));
        assert!(!running.is_over(), "done before the signal");
        running.signal(signal);
        let done = running.wait().expect(code);
        let receipts = Receipts::read(&case.path("receipts"));
        let accepted = receipts.accepted_lines();
        // The first lines without a hole; what was not accepted is told by the line that it stopped after.
        assert_eq!(accepted, (1..=accepted.len() as u64).collect::<Vec<_>>());
        assert!(
            !accepted.is_empty() && accepted.len() < lines.len(),
            "{}",
            receipts.summary
        );
        assert!(done.stderr.contains("interrupted"), "{}", done.stderr);
        let left = receipts.count("in_doubt") + receipts.count("spooled");
        assert_eq!(
            case.stats(),
            (left, 0, receipts.count("stored")),
            "{}",
            receipts.summary
        );
        case.flush().expect(0);
        let verified = case.verify(&[]);
        let there = values(&cluster, &case.topic);
        verified.expect_clean(there.len() as u64 + verified.total("duplicate"));
        let accepted_lines = &lines[..accepted.len()];
        assert!(accepted_lines.iter().all(|line| there.contains(line)));
        assert_eq!(there.len(), accepted.len());
        // And the rest of the file can be sent.
        let mut rest = case.send(&["--resume"]);
        rest.arg(&input);
        tool::run(rest).expect(0);
        assert_eq!(values(&cluster, &case.topic).len(), lines.len());
    }
}

#[test]
fn nobody_reads_the_receipts_and_the_work_goes_on() {
    let Some(cluster) = cluster::shared("nobody_reads_the_receipts_and_the_work_goes_on") else {
        return;
    };
    let case = Case::new(&cluster, "closed", 3);
    let lines = judge::lines(0, 5000, LINE_BYTES);
    let input = case.file("input", &judge::text(&lines));
    let mut send = case.send(&["--receipts", "-"]);
    send.arg(&input)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = send.spawn().unwrap();
    drop(child.stdout.take());
    let done = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(0), "{stderr}");
    // A slow machine may make it say that it waits.
    let of_waiting = |line: &&str| line.starts_with("waiting: ") || *line == "going on";
    let said = stderr.lines().filter(|line| !of_waiting(line)).count();
    assert_eq!(said, 1, "nothing but the summary: {stderr}");
    assert!(stderr.contains("stored 5000"), "{stderr}");
    assert_eq!(values(&cluster, &case.topic).len(), lines.len());
}
