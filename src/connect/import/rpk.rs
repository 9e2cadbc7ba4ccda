//! rpk: `profiles` of `rpk.yaml` (redpanda `rpk/pkg/config/rpk_yaml.go`), or the `rpk` section of an older `redpanda.yaml`.

use super::{Imported, brokers, mechanism, rest, texts};
use crate::connect::yaml::Node;

pub(super) fn import(root: &Node) -> Vec<Imported> {
    match root.get("profiles").and_then(Node::list) {
        Some(profiles) => profiles
            .iter()
            .map(|p| profile(p.text_of("name").unwrap_or("rpk"), p))
            .collect(),
        None => root
            .get("rpk")
            .map(|section| profile("rpk", section))
            .into_iter()
            .collect(),
    }
}

fn profile(name: &str, node: &Node) -> Imported {
    let mut out = Imported::new(name);
    if let Some(api) = node.get("kafka_api") {
        out.broker = brokers(&texts(api.get("brokers")));
        // `tls: {}` is TLS with the authorities of the system.
        let tls = api.get("tls").filter(|t| t.map().is_some());
        if let Some(tls) = tls {
            let files = [
                ("ca_file", "ssl.ca.location"),
                ("truststore_file", "ssl.ca.location"),
                ("cert_file", "ssl.certificate.location"),
                ("key_file", "ssl.key.location"),
            ];
            for (name, key) in files {
                if let Some(path) = tls.text_of(name) {
                    out.set(key, path);
                }
            }
            rest(
                &mut out,
                tls,
                "kafka_api.tls.",
                &["ca_file", "truststore_file", "cert_file", "key_file"],
            );
        }
        let sasl = api.get("sasl").filter(|s| s.map().is_some_and(|m| !m.is_empty()));
        if let Some(sasl) = sasl {
            match sasl.text_of("mechanism").map(mechanism) {
                Some(Some(known)) => out.set("sasl.mechanism", known),
                Some(None) => out.leave("kafka_api.sasl.mechanism", "it is not spoken here"),
                None => {}
            }
            for (name, key) in [("user", "sasl.username"), ("password", "sasl.password")] {
                if let Some(value) = sasl.text_of(name) {
                    out.set(key, value);
                }
            }
            rest(
                &mut out,
                sasl,
                "kafka_api.sasl.",
                &["mechanism", "user", "password", "type"],
            );
        }
        out.protocol(tls.is_some(), sasl.is_some());
        rest(&mut out, api, "kafka_api.", &["brokers", "tls", "sasl"]);
    }
    rest(&mut out, node, "", &["name", "description", "kafka_api", "prompt"]);
    out
}
