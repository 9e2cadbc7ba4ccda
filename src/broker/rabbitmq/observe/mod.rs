//! What a running cluster tells an audit, by its management API. Nothing is changed.
//!
//! Needed: the tag `monitoring`, and an entry in each virtual host that is to be read; the entry may allow nothing, but for looking into
//! queues: that reads them. Without an entry the server answers with empty lists instead of a refusal. Every virtual host has exchanges, so
//! one without any was not read. With the tag `management` it refuses the nodes, and shortens other lists without a word.

mod answer;
mod api;
mod look;
mod nodes;
mod state;
mod topology;

use super::client;
use super::management::encoded;
use super::target::Target;
use crate::audit::fact::Layer;
use crate::audit::live::{Observation, Unread, Wanted, quoted};
use crate::connect::Connection;
use crate::model::{Problem, Result};
use api::{Api, Refused};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use topology::{Raw, text};

/// What is needed of a queue: without it a page has 700 kB instead of 160.
const QUEUE_COLUMNS: &str = "name,vhost,durable,auto_delete,exclusive,type,arguments,policy,operator_policy,state,node,leader,members,\
                             online,slave_nodes,synchronised_slave_nodes,messages,messages_persistent";
const EXCHANGE_COLUMNS: &str = "name,vhost,durable,auto_delete,internal,type,arguments,policy";
const CHANNEL_COLUMNS: &str = "name,vhost,user,user_who_performed_action,confirm,transactional,global_prefetch_count,\
                               message_stats.publish";

/// What a running cluster tells. `heard` hears of entries that were read, and of how many there are.
///
/// # Errors
/// A usage problem when a property cannot be used, or nobody can say where the management API is. Whatever cannot be read from a running
/// broker is no error: it stands in the observation.
pub(crate) fn observe(connection: &Connection, wanted: &Wanted, heard: &dyn Fn(u64, u64, &str)) -> Result<Observation> {
    let (target, url) = with_management(connection)?;
    let threads = client::threads().map_err(|why| Problem::unknown(why.to_string()))?;
    Ok(threads.block_on(asked(connection, &target, &url, wanted, heard)))
}

async fn asked(
    connection: &Connection,
    target: &Target,
    url: &str,
    wanted: &Wanted,
    heard: &dyn Fn(u64, u64, &str),
) -> Observation {
    let shown: Arc<str> = Arc::from(connection.url.to_string());
    let mut seen = Observation::new(shown.clone());
    let mut api = Api::new(target, url, wanted.patience);
    let mut raw = Raw::default();
    match api.get("/api/overview").await {
        Ok(overview) => {
            read(&mut api, &overview, &mut raw, &mut seen, wanted, heard).await;
        }
        Err(why) => {
            let what = format!("the management API of RabbitMQ at {url}");
            seen.unread.push(why.unread(what, &api));
        }
    }
    seen.requests = api.requests;
    seen
}

/// The target, and where its management API is: where nobody says, at the usual port of the first server.
fn with_management(connection: &Connection) -> Result<(Target, String)> {
    let mut connection = connection.clone();
    let management = connection.management.take().or_else(|| {
        let host = connection.url.hosts().first()?.rsplit_once(':')?.0;
        let is_tls = connection.url.to_string().starts_with("amqps://");
        Some(match is_tls {
            true => format!("https://{host}:15671"),
            false => format!("http://{host}:15672"),
        })
    });
    let Some(url) = management else {
        return Err(Problem::usage("nobody says where the management API of RabbitMQ is")
            .next("give it with --management http://HOST:15672"));
    };
    connection.management = Some(url.clone());
    Ok((Target::new(&connection)?, url))
}

async fn read(
    api: &mut Api<'_>,
    overview: &Value,
    raw: &mut Raw,
    seen: &mut Observation,
    wanted: &Wanted,
    heard: &dyn Fn(u64, u64, &str),
) {
    raw.release = nodes::release(text(overview, "rabbitmq_version"));
    let shown = seen.target.clone();
    let mut unread = Vec::new();
    match api.list("/api/nodes").await {
        Ok(nodes) => {
            let cluster = text(overview, "cluster_name");
            let there = nodes.iter().filter(|n| n["running"].as_bool() != Some(false));
            raw.nodes = there.map(|n| text(n, "name").to_owned()).collect();
            seen.units = nodes::units(&shown, &nodes, cluster, raw.release);
            // One that began a moment ago has counted nothing: neither its limits nor its alarms are known.
            let counted = |n: &&Value| n["running"].as_bool() == Some(false) || !n["disk_free_limit"].is_null();
            for node in nodes.iter().filter(|n| !counted(n)) {
                unread.push(Unread {
                    what: format!("the limits and alarms of node {}", text(node, "name")),
                    why: "the management API has no statistics of it".to_owned(),
                    next: "audit again in some seconds; when it stays so, enable rabbitmq_management_agent there"
                        .to_owned(),
                });
            }
            for node in nodes.iter().filter(|n| n["running"].as_bool() == Some(false)) {
                let name = text(node, "name");
                unread.push(Unread {
                    what: format!("node {name}"),
                    why: "it does not run".to_owned(),
                    next: format!(
                        "start it: what it alone knows is not in this audit (rabbitmqctl -n {} status)",
                        quoted(name)
                    ),
                });
            }
        }
        Err(why) => {
            let is_narrow = why.status == Some(401);
            unread.push(why.unread("the nodes", api));
            // With the tag management alone lists are shorter, and say nothing of it.
            if is_narrow {
                let user = &api.target.user;
                unread.push(Unread {
                    what: "the channels of other users, and the virtual hosts in which the user has no entry"
                        .to_owned(),
                    why: format!("user {user} has not the tag monitoring, and is shown what is its own"),
                    next: format!(
                        "give the user the tag: rabbitmqctl set_user_tags {} monitoring",
                        quoted(user)
                    ),
                });
            }
        }
    }
    // Another virtual host than the default one was named on purpose.
    let only = Some(api.target.vhost.clone()).filter(|vhost| vhost != "/");
    let of_host = only.as_ref().map_or_else(String::new, |v| format!("/{}", encoded(v)));
    let by_name = |v: &Value| format!("{}\n{}", text(v, "vhost"), text(v, "name"));
    let taken =
        |what: &str, answer: std::result::Result<Vec<Value>, Refused>, api: &Api<'_>, unread: &mut Vec<Unread>| {
            answer.map_err(|why| unread.push(why.unread(what, api))).ok()
        };

    // Of one virtual host alone only administrators are told.
    let hosts = api.list("/api/vhosts").await;
    raw.vhosts = taken("the virtual hosts", hosts, api, &mut unread).unwrap_or_default();
    if let Some(vhost) = &only {
        raw.vhosts.retain(|host| text(host, "name") == vhost);
    }

    let exchanges = api
        .pages(
            &format!("/api/exchanges{of_host}"),
            EXCHANGE_COLUMNS,
            by_name,
            |_, _| {},
        )
        .await;
    let is_closed = matches!(&exchanges, Err(why) if why.status == Some(401));
    let exchanges = taken("the exchanges", exchanges, api, &mut unread);
    if let Some(exchanges) = &exchanges {
        closed_hosts(&raw.vhosts, exchanges, api, &mut unread);
    }
    let queues = api
        .pages(&format!("/api/queues{of_host}"), QUEUE_COLUMNS, by_name, |done, all| {
            heard(done, all, "queues")
        })
        .await;
    let queues = taken("the queues", queues, api, &mut unread);
    let bindings = api.list(&format!("/api/bindings{of_host}")).await;
    let bindings = taken("the bindings", bindings, api, &mut unread);
    let policies = api.list(&format!("/api/policies{of_host}")).await;
    let policies = taken("the policies", policies, api, &mut unread);
    let operator = api.list(&format!("/api/operator-policies{of_host}")).await;
    let operator = taken("the operator policies", operator, api, &mut unread);
    if [&exchanges, &queues, &bindings, &policies, &operator]
        .iter()
        .any(|list| list.is_none())
    {
        raw.incomplete = Some("a part of the topology could not be read");
    }
    raw.exchanges = exchanges.unwrap_or_default();
    raw.queues = queues.unwrap_or_default();
    state::without_the_dead(&mut raw.queues, &raw.nodes);
    raw.bindings = bindings.unwrap_or_default();
    raw.policies = policies.unwrap_or_default();
    raw.operator_policies = operator.unwrap_or_default();

    // Where a user has no entry the server tells of no consumers, instead of refusing.
    let consumers = match is_closed {
        true => Err(Refused::closed()),
        false => api.list(&format!("/api/consumers{of_host}")).await,
    };
    raw.consumers = taken("the consumers", consumers, api, &mut unread).unwrap_or_default();
    let rates = overview["rates_mode"].as_str();
    if overview["disable_stats"].as_bool() == Some(true) || rates == Some("none") {
        unread.push(Unread {
            what: "which channels publish without confirms, and how many messages were unroutable".to_owned(),
            why: "the node keeps no such statistics".to_owned(),
            next: "set management.rates_mode = basic, and management_agent.disable_metrics_collector = false"
                .to_owned(),
        });
    } else {
        let channels = match &only {
            // Of one virtual host they come in one piece, and with everything.
            Some(_) => api.list(&format!("/api/vhosts{of_host}/channels")).await,
            None => {
                let name = |v: &Value| text(v, "name").to_owned();
                api.pages("/api/channels", CHANNEL_COLUMNS, name, |_, _| {}).await
            }
        };
        raw.channels = taken("the channels", channels, api, &mut unread).unwrap_or_default();
    }
    let is_asked = |v: &&Value| wanted.takes_queue(text(v, "name"));
    if wanted.peek > 0 {
        let queues = raw.queues.iter().filter(is_asked);
        raw.looked = look::into(api.target, queues, wanted.peek, wanted.patience, &mut unread).await;
    }
    seen.at_risk = state::at_risk(raw.queues.iter().filter(is_asked), raw.vhosts.len());
    let mut unit = topology::unit(&shown, raw);
    unit.leave_out(|s| !matches!(s.layer, Layer::Queue | Layer::Exchange) || wanted.takes_queue(&s.name));
    seen.units.push(unit);
    seen.unread.append(&mut unread);
}

/// Names virtual hosts of which nothing was shown: without an entry there the server answers with empty lists.
fn closed_hosts(hosts: &[Value], exchanges: &[Value], api: &Api<'_>, unread: &mut Vec<Unread>) {
    let open: BTreeSet<&str> = exchanges.iter().map(|e| text(e, "vhost")).collect();
    let user = &api.target.user;
    for name in hosts
        .iter()
        .map(|h| text(h, "name"))
        .filter(|name| !open.contains(name))
    {
        unread.push(Unread {
            what: format!("virtual host {name}"),
            why: format!("user {user} has no entry in it, and is shown nothing of it"),
            next: format!(
                "make an entry, which may allow nothing: rabbitmqctl set_permissions -p {} {} '' '' ''",
                quoted(name),
                quoted(user)
            ),
        });
    }
}
