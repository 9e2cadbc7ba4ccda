//! `mqsafe audit`: paths to findings.

use crate::cli::AuditArgs;
use crate::model::{Outcome, Problem, Result};
use crate::ui::Ui;

pub(super) fn run(_args: AuditArgs, _ui: &Ui) -> Result<Outcome> {
    Err(Problem::unknown("audit is being written"))
}
