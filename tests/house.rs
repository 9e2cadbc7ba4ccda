//! Holds the shape of the house: which room may know which, and what only one file may do.
//!
//! The rule is the one in `src/lib.rs`. When a better shape is found, the table below changes together with it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeSet;
use std::path::Path;

/// Each room below `main`, and the rooms that it may name. A room may always name itself.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("text", &[]),
    ("hooks", &[]),
    ("config", &["model", "text"]),
    ("connect", &["model", "text"]),
    ("audit", &["model", "text", "config"]),
    ("spool", &["model", "hooks"]),
    ("send", &["model", "spool", "hooks"]),
    ("query", &["model"]),
    ("verify", &["model"]),
    ("drill", &["model"]),
    (
        "broker",
        &[
            "model", "text", "hooks", "config", "connect", "audit", "spool", "send", "query", "verify", "drill",
        ],
    ),
    ("cli", &["model"]),
    (
        "ui",
        &[
            "model", "text", "config", "audit", "spool", "send", "query", "verify", "drill",
        ],
    ),
    (
        "command",
        &[
            "model", "text", "hooks", "config", "connect", "audit", "spool", "send", "query", "verify", "drill",
            "broker", "cli", "ui",
        ],
    ),
];

/// Rooms that must not look at the environment. `hooks` may, for the crash tests.
const BLIND: &[&str] = &[
    "model", "text", "config", "connect", "audit", "spool", "send", "query", "verify", "drill", "broker", "cli",
];

/// Words, and the only places that may use them. A place is a file or, ending in `/`, a folder.
const ONLY: &[(&str, &[&str])] = &[
    ("rdkafka", &["src/broker/"]),
    ("kafka_protocol", &["src/broker/"]),
    ("rdkafka_sys", &["src/broker/"]),
    ("lapin", &["src/broker/"]),
    ("rocketmq_protocol", &["src/broker/"]),
    ("ureq", &["src/broker/"]),
    ("TcpStream", &["src/broker/", "src/command/verify/metrics.rs"]),
    ("saphyr_parser", &["src/connect/yaml.rs", "src/text/yaml.rs"]),
    ("jks", &["src/connect/store.rs"]),
    ("p12_keystore", &["src/connect/store.rs"]),
    ("unsafe", &["src/broker/kafka/raw.rs"]),
    ("unsafe_code", &["src/broker/kafka/raw.rs", "src/broker/kafka/mod.rs"]),
    ("colored", &["src/ui/style.rs"]),
    ("indicatif", &["src/ui/progress.rs"]),
    ("comfy_table", &["src/ui/table.rs"]),
    ("println!", &["src/ui/", "src/main.rs"]),
    ("print!", &["src/ui/", "src/main.rs"]),
    ("eprintln!", &["src/ui/", "src/main.rs"]),
    ("eprint!", &["src/ui/", "src/main.rs"]),
    ("dbg!", &[]),
];

const MOST_LINES: usize = 700;

#[test]
fn the_house_is_in_order() {
    let mut files = Vec::new();
    read(Path::new(env!("CARGO_MANIFEST_DIR")), Path::new("src"), &mut files);
    assert!(files.len() > 30, "only {} files were read", files.len());
    let faults: Vec<String> = files.iter().flat_map(|(path, text)| faults(path, text)).collect();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// A check that cannot fail proves nothing: each rule must report the fault planted for it.
#[test]
fn canary_each_planted_fault_is_reported() {
    let long = "\n".repeat(MOST_LINES + 1);
    let planted = [
        ("src/model/a.rs", "use crate::spool::Spool;", "model may not name spool"),
        (
            "src/send/pump.rs",
            "use crate::broker::kafka;",
            "send may not name broker",
        ),
        (
            "src/query/mod.rs",
            "fn f() { crate::broker::x() }",
            "query may not name broker",
        ),
        (
            "src/verify/mod.rs",
            "use crate::{model::Stamp, ui::Ui};",
            "verify may not name ui",
        ),
        (
            "src/spool/mod.rs",
            "use crate::{\n    model::{Stamp, Lane},\n    cli,\n};",
            "spool may not name cli",
        ),
        ("src/spool/mod.rs", "use super::broker::x;", "spool may not name broker"),
        (
            "src/spool/read.rs",
            "use super::super::broker;",
            "spool may not name broker",
        ),
        (
            "src/spool/read/tests.rs",
            "use super::super::super::ui;",
            "spool may not name ui",
        ),
        ("src/audit/mod.rs", "use mqsafe::ui::Ui;", "audit may not name ui"),
        ("src/ui/mod.rs", "use crate::broker::kafka;", "ui may not name broker"),
        (
            "src/broker/kafka/mod.rs",
            "use crate::command::run;",
            "broker may not name command",
        ),
        ("src/audit/mod.rs", "use crate::*;", "audit names everything"),
        ("src/attic/mod.rs", "", "attic is no room"),
        (
            "src/audit/mod.rs",
            "fn f() { std::env::var(\"X\"); }",
            "audit may not read the environment",
        ),
        (
            "src/connect/mod.rs",
            "use std::{env, fs};",
            "connect may not read the environment",
        ),
        ("src/send/pump.rs", "use rdkafka::Message;", "rdkafka"),
        (
            "src/verify/mod.rs",
            "use kafka_protocol::messages::ApiKey;",
            "kafka_protocol",
        ),
        ("src/connect/tls.rs", "use std::net::TcpStream;", "TcpStream"),
        ("src/connect/tls.rs", "ureq::get(x)", "ureq"),
        ("src/connect/file.rs", "use saphyr_parser::Parser;", "saphyr_parser"),
        ("src/connect/file.rs", "jks::KeyStore::new()", "jks"),
        ("src/connect/file.rs", "use p12_keystore::KeyStore;", "p12_keystore"),
        ("src/spool/mod.rs", "fn f() { unsafe { x() } }", "unsafe"),
        ("src/spool/mod.rs", "#![allow(unsafe_code)]", "unsafe_code"),
        ("src/ui/mod.rs", "use colored::Colorize;", "colored"),
        ("src/ui/table.rs", "use indicatif::ProgressBar;", "indicatif"),
        ("src/command/spool.rs", "comfy_table::Table::new()", "comfy_table"),
        ("src/command/send.rs", "println!(\"done\")", "println!"),
        ("src/broker/kafka/scan.rs", "eprint !(\"x\")", "eprint!"),
        ("src/ui/mod.rs", "dbg!(x)", "dbg!"),
        ("src/model/mod.rs", &long, "lines"),
    ];
    for (path, text, expected) in planted {
        let found = faults(path, text);
        assert!(
            found.iter().any(|fault| fault.contains(expected)),
            "{path}: {text:?} should be reported as {expected:?}, not as {found:?}"
        );
    }
}

#[test]
fn canary_what_is_allowed_is_not_reported() {
    let fine = [
        (
            "src/send/pump.rs",
            "use crate::model::{Lane, Stamp};\nuse crate::spool::Spool;\nuse super::event::Event;",
        ),
        ("src/spool/read/tests.rs", "use super::super::Spool;"),
        ("src/query/mod.rs", "mod tests { use super::*; }"),
        (
            "src/model/mod.rs",
            "// crate::broker, unsafe, println!\n/* use crate::ui; /* nested */ */",
        ),
        (
            "src/model/mod.rs",
            "const A: &str = \"crate::ui \\\" unsafe\"; const B: &str = r#\"crate::ui\"#; const C: char = '\"';",
        ),
        ("src/model/mod.rs", "fn f<'a>(x: &'a str) -> &'a str { x } // 'unsafe'"),
        (
            "src/cli/mod.rs",
            "pub(crate) const V: &str = crate::VERSION; #[arg(env = \"MQSAFE_BROKER\")]",
        ),
        (
            "src/connect/mod.rs",
            "fn f() { \"{env: NAME}\"; let env = 1; env!(\"CARGO\") }",
        ),
        ("src/broker/kafka/raw.rs", "use rdkafka::x; unsafe {}"),
        ("src/ui/mod.rs", "use crate::verify::Verdict; println!()"),
        ("src/command/mod.rs", "use crate::{broker, cli, ui}; use std::env;"),
        ("src/hooks.rs", "std::env::var_os(\"X\")"),
        ("src/main.rs", "use mqsafe::{cli, command, ui};"),
        ("src/lib.rs", "pub mod ui;"),
    ];
    for (path, text) in fine {
        let found = faults(path, text);
        assert!(found.is_empty(), "{path}: {text:?} is fine, but reported as {found:?}");
    }
}

fn read(root: &Path, below: &Path, files: &mut Vec<(String, String)>) {
    let entries = std::fs::read_dir(root.join(below)).unwrap();
    let mut entries: Vec<_> = entries.map(|entry| entry.unwrap()).collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = below.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            read(root, &path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            files.push((path.to_str().unwrap().to_owned(), text));
        }
    }
}

/// Everything that is wrong with one file.
fn faults(path: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let lines = text.lines().count();
    if lines > MOST_LINES {
        faults.push(format!("{path}: {lines} lines; {MOST_LINES} are enough"));
    }
    let tokens = tokens(text);
    for (word, places) in ONLY {
        let allowed = places.iter().any(|place| match place.strip_suffix('/') {
            Some(_) => path.starts_with(place),
            None => path == *place,
        });
        if !allowed {
            for line in uses(&tokens, word) {
                faults.push(format!("{path}:{line}: {word} belongs to {}", places.join(", ")));
            }
        }
    }
    let inside = path.strip_prefix("src/").unwrap_or(path);
    let room = inside.split('/').next().unwrap_or(inside);
    let room = room.strip_suffix(".rs").unwrap_or(room);
    if room == "main" || room == "lib" {
        return faults;
    }
    let Some((_, may)) = MAY_NAME.iter().find(|(name, _)| *name == room) else {
        faults.push(format!(
            "{path}: {room} is no room of this house; add it to the table in tests/house.rs"
        ));
        return faults;
    };
    let (paths, depth) = (use_paths(&tokens), depth(inside));
    let mut seen = BTreeSet::new();
    for (line, path_words) in &paths {
        let words: Vec<&str> = path_words.iter().map(String::as_str).collect();
        let supers = words.iter().take_while(|w| **w == "super").count();
        let named = match words.as_slice() {
            ["crate" | "mqsafe", "*", ..] => {
                faults.push(format!("{path}:{line}: {room} names everything; name the room"));
                continue;
            }
            ["crate" | "mqsafe", name, ..] => name,
            _ if supers >= depth && supers < words.len() => &words[supers],
            _ => {
                if words.starts_with(&["std", "env"]) && BLIND.contains(&room) {
                    faults.push(format!("{path}:{line}: {room} may not read the environment"));
                }
                continue;
            }
        };
        let is_room = MAY_NAME.iter().any(|(name, _)| name == named);
        if is_room && *named != room && !may.contains(named) && seen.insert((*line, named.to_string())) {
            faults.push(format!("{path}:{line}: {room} may not name {named}"));
        }
    }
    faults
}

/// How many `super::` lead from a file to the root: `src/send/pump.rs` is `crate::send::pump`, two deep.
fn depth(inside: &str) -> usize {
    let parts = inside.split('/').count();
    if inside.ends_with("mod.rs") { parts - 1 } else { parts }
}

/// The lines where a word is used; `name!` is the use of a macro.
fn uses(tokens: &[(usize, String)], word: &str) -> Vec<usize> {
    let (word, is_macro) = word.strip_suffix('!').map_or((word, false), |w| (w, true));
    let found = tokens.iter().enumerate().filter(|(i, (_, token))| {
        let calls = tokens.get(i + 1).is_some_and(|(_, next)| next == "!");
        token == word && (!is_macro || calls)
    });
    found.map(|(_, (line, _))| *line).collect()
}

/// Every path of a file, each branch of a `{…}` on its own, with the line where it begins.
fn use_paths(tokens: &[(usize, String)]) -> Vec<(usize, Vec<String>)> {
    let mut paths = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        let starts = is_word(&tokens[i].1) && tokens.get(i + 1).is_some_and(|(_, t)| t == "::");
        if starts {
            i = branch(tokens, i, &mut Vec::new(), &mut paths);
        } else {
            i += 1;
        }
    }
    paths
}

/// Reads one path, or one branch of it, from `i`; returns where it ends.
fn branch(
    tokens: &[(usize, String)],
    mut i: usize,
    before: &mut Vec<String>,
    paths: &mut Vec<(usize, Vec<String>)>,
) -> usize {
    let (line, length) = (tokens[i].0, before.len());
    while i < tokens.len() {
        let token = &tokens[i].1;
        if token == "{" {
            i += 1;
            while i < tokens.len() && tokens[i].1 != "}" {
                if tokens[i].1 == "," {
                    i += 1;
                } else {
                    let next = branch(tokens, i, before, paths);
                    // `as name` and whatever else stands before the next comma.
                    i = next.max(i + 1);
                }
            }
            before.truncate(length);
            return i + 1;
        }
        if !is_word(token) && token != "*" {
            break;
        }
        before.push(token.clone());
        if tokens.get(i + 1).is_none_or(|(_, t)| t != "::") {
            i += 1;
            break;
        }
        i += 2;
    }
    paths.push((line, before.clone()));
    before.truncate(length);
    i
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The words and signs of a source text with their lines, without comments and literals.
fn tokens(text: &str) -> Vec<(usize, String)> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let (mut tokens, mut i, mut line) = (Vec::new(), 0, 1);
    while i < chars.len() {
        let from = i;
        match at(i) {
            '/' if at(i + 1) == '/' => {
                while i < chars.len() && at(i) != '\n' {
                    i += 1;
                }
            }
            '/' if at(i + 1) == '*' => {
                let mut open = 0;
                loop {
                    match (at(i), at(i + 1)) {
                        ('/', '*') => (open, i) = (open + 1, i + 2),
                        ('*', '/') => (open, i) = (open - 1, i + 2),
                        _ => i += 1,
                    }
                    if open == 0 || i >= chars.len() {
                        break;
                    }
                }
            }
            '"' => i = end_of_string(&chars, i),
            '\'' => {
                // A lifetime has no closing quote right after its first letter.
                if at(i + 1) == '\\' {
                    i += 3;
                    while i < chars.len() && at(i) != '\'' {
                        i += 1;
                    }
                    i += 1;
                } else if at(i + 2) == '\'' {
                    i += 3;
                } else {
                    i += 1;
                }
            }
            c if c.is_alphabetic() || c == '_' => {
                while at(i).is_alphanumeric() || at(i) == '_' {
                    i += 1;
                }
                let word: String = chars[from..i].iter().collect();
                if matches!(word.as_str(), "r" | "br" | "cr")
                    && (at(i) == '"' || (at(i) == '#' && "#\"".contains(at(i + 1))))
                {
                    i = end_of_raw_string(&chars, i);
                } else {
                    tokens.push((line, word));
                }
            }
            ':' if at(i + 1) == ':' => {
                i += 2;
                tokens.push((line, "::".to_owned()));
            }
            c => {
                i += 1;
                if !c.is_whitespace() {
                    tokens.push((line, c.to_string()));
                }
            }
        }
        line += chars[from..i.min(chars.len())].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

fn end_of_string(chars: &[char], mut i: usize) -> usize {
    i += 1;
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

fn end_of_raw_string(chars: &[char], mut i: usize) -> usize {
    let hashes = chars[i..].iter().take_while(|c| **c == '#').count();
    i += hashes + 1;
    while i < chars.len() {
        if chars[i] == '"' && chars[i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes {
            return i + 1 + hashes;
        }
        i += 1;
    }
    i
}
