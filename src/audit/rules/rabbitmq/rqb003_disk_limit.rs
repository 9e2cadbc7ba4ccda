//! RQB003: a limit of free disk space that comes too late.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// `disk_free_limit.absolute` of 50 MB or less, `disk_free_limit.relative` below 0.4, or a `rabbitmq.conf` without either
    /// (`RQB003/absent`: the default is 50 MB).
    ///
    /// # How messages are lost
    /// The disk fills before the alarm stops publishers: the node stops in the middle of a write, members of quorum queues and
    /// streams fall out. The alarm itself blocks publishers, so whoever has no buffer drops.
    ///
    /// # Instead
    /// About what the memory watermark allows; upstream's example is 4 GB.
    ///
    /// # Example
    /// `rabbitmq.conf`, found:
    /// ```ini
    /// listeners.tcp.default = 5672
    /// disk_free_limit.absolute = 50MB
    /// ```
    /// `rabbitmq.conf`, clean:
    /// ```ini
    /// listeners.tcp.default = 5672
    /// disk_free_limit.absolute = 4GB
    /// ```
    ///
    /// # Source
    /// RabbitMQ `Makefile` (`disk_free_limit` 50000000), `production-checklist.md`. The cluster operator writes 2 GB.
    pub(crate) static RULE = {
        code: "RQB003",
        name: "low-disk-limit",
        title: "The disk is full before the alarm is raised",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &["absent"],
        applies: &[Role::RabbitNode],
        check: check,
    };
}

/// What the server begins with, in bytes.
const DEFAULT_BYTES: f64 = 50_000_000.0;
/// The part of the memory that messages may take by default; free disk must hold as much.
const WATERMARK: f64 = 0.4;

fn check(judge: &mut Judge<'_>) {
    let absolute = judge.written("disk_free_limit.absolute");
    let relative = judge.written("disk_free_limit.relative");
    let any = |key| judge.setting(key).given.is_some() || judge.unit.implied(key).is_some();
    let said = any("disk_free_limit.absolute") || any("disk_free_limit.relative");
    if let Some((setting, text)) = absolute
        && bytes(&text).is_some_and(|b| b <= DEFAULT_BYTES)
    {
        let at = judge.at(&setting);
        judge.hit(at, say(&format!("the alarm is raised when {text} of disk are free")));
    } else if let Some((setting, text)) = relative
        && text.parse::<f64>().is_ok_and(|part| part < WATERMARK)
    {
        let at = judge.at(&setting);
        judge.hit(
            at,
            say(&format!("the alarm is raised when free disk is {text} of the memory")),
        );
    } else if !said && is_whole(judge.unit) {
        let setting = judge.setting("disk_free_limit.absolute");
        let at = judge.at(&setting);
        judge.hit_as(
            Some("absent"),
            at,
            say("disk_free_limit is not set, and the default is 50 MB"),
        );
    }
}

/// Whether a file is all that the node reads. A piece of `conf.d`, or of a secret, says nothing of what it leaves out.
fn is_whole(unit: &crate::audit::fact::Unit) -> bool {
    unit.fragment.is_none() && unit.carrier.is_none() && unit.file.rsplit(['/', '\\']).next() == Some("rabbitmq.conf")
}

fn say(headline: &str) -> Say {
    Say::new(
        headline,
        "less than the memory may hold",
        "The disk fills before publishers are stopped: the node stops in the middle of a write, and members of quorum queues fall out.",
        "disk_free_limit.absolute of about the memory watermark, as 4GB",
    )
}

/// `50MB`, `4GB`, `2GiB` or bytes.
fn bytes(text: &str) -> Option<f64> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let n: f64 = digits.trim().parse().ok()?;
    let factor = match text.get(digits.len()..)?.to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "ki" | "kib" => 1024.0,
        "kb" => 1e3,
        "m" | "mi" | "mib" => 1_048_576.0,
        "mb" => 1e6,
        "g" | "gi" | "gib" => 1_073_741_824.0,
        "gb" => 1e9,
        "t" | "ti" | "tib" => 1_099_511_627_776.0,
        "tb" => 1e12,
        _ => return None,
    };
    Some(n * factor)
}
