//! kafkactl: `contexts` of `config.yml` (kafkactl README, "Configuration").

use super::{INSECURE, Imported, brokers, is_true, mechanism, rest, texts};
use crate::connect::yaml::Node;

pub(super) fn import(root: &Node) -> Vec<Imported> {
    let contexts = root.get("contexts").and_then(Node::map).unwrap_or_default();
    contexts.iter().map(|(key, node)| context(&key.name, node)).collect()
}

fn context(name: &str, node: &Node) -> Imported {
    let mut out = Imported::new(name);
    out.broker = brokers(&texts(node.get("brokers")));
    let on = |name: &str| node.get(name).filter(|n| is_true(n, "enabled"));
    let (tls, sasl) = (on("tls"), on("sasl"));
    let mut insecure = false;
    if let Some(tls) = tls {
        for (name, key) in [
            ("ca", "ssl.ca.location"),
            ("cert", "ssl.certificate.location"),
            ("certKey", "ssl.key.location"),
        ] {
            if let Some(path) = tls.text_of(name) {
                out.set(key, path);
            }
        }
        insecure = is_true(tls, "insecure");
    }
    if let Some(sasl) = sasl {
        match sasl.text_of("mechanism").map_or(Some("PLAIN"), mechanism) {
            Some(known) => out.set("sasl.mechanism", known),
            None => out.leave("sasl.mechanism", "it is not spoken here"),
        }
        for (name, key) in [("username", "sasl.username"), ("password", "sasl.password")] {
            if let Some(value) = sasl.text_of(name) {
                out.set(key, value);
            }
        }
    }
    out.protocol(tls.is_some(), sasl.is_some());
    if insecure {
        out.leave("tls.insecure", INSECURE);
    }
    if let Some(sasl) = sasl {
        rest(
            &mut out,
            sasl,
            "sasl.",
            &["enabled", "username", "password", "mechanism"],
        );
    }
    if let Some(tls) = tls {
        rest(&mut out, tls, "tls.", &["enabled", "ca", "cert", "certKey", "insecure"]);
    }
    if let Some(id) = node.text_of("clientID") {
        out.set("client.id", id);
    }
    rest(&mut out, node, "", &["brokers", "tls", "sasl", "clientID"]);
    out
}
