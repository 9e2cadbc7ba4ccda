//! RMB007: what is written never takes effect.

use crate::audit::fact::{Effect, Fact, FactValue};
use crate::audit::judge::{Judge, Say};
use crate::audit::resolve::is_placeholder;
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::terms::rocketmq::{DURABILITY, Kind, Taken, known, nearest, same_in_another_case, take};

rule! {
    /// # What it finds
    /// A line of `broker.conf` that the broker silently drops: a key that no release knows, in the wrong case or misspelt; a `brokerRole` or
    /// `flushDiskType` that is not exactly one of the known words; a number or switch that is none, white space behind it included.
    /// Unknown keys that resemble none of the keys that decide on durability are told as `RMB007/other-key`.
    ///
    /// # How messages are lost
    /// The loader catches every exception and keeps the default. The operator has written `SYNC_FLUSH`; the broker runs `ASYNC_FLUSH` and
    /// says nothing.
    ///
    /// # Instead
    /// The exact key and value; compare with `mqadmin getBrokerConfig`, which shows what runs.
    ///
    /// # Example
    /// `broker.conf`, found:
    /// ```ini
    /// brokerClusterName = shop
    /// brokerName = broker-a
    /// brokerId = 0
    /// flushDiskType = sync_flush
    /// ```
    /// `broker.conf`, clean:
    /// ```ini
    /// brokerClusterName = shop
    /// brokerName = broker-a
    /// brokerId = 0
    /// flushDiskType = SYNC_FLUSH
    /// ```
    ///
    /// # Source
    /// RocketMQ `MixAll.properties2Object`, `BrokerStartup`; the configuration classes of 4.3.0 to 5.3.3. Words are trimmed since 5.2,
    /// numbers and switches never.
    pub(crate) static RULE = {
        code: "RMB007",
        name: "value-without-effect",
        title: "What is written never takes effect, and the broker says nothing",
        evidence: &[Evidence::File],
        variants: &["other-key"],
        applies: &[Role::RocketBroker],
        check: check,
    };
}

/// How many unknown keys are compared with every known one. A broker knows some five hundred keys in all.
const MAX_GUESSES: usize = 1000;

fn check(judge: &mut Judge<'_>) {
    let mut guesses = 0;
    let unit = judge.unit;
    for fact in unit.facts.iter().filter(|f| !is_markup(f)) {
        if matches!(fact.effect, Effect::Overridden { .. }) {
            continue;
        }
        if fact.effect == Effect::ByteOrderMark {
            let other = !DURABILITY.contains(&fact.key.as_str());
            if known(&fact.key).is_some() {
                hit(
                    judge,
                    fact,
                    other.then_some("other-key"),
                    format!("`{}` has no effect: a byte order mark is part of its name", fact.key),
                    format!(
                        "save the file without a byte order mark, so that the first key is `{}`",
                        fact.key
                    ),
                    false,
                );
            }
            continue;
        }
        match known(&fact.key) {
            None => {
                guesses += 1;
                unknown_key(judge, fact, guesses <= MAX_GUESSES);
            }
            Some(known) => value(judge, fact, known.kind),
        }
    }
}

/// What a template or a stray line puts into the file; it is not a setting.
fn is_markup(fact: &Fact) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    fact.key.is_empty() || !fact.key.chars().all(plain)
}

fn unknown_key(judge: &mut Judge<'_>, fact: &Fact, guess: bool) {
    let meant = same_in_another_case(&fact.key).or_else(|| if guess { nearest(&fact.key) } else { None });
    let matters = meant.is_some_and(|m| DURABILITY.contains(&m));
    let (headline, fix) = match meant {
        Some(m) if m.eq_ignore_ascii_case(&fact.key) => (
            format!("`{}` has no effect: keys are case-sensitive", fact.key),
            format!("write `{m}`"),
        ),
        Some(m) => (
            format!("`{}` has no effect: no release knows this key", fact.key),
            format!("did you mean `{m}`?"),
        ),
        None => (
            format!("`{}` has no effect: no release knows this key", fact.key),
            "remove it, or look up the key that was meant; a plug-in of your own may read it".to_owned(),
        ),
    };
    hit(judge, fact, (!matters).then_some("other-key"), headline, fix, false);
}

fn value(judge: &mut Judge<'_>, fact: &Fact, kind: Kind) {
    let FactValue::Text(text) = &fact.value else { return };
    if is_placeholder(text) {
        return;
    }
    let wanted = match kind {
        Kind::Text => return,
        Kind::Integer => "a whole number, with nothing behind it",
        Kind::Decimal => "a number",
        Kind::Boolean => "true or false, with nothing behind it",
        Kind::Role => "ASYNC_MASTER, SYNC_MASTER or SLAVE, exactly",
        Kind::Flush => "SYNC_FLUSH or ASYNC_FLUSH, exactly",
    };
    let other = (!DURABILITY.contains(&fact.key.as_str())).then_some("other-key");
    let key = &fact.key;
    match take(kind, text) {
        Taken::Value(_) => {}
        Taken::TrimmedSince52(_) => hit(
            judge,
            fact,
            other,
            format!("white space behind the value: before 5.2 `{key}` keeps its default"),
            format!("{key} must be {wanted}, with nothing behind it"),
            true,
        ),
        Taken::Ignored => hit(
            judge,
            fact,
            other,
            format!("`{key}` keeps its default: `{text}` is nothing that it takes"),
            format!("{key} must be {wanted}"),
            false,
        ),
    }
}

fn hit(
    judge: &mut Judge<'_>,
    fact: &Fact,
    variant: Option<&'static str>,
    headline: String,
    fix: String,
    by_version: bool,
) {
    let at = judge.at_fact(fact).inferred(by_version);
    judge.hit_as(
        variant,
        at,
        Say {
            headline,
            label: "dropped silently".to_owned(),
            story: "The broker swallows what it does not know or cannot parse and keeps the default. Whoever wrote the line believes that \
                    it holds."
                .to_owned(),
            fix,
        },
    );
}

#[cfg(test)]
mod tests {
    use crate::audit::rules::testing::found;

    #[test]
    fn wrong_words_and_wrong_cases() {
        let file = "broker.conf";
        assert_eq!(
            found("RMB007", file, "flushDiskType=sync_flush"),
            ["high 1:1 flushDiskType=sync_flush"]
        );
        assert_eq!(
            found("RMB007", file, "flushdisktype=SYNC_FLUSH"),
            ["high 1:1 flushdisktype=SYNC_FLUSH"]
        );
        assert_eq!(
            found("RMB007", file, "brokerName=a\nborkerRole=SYNC_MASTER"),
            ["high 2:1 borkerRole=SYNC_MASTER"]
        );
        assert_eq!(
            found("RMB007", file, "brokerName=a\nfileReservedTime=48h"),
            ["high 2:1 fileReservedTime=48h"]
        );
        assert_eq!(
            found("RMB007", file, "enableControllerMode=yes"),
            ["high 1:1 enableControllerMode=yes"]
        );
        assert_eq!(
            found("RMB007", file, "brokerName=a\nwarmMapedFileEnable=1"),
            ["medium 2:1 warmMapedFileEnable=1"]
        );
        assert_eq!(
            found("RMB007", file, "brokerName=a\nmakeItFast=1"),
            ["medium 2:1 makeItFast=1"]
        );
    }

    #[test]
    fn white_space_behind_a_value() {
        let file = "broker.conf";
        assert_eq!(
            found("RMB007", file, "flushDiskType=SYNC_FLUSH \n"),
            ["medium 1:1 flushDiskType=SYNC_FLUSH "]
        );
        assert_eq!(
            found("RMB007", file, "inSyncReplicas=2 \n"),
            ["high 1:1 inSyncReplicas=2 "]
        );
        assert!(found("RMB007", file, "brokerName=a \nbrokerIP1=1.2.3.4 ").is_empty());
    }

    #[test]
    fn what_takes_effect_is_clean() {
        for text in [
            "flushDiskType=SYNC_FLUSH\nbrokerRole=SYNC_MASTER\ninSyncReplicas=2\nfileReservedTime=48",
            "brokerName=a\nflushDiskType=${FLUSH}",
            "brokerName=a\nenableControllerMode=True",
            "brokerName=a\n{{ more }}\n<!-- licence -->",
            "brokerName=a\ndLegerPeers=n0-a:1;n1-b:1;n2-c:1",
        ] {
            assert!(found("RMB007", "broker.conf", text).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_byte_order_mark_hides_the_first_key() {
        let file = "broker.conf";
        assert_eq!(
            found("RMB007", file, "\u{feff}flushDiskType=SYNC_FLUSH\n"),
            ["high 1:1 flushDiskType=SYNC_FLUSH"]
        );
        assert_eq!(found("RMB001", file, "\u{feff}flushDiskType=SYNC_FLUSH\n").len(), 1);
    }
}
