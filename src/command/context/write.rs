//! Changing the user's configuration: only the lines that must change, so that comments stay; whole or not at all.

use crate::command::home::{self, Config};
use crate::connect;
use crate::model::{Problem, Result};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// The text with another current context. Everything else stays as it is, comments included.
pub(super) fn with_current(text: &str, name: &str) -> Result<String> {
    let line = format!("current: {}", connect::yaml_text(name));
    Ok(match connect::top_level_line(text, "current") {
        Some(span) => format!("{}{line}{}", &text[..span.start], &text[span.end..]),
        None => format!("{line}\n{text}"),
    })
}

/// Puts a text in the place of the configuration: a file beside it, synced, then renamed over it. It is read before, as it will be
/// read after.
pub(super) fn replace(config: &Config, text: &str) -> Result<()> {
    home::parse(&config.path, text, true).map_err(|problem| {
        Problem::usage(format!(
            "{} cannot be changed without losing something",
            config.path.display()
        ))
        .because(problem)
        .next("edit it by hand: one setting a line")
    })?;
    let Some(dir) = config.path.parent() else {
        return Err(Problem::usage("there is no place for contexts").next("export HOME"));
    };
    make_dir(dir)?;
    // A link to a file elsewhere, as people keep their dot files, stays a link.
    let path = config.path.canonicalize().unwrap_or_else(|_| config.path.clone());
    write_private(&path, text.as_bytes())
}

/// A directory that only its owner enters.
pub(super) fn make_dir(dir: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(dir).map_err(|e| cannot(dir, e))
}

/// A file of mode 0600, whole or not at all.
pub(super) fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = Path::new(&name);
    let written = (|| {
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(new, path)
    })();
    written.map_err(|e| {
        // What is left would only be in the way of the next attempt.
        let _ = std::fs::remove_file(new);
        cannot(path, e)
    })
}

fn cannot(path: &Path, e: std::io::Error) -> Problem {
    Problem::usage(format!("cannot write {}", path.display()))
        .because(e)
        .next("give yourself the right to write there")
}
