//! What the security settings must be together, before any client is made: librdkafka would connect in the clear, or only fail later.

use super::oauth::Tokens;
use crate::connect::ClientProperties;
use crate::model::{Problem, Result};
use std::sync::Arc;

/// Checks the settings against each other, and finds where tokens come from when the mechanism needs them.
///
/// # Errors
/// A usage problem that names what contradicts what, and never a value that may be a secret.
pub(super) fn tokens(properties: &ClientProperties) -> Result<Option<Arc<Tokens>>> {
    let get = |key: &str| properties.get(key).map(|v| v.trim().to_ascii_uppercase());
    let protocol = get("security.protocol");
    let place = |key: &str| properties.origin(key).map(|o| format!(" ({o})")).unwrap_or_default();
    let first = |prefixes: &[&str]| {
        let is_one = |key: &str| prefixes.iter().any(|prefix| key.starts_with(prefix));
        properties
            .iter()
            .map(|(key, _)| key)
            .find(|key| is_one(key))
            .map(str::to_owned)
    };
    let Some(protocol) = protocol else {
        // Without it librdkafka speaks plaintext, and everything else that was given would protect nothing.
        if let Some(key) = first(&["sasl.", "ssl.", "enable.ssl."]) {
            let protocol = if key.starts_with("sasl.") { "SASL_SSL" } else { "SSL" };
            return Err(
                Problem::usage(format!("{key}{} is given, and security.protocol is not", place(&key)))
                    .because("the connection would be plaintext, without a login")
                    .next(format!("add security.protocol={protocol}")),
            );
        }
        return Ok(None);
    };
    if !protocol.starts_with("SASL_") {
        return Ok(None);
    }
    let mechanism = get("sasl.mechanisms").unwrap_or_else(|| "GSSAPI".to_owned());
    match mechanism.as_str() {
        "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512" => {
            for key in ["sasl.username", "sasl.password"] {
                if properties.get(key).is_none_or(str::is_empty) {
                    return Err(Problem::usage(format!("{mechanism} needs {key}"))
                        .next("give it with -X KEY=@FILE, -X KEY=env:NAME, -F FILE or a context"));
                }
            }
            Ok(None)
        }
        "OAUTHBEARER" => {
            if get("enable.sasl.oauthbearer.unsecure.jwt").is_some_and(|v| v == "TRUE") {
                return Err(Problem::usage("enable.sasl.oauthbearer.unsecure.jwt cannot be used")
                    .because("tokens that anybody can make protect nothing")
                    .next("let a command print the token: sasl.oauthbearer.token.command"));
            }
            Tokens::new(properties).map(Some)
        }
        "GSSAPI" if cfg!(feature = "gssapi") => Ok(None),
        "GSSAPI" => {
            let problem = if properties.get("sasl.mechanisms").is_some() {
                Problem::usage(format!(
                    "this build of mqsafe has no Kerberos (sasl.mechanism=GSSAPI{})",
                    place("sasl.mechanisms")
                ))
                .next("build it with `cargo install mqsafe --features gssapi`, or use another mechanism")
            } else {
                Problem::usage("sasl.mechanism is missing")
                    .because("without it a client takes GSSAPI (Kerberos), which this build does not have")
                    .next("add sasl.mechanism=SCRAM-SHA-512, PLAIN or OAUTHBEARER")
            };
            Err(problem)
        }
        _ => Err(
            Problem::usage(format!("sasl.mechanism{} is not spoken here", place("sasl.mechanisms"))).next(
                "there are PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER and, with the feature gssapi, GSSAPI",
            ),
        ),
    }
}
