//! `spool decide`: whoever knows how a local action ended says so.

use super::stores::Stores;
use super::{now_ms, paths};
use crate::cli::{Decision, SpoolDecideArgs};
use crate::command::exec::{self, Action, Ended};
use crate::model::{Outcome, Problem, Result};
use crate::spool::{Group, Phase, Target, Way};
use crate::ui::{Table, Ui};

pub(super) fn run(args: &SpoolDecideArgs, ui: &Ui) -> Result<Outcome> {
    let mut stores = Stores::open(&paths(&args.spool)?, ui);
    let mut all: Vec<(usize, Target, Group)> = Vec::new();
    for (at, store) in stores.open.iter().enumerate() {
        all.extend(store.spool.undecided()?.into_iter().map(|(t, g)| (at, t, g)));
    }
    // One that never began is settled by the next run, and one that is only to be published by the broker: neither is a question.
    // But whoever names a transaction may give it up.
    let gives_up = args.decision == Some(Decision::Rollback);
    all.retain(|(_, _, group)| is_a_question(group) || (gives_up && can_be_given_up(group)));
    let Some(id) = &args.id else {
        return list(&stores, &all, ui);
    };
    all.retain(|(at, _, group)| named(&stores.open[*at].name, group.no, id));
    let (at, target, group) = match &all[..] {
        [one] => one.clone(),
        [] => {
            return Err(Problem::usage(format!("there is no undecided action {id}")).next("see `mqsafe spool decide`"));
        }
        _ => {
            return Err(Problem::usage(format!("{id} could be in several stores"))
                .next("write it as `mqsafe spool decide` does: 0001/17"));
        }
    };
    let spool = &mut stores.open[at].spool;
    let decision = match args.decision {
        Some(decision) => decision,
        None if args.check => ask(&args.program, &spool.group_name(group.no))?,
        None => {
            return Err(
                Problem::usage("what was decided is missing").next("say commit or rollback, or --check -- PROGRAM")
            );
        }
    };
    let rolled_back = (decision == Decision::Rollback).then_some("rolled back by a person or a check");
    if let (Decision::Commit, Some(_)) = (decision, &group.together) {
        spool.advance(&target, group.no, Phase::Decided, &[])?;
        ui.summary(&format!(
            "{} messages to {} are published together now",
            group.messages,
            target.words()
        ));
        ui.say("  next: mqsafe spool flush");
        return Ok(stores.outcome());
    }
    let ids = spool.decide(&target, group.no, rolled_back, now_ms())?;
    match decision {
        Decision::Commit => {
            ui.summary(&format!("{} messages to {} wait now", ids.len(), target.words()));
            ui.say("  next: mqsafe spool flush");
        }
        Decision::Rollback => ui.summary(&format!(
            "{} messages to {} are kept as failed",
            ids.len(),
            target.words()
        )),
    }
    Ok(stores.outcome())
}

/// Whether only somebody from outside knows: how an action ended, or what became of a transaction whose commit was asked for.
fn is_a_question(group: &Group) -> bool {
    match group.together.as_ref().map(|t| t.phase) {
        None | Some(Phase::Open) => group.begun,
        Some(Phase::Decided) => false,
        Some(Phase::Committing) => true,
    }
}

/// Whether a group that is decided can still be rolled back: no commit of its transaction was asked for, so no reader gets to see
/// it. Its lane or its topic may be gone for good.
fn can_be_given_up(group: &Group) -> bool {
    let together = group.together.as_ref();
    together.is_some_and(|t| t.way == Way::Transaction && t.phase == Phase::Decided)
}

fn named(store: &str, no: u64, id: &str) -> bool {
    id == format!("{store}/{no}") || id == no.to_string()
}

/// Asks a program how the action ended: exit 0 says that it did its work, exit 1 that it did not; anything else is no answer.
fn ask(words: &[std::ffi::OsString], name: &str) -> Result<Decision> {
    let ended = Action::new(words, "--check")?.run(name)?;
    match ended {
        Ended::Done => Ok(Decision::Commit),
        Ended::Refused(why) if why.ends_with("exit 1") => Ok(Decision::Rollback),
        Ended::Refused(why) | Ended::Unknown(why) => Err(Problem::unknown(format!(
            "whether {name} did its work is still not known"
        ))
        .because(why)
        .next("exit 0 means that it did, exit 1 that it did not")),
    }
}

fn list(stores: &Stores, all: &[(usize, Target, Group)], ui: &Ui) -> Result<Outcome> {
    let mut table = Table::new(&["id", "target", "messages", "seconds", "name", "action"], ui.width());
    table.numbers([2, 3]);
    for (at, target, group) in all {
        let store = &stores.open[*at];
        table.row([
            format!("{}/{}", store.name, group.no),
            target.words(),
            group.messages.to_string(),
            exec::age(group).as_secs().to_string(),
            store.spool.group_name(group.no),
            group.words.clone(),
        ]);
    }
    if !all.is_empty() {
        ui.data(table.render().as_bytes())?;
    }
    ui.summary(&format!("{} undecided", all.len()));
    let waits = if all.is_empty() {
        Outcome::Good
    } else {
        Outcome::Spooled
    };
    Ok(stores.outcome().and(waits))
}
