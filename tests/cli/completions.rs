//! `completions/` is what the binary writes. Written anew by `MQSAFE_UPDATE=1 cargo test --test cli completions`.

use super::{User, code, err};
use std::collections::BTreeMap;
use std::path::Path;

#[test]
fn completions_and_man_pages_are_those_of_this_version() {
    let user = User::new();
    let written = generate(&user, "first");
    assert!(written.len() >= 10, "{:?}", written.keys());
    let committed = super::repository("completions");
    if std::env::var_os("MQSAFE_UPDATE").is_some() && committed.exists() {
        std::fs::remove_dir_all(&committed).unwrap();
    }
    for (name, content) in &written {
        super::same_as_file(&committed.join(name), content);
    }
    let there = read(&committed);
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        names(&there),
        names(&written),
        "files that the binary does not write any more"
    );
}

#[test]
fn they_depend_on_nothing_but_the_version() {
    let user = User::new();
    let before = generate(&user, "first");
    let settings = [
        ("MQSAFE_BROKER", "secret:1"),
        ("MQSAFE_SPOOL", "/secret"),
        ("MQSAFE_PROFILE", "secret"),
    ];
    let mut command = user.mqsafe();
    let output = command
        .envs(settings)
        .env("COLUMNS", "40")
        .args(["generate", "again"])
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{}", err(&output));
    assert_eq!(before, read(&user.path("again")));
    for (name, content) in before {
        let text = String::from_utf8(content).unwrap();
        assert!(!text.contains("secret:1") && !text.contains("generate"), "{name}");
    }
}

fn generate(user: &User, dir: &str) -> BTreeMap<String, Vec<u8>> {
    let output = user.mqsafe().args(["generate", dir]).output().unwrap();
    assert_eq!(code(&output), 0, "{}", err(&output));
    read(&user.path(dir))
}

fn read(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for below in ["", "man"] {
        for entry in std::fs::read_dir(dir.join(below)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
                files.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    files
}
