//! `audit` of brokers that say nothing, and Ctrl-C in the middle: what was not read is named, and no file is half written.

use super::{User, code, err};
use serde_json::Value;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Takes connections and never says a word.
struct Silent {
    port: u16,
    taken: Receiver<TcpStream>,
}

impl Silent {
    fn new() -> Silent {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, taken) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if sender.send(stream).is_err() {
                    return;
                }
            }
        });
        Silent { port, taken }
    }

    /// How each kind of broker is named when it is here.
    fn kinds(&self) -> [Vec<String>; 3] {
        let port = self.port;
        let words = |all: &[String]| all.to_vec();
        [
            words(&["-b".to_owned(), format!("kafka://127.0.0.1:{port}")]),
            words(&[
                "-b".to_owned(),
                format!("amqp://127.0.0.1:{port}"),
                "--management".to_owned(),
                format!("http://127.0.0.1:{port}"),
            ]),
            words(&["-b".to_owned(), format!("rocketmq://127.0.0.1:{port}")]),
        ]
    }
}

const WEAK: &str = "acks=1\n";

fn start(user: &User, arguments: &[String]) -> Child {
    std::fs::write(user.path("producer.properties"), WEAK).unwrap();
    let mut audit = std::process::Command::new(env!("CARGO_BIN_EXE_mqsafe"));
    audit
        .env_clear()
        .env("HOME", user.path("home"))
        .current_dir(user.path(""))
        .args(["--no-progress", "audit", "--format", "json"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    audit.spawn().unwrap()
}

fn unread(output: &Output) -> Vec<String> {
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", err(output)));
    let running = report["running"].as_array().unwrap().iter();
    let all = running.flat_map(|r| r["unread"].as_array().unwrap());
    all.map(|u| format!("{}: {}", u["what"].as_str().unwrap(), u["why"].as_str().unwrap()))
        .collect()
}

fn rules(output: &Output) -> Vec<String> {
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let all = report["findings"].as_array().unwrap().iter();
    all.map(|f| f["rule"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_broker_that_says_nothing_is_unread_and_never_clean() {
    let silent = Silent::new();
    let runs: Vec<(User, Child, Instant)> = silent
        .kinds()
        .iter()
        .map(|kind| {
            let user = User::new();
            let child = start(&user, kind);
            (user, child, Instant::now())
        })
        .collect();
    for (_user, child, began) in runs {
        let output = child.wait_with_output().unwrap();
        assert_eq!(code(&output), 3, "{}", err(&output));
        assert_eq!(unread(&output).len(), 1, "{}", err(&output));
        assert!(began.elapsed() < Duration::from_secs(120), "{:?}", began.elapsed());
    }
}

#[test]
fn a_signal_ends_the_asking_tells_what_is_unread_and_leaves_no_file_half_written() {
    let signals = [("INT", 130), ("TERM", 143), ("INT", 130)];
    for (kind, (signal, exit)) in Silent::new().kinds().iter().zip(signals) {
        let silent = Silent::new();
        let user = User::new();
        std::fs::write(user.path("report.json"), "the one before").unwrap();
        let here: Vec<String> = kind
            .iter()
            .map(|word| match word.rsplit_once(':') {
                Some((rest, port)) if port.parse::<u16>().is_ok() => format!("{rest}:{}", silent.port),
                _ => word.clone(),
            })
            .collect();
        let more = [
            "producer.properties",
            "--write-baseline",
            "baseline.json",
            "--output",
            "json=report.json",
        ];
        let child = start(&user, &[here, more.map(str::to_owned).to_vec()].concat());
        let _stream = silent.taken.recv_timeout(Duration::from_secs(60)).unwrap();
        let began = Instant::now();
        let sent = std::process::Command::new("kill")
            .args([&format!("-{signal}"), &child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(code(&output), exit, "{}", err(&output));
        assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
        // The files were judged all the same, and the cluster is not called read.
        assert!(rules(&output).contains(&"KP001".to_owned()), "{}", err(&output));
        assert_eq!(
            unread(&output),
            ["the whole cluster: the audit was interrupted before it had read everything"]
        );
        let said = err(&output);
        assert!(said.lines().last().unwrap().starts_with("interrupted: "), "{said}");
        // Half of a cluster is no baseline, and a report is whole.
        assert!(
            said.contains("baseline.json is not written: the audit was interrupted"),
            "{said}"
        );
        assert!(!user.path("baseline.json").exists());
        assert_eq!(std::fs::read(user.path("report.json")).unwrap(), output.stdout);
        let left: Vec<String> = std::fs::read_dir(user.path(""))
            .unwrap()
            .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| name.starts_with(".report") || name.starts_with(".baseline"))
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}
