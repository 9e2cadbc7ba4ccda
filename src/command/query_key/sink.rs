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

/// One message, as it is written.
pub(super) enum Rendered {
    Bytes(Vec<u8>),
    Value(Value),
    Nothing,
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

    /// One message in the form that was asked for, to be written now or later.
    pub(super) fn render(&self, broker: &str, topic: &str, record: &Record<'_>) -> Rendered {
        match &self.form {
            Form::Human => Rendered::Bytes(emit::human(topic, record).into_bytes()),
            Form::Screen => Rendered::Nothing,
            Form::Jsonl(_) => Rendered::Bytes(emit::line(&emit::record(broker, topic, record))),
            Form::Json(_) => Rendered::Value(emit::record(broker, topic, record)),
            // A tombstone has no payload; nothing is not the same as an empty one.
            Form::Raw(end) => record.value.map_or(Rendered::Nothing, |value| {
                let mut line = value.to_vec();
                line.push(*end);
                Rendered::Bytes(line)
            }),
        }
    }

    /// Writes one message.
    ///
    /// # Errors
    /// That stdout is open and cannot be written.
    pub(super) fn put(&mut self, rendered: Rendered) -> Result<()> {
        match (rendered, &mut self.form) {
            (Rendered::Nothing, _) => Ok(()),
            (Rendered::Bytes(bytes), form) => {
                if let Form::Jsonl(hasher) = form {
                    hasher.update(&bytes);
                }
                self.ui.data(&bytes)
            }
            (Rendered::Value(value), Form::Json(records)) => {
                records.push(value);
                Ok(())
            }
            // Only that form makes values.
            (Rendered::Value(value), Form::Human | Form::Screen | Form::Jsonl(_) | Form::Raw(_)) => {
                self.ui.data(&emit::line(&value))
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
