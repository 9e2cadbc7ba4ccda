//! What users do wrong and how they stop it, on the secured listeners: the exit code tells, and the counts add up.

use crate::behaviour::{Door, talking};
use crate::knock::{self, Done, Home, Knock};
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

/// The counts of the summary.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
struct Counts {
    accepted: u64,
    stored: u64,
    refused: u64,
    in_doubt: u64,
    spooled: u64,
}

fn counts(done: &Done) -> Counts {
    let line = done.stderr.lines().rfind(|l| l.contains("accepted "));
    let line = line.unwrap_or_else(|| panic!("no summary: {}", done.stderr));
    let after = |word: &str| {
        let (_, rest) = line.split_once(word).unwrap_or_else(|| panic!("no {word}in {line}"));
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..digits].parse().unwrap()
    };
    Counts {
        accepted: after("accepted "),
        stored: after("stored "),
        refused: after("refused "),
        in_doubt: after("in doubt "),
        spooled: after("spooled "),
    }
}

/// The law, in the summary and in the spool.
fn law(done: &Done, home: &Home, label: &str) -> Counts {
    let told = counts(done);
    let Counts {
        accepted,
        stored,
        refused,
        in_doubt,
        spooled,
    } = told;
    assert_eq!(
        accepted,
        stored + refused + in_doubt + spooled,
        "{label}: {}",
        done.stderr
    );
    assert_eq!(
        home.stats(),
        (in_doubt + spooled, refused, stored),
        "{label}: {}",
        done.stderr
    );
    told
}

fn receipts(path: &std::path::Path) -> usize {
    let text = std::fs::read(path).unwrap_or_default();
    text.iter().filter(|b| **b == b'\n').count()
}

/// TERM and Ctrl-C, once and twice, in the middle of an input that goes on.
pub(crate) fn interrupted(door: &Option<Door>) {
    let Some(door) = door else { return };
    let _talking = talking(door);
    for (signal, times, code) in [("TERM", 1, 143), ("INT", 1, 130), ("INT", 2, 130)] {
        let (home, knock) = (Home::new(), &door.right[0]);
        let label = format!("{signal} x{times}, {}", knock.label);
        let key = format!("stopped-{:08x}", rand::random::<u32>());
        let path = home.spool().with_extension("receipts");
        let mut send = home.send(knock, &door.topic, &["-k", &key, "--receipts"]);
        send.arg(&path);
        let mut running = knock::start(send);
        let began = Instant::now();
        let mut fed = 0u64;
        // Receipts are written in blocks; a few thousand messages are a block.
        while receipts(&path) == 0 && began.elapsed() < Duration::from_secs(120) {
            let lines: String = (fed..fed + 50).map(|n| format!("{key} {n}\n")).collect();
            running.feed(lines.as_bytes());
            fed += 50;
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(receipts(&path) > 0, "{label}: nothing was settled: {}", running.told());
        for _ in 0..times {
            running.signal(signal);
            std::thread::sleep(Duration::from_millis(20));
        }
        let done = running.wait().expect(&label, code);
        let Counts { accepted, stored, .. } = law(&done, &home, &label);
        assert!(accepted <= fed && stored > 0, "{label}: {}", done.stderr);
        // What was accepted arrives, and nothing else.
        let mut flush = home.command(&["spool", "flush", "--spool"], &Knock::default());
        flush
            .arg(home.spool())
            .args(knock.settings())
            .envs(knock.environment.iter().map(|(k, v)| (k, v)));
        knock::run(flush, b"").expect(&label, 0);
        let lies_there = home.found(knock, &door.topic, &key, accepted);
        // What was in doubt may lie there twice.
        assert!(
            (accepted..=2 * accepted).contains(&lies_there),
            "{label}: {lies_there} of {accepted}"
        );
        assert_eq!(home.stats(), (0, 0, accepted), "{label}");
    }
}

/// Messages that this broker cannot take, among others that it can.
pub(crate) fn bad_messages(door: &Option<Door>) {
    let Some(door) = door else { return };
    let _talking = talking(door);
    let knock = &door.right[0];
    let label = &knock.label;
    if let Some(bytes) = door.too_large {
        let home = Home::new();
        let input = [b"before\n".as_slice(), &vec![b'x'; bytes], b"\nafter\n"].concat();
        let key = format!("large-{:08x}", rand::random::<u32>());
        let done = knock::run(home.send(knock, &door.topic, &["-k", &key]), &input).expect(label, 1);
        let told = law(&done, &home, label);
        assert_eq!(
            (told.accepted, told.stored, told.refused),
            (3, 2, 1),
            "{label}: {}",
            done.stderr
        );
        assert!(done.stderr.contains("line 2"), "{label}: {}", done.stderr);
        assert_eq!(home.found(knock, &door.topic, &key, 2), 2, "{label}");
    }
    // A key that some brokers would split.
    let home = Home::new();
    let key = format!("strange \u{1}\u{2}\u{1b}[31m-{:08x}", rand::random::<u32>());
    let done = knock::run(home.send(knock, &door.topic, &["-k", &key]), b"value\n");
    assert!(
        !done.stderr.contains('\u{1b}'),
        "{label}: raw bytes on the terminal: {}",
        done.stderr
    );
    if door.keeps_any_key {
        let done = done.expect(label, 0);
        assert_eq!(law(&done, &home, label).stored, 1);
        assert_eq!(home.found(knock, &door.topic, &key, 1), 1, "{label}");
    } else {
        let done = done.expect(label, 1);
        assert!(done.stderr.contains("key"), "{label}: {}", done.stderr);
        assert_eq!(law(&done, &home, label).stored, 0);
    }
}

/// An input that is not there at all, and a place that is not there.
pub(crate) fn nothing_there(door: &Option<Door>) {
    let Some(door) = door else { return };
    let _talking = talking(door);
    let knock = &door.right[0];
    let label = &knock.label;
    let absent = format!("absent-{:08x}", rand::random::<u32>());
    let (home, done) = knock::answered_in_time(|home| home.send(knock, &absent, &[]));
    let done = done.expect(label, 2);
    assert!(
        done.stderr.contains(&absent) && done.stderr.contains("does not exist"),
        "{label}: {}",
        done.stderr
    );
    assert_eq!(home.stats(), (0, 0, 0), "{label}");
    // Asked again it is still not there: nobody made it by accident.
    let (_, again) = knock::answered_in_time(|home| home.send(knock, &absent, &[]));
    let again = again.expect(label, 2);
    assert!(again.stderr.contains("does not exist"), "{label}: {}", again.stderr);
    // Standard input that is closed is no empty input.
    let home = Home::new();
    let send = home.send(knock, &door.topic, &[]);
    let mut shell = std::process::Command::new("sh");
    shell
        .args(["-c", "exec \"$0\" \"$@\" <&-"])
        .arg(send.get_program())
        .args(send.get_args())
        .env_clear();
    shell.envs(send.get_envs().filter_map(|(k, v)| Some((k, v?))));
    let output = shell.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.signal().is_none() && !said.contains("panicked"),
        "{label}: {said}"
    );
    assert_eq!(output.status.code(), Some(2), "{label}: {said}");
    assert!(said.contains("standard input is closed"), "{label}: {said}");
    assert!(!home.spool().exists(), "{label}: something was done");
}
