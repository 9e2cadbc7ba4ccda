//! `spool retry` and `drop`: first everything is looked at, then everything is done, or nothing.

use super::stores::{Choice, Chosen, Stores};
use super::{now_ms, paths};
use crate::cli::{SpoolDropArgs, SpoolRetryArgs};
use crate::model::{Outcome, Problem, Result};
use crate::send::{KeyHash, way_by_key};
use crate::spool::{Again, Held, NewLane, Target, Which};
use crate::ui::Ui;
use std::collections::BTreeSet;
use std::io::IsTerminal;

/// So many messages are named in an explanation.
const NAMED: usize = 5;

pub(super) fn retry(args: &SpoolRetryArgs, ui: &Ui) -> Result<Outcome> {
    let mut stores = Stores::open(&paths(&args.spool)?, ui);
    let choices = to_retry(&stores, args)?;
    check_retry(&stores, &choices, args)?;
    let hash = args.partitioner.map(KeyHash::from).unwrap_or_default();
    let relane = args.relane.then(|| NewLane { wish: way_by_key(hash) });
    let (mut same, mut numbers, mut lanes, mut doubtful, mut waiting) = (0u64, 0u64, 0u64, 0u64, 0u64);
    for choice in &choices {
        let target = current(&mut stores, choice)?;
        let ids: Vec<u64> = choice.messages.iter().map(|m| m.id).collect();
        let done = stores.open[choice.store].spool.retry(&target, &ids, relane)?;
        waiting += (ids.len() - done.len()) as u64;
        let mut lines = String::new();
        for retried in done {
            let what = match retried.how {
                Again::Same => {
                    same += 1;
                    "the same number; where it is stored already, a reader sees a duplicate"
                }
                Again::NewNumber => {
                    numbers += 1;
                    "a new number; the old one is void"
                }
                Again::NewLane { void: true } => {
                    lanes += 1;
                    "a new lane and number; the old number is void"
                }
                Again::NewLane { void: false } => {
                    (lanes, doubtful) = (lanes + 1, doubtful + 1);
                    "a new lane and number; the old number is not void, because it may be stored"
                }
            };
            let (was, now) = (
                stores.id(choice.store, retried.was),
                stores.id(choice.store, retried.id),
            );
            lines.push_str(&format!("{was} -> {now}  {what}\n"));
        }
        ui.data(lines.as_bytes())?;
    }
    if waiting > 0 {
        ui.say(&format!("{waiting} wait already; `mqsafe spool flush` delivers them"));
    }
    if doubtful > 0 {
        ui.warn(&format!("{doubtful} may arrive twice, under two numbers"));
    }
    let all = same + numbers + lanes;
    if all > 0 {
        ui.say("  next: mqsafe spool flush");
    }
    ui.summary(&format!(
        "{all} wait again: {same} under the same number, {numbers} with a new number, {lanes} with a new lane"
    ));
    Ok(stores.outcome())
}

/// The target as the store signs for it now: a copied store has no name yet, and gets it here.
fn current(stores: &mut Stores, choice: &Choice) -> Result<Target> {
    let spool = &mut stores.open[choice.store].spool;
    Ok(spool.target(&choice.target.broker, &choice.target.topic)?)
}

fn to_retry(stores: &Stores, args: &SpoolRetryArgs) -> Result<Vec<Choice>> {
    let now_ms = now_ms();
    let (pending, failed, awaiting) = (true, true, true);
    if !args.ids.is_empty() {
        return stores.named(&args.ids);
    }
    if args.all_failed {
        let which = Which {
            failed,
            ..Which::default()
        };
        return stores.all(which, |_, _| true);
    }
    if args.unconsumed {
        let which = Which {
            awaiting,
            ..Which::default()
        };
        return stores.all(which, |_, kept| kept.held.is_unconsumed(now_ms));
    }
    let which = Which {
        pending,
        ..Which::default()
    };
    if !args.lanes.is_empty() {
        return stores.all(which, |target, kept| {
            let lane = kept.message.partition.map(|no| target.lane(no));
            lane.is_some_and(|lane| args.lanes.contains(&lane))
        });
    }
    let mut gone = BTreeSet::new();
    for store in &stores.open {
        for target in store.spool.targets()? {
            let lanes = store.spool.gone(&target)?;
            gone.extend(lanes.into_iter().map(|no| (target.broker.clone(), target.lane(no))));
        }
    }
    stores.all(which, |target, kept| {
        let lane = kept.message.partition.map(|no| target.lane(no));
        !gone.is_empty() && lane.is_some_and(|lane| gone.contains(&(target.broker.clone(), lane)))
    })
}

/// Whether a message may be stored, as far as another lane for it goes.
fn may_be_stored(message: &Chosen) -> bool {
    match &message.held {
        Held::Pending { in_doubt, .. } => message.has_number && *in_doubt,
        Held::Failed { void, .. } => message.has_number && !void,
        Held::Awaiting { .. } => true,
        // These are not tended one by one.
        Held::Scheduled { .. } => false,
        Held::Undecided { in_doubt, .. } => *in_doubt,
    }
}

/// What belongs together is decided together.
fn not_undecided(stores: &Stores, choices: &[Choice]) -> Result<()> {
    let Some(undecided) = names(stores, choices, |m| matches!(m.held, Held::Undecided { .. })) else {
        return Ok(());
    };
    // What only waits to be published is no question that a list of them would show.
    let only_waits = choices.iter().find_map(|choice| {
        choice.messages.iter().find_map(|m| match m.held {
            Held::Undecided {
                group,
                decided: true,
                in_doubt: false,
                ..
            } => Some(stores.id(choice.store, group)),
            _ => None,
        })
    });
    let next = match only_waits {
        Some(group) => format!("`mqsafe spool decide {group} rollback` gives all of it up"),
        None => "`mqsafe spool decide` ends all of it".to_owned(),
    };
    Err(Problem::usage("some belong to a local action or a transaction")
        .because(undecided)
        .next(next))
}

fn check_retry(stores: &Stores, choices: &[Choice], args: &SpoolRetryArgs) -> Result<()> {
    not_undecided(stores, choices)?;
    if !args.relane {
        return Ok(());
    }
    let stored = names(stores, choices, |m| matches!(m.held, Held::Awaiting { .. }));
    if let Some(stored) = stored {
        return Err(Problem::usage("what is stored gets no other lane")
            .because(stored)
            .next("without --relane it is sent again under its number"));
    }
    let doubtful = names(stores, choices, may_be_stored);
    match doubtful {
        Some(doubtful) if !args.force => Err(Problem::usage(
            "some may be stored: another lane could make a second message of each",
        )
        .because(doubtful)
        .next(
            "look for them with `mqsafe query-key`; with --force they get a new lane all the same, and a duplicate \
                     under another number is possible",
        )),
        Some(_) | None => Ok(()),
    }
}

/// The messages of a kind, in words; `None` when there is none.
fn names(stores: &Stores, choices: &[Choice], is: impl Fn(&Chosen) -> bool) -> Option<String> {
    let mut all = choices
        .iter()
        .flat_map(|c| c.messages.iter().filter(|m| is(m)).map(|m| (c.store, m.id)));
    let first: Vec<String> = all
        .by_ref()
        .take(NAMED)
        .map(|(store, id)| stores.id(store, id))
        .collect();
    let more = match all.count() {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    (!first.is_empty()).then(|| format!("{}{more}", first.join(", ")))
}

pub(super) fn drop(args: &SpoolDropArgs, ui: &Ui) -> Result<Outcome> {
    let mut stores = Stores::open(&paths(&args.spool)?, ui);
    let choices = if args.all_failed {
        let which = Which {
            failed: true,
            ..Which::default()
        };
        stores.all(which, |_, _| true)?
    } else {
        stores.named(&args.ids)?
    };
    not_undecided(&stores, &choices)?;
    let not_failed = names(&stores, &choices, |m| !matches!(m.held, Held::Failed { .. }));
    if let Some(not_failed) = not_failed
        && !args.force
    {
        return Err(
            Problem::usage("some have not failed: they wait, or their consumption is awaited")
                .because(not_failed)
                .next("let them be, or drop them all the same with --force"),
        );
    }
    let count: usize = choices.iter().map(|c| c.messages.len()).sum();
    if count > 0 && !args.yes && !agreed(count, ui)? {
        ui.summary("nothing was dropped");
        return Ok(Outcome::Good);
    }
    let (mut dropped, mut not_void) = (0u64, 0u64);
    for choice in &choices {
        let target = current(&mut stores, choice)?;
        let ids: Vec<u64> = choice.messages.iter().map(|m| m.id).collect();
        let mut lines = String::new();
        for gone in stores.open[choice.store].spool.forget(&target, &ids)? {
            let chosen = choice.messages.iter().find(|m| m.id == gone.id);
            let what = match chosen.map(|m| (m.has_number, &m.held)) {
                Some((_, Held::Scheduled { .. })) => "it was not sent, and its time does not come any more",
                Some((_, Held::Awaiting { .. })) => "it is stored; its consumption is no longer awaited",
                Some((false, _)) => "it had no number",
                _ if gone.void => "its number is void",
                _ => {
                    not_void += 1;
                    "its number is not void, because it may be stored"
                }
            };
            dropped += 1;
            lines.push_str(&format!("{}  dropped; {what}\n", stores.id(choice.store, gone.id)));
        }
        ui.data(lines.as_bytes())?;
    }
    if not_void > 0 {
        ui.warn(&format!(
            "`verify` calls the numbers of {not_void} a gap, unless they are stored after all"
        ));
    }
    ui.summary(&format!("{dropped} dropped"));
    Ok(stores.outcome())
}

/// Asks on a terminal; elsewhere it must have been said beforehand.
fn agreed(count: usize, ui: &Ui) -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Err(Problem::usage(format!("{count} messages would be dropped for good"))
            .because("there is no terminal to ask on")
            .next("say --yes"));
    }
    ui.summary(&format!("drop {count} messages for good? [y/N]"));
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    Ok(read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes"))
}
