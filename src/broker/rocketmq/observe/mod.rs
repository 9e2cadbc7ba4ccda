//! What a running cluster tells an audit, by the administration requests of its brokers. Nothing is changed.
//!
//! Needed where access control is on (5.x): a user that the brokers know; and for the progress of consumer groups and their members the
//! action `Get` on their topics and on them. Brokers tell their configuration, their topics and their groups to every user that they know.

mod config;
mod controller;
mod progress;
mod risk;
mod topics;

use super::client::{Client, NO_PERMISSION, SUCCESS};
use super::members::Members;
use super::settings::Settings;
use super::wire::{Reply, Request};
use crate::audit::fact::{Component, Dialect, FactValue, Layer, Version};
use crate::audit::live::canonical::{DISK_USED_PERCENT, LAG_OF, LAG_OLDEST_MS, SKIPPED, SLAVES};
use crate::audit::live::{AtRisk, Observation, Sheet, Unread, Wanted};
use crate::connect::Connection;
use crate::model::{Problem, Result};
use config::{Config, Runtime};
use risk::{HaStatus, Master};
use rocketmq_protocol::RequestCode;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Stands for no topic: what is asked here is about brokers.
const NO_TOPIC: &str = "TBW102";

/// Groups of one broker whose members are asked for.
const MOST_GROUPS: usize = 5000;

/// How often, and after how long each time, it is looked whether a slave that was behind has come to where its master was.
const LOOKS: u32 = 5;
const LOOK: Duration = Duration::from_millis(200);

/// What a running cluster tells. `heard` hears of the servers that were asked, and of how many there are.
///
/// # Errors
/// A usage problem when a property cannot be used. Whatever cannot be read from a running cluster is no error: it stands in the
/// observation.
pub(crate) fn observe(connection: &Connection, wanted: &Wanted, heard: &dyn Fn(u64, u64, &str)) -> Result<Observation> {
    let settings = Settings::new(connection)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Problem::unknown("cannot start the connection to RocketMQ").because(e))?;
    let asker = Asker {
        client: Client::new(settings, NO_TOPIC.to_owned()),
        patience: wanted.patience,
        requests: AtomicU64::new(0),
    };
    let shown: Arc<str> = Arc::from(connection.url.to_string());
    let seen = runtime.block_on(cluster(&asker, shown, wanted, heard));
    drop(asker);
    runtime.shutdown_background();
    Ok(seen)
}

/// Asks servers, and counts.
struct Asker {
    client: Client,
    patience: Duration,
    requests: AtomicU64,
}

/// Why something could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Refused {
    /// The server answered that this user may not.
    Forbidden(String),
    /// It answered something else, or not at all.
    Failed(String),
}

impl Refused {
    fn unread(self, what: impl Into<String>, needs: &str) -> Unread {
        let what = what.into();
        match self {
            Refused::Forbidden(why) => Unread {
                what,
                why,
                next: needs.to_owned(),
            },
            Refused::Failed(why) => Unread {
                what,
                why,
                next: "start the broker, or look into its log; then audit again".to_owned(),
            },
        }
    }
}

/// Why an answer is none.
fn refused(address: &str, reply: &Reply) -> Refused {
    let why = format!("{address} answered {}", reply.words());
    match reply.code {
        NO_PERMISSION => Refused::Forbidden(why),
        _ => Refused::Failed(why),
    }
}

/// What an administrator does for a user whom the broker does not know.
const NEEDS_USER: &str =
    "name a user that the brokers know, with -X access.key=NAME and -X secret.key=@FILE (mqadmin createUser)";

impl Asker {
    /// The answer, whatever it says.
    async fn answer(&self, address: &str, request: &Request) -> std::result::Result<Reply, Refused> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let asked = self.client.ask(address, request, self.patience).await;
        asked.map_err(|lost| Refused::Failed(lost.why.to_string()))
    }

    async fn ask(&self, address: &str, request: &Request) -> std::result::Result<Reply, Refused> {
        match self.answer(address, request).await? {
            reply if reply.code == SUCCESS => Ok(reply),
            reply => Err(refused(address, &reply)),
        }
    }

    /// The members of a group that are connected to a broker; `None` when it has none there.
    async fn members(&self, address: &str, group: &str) -> std::result::Result<Option<Members>, Refused> {
        let reply = self.answer(address, &Members::request(group)).await?;
        match Members::parse(&reply) {
            Some(members) => members.map_err(|why| Refused::Failed(format!("{address}: {why}"))),
            None => Err(refused(address, &reply)),
        }
    }

    async fn body(&self, address: &str, code: RequestCode) -> std::result::Result<Vec<u8>, Refused> {
        Ok(self.ask(address, &Request::new(code)).await?.body.to_vec())
    }
}

async fn cluster(asker: &Asker, shown: Arc<str>, wanted: &Wanted, heard: &dyn Fn(u64, u64, &str)) -> Observation {
    let mut seen = Observation::new(shown.clone());
    let route = match asker.client.cluster().await {
        Ok(route) => route,
        Err(why) => {
            seen.requests = 1;
            seen.unread.push(Unread {
                what: "the cluster".to_owned(),
                why: why.why,
                next: "check the name servers, and that they run".to_owned(),
            });
            return seen;
        }
    };
    asker.requests.fetch_add(1, Ordering::Relaxed);
    if route.brokers.is_empty() {
        seen.unread.push(Unread {
            what: "its brokers".to_owned(),
            why: "the name server knows none".to_owned(),
            next: "start them, or wait: after its start a name server hears of them within 30 s".to_owned(),
        });
    }
    let all: u64 = route.brokers.values().map(|b| 1 + b.slaves.len() as u64).sum();
    let mut done = 0;
    let mut controllers = None;
    let mut masters: BTreeMap<String, Master> = BTreeMap::new();
    for (name, broker) in &route.brokers {
        let slaves = broker.slaves.len();
        if let Some(address) = &broker.master {
            let node = format!("{name} at {address}");
            if let Some(master) = master(asker, &node, address, slaves, wanted, &mut seen).await {
                controllers = controllers.or_else(|| master.config.controllers());
                masters.insert(name.clone(), master);
            }
        } else {
            seen.unread.push(Unread {
                what: format!("the master of broker {name}"),
                why: "the name server knows none: it is down, or cut off".to_owned(),
                next: "start it; until then only its slaves can be read".to_owned(),
            });
        }
        done += 1;
        heard(done, all, name);
        for address in &broker.slaves {
            slave(asker, &format!("{name} at {address}"), address, &mut seen).await;
            done += 1;
            heard(done, all, name);
        }
    }
    let in_sync = match controllers {
        Some(addresses) => {
            let names: Vec<&str> = masters.keys().map(String::as_str).collect();
            controller::observe(asker, &addresses, &names, &mut seen).await
        }
        None => BTreeMap::new(),
    };
    for (name, master) in &masters {
        let losses = master.losses(in_sync.get(name).copied(), |topic| wanted.takes_topic(topic));
        if !losses.is_empty() {
            seen.at_risk.push(AtRisk {
                node: master.node.clone(),
                losses,
            });
        }
    }
    seen.requests = asker.requests.load(Ordering::Relaxed);
    seen
}

/// Reads the configuration of one broker; `None` when it does not tell, which is noted.
async fn configured(asker: &Asker, node: &str, address: &str, seen: &mut Observation) -> Option<(Config, Runtime)> {
    let config = match asker.body(address, RequestCode::GetBrokerConfig).await {
        Ok(body) => Config::parse(&body),
        Err(why) => {
            seen.unread.push(why.unread(format!("broker {node}"), NEEDS_USER));
            return None;
        }
    };
    let runtime = match asker.body(address, RequestCode::GetBrokerRuntimeInfo).await {
        Ok(body) => Runtime::parse(&body),
        Err(why) => {
            let what = format!("the version and the disk of broker {node}");
            seen.unread.push(why.unread(what, NEEDS_USER));
            Runtime::default()
        }
    };
    Some((config, runtime))
}

/// The settings of a broker as the beginning of its unit.
fn sheet(seen: &Observation, config: &Config, runtime: &Runtime) -> Sheet {
    let mut sheet = Sheet::new(&seen.target);
    for (key, value) in config.iter() {
        let value = FactValue::unless_secret(key, value);
        sheet.put(Layer::Broker, key, value, "the broker's running configuration");
    }
    if let Some(percent) = runtime.disk_percent {
        put(&mut sheet, DISK_USED_PERCENT, percent.to_string());
    }
    sheet
}

fn put(sheet: &mut Sheet, key: &str, value: String) {
    sheet.put(Layer::Broker, key, FactValue::Text(value), "");
}

fn finish(sheet: Sheet, node: &str, runtime: &Runtime, seen: &mut Observation) {
    let mut unit = sheet.unit(Dialect::RocketmqBroker, Component::RocketMq, Some(node.to_owned()));
    unit.release = runtime.release;
    if runtime.release.is_some_and(|r| r.0 >= 5) {
        unit.version = Version::RocketMq5;
    }
    seen.units.push(unit);
}

async fn slave(asker: &Asker, node: &str, address: &str, seen: &mut Observation) {
    if let Some((config, runtime)) = configured(asker, node, address, seen).await {
        let sheet = sheet(seen, &config, &runtime);
        finish(sheet, node, &runtime, seen);
    }
}

/// Whether some slave has everything that the master had in `first`.
async fn followed(asker: &Asker, address: &str, first: &HaStatus) -> bool {
    if first.is_followed() {
        return true;
    }
    for _ in 0..LOOKS {
        tokio::time::sleep(LOOK).await;
        // What cannot be asked again is not known to be copied.
        let Ok(body) = asker.body(address, RequestCode::GetBrokerHaStatus).await else {
            return false;
        };
        if HaStatus::parse(&body).is_ok_and(|later| first.is_reached(&later)) {
            return true;
        }
    }
    false
}

/// Asks who is connected. A member speaks to every broker of its topics, so that each of them knows it.
async fn members(asker: &Asker, node: &str, address: &str, held: &mut topics::Held, seen: &mut Observation) {
    let groups: Vec<String> = held.groups().map(str::to_owned).collect();
    let what = |count: usize| match count {
        0 | 1 => format!("the members of a consumer group at broker {node}"),
        many => format!("the members of {many} consumer groups at broker {node}"),
    };
    if groups.len() > MOST_GROUPS {
        seen.unread.push(Unread {
            what: what(groups.len() - MOST_GROUPS),
            why: format!("at most {MOST_GROUPS} groups of a broker are asked for"),
            next: "delete the groups that nobody uses any more: mqadmin deleteSubGroup".to_owned(),
        });
    }
    let mut missed: Option<(Refused, usize)> = None;
    let asked = groups.len().min(MOST_GROUPS);
    for (at, group) in groups.iter().take(MOST_GROUPS).enumerate() {
        match asker.members(address, group).await {
            Ok(Some(members)) => {
                held.members.insert(group.clone(), members);
            }
            Ok(None) => {}
            Err(why @ Refused::Forbidden(_)) => missed = Some((why, missed.map_or(1, |(_, count)| count + 1))),
            // A broker that hangs is not waited for once for each group.
            Err(why @ Refused::Failed(_)) => {
                missed = Some((why, missed.map_or(0, |(_, count)| count) + asked - at));
                break;
            }
        }
    }
    if let Some((why, count)) = missed {
        seen.unread.push(why.unread(what(count), progress::NEEDS_GET));
    }
}

async fn master(
    asker: &Asker,
    node: &str,
    address: &str,
    slaves_in_route: usize,
    wanted: &Wanted,
    seen: &mut Observation,
) -> Option<Master> {
    let (config, runtime) = configured(asker, node, address, seen).await?;
    let mut sheet = sheet(seen, &config, &runtime);
    let ha = match asker.body(address, RequestCode::GetBrokerHaStatus).await {
        Ok(body) => HaStatus::parse(&body).map_err(Refused::Failed),
        Err(why) => Err(why),
    };
    let ha = match ha {
        Ok(ha) => Some(ha),
        Err(why) => {
            let what = format!("the slaves of broker {node}");
            seen.unread.push(why.unread(what, NEEDS_USER));
            None
        }
    };
    let is_followed = match &ha {
        Some(ha) => followed(asker, address, ha).await,
        None => true,
    };
    // The route remembers a slave that died for two minutes; a connection of it tells at once.
    let slaves = ha.as_ref().map_or(slaves_in_route, |ha| ha.slaves.len());
    put(&mut sheet, SLAVES, slaves.to_string());

    let mut held = topics::Held::default();
    for (code, what) in [
        (RequestCode::GetAllTopicConfig, "topics"),
        (RequestCode::GetAllSubscriptionGroupConfig, "consumer groups"),
    ] {
        let read = match asker.body(address, code).await {
            Ok(body) => held.add(&body, &config).map_err(Refused::Failed),
            Err(why) => Err(why),
        };
        if let Err(why) = read {
            seen.unread
                .push(why.unread(format!("the {what} of broker {node}"), NEEDS_USER));
        }
    }
    members(asker, node, address, &mut held, seen).await;
    let lag = progress::ask(asker, node, address, wanted, &mut held, &mut seen.unread).await;
    if let Some((age_ms, of)) = lag.oldest {
        put(&mut sheet, LAG_OLDEST_MS, age_ms.to_string());
        put(&mut sheet, LAG_OF, of);
    }
    if let Some(words) = lag.deleted {
        put(&mut sheet, SKIPPED, words);
    }
    finish(sheet, node, &runtime, seen);
    let mut unit = held.unit(&seen.target, node);
    unit.release = runtime.release;
    unit.leave_out(|s| s.layer != Layer::Topic || wanted.takes_topic(&s.name));
    seen.units.push(unit);
    Some(Master {
        node: node.to_owned(),
        release: runtime.release,
        config,
        ha,
        is_followed,
        slaves,
        topics: held.names(),
    })
}
