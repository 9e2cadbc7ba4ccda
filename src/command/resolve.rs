//! From typed words to what the cores need. The only place that reads the environment for them.

use super::home::{self, Here};
use crate::cli::{BrokerArgs, SendArgs, SettingArgs, SpoolArgs};
use crate::connect::{self, BrokerKind, BrokerUrl, ClientProperties, Connection, Resolved, Surroundings, Typed};
use crate::model::{Outcome, Problem, Result, ScanReport};
use crate::spool::{Spool, SpoolRoot, StoreDir};
use crate::ui::Ui;
use std::path::{Path, PathBuf};

/// `-X` alone, for what is no connection of the user's.
pub(super) fn properties(arguments: &[String]) -> Result<ClientProperties> {
    let here = Here;
    let read = |path: &str| {
        let bytes = here.file(path)?;
        String::from_utf8(bytes).map_err(|_| std::io::ErrorKind::InvalidData.into())
    };
    ClientProperties::parse(arguments, read, |name| here.variable(name))
}

/// The connection that was asked for, and what a person must know of it.
pub(super) fn connection(broker: &BrokerArgs, ui: &Ui) -> Result<Connection> {
    Ok(told(resolved(broker.broker.as_deref(), &broker.settings)?, ui))
}

/// The connection to a broker that a spool remembers. Without a context that is named, the one of that broker counts.
pub(super) fn connection_to(broker: &str, settings: &SettingArgs, ui: &Ui) -> Result<Connection> {
    let mut settings = settings.clone();
    if settings.context.is_none() {
        let url = BrokerUrl::parse(broker)?;
        let contexts = home::contexts()?.contexts;
        let is_its = |text: &String| BrokerUrl::parse_with_password(text).is_ok_and(|(own, _)| own == url);
        let preferred = Here.variable(connect::CONTEXT_VARIABLE).or(contexts.current.clone());
        // Of several accounts at one broker the one that the user works with counts.
        let mut its: Vec<_> = contexts
            .all
            .iter()
            .filter(|c| c.broker.as_ref().is_some_and(is_its))
            .collect();
        its.sort_by_key(|c| preferred.as_ref() != Some(&c.name));
        settings.context = its.first().map(|c| c.name.clone());
    }
    Ok(told(resolved(Some(broker), &settings)?, ui))
}

/// The connection with the place of each word.
pub(super) fn resolved(broker: Option<&str>, settings: &SettingArgs) -> Result<Resolved> {
    let config = settings.config.as_deref().map(utf8).transpose()?;
    let typed = Typed {
        broker,
        properties: &settings.properties,
        config,
        context: settings.context.as_deref(),
        management: settings.management.as_deref(),
    };
    connect::resolve(&typed, &Here, &|| Ok(home::contexts()?.contexts))
}

fn utf8(path: &Path) -> Result<&str> {
    path.to_str()
        .ok_or_else(|| Problem::usage("the path of -F is not UTF-8").next("rename the file"))
}

/// Tells what was switched off, and for whoever asks with `-v` what was left out.
pub(super) fn told(resolved: Resolved, ui: &Ui) -> Connection {
    for note in &resolved.notes {
        tracing::info!("{note}");
    }
    if let Some(context) = &resolved.left_out {
        ui.say(context);
    }
    for warning in resolved.connection.warnings() {
        ui.warn(&warning);
    }
    resolved.connection
}

/// Where messages go: the topic, or for RabbitMQ the exchange and routing key as `EXCHANGE|KEY`. A queue is published to through
/// the default exchange, whose name is empty and which routes by the name of the queue (AMQP 0-9-1, 3.1.3).
pub(super) fn place(kind: BrokerKind, args: &SendArgs) -> Result<String> {
    match (kind, &args.topic, &args.exchange) {
        (BrokerKind::Kafka | BrokerKind::RocketMq, Some(topic), _) => Ok(topic.clone()),
        (BrokerKind::Kafka | BrokerKind::RocketMq, None, _) => {
            Err(Problem::usage(format!("{} has no exchanges", kind.name())).next("name the topic with -t"))
        }
        (BrokerKind::RabbitMq, Some(queue), _) => Ok(format!("|{queue}")),
        (BrokerKind::RabbitMq, None, exchange) => {
            let exchange = exchange.as_deref().unwrap_or_default();
            if exchange.contains('|') {
                return Err(Problem::usage(format!("exchange {exchange:?} cannot be written to"))
                    .because("the stamp of a message separates exchange and routing key by |"));
            }
            Ok(format!(
                "{exchange}|{}",
                args.routing_key.as_deref().unwrap_or_default()
            ))
        }
    }
}

/// A place that is named by one word: a topic, or for RabbitMQ a queue or `EXCHANGE|KEY`.
pub(super) fn place_of(kind: BrokerKind, text: &str) -> String {
    match kind {
        BrokerKind::RabbitMq if !text.contains('|') => format!("|{text}"),
        BrokerKind::RabbitMq | BrokerKind::Kafka | BrokerKind::RocketMq => text.to_owned(),
    }
}

/// A scan that could not begin is an answer too: nothing was read, and this is why. Only a usage error ends the command.
pub(super) fn read(scanned: Result<ScanReport>) -> Result<(ScanReport, Option<Problem>)> {
    match scanned {
        Ok(report) => Ok((report, None)),
        Err(problem) if problem.outcome == Outcome::Unknown => {
            Ok((ScanReport::unread(problem.to_string()), Some(problem)))
        }
        Err(problem) => Err(problem),
    }
}

/// `0,2,5-7` as partitions.
pub(super) fn partitions(list: Option<&str>) -> Result<Vec<i32>> {
    let Some(list) = list else { return Ok(Vec::new()) };
    let bad = || Problem::usage(format!("{list:?} is not a list of partitions")).next("write -p 0,2,5-7");
    let mut all = Vec::new();
    for part in list.split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to): (i32, i32) = (
            from.trim().parse().map_err(|_| bad())?,
            to.trim().parse().map_err(|_| bad())?,
        );
        if from < 0 || to < from || to - from > 100_000 {
            return Err(bad());
        }
        all.extend(from..=to);
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

/// Where this user's stores are when no `--spool` is given.
pub(super) fn spool_root() -> Result<SpoolRoot> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
    state
        .map(|state| SpoolRoot::new(state.join("mqsafe/spool")))
        .ok_or_else(|| {
            Problem::usage("there is no place for the spool: neither XDG_STATE_HOME nor HOME is an absolute path")
                .next("give one with --spool DIR, or send with --no-spool")
        })
}

/// The spool that is named: by the flag, else by the environment.
pub(super) fn named_spool(args: &SpoolArgs) -> Option<PathBuf> {
    let environment = || {
        std::env::var_os("MQSAFE_SPOOL")
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    args.spool.clone().or_else(environment)
}

/// The store for one run: the one that is named, or one below the user's state directory that nobody uses.
pub(super) fn open_spool(named: Option<&Path>) -> Result<Spool> {
    let dir = match named {
        Some(path) => StoreDir::lock(path)?,
        None => spool_root()?.lock_any()?,
    };
    Ok(Spool::open(dir)?)
}

/// Every store that a command about spools means.
pub(super) fn stores(named: Option<&Path>) -> Result<Vec<PathBuf>> {
    match named {
        Some(path) if StoreDir::holds_store(path) => Ok(vec![path.to_owned()]),
        Some(path) => {
            let below = SpoolRoot::new(path).stores()?;
            if below.is_empty() {
                return Err(Problem::usage(format!("there is no spool in {}", path.display())).next("check --spool"));
            }
            Ok(below)
        }
        None => Ok(spool_root()?.stores()?),
    }
}
