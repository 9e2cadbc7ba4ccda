//! `mqsafe context import`: connections of other tools become contexts, their secrets files that nobody else may read.

use super::write;
use crate::cli::Tool;
use crate::command::home;
use crate::connect::{self, Foreign, Imported, Surroundings};
use crate::model::{Outcome, Problem, Result};
use crate::ui::Ui;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

pub(super) fn run(tool: Tool, file: Option<&Path>, prefix: &str, ui: &Ui) -> Result<Outcome> {
    let path = match file {
        Some(path) => path.to_owned(),
        None => usual(tool)?,
    };
    let name = path.display().to_string();
    let bytes = home::Here.file(&name).map_err(|e| {
        Problem::usage(format!("cannot read {name}"))
            .because(e)
            .next("name the file: mqsafe context import TOOL FILE")
    })?;
    let mut found = connect::import(foreign(tool), &name, bytes)?;
    if found.is_empty() {
        return Err(
            Problem::usage(format!("{name} holds no connection")).next("check that it is the file of that tool")
        );
    }
    let config = home::contexts()?;
    let mut names = std::collections::BTreeSet::new();
    for one in &mut found {
        one.name = legal(&format!("{prefix}{}", one.name));
        if one.name.is_empty() {
            return Err(
                Problem::usage("one of its connections has a name that cannot be the name of a context")
                    .next("give the new ones other names with --prefix TEXT"),
            );
        }
        if !names.insert(one.name.clone()) {
            return Err(
                Problem::usage(format!("two of its connections would be called {}", one.name))
                    .next("rename one of them in the file of the other tool"),
            );
        }
        if let Some(broker) = &one.broker {
            // It is shown and written as it is, so it holds no password.
            connect::BrokerUrl::parse(broker)
                .map_err(|p| Problem::usage(format!("the broker of {} cannot be read", one.name)).because(p))?;
        }
        if config.contexts.all.iter().any(|c| c.name == one.name) {
            return Err(Problem::usage(format!("there is a context {} already", one.name))
                .next("give the new ones other names with --prefix TEXT"));
        }
    }
    // First what is to be written is looked at as a whole; then the secrets, which nothing names yet; last what names them.
    let texts: Vec<String> = found.iter().map(|one| context(one, &path)).collect();
    let text = connect::with_contexts(&config.text, &texts);
    let secrets = home::config_dir()?.join("secrets");
    for one in &found {
        for (key, value) in one.properties.iter().filter(|(key, _)| connect::is_secret(key)) {
            write::make_dir(&secrets)?;
            write::write_private(&secrets.join(secret_name(&one.name, key)), value.as_bytes())?;
        }
    }
    write::replace(&config, &text)?;
    for one in &found {
        ui.say(&format!(
            "{}: {}",
            one.name,
            one.broker.as_deref().unwrap_or("no broker is named")
        ));
        for left in &one.left_out {
            ui.warn(&format!("{}: left out {left}", one.name));
        }
    }
    ui.summary(&format!(
        "{} contexts written to {}",
        found.len(),
        config.path.display()
    ));
    Ok(Outcome::Good)
}

fn foreign(tool: Tool) -> Foreign {
    match tool {
        Tool::Kcat => Foreign::Kcat,
        Tool::Rpk => Foreign::Rpk,
        Tool::Kaf => Foreign::Kaf,
        Tool::Kafkactl => Foreign::Kafkactl,
        Tool::Kcl => Foreign::Kcl,
        Tool::Rabbitmqadmin => Foreign::Rabbitmqadmin,
    }
}

/// Where each tool looks for its file, the first that is there.
fn usual(tool: Tool) -> Result<PathBuf> {
    let places: &[&str] = match tool {
        Tool::Kcat => &["~/.config/kcat.conf", "~/.config/kafkacat.conf"],
        Tool::Rpk => &["~/.config/rpk/rpk.yaml"],
        Tool::Kaf => &["~/.kaf/config"],
        Tool::Kafkactl => &[
            "~/.config/kafkactl/config.yml",
            "~/.kafkactl/config.yml",
            "~/.kafkactl.yml",
        ],
        Tool::Kcl => &["~/.config/kcl/config.toml"],
        Tool::Rabbitmqadmin => &["~/.rabbitmqadmin.conf"],
    };
    let found = places
        .iter()
        .map(|place| home::expanded(place))
        .find(|path| path.is_file());
    found.ok_or_else(|| {
        Problem::usage(format!("there is no {}", places.join(" or ")))
            .next("name the file: mqsafe context import TOOL FILE")
    })
}

/// A name that is also the name of a file.
fn legal(name: &str) -> String {
    let legal: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "._-".contains(c) {
                c
            } else {
                '-'
            }
        })
        .collect();
    legal.trim_start_matches('.').chars().take(100).collect()
}

fn secret_name(context: &str, key: &str) -> String {
    format!("{context}.{}", legal(key))
}

/// A context as lines. Paths that the tool reads from its own directory are made absolute.
fn context(one: &Imported, from: &Path) -> String {
    let text = connect::yaml_text;
    let mut out = format!("{}:\n", text(&one.name));
    if let Some(broker) = &one.broker {
        let _ = writeln!(out, "  broker: {}", text(broker));
    }
    if let Some(management) = &one.management {
        let _ = writeln!(out, "  management: {}", text(management));
    }
    if !one.properties.is_empty() {
        out.push_str("  properties:\n");
    }
    for (key, value) in &one.properties {
        let value = if connect::is_secret(key) {
            format!(
                "{{file: {}}}",
                text(&format!("secrets/{}", secret_name(&one.name, key)))
            )
        } else if key.ends_with(".location") {
            text(&absolute(value, from))
        } else {
            text(value)
        };
        let _ = writeln!(out, "    {}: {value}", text(key));
    }
    out
}

fn absolute(path: &str, from: &Path) -> String {
    let path = home::expanded(path);
    if path.is_absolute() {
        return path.display().to_string();
    }
    let dir = from.canonicalize().ok().and_then(|f| f.parent().map(Path::to_owned));
    dir.unwrap_or_default().join(path).display().to_string()
}
