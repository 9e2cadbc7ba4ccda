//! What a verdict comes to, and how it is shown.

use super::Answer;
use crate::cli::{Allow, Deny, JudgeArgs, VerifyFormat, VerifyProfile};
use crate::command::stop::Asked;
use crate::model::{Outcome, Problem, Result};
use crate::ui::emit::{query as coverage, verify as emit};
use crate::ui::{Table, Ui, count};
use crate::verify::{Found, LaneVerdict, Totals, Verdict};

/// Lanes without trouble are shown one by one up to this many.
const SHOWN_LANES: usize = 50;
/// Ranges that a person is shown of one lane; JSON has all.
const SHOWN_RANGES: usize = 8;
/// Ids that a person is shown.
const SHOWN_IDS: usize = 8;

/// Options that make no sense together.
pub(super) fn check(judge: &JudgeArgs) -> Result<()> {
    if judge.max_loss.is_some() && judge.profile != Some(VerifyProfile::Logs) {
        return Err(Problem::usage("--max-loss is for --profile logs")
            .because("where messages matter one by one, no share of them may be missing")
            .next("add --profile logs, or leave --max-loss out"));
    }
    if judge.profile == Some(VerifyProfile::Logs) && judge.max_loss.is_none() {
        return Err(Problem::usage("--profile logs needs --max-loss")
            .next("state the share that may be missing: --max-loss 0.01%"));
    }
    Ok(())
}

/// Why a verdict is an anomaly, in words; empty when it is none.
pub(super) fn anomalies(totals: &Totals, gaps_are_proven: bool, judge: &JudgeArgs) -> Vec<&'static str> {
    let is_finance = judge.profile == Some(VerifyProfile::Finance);
    let denied = |what: Deny| is_finance || judge.deny.contains(&what);
    let lost = totals.lost.unwrap_or(0);
    let missing = lost.saturating_add(totals.gap);
    let tolerated = judge.max_loss.is_some_and(|share| {
        // Sums of messages are far below what a float holds exactly, and a hostile claim is only rounded.
        missing as f64 <= (totals.stamped.saturating_sub(totals.duplicate).saturating_add(missing)) as f64 * share
    });
    let mut why = Vec::new();
    let mut add = |word, is_anomaly: bool, allow: Option<Allow>| {
        if is_anomaly && !allow.is_some_and(|allow| judge.allow.contains(&allow)) {
            why.push(word);
        }
    };
    add("lost", lost > 0 && gaps_are_proven && !tolerated, None);
    add("gap", totals.gap > 0 && gaps_are_proven && !tolerated, Some(Allow::Gap));
    add("corrupt", totals.corrupt > 0, Some(Allow::Corrupt));
    add(
        "aborted-read",
        totals.aborted_read.is_some_and(|n| n > 0),
        Some(Allow::AbortedRead),
    );
    add(
        "duplicate",
        totals.duplicate > 0 && denied(Deny::Duplicate),
        Some(Allow::Duplicate),
    );
    add(
        "reordered",
        totals.reordered > 0 && denied(Deny::Reordered),
        Some(Allow::Reordered),
    );
    add("moved", totals.moved > 0 && denied(Deny::Moved), Some(Allow::Moved));
    why
}

/// What an answer comes to. A topic in which nothing is stamped proves nothing, which is not the same as nothing lost.
pub(super) fn outcome(answer: &Answer, judge: &JudgeArgs) -> Outcome {
    let verdict = &answer.verdict;
    let totals = &verdict.totals;
    let ids = answer
        .found
        .as_ref()
        .is_some_and(|found| found.missing_count > 0 || found.unexpected_count > 0);
    let differs = answer.compared.iter().any(|(_, compared)| compared.missing_count > 0);
    let is_complete = verdict.coverage.is_complete();
    if !anomalies(totals, verdict.gaps_are_proven, judge).is_empty() {
        return Outcome::Negative;
    }
    // An id that was not read is missing only where everything was read.
    if (ids || differs) && is_complete && answer.unknown.is_empty() {
        return Outcome::Negative;
    }
    let is_drained = totals.unseen.unwrap_or(0) == 0;
    let says_something = totals.stamped > 0 || answer.found.is_some();
    match says_something && is_complete && is_drained && answer.unknown.is_empty() && !differs && !ids {
        true => Outcome::Good,
        false => Outcome::Unknown,
    }
}

/// Everything: data, coverage, the words and the summary.
pub(super) fn all(answer: &Answer, judge: &JudgeArgs, asked: &Asked, ui: &Ui) -> Result<Outcome> {
    data(&answer.verdict, judge, Some(answer), ui)?;
    for line in coverage::coverage_lines(&answer.topic, &answer.state.report) {
        ui.say(&line);
    }
    words(answer, ui);
    let outcome = outcome(answer, judge);
    if let Some(path) = &judge.evidence {
        std::fs::write(path, markdown(answer, judge, outcome)).map_err(|e| {
            Problem::unknown(format!("the evidence cannot be written to {}", path.display())).because(e)
        })?;
    }
    ui.summary(&summary(answer, judge, outcome));
    Ok(asked.outcome(outcome))
}

/// The verdict alone, in the format that was asked for.
pub(super) fn data(verdict: &Verdict, judge: &JudgeArgs, answer: Option<&Answer>, ui: &Ui) -> Result<()> {
    match (judge.format, answer) {
        (VerifyFormat::Json, _) => {
            let more = answer.map(|answer| emit::More {
                found: answer.found.as_ref(),
                compared: &answer.compared,
                unknown: &answer.unknown,
                explained: if answer.is_shared { &[] } else { &answer.explained },
                standings: &answer.standings,
                set_aside: &answer.set_aside,
                resent: answer
                    .resent
                    .map(|resent| (resent.again, resent.consumed, resent.waits)),
            });
            ui.data_from(|to| emit::json(verdict, more.as_ref(), to))
        }
        (VerifyFormat::Human, Some(_)) => ui.data(table(verdict, ui.width()).as_bytes()),
        (VerifyFormat::Human, None) => Ok(()),
        (VerifyFormat::Junit, _) => {
            let why = anomalies(&verdict.totals, verdict.gaps_are_proven, judge);
            let topic = answer.map_or("", |answer| answer.topic.as_str());
            ui.data(&emit::junit(topic, verdict, &why))
        }
        (VerifyFormat::Markdown, Some(answer)) => ui.data(markdown(answer, judge, outcome(answer, judge)).as_bytes()),
        (VerifyFormat::Markdown, None) => Ok(()),
    }
}

fn markdown(answer: &Answer, judge: &JudgeArgs, outcome: Outcome) -> String {
    emit::markdown(&emit::Evidence {
        topic: &answer.topic,
        broker: &answer.state.broker,
        summary: &summary(answer, judge, outcome),
        verdict: &answer.verdict,
        report: &answer.state.report,
        facts: &answer.facts,
        holes: &answer.holes,
        left_out: answer.left_out,
        explained: &answer.explained,
    })
}

/// What a person should know besides the table.
fn words(answer: &Answer, ui: &Ui) {
    let totals = &answer.verdict.totals;
    for hole in answer.holes.iter().filter(|hole| hole.is_lost).take(SHOWN_RANGES) {
        for line in emit::hole(hole, &answer.verdict, &answer.state.report, &answer.facts) {
            ui.say(&line);
        }
    }
    if totals.expired > 0 {
        let report = &answer.state.report;
        let starts = report.partitions.iter().filter(|read| read.from > 0).count();
        let why = match report.compacted {
            _ if let Some(leaves) = &report.leaves => leaves.clone(),
            Some(true) => "the topic is compacted, which removes old values of a key".to_owned(),
            Some(false) | None => format!(
                "{} of the logs no longer start at 0 (retention or deleted records)",
                starts
            ),
        };
        ui.say(&format!("expired: {why}"));
    }
    if totals.unseen.is_some_and(|n| n > 0) {
        ui.say("unseen: acknowledged, and above what could be read: not replicated yet, behind an open transaction, not reached, or acknowledged after the reading began; ask again later");
    }
    if totals.single > 0 && !answer.pid {
        ui.say(&format!(
            "{} of {} hold a single number, in which nothing could be seen to be missing; `send --lane exchange` numbers a whole exchange as one",
            totals.single,
            count(answer.verdict.lanes.len() as u64, "lane")
        ));
    }
    for explained in &answer.explained {
        ui.say(&format!("{}: {}: {}", explained.what, explained.count, explained.words));
    }
    if let Some(found) = &answer.found {
        expected(found, ui);
    }
    for (what, compared) in &answer.compared {
        ui.say(&format!(
            "against {what}: {} in both, {} missing there, {} unexpected there",
            compared.both, compared.missing_count, compared.unexpected_count
        ));
        for (word, all) in [
            ("missing there", &compared.missing),
            ("unexpected there", &compared.unexpected),
        ] {
            for differing in all.iter().take(SHOWN_RANGES) {
                ui.say(&format!(
                    "  {word}: {} {} {}",
                    differing.producer,
                    differing.lane,
                    ranges(&differing.numbers)
                ));
            }
        }
    }
    if let Some(resent) = &answer.resent {
        ui.say(&format!(
            "put back: {} wait in the spool again; noted as consumed: {}; not consumed, and their time is not over: {}",
            resent.again, resent.consumed, resent.waits
        ));
        if resent.again > 0 {
            ui.say("  next: mqsafe spool flush");
        }
    }
    for standing in &answer.standings {
        let node = standing
            .node
            .as_ref()
            .map_or_else(String::new, |node| format!("{node}/"));
        let at = standing.next.map_or_else(
            || "never committed".to_owned(),
            |next| format!("consumed up to offset {next}"),
        );
        let gone = match standing.expired_unread {
            0 => String::new(),
            n => format!("; {n} EXPIRED BEFORE IT READ THEM"),
        };
        let skipped = match standing.skipped {
            None | Some(0) => String::new(),
            Some(n) => {
                format!("; {n} SKIPPED: it has committed beyond them, and no receipt says that they were consumed")
            }
        };
        ui.say(&format!(
            "group {} in {node}{}: {at}, {} stored and not consumed{gone}{skipped}",
            standing.group, standing.partition, standing.waiting
        ));
    }
    for (copy, count) in &answer.set_aside {
        ui.say(&format!("set aside in {copy}: {count} of these messages"));
    }
    for why in &answer.unknown {
        ui.say(&format!("not known: {why}"));
    }
}

fn expected(found: &Found, ui: &Ui) {
    ui.say(&format!(
        "ids: {} expected, {} missing, {} unexpected, {} there more than once, {} messages without one",
        found.expected, found.missing_count, found.unexpected_count, found.duplicate_count, found.without
    ));
    for (word, ids, count) in [
        ("missing", &found.missing, found.missing_count),
        ("unexpected", &found.unexpected, found.unexpected_count),
        ("there more than once", &found.duplicates, found.duplicate_count),
    ] {
        if ids.is_empty() {
            continue;
        }
        let names: Vec<_> = ids
            .iter()
            .take(SHOWN_IDS)
            .map(|id| String::from_utf8_lossy(id).into_owned())
            .collect();
        let more = count.saturating_sub(names.len() as u64);
        let rest = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        ui.say(&format!("  {word}: {}{rest}", names.join(", ")));
    }
}

fn summary(answer: &Answer, judge: &JudgeArgs, outcome: Outcome) -> String {
    let Answer { topic, verdict, .. } = answer;
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
        single: _,
    } = verdict.totals;
    let nothing = match (stamped, answer.pid) {
        (0, false) => "; nothing here is stamped by mqsafe, so nothing can be said about loss",
        (0, true) => "; no producer here numbers its messages (enable.idempotence), so nothing can be said about loss",
        _ => "",
    };
    let word = match outcome {
        Outcome::Good => "no anomaly",
        Outcome::Negative => "ANOMALIES",
        Outcome::Usage | Outcome::Unknown | Outcome::Spooled | Outcome::Interrupted(_) => "no answer",
    };
    let lost = lost.map_or_else(String::new, |n| format!(", lost {n}"));
    let mut more = String::new();
    for (name, count) in [
        ("moved", moved),
        ("unseen", unseen.unwrap_or(0)),
        ("expired", expired),
        ("unconfirmed and missing", unconfirmed_missing.unwrap_or(0)),
        ("recovered", recovered.unwrap_or(0)),
        ("aborted", aborted.unwrap_or(0)),
        ("aborted and read", aborted_read.unwrap_or(0)),
        ("void", void),
        ("corrupt", corrupt),
    ] {
        if count > 0 {
            more.push_str(&format!(", {name} {count}"));
        }
    }
    if let Some(share) = judge.max_loss {
        more.push_str(&format!(" (tolerated: {}%)", share * 100.0));
    }
    let coverage = verdict.coverage.word();
    format!(
        "{topic}: {word}: read {read}, stamped {stamped}{lost}, gap {gap}, duplicate {duplicate}, reordered {reordered}{more}{nothing}; {coverage}"
    )
}

fn ranges(ranges: &[(u64, u64)]) -> String {
    if ranges.is_empty() {
        return "-".to_owned();
    }
    let mut text = ranges
        .iter()
        .take(SHOWN_RANGES)
        .map(emit::range)
        .collect::<Vec<_>>()
        .join(",");
    if ranges.len() > SHOWN_RANGES {
        text.push_str(&format!(" and {} more", ranges.len() - SHOWN_RANGES));
    }
    text
}

fn table(verdict: &Verdict, width: usize) -> String {
    let all = verdict.lanes.len() <= SHOWN_LANES;
    let shown: Vec<&LaneVerdict> = verdict.lanes.iter().filter(|lane| all || !lane.is_clean()).collect();
    let is_judged = verdict.totals.lost.is_some();
    let mut titles = vec!["producer", "lane", "read", "numbers", "missing", "gaps"];
    if is_judged {
        titles.extend(["lost", "unseen"]);
    }
    titles.extend(["duplicates", "reordered"]);
    let mut table = Table::new(&titles, width);
    table.numbers([2, 4, titles.len() - 1]);
    for lane in &shown {
        let mut cells = vec![
            lane.producer.clone(),
            lane.lane.clone(),
            lane.read.to_string(),
            format!("{}-{}", lane.first, lane.last),
            lane.gap().saturating_add(lane.lost()).to_string(),
            ranges(&lane.gaps),
        ];
        if is_judged {
            cells.extend([ranges(&lane.lost), ranges(&lane.unseen)]);
        }
        cells.extend([ranges(&lane.duplicates), lane.reordered.to_string()]);
        table.row(cells);
    }
    let Totals {
        stamped,
        lost,
        gap,
        duplicate,
        reordered,
        unseen,
        ..
    } = verdict.totals;
    let clean = verdict.lanes.len() - shown.len();
    let name = if clean > 0 {
        format!("{clean} more lanes without trouble")
    } else {
        String::new()
    };
    let mut cells = vec![
        "total".to_owned(),
        name,
        stamped.to_string(),
        String::new(),
        gap.saturating_add(lost.unwrap_or(0)).to_string(),
        String::new(),
    ];
    if is_judged {
        cells.extend([lost, unseen].map(|n| n.unwrap_or(0).to_string()));
    }
    cells.extend([duplicate.to_string(), reordered.to_string()]);
    table.row(cells);
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        judge: JudgeArgs,
    }

    fn why(words: &[&str], totals: Totals) -> Vec<&'static str> {
        let typed = Typed::try_parse_from([&["x"], words].concat()).unwrap();
        check(&typed.judge).unwrap();
        anomalies(&totals, true, &typed.judge)
    }

    #[test]
    fn each_profile_has_its_anomalies() {
        let twice = Totals {
            stamped: 10_000,
            duplicate: 1,
            ..Totals::default()
        };
        assert_eq!(why(&[], twice), [] as [&str; 0]);
        assert_eq!(why(&["--profile", "finance"], twice), ["duplicate"]);
        assert_eq!(
            why(&["--profile", "finance", "--allow", "duplicate"], twice),
            [] as [&str; 0]
        );
        assert_eq!(why(&["--deny", "duplicate"], twice), ["duplicate"]);
        let missing = Totals {
            stamped: 9_999,
            gap: 1,
            lost: Some(0),
            ..Totals::default()
        };
        assert_eq!(
            why(&["--profile", "logs", "--max-loss", "0.01%"], missing),
            [] as [&str; 0]
        );
        assert_eq!(why(&["--profile", "logs", "--max-loss", "0.009%"], missing), ["gap"]);
        assert_eq!(why(&["--allow", "gap"], missing), [] as [&str; 0]);
        let lost = Totals {
            lost: Some(2),
            ..missing
        };
        assert_eq!(why(&["--allow", "gap"], lost), ["lost"]);
        let typed = Typed::try_parse_from(["x", "--max-loss", "1%"]).unwrap();
        assert!(check(&typed.judge).is_err());
        assert!(Typed::try_parse_from(["x", "--max-loss", "1"]).is_err());
    }
}
