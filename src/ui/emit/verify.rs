//! The verdict as JSON (`mqsafe.verify/1`).

use super::json_line;
use crate::verify::{LaneVerdict, Totals, Verdict};
use serde_json::{Value, json};

fn lane(lane: &LaneVerdict) -> Value {
    let LaneVerdict {
        producer,
        lane: name,
        read,
        first,
        last,
        gaps,
        duplicates,
        duplicate,
        reordered,
        moved,
        expired,
        void,
    } = lane;
    json!({
        "producer": producer,
        "lane": name,
        "read": read,
        "first": first,
        "last": last,
        "gap": lane.gap(),
        "gaps": gaps,
        "duplicate": duplicate,
        "duplicates": duplicates,
        "reordered": reordered,
        "moved": moved,
        "expired": expired,
        "void": void,
    })
}

/// One JSON object. What is null was not judged: it needs the sender's journal or the transactions of the log.
pub fn json(verdict: &Verdict) -> Vec<u8> {
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
    } = verdict.totals;
    let lanes: Vec<Value> = verdict.lanes.iter().map(lane).collect();
    json_line(&json!({
        "schema": "mqsafe.verify/1",
        "coverage": verdict.coverage.word(),
        "journal": null,
        "totals": {
            "read": read, "stamped": stamped, "lost": null, "gap": gap, "duplicate": duplicate, "reordered": reordered,
            "moved": moved, "unseen": null, "expired": expired, "unconfirmed_missing": null, "recovered": null, "aborted": null,
            "aborted_read": null, "void": void, "corrupt": corrupt,
        },
        "lanes": lanes,
    }))
}
