//! Found messages, for people and as the record of the contract, and what was read (`mqsafe.query/1`).

use super::{json_line, time};
use crate::model::{Coverage, PartitionRead, Record, ScanReport};
use crate::ui::{escape, escape_bytes};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::fmt::Write;

/// Bytes of a key or value that a person is shown.
pub(super) const SHOWN_BYTES: usize = 2000;

/// Text where it is UTF-8, `{"base64": …}` where it is not.
pub(super) fn bytes(bytes: &[u8]) -> Value {
    std::str::from_utf8(bytes).map_or_else(|_| json!({"base64": STANDARD.encode(bytes)}), |text| json!(text))
}

/// One message as the record of the contract.
pub fn record(broker: &str, topic: &str, record: &Record<'_>) -> Value {
    let headers: Vec<Value> = record
        .headers
        .iter()
        .map(|(name, value)| json!([bytes(name), value.map(bytes)]))
        .collect();
    let properties: Option<serde_json::Map<String, Value>> = (!record.properties.is_empty()).then(|| {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), json!(value));
        record.properties.iter().map(pair).collect()
    });
    let id = record.stamp().and_then(Result::ok);
    json!({
        "broker": broker,
        "topic": topic,
        "exchange": record.exchange,
        "routing_key": record.routing_key,
        "partition": record.partition,
        "node": record.node,
        "offset": record.offset,
        "timestamp": record.timestamp_ms.map(time),
        "key": record.key.map(bytes),
        "value": record.value.map(bytes),
        "headers": headers,
        "tag": record.tag,
        "properties": properties,
        "id": id.map(|s| json!({"producer": s.producer, "lane": s.lane, "seq": s.seq})),
    })
}

/// One line of `--format jsonl`.
pub fn line(value: &Value) -> Vec<u8> {
    json_line(value)
}

fn partition(read: &PartitionRead) -> Value {
    let PartitionRead {
        partition,
        node,
        from,
        to,
        log_start,
        read_to,
        records,
        bytes,
        times_ms,
        error,
    } = read;
    json!({
        "partition": partition,
        "node": node,
        "from": from,
        "to": to,
        "log_start": log_start.unwrap_or(*from),
        "read_to": read_to,
        "records": records,
        "bytes": bytes,
        "times": times_ms.map(|(first, last)| [time(first), time(last)]),
        "error": error,
    })
}

/// The summary object, without the records.
pub fn summary(found: u64, report: &ScanReport, coverage: &Coverage) -> Value {
    let partitions: Vec<Value> = report.partitions.iter().map(partition).collect();
    json!({"schema": "mqsafe.query/1", "found": found, "coverage": coverage.word(), "partitions": partitions})
}

/// One message for a person; every byte from outside is escaped.
pub fn human(topic: &str, record: &Record<'_>) -> String {
    let when = record.timestamp_ms.map_or_else(|| "no time".to_owned(), time);
    let node = record.node.map(|node| format!("{}/", escape(node))).unwrap_or_default();
    let mut text = format!(
        "{}/{node}{} offset {}  {when}\n",
        escape(topic),
        record.partition,
        record.offset
    );
    let shown =
        |bytes: Option<&[u8]>, none: &str| bytes.map_or_else(|| none.to_owned(), |b| escape_bytes(b, SHOWN_BYTES));
    let _ = writeln!(text, "  key    {}", shown(record.key, "(none)"));
    if let (Some(exchange), Some(key)) = (record.exchange, record.routing_key) {
        let _ = writeln!(
            text,
            "  from   exchange {:?}, routing key {:?}",
            escape(exchange),
            escape(key)
        );
    }
    if let Some(tag) = record.tag {
        let _ = writeln!(text, "  tag    {}", escape(tag));
    }
    for (name, value) in &record.headers {
        let _ = writeln!(
            text,
            "  header {} = {}",
            escape_bytes(name, SHOWN_BYTES),
            shown(value, "(null)")
        );
    }
    match record.stamp() {
        Some(Ok(stamp)) => {
            let _ = writeln!(
                text,
                "  stamp  number {} of {} in {}",
                stamp.seq,
                escape(stamp.producer),
                escape(stamp.lane)
            );
        }
        Some(Err(_)) => text.push_str("  stamp  unreadable\n"),
        None => text.push_str("  stamp  none (not sent by mqsafe)\n"),
    }
    let _ = writeln!(text, "  value  {}", shown(record.value, "(tombstone)"));
    text
}

/// What was read, one line for each partition.
pub fn coverage_lines(topic: &str, report: &ScanReport) -> Vec<String> {
    let line = |p: &PartitionRead| {
        let times = p
            .times_ms
            .map_or_else(String::new, |(a, b)| format!(", {} to {}", time(a), time(b)));
        let error = p.error.as_ref().map_or_else(String::new, |e| format!("; NOT ALL: {e}"));
        let node = p
            .node
            .as_ref()
            .map_or_else(String::new, |node| format!("{}/", escape(node)));
        let start = p.log_start.unwrap_or(p.from);
        let PartitionRead {
            partition,
            from,
            to,
            read_to,
            records,
            bytes,
            ..
        } = p;
        format!(
            "read {topic}/{node}{partition}: offsets {from} to {read_to} of {to} (log start {start}), {records} messages, {bytes} bytes{times}{error}"
        )
    };
    report.partitions.iter().map(line).collect()
}
