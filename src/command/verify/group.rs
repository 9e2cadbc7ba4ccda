//! `--group`: several processes share the partitions, as Kafka divides them, and each keeps a state of its own.

use super::{Reader, kept};
use crate::command::stop::Asked;
use crate::model::{Member, Problem, Result, Scan, ScanPlan};
use crate::ui::Ui;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

/// Without a change for this long, the shares are what they are: whoever starts together finds each other.
const SETTLED: Duration = Duration::from_secs(5);
/// How often the group hears that we are still there, while the partitions are read.
const STAY: Duration = Duration::from_secs(1);

/// Reads the share of this member, and what falls to it when others leave. What a member has read it says to the group only after
/// its state is kept.
pub(super) fn read(
    member: &mut dyn Member,
    reader: &mut Reader<'_>,
    scan: &mut dyn Scan,
    plan: &ScanPlan,
    path: Option<&Path>,
    asked: &Asked,
    ui: &Ui,
) -> Result<Option<Problem>> {
    let mut read: Vec<i32> = Vec::new();
    loop {
        let Some(share) = member.share(SETTLED, &mut || asked.signal().is_none())? else {
            return Ok(None);
        };
        reader.state.shared.clone_from(&share.all);
        reader.state.reconcile();
        let own = reader.state.resume();
        let todo: Vec<(i32, i64)> = share
            .mine
            .into_iter()
            .filter(|(partition, _)| !read.contains(partition))
            .map(|(partition, theirs)| {
                let own = own.iter().find(|(p, _)| *p == partition).map_or(0, |(_, from)| *from);
                (partition, own.max(theirs.unwrap_or(0)))
            })
            .collect();
        if todo.is_empty() {
            return Ok(None);
        }
        let partitions: Vec<i32> = todo.iter().map(|(partition, _)| *partition).collect();
        let words: Vec<String> = partitions.iter().map(i32::to_string).collect();
        ui.say(&format!("this member reads partitions {}", words.join(",")));
        let plan = ScanPlan {
            partitions: partitions.clone(),
            from: todo,
            ..plan.clone()
        };
        let problem = attended(member, || reader.scan(scan, &plan))?;
        kept::save(path, &mut reader.state)?;
        if problem.is_some() || asked.signal().is_some() {
            return Ok(problem);
        }
        // From where this member was to begin up to the end, whatever others have read of it.
        let state = &reader.state;
        let whole: Vec<(i32, i64)> = plan
            .from
            .iter()
            .filter_map(|(partition, from)| {
                let mut reads = state.report.partitions.iter();
                let end = reads.find(|read| read.partition == *partition)?.to;
                let covered = state.tracker.covered(None, *partition);
                let is_whole = |(first, last): &(i64, i64)| *first <= *from && *last >= end;
                // The log may begin behind what was asked for.
                let is_all_there_is = || covered.len() == 1 && covered[0].1 >= end;
                (covered.iter().any(is_whole) || is_all_there_is()).then_some((*partition, end))
            })
            .collect();
        if let Err(problem) = member.read_up_to(&whole) {
            ui.warn(&problem.to_string());
        }
        read.extend(partitions);
    }
}

/// Does some work while the group hears that we are there.
fn attended<T>(member: &dyn Member, work: impl FnOnce() -> T) -> T {
    std::thread::scope(|scope| {
        let (end, ended) = mpsc::channel::<()>();
        scope.spawn(move || {
            while ended.recv_timeout(STAY) == Err(mpsc::RecvTimeoutError::Timeout) {
                member.stay();
            }
        });
        let done = work();
        drop(end);
        done
    })
}
