//! `--drain` takes messages away, so it asks first.

use crate::cli::VerifyArgs;
use crate::model::{Problem, Result};
use crate::ui::Ui;
use std::io::IsTerminal;

/// Asks on a terminal; elsewhere it must have been said beforehand.
pub(super) fn agreed(args: &VerifyArgs, topic: &str, ui: &Ui) -> Result<bool> {
    if args.queue.yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        return Err(Problem::usage(format!(
            "every message that waits in {topic} would be consumed, and be gone"
        ))
        .because("there is no terminal to ask on")
        .next("say --yes, or watch the queue with --tap, which takes nothing"));
    }
    ui.summary(&format!(
        "consume every message that waits in {topic}? They are gone then. [y/N]"
    ));
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    Ok(read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes"))
}
