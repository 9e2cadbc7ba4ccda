//! Bytes from outside are hostile to a terminal: control characters can forge lines, move the cursor or reprogram it.

use std::fmt::Write;

/// Whether a terminal may act on this character instead of showing it: C0, DEL, C1, and the invisible or direction-changing ones.
pub(super) fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{061C}' | '\u{180E}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

fn push_escaped(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if (c as u32) < 0x100 => {
            let _ = write!(out, "\\x{:02x}", c as u32);
        }
        c => {
            let _ = write!(out, "\\u{{{:x}}}", c as u32);
        }
    }
}

/// One line of text made harmless: every character that a terminal may act on is written as an escape.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hostile(c) {
            push_escaped(&mut out, c)
        } else {
            out.push(c)
        }
    }
    out
}

/// Bytes as one harmless line: UTF-8 where it is, `\xNN` where it is not, cut after `limit` bytes of input with the rest counted.
pub fn escape_bytes(bytes: &[u8], limit: usize) -> String {
    let cut = &bytes[..bytes.len().min(limit)];
    let mut out = String::with_capacity(cut.len());
    for chunk in cut.utf8_chunks() {
        out.push_str(&escape(chunk.valid()));
        for b in chunk.invalid() {
            let _ = write!(out, "\\x{b:02x}");
        }
    }
    if cut.len() < bytes.len() {
        let _ = write!(out, "… ({} more bytes)", bytes.len() - cut.len());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_a_terminal_acts_on_gets_through() {
        let all: String = (0u32..0x3000)
            .chain(0xFE00..0x10000)
            .chain(0xE0000..0xE0080)
            .filter_map(char::from_u32)
            .collect();
        assert!(!escape(&all).chars().any(is_hostile));
    }

    #[test]
    fn forged_lines_and_bidi_are_visible() {
        assert_eq!(escape("a\rb\x1b[2Jc\u{202e}d"), "a\\rb\\x1b[2Jc\\u{202e}d");
        assert_eq!(escape_bytes(b"ok\xff\n", 100), "ok\\xff\\n");
        assert_eq!(escape_bytes("żółw".as_bytes(), 100), "żółw");
        assert_eq!(escape_bytes(b"abcdef", 2), "ab… (4 more bytes)");
    }
}
