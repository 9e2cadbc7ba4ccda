//! Stores that are open, and messages by the names that people give them: `0001/17`, or `17` where there is one store.

use crate::model::{Outcome, Problem, Result};
use crate::spool::{Held, Kept, Spool, SpoolError, StoreDir, Target, Which};
use crate::ui::Ui;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Opens a store, or says why it was left out: another process is at work there, or it is broken. The others go on.
pub(super) fn open(path: &Path, ui: &Ui) -> Option<Spool> {
    match StoreDir::lock(path).and_then(Spool::open) {
        Ok(spool) => Some(spool),
        Err(e @ SpoolError::InUse { .. }) => {
            ui.warn(&format!("{e}; it was left to that process"));
            None
        }
        Err(e) => {
            ui.problem(&e.into());
            None
        }
    }
}

/// What a store is called in the names of its messages.
pub(super) fn name(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.file_name()
        .map_or_else(|| "spool".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// One open store.
pub(super) struct Store {
    pub(super) name: String,
    pub(super) spool: Spool,
}

/// The stores that a command works on.
pub(super) struct Stores {
    pub(super) open: Vec<Store>,
    /// Those that could not be opened, which was told.
    left_out: Vec<String>,
}

/// A message that a person chose, without its body.
pub(super) struct Chosen {
    pub(super) id: u64,
    pub(super) held: Held,
    /// Whether it has a number.
    pub(super) has_number: bool,
}

/// Chosen messages of one target of one store.
pub(super) struct Choice {
    pub(super) store: usize,
    pub(super) target: Target,
    pub(super) messages: Vec<Chosen>,
}

impl Stores {
    pub(super) fn open(paths: &[PathBuf], ui: &Ui) -> Stores {
        let mut stores = Stores {
            open: Vec::new(),
            left_out: Vec::new(),
        };
        for path in paths {
            match open(path, ui) {
                Some(spool) => stores.open.push(Store {
                    name: name(path),
                    spool,
                }),
                None => stores.left_out.push(name(path)),
            }
        }
        stores
    }

    /// Not good when a store was left out: what it holds is not known.
    pub(super) fn outcome(&self) -> Outcome {
        if self.left_out.is_empty() {
            Outcome::Good
        } else {
            Outcome::Unknown
        }
    }

    /// The name of a message as `ls` prints it.
    pub(super) fn id(&self, store: usize, id: u64) -> String {
        format!("{}/{id}", self.open[store].name)
    }

    /// The store and the local number that a name means.
    fn parse(&self, text: &str) -> Result<(usize, u64)> {
        let bad =
            || Problem::usage(format!("{text:?} names no message")).next("write it as `mqsafe spool ls` does: 0001/17");
        let (store, number) = match text.rsplit_once('/') {
            Some((store, number)) => (Some(store), number),
            None => (None, text),
        };
        let number: u64 = number.parse().map_err(|_| bad())?;
        let Some(store) = store else {
            return match (&self.open[..], &self.left_out[..]) {
                ([_], []) => Ok((0, number)),
                ([], []) => Err(Problem::usage("there is no spool").next("check --spool")),
                _ => Err(Problem::usage(format!("{text} could be a message of several stores"))
                    .next("write it as `mqsafe spool ls` does: 0001/17")),
            };
        };
        if let Some(at) = self.open.iter().position(|s| s.name == store) {
            return Ok((at, number));
        }
        if self.left_out.iter().any(|name| name == store) {
            return Err(
                Problem::unknown(format!("{text} is in a store that cannot be opened now"))
                    .next("wait for the process that uses it"),
            );
        }
        Err(Problem::usage(format!("there is no store {store:?} for {text}")).next("see `mqsafe spool ls`"))
    }

    /// One message.
    pub(super) fn find(&self, text: &str) -> Result<(usize, Target, Kept)> {
        let (store, number) = self.parse(text)?;
        match self.open[store].spool.find(number)? {
            Some((target, kept)) => Ok((store, target, kept)),
            None => Err(Problem::usage(format!("there is no message {text}"))
                .because("it was confirmed, dropped, or never there")
                .next("see `mqsafe spool ls`")),
        }
    }

    /// Messages by their names; each once, in order.
    pub(super) fn named(&self, ids: &[String]) -> Result<Vec<Choice>> {
        let mut found = Vec::with_capacity(ids.len());
        for text in ids {
            let (store, target, kept) = self.find(text)?;
            found.push((store, kept.message.id, target, kept));
        }
        found.sort_by_key(|(store, id, ..)| (*store, *id));
        found.dedup_by_key(|(store, id, ..)| (*store, *id));
        let mut choices = Vec::new();
        for (store, _, target, kept) in found {
            add(&mut choices, store, &target, kept);
        }
        Ok(choices)
    }

    /// Every message of these kinds that passes.
    pub(super) fn all(&self, which: Which, mut passes: impl FnMut(&Target, &Kept) -> bool) -> Result<Vec<Choice>> {
        let mut choices = Vec::new();
        for (no, store) in self.open.iter().enumerate() {
            store.spool.each(which, |target, kept| {
                // What belongs together is not tended one by one.
                let alone = !matches!(kept.held, Held::Undecided { .. });
                if alone && passes(target, &kept) {
                    add(&mut choices, no, target, kept);
                }
                ControlFlow::Continue(())
            })?;
        }
        Ok(choices)
    }
}

fn add(choices: &mut Vec<Choice>, store: usize, target: &Target, kept: Kept) {
    let chosen = Chosen {
        id: kept.message.id,
        has_number: kept.message.seq > 0,
        held: kept.held,
    };
    let its = choices.iter_mut().find(|c| c.store == store && c.target == *target);
    match its {
        Some(choice) => choice.messages.push(chosen),
        None => choices.push(Choice {
            store,
            target: target.clone(),
            messages: vec![chosen],
        }),
    }
}
