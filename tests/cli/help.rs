//! What `--help` and `--version` say, and that the examples in them can be typed.

use super::{User, code, err, out};
use clap::{CommandFactory, Parser};
use mqsafe::cli::Cli;

/// Every command that is shown, as typed after `mqsafe`; the first is the program itself.
fn commands() -> Vec<Vec<String>> {
    fn walk(command: &clap::Command, typed: &[String], all: &mut Vec<Vec<String>>) {
        all.push(typed.to_vec());
        for sub in command.get_subcommands().filter(|c| !c.is_hide_set()) {
            walk(sub, &[typed, &[sub.get_name().to_owned()]].concat(), all);
        }
    }
    let mut all = Vec::new();
    walk(&Cli::command(), &[], &mut all);
    all
}

#[test]
fn the_version() {
    for flag in ["--version", "-V"] {
        let output = User::new().mqsafe().arg(flag).output().unwrap();
        assert_eq!(code(&output), 0);
        assert_eq!(out(&output), format!("mqsafe {}\n", env!("CARGO_PKG_VERSION")));
        assert_eq!(err(&output), "");
    }
}

#[test]
#[cfg(feature = "kafka")]
fn the_help_of_every_command() {
    for typed in commands() {
        let output = User::new().mqsafe().args(&typed).arg("--help").output().unwrap();
        assert_eq!(code(&output), 0, "{typed:?}");
        assert_eq!(err(&output), "", "help is an answer, so it goes to stdout");
        let name = ["mqsafe".to_owned()]
            .into_iter()
            .chain(typed)
            .collect::<Vec<_>>()
            .join("-");
        let file = super::repository("tests/cli/help").join(name).with_extension("txt");
        super::same_as_file(&file, &output.stdout);
    }
}

#[test]
fn short_help_names_every_command() {
    let help = out(&User::new().mqsafe().arg("-h").output().unwrap());
    for typed in commands() {
        if let [name] = typed.as_slice() {
            assert!(
                help.lines().any(|line| line.trim_start().starts_with(name.as_str())),
                "{name} in:\n{help}"
            );
        }
    }
    assert!(!help.contains("generate"), "a hidden command is shown");
}

#[test]
fn the_examples_of_the_help_can_be_typed() {
    let user = User::new();
    let mut tried = 0;
    for typed in commands() {
        let output = user.mqsafe().args(&typed).arg("--help").output().unwrap();
        let help = out(&output);
        let Some((_, examples)) = help.split_once("\nExample") else {
            continue;
        };
        // The help wraps at a width; an example that is wrapped goes on without its indent.
        let examples = examples.split_once('\n').unwrap().1.replace('\n', "\n ");
        for example in examples
            .split("\n   ")
            .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
        {
            if !example.contains("mqsafe") {
                continue;
            }
            let words = words(&user, &example);
            Cli::try_parse_from(&words).unwrap_or_else(|e| panic!("{example}: {e}"));
            tried += 1;
        }
    }
    assert!(tried >= 4, "only {tried} examples were found");
}

/// What a shell would hand to `mqsafe`: pipes, quotes, redirections and comments are the shell's matter.
fn words(user: &User, example: &str) -> Vec<String> {
    let seen = user.path("words");
    let script = format!("mqsafe() {{ printf '%s\\0' mqsafe \"$@\" >\"$SEEN\"; }}\n{example}\n");
    let status = std::process::Command::new("bash")
        .args(["-c", &script])
        .env("SEEN", &seen)
        .current_dir(user.path(""))
        .status()
        .unwrap();
    assert!(status.success(), "{example}");
    let words = std::fs::read_to_string(&seen).unwrap();
    std::fs::remove_file(&seen).unwrap();
    words.split_terminator('\0').map(str::to_owned).collect()
}
