//! From typed words to what is looked for, and where.

use crate::cli::{PlaceArgs, WhatArgs};
use crate::command::resolve;
use crate::connect::BrokerKind;
use crate::model::{IndexUse, KeyHash, Problem, Result, moment};
use crate::query::{KeyFrom, Placing, Wanted};
use crate::ui::Ui;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A file of keys is held in memory.
const KEYS_BYTES: u64 = 256 << 20;

/// The window of time, in milliseconds since the Unix epoch.
pub(super) type Window = (Option<i64>, Option<i64>);

/// What is looked for.
pub(super) fn wanted(args: &WhatArgs, window: Window, ui: &Ui) -> Result<Wanted> {
    let mut wanted = Wanted::default();
    for key in &args.keys {
        wanted.or_key(decoded(key.as_bytes(), args.base64)?);
    }
    if let Some(path) = &args.keys_file {
        keys_of_file(path, args, &mut wanted, ui)?;
    }
    if args.no_key {
        wanted.or_no_key();
    }
    for glob in &args.glob {
        wanted.or_glob(glob)?;
    }
    for regex in &args.regex {
        wanted.or_regex(regex)?;
    }
    if let Some(from) = &args.key_from {
        wanted.key_from(KeyFrom::parse(from)?);
    }
    for id in &args.id {
        wanted.and_id(id);
    }
    for header in &args.header {
        let bytes = header.as_bytes();
        let at = bytes.iter().position(|b| *b == b'=').filter(|at| *at > 0);
        let Some(at) = at else {
            return Err(
                Problem::usage(format!("--header {header:?} is no name and value")).next("write --header NAME=VALUE")
            );
        };
        wanted.and_header(&bytes[..at], &bytes[at + 1..]);
    }
    for field in &args.json {
        wanted.and_json(field)?;
    }
    for text in &args.value_contains {
        wanted.and_contains(text.as_bytes())?;
    }
    if wanted.is_everything() && !args.all {
        return Err(Problem::usage("nothing is named to look for")
            .next("give a KEY, --glob, --header, --json or another condition, or --all for every message"));
    }
    wanted.within(window.0, window.1);
    Ok(wanted)
}

fn decoded(key: &[u8], is_base64: bool) -> Result<Vec<u8>> {
    if !is_base64 {
        return Ok(key.to_vec());
    }
    STANDARD
        .decode(key)
        .map_err(|e| Problem::usage(format!("the key {:?} is not base64", String::from_utf8_lossy(key))).because(e))
}

fn keys_of_file(path: &Path, args: &WhatArgs, wanted: &mut Wanted, ui: &Ui) -> Result<()> {
    let name = path.display();
    let failed = |e: std::io::Error| {
        Problem::usage(format!("cannot read the keys in {name}"))
            .because(e)
            .next("check --keys-file")
    };
    let mut bytes = Vec::new();
    let read = match path.as_os_str().as_bytes() {
        b"-" => std::io::stdin().lock().take(KEYS_BYTES + 1).read_to_end(&mut bytes),
        _ => std::fs::File::open(path).and_then(|file| file.take(KEYS_BYTES + 1).read_to_end(&mut bytes)),
    };
    read.map_err(failed)?;
    if bytes.len() as u64 > KEYS_BYTES {
        return Err(
            Problem::usage(format!("{name} has more than {} MiB of keys", KEYS_BYTES >> 20))
                .next("give them in several files, one after the other"),
        );
    }
    let end = if args.null { 0 } else { b'\n' };
    let lines = bytes.strip_suffix(&[end]).unwrap_or(&bytes);
    if bytes.is_empty() {
        return Err(Problem::usage(format!("there is no key in {name}")).next("check --keys-file"));
    }
    let mut windows = true;
    for (number, line) in (1u64..).zip(lines.split(|b| *b == end)) {
        if line.is_empty() {
            return Err(Problem::usage(format!("line {number} of {name} is empty"))
                .because("it would find every message with an empty key")
                .next("take it out; the empty key is looked for with ''"));
        }
        windows &= line.ends_with(b"\r");
        wanted.or_key(decoded(line, args.base64)?);
    }
    if windows && !args.null {
        ui.warn(&format!(
            "every line of {name} ends with a carriage return, which is part of the key here; take it out if it is not meant"
        ));
    }
    Ok(())
}

/// From when until when.
pub(super) fn window(args: &PlaceArgs) -> Result<Window> {
    let (now, zone) = (jiff::Timestamp::now(), jiff::tz::TimeZone::system());
    let read =
        |option: &str, text: &Option<String>| text.as_deref().map(|text| moment(option, text, now, &zone)).transpose();
    let (since, until) = (read("--since", &args.since)?, read("--until", &args.until)?);
    if let (Some(from), Some(to)) = (since, until)
        && from >= to
    {
        return Err(Problem::usage("--since is not before --until").next("no message can be of that time"));
    }
    Ok((since, until))
}

/// What decides where a key can be.
pub(super) fn placing(args: &PlaceArgs, what: &WhatArgs, kind: BrokerKind) -> Result<Placing> {
    let given = [
        (args.pruned, "--pruned"),
        (args.partitioner.is_some(), "--partitioner"),
        (!args.partition_counts.is_empty(), "--partition-counts"),
    ];
    only(kind, &[BrokerKind::Kafka], &given)?;
    only(
        kind,
        &[BrokerKind::RocketMq],
        &[(args.index_only, "--index-only"), (args.exhaustive, "--exhaustive")],
    )?;
    only(
        kind,
        &[BrokerKind::RabbitMq],
        &[(args.tap, "--tap"), (args.peek, "--peek")],
    )?;
    if args.newest_first && (args.peek || args.tap) {
        return Err(Problem::usage("a queue without history cannot be read from its end")
            .because("its messages are fetched from the front, and a tap sees them as they come")
            .next("leave --newest-first out; it is for streams"));
    }
    only(
        kind,
        &[BrokerKind::RabbitMq, BrokerKind::RocketMq],
        &[(!what.id.is_empty(), "--id")],
    )?;
    Ok(Placing {
        only: args.partitioner.map(KeyHash::from),
        pruned: args.pruned,
        earlier_counts: args.partition_counts.clone(),
    })
}

/// Refuses what a broker has not, instead of leaving it out unsaid.
fn only(kind: BrokerKind, whose: &[BrokerKind], given: &[(bool, &str)]) -> Result<()> {
    let Some((_, flag)) = given.iter().find(|(given, _)| *given && !whose.contains(&kind)) else {
        return Ok(());
    };
    let names: Vec<&str> = whose.iter().map(|kind| kind.name()).collect();
    Err(Problem::usage(format!("{} has no {flag}", kind.name()))
        .next(format!("leave it out; it is for {}", names.join(" and "))))
}

/// How far RocketMQ's index of keys is believed.
pub(super) fn index(args: &PlaceArgs, wanted: &Wanted) -> IndexUse {
    // A hit that fails another condition is none, and says nothing about what the index does not know.
    match (args.index_only, args.exhaustive || wanted.asks_for_more()) {
        (true, _) => IndexUse::Only,
        (false, true) => IndexUse::Hint,
        (false, false) => IndexUse::First,
    }
}

/// The partitions that were named.
pub(super) fn partitions(args: &PlaceArgs) -> Result<Vec<i32>> {
    resolve::partitions(args.partitions.as_deref())
}
