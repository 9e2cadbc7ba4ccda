//! The whole binary, as a person or a script meets it, without any broker.
//!
//! The texts in `tests/cli/help/` and the files in `completions/` are written anew by
//! `MQSAFE_UPDATE=1 cargo test --test cli`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[cfg(feature = "kafka")]
mod attempts;
#[cfg(all(feature = "kafka", feature = "rabbitmq", feature = "rocketmq"))]
mod audit_stop;
#[cfg(feature = "kafka")]
mod client_files;
#[cfg(feature = "kafka")]
mod completions;
#[cfg(feature = "kafka")]
mod context;
mod errors;
#[cfg(feature = "kafka")]
mod exec;
#[cfg(feature = "kafka")]
mod forms;
#[cfg(feature = "kafka")]
mod guards;
mod help;
#[cfg(feature = "kafka")]
mod input;
#[cfg(feature = "kafka")]
mod query;
#[cfg(feature = "kafka")]
mod secrets;
#[cfg(feature = "kafka")]
mod spool;
#[cfg(feature = "kafka")]
mod stop;
#[cfg(feature = "kafka")]
mod streams;
#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "kafka")]
mod unreachable;

#[cfg(feature = "kafka")]
use std::path::Path;
use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;
use tempfile::TempDir;

/// Nobody listens here: a port that only root may take, and that nothing takes.
#[cfg(feature = "kafka")]
pub(crate) const NOBODY: &str = "127.0.0.1:1";

/// A user with a home of their own, and with none of the environment of whoever runs the tests.
pub(crate) struct User {
    home: TempDir,
}

impl User {
    pub(crate) fn new() -> User {
        User {
            home: TempDir::new().unwrap(),
        }
    }

    /// A path below the home.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A file below the home.
    #[cfg(feature = "kafka")]
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The environment of every run: nothing but this.
    fn environment(&self) -> [(&'static str, PathBuf); 4] {
        [
            ("PATH", std::env::var_os("PATH").unwrap_or_default().into()),
            ("HOME", self.path("")),
            ("XDG_STATE_HOME", self.path("state")),
            ("COLUMNS", "100".into()),
        ]
    }

    /// The command, run in the home.
    pub(crate) fn mqsafe(&self) -> assert_cmd::Command {
        let mut command = assert_cmd::Command::new(BINARY);
        command
            .env_clear()
            .envs(self.environment())
            .current_dir(self.path(""))
            .timeout(Duration::from_secs(240));
        command
    }

    /// The command for a test that talks to it while it runs.
    #[cfg(feature = "kafka")]
    pub(crate) fn process(&self) -> std::process::Command {
        let mut command = std::process::Command::new(BINARY);
        command.env_clear().envs(self.environment()).current_dir(self.path(""));
        command
    }

    /// `send` to where nobody listens, which gives up soon.
    #[cfg(feature = "kafka")]
    pub(crate) fn send(&self) -> assert_cmd::Command {
        let mut command = self.mqsafe();
        command.args([
            "send",
            "-b",
            NOBODY,
            "-t",
            "orders",
            "--connect-timeout",
            "1s",
            "--spool",
            "spool",
        ]);
        command
    }

    /// `pending`, `failed` and `confirmed` of a spool.
    #[cfg(feature = "kafka")]
    pub(crate) fn spool(&self, dir: &str) -> [u64; 3] {
        let output = self
            .mqsafe()
            .args(["spool", "stats", "--spool", dir, "--format", "json"])
            .output()
            .unwrap();
        assert_eq!(code(&output), 0, "{}", err(&output));
        let stats: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(stats["schema"], "mqsafe.spool/1");
        ["pending", "failed", "confirmed"].map(|name| stats[name].as_u64().unwrap())
    }
}

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_mqsafe");

/// The exit code; a test fails when a signal ended the process.
pub(crate) fn code(output: &Output) -> i32 {
    output
        .status
        .code()
        .unwrap_or_else(|| panic!("{}: {}", output.status, err(output)))
}

pub(crate) fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Compares with a file of the repository, or writes it when `MQSAFE_UPDATE` is set.
#[cfg(feature = "kafka")]
pub(crate) fn same_as_file(path: &Path, actual: &[u8]) {
    if std::env::var_os("MQSAFE_UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, actual).unwrap();
        return;
    }
    let expected = std::fs::read(path).unwrap_or_default();
    assert!(
        expected == actual,
        "{} is not what the binary says now; if that is meant: MQSAFE_UPDATE=1 cargo test --test cli\n--- now\n{}",
        path.display(),
        String::from_utf8_lossy(actual)
    );
}

/// A path of the repository.
#[cfg(feature = "kafka")]
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
