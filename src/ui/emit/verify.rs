//! The verdict as JSON (`mqsafe.verify/1`), as JUnit, and as Markdown for a ticket.

use super::super::escape;
use super::{Harmless, time};
use crate::model::ScanReport;
use crate::verify::{
    Compared, Differing, Explained, Facts, Found, Hole, LaneVerdict, Neighbour, Place, Standing, Totals, Verdict,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::io;

/// Ranges of one lane that a ticket holds; JSON has all.
const MOST_RANGES: usize = 50;

/// A lane is written without being built first: its ranges may be a million.
struct Lane<'a>(&'a LaneVerdict);

impl Serialize for Lane<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let LaneVerdict {
            producer,
            lane,
            read,
            first,
            last,
            gaps,
            lost,
            unseen,
            duplicates,
            duplicate,
            reordered,
            moved,
            expired,
            void,
            unconfirmed_missing,
            recovered,
            aborted,
            is_known,
        } = self.0;
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("producer", producer)?;
        map.serialize_entry("lane", lane)?;
        map.serialize_entry("read", read)?;
        map.serialize_entry("first", first)?;
        map.serialize_entry("last", last)?;
        map.serialize_entry("gap", &self.0.gap())?;
        for (name, ranges) in [("gaps", gaps), ("lost", lost), ("unseen", unseen)] {
            map.serialize_entry(name, ranges)?;
        }
        map.serialize_entry("duplicate", duplicate)?;
        map.serialize_entry("duplicates", duplicates)?;
        for (name, count) in [
            ("reordered", reordered),
            ("moved", moved),
            ("expired", expired),
            ("void", void),
            ("unconfirmed_missing", unconfirmed_missing),
            ("recovered", recovered),
            ("aborted", aborted),
        ] {
            map.serialize_entry(name, count)?;
        }
        map.serialize_entry("journal", is_known)?;
        map.end()
    }
}

/// What is told beside the verdict.
#[derive(Debug)]
pub struct More<'a> {
    /// What became of expected ids.
    pub found: Option<&'a Found>,
    /// Comparisons, with the words for what it was compared with.
    pub compared: &'a [(String, Compared)],
    /// Why something is not known.
    pub unknown: &'a [String],
    /// What may look like a loss, and is none.
    pub explained: &'a [Explained],
    /// Where groups stand.
    pub standings: &'a [Standing],
    /// How many of the messages are in which dead-letter and retry topics.
    pub set_aside: &'a [(String, u64)],
    /// How many were put back into spools, noted as consumed there, and wait for their time.
    pub resent: Option<(u64, u64, u64)>,
}

/// Writes one JSON object. What is null was not judged: it needs the sender's journal or the transactions of the log.
///
/// # Errors
/// As the writer.
pub fn json(verdict: &Verdict, more: Option<&More<'_>>, to: &mut dyn io::Write) -> io::Result<()> {
    let mut harmless = Harmless::new(to);
    serde_json::to_writer(&mut harmless, &Whole { verdict, more })?;
    harmless.end()
}

struct Whole<'a> {
    verdict: &'a Verdict,
    more: Option<&'a More<'a>>,
}

impl Serialize for Whole<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let verdict = self.verdict;
        let Totals {
            read,
            stamped,
            lost,
            gap,
            duplicate,
            reordered,
            moved,
            unseen,
            expired,
            unconfirmed_missing,
            recovered,
            aborted,
            aborted_read,
            void,
            corrupt,
            single,
        } = verdict.totals;
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("schema", "mqsafe.verify/1")?;
        map.serialize_entry("coverage", &verdict.coverage.word())?;
        map.serialize_entry("journal", &lost.map(|_| true))?;
        let totals = json!({
            "read": read, "stamped": stamped, "lost": lost, "gap": gap, "duplicate": duplicate, "reordered": reordered,
            "moved": moved, "unseen": unseen, "expired": expired, "unconfirmed_missing": unconfirmed_missing,
            "recovered": recovered, "aborted": aborted, "aborted_read": aborted_read, "void": void, "corrupt": corrupt,
        });
        map.serialize_entry("totals", &totals)?;
        map.serialize_entry("single", &single)?;
        map.serialize_entry("lanes", &Lanes(&verdict.lanes))?;
        for (name, value) in self.more.map(beside).unwrap_or_default() {
            map.serialize_entry(&name, &value)?;
        }
        map.end()
    }
}

struct Lanes<'a>(&'a [LaneVerdict]);

impl Serialize for Lanes<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(Lane))
    }
}

fn beside(more: &More<'_>) -> Map<String, Value> {
    let mut all = Map::new();
    if let Some(found) = more.found {
        all.insert("expected".to_owned(), expected(found));
    }
    if !more.compared.is_empty() {
        all.insert("compared".to_owned(), more.compared.iter().map(compared).collect());
    }
    if !more.explained.is_empty() {
        let one = |e: &Explained| json!({"what": e.what, "count": e.count, "words": e.words});
        all.insert("explained".to_owned(), more.explained.iter().map(one).collect());
    }
    if !more.standings.is_empty() {
        let standing = |s: &Standing| {
            json!({
                "group": s.group, "node": s.node, "partition": s.partition, "next": s.next, "waiting": s.waiting,
                "expired_unread": s.expired_unread, "skipped": s.skipped,
            })
        };
        all.insert("groups".to_owned(), more.standings.iter().map(standing).collect());
    }
    if !more.set_aside.is_empty() {
        let aside = |(topic, count): &(String, u64)| json!({"topic": topic, "count": count});
        all.insert("set_aside".to_owned(), more.set_aside.iter().map(aside).collect());
    }
    if let Some((again, consumed, waits)) = more.resent {
        let resent = json!({"put_back": again, "noted_consumed": consumed, "not_yet_late": waits});
        all.insert("resent".to_owned(), resent);
    }
    if !more.unknown.is_empty() {
        all.insert("unknown".to_owned(), more.unknown.iter().cloned().collect());
    }
    all
}

fn bytes(id: &[u8]) -> Value {
    match std::str::from_utf8(id) {
        Ok(text) => Value::from(text),
        Err(_) => json!({ "base64": STANDARD.encode(id) }),
    }
}

fn expected(found: &Found) -> Value {
    let ids = |all: &[Vec<u8>]| all.iter().map(|id| bytes(id)).collect::<Vec<_>>();
    json!({
        "expected": found.expected,
        "missing": found.missing_count,
        "unexpected": found.unexpected_count,
        "duplicate": found.duplicate_count,
        "without": found.without,
        "missing_ids": ids(&found.missing),
        "unexpected_ids": ids(&found.unexpected),
        "duplicate_ids": ids(&found.duplicates),
    })
}

fn compared((what, compared): &(String, Compared)) -> Value {
    let lanes = |all: &[Differing]| {
        let one = |d: &Differing| json!({"producer": d.producer, "lane": d.lane, "numbers": d.numbers});
        all.iter().map(one).collect::<Vec<_>>()
    };
    json!({
        "with": what,
        "both": compared.both,
        "missing": compared.missing_count,
        "unexpected": compared.unexpected_count,
        "missing_numbers": lanes(&compared.missing),
        "unexpected_numbers": lanes(&compared.unexpected),
    })
}

/// One range as a person writes it.
pub fn range(&(from, to): &(u64, u64)) -> String {
    if from == to {
        from.to_string()
    } else {
        format!("{from}-{to}")
    }
}

fn list(ranges: &[(u64, u64)]) -> String {
    let mut text = ranges
        .iter()
        .take(MOST_RANGES)
        .map(range)
        .collect::<Vec<_>>()
        .join(", ");
    if ranges.len() > MOST_RANGES {
        let _ = write!(text, " and {} more ranges", ranges.len() - MOST_RANGES);
    }
    text
}

/// Text for XML: what is no character there is shown as an escape, and what has a meaning there is written out.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in escape(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            c => out.push(c),
        }
    }
    out
}

/// JUnit: one case for the coverage, one for each lane that has trouble, one for all others. `why` are the anomalies.
pub fn junit(topic: &str, verdict: &Verdict, why: &[&str]) -> Vec<u8> {
    let topic = xml(topic);
    let mut cases = String::new();
    let mut failures = 0;
    let mut case = |name: &str, failure: Option<String>| {
        let name = xml(name);
        match failure {
            None => {
                let _ = writeln!(cases, r#"    <testcase classname="mqsafe.verify" name="{name}"/>"#);
            }
            Some(text) => {
                failures += 1;
                let text = xml(&text);
                let _ = writeln!(
                    cases,
                    r#"    <testcase classname="mqsafe.verify" name="{name}"><failure message="{text}">{text}</failure></testcase>"#
                );
            }
        }
    };
    let has = |word: &str| why.contains(&word);
    let coverage = verdict.coverage.word();
    case("coverage", (!verdict.coverage.is_complete()).then_some(coverage));
    let mut clean = 0;
    for lane in &verdict.lanes {
        let mut text = Vec::new();
        for (word, numbers) in [
            ("lost", &lane.lost),
            ("gap", &lane.gaps),
            ("duplicate", &lane.duplicates),
        ] {
            if has(word) && !numbers.is_empty() {
                text.push(format!("{word} {}", list(numbers)));
            }
        }
        for (word, count) in [("reordered", lane.reordered), ("moved", lane.moved)] {
            if has(word) && count > 0 {
                text.push(format!("{word} {count}"));
            }
        }
        match text.is_empty() {
            true => clean += 1,
            false => case(&format!("{} {}", lane.producer, lane.lane), Some(text.join("; "))),
        }
    }
    for (word, count) in [
        ("corrupt", verdict.totals.corrupt),
        ("aborted-read", verdict.totals.aborted_read.unwrap_or(0)),
    ] {
        if has(word) {
            case(word, Some(format!("{count} messages")));
        }
    }
    case(&format!("{clean} lanes without anomaly"), None);
    let tests = cases.lines().count();
    let head = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
    format!(
        "{head}\n<testsuites name=\"mqsafe\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\">\n  <testsuite name=\"verify {topic}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\">\n{cases}  </testsuite>\n</testsuites>\n"
    )
    .into_bytes()
}

/// What a ticket is made from.
#[derive(Debug)]
pub struct Evidence<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The broker, as it was named.
    pub broker: &'a str,
    /// The summary.
    pub summary: &'a str,
    /// The verdict.
    pub verdict: &'a Verdict,
    /// What was read.
    pub report: &'a ScanReport,
    /// What the broker said.
    pub facts: &'a Facts,
    /// What is missing, with its neighbours.
    pub holes: &'a [Hole],
    /// Holes that were not looked at.
    pub left_out: usize,
    /// What may look like a loss, and is none.
    pub explained: &'a [Explained],
}

/// A message beside a hole, in words.
fn neighbour(neighbour: &Neighbour) -> String {
    let node = neighbour
        .node
        .as_ref()
        .map_or_else(String::new, |node| format!("{}/", escape(node)));
    let at = neighbour
        .timestamp_ms
        .map_or_else(String::new, |ms| format!(", {}", time(ms)));
    let epoch = neighbour
        .leader_epoch
        .map_or_else(String::new, |epoch| format!(", leader epoch {epoch}"));
    format!(
        "number {} at partition {node}{}, offset {}{at}{epoch}",
        neighbour.seq, neighbour.partition, neighbour.offset
    )
}

/// One hole: what is missing, what lies beside it, and what excludes every other reason.
pub fn hole(hole: &Hole, verdict: &Verdict, report: &ScanReport, facts: &Facts) -> Vec<String> {
    let word = if hole.is_lost { "LOST" } else { "missing" };
    let beside = |side: &Option<Neighbour>, none: &str| side.as_ref().map_or_else(|| none.to_owned(), neighbour);
    let mut lines = vec![
        format!(
            "{word}: {} of {}, lane {}",
            range(&hole.numbers),
            escape(&hole.producer),
            escape(&hole.lane)
        ),
        format!("  before: {}", beside(&hole.before, "nothing of the lane")),
        format!("  after: {}", beside(&hole.after, "nothing of the lane")),
    ];
    lines.extend(
        exclusions(hole, verdict, report, facts)
            .into_iter()
            .map(|line| format!("  {line}")),
    );
    lines
}

/// What excludes every other reason, step by step.
fn exclusions(hole: &Hole, verdict: &Verdict, report: &ScanReport, facts: &Facts) -> Vec<String> {
    let mut chain = Vec::new();
    if hole.is_lost {
        chain.push("acknowledged: the sender's journal says so, and was read before the scan".to_owned());
    } else {
        chain.push("no journal says whether it was acknowledged".to_owned());
    }
    let home = match hole.lane.contains('|') {
        // What was published to an exchange lies in the one queue that was read.
        true => report.partitions.first(),
        false => {
            let topic = hole.lane.split('/').next().unwrap_or_default();
            report.partitions.iter().find(|read| read.is_home_of(&hole.lane, topic))
        }
    };
    if let Some(read) = home {
        let place = Place {
            node: read.node.clone(),
            partition: read.partition,
        };
        chain.push(format!(
            "not above the read horizon: {} was read from offset {} to {}, planned end {}",
            read.name(),
            read.from,
            read.read_to,
            read.to
        ));
        if let Some(end) = facts.log_ends.get(&place) {
            chain.push(match end {
                end if *end <= read.to => format!("not waiting for replication: the leader's log ends at {end}"),
                end => format!(
                    "the leader's log ends at {end}; what lies from {} on was not to be read yet",
                    read.to
                ),
            });
        }
        if let Some(later) = facts.log_starts.get(&place) {
            chain.push(format!(
                "not expired: the log started at {} before the scan and at {later} after it",
                read.from
            ));
        }
    }
    chain.push(match report.compacted {
        Some(false) if hole.lane.contains('|') => {
            "not removed by the queue: nothing is known of a time to live, a limit or another consumer".to_owned()
        }
        Some(false) => "not compacted: old messages of a key are not removed here".to_owned(),
        Some(true) => "the topic is compacted".to_owned(),
        None => "NOT EXCLUDED: compaction, because the broker does not say whether the topic is compacted".to_owned(),
    });
    chain.push("not void: no message of the lane says that its sender gave it up".to_owned());
    match verdict.totals.aborted {
        Some(_) => chain.push(
            "not in an aborted or open transaction: a reader of uncommitted messages does not see it either".to_owned(),
        ),
        None => chain.push("transactions: the broker keeps none that could be seen".to_owned()),
    }
    chain
}

/// Markdown for a ticket.
pub fn markdown(evidence: &Evidence<'_>) -> String {
    // What stands in a table or in code must not end it.
    let plain = |text: &str| escape(text).replace('|', "\\|").replace('`', "'");
    let verdict = evidence.verdict;
    let mut out = String::new();
    let _ = writeln!(out, "# Messages of `{}`\n", plain(evidence.topic));
    let _ = writeln!(out, "{}\n", plain(evidence.summary));
    let _ = writeln!(out, "- broker: `{}`", plain(evidence.broker));
    let _ = writeln!(out, "- coverage: {}\n", plain(&verdict.coverage.word()));
    let _ = writeln!(
        out,
        "## What was read\n\n| place | from | to | planned end | messages | times | error |\n|---|---|---|---|---|---|---|"
    );
    for read in &evidence.report.partitions {
        let times = read
            .times_ms
            .map_or_else(String::new, |(a, b)| format!("{} to {}", time(a), time(b)));
        let error = read.error.as_deref().unwrap_or_default();
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {times} | {} |",
            plain(&read.name()),
            read.from,
            read.read_to,
            read.to,
            read.records,
            plain(error)
        );
    }
    let _ = writeln!(
        out,
        "\n## Lanes with trouble\n\n| producer | lane | numbers | lost | gap | unseen | duplicates | reordered | moved |\n|---|---|---|---|---|---|---|---|---|"
    );
    for lane in verdict.lanes.iter().filter(|lane| !lane.is_clean()) {
        let _ = writeln!(
            out,
            "| {} | {} | {}-{} | {} | {} | {} | {} | {} | {} |",
            plain(&lane.producer),
            plain(&lane.lane),
            lane.first,
            lane.last,
            list(&lane.lost),
            list(&lane.gaps),
            list(&lane.unseen),
            list(&lane.duplicates),
            lane.reordered,
            lane.moved
        );
    }
    if !evidence.holes.is_empty() {
        let _ = writeln!(out, "\n## What is missing, and what lies beside it\n");
    }
    for one in evidence.holes {
        for (no, line) in hole(one, verdict, evidence.report, evidence.facts).iter().enumerate() {
            let line = plain(line.trim_start());
            let _ = match no {
                0 => writeln!(out, "- {line}"),
                _ => writeln!(out, "  - {line}"),
            };
        }
    }
    if evidence.left_out > 0 {
        let _ = writeln!(out, "\n{} more holes were not looked at one by one.", evidence.left_out);
    }
    if !evidence.explained.is_empty() {
        let _ = writeln!(out, "\n## What is no loss\n");
    }
    for Explained { what, count, words } in evidence.explained {
        let _ = writeln!(out, "- {what}: {count}: {}", plain(words));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Coverage, PartitionRead};

    fn verdict() -> Verdict {
        Verdict {
            totals: Totals {
                read: 4,
                stamped: 4,
                lost: Some(2),
                ..Totals::default()
            },
            lanes: vec![LaneVerdict {
                producer: "p<\u{1b}".to_owned(),
                lane: "t|x/0".to_owned(),
                lost: vec![(3, 4)],
                ..LaneVerdict::default()
            }],
            coverage: Coverage::Complete,
            gaps_are_proven: true,
        }
    }

    /// Written in pieces, it is one object with every range, and nothing of a name reaches a terminal.
    #[test]
    fn json_has_every_range_however_many() {
        let mut all = verdict();
        let gaps: Vec<(u64, u64)> = (1..=20_000).map(|n| (3 * n, 3 * n + 1)).collect();
        all.lanes.push(LaneVerdict {
            producer: "q\u{9b}\u{1f600}".to_owned(),
            lane: "t/1".to_owned(),
            gaps: gaps.clone(),
            ..LaneVerdict::default()
        });
        let mut out = Vec::new();
        json(&all, None, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.ends_with("}\n") && text.matches('\n').count() == 1);
        assert!(!text.contains('\u{9b}') && !text.contains('\u{1b}'), "{}", &text[..400]);
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["lanes"][0]["lost"], json!([[3, 4]]));
        assert_eq!(read["lanes"][1]["gaps"], json!(gaps));
        assert_eq!(
            (&read["lanes"][1]["gap"], &read["totals"]["lost"]),
            (&json!(40_000), &json!(2))
        );
        assert_eq!(read["lanes"][1]["producer"], "q\u{9b}\u{1f600}");
        // A writer that fails is no shorter answer.
        struct Full;
        impl io::Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        assert_eq!(
            json(&all, None, &mut Full).unwrap_err().kind(),
            io::ErrorKind::StorageFull
        );
    }

    #[test]
    fn junit_names_what_is_lost_and_holds_no_stray_character() {
        let text = String::from_utf8(junit("t&u", &verdict(), &["lost"])).unwrap();
        assert!(text.contains(r#"tests="3" failures="1""#), "{text}");
        assert!(text.contains("lost 3-4") && text.contains("p&lt;"), "{text}");
        assert!(text.contains("verify t&amp;u") && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn a_ticket_names_the_hole_and_what_excludes_other_reasons() {
        let verdict = verdict();
        let report = ScanReport {
            partitions: vec![PartitionRead {
                to: 9,
                read_to: 9,
                ..PartitionRead::default()
            }],
            compacted: Some(false),
            ..ScanReport::default()
        };
        let one = Hole {
            producer: "p".to_owned(),
            lane: "t/0".to_owned(),
            numbers: (3, 4),
            is_lost: true,
            before: Some(Neighbour {
                seq: 2,
                partition: 0,
                node: None,
                offset: 1,
                timestamp_ms: Some(0),
                leader_epoch: Some(5),
            }),
            after: None,
        };
        let text = markdown(&Evidence {
            topic: "t",
            broker: "kafka://h",
            summary: "s",
            verdict: &verdict,
            report: &report,
            facts: &Facts::default(),
            holes: &[one],
            left_out: 1,
            explained: &[Explained {
                what: "epoch-bump",
                count: 2,
                words: "a|b".to_owned(),
            }],
        });
        for part in [
            "LOST: 3-4 of p",
            "- epoch-bump: 2: a\\|b",
            "leader epoch 5",
            "acknowledged:",
            "not compacted",
            "t\\|x/0",
            "1 more holes",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
}
