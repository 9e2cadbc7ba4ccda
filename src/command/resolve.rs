//! From typed words to what the cores need. The only place that reads the environment for them.

use crate::cli::{BrokerArgs, SendArgs, SpoolArgs};
use crate::connect::{BrokerKind, BrokerUrl, ClientProperties, Connection};
use crate::model::{Outcome, Problem, Result, ScanReport};
use crate::spool::{Spool, SpoolRoot, StoreDir};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The largest file that a secret is read from; a chain of PEM certificates has some kilobytes.
const MAX_SECRET_BYTES: u64 = 1 << 20;

pub(super) fn properties(arguments: &[String]) -> Result<ClientProperties> {
    let read = |path: &str| {
        let mut text = String::new();
        let read = std::fs::File::open(path)?
            .take(MAX_SECRET_BYTES + 1)
            .read_to_string(&mut text)?;
        if read as u64 > MAX_SECRET_BYTES {
            Err(std::io::ErrorKind::FileTooLarge.into())
        } else {
            Ok(text)
        }
    };
    ClientProperties::parse(arguments, read, |name| std::env::var(name).ok())
}

pub(super) fn connection(broker: &BrokerArgs) -> Result<Connection> {
    Ok(Connection {
        url: BrokerUrl::parse(&broker.broker)?,
        properties: properties(&broker.properties)?,
        management: None,
    })
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
