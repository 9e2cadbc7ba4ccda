//! The example on the page of every rule is true: what it calls found is found, and what it calls clean is not.
//!
//! The page is the one that `audit --explain` prints. Facts of running brokers are no files; a test beside the rules feeds them.

#![allow(clippy::unwrap_used)]

use crate::common::Setup;
use mqsafe::audit::registry::RULES;
use mqsafe::audit::rule::Evidence;

/// One block of an example.
#[derive(Debug, Clone, PartialEq)]
struct Block {
    file: String,
    /// `found`, `clean`, or `beside it`.
    kind: String,
    text: String,
}

/// What a page shows, with the options that the audit is run with; `None` when it shows recorded facts.
#[derive(Debug, Clone)]
struct Example {
    options: Vec<String>,
    blocks: Vec<Block>,
}

/// The example of a page.
fn example(page: &str) -> Result<Option<Example>, String> {
    let (_, rest) = page.split_once("# Example\n").ok_or("there is no example")?;
    let section = rest.split("\n# ").next().unwrap_or(rest);
    let mut example = Example {
        options: Vec::new(),
        blocks: Vec::new(),
    };
    let mut lines = section.lines();
    let mut named: Option<(String, String)> = None;
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            let text: Vec<&str> = lines.by_ref().take_while(|l| *l != "```").collect();
            if line == "```facts" {
                return Ok(None);
            }
            let (file, kind) = named.take().ok_or("a block has no name")?;
            let text = format!("{}\n", text.join("\n"));
            example.blocks.push(Block { file, kind, text });
        } else if let Some(options) = line.strip_prefix("With `").and_then(|l| l.strip_suffix("`.")) {
            example.options = options.split(' ').map(str::to_owned).collect();
        } else if let Some((file, kind)) = line.strip_prefix('`').and_then(|l| l.split_once("`, ")) {
            named = Some((file.to_owned(), kind.trim_end_matches(':').to_owned()));
        }
    }
    Ok(Some(example))
}

/// The codes that are found in the files of one kind and those beside them.
fn audited(example: &Example, kind: &str) -> Result<Vec<String>, String> {
    let s = Setup::new();
    let mut args: Vec<&str> = example.options.iter().map(String::as_str).collect();
    for block in example
        .blocks
        .iter()
        .filter(|b| b.kind == kind || b.kind == "beside it")
    {
        s.write(&block.file, block.text.as_bytes());
        args.push(&block.file);
    }
    let (_, report) = s.json(&args);
    for what in ["errors", "unrecognised"] {
        if report[what].as_array().is_none_or(|a| !a.is_empty()) {
            return Err(format!("{kind}: {what}: {}", report[what]));
        }
    }
    let findings = report["findings"].as_array().unwrap();
    Ok(findings
        .iter()
        .map(|f| f["rule"].as_str().unwrap().to_owned())
        .collect())
}

/// What is wrong with the example of a rule.
fn judge(code: &str, example: &Example) -> Vec<String> {
    let mut wrong = Vec::new();
    for (kind, wanted) in [("found", true), ("clean", false)] {
        if !example.blocks.iter().any(|b| b.kind == kind) {
            wrong.push(format!("{code}: nothing is called {kind}"));
            continue;
        }
        match audited(example, kind) {
            Ok(found) if found.iter().any(|c| c == code) == wanted => {}
            Ok(found) => wrong.push(format!("{code}: what it calls {kind} comes to {found:?}")),
            Err(why) => wrong.push(format!("{code}: {why}")),
        }
    }
    wrong
}

fn page(code: &str) -> String {
    Setup::new().run(&["--explain", code]).stdout
}

#[test]
fn the_example_of_every_rule_is_true() {
    let (mut wrong, mut recorded) = (Vec::new(), 0);
    for rule in RULES {
        match example(&page(rule.code)) {
            Err(why) => wrong.push(format!("{}: {why}", rule.code)),
            Ok(Some(example)) => wrong.extend(judge(rule.code, &example)),
            // What a file can show is shown in a file.
            Ok(None) if rule.evidence.contains(&Evidence::File) => {
                wrong.push(format!("{}: recorded facts, though a file can show it", rule.code));
            }
            Ok(None) => recorded += 1,
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    let live_only = RULES.iter().filter(|r| !r.evidence.contains(&Evidence::File)).count();
    assert_eq!(recorded, live_only);
}

/// Canary: an example with its two halves exchanged is wrong twice, and one that is not there is missed.
#[test]
fn an_example_that_is_not_true_is_found() {
    for code in ["KP001", "X-R04"] {
        let mut swapped = example(&page(code)).unwrap().unwrap();
        for block in &mut swapped.blocks {
            block.kind = match block.kind.as_str() {
                "found" => "clean".to_owned(),
                "clean" => "found".to_owned(),
                other => other.to_owned(),
            };
        }
        assert_eq!(judge(code, &swapped).len(), 2, "{code}");
    }
    assert!(example("# Instead\nnothing\n# Source\n").is_err());
    assert!(example("# Example\n```ini\na=1\n```\n").is_err());
}
