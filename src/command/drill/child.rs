//! The applications of a drill, and the reader that says what is there: child processes of this binary.

use super::stage::Stage;
use super::{PACE, broken, words};
use crate::cli::{DrillRun, Habit};
use crate::drill::{Belief, Sight};
use crate::model::{Problem, Result};
use serde_json::Value;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longer than any fault of a stage.
const PATIENCE: Duration = Duration::from_secs(180);

/// Starts the children of one drill.
pub(super) struct Children {
    program: PathBuf,
    broker: String,
    properties: Vec<String>,
    messages: u64,
    work: TempDir,
}

impl Children {
    pub(super) fn new(broker: String, properties: &[String], messages: u64) -> Result<Children> {
        let program = std::env::current_exe().map_err(|e| broken("own program", e))?;
        let work = tempfile::Builder::new()
            .prefix("mqsafe-drill-")
            .tempdir()
            .map_err(|e| broken("work directory", e))?;
        Ok(Children {
            program,
            broker,
            properties: properties.to_vec(),
            messages,
            work,
        })
    }

    /// The directory of the spool and the receipts.
    pub(super) fn work(&self) -> &Path {
        self.work.path()
    }

    fn command(&self, name: &str, topic: &str) -> Command {
        let mut command = Command::new(&self.program);
        // The children answer for themselves alone; what the user's environment says about spools or brokers is not theirs.
        for (variable, _) in std::env::vars_os() {
            if variable.to_str().is_some_and(|v| v.starts_with("MQSAFE_")) {
                command.env_remove(variable);
            }
        }
        command.arg(name).args(["--broker", &self.broker, "--topic", topic]);
        for property in &self.properties {
            command.args(["-X", property]);
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the application of a play under the faults of the stage, and looks at what is there.
    pub(super) fn play(&self, stage: &mut Stage, run: DrillRun, topic: &str, habits: &[Habit]) -> Result<Sight> {
        let receipts = self.work.path().join(format!("{topic}.jsonl"));
        let mut command = match run {
            DrillRun::Careful => {
                let mut send = self.command("send", topic);
                send.arg("--spool")
                    .arg(self.work.path().join("spool"))
                    .arg("--receipts")
                    .arg(&receipts);
                send.stdin(Stdio::piped());
                send
            }
            DrillRun::ShortTimeout | DrillRun::NoRetries | DrillRun::NoFlush | DrillRun::Acks1 | DrillRun::Unclean => {
                let mut careless = self.command("drill-careless", topic);
                careless.args(["--messages", &self.messages.to_string()]);
                for habit in habits {
                    careless.args(["--habit", &words(*habit)]);
                }
                careless
            }
        };
        if let Err(problem) = stage.before(run, topic) {
            // Whatever was stopped for this run goes on before anything else is said.
            stage.heal(topic)?;
            return Err(problem);
        }
        let mut child = command.spawn().map_err(|e| broken("application", e))?;
        if let Some(stdin) = child.stdin.take() {
            feed(stdin, self.messages);
        }
        let faults = stage.faults(run, topic);
        let output = wait(child, "application");
        stage.heal(topic)?;
        faults?;
        let output = output?;
        let (told, sent, believed) = if run == DrillRun::Careful {
            (
                std::fs::read_to_string(&receipts).map_err(|e| broken("receipts", e))?,
                "accepted",
                "stored",
            )
        } else {
            (String::from_utf8_lossy(&output.stdout).into_owned(), "sent", "believed")
        };
        let told = last_json(&told).ok_or_else(|| broken("application", words_of(&output)))?;
        let belief = Belief {
            sent: number(&told, sent)?,
            believed: number(&told, believed)?,
        };
        let (there, duplicates) = self.look(topic)?;
        Ok(Sight {
            belief,
            there,
            duplicates,
        })
    }

    /// What `verify` reads: different messages, and messages that came again.
    fn look(&self, topic: &str) -> Result<(u64, u64)> {
        let verify = self
            .command("verify", topic)
            .args(["--format", "json"])
            .spawn()
            .map_err(|e| broken("verify", e))?;
        let output = wait(verify, "verify")?;
        let verdict = last_json(&String::from_utf8_lossy(&output.stdout));
        let verdict = verdict.ok_or_else(|| broken("verify", words_of(&output)))?;
        // A mock does not say whether a topic is compacted; that it was read as a whole is what counts here.
        if !verdict["coverage"].as_str().is_some_and(|c| c.starts_with("COMPLETE")) {
            return Err(broken(
                "verify",
                format!("the topic was not read as a whole: {}", verdict["coverage"]),
            ));
        }
        let (stamped, duplicate) = (
            number(&verdict["totals"], "stamped")?,
            number(&verdict["totals"], "duplicate")?,
        );
        Ok((stamped - duplicate, duplicate))
    }
}

/// Writes one line every so often, as the careless application sends.
fn feed(mut stdin: ChildStdin, messages: u64) {
    std::thread::spawn(move || {
        let start = Instant::now();
        for number in 1..=messages {
            // A child that ended has said why itself.
            if writeln!(stdin, "message {number}").is_err() {
                return;
            }
            let due = start + PACE * u32::try_from(number).unwrap_or(u32::MAX);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    });
}

fn wait(mut child: Child, what: &str) -> Result<Output> {
    // Read while it works: a pipe that nobody empties would stop it.
    let (stdout, stderr) = (drain(child.stdout.take()), drain(child.stderr.take()));
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(20)),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(broken(
                    what,
                    format!("it was still running after {} s", PATIENCE.as_secs()),
                ));
            }
            Err(e) => return Err(broken(what, e)),
        }
    };
    let read = |reader: JoinHandle<Vec<u8>>| reader.join().unwrap_or_default();
    Ok(Output {
        status,
        stdout: read(stdout),
        stderr: read(stderr),
    })
}

fn drain(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read until an error is all there is to show.
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}

fn last_json(text: &str) -> Option<Value> {
    text.lines()
        .next_back()
        .and_then(|line| serde_json::from_str(line).ok())
}

fn number(value: &Value, name: &str) -> Result<u64> {
    value[name]
        .as_u64()
        .ok_or_else(|| broken("figures", format!("{name} is missing in {value}")))
}

fn words_of(output: &Output) -> Problem {
    Problem::unknown(format!(
        "it ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    ))
}
