//! States in files.

use super::reader::How;
use super::shelf;
use crate::connect::Connection;
use crate::model::{Problem, Result};
use crate::verify::State;
use std::fs::{self, File};
use std::io::{BufReader, BufWriter, ErrorKind, Write};
use std::path::Path;

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
