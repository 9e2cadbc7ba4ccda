//! The running configuration of a broker, and what it says of itself.

use super::super::route;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The settings as the broker runs them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Config(BTreeMap<String, String>);

impl Config {
    /// Reads the answer to `GET_BROKER_CONFIG`: `key=value`, one in a line, nothing escaped (`MixAll.properties2String`).
    pub(super) fn parse(body: &[u8]) -> Config {
        let text = String::from_utf8_lossy(body);
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        Config(
            pairs
                .map(|(key, value)| (key.trim().to_owned(), value.to_owned()))
                .collect(),
        )
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    pub(super) fn get(&self, key: &str) -> &str {
        self.0.get(key).map_or("", String::as_str)
    }

    pub(super) fn is_on(&self, key: &str) -> bool {
        self.get(key) == "true"
    }

    /// A whole number; the default of the broker where it says nothing.
    pub(super) fn number(&self, key: &str, default: i64) -> i64 {
        self.get(key).parse().unwrap_or(default)
    }

    /// Where the controllers are, in controller mode.
    pub(super) fn controllers(&self) -> Option<Vec<String>> {
        if !self.is_on("enableControllerMode") {
            return None;
        }
        let all = self.get("controllerAddr").split([';', ',']).map(str::trim);
        let all: Vec<String> = all.filter(|a| !a.is_empty()).map(str::to_owned).collect();
        (!all.is_empty()).then_some(all)
    }
}

/// What a broker says of itself (`GET_BROKER_RUNTIME_INFO`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Runtime {
    pub(super) release: Option<(u16, u16, u16)>,
    /// How full its fullest disk is.
    pub(super) disk_percent: Option<u8>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Table {
    table: BTreeMap<String, String>,
}

impl Runtime {
    /// What cannot be read is not known.
    pub(super) fn parse(body: &[u8]) -> Runtime {
        let Table { table } = route::parse(body).unwrap_or_default();
        // One for each directory where there are several: `commitLogDiskRatio_/data/1`.
        let ratios = table
            .iter()
            .filter(|(key, _)| key.starts_with("commitLogDiskRatio") || key.starts_with("consumeQueueDiskRatio"))
            .filter_map(|(_, value)| value.parse::<f64>().ok())
            .filter(|ratio| (0.0..=1.0).contains(ratio));
        let fullest = ratios.fold(None, |most: Option<f64>, ratio| {
            Some(most.map_or(ratio, |m| m.max(ratio)))
        });
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
        let percent = fullest.map(|ratio| (ratio * 100.0).round() as u8);
        Runtime {
            release: table.get("brokerVersionDesc").and_then(|text| release(text)),
            disk_percent: percent,
        }
    }
}

/// `V5_3_3` or `V4_9_8_SNAPSHOT` as numbers.
fn release(text: &str) -> Option<(u16, u16, u16)> {
    let mut parts = text.strip_prefix('V')?.split('_').map(|part| part.parse::<u16>().ok());
    Some((parts.next()??, parts.next()??, parts.next().flatten().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_configuration_is_read() {
        let config = Config::parse(b"brokerRole=SYNC_MASTER\ninSyncReplicas=2\nmsg=a=b\n\nx\nenableControllerMode=true\ncontrollerAddr=h:1; h:2\n");
        assert_eq!((config.get("brokerRole"), config.get("msg")), ("SYNC_MASTER", "a=b"));
        assert_eq!((config.number("inSyncReplicas", 1), config.number("absent", 1)), (2, 1));
        assert_eq!(config.controllers(), Some(vec!["h:1".to_owned(), "h:2".to_owned()]));
        assert_eq!(Config::default().controllers(), None);
    }

    #[test]
    fn version_and_disk_are_read() {
        let body = br#"{"table":{"brokerVersionDesc":"V5_3_3","commitLogDiskRatio":"0.45","consumeQueueDiskRatio":"0.876","x":"1"}}"#;
        let runtime = Runtime::parse(body);
        assert_eq!((runtime.release, runtime.disk_percent), (Some((5, 3, 3)), Some(88)));
        assert_eq!(Runtime::parse(b"x"), Runtime::default());
        assert_eq!(release("V4_9_8_SNAPSHOT"), Some((4, 9, 8)));
        assert_eq!(release("HIGHER_VERSION"), None);
        let broken = br#"{"table":{"commitLogDiskRatio":"-1.0"}}"#;
        assert_eq!(Runtime::parse(broken).disk_percent, None);
    }
}
