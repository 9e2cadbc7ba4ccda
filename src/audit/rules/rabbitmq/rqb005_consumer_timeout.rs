//! RQB005: how long a delivery may stay unacknowledged.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// `consumer_timeout` below the profile's `work_ms`, or `undefined`. From 4.3 on only quorum queues look at it.
    ///
    /// # How messages are lost
    /// Work that takes longer is redelivered and done twice; with a delivery limit it may end deleted. Without any limit a stuck
    /// consumer keeps what it has for ever.
    ///
    /// # Instead
    /// Longer than the slowest handler; the default is 30 minutes.
    ///
    /// # Example
    /// `rabbitmq.conf`, found:
    /// ```ini
    /// listeners.tcp.default = 5672
    /// consumer_timeout = 10000
    /// ```
    /// `rabbitmq.conf`, clean:
    /// ```ini
    /// listeners.tcp.default = 5672
    /// consumer_timeout = 1800000
    /// ```
    ///
    /// # Source
    /// RabbitMQ release notes of 3.8.17 and 4.3.0.
    pub(crate) static RULE = {
        code: "RQB005",
        name: "consumer-timeout",
        title: "Slow work is given to somebody else, or stuck work to nobody",
        evidence: &[Evidence::File],
        variants: &[],
        applies: &[Role::RabbitNode],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let Some((setting, text)) = judge.written("consumer_timeout") else {
        return;
    };
    let short = text
        .parse::<i64>()
        .is_ok_and(|ms| ms < judge.profile.thresholds.work_ms);
    if !short && !matches!(text.as_str(), "undefined" | "false") {
        return;
    }
    let at = judge.at(&setting);
    judge.hit(
        at,
        Say::new(
            match short {
                true => format!("a delivery that is not acknowledged within {text} ms is taken back"),
                false => "a delivery may stay unacknowledged for ever".to_owned(),
            },
            if short { "shorter than slow work" } else { "no limit" },
            match short {
                true => "Slow work is redelivered and done twice; with a delivery limit it may end deleted.",
                false => "A stuck consumer keeps what it has for ever, and nobody else gets it.",
            },
            "a time longer than the slowest handler; the default is 30 minutes",
        ),
    );
}
