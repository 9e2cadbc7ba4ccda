//! Receipts of `send`: one JSON object a line, last the counts (`mqsafe.send/1`).

use super::json_line;
use crate::model::Tally;
use crate::send::Receipt;
use serde_json::{Value, json};

/// One message.
pub fn line(receipt: &Receipt<'_>) -> Vec<u8> {
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
    json_line(&json!({
        "line": line,
        "id": id,
        "status": fate.word(),
        "partition": partition,
        "offset": offset,
        "attempts": attempts,
        "latency_ms": latency_ms,
        "reason": reason,
    }))
}

/// The last line.
pub fn summary(tally: &Tally) -> Vec<u8> {
    let Tally {
        stored,
        refused,
        in_doubt,
        spooled,
        rejected,
    } = tally;
    json_line(&json!({
        "schema": "mqsafe.send/1",
        "accepted": tally.accepted(),
        "stored": stored,
        "refused": refused,
        "in_doubt": in_doubt,
        "spooled": spooled,
        "rejected": rejected,
    }))
}
