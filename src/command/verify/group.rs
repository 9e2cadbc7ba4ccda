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
    state: Option<&Path>,
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
        kept::save(state, &mut reader.state)?;
        if problem.is_some() || asked.signal().is_some() {
            return Ok(problem);
        }
        let whole: Vec<(i32, i64)> = reader
            .state
            .report
            .partitions
            .iter()
            .filter(|p| partitions.contains(&p.partition) && p.error.as_ref().is_none_or(|_| p.read_to >= p.to))
            .map(|p| (p.partition, p.to))
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
