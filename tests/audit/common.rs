//! A directory of its own for each test, and the binary with an environment of its own.

#![allow(clippy::unwrap_used)]

use assert_cmd::Command;
use serde_json::Value;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub(crate) struct Setup {
    dir: TempDir,
}

pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Setup {
    pub(crate) fn new() -> Setup {
        Setup {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// A setup with these files in it.
    pub(crate) fn with(files: &[(&str, &str)]) -> Setup {
        let setup = Setup::new();
        for (name, text) in files {
            setup.write(name, text.as_bytes());
        }
        setup
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::cargo_bin("mqsafe").unwrap();
        command
            .env_clear()
            .env("COLUMNS", "100")
            .current_dir(self.path())
            .arg("audit")
            .args(args);
        command
    }

    /// Runs `mqsafe audit` in this directory.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        let output = self.command(args).output().unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs it with `--format json` and reads the answer.
    pub(crate) fn json(&self, args: &[&str]) -> (i32, Value) {
        let ran = self.run(&[&["--format", "json"], args].concat());
        (ran.code, serde_json::from_str(&ran.stdout).unwrap())
    }

    /// The codes of all findings.
    pub(crate) fn rules(&self, args: &[&str]) -> Vec<String> {
        let (_, report) = self.json(args);
        let findings = report["findings"].as_array().unwrap();
        findings
            .iter()
            .map(|f| f["rule"].as_str().unwrap().to_owned())
            .collect()
    }
}
