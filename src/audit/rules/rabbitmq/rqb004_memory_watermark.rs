//! RQB004: a watermark that comes too late, or stops everything.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// `vm_memory_high_watermark.relative` above 0.8, or 0.
    ///
    /// # How messages are lost
    /// The system kills the node before publishers are blocked: what was not confirmed, and transient messages, are lost. 0 blocks
    /// all publishing: publishers without a buffer drop.
    ///
    /// # Instead
    /// 0.4 to 0.7.
    ///
    /// # Example
    /// `rabbitmq.conf`, found:
    /// ```ini
    /// listeners.tcp.default = 5672
    /// vm_memory_high_watermark.relative = 0.95
    /// ```
    /// `rabbitmq.conf`, clean:
    /// ```ini
    /// listeners.tcp.default = 5672
    /// vm_memory_high_watermark.relative = 0.6
    /// ```
    ///
    /// # Source
    /// RabbitMQ `Makefile`: 0.4 in 3.13.7, 0.6 in 4.0.9.
    pub(crate) static RULE = {
        code: "RQB004",
        name: "memory-watermark",
        title: "The node is killed for its memory before it stops publishers",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::RabbitNode],
        check: check,
    };
}

/// Above this the rest of the process and of the system has too little, as a part of the memory.
const TOO_HIGH: f64 = 0.8;

fn check(judge: &mut Judge<'_>) {
    let Some((setting, text)) = judge.written("vm_memory_high_watermark.relative") else {
        return;
    };
    let Ok(part) = text.parse::<f64>() else { return };
    if part > 0.0 && part <= TOO_HIGH {
        return;
    }
    let at = judge.at(&setting);
    let blocked = part <= 0.0;
    judge.hit(
        at,
        Say::new(
            match blocked {
                true => "a watermark of 0 blocks all publishing".to_owned(),
                false => format!("publishers are stopped at {text} of the memory"),
            },
            if blocked {
                "nothing can be published"
            } else {
                "killed before it is reached"
            },
            match blocked {
                true => "Every publisher is blocked. Whoever has no buffer drops what it cannot publish.",
                false => "The system kills the node first. What was not confirmed, and transient messages, are lost.",
            },
            "0.4 to 0.7",
        ),
    );
}
