//! What became of a message, on one screen that can be pasted into a ticket, and as part of `mqsafe.query/1`.

use super::query::{SHOWN_BYTES, bytes};
use super::time;
use crate::model::GroupPosition;
use crate::query::{Hit, Journey, Neighbour, Neighbours, Read, Stop, standing};
use crate::ui::{escape, escape_bytes};
use serde_json::{Value, json};
use std::fmt::Write;

/// The screen.
pub fn human(journey: &Journey) -> String {
    let mut text = String::new();
    for stop in &journey.stops {
        let hit = &stop.hit;
        let when = hit.timestamp_ms.map_or_else(|| "no time".to_owned(), time);
        let _ = writeln!(text, "{when}  {} offset {}  {}", place(hit), hit.offset, what(hit));
        if let Some((seq, producer, lane)) = &hit.stamp {
            let beside = stop.neighbours.as_ref().map_or_else(String::new, beside);
            let _ = writeln!(
                text,
                "  stamp   number {seq} of {} in {}{beside}",
                escape(producer),
                escape(lane)
            );
        }
        if let Some((seq, producer, lane)) = &hit.origin {
            let _ = writeln!(
                text,
                "  before  number {seq} of {} in {}",
                escape(producer),
                escape(lane)
            );
        }
        for position in &stop.groups {
            let _ = writeln!(text, "  group   {}: {}", escape(&position.group), words(position, hit));
        }
    }
    for (topic, coverage) in &journey.searched {
        let _ = writeln!(text, "searched {}: {}", escape(topic), escape(coverage));
    }
    for note in &journey.notes {
        let _ = writeln!(text, "note: {}", escape(note));
    }
    for unknown in &journey.unknown {
        let _ = writeln!(text, "not known: {}", escape(unknown));
    }
    text
}

fn place(hit: &Hit) -> String {
    let node = hit
        .node
        .as_deref()
        .map(|node| format!("{}/", escape(node)))
        .unwrap_or_default();
    format!("{}/{node}{}", escape(&hit.topic), hit.partition)
}

fn what(hit: &Hit) -> String {
    let key = hit.key.as_deref().map_or_else(
        || "no key".to_owned(),
        |key| format!("key {}", escape_bytes(key, SHOWN_BYTES)),
    );
    let value = hit
        .value_bytes
        .map_or_else(|| "a tombstone".to_owned(), |bytes| format!("{bytes} bytes"));
    format!("{key}, {value}")
}

fn beside(neighbours: &Neighbours) -> String {
    let one = |neighbour: Neighbour, which: &str| match neighbour {
        Neighbour::None => format!("; none {which} it"),
        Neighbour::At(offset) => format!("; the one {which} it at offset {offset}"),
        Neighbour::NotSeen => format!("; the one {which} it was NOT SEEN around it"),
    };
    one(neighbours.before, "before") + &one(neighbours.after, "after")
}

fn words(position: &GroupPosition, hit: &Hit) -> String {
    let stands = position
        .next
        .map_or_else(String::new, |next| format!(" (stands at {next})"));
    let online = match position.is_online {
        Some(false) => ", not online",
        Some(true) | None => "",
    };
    let online = match position.expired() {
        0 => online.to_owned(),
        gone => format!("{online}; {gone} that it had not consumed are gone (expired or deleted)"),
    };
    match standing(position, hit.offset, hit.tag.as_deref()) {
        Read::Consumed => format!("consumed{stands}{online}"),
        Read::Filtered => format!("passed over: its subscription has not this tag{stands}{online}"),
        Read::NotYet { before, lag } => {
            let lag = lag.map_or_else(String::new, |lag| format!(", lag {lag}"));
            format!("NOT YET, {before} before it{lag}{stands}{online}")
        }
        Read::Never => format!("never committed there{online}"),
        Read::Broadcast => "each member gets it, and remembers for itself".to_owned(),
    }
}

/// For programs.
pub fn json(journey: &Journey) -> Value {
    json!({
        "stops": journey.stops.iter().map(stop).collect::<Vec<_>>(),
        "searched": journey.searched.iter().map(|(topic, coverage)| json!({"topic": topic, "coverage": coverage})).collect::<Vec<_>>(),
        "notes": journey.notes,
        "unknown": journey.unknown,
    })
}

fn stop(stop: &Stop) -> Value {
    let hit = &stop.hit;
    let stamp = |stamp: &Option<(u64, String, String)>| {
        stamp
            .as_ref()
            .map(|(seq, producer, lane)| json!({"producer": producer, "lane": lane, "seq": seq}))
    };
    let neighbour = |neighbour: Neighbour| match neighbour {
        Neighbour::None => json!({"status": "none"}),
        Neighbour::At(offset) => json!({"status": "stored", "offset": offset}),
        Neighbour::NotSeen => json!({"status": "not_seen"}),
    };
    let group = |position: &GroupPosition| {
        let (status, before, lag) = match standing(position, hit.offset, hit.tag.as_deref()) {
            Read::Consumed => ("consumed", None, None),
            Read::Filtered => ("filtered", None, None),
            Read::NotYet { before, lag } => ("not_yet", Some(before), lag),
            Read::Never => ("never", None, None),
            Read::Broadcast => ("broadcast", None, None),
        };
        json!({"group": position.group, "status": status, "next": position.next, "before": before, "lag": lag, "expired": position.expired(), "online": position.is_online})
    };
    json!({
        "broker": hit.broker,
        "topic": hit.topic,
        "node": hit.node,
        "partition": hit.partition,
        "offset": hit.offset,
        "timestamp": hit.timestamp_ms.map(time),
        "key": hit.key.as_deref().map(bytes),
        "id": stamp(&hit.stamp),
        "origin": stamp(&hit.origin),
        "before": stop.neighbours.as_ref().map(|n| neighbour(n.before)),
        "after": stop.neighbours.as_ref().map(|n| neighbour(n.after)),
        "groups": stop.groups.iter().map(group).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_screen() {
        let hit = Hit {
            topic: "orders".to_owned(),
            partition: 3,
            offset: 42,
            timestamp_ms: Some(0),
            key: Some(b"1\x1b2".to_vec()),
            value_bytes: Some(7),
            stamp: Some((2, "p".to_owned(), "orders/3".to_owned())),
            ..Hit::default()
        };
        let at = |group: &str, next| GroupPosition {
            group: group.to_owned(),
            next,
            end: Some(50),
            is_online: Some(false),
            ..GroupPosition::default()
        };
        let late = GroupPosition {
            start: Some(42),
            is_online: None,
            ..at("late", Some(30))
        };
        let journey = Journey {
            stops: vec![Stop {
                neighbours: Some(Neighbours::new(&(2, String::new(), String::new()))),
                hit,
                groups: vec![late, at("billing", Some(43)), at("audit", Some(40)), at("new", None)],
            }],
            searched: vec![("orders".to_owned(), "COMPLETE".to_owned())],
            notes: vec!["a".to_owned()],
            unknown: vec!["b\x1b".to_owned()],
        };
        insta::assert_snapshot!(human(&journey), @r"
        1970-01-01T00:00:00.000Z  orders/3 offset 42  key 1\x1b2, 7 bytes
          stamp   number 2 of p in orders/3; the one before it was NOT SEEN around it; the one after it was NOT SEEN around it
          group   late: NOT YET, 12 before it, lag 20 (stands at 30); 12 that it had not consumed are gone (expired or deleted)
          group   billing: consumed (stands at 43), not online
          group   audit: NOT YET, 2 before it, lag 10 (stands at 40), not online
          group   new: never committed there, not online
        searched orders: COMPLETE
        note: a
        not known: b\x1b
        ");
        let json = json(&journey);
        assert_eq!(json["stops"][0]["groups"][2]["status"], "not_yet");
        assert_eq!(json["stops"][0]["before"]["status"], "not_seen");
    }
}
