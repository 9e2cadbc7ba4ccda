//! Where `send --receipts` writes.

use crate::model::{Problem, Result};
use crate::ui::Ui;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A place for receipts.
pub(super) enum Receipts {
    /// Standard output.
    Stdout,
    /// A file.
    File(BufWriter<File>),
}

impl Receipts {
    /// Opens the file and leaves what is in it alone until [`Receipts::begin`]: a mistake elsewhere must not cost it.
    pub(super) fn open(path: &Path, inputs: &[PathBuf]) -> Result<Receipts> {
        if path == Path::new("-") {
            return Ok(Receipts::Stdout);
        }
        let cannot = |e: std::io::Error| {
            Problem::usage(format!("cannot write receipts to {}", path.display()))
                .because(e)
                .next("give a path that you may write to")
        };
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(cannot)?;
        let meta = file.metadata().map_err(cannot)?;
        let same = |other: std::io::Result<std::fs::Metadata>| {
            other.is_ok_and(|other| meta.is_file() && (other.dev(), other.ino()) == (meta.dev(), meta.ino()))
        };
        let stdin = || File::from(std::io::stdin().as_fd().try_clone_to_owned()?).metadata();
        let is = |input: &PathBuf| match input.to_str() {
            Some("-") => same(stdin()),
            Some(_) | None => same(std::fs::metadata(input)),
        };
        let is_input = inputs.iter().any(is);
        if is_input {
            return Err(
                Problem::usage(format!("{} is the input; receipts would overwrite it", path.display()))
                    .next("give the receipts a file of their own"),
            );
        }
        Ok(Receipts::File(BufWriter::new(file)))
    }

    /// Begins to write: over what was there, or after it when an earlier run's receipts go on.
    pub(super) fn begin(mut self, after: bool) -> Result<Receipts> {
        if let Receipts::File(file) = &mut self {
            let regular = file.get_ref().metadata().is_ok_and(|m| m.is_file());
            let begun = match (regular, after) {
                (false, _) => Ok(0),
                (true, true) => file.get_mut().seek(SeekFrom::End(0)),
                (true, false) => file.get_ref().set_len(0).map(|()| 0),
            };
            begun.map_err(broken)?;
        }
        Ok(self)
    }

    pub(super) fn write(&mut self, line: &[u8], ui: &Ui) -> Result<()> {
        match self {
            Receipts::Stdout => ui.data(line),
            Receipts::File(file) => file.write_all(line).map_err(broken),
        }
    }

    pub(super) fn end(&mut self) -> Result<()> {
        let Receipts::File(file) = self else { return Ok(()) };
        file.flush().map_err(broken)?;
        let regular = file.get_ref().metadata().is_ok_and(|m| m.is_file());
        if regular {
            file.get_ref().sync_all().map_err(broken)
        } else {
            Ok(())
        }
    }
}

fn broken(e: std::io::Error) -> Problem {
    Problem::unknown("the receipts are incomplete")
        .because(e)
        .next("the summary counts every message all the same")
}
