//! Asks running brokers, for an audit.
//!
//! Asking goes on in a thread of its own, so that Ctrl-C is heard whatever a broker does. What was being read when it came is given up:
//! it is told as unread, what was read before is judged, and the run ends with 130 (143 for TERM).

use crate::audit::live::{Observation, Unread, Wanted};
use crate::broker;
use crate::cli::{LiveArgs, SettingArgs};
use crate::command::resolve;
use crate::command::stop::Asked;
use crate::connect::{BrokerKind, Connection};
use crate::model::{Outcome, Problem, Result};
use crate::ui::Ui;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// How long one node may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked whether a signal came.
const LOOK: Duration = Duration::from_millis(50);

/// What the thread that asks has to say.
enum Told {
    Step(u64, u64, String),
    All(Box<Result<Observation>>),
}

/// What every named cluster tells. One that cannot be reached is told as unread: the others, and the files, are judged all the same.
pub(super) fn observe(args: &LiveArgs, ui: &Ui, asked: &Asked) -> Result<Vec<Observation>> {
    let settings = SettingArgs {
        properties: args.properties.clone(),
        config: args.client_config.clone(),
        context: args.context.clone(),
        management: args.management.clone(),
    };
    let wanted = Wanted {
        topics: args.topic.clone(),
        queues: args.queue.clone(),
        exclude: args.exclude.clone(),
        peek: args.peek,
        patience: PATIENCE,
    };
    let brokers: Vec<Option<&str>> = match args.broker.is_empty() {
        true => vec![None],
        false => args.broker.iter().map(|b| Some(b.as_str())).collect(),
    };
    let mut connections = Vec::new();
    for broker in brokers {
        let connection = resolve::told(resolve::resolved(broker, &settings)?, ui);
        // Named twice it is one cluster all the same.
        if connections
            .iter()
            .all(|c: &Connection| c.url.to_string() != connection.url.to_string())
        {
            connections.push(connection);
        }
    }
    let kinds = |kind| connections.iter().any(|c: &Connection| c.url.kind() == kind);
    if (!args.queue.is_empty() || args.peek > 0) && !kinds(BrokerKind::RabbitMq) {
        return Err(Problem::usage("--queue and --peek are for RabbitMQ, and no broker is one").next("leave them out"));
    }
    let mut all = Vec::new();
    for connection in &connections {
        let target: Arc<str> = Arc::from(connection.url.to_string());
        all.push(match one(connection, &wanted, ui, asked) {
            Ok(observed) => observed,
            Err(problem) if problem.outcome == Outcome::Unknown => unreached(target, problem),
            Err(problem) => return Err(problem),
        });
    }
    for observed in &mut all {
        observed.asked = Some(wanted.clone());
    }
    // Of what was not read to its end nobody knows which names are there.
    if asked.signal().is_none() {
        let unmet = wanted.unmet(&all);
        if let Some(first) = all.first_mut() {
            first.unread.extend(unmet);
        }
    }
    Ok(all)
}

/// Asks one cluster, until it has told everything or a signal comes.
fn one(connection: &Connection, wanted: &Wanted, ui: &Ui, asked: &Asked) -> Result<Observation> {
    if asked.signal().is_some() {
        return Err(interrupted());
    }
    let progress = ui.progress("audit");
    let (sender, told) = mpsc::channel();
    let (connection, wanted) = (connection.clone(), wanted.clone());
    // Nobody waits for it after a signal: it only reads, and ends with the process.
    std::thread::Builder::new()
        .name("audit".to_owned())
        .spawn(move || {
            let heard = |done, total, what: &str| drop(sender.send(Told::Step(done, total, what.to_owned())));
            let all = broker::observe(&connection, &wanted, &heard);
            drop(sender.send(Told::All(Box::new(all))));
        })
        .map_err(|e| Problem::unknown("the running brokers").because(e))?;
    let answer = loop {
        match told.recv_timeout(LOOK) {
            Ok(Told::All(all)) => break *all,
            Ok(Told::Step(done, total, what)) => {
                progress.set_total(total);
                progress.set(done, &what);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                break Err(Problem::unknown("the running brokers").because("asking them failed in the middle"));
            }
        }
        if asked.signal().is_some() {
            break Err(interrupted());
        }
    };
    progress.finish();
    answer
}

fn interrupted() -> Problem {
    Problem::unknown("the whole cluster")
        .because("the audit was interrupted before it had read everything")
        .next("run it again; --topic and --queue make it shorter")
}

fn unreached(target: Arc<str>, problem: Problem) -> Observation {
    let unread = Unread {
        what: problem.what.clone(),
        why: problem.causes.join(": "),
        next: problem
            .next
            .unwrap_or_else(|| "check the address, and whether the broker runs".to_owned()),
    };
    Observation {
        unread: vec![unread],
        ..Observation::new(target)
    }
}

/// Options for running brokers are never left out unsaid.
pub(super) fn refuse_without(args: &LiveArgs) -> Result<Vec<Observation>> {
    let given = [
        (!args.properties.is_empty(), "-X"),
        (args.client_config.is_some(), "-F"),
        (args.management.is_some(), "--management"),
        (!args.topic.is_empty(), "--topic"),
        (!args.queue.is_empty(), "--queue"),
        (!args.exclude.is_empty(), "--exclude"),
        (args.peek > 0, "--peek"),
    ];
    match given.into_iter().find(|(given, _)| *given) {
        Some((_, flag)) => Err(
            Problem::usage(format!("{flag} is for running brokers, and none is named")).next("name one with -b or -C"),
        ),
        None => Ok(Vec::new()),
    }
}
