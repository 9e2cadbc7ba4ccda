//! `send --resume FILE`: finds the store that knows the file, and goes on after the last accepted line.

use super::resolve;
use crate::model::{Problem, Result};
use crate::send::{Form, Source};
use crate::spool::{Spool, SpoolError, StoreDir, Target};
use crate::ui::Ui;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What a store knows of a file.
enum Known {
    Nothing,
    /// So many bytes of it were accepted for this broker and topic.
    Accepted(u64),
    /// It was being sent to the same topic of a broker that was named in another way.
    OtherBroker(String),
}

fn known(spool: &Spool, broker: &str, topic: &str, file: &[u8]) -> Result<Known> {
    let mut other = Known::Nothing;
    for target in spool.targets()?.into_iter().filter(|t| t.topic == topic) {
        match spool.input(&target, file)? {
            Some(row) if target.broker == broker => return Ok(Known::Accepted(row.offset)),
            Some(_) => other = Known::OtherBroker(target.broker),
            None => {}
        }
    }
    Ok(other)
}

fn canonical(file: &Path) -> Result<std::path::PathBuf> {
    file.canonicalize().map_err(|e| {
        Problem::usage(format!("cannot read {}", file.display()))
            .because(e)
            .next("check the path")
    })
}

/// Opens the store that accepted most of the file. To take another one would send all of it again under new numbers.
pub(super) fn open_spool(named: Option<&Path>, broker: &str, topic: &str, file: &Path) -> Result<Spool> {
    let path = canonical(file)?;
    let (mut best, mut other, mut in_use): (Option<(u64, Spool)>, Option<String>, Option<SpoolError>) =
        (None, None, None);
    let stores = match named {
        Some(path) => vec![path.to_owned()],
        None => resolve::spool_root()?.stores()?,
    };
    for store in stores {
        let dir = match StoreDir::lock(&store) {
            Ok(dir) => dir,
            Err(e @ SpoolError::InUse { .. }) => {
                in_use = Some(e);
                continue;
            }
            Err(e) => return Err(e.into()),
        };
        let spool = Spool::open(dir)?;
        match known(&spool, broker, topic, path.as_os_str().as_bytes())? {
            Known::Accepted(offset) if best.as_ref().is_none_or(|(most, _)| offset > *most) => {
                best = Some((offset, spool))
            }
            Known::OtherBroker(name) => other = Some(name),
            Known::Accepted(_) | Known::Nothing => {}
        }
    }
    match (best, in_use, other) {
        (Some((_, spool)), _, _) => Ok(spool),
        (None, Some(e), _) => Err(Problem::usage(format!("cannot tell how much of {} was accepted", file.display()))
            .because(e)
            .next("wait for that process, which may be sending this file, or name the file's own spool with --spool DIR")),
        (None, None, Some(name)) => {
            Err(Problem::usage(format!("{} was being sent to {name}, not to {broker}", file.display()))
                .next("give -b as it was given then; under another name all of it would be sent again"))
        }
        (None, None, None) => resolve::open_spool(named),
    }
}

/// The file, after what was accepted of it.
pub(super) fn source(spool: &Spool, target: &Target, file: &Path, form: &Form, ui: &Ui) -> Result<Source> {
    let before = spool.input(target, canonical(file)?.as_os_str().as_bytes())?;
    match &before {
        Some(at) => ui.say(&format!("resuming {} after line {}", file.display(), at.lines)),
        None => ui.say(&format!(
            "nothing of {} was accepted before; sending all of it",
            file.display()
        )),
    }
    Source::file(file, form, before)
}
