//! The operator's own program that hurts brokers, and what it did that must be undone, also when the drill is told to stop.

use super::broken;
use crate::broker::kafka::{KafkaTarget, testbed};
use crate::model::Result;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Brokers that a drill has hurt, and the topic that it has made.
#[derive(Default)]
pub(super) struct Hurt {
    /// The program with its arguments; empty when none was given.
    pub(super) program: Vec<PathBuf>,
    /// The topic of the run that is played.
    pub(super) topic: Option<KafkaTarget>,
    stopped: Vec<i32>,
    killed: Vec<i32>,
}

impl Hurt {
    /// Nothing yet, and the program that will do it.
    pub(super) fn by(program: &[PathBuf]) -> Hurt {
        Hurt {
            program: program.to_vec(),
            ..Hurt::default()
        }
    }

    /// Runs the program with a verb and a broker id.
    fn order(&self, verb: &str, id: i32) -> Result<()> {
        let Some((program, arguments)) = self.program.split_first() else {
            return Ok(());
        };
        let mut command = Command::new(program);
        command.args(arguments).arg(verb).arg(id.to_string());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let output = command
            .output()
            .map_err(|e| broken("program", format!("{}: {e}", program.display())))?;
        if output.status.success() {
            return Ok(());
        }
        let (status, words) = (output.status, String::from_utf8_lossy(&output.stderr).trim().to_owned());
        Err(broken(
            "program",
            format!("{} {verb} {id} ended with {status}: {words}", program.display()),
        ))
    }

    pub(super) fn stop(&mut self, ids: &[i32]) -> Result<()> {
        for &id in ids {
            // Noted first: an order that fails half way may have been carried out.
            self.stopped.push(id);
            self.order("stop", id)?;
        }
        Ok(())
    }

    pub(super) fn go_on(&mut self) -> Result<()> {
        while let Some(id) = self.stopped.pop() {
            self.order("cont", id)?;
        }
        Ok(())
    }

    pub(super) fn kill(&mut self, id: i32) -> Result<()> {
        self.killed.push(id);
        self.order("kill", id)?;
        self.stopped.retain(|s| *s != id);
        Ok(())
    }

    /// Brings back whatever was stopped or killed.
    pub(super) fn heal(&mut self) -> Result<()> {
        self.go_on()?;
        while let Some(id) = self.killed.pop() {
            self.order("restart", id)?;
        }
        Ok(())
    }

    /// Leaves the cluster as it was found, as far as it lets itself be: the last thing that an interrupted drill does.
    pub(super) fn undo(&mut self) -> Result<()> {
        let healed = self.heal();
        if let Some(topic) = self.topic.take() {
            testbed::delete(&topic);
        }
        healed
    }
}
