//! The outputs for other programs against the schemas of those programs: of a report with every rule that has a bad file, and of an
//! empty one. Each schema first has to refuse what is wrong, so that a validator that accepts everything is noticed.

#![allow(clippy::unwrap_used)]

use boon::{Compiler, Schemas};
use mqsafe::audit::{Options, Report, audit_texts, registry};
use mqsafe::config::{Profile, Severity};
use mqsafe::ui::emit;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

fn fixtures(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(below)
}

fn report(files: &[(&str, &[u8])]) -> Report {
    let profile = Profile::built_in("finance", &registry::profile_names())
        .unwrap()
        .unwrap();
    audit_texts(files, &Options::new(&profile))
}

/// Nothing at all; files that cannot be read or judged; and every file that some rule finds something in.
fn reports() -> Vec<Report> {
    let mut files: Vec<(String, Vec<u8>)> = vec![
        (
            "odd <&\"'>\u{1}.properties".to_owned(),
            b"acks=<0>&\"\nacks=0\n".to_vec(),
        ),
        ("broken.json".to_owned(), b"{\"queues\": [, \"exchanges\": []}".to_vec()),
        ("pom.xml".to_owned(), b"<a/>".to_vec()),
    ];
    for rule in registry::RULES {
        let dir = fixtures("audit").join(rule.code);
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.starts_with("bad.") && !name.ends_with(".facts") {
                files.push((format!("{}/{name}", rule.code), std::fs::read(&path).unwrap()));
            }
        }
    }
    let all: Vec<(&str, &[u8])> = files.iter().map(|(n, b)| (n.as_str(), b.as_slice())).collect();
    let full = report(&all);
    let rules: HashSet<&str> = full.findings.iter().map(|f| f.rule.code).collect();
    assert!(rules.len() > 20 && !full.errors.is_empty(), "{} rules", rules.len());
    vec![report(&[]), full]
}

/// What a schema has against a value.
fn refused(schema: &str, value: &Value) -> Option<String> {
    let text = std::fs::read_to_string(fixtures("schemas").join(schema)).unwrap();
    let at = format!("file:///{schema}");
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler
        .add_resource(&at, serde_json::from_str(&text).unwrap())
        .unwrap();
    let index = compiler.compile(&at, &mut schemas).unwrap();
    schemas.validate(value, index).err().map(|e| format!("{e:#}"))
}

#[test]
fn sarif_is_what_its_schema_asks_for() {
    for wrong in [
        json!({}),
        json!({"version": "2.1.0", "runs": [{}]}),
        json!({"version": "2.0.0", "runs": []}),
    ] {
        assert!(refused("sarif-2.1.0.json", &wrong).is_some(), "{wrong}");
    }
    for report in reports() {
        let log: Value = serde_json::from_str(&emit::audit_sarif(&report)).unwrap();
        assert_eq!(refused("sarif-2.1.0.json", &log), None);
        assert_eq!(
            log["runs"][0]["results"].as_array().unwrap().len(),
            report.findings.len()
        );
    }
}

#[test]
fn gitlab_is_what_its_documentation_asks_for() {
    let entry = |line: i64, severity: &str| json!([{"description": "d", "check_name": "c", "fingerprint": "f", "severity": severity, "location": {"path": "p", "lines": {"begin": line}}}]);
    assert_eq!(refused("gitlab-code-quality.json", &entry(1, "major")), None);
    for wrong in [entry(0, "major"), entry(1, "high"), json!({}), json!([{}])] {
        assert!(refused("gitlab-code-quality.json", &wrong).is_some(), "{wrong}");
    }
    for report in reports() {
        let list: Value = serde_json::from_str(&emit::audit_gitlab(&report)).unwrap();
        assert_eq!(refused("gitlab-code-quality.json", &list), None);
        let marks: HashSet<&str> = list
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|e| e["fingerprint"].as_str())
            .collect();
        assert_eq!(
            marks.len(),
            report.findings.len(),
            "every fingerprint stands for one finding"
        );
    }
}

#[test]
fn junit_is_what_its_schema_asks_for() {
    let schema = Xsd::read(&parse(
        &std::fs::read_to_string(fixtures("schemas/junit-10.xsd")).unwrap(),
    ));
    let suite = |inner: &str| {
        format!(
            "<testsuites><testsuite name=\"n\" tests=\"1\" failures=\"0\" errors=\"0\">{inner}</testsuite></testsuites>"
        )
    };
    assert_eq!(
        schema.refused(&parse(&suite(
            "<testcase name=\"a\"><failure message=\"m\">t</failure></testcase>"
        ))),
        None
    );
    for wrong in [
        suite("<testcase/>"),
        suite("<failure/>"),
        suite("text"),
        suite("<testcase name=\"a\" severity=\"high\"/>"),
        suite("<testcase name=\"a\"/>").replace(" tests=\"1\"", " tests=\"1\" time=\"soon\""),
        "<report/>".to_owned(),
    ] {
        assert!(schema.refused(&parse(&wrong)).is_some(), "{wrong}");
    }
    for report in reports() {
        let text = emit::audit_junit(&report, Severity::Low);
        assert_eq!(schema.refused(&parse(&text)), None, "{text}");
    }
}

/// An element of XML.
#[derive(Debug, Default)]
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    children: Vec<Element>,
    text: String,
}

/// Reads a document: elements, attributes, text and comments, which is all that both sides have. Panics where it is not well-formed.
fn parse(text: &str) -> Element {
    let mut open = vec![Element::default()];
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let (before, from) = rest.split_at(at);
        push_text(open.last_mut().unwrap(), before);
        if let Some(comment) = from.strip_prefix("<!--") {
            rest = &comment[comment.find("-->").unwrap() + 3..];
            continue;
        }
        let end = from.find('>').unwrap();
        let tag = &from[1..end];
        rest = &from[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            let closed = open.pop().unwrap();
            assert_eq!(closed.name, name.trim());
            open.last_mut().unwrap().children.push(closed);
        } else if !tag.starts_with('?') {
            let element = start(tag.trim_end_matches('/'));
            match tag.ends_with('/') {
                true => open.last_mut().unwrap().children.push(element),
                false => open.push(element),
            }
        }
    }
    assert_eq!((open.len(), rest.trim()), (1, ""));
    let mut root = open.pop().unwrap();
    assert_eq!(root.children.len(), 1);
    root.children.pop().unwrap()
}

fn push_text(element: &mut Element, text: &str) {
    let known = ["&lt;", "&gt;", "&amp;", "&quot;", "&apos;", "&#"];
    for (at, _) in text.match_indices('&') {
        assert!(known.iter().any(|k| text[at..].starts_with(k)), "{text}");
    }
    assert!(
        text.chars().all(|c| c >= ' ' || matches!(c, '\n' | '\t' | '\r')),
        "{text:?}"
    );
    element.text.push_str(text);
}

fn start(tag: &str) -> Element {
    let (name, mut rest) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
    let mut element = Element {
        name: name.to_owned(),
        ..Element::default()
    };
    while let Some((key, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let quote = after.chars().next().unwrap();
        assert!(matches!(quote, '"' | '\''), "{tag}");
        let end = after[1..].find(quote).unwrap() + 1;
        push_text(&mut Element::default(), &after[1..end]);
        let key = key.trim().to_owned();
        assert!(!element.attributes.iter().any(|(k, _)| *k == key), "{tag}");
        element.attributes.push((key, after[1..end].to_owned()));
        rest = &after[end + 1..];
    }
    assert_eq!(rest.trim(), "");
    element
}

impl Element {
    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }

    fn all<'a>(&'a self, name: &str, out: &mut Vec<&'a Element>) {
        for child in &self.children {
            if child.name == name {
                out.push(child);
            }
            child.all(name, out);
        }
    }
}

/// What an element may hold.
#[derive(Default)]
struct Type {
    /// Name, whether it must be there, and its type.
    attributes: HashMap<String, (bool, String)>,
    children: HashSet<String>,
    text: bool,
}

/// The part of XML Schema that this schema uses: elements at the top, attributes, references in any order, one pattern.
struct Xsd {
    elements: HashMap<String, Type>,
    patterns: HashMap<String, String>,
}

impl Xsd {
    fn read(schema: &Element) -> Xsd {
        let named = |e: &Element| e.attribute("name").unwrap_or_default().to_owned();
        let mut xsd = Xsd {
            elements: HashMap::new(),
            patterns: HashMap::new(),
        };
        for top in &schema.children {
            let mut found = Vec::new();
            match top.name.as_str() {
                "xs:simpleType" => {
                    top.all("xs:pattern", &mut found);
                    xsd.patterns
                        .insert(named(top), found[0].attribute("value").unwrap().to_owned());
                }
                "xs:element" => {
                    let mut kind = Type {
                        text: top.attribute("type") == Some("xs:string"),
                        ..Type::default()
                    };
                    for complex in &top.children {
                        kind.text |= complex.attribute("mixed") == Some("true");
                        complex.all("xs:element", &mut found);
                        kind.children
                            .extend(found.iter().filter_map(|e| e.attribute("ref")).map(str::to_owned));
                        let mut attributes = Vec::new();
                        complex.all("xs:attribute", &mut attributes);
                        for a in attributes {
                            let required = a.attribute("use") == Some("required");
                            let of = a.attribute("type").unwrap_or_default().to_owned();
                            kind.attributes.insert(named(a), (required, of));
                        }
                    }
                    xsd.elements.insert(named(top), kind);
                }
                _ => {}
            }
        }
        assert!(xsd.elements.len() > 10);
        xsd
    }

    /// What the schema has against a document.
    fn refused(&self, element: &Element) -> Option<String> {
        let name = &element.name;
        let Some(kind) = self.elements.get(name) else {
            return Some(format!("no element {name}"));
        };
        for (key, value) in &element.attributes {
            let Some((_, of)) = kind.attributes.get(key) else {
                return Some(format!("{name} has no attribute {key}"));
            };
            let pattern = self
                .patterns
                .get(of)
                .map(|p| regex_automata::meta::Regex::new(&format!("^(?:{p})$")).unwrap());
            if pattern.is_some_and(|p| !p.is_match(value)) {
                return Some(format!("{key}={value} is no {of}"));
            }
        }
        if let Some((missing, _)) = kind
            .attributes
            .iter()
            .find(|(k, (needed, _))| *needed && element.attribute(k).is_none())
        {
            return Some(format!("{name} lacks {missing}"));
        }
        if !kind.text && !element.text.trim().is_empty() {
            return Some(format!("text in {name}"));
        }
        element
            .children
            .iter()
            .find_map(|child| match kind.children.contains(&child.name) {
                true => self.refused(child),
                false => Some(format!("{} in {name}", child.name)),
            })
    }
}
