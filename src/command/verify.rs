//! `mqsafe verify`: what the stamps in a topic prove.

mod drain;
mod follow;
mod group;
mod journal;
mod kept;
mod lists;
mod merge;
mod metrics;
mod reader;
mod receipts;
mod shelf;
mod show;

use super::resolve;
use super::stop::Asked;
use crate::broker;
use crate::cli::{Isolation, JudgeArgs, VerifyAction, VerifyArgs};
use crate::connect::{BrokerKind, Connection};
use crate::model::{Coverage, Outcome, Problem, ProblemKind, Result, Scan, ScanPlan, ScanReport};
use crate::ui::Ui;
use crate::verify::{
    self, Beside, Compared, Elsewhere, Expected, Explained, Facts, Field, Foreign, Found, Hole, Place, Second,
    Standing, State, Truth, Verdict,
};
use journal::Journal;
use metrics::Metrics;
use reader::{How, Keeper, Look, Reader};
use std::time::Duration;

/// How long a broker may think about whether a topic is compacted, when that decides the verdict.
const PATIENCE: Duration = Duration::from_secs(15);

/// Everything that a run found out.
pub(super) struct Answer {
    topic: String,
    verdict: Verdict,
    state: State,
    facts: Facts,
    holes: Vec<Hole>,
    left_out: usize,
    found: Option<Found>,
    /// With the words for what it was compared with.
    compared: Vec<(String, Compared)>,
    /// Why a comparison is not whole.
    unknown: Vec<String>,
    /// What may look like a loss, and is none; of what this run has read.
    explained: Vec<Explained>,
    /// Whether other runs have read, or will read, a part of it: then only what all of them say together is the verdict.
    is_shared: bool,
    /// Where groups stand.
    standings: Vec<Standing>,
    /// How many of the messages are in dead-letter and retry topics.
    set_aside: Vec<(String, u64)>,
    /// What was put back into spools, where that was asked for.
    resent: Option<receipts::Resent>,
    pid: bool,
}

pub(super) fn run(args: &VerifyArgs, ui: &Ui) -> Result<Outcome> {
    show::check(&args.judge)?;
    match &args.action {
        Some(VerifyAction::Merge(merge)) => merge::run(merge, ui),
        None => read(args, ui),
    }
}

fn read(args: &VerifyArgs, ui: &Ui) -> Result<Outcome> {
    let topic = args.topic.clone().unwrap_or_default();
    let connection = resolve::connection(&args.broker, ui)?;
    let mut scan = match (args.queue.tap, args.queue.drain) {
        (true, _) => broker::tap(&connection, &topic, args.queue.watch)?,
        (false, true) => broker::drain(&connection, &topic, args.queue.alone)?,
        (false, false) => broker::scan(&connection, &topic)?,
    };
    let mut member = match &args.group {
        Some(group) => Some(broker::member(&connection, &topic, group)?),
        None => None,
    };
    if args.truth.resend && args.truth.receipts.is_none() && args.truth.receipts_topic.is_none() {
        return Err(Problem::usage("--resend needs to know what was consumed")
            .next("give --receipts FILE or --receipts-topic TOPIC"));
    }
    if args.truth.pid && connection.url.kind() != BrokerKind::Kafka {
        return Err(Problem::usage(format!("{} has no --pid", connection.url.kind().name()))
            .because("only Kafka numbers messages by itself"));
    }
    let how = How::new(&args.truth, args.isolation)?;
    let mut expected = lists::expected(&args.truth)?;
    let _held = kept::hold(args.state.as_deref())?;
    let mut state = kept::load(args.state.as_deref(), &connection, &topic, &how, args.memory)?;
    if args.queue.drain && !drain::agreed(args, &topic, ui)? {
        return Err(Problem::usage("nothing was read").because("it was not agreed to"));
    }
    let metrics = args.metrics.as_deref().map(Metrics::serve).transpose()?;
    if let Some(metrics) = &metrics {
        ui.say(&format!("metrics: http://{}/metrics", metrics.at));
    }
    let asked = Asked::listen()?;
    // Before the scan: what it calls acknowledged must be there by then.
    let journal = Journal::read(&args.truth.journal, &connection, &topic, ui)?;
    let plan = ScanPlan {
        partitions: resolve::partitions(args.partitions.as_deref())?,
        read_uncommitted: args.isolation == Isolation::ReadUncommitted,
        batch_headers: true,
        headers_only: args.truth.pid,
        from: state.resume(),
        ..ScanPlan::default()
    };
    state.began_ms = Some(jiff::Timestamp::now().as_millisecond());
    let mut reader = Reader::new(connection.url.to_string(), state, &how, &asked, ui)
        .keeping(args.state.clone().map(|path| Keeper::new(path, args.state_every)));
    reader.expected = expected.as_mut();
    let problem = match &mut member {
        Some(member) => group::read(
            member.as_mut(),
            &mut reader,
            scan.as_mut(),
            &plan,
            args.state.as_deref(),
            &asked,
            ui,
        )?,
        None => reader.scan(scan.as_mut(), &plan)?,
    };
    drop(member);
    match problem {
        Some(problem) if reader.state.report.partitions.is_empty() => {
            return nothing(&args.judge, &topic, reader.state, &problem, &asked, ui);
        }
        // What was read before still stands, and nothing was added to it.
        Some(problem) => ui.problem(&problem),
        None => {}
    }
    if args.follow {
        follow::run(args, &mut reader, scan.as_mut(), &plan, metrics.as_ref(), &asked, ui)?;
    }
    let mut explained = reader.origins.explained();
    let (mut state, mut facts) = reader.finish();
    // What waited may have come by now, and is looked for anew.
    facts.excuse(state.excuses.lasting());
    explained.extend(verify::grown(&state.report));
    let mut answer = judge(
        scan.as_mut(),
        &connection,
        &mut state,
        facts,
        journal.truth(),
        args,
        &how,
        &asked,
        ui,
    )?;
    answer.explained.extend(explained);
    answer.explained.extend(sent_again(&answer.verdict));
    answer.unknown.extend(journal.left_out);
    answer.found = expected.as_ref().map(Expected::found);
    if let Some(copy) = &args.truth.against {
        let (compared, whole) = against(copy, args, &connection, &mut state, &how, &asked, ui)?;
        answer.compared.push((format!("the copy {copy}"), compared));
        answer.unknown.extend(whole);
    }
    if let Some((mut consumed, unknown)) = receipts::read(args, &connection, &asked, ui)? {
        let compared = verify::compare(&mut state.tracker, &mut consumed);
        answer.compared.push((receipts::WHAT.to_owned(), compared));
        if args.truth.resend && unknown.is_empty() && asked.signal().is_none() {
            let broker = connection.url.to_string();
            answer.resent = Some(receipts::resend(args, &broker, &topic, &mut consumed, ui)?);
        } else if args.truth.resend {
            ui.warn("nothing was put back, because the receipts are not all known");
        }
        answer.unknown.extend(unknown);
    }
    if !args.truth.groups.is_empty() {
        groups(args, &connection, &mut state, &how, &mut answer, &asked, ui)?;
        let consumed = answer.compared.iter().find(|(what, _)| what == receipts::WHAT);
        let keeps = !args.queue.tap && !args.queue.drain;
        if let Some((_, consumed)) = consumed.filter(|_| keeps && answer.unknown.is_empty()) {
            let why = receipts::skipped(scan.as_mut(), consumed, &mut answer.standings, &asked, ui)?;
            answer.unknown.extend(why);
        }
    }
    kept::save(args.state.as_deref(), &mut state)?;
    answer.state = state;
    show::all(&answer, &args.judge, &asked, ui)
}

/// Duplicates that the sender's journal makes likely: who gets no answer sends again, under the same number.
fn sent_again(verdict: &Verdict) -> Option<Explained> {
    let known = verdict.lanes.iter().filter(|lane| lane.is_known);
    let count = known.fold(0, |sum, lane| u64::saturating_add(sum, lane.duplicate));
    (count > 0).then(|| Explained {
        what: "sent-again",
        count,
        words: "duplicates of a sender whose journal is known: it sends a message again when no answer came".to_owned(),
    })
}

/// Nothing at all was read, and why.
fn nothing(
    judge: &JudgeArgs,
    topic: &str,
    mut state: State,
    problem: &Problem,
    asked: &Asked,
    ui: &Ui,
) -> Result<Outcome> {
    let verdict = verify::judge(&mut state.tracker, topic, &state.report, Beside::default());
    show::data(&verdict, judge, None, ui)?;
    ui.problem(problem);
    Ok(asked.outcome(problem.outcome))
}

/// Judges, and looks a second time where something is missing.
#[allow(clippy::too_many_arguments, reason = "each is another thing, used once")]
fn judge(
    scan: &mut dyn Scan,
    connection: &Connection,
    state: &mut State,
    mut facts: Facts,
    truth: Option<&Truth>,
    args: &VerifyArgs,
    how: &How,
    asked: &Asked,
    ui: &Ui,
) -> Result<Answer> {
    let topic = args.topic.clone().unwrap_or_default();
    let kind = connection.url.kind();
    match kind {
        // The end of a queue or stream is that of its leader's log.
        BrokerKind::RocketMq | BrokerKind::RabbitMq => {
            for read in &state.report.partitions {
                let place = Place {
                    node: read.node.clone(),
                    partition: read.partition,
                };
                facts.log_ends.insert(place, read.to);
            }
            facts.is_consumed = kind == BrokerKind::RabbitMq && state.report.assumption.is_some();
        }
        BrokerKind::Kafka => {}
    }
    let mut verdict = verify::judge(&mut state.tracker, &topic, &state.report, beside(truth, &facts));
    let is_missing = |verdict: &Verdict| {
        let totals = &verdict.totals;
        totals.gap > 0 || totals.lost.is_some_and(|n| n > 0) || totals.unseen.is_some_and(|n| n > 0)
    };
    let (mut holes, mut left_out) = (Vec::new(), 0);
    let (mut explained, mut unknown) = (Vec::new(), Vec::new());
    let mut is_looked = false;
    if is_missing(&verdict) && asked.signal().is_none() {
        if !verdict.gaps_are_proven {
            // Now the answer decides between loss and compaction, so it is worth a longer wait.
            state.report.compacted = scan.is_compacted(PATIENCE);
        }
        if kind == BrokerKind::Kafka {
            for (partition, end) in scan.log_ends(PATIENCE) {
                facts.log_ends.insert(Place { node: None, partition }, end);
            }
        }
        // A million gaps are not kept twice.
        drop(verdict);
        verdict = verify::judge(&mut state.tracker, &topic, &state.report, beside(truth, &facts));
        let second = Second::new(&verdict);
        let is_gone = args.queue.tap || args.queue.drain;
        let can_look_again = !facts.is_consumed && !is_gone && !args.truth.pid;
        if !can_look_again || second.is_empty() {
            // Without neighbours, but with what excludes every other reason.
            holes = second.finish(&mut facts);
            is_looked = true;
        } else {
            left_out = second.left_out;
            drop(verdict);
            let mut look = Look::new(second, &topic, how, asked, ui);
            let mut aside = Vec::new();
            let mut unlooked = look_again(scan, state, &mut look, &mut facts)?;
            if kind == BrokerKind::RocketMq {
                unlooked
                    .everywhere
                    .extend(look_where_messages_wait(connection, &mut look, ui)?);
                aside = look_where_consumers_put_them(connection, &topic, &mut look, ui)?;
            }
            explained.extend(look.found_elsewhere().into_iter().map(|(place, count)| Explained {
                what: place.word(),
                count,
                words: place.words().to_owned(),
            }));
            holes = look.finish(&mut facts);
            verdict = verify::judge(&mut state.tracker, &topic, &state.report, beside(truth, &facts));
            if is_missing(&verdict) {
                unknown = unlooked.doubts(&mut verdict, &topic, &state.report);
                is_looked = unknown.is_empty();
                // What consumers gave back was in the topic before: without a look there the rest is missing all the same.
                unknown.extend(aside);
            }
        }
    }
    state.excuses = facts.excuses().clone();
    // Somebody stopped before all was looked at: what is missing may have a reason.
    if is_missing(&verdict) && asked.signal().is_some() && verdict.coverage.is_complete() {
        verdict.coverage = Coverage::Partial("stopped before what is missing was looked at again".to_owned());
    }
    state.is_looked = !is_missing(&verdict) || is_looked;
    Ok(Answer {
        topic,
        verdict,
        state: State::default(),
        facts,
        holes,
        left_out,
        found: None,
        compared: Vec::new(),
        unknown,
        explained,
        is_shared: args.state.is_some(),
        standings: Vec::new(),
        set_aside: Vec::new(),
        resent: None,
        pid: args.truth.pid,
    })
}

fn beside<'a>(truth: Option<&'a Truth>, facts: &'a Facts) -> Beside<'a> {
    Beside {
        truth,
        facts: Some(facts),
    }
}

/// What could not be looked at again, so that what is missing there may have a reason.
#[derive(Default)]
struct Unlooked {
    /// Why it holds for everything that is missing.
    everywhere: Vec<String>,
    /// Partitions and queues, with the reason.
    places: Vec<(Place, String)>,
}

impl Unlooked {
    /// Takes the proof from a verdict of which nothing that is missing was looked at, and says what was not.
    fn doubts(self, verdict: &mut Verdict, topic: &str, report: &ScanReport) -> Vec<String> {
        let home = |lane: &str| report.partitions.iter().find(|read| read.is_home_of(lane, topic));
        let is_doubtful = |lane: &str| {
            let of = |place: &Place| {
                home(lane).is_none_or(|home| (&home.node, home.partition) == (&place.node, place.partition))
            };
            !self.everywhere.is_empty() || self.places.iter().any(|(place, _)| of(place))
        };
        let mut missing = verdict
            .lanes
            .iter()
            .filter(|lane| !(lane.gaps.is_empty() && lane.lost.is_empty()))
            .peekable();
        if missing.peek().is_none() {
            return Vec::new();
        }
        let (mut doubtful, mut all) = (0_u64, true);
        for lane in missing {
            match is_doubtful(&lane.lane) {
                true => doubtful += 1,
                false => all = false,
            }
        }
        if doubtful == 0 {
            return Vec::new();
        }
        let why: Vec<String> = self
            .everywhere
            .into_iter()
            .chain(self.places.into_iter().map(|(_, why)| why))
            .collect();
        if all {
            verdict.gaps_are_proven = false;
            verdict.coverage = match &verdict.coverage {
                Coverage::Partial(first) => Coverage::Partial(format!("{first}; {}", why.join("; "))),
                Coverage::Complete | Coverage::CompleteIf(_) => Coverage::Partial(why.join("; ")),
            };
        }
        why
    }
}

/// Reads again, also what is not committed: whether what is missing lies in a transaction, what lies beside it, and where the log
/// starts by now.
fn look_again(scan: &mut dyn Scan, state: &State, look: &mut Look<'_>, facts: &mut Facts) -> Result<Unlooked> {
    let plan = ScanPlan {
        partitions: match state.report.partitions.iter().any(|read| read.node.is_some()) {
            true => Vec::new(),
            false => state.report.partitions.iter().map(|read| read.partition).collect(),
        },
        read_uncommitted: true,
        batch_headers: true,
        ..ScanPlan::default()
    };
    let (report, problem) = resolve::read(scan.scan(&plan, look))?;
    let mut unlooked = Unlooked::default();
    let again = "what is missing could not be looked at again";
    if let Some(problem) = problem {
        unlooked.everywhere.push(format!("{again}: {problem}"));
    } else if report.stopped {
        unlooked.everywhere.push(format!("{again}: stopped before the end"));
    }
    for read in &report.partitions {
        let start = read.log_start.or(read.error.is_none().then_some(read.from));
        let place = Place {
            node: read.node.clone(),
            partition: read.partition,
        };
        facts.log_starts.extend(start.map(|start| (place.clone(), start)));
        if let Some(why) = &read.error {
            unlooked
                .places
                .push((place, format!("{again} in {}: {why}", read.name())));
        }
    }
    Ok(unlooked)
}

/// Looks for what is missing where RocketMQ keeps messages that are not, or not yet, for readers: prepared ones of transactions, and
/// those that wait for their time. Also says what of these places could not be read.
fn look_where_messages_wait(connection: &Connection, look: &mut Look<'_>, ui: &Ui) -> Result<Vec<String>> {
    let places = [
        (Elsewhere::Half, "RMQ_SYS_TRANS_HALF_TOPIC"),
        (Elsewhere::Timer, "rmq_sys_wheel_timer"),
        (Elsewhere::Timer, "SCHEDULE_TOPIC_XXXX"),
    ];
    look_in(
        connection,
        places.map(|(place, name)| (place, name.to_owned())).into(),
        look,
        ui,
    )
}

/// Looks for what is missing in the retry and dead-letter topics of the groups that read the topic, as the brokers know them. Also says
/// what of these could not be read.
fn look_where_consumers_put_them(
    connection: &Connection,
    topic: &str,
    look: &mut Look<'_>,
    ui: &Ui,
) -> Result<Vec<String>> {
    // Which groups there are is asked, and of no place where they stand.
    let following = match broker::follow(connection, topic).and_then(|mut follow| follow.follow(&[], PATIENCE)) {
        Ok(following) => following,
        Err(problem) if problem.outcome == Outcome::Unknown => return Ok(vec![problem.to_string()]),
        Err(problem) => return Err(problem),
    };
    let place = |copy: &String| match copy.starts_with("%DLQ%") {
        true => Elsewhere::DeadLetters,
        false => Elsewhere::Retry,
    };
    let places = following.copies.into_iter().map(|copy| (place(&copy), copy)).collect();
    let mut unknown = following.unknown;
    unknown.extend(look_in(connection, places, look, ui)?);
    Ok(unknown)
}

/// Looks for what is missing in other topics of the broker. Also says what of these could not be read.
fn look_in(
    connection: &Connection,
    places: Vec<(Elsewhere, String)>,
    look: &mut Look<'_>,
    ui: &Ui,
) -> Result<Vec<String>> {
    let mut unknown = Vec::new();
    for (place, topic) in places {
        look.elsewhere = Some(place);
        let read = broker::scan(connection, &topic).and_then(|mut scan| scan.scan(&ScanPlan::default(), look));
        let (report, problem) = resolve::read(read)?;
        match problem {
            // It is made with its first message.
            Some(problem) if problem.kind == ProblemKind::Absent => {}
            Some(why) => unknown.push(format!("whether what is missing is in {topic}: {why}")),
            None if !report.coverage().is_complete() => {
                unknown.push(format!(
                    "whether what is missing is in {topic}: {}",
                    report.coverage().word()
                ));
            }
            None => ui.say(&format!("looked for what is missing in {topic} too")),
        }
    }
    look.elsewhere = None;
    Ok(unknown)
}

/// Reads the copy and compares it.
fn against(
    copy: &str,
    args: &VerifyArgs,
    connection: &Connection,
    state: &mut State,
    how: &How,
    asked: &Asked,
    ui: &Ui,
) -> Result<(Compared, Option<String>)> {
    let (other, topic) = match copy.strip_prefix('@').and_then(|rest| rest.split_once('/')) {
        Some((context, topic)) => {
            let mut settings = args.broker.settings.clone();
            settings.context = Some(context.to_owned());
            (Some(resolve::told(resolve::resolved(None, &settings)?, ui)), topic)
        }
        None => match &args.truth.against_broker {
            Some(url) => (Some(resolve::connection_to(url, &args.broker.settings, ui)?), copy),
            None => (None, copy),
        },
    };
    let connection = other.as_ref().unwrap_or(connection);
    let isolation = args.isolation == Isolation::ReadUncommitted;
    let (mut theirs, unread) = elsewhere(connection, topic, isolation, (args, how, asked, ui))?;
    let whole = unread.map(|word| format!("{copy}: {word}"));
    Ok((verify::compare(&mut state.tracker, &mut theirs.tracker), whole))
}

/// Reads another topic, where messages keep the stamps of the place that they were first sent to. Also says how much of it was not
/// read, if anything.
fn elsewhere(
    connection: &Connection,
    topic: &str,
    read_uncommitted: bool,
    (args, how, asked, ui): (&VerifyArgs, &How, &Asked, &Ui),
) -> Result<(State, Option<String>)> {
    let mut scan = broker::scan(connection, topic)?;
    let fresh = kept::fresh(connection, topic, how, args.memory);
    let broker = connection.url.to_string();
    let mut reader = Reader::new(broker, fresh, how, asked, ui);
    reader.state.tracker.by_origin = true;
    let plan = ScanPlan {
        read_uncommitted,
        ..ScanPlan::default()
    };
    if let Some(problem) = reader.scan(scan.as_mut(), &plan)? {
        ui.problem(&problem);
    }
    let (theirs, _) = reader.finish();
    let coverage = theirs.report.coverage();
    Ok((theirs, (!coverage.is_complete()).then(|| coverage.word())))
}

/// Asks where groups stand, and looks for messages that were set aside in dead-letter and retry topics.
fn groups(
    args: &VerifyArgs,
    connection: &Connection,
    state: &mut State,
    how: &How,
    answer: &mut Answer,
    asked: &Asked,
    ui: &Ui,
) -> Result<()> {
    let reads = state.report.partitions.iter();
    let places: Vec<_> = reads.map(|read| (read.node.clone(), read.partition)).collect();
    let following = match broker::follow(connection, &state.topic).and_then(|mut f| f.follow(&places, PATIENCE)) {
        Ok(following) => following,
        Err(problem) if problem.outcome == Outcome::Unknown => {
            answer.unknown.push(problem.to_string());
            return Ok(());
        }
        Err(problem) => return Err(problem),
    };
    let (standings, absent) = verify::standings(&following.groups, &args.truth.groups);
    answer.standings = standings;
    answer.unknown.extend(
        absent
            .iter()
            .map(|group| format!("no group {group} is known for this topic")),
    );
    answer.unknown.extend(following.unknown);
    for copy in &following.copies {
        let (mut theirs, unread) = elsewhere(connection, copy, false, (args, how, asked, ui))?;
        answer.unknown.extend(unread.map(|word| format!("{copy}: {word}")));
        answer.set_aside.push((
            copy.clone(),
            verify::compare(&mut state.tracker, &mut theirs.tracker).both,
        ));
    }
    Ok(())
}

/// Where another stamp stands.
fn foreign(seq: Option<&str>, producer: Option<&str>) -> Result<Option<Foreign>> {
    let Some(seq) = seq else { return Ok(None) };
    Ok(Some(Foreign {
        seq: Field::parse("--seq-from", seq)?,
        producer: producer.map(|text| Field::parse("--producer-from", text)).transpose()?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::PartitionRead;
    use crate::verify::LaneVerdict;

    fn verdict() -> (Verdict, ScanReport) {
        let lane = |partition: i32, gaps| LaneVerdict {
            producer: "p".to_owned(),
            lane: format!("t/{partition}"),
            gaps,
            ..LaneVerdict::default()
        };
        let verdict = Verdict {
            totals: verify::Totals {
                gap: 2,
                ..verify::Totals::default()
            },
            lanes: vec![lane(0, vec![(3, 3)]), lane(1, Vec::new()), lane(2, vec![(5, 5)])],
            coverage: Coverage::Complete,
            gaps_are_proven: true,
        };
        let partitions = (0..3).map(|partition| PartitionRead {
            partition,
            ..PartitionRead::default()
        });
        let report = ScanReport {
            partitions: partitions.collect(),
            ..ScanReport::default()
        };
        (verdict, report)
    }

    /// What could not be looked at again is not missing for certain; what lies elsewhere and was looked at is.
    #[test]
    fn a_gap_is_proven_only_where_it_was_looked_at_again() {
        let at = |partitions: &[i32]| Unlooked {
            places: partitions
                .iter()
                .map(|partition| {
                    let place = Place {
                        node: None,
                        partition: *partition,
                    };
                    (place, format!("partition {partition} is gone"))
                })
                .collect(),
            ..Unlooked::default()
        };
        let everywhere = Unlooked {
            everywhere: vec!["no answer".to_owned()],
            ..Unlooked::default()
        };
        for (unlooked, is_proven, words) in [
            (Unlooked::default(), true, 0),
            (at(&[1]), true, 0),
            (at(&[0]), true, 1),
            (at(&[0, 2]), false, 2),
            (everywhere, false, 1),
        ] {
            let (mut verdict, report) = verdict();
            let why = unlooked.doubts(&mut verdict, "t", &report);
            assert_eq!((verdict.gaps_are_proven, why.len()), (is_proven, words), "{why:?}");
            assert_eq!(verdict.coverage.is_complete(), is_proven, "{:?}", verdict.coverage);
        }
    }
}
