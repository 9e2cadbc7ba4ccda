//! States in files.

use super::reader::How;
use super::shelf;
use crate::connect::Connection;
use crate::model::{Problem, Result};
use crate::verify::State;
use std::fs::{self, File, TryLockError};
use std::io::{BufReader, BufWriter, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Nothing read yet.
pub(super) fn fresh(connection: &Connection, topic: &str, how: &How, memory_mib: u64) -> State {
    State {
        broker: connection.url.to_string(),
        topic: topic.to_owned(),
        how: how.words().to_owned(),
        tracker: shelf::tracker(memory_mib),
        ..State::default()
    }
}

/// What was read before, where a file says so.
pub(super) fn load(
    path: Option<&Path>,
    connection: &Connection,
    topic: &str,
    how: &How,
    memory_mib: u64,
) -> Result<State> {
    let fresh = fresh(connection, topic, how, memory_mib);
    let Some(path) = path else { return Ok(fresh) };
    match path.try_exists() {
        Ok(false) => return Ok(fresh),
        Ok(true) => {}
        Err(e) => return Err(broken(path, e)),
    }
    let state = read(path, memory_mib)?;
    state.goes_on_with(&fresh).map_err(|e| {
        Problem::usage(format!("{} is of something else", path.display()))
            .because(e)
            .next("give --state another file, or remove this one; name the broker as before, by one of the same addresses")
    })?;
    Ok(state)
}

/// A state that this process alone writes, until it is dropped.
pub(super) struct Held {
    path: PathBuf,
    /// The lock lies on it.
    _file: File,
}

impl Drop for Held {
    fn drop(&mut self) {
        // While it is still held, so that nobody's lock is taken away; whoever waits for it finds another file there.
        let _ = fs::remove_file(&self.path);
    }
}

/// Holds a state: two who write one file would each forget what the other has read.
pub(super) fn hold(path: Option<&Path>) -> Result<Option<Held>> {
    let Some(path) = path else { return Ok(None) };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    let lock = path.with_file_name(name);
    let cannot = |e: std::io::Error| {
        Problem::usage(format!("the state {} cannot be held", path.display()))
            .because(format!("{}: {e}", lock.display()))
            .next("choose a directory that can be written to")
    };
    loop {
        let mut open = File::options();
        let file = open
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock)
            .map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Problem::usage(format!("the state {} is in use", path.display()))
                    .because("another mqsafe writes it")
                    .next("wait for it, or give --state another file and join both with `mqsafe verify merge`"));
            }
            Err(TryLockError::Error(e)) => return Err(cannot(e)),
        }
        let mine = file.metadata().map_err(cannot)?;
        // Whoever held it before may have removed it since it was opened.
        let is_mine = fs::metadata(&lock).is_ok_and(|its| (its.dev(), its.ino()) == (mine.dev(), mine.ino()));
        if is_mine {
            return Ok(Some(Held {
                path: lock,
                _file: file,
            }));
        }
    }
}

/// Reads a state.
pub(super) fn read(path: &Path, memory_mib: u64) -> Result<State> {
    let file = File::open(path).map_err(|e| broken(path, e))?;
    State::read_into(shelf::tracker(memory_mib), BufReader::new(file)).map_err(|e| {
        Problem::usage(format!("{} cannot be used", path.display()))
            .because(e)
            .next("give a file that `mqsafe verify --state` wrote")
    })
}

/// Writes a state: whole or not at all.
pub(super) fn save(path: Option<&Path>, state: &mut State) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    whole_or_not(path, |file| state.write(file)).map_err(|e| {
        Problem::unknown(format!("the state cannot be written to {}", path.display()))
            .because(e)
            .next("make room or choose another place; the topic has to be read again")
    })
}

/// Replaces a file by what is written, synced, or leaves it as it is.
pub(super) fn whole_or_not(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let aside = path.with_file_name(name);
    let mut file = BufWriter::new(File::create(&aside)?);
    write(&mut file)?;
    file.flush()?;
    file.get_ref().sync_all()?;
    fs::rename(&aside, path)?;
    // The name too must survive a loss of power.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn broken(path: &Path, e: std::io::Error) -> Problem {
    let problem = Problem::usage(format!("{} cannot be read", path.display()));
    match e.kind() {
        ErrorKind::NotFound => problem.because("it does not exist").next("check the name"),
        _ => problem.because(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_held_by_one_and_free_when_that_is_over() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("a.state");
        assert!(hold(None).unwrap().is_none());
        let held = hold(Some(&path)).unwrap();
        let refused = hold(Some(&path)).err().unwrap();
        assert!(refused.to_string().contains("is in use"), "{refused}");
        drop(held);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        // What a killed process left behind holds nobody up.
        File::create(dir.path().join("a.state.lock")).unwrap();
        assert!(hold(Some(&path)).unwrap().is_some());
        assert!(hold(Some(&dir.path().join("none/a.state"))).is_err());
    }
}
