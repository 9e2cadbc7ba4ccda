//! Whether a directory outlives the process, the container and the host's next start.

use crate::audit::fact::{Fact, Unit};

/// How long what lies in a directory is there, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Held {
    /// Until somebody deletes it.
    ForGood,
    /// As long as this very container: on an anonymous volume, which the next one does not get.
    ByThisContainer,
    /// Not beyond a restart, or a new container or pod.
    Not,
}

/// Directories that images declare as volumes, by a part of the image's name.
const OWN_VOLUMES: [(&str, &str); 13] = [
    ("apache/kafka", "/var/lib/kafka/data"),
    ("cp-kafka", "/var/lib/kafka/data"),
    ("cp-server", "/var/lib/kafka/data"),
    ("cp-enterprise-kafka", "/var/lib/kafka/data"),
    ("confluent-local", "/var/lib/kafka/data"),
    ("confluent-server", "/var/lib/kafka/data"),
    ("bitnami/kafka", "/bitnami/kafka"),
    ("bitnamilegacy/kafka", "/bitnami/kafka"),
    ("wurstmeister/kafka", "/kafka"),
    ("debezium/kafka", "/kafka/data"),
    ("rabbitmq", "/var/lib/rabbitmq"),
    ("bitnami/rabbitmq", "/bitnami/rabbitmq"),
    ("redpanda", "/var/lib/redpanda/data"),
];

/// What holds a directory, by the surroundings of the unit. Outside a container everything lasts that is not temporary.
pub(super) fn holds(unit: &Unit, directory: &str) -> Held {
    let is_container = unit.surrounding("image").next().is_some() || unit.surroundings.iter().any(is_mount);
    if !is_container {
        return if super::is_temporary(directory) {
            Held::Not
        } else {
            Held::ForGood
        };
    }
    // The innermost mount decides.
    let mount = unit
        .surroundings
        .iter()
        .filter(|f| is_mount(f) && f.value.text().is_some_and(|path| covers(path, directory)))
        .max_by_key(|f| f.value.text().map_or(0, str::len));
    match mount.map(|f| f.key.as_str()) {
        Some("volume" | "volume.config") => Held::ForGood,
        Some("volume.anonymous") => Held::ByThisContainer,
        Some(_) => Held::Not,
        None if super::is_temporary(directory) => Held::Not,
        None => {
            let image = unit
                .surrounding("image")
                .next()
                .and_then(|f| f.value.text())
                .unwrap_or_default();
            let own = OWN_VOLUMES
                .iter()
                .any(|(name, path)| image.contains(name) && covers(path, directory));
            if own { Held::ByThisContainer } else { Held::Not }
        }
    }
}

fn is_mount(fact: &Fact) -> bool {
    fact.key == "tmpfs" || fact.key == "volume" || fact.key.starts_with("volume.")
}

/// Whether a directory is a mount point or lies below it.
fn covers(mount: &str, directory: &str) -> bool {
    let mount = mount.trim_end_matches('/');
    !mount.is_empty()
        && directory
            .strip_prefix(mount)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
