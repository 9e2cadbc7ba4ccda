//! `spool flush --on-failed`: a program of the user's hears of each message that failed.

use crate::connect;
use crate::model::{Problem, Result};
use std::ffi::OsString;

/// The program with its arguments.
#[derive(Debug, Clone)]
pub(super) struct OnFailed(Vec<OsString>);

impl OnFailed {
    /// From `--on-failed [PROGRAM]` and what stands after `--`.
    pub(super) fn new(program: Option<Option<OsString>>, rest: Vec<OsString>) -> Result<Option<OnFailed>> {
        let Some(program) = program else { return Ok(None) };
        let words: Vec<OsString> = program.into_iter().chain(rest).collect();
        if words.first().is_none_or(|word| word.is_empty()) {
            return Err(Problem::usage("--on-failed names no program").next("write --on-failed -- PROGRAM ARGS"));
        }
        Ok(Some(OnFailed(words)))
    }

    /// Runs it with one record on its standard input.
    pub(super) fn tell(&self, record: &[u8]) -> Result<()> {
        // Whether or not it counts for this run, the broker's variable may hold a password.
        connect::hide(connect::BROKER_VARIABLE);
        connect::feed(&self.0, record)
    }
}
