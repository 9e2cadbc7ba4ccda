//! `mqsafe context`: named connections, what they come to, and whether they work.

mod import;
mod write;

use super::{home, resolve};
use crate::broker;
use crate::cli::{BrokerArgs, ContextAction, ContextCommand, ContextFormat};
use crate::connect::{self, BrokerUrl};
use crate::model::{Outcome, Problem, Result};
use crate::ui::emit::context as emit;
use crate::ui::{Table, Ui};
use std::time::Duration;

pub(super) fn run(command: ContextCommand, ui: &Ui) -> Result<Outcome> {
    match command.action {
        ContextAction::Ls => list(ui),
        ContextAction::Use { name } => choose(&name, ui),
        ContextAction::Show { name, broker, origin } => show(with(broker, name), origin, ui),
        ContextAction::Test {
            name,
            broker,
            topic,
            timeout,
            format,
        } => test(&with(broker, name), topic.as_deref(), timeout, format, ui),
        ContextAction::Import { tool, file, prefix } => import::run(tool, file.as_deref(), &prefix, ui),
    }
}

/// A context that is named without `-C` is the same.
fn with(mut broker: BrokerArgs, name: Option<String>) -> BrokerArgs {
    broker.settings.context = name.or(broker.settings.context);
    broker
}

/// The URL of a context without its password.
fn shown(url: &str) -> String {
    BrokerUrl::parse_with_password(url).map_or_else(|_| "cannot be read".to_owned(), |(url, _)| url.to_string())
}

fn list(ui: &Ui) -> Result<Outcome> {
    let config = home::contexts()?;
    let current = config.contexts.current.as_deref();
    let mut table = Table::new(&["", "context", "broker"], ui.width());
    for context in &config.contexts.all {
        let mark = if current == Some(context.name.as_str()) {
            "*"
        } else {
            ""
        };
        let broker = match (&context.broker, &context.config_file) {
            (Some(url), _) => shown(url),
            (None, Some(path)) => format!("as {path} says"),
            (None, None) => "none".to_owned(),
        };
        table.row([mark.to_owned(), context.name.clone(), broker]);
    }
    let count = config.contexts.all.len();
    if count > 0 {
        ui.data(table.render().as_bytes())?;
    }
    if let Some(lost) = current.filter(|name| config.contexts.get(name).is_err()) {
        ui.warn(&format!("the current context {lost} does not exist"));
    }
    ui.summary(&format!("{count} contexts in {}", config.path.display()));
    Ok(Outcome::Good)
}

fn choose(name: &str, ui: &Ui) -> Result<Outcome> {
    let config = home::contexts()?;
    config.contexts.get(name)?;
    write::replace(&config, &write::with_current(&config.text, name)?)?;
    ui.summary(&format!("the current context is {name}"));
    Ok(Outcome::Good)
}

fn show(args: BrokerArgs, origin: bool, ui: &Ui) -> Result<Outcome> {
    let resolved = resolve::resolved(args.broker.as_deref(), &args.settings)?;
    let titles: &[&str] = if origin {
        &["key", "value", "origin"]
    } else {
        &["key", "value"]
    };
    let mut table = Table::new(titles, ui.width());
    let mut row = |key: &str, value: String, from: String| {
        let cells = [key.to_owned(), value, from];
        table.row(cells.into_iter().take(titles.len()));
    };
    let connection = &resolved.connection;
    row("broker", connection.url.to_string(), resolved.broker.to_string());
    if let (Some(url), Some(from)) = (&connection.management, &resolved.management) {
        row("management", url.clone(), from.to_string());
    }
    for (key, value) in connection.properties.iter() {
        let from = connection.properties.origin(key).map(ToString::to_string);
        row(key, connect::shown(key, value), from.unwrap_or_default());
    }
    if connection.properties.get("security.protocol").is_none()
        && let BrokerUrl::Kafka { .. } = connection.url
    {
        row(
            "security.protocol",
            "PLAINTEXT".to_owned(),
            connect::Origin::Default.to_string(),
        );
    }
    ui.data(table.render().as_bytes())?;
    for note in &resolved.notes {
        ui.say(note);
    }
    for warning in connection.warnings() {
        ui.warn(&warning);
    }
    Ok(Outcome::Good)
}

fn test(args: &BrokerArgs, topic: Option<&str>, patience: Duration, format: ContextFormat, ui: &Ui) -> Result<Outcome> {
    let connection = resolve::connection(args, ui)?;
    let progress = ui.progress("context test");
    progress.set(0, &format!("trying {}", connection.url));
    let steps = broker::probe(&connection, topic, patience);
    progress.finish();
    let steps = steps?;
    let broker = connection.url.to_string();
    match format {
        ContextFormat::Json => ui.data(&emit::json(&broker, &steps))?,
        ContextFormat::Human => {
            let mut table = Table::new(&["step", "at", "result"], ui.width());
            for step in &steps {
                let words = match &step.result {
                    Ok(words) => format!("ok: {words}"),
                    Err(words) => format!("FAILED: {words}"),
                };
                table.row([step.stage.word().to_owned(), step.at.clone(), words]);
            }
            ui.data(table.render().as_bytes())?;
        }
    }
    let mut failed = steps.iter().filter(|step| step.result.is_err());
    match (failed.next(), failed.count()) {
        (None, _) if steps.is_empty() => Err(Problem::unknown(format!("nothing of {broker} could be tried"))),
        (None, _) => {
            ui.summary(&format!("{broker}: every step went well"));
            Ok(Outcome::Good)
        }
        (Some(first), more) => {
            let more = if more > 0 {
                format!(", and {more} more steps")
            } else {
                String::new()
            };
            ui.summary(&format!(
                "{broker}: {} failed at {}{more}",
                first.stage.word(),
                first.at
            ));
            Ok(Outcome::Unknown)
        }
    }
}
