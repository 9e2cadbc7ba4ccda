//! The formats for other programs, files beside stdout, baselines, the settings of a repository, and fixes.

#![allow(clippy::unwrap_used)]

use crate::common::Setup;
use serde_json::Value;

/// A name that every format must write in its own way.
const HOSTILE: &str = "a <b>&\"c' %,:|`.properties";
const BAD: &str = "bootstrap.servers=a\nacks=1\nretries=3\nclient.id=x\n";

fn setup() -> Setup {
    Setup::with(&[(HOSTILE, BAD), ("role.properties", "bootstrap.servers=a\n")])
}

#[test]
fn several_reports_of_one_audit_go_to_files() {
    let s = setup();
    let formats = [
        "full", "concise", "json", "sarif", "github", "gitlab", "junit", "markdown",
    ];
    let outputs: Vec<String> = formats.iter().map(|f| format!("{f}=out.{f}")).collect();
    let mut args = vec!["--format", "concise", "."];
    for output in &outputs {
        args.extend(["--output", output]);
    }
    let ran = s.run(&args);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let files = formats.map(|format| {
        let path = s.path().join(format!("out.{format}"));
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        text
    });
    for (format, file) in formats.into_iter().zip(files) {
        // For people lines are as wide as the terminal, and a file has none.
        if format != "full" {
            assert_eq!(file, s.run(&["--format", format, "."]).stdout, "{format}");
        }
        assert!(file.contains("KP001") && file.ends_with('\n'), "{format}: {file}");
    }
    assert_eq!(s.run(&["--output", "sarif", "."]).code, 2);
    assert_eq!(s.run(&["--output", "nothing=x", "."]).code, 2);
    assert_eq!(s.run(&["--output", "json=no/such/directory", "."]).code, 3);
}

#[test]
fn sarif_has_what_code_scanning_asks_for() {
    let s = setup();
    let log: Value = serde_json::from_str(&s.run(&["--format", "sarif", "."]).stdout).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 3);
    for result in results {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(
            rule["help"]["markdown"]
                .as_str()
                .unwrap()
                .contains("# How messages are lost")
        );
        let region = &result["locations"][0]["physicalLocation"]["region"];
        assert!(region["startLine"].as_u64().unwrap() >= 1 && region["startColumn"].as_u64().unwrap() >= 1);
        assert_eq!(
            result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
            "a%20%3Cb%3E%26%22c%27%20%25%2C%3A%7C%60.properties"
        );
        assert_eq!(result["partialFingerprints"]["mqsafe/v1"].as_str().unwrap().len(), 16);
    }
    let told = run["invocations"][0]["toolExecutionNotifications"].as_array().unwrap();
    assert!(
        told.iter()
            .any(|n| n["message"]["text"].as_str().unwrap().contains("not decided"))
    );
}

#[test]
fn gitlab_has_a_fingerprint_for_each_that_no_line_changes() {
    let s = setup();
    let read = |s: &Setup| -> Vec<Value> { serde_json::from_str(&s.run(&["--format", "gitlab", "."]).stdout).unwrap() };
    let before = read(&s);
    s.write(HOSTILE, format!("# a line\n# and another\n{BAD}").as_bytes());
    let after = read(&s);
    let names = |issues: &[Value]| -> Vec<String> {
        issues
            .iter()
            .map(|i| i["fingerprint"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&before), names(&after));
    assert_eq!(before.len(), 3);
    for issue in &after {
        assert!(["info", "minor", "major", "critical", "blocker"].contains(&issue["severity"].as_str().unwrap()));
        assert!(
            issue["location"]["lines"]["begin"].as_u64().unwrap() >= 4
                && !issue["description"].as_str().unwrap().is_empty()
        );
    }
}

#[test]
fn junit_is_balanced_and_counts_what_it_holds() {
    let s = setup();
    let text = s.run(&["--format", "junit", ".", "--fail-on", "high"]).stdout;
    assert!(text.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites "));
    assert_eq!(
        text.matches("<testsuite ").count(),
        text.matches("</testsuite>").count()
    );
    assert_eq!(text.matches("<failure ").count(), 2);
    assert!(text.contains("failures=\"2\"") && text.contains("<system-out>medium: "));
    assert!(text.contains("a &lt;b&gt;&amp;&quot;c' %,:|`.properties"));
    assert!(text.matches("<error ").count() > 0, "what is not decided is an error");
}

#[test]
fn github_and_markdown_write_names_as_text() {
    let s = setup();
    let github = s.run(&["--format", "github", "."]).stdout;
    assert!(
        github.lines().count() == 3
            && github
                .lines()
                .all(|l| l.starts_with("::error file=") || l.starts_with("::warning file="))
    );
    assert!(
        github.contains("file=a <b>&\"c' %25%2C%3A|`.properties,line=2,col=1,title=KP001 "),
        "{github}"
    );
    let markdown = s.run(&["--format", "markdown", "."]).stdout;
    assert!(
        markdown.contains("a \\<b\\>\\&\"c' %,:\\|\\`.properties:2:1"),
        "{markdown}"
    );
}

#[test]
fn a_baseline_leaves_out_what_was_there_and_tells_what_is_gone() {
    let s = Setup::with(&[("p.properties", BAD)]);
    assert_eq!(s.run(&["p.properties", "--write-baseline", "base.json"]).code, 1);
    let (code, report) = s.json(&["p.properties", "--baseline", "base.json"]);
    assert_eq!(
        (
            code,
            report["ignored"].as_u64(),
            report["findings"].as_array().unwrap().len()
        ),
        (0, Some(3), 0)
    );
    // The line moves, one finding goes and another comes.
    s.write(
        "p.properties",
        b"# moved\nbootstrap.servers=a\nacks=1\nmax.block.ms=0\n",
    );
    let ran = s.run(&["p.properties", "--baseline", "base.json", "--format", "concise"]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (1, 1), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("KP007") && ran.stderr.contains("1 of 3 entries are no longer found"),
        "{}",
        ran.stderr
    );
    s.write("base.json", b"{\"schema\":\"mqsafe.audit-baseline/9\",\"findings\":[]}");
    assert_eq!(s.run(&["p.properties", "--baseline", "base.json"]).code, 2);
    assert_eq!(s.run(&["p.properties", "--baseline", "missing.json"]).code, 2);
}

#[test]
fn a_repository_selects_and_ignores() {
    let s = Setup::with(&[
        ("p.properties", BAD),
        ("tests/p.properties", BAD),
        (".mqsafe.yaml", "ignore: [KP003]\nper-path:\n  tests/**: [ALL]\n"),
    ]);
    let (_, report) = s.json(&["."]);
    let found: Vec<String> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| format!("{} {}", f["file"].as_str().unwrap(), f["rule"].as_str().unwrap()))
        .collect();
    assert_eq!(found, ["p.properties KP001", "p.properties KP002"]);
    assert_eq!(report["ignored"], 4);
    s.write("other.yaml", b"select: [KP001]\nprofile: finance\n");
    let (_, report) = s.json(&[".", "--config", "other.yaml"]);
    assert_eq!(
        (report["profile"].as_str(), report["findings"].as_array().unwrap().len()),
        (Some("finance"), 2)
    );
    s.write(".mqsafe.yaml", b"selct: [KP001]\n");
    let ran = s.run(&["."]);
    assert!(
        ran.code == 2 && ran.stderr.contains("did you mean `select`"),
        "{}",
        ran.stderr
    );
    s.write(".mqsafe.yaml", b"ignore: [KP999]\n");
    assert_eq!(s.run(&["."]).code, 2);
}

#[test]
fn a_fix_changes_the_value_and_nothing_else() {
    let text = "# orders \u{17c}\n  acks = 1   \r\n\nretries=3 # kept\n";
    let s = Setup::with(&[("p.properties", text), ("clean.properties", "acks=all\n")]);
    let diff = s.run(&["--diff", "."]);
    assert!(
        diff.stdout
            .contains("--- p.properties\n+++ p.properties\n@@ -2 +2 @@ KP001\n"),
        "{}",
        diff.stdout
    );
    assert_eq!(std::fs::read_to_string(s.path().join("p.properties")).unwrap(), text);
    let ran = s.run(&["--fix", ".", "--format", "concise"]);
    assert!(!ran.stdout.contains("KP001"), "{}", ran.stdout);
    let fixed = std::fs::read_to_string(s.path().join("p.properties")).unwrap();
    assert_eq!(fixed, text.replace("acks = 1", "acks = all"));
    // Nothing is left to change, and nothing beside the file.
    assert_eq!(s.run(&["--diff", "."]).stdout, "");
    assert_eq!(std::fs::read_dir(s.path()).unwrap().count(), 2);
}

#[test]
fn fixes_reach_other_languages() {
    let compose = "services:\n  k:\n    image: apache/kafka:4.1.0\n    environment:\n      KAFKA_UNCLEAN_LEADER_ELECTION_ENABLE: 'true' # why\n";
    let definitions = "{\"rabbit_version\":\"4.1.0\",\"queues\":[{\"name\":\"q\",\"vhost\":\"/\",\"durable\":true,\"arguments\":{\"x-queue-type\":\"quorum\",\"x-overflow\":\"reject-publish-dlx\"}}]}";
    let s = Setup::with(&[("compose.yaml", compose), ("d.json", definitions)]);
    s.run(&["--fix", "."]);
    let read = |name: &str| std::fs::read_to_string(s.path().join(name)).unwrap();
    assert_eq!(read("compose.yaml"), compose.replace("'true'", "'false'"));
    assert_eq!(
        read("d.json"),
        definitions.replace("reject-publish-dlx", "reject-publish")
    );
}

#[test]
fn only_what_a_change_touches_is_told() {
    let s = Setup::with(&[("old.properties", BAD), ("moved.properties", "acks=all\n")]);
    let git = |words: &[&str]| {
        let ran = std::process::Command::new("git")
            .args([
                "-c",
                "user.name=t",
                "-c",
                "user.email=t@t",
                "-c",
                "init.defaultBranch=main",
            ])
            .args(words)
            .current_dir(s.path())
            .output()
            .unwrap();
        assert!(
            ran.status.success(),
            "{words:?}: {}",
            String::from_utf8_lossy(&ran.stderr)
        );
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "first"]);
    s.write("moved.properties", b"acks=1\nenable.idempotence=false\n");
    s.write("new z.properties", BAD.as_bytes());
    let path = std::env::var("PATH").unwrap_or_default();
    let run = |args: &[&str]| s.command(args).env("PATH", &path).output().unwrap();
    let ran = run(&["--format", "concise", ".", "--changed-since", "HEAD"]);
    let text = String::from_utf8(ran.stdout).unwrap();
    assert!(
        text.contains("moved.properties:1:1") && text.contains("new ") && !text.contains("old.properties"),
        "{text}"
    );
    assert_eq!(
        run(&[".", "--changed-since", "no-such-revision"]).status.code(),
        Some(2)
    );
    assert_eq!(run(&[".", "--changed-since=--output=x"]).status.code(), Some(2));
}
