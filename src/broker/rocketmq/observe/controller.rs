//! The controllers of a cluster, and whom they hold for in sync.

use super::super::route;
use super::super::wire::Request;
use super::config::Config;
use super::{Asker, NEEDS_USER, Refused};
use crate::audit::fact::{Component, Dialect, FactValue, Layer};
use crate::audit::live::{Observation, Sheet};
use rocketmq_protocol::RequestCode;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct SyncText {
    replicas_info_table: BTreeMap<String, ReplicasText>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ReplicasText {
    in_sync_replicas: Vec<Value>,
}

/// Reads each controller's configuration as a unit, and how many replicas of each broker are in sync.
pub(super) async fn observe(
    asker: &Asker,
    addresses: &[String],
    brokers: &[&str],
    seen: &mut Observation,
) -> BTreeMap<String, usize> {
    for address in addresses {
        match asker.body(address, RequestCode::GetControllerConfig).await {
            Ok(body) => {
                let config = Config::parse(&body);
                let mut sheet = Sheet::new(&seen.target);
                for (key, value) in config.iter() {
                    let value = FactValue::unless_secret(key, value);
                    sheet.put(Layer::Broker, key, value, "the controller's running configuration");
                }
                let name = format!("controller at {address}");
                let unit = sheet.unit(Dialect::RocketmqController, Component::RocketMq, Some(name));
                seen.units.push(unit);
            }
            Err(why) => seen
                .unread
                .push(why.unread(format!("the controller at {address}"), NEEDS_USER)),
        }
    }
    match in_sync(asker, addresses, brokers).await {
        Ok(found) => found,
        Err(why) => {
            let what = "which replicas are in sync".to_owned();
            seen.unread.push(why.unread(what, NEEDS_USER));
            BTreeMap::new()
        }
    }
}

/// The sizes of the sync state sets, which the leader of the controllers knows.
async fn in_sync(asker: &Asker, addresses: &[String], brokers: &[&str]) -> Result<BTreeMap<String, usize>, Refused> {
    let mut failed = Refused::Failed("there is no controller to ask".to_owned());
    for address in addresses {
        let leader = match asker
            .ask(address, &Request::new(RequestCode::ControllerGetMetadataInfo))
            .await
        {
            Ok(reply) => reply
                .field::<String>("controllerLeaderAddress")
                .unwrap_or_else(|_| address.clone()),
            Err(why) => {
                failed = why;
                continue;
            }
        };
        let names = serde_json::to_vec(brokers).unwrap_or_default();
        let request = Request::new(RequestCode::ControllerGetSyncStateData).with_body(names);
        match asker.ask(&leader, &request).await {
            Ok(reply) => {
                let text: SyncText = route::parse(&reply.body).map_err(Refused::Failed)?;
                let sizes = text.replicas_info_table.into_iter();
                return Ok(sizes.map(|(name, r)| (name, r.in_sync_replicas.len())).collect());
            }
            Err(why) => failed = why,
        }
    }
    Err(failed)
}
