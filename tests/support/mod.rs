//! What every test beside the sources shares.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its own part of it")]

use std::io::Write;

/// Says that a test did not run. `tests/run` collects these lines, and lets only reasons pass that its list allows.
///
/// The reason begins with what is missing: `needs root`, `needs KAFKA_BOOTSTRAP`.
pub fn skip(test: &str, reason: &str) {
    assert!(!test.contains(['\t', '\n']) && !reason.contains(['\t', '\n']));
    let line = format!("{test}\t{reason}\n");
    let mut err = std::io::stderr().lock();
    let _ = write!(err, "did not run: {line}");
    if let Some(file) = std::env::var_os("MQSAFE_TESTS_SKIPPED") {
        let mut options = std::fs::OpenOptions::new();
        let written = options
            .create(true)
            .append(true)
            .open(file)
            .and_then(|mut file| file.write_all(line.as_bytes()));
        written.expect("MQSAFE_TESTS_SKIPPED names a file that can be written");
    }
}

/// For `tests/brokers/rabbitmq-eval`, before a kill: what was declared is on the server's disk. By itself it writes its schema and the
/// names of its quorum queues (Ra's `names.dets`) up to some seconds later, and a kill takes a queue that is younger, with what it
/// confirmed; that is about queues, not about messages.
pub const DECLARED: &str = "mnesia:sync_log(), [dets:sync(Table) || Table <- dets:all()].";

/// An address that `tests/brokers/up` prints; without it the test did not run.
pub fn address(test: &str, name: &str) -> Option<String> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty());
    if value.is_none() {
        skip(
            test,
            &format!("needs {name}, which tests/run or tests/brokers/up gives"),
        );
    }
    value
}

/// The Kafka cluster of `tests/brokers/up`.
pub fn kafka(test: &str) -> Option<String> {
    address(test, "KAFKA_BOOTSTRAP")
}

/// Ports that nobody listens at, each another one. They lie below the range from which Linux takes ports for outgoing connections,
/// and below what the scripts of the brokers take, so that nobody else gets one before its server is up, or while it is down.
pub fn free_ports<const N: usize>() -> [u16; N] {
    static LAST: std::sync::atomic::AtomicU16 = std::sync::atomic::AtomicU16::new(0);
    let from = std::process::id() as u16 % 400;
    std::array::from_fn(|_| {
        loop {
            let next = LAST.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let port = 12_000 + (from * 20 + next) % 8_000;
            if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
                return port;
            }
        }
    })
}

/// Whether the long series were asked for (`tests/run --full`).
pub fn full() -> bool {
    std::env::var_os("MQSAFE_FULL").is_some()
}

/// Whether this is root on Linux.
pub fn root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(2) == Some("0"))
}
