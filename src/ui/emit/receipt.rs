//! Receipts of `send`: one JSON object a line, last the counts (`mqsafe.send/1`).

use super::json_line;
use crate::model::Tally;
use crate::send::{Latency, ReadTo, Receipt};
use serde_json::{Value, json};
use std::path::Path;

/// One message; `file` where each file is one.
pub fn line(receipt: &Receipt<'_>, file: Option<&Path>) -> Vec<u8> {
    let Receipt {
        line,
        id,
        fate,
        partition,
        offset,
        attempts,
        latency_ms,
        reason,
    } = receipt;
    let id = id.as_ref().map_or(
        Value::Null,
        |(producer, lane, seq)| json!({"producer": producer, "lane": lane, "seq": seq}),
    );
    let mut object = json!({
        "line": line,
        "id": id,
        "status": fate.word(),
        "partition": partition,
        "offset": offset,
        "attempts": attempts,
        "latency_ms": latency_ms,
        "reason": reason,
    });
    if let Some(file) = file {
        object["file"] = json!(file.to_string_lossy());
    }
    json_line(&object)
}

/// What the last line tells.
#[derive(Debug, Clone, Copy)]
pub struct Summary<'a> {
    /// The counts.
    pub tally: &'a Tally,
    /// What was read: its name, how it became messages, and how much of it was accepted or rejected.
    pub input: (&'a str, &'a str, Option<ReadTo>),
    /// Where what is not confirmed waits; `None` when it is not kept.
    pub spool: Option<&'a Path>,
    /// How long messages took.
    pub latency: Option<Latency>,
    /// How long the run took.
    pub seconds: f64,
    /// Messages acknowledged in a second.
    pub rate: f64,
}

/// The last line.
pub fn summary(summary: &Summary<'_>) -> Vec<u8> {
    let Tally {
        stored,
        refused,
        in_doubt,
        spooled,
        rejected,
        repeated,
    } = summary.tally;
    let (name, form, read_to) = summary.input;
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let round = |x: f64| (x * 1000.0).round() / 1000.0;
    json_line(&json!({
        "schema": "mqsafe.send/1",
        "accepted": summary.tally.accepted(),
        "stored": stored,
        "refused": refused,
        "in_doubt": in_doubt,
        "spooled": spooled,
        "rejected": rejected,
        "repeated": repeated,
        "input": {
            "name": name,
            "form": form,
            "bytes": read_to.map(|r| r.bytes),
            "sha256": read_to.map(|r| hex(&r.sha256)),
        },
        "spool": summary.spool.map(Path::to_string_lossy),
        "latency_ms": summary.latency.map(|l| json!({"p50": l.p50, "p99": l.p99, "max": l.max})),
        "seconds": round(summary.seconds),
        "rate": round(summary.rate),
    }))
}
