//! The steps of a connection (`mqsafe.context/1`).

use super::json_line;
use crate::model::Step;
use serde_json::json;

/// One JSON object: each step with `result` `ok` or `failed`, and in `message` what came of it.
pub fn json(broker: &str, steps: &[Step]) -> Vec<u8> {
    let steps: Vec<_> = steps
        .iter()
        .map(|step| {
            let (result, message) = match &step.result {
                Ok(words) => ("ok", words),
                Err(words) => ("failed", words),
            };
            json!({"step": step.stage.word(), "at": step.at, "result": result, "message": message})
        })
        .collect();
    json_line(&json!({"schema": "mqsafe.context/1", "broker": broker, "steps": steps}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Stage;

    #[test]
    fn a_step_that_failed_says_so() {
        let step = Step {
            stage: Stage::Tls,
            at: "h:1".to_owned(),
            result: Err("expired".to_owned()),
        };
        let expected = "{\"schema\":\"mqsafe.context/1\",\"broker\":\"kafka://h:1\",\"steps\":[{\"step\":\"TLS\",\"at\":\"h:1\",\"result\":\"failed\",\"message\":\"expired\"}]}\n";
        assert_eq!(String::from_utf8(json("kafka://h:1", &[step])).unwrap(), expected);
    }
}
