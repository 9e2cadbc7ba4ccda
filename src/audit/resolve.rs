//! From what is written to what the component does: other names, duplicates, defaults, values that never take effect.
//!
//! The one place that knows. Rules ask for a key by its Java or RocketMQ name and get the effective value, or why it is not known.

use super::fact::{Component, Fact, FactValue, Unit, Version};
use super::stated::Release;
use super::terms::kafka::{aliases, default};
use super::terms::rocketmq::{self, Taken};

/// A key as the component sees it.
#[derive(Debug, Clone)]
pub struct Setting<'a> {
    /// The name that was asked for.
    pub key: &'static str,
    /// What is written and seen by the component; `None` when the default applies.
    pub given: Option<&'a Fact>,
    /// What is written and has no effect, so that the default applies.
    pub ineffective: Option<&'a Fact>,
    /// The effective value, or why it is not known.
    pub value: Result<String, String>,
    /// The versions that the default holds for; `None` when it is written or the same in every version.
    pub assumes: Option<&'static str>,
}

impl Setting<'_> {
    /// Whether the value follows from what is written, or from a default that every version shares.
    pub fn is_certain(&self) -> bool {
        self.assumes.is_none()
    }
}

/// The effective value of a key in a unit, whose component is of this release as far as anybody says.
pub fn setting<'a>(unit: &'a Unit, key: &'static str, release: Option<Release>) -> Setting<'a> {
    match unit.component {
        Component::RocketMq => rocketmq_setting(unit, key),
        _ => kafka_setting(unit, key, release),
    }
}

/// The release that a file itself tells; the first of those that it may be.
pub fn told_release(unit: &Unit) -> Option<Release> {
    if let Some((major, minor, patch)) = unit.release {
        return Some(Release(major, minor, patch));
    }
    match unit.version {
        Version::Unknown => None,
        Version::RocketMq5 => Some(Release(5, 0, 0)),
    }
}

fn kafka_setting<'a>(unit: &'a Unit, key: &'static str, release: Option<Release>) -> Setting<'a> {
    let mut given = unit.live(key);
    if matches!(unit.component, Component::Librdkafka | Component::UnknownKafkaClient) {
        // librdkafka sets them one after another, so the last of all names counts.
        let others = aliases(key).iter().filter_map(|alias| unit.live(alias));
        given = given.into_iter().chain(others).max_by_key(|f| f.place.span.start);
    }
    let mut setting = Setting {
        key,
        given,
        ineffective: None,
        value: Err(String::new()),
        assumes: None,
    };
    if let Some(fact) = given {
        setting.value = written(fact).map(|text| text.trim().to_owned());
        return setting;
    }
    setting.ineffective = unit.all(key).last();
    // What a framework or an image gives stands above the component's own default.
    if let (Some(implied), None) = (unit.implied(key), unit.fragment) {
        setting.value = Ok(implied.value.to_owned());
        setting.assumes = implied.assumes;
        return setting;
    }
    match (unit.fragment, default(unit.component, unit.dialect, key)) {
        (Some(why), _) => setting.value = Err(format!("`{key}` is not in the file, and {why}")),
        (None, None) => {
            setting.value = Err(format!(
                "`{key}` is not in the file, and its default depends on the client"
            ));
        }
        (None, Some(default)) => match (default.since, release) {
            (Some(change), Some(release)) if release < change.release => {
                setting.value = change
                    .before
                    .map(str::to_owned)
                    .ok_or_else(|| format!("`{key}` is not in the file, and {release} has no such key"));
            }
            (Some(change), None) => {
                setting.value = Ok(default.value.to_owned());
                setting.assumes = Some(change.words);
            }
            _ => setting.value = Ok(default.value.to_owned()),
        },
    }
    setting
}

fn rocketmq_setting<'a>(unit: &'a Unit, key: &'static str) -> Setting<'a> {
    let mut setting = Setting {
        key,
        given: unit.live(key),
        ineffective: None,
        value: Err(String::new()),
        assumes: None,
    };
    let default = rocketmq::default(key);
    let Some(fact) = setting.given else {
        setting.ineffective = unit.all(key).last();
        setting.value = match (unit.fragment, unit.implied(key)) {
            (Some(why), _) => Err(format!("`{key}` is not in the file, and {why}")),
            (None, Some(implied)) => Ok(implied.value.to_owned()),
            (None, None) => Ok(default.to_owned()),
        };
        return setting;
    };
    setting.value = written(fact);
    if let (Ok(text), Some(known)) = (&setting.value, rocketmq::known(key)) {
        match rocketmq::take(known.kind, text) {
            Taken::Value(value) | Taken::TrimmedSince52(value) => setting.value = Ok(value),
            Taken::Ignored => {
                setting.ineffective = setting.given.take();
                setting.value = Ok(default.to_owned());
            }
        }
    }
    setting
}

/// The text of a value, unless somebody else fills it in later.
fn written(fact: &Fact) -> Result<String, String> {
    match fact.value.text() {
        Some(text) if is_placeholder(text) => Err(format!("the value of `{}` is filled in elsewhere", fact.key)),
        Some(text) => Ok(text.to_owned()),
        None => match fact.value {
            FactValue::Bool(truth) => Ok(truth.to_string()),
            _ => Err(format!("the value of `{}` is not read", fact.key)),
        },
    }
}

/// Whether a value is a variable of a shell, a template or a configuration provider.
pub(crate) fn is_placeholder(text: &str) -> bool {
    let text = text.trim();
    ["${", "{{", "{%", "<%", "$(", "%(", "@@"]
        .iter()
        .any(|mark| text.contains(mark))
        || text.starts_with('$')
        || text.len() > 2 && text.starts_with('<') && text.ends_with('>')
        || text.len() > 2 && text.starts_with('%') && text.ends_with('%')
        || text.len() > 2 && text.starts_with('@') && text.ends_with('@')
}
