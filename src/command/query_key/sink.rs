//! Where found messages are written, in the form that was asked for.

use crate::cli::QueryFormat;
use crate::model::{Record, Result};
use crate::ui::Ui;
use crate::ui::emit::query as emit;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The form, and what is kept for the end of the answer.
pub(super) struct Sink<'a> {
    ui: &'a Ui,
    form: Form,
}

enum Form {
    Human,
    /// For people, who are shown something else in the end.
    Screen,
    /// With the hash of the lines.
    Jsonl(Sha256),
    /// With the records.
    Json(Vec<Value>),
    /// With what ends each payload.
    Raw(u8),
}

impl<'a> Sink<'a> {
    pub(super) fn new(ui: &'a Ui, format: QueryFormat, raw: Option<u8>, journey: bool) -> Sink<'a> {
        let form = match (raw, format) {
            (Some(end), _) => Form::Raw(end),
            (None, QueryFormat::Human) if journey => Form::Screen,
            (None, QueryFormat::Human) => Form::Human,
            (None, QueryFormat::Jsonl) => Form::Jsonl(Sha256::new()),
            (None, QueryFormat::Json) => Form::Json(Vec::new()),
        };
        Sink { ui, form }
    }

    /// Writes one message.
    ///
    /// # Errors
    /// That stdout is open and cannot be written.
    pub(super) fn show(&mut self, broker: &str, topic: &str, record: &Record<'_>) -> Result<()> {
        match &mut self.form {
            Form::Human => self.ui.data(emit::human(topic, record).as_bytes()),
            Form::Screen => Ok(()),
            Form::Jsonl(hasher) => {
                let line = emit::line(&emit::record(broker, topic, record));
                hasher.update(&line);
                self.ui.data(&line)
            }
            Form::Json(records) => {
                records.push(emit::record(broker, topic, record));
                Ok(())
            }
            Form::Raw(end) => {
                // A tombstone has no payload; nothing is not the same as an empty one.
                let Some(value) = record.value else { return Ok(()) };
                let mut line = value.to_vec();
                line.push(*end);
                self.ui.data(&line)
            }
        }
    }

    /// Whether people read it.
    pub(super) fn is_human(&self) -> bool {
        matches!(self.form, Form::Human | Form::Screen)
    }

    /// Ends the answer: for programs the summary, with the hash of the lines before it.
    ///
    /// # Errors
    /// That stdout is open and cannot be written.
    pub(super) fn end(self, mut summary: Value) -> Result<()> {
        match self.form {
            Form::Human | Form::Screen | Form::Raw(_) => Ok(()),
            Form::Jsonl(hasher) => {
                summary["sha256"] = Value::String(hex(&hasher.finalize()));
                self.ui.data(&emit::line(&summary))
            }
            Form::Json(records) => {
                summary["records"] = Value::Array(records);
                self.ui.data(&emit::line(&summary))
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
