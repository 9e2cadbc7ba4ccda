//! The user's own files and surroundings: `~/.config/mqsafe`, the environment, programs that print secrets.

use crate::connect::{self, ContextFile, Contexts, Surroundings};
use crate::model::{Problem, Result};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The largest file that settings or a secret are read from; a chain of PEM certificates has some kilobytes.
const MOST_BYTES: u64 = 1 << 20;
/// Permission bits of everybody but the owner.
const OTHERS: u32 = 0o077;
/// Permission bits by which others may write.
const OTHERS_WRITE: u32 = 0o022;

/// The machine that the command runs on.
#[derive(Debug)]
pub(super) struct Here;

impl Surroundings for Here {
    fn file(&self, path: &str) -> std::io::Result<Vec<u8>> {
        let path = expanded(path);
        let mut file = std::fs::File::open(&path)?;
        let metadata = file.metadata()?;
        if metadata.is_file() && metadata.mode() & OTHERS != 0 {
            tracing::info!("others than its owner may read {}", path.display());
        }
        let mut bytes = Vec::new();
        let read = file.by_ref().take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
        if read as u64 > MOST_BYTES {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes)
    }

    fn variable(&self, name: &str) -> Option<String> {
        let value = std::env::var(name).ok().filter(|v| !v.is_empty())?;
        if name != connect::CONTEXT_VARIABLE {
            connect::hide(name);
        }
        Some(value)
    }

    fn command(&self, words: &[String]) -> Result<String> {
        // Whether or not it counts for this run, the broker's variable may hold a password.
        connect::hide(connect::BROKER_VARIABLE);
        connect::print_of(words)
    }
}

/// `~/` is the user's home.
pub(super) fn expanded(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        (_, _) => PathBuf::from(path),
    }
}

/// `~/.config/mqsafe`, or below `XDG_CONFIG_HOME`.
pub(super) fn config_dir() -> Result<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    absolute("XDG_CONFIG_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".config")))
        .map(|dir| dir.join("mqsafe"))
        .ok_or_else(|| {
            Problem::usage("there is no place for contexts: neither XDG_CONFIG_HOME nor HOME is an absolute path")
                .next("export HOME")
        })
}

/// The user's configuration as it was read.
#[derive(Debug, Default)]
pub(super) struct Config {
    /// Where it is, or would be.
    pub(super) path: PathBuf,
    /// Its text; empty when there is no file.
    pub(super) text: String,
    /// What stands in it.
    pub(super) contexts: Contexts,
}

/// Reads the user's contexts; none when there is no file.
///
/// # Errors
/// When the file belongs to somebody else, who could name any broker and any command in it, or cannot be read.
pub(super) fn contexts() -> Result<Config> {
    // Without a home there are no contexts, and nobody who only names a broker needs any.
    let Ok(dir) = config_dir() else {
        return Ok(Config::default());
    };
    let path = dir.join("config.yaml");
    let name = path.display().to_string();
    let mut file = match std::fs::File::open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Config {
                path,
                ..Config::default()
            });
        }
        Err(e) => return Err(unreadable(&name, e)),
    };
    let metadata = file.metadata().map_err(|e| unreadable(&name, e))?;
    let owner = metadata.uid();
    if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        return Err(Problem::usage(format!("{name} belongs to another user"))
            .because("whoever owns it decides which commands are run")
            .next("write a configuration of your own"));
    }
    if metadata.mode() & OTHERS_WRITE != 0 {
        tracing::warn!("others may write {name}, and so decide which commands are run: chmod go-w {name}");
    }
    let mut text = String::new();
    let read = file.by_ref().take(MOST_BYTES + 1).read_to_string(&mut text);
    if read.map_err(|e| unreadable(&name, e))? as u64 > MOST_BYTES {
        return Err(unreadable(&name, "it is larger than 1 MiB"));
    }
    let contexts = parse(&path, &text, metadata.mode() & OTHERS == 0)?;
    Ok(Config { path, text, contexts })
}

/// Reads the text of a configuration that stands, or is to stand, at this path.
pub(super) fn parse(path: &Path, text: &str, is_private: bool) -> Result<Contexts> {
    let dir = path.parent().unwrap_or(Path::new("/")).display().to_string();
    let file = ContextFile {
        path: &path.display().to_string(),
        dir: &dir,
        is_private,
    };
    Contexts::parse(text, &file)
}

fn unreadable(name: &str, why: impl std::fmt::Display) -> Problem {
    Problem::usage(format!("cannot read {name}"))
        .because(why)
        .next("correct the file")
}
