//! `mqsafe verify merge`: one verdict from several states.

use super::journal::Journal;
use super::{Answer, beside, kept, show};
use crate::cli::MergeArgs;
use crate::command::stop::Asked;
use crate::model::{Coverage, Outcome, Problem, Result};
use crate::ui::Ui;
use crate::verify::{self, Facts};

pub(super) fn run(args: &MergeArgs, ui: &Ui) -> Result<Outcome> {
    let _held = kept::hold(args.state.as_deref())?;
    let mut whole: Option<verify::State> = None;
    for path in &args.files {
        let state = kept::read(path, args.memory)?;
        match &mut whole {
            None => whole = Some(state),
            Some(whole) => whole.merge(state).map_err(|e| {
                Problem::usage(format!("{} cannot be joined with the others", path.display()))
                    .because(e)
                    .next("give each reader other partitions, or go on from one state by one reader")
            })?,
        }
    }
    let Some(mut state) = whole else {
        return Err(Problem::usage("there is no state to judge"));
    };
    state.reconcile();
    let journal = Journal::of(&args.journal, None, &state.topic, ui)?;
    let mut facts = Facts::default();
    facts.aborted_read = state.aborted_read;
    facts.excuse(state.excuses.clone());
    // The journal is read now, and the log was read then. A state that does not say when was read before everything.
    facts.began_ms = Some(state.began_ms.unwrap_or(0));
    let mut verdict = verify::judge(
        &mut state.tracker,
        &state.topic,
        &state.report,
        beside(journal.truth(), &facts),
    );
    let mut unknown = journal.left_out;
    if verdict.is_missing() && !state.is_looked {
        // Nobody is asked here whether it lies in a transaction.
        let why = "a state was kept before its reader had looked for what is missing a second time";
        unknown.push(format!("{why}: let it go on with verify --state, and merge again"));
        verdict.gaps_are_proven = false;
        if verdict.coverage.is_complete() {
            verdict.coverage = Coverage::Partial(why.to_owned());
        }
    }
    kept::save(args.state.as_deref(), &mut state)?;
    let answer = Answer {
        topic: state.topic.clone(),
        verdict,
        facts,
        holes: Vec::new(),
        left_out: 0,
        found: None,
        compared: Vec::new(),
        unknown,
        explained: verify::grown(&state.report).into_iter().collect(),
        is_shared: true,
        standings: Vec::new(),
        set_aside: Vec::new(),
        resent: None,
        pid: false,
        state,
    };
    show::all(&answer, &args.judge, &Asked::listen()?, ui)
}
