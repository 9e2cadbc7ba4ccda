//! Asks running brokers, for an audit.

use crate::audit::live::{Observation, Unread, Wanted};
use crate::broker;
use crate::cli::{LiveArgs, SettingArgs};
use crate::command::resolve;
use crate::connect::BrokerKind;
use crate::model::{Outcome, Problem, Result};
use crate::ui::Ui;
use std::sync::Arc;
use std::time::Duration;

/// How long one node may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What every named cluster tells. One that cannot be reached is told as unread: the others, and the files, are judged all the same.
pub(super) fn observe(args: &LiveArgs, ui: &Ui) -> Result<Vec<Observation>> {
    if !args.any() {
        return refuse_without(args);
    }
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
        connections.push(resolve::told(resolve::resolved(broker, &settings)?, ui));
    }
    let kinds = |kind| {
        connections
            .iter()
            .any(|c: &crate::connect::Connection| c.url.kind() == kind)
    };
    if (!args.queue.is_empty() || args.peek > 0) && !kinds(BrokerKind::RabbitMq) {
        return Err(Problem::usage("--queue and --peek are for RabbitMQ, and no broker is one").next("leave them out"));
    }
    let mut all = Vec::new();
    for connection in &connections {
        let target: Arc<str> = Arc::from(connection.url.to_string());
        let progress = ui.progress("audit");
        let observed = broker::observe(connection, &wanted, &|done, total, what| {
            progress.set_total(total);
            progress.set(done, what);
        });
        progress.finish();
        all.push(match observed {
            Ok(observed) => observed,
            Err(problem) if problem.outcome == Outcome::Unknown => unreached(target, problem),
            Err(problem) => return Err(problem),
        });
    }
    let unmet = wanted.unmet(&all);
    if let Some(first) = all.first_mut() {
        first.unread.extend(unmet);
    }
    Ok(all)
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
fn refuse_without(args: &LiveArgs) -> Result<Vec<Observation>> {
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
