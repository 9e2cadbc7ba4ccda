//! Output formats: pure functions from a result to bytes.

mod audit_concise;
mod audit_diff;
mod audit_full;
mod audit_github;
mod audit_gitlab;
mod audit_json;
mod audit_junit;
mod audit_live;
mod audit_markdown;
mod audit_sarif;
#[cfg(feature = "broker")]
pub mod context;
#[cfg(feature = "kafka")]
pub mod drill;
#[cfg(feature = "broker")]
pub mod journey;
#[cfg(feature = "broker")]
pub mod query;
#[cfg(feature = "broker")]
pub mod receipt;
#[cfg(feature = "broker")]
pub mod spool;
#[cfg(feature = "broker")]
pub mod spool_stats;
#[cfg(feature = "broker")]
pub mod verify;
#[cfg(feature = "broker")]
pub mod verify_metrics;

use super::escape::is_hostile;
pub use audit_concise::audit_concise;
pub use audit_diff::audit_diff;
pub use audit_full::audit_full;
pub use audit_github::audit_github;
pub use audit_gitlab::audit_gitlab;
pub use audit_json::audit_json;
pub use audit_junit::audit_junit;
pub use audit_markdown::audit_markdown;
pub use audit_sarif::audit_sarif;
use std::fmt::Write;

/// A moment as RFC 3339 in UTC; the number itself where it is outside every calendar.
#[cfg(feature = "broker")]
pub fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |t| format!("{t:.3}"))
}

/// One JSON value as a line.
#[cfg(feature = "broker")]
fn json_line(value: &impl serde::Serialize) -> Vec<u8> {
    // Only a map with keys that are no text, or a failing Serialize of our own, could fail here; neither exists.
    harmless(&serde_json::to_string(value).unwrap_or_default()).into_bytes()
}

/// JSON escapes C0 controls only. What else a terminal may act on can stand in strings alone, so it is written as `\u` there.
fn harmless(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + 1);
    make_harmless(json, &mut out);
    out.push('\n');
    out
}

fn make_harmless(json: &str, out: &mut String) {
    let mut units = [0; 2];
    for c in json.chars() {
        if (c.is_ascii() && c != '\x7f') || !is_hostile(c) {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
}

/// Writes JSON in pieces, as harmless as [`harmless`] makes it: for what is too large to be held as one text.
#[cfg(feature = "broker")]
struct Harmless<'a> {
    to: &'a mut dyn std::io::Write,
    held: String,
}

#[cfg(feature = "broker")]
impl<'a> Harmless<'a> {
    const PIECE: usize = 64 * 1024;

    fn new(to: &'a mut dyn std::io::Write) -> Self {
        Harmless {
            to,
            held: String::new(),
        }
    }

    /// Ends the line, and hands over what is held.
    fn end(mut self) -> std::io::Result<()> {
        self.held.push('\n');
        std::io::Write::flush(&mut self)
    }
}

#[cfg(feature = "broker")]
impl std::io::Write for Harmless<'_> {
    /// The writer of JSON hands over whole characters only.
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = std::str::from_utf8(bytes).map_err(|e| std::io::Error::new(std::io::ErrorKind::InvalidData, e))?;
        make_harmless(text, &mut self.held);
        if self.held.len() >= Harmless::PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.to.write_all(self.held.as_bytes())?;
        self.held.clear();
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_a_terminal_acts_on_is_left() {
        assert_eq!(
            harmless("\"a\u{9b}ż\u{202e}\u{e0041}\x7f\""),
            "\"a\\u009bż\\u202e\\udb40\\udc41\\u007f\"\n"
        );
    }
}
