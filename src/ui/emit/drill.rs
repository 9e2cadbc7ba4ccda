//! Figures of a drill as JSON (`mqsafe.drill/1`).

use super::json_line;
use crate::drill::{Belief, Row, Sight};
use serde_json::{Value, json};

/// All runs.
pub fn json(cluster: &str, rows: &[Row]) -> Vec<u8> {
    let run = |row: &Row| -> Value {
        let Sight {
            belief: Belief { sent, believed },
            there,
            duplicates,
        } = row.sight;
        let Row {
            run,
            setting,
            without,
            rules,
            ..
        } = row;
        json!({"run": run, "setting": setting, "without": without, "sent": sent, "believed": believed, "there": there,
            "lost": row.sight.lost(), "duplicates": duplicates, "rules": rules})
    };
    json_line(
        &json!({"schema": "mqsafe.drill/1", "cluster": cluster, "runs": rows.iter().map(run).collect::<Vec<_>>()}),
    )
}

/// What a careless application believes when it ends.
pub fn belief(belief: Belief) -> Vec<u8> {
    json_line(&json!({"sent": belief.sent, "believed": belief.believed}))
}
