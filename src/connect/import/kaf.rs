//! kaf: `clusters` of `~/.kaf/config` (kaf `pkg/config/config.go`).

use super::{INSECURE, Imported, brokers, is_true, mechanism, rest, texts};
use crate::connect::yaml::Node;

pub(super) fn import(root: &Node) -> Vec<Imported> {
    let clusters = root.get("clusters").and_then(Node::list).unwrap_or_default();
    clusters.iter().map(cluster).collect()
}

fn cluster(node: &Node) -> Imported {
    let mut out = Imported::new(node.text_of("name").unwrap_or("kaf"));
    out.broker = brokers(&texts(node.get("brokers")));
    let tls = node.get("TLS").filter(|t| t.map().is_some());
    if let Some(tls) = tls {
        for (name, key) in [
            ("cafile", "ssl.ca.location"),
            ("clientfile", "ssl.certificate.location"),
            ("clientkeyfile", "ssl.key.location"),
        ] {
            if let Some(path) = tls.text_of(name) {
                out.set(key, path);
            }
        }
        if is_true(tls, "insecure") {
            out.leave("TLS.insecure", INSECURE);
        }
        rest(
            &mut out,
            tls,
            "TLS.",
            &["cafile", "clientfile", "clientkeyfile", "insecure"],
        );
    }
    let sasl = node.get("SASL").filter(|s| s.map().is_some());
    if let Some(sasl) = sasl {
        match sasl.text_of("mechanism").map(mechanism) {
            Some(Some(known)) => out.set("sasl.mechanism", known),
            Some(None) => out.leave("SASL.mechanism", "it is not spoken here"),
            None => {}
        }
        for (name, key) in [
            ("username", "sasl.username"),
            ("password", "sasl.password"),
            ("clientID", "sasl.oauthbearer.client.id"),
            ("clientSecret", "sasl.oauthbearer.client.secret"),
            ("tokenURL", "sasl.oauthbearer.token.endpoint.url"),
        ] {
            if let Some(value) = sasl.text_of(name).filter(|v| !v.is_empty()) {
                out.set(key, value);
            }
        }
        let scopes = texts(sasl.get("scopes"));
        if !scopes.is_empty() {
            out.set("sasl.oauthbearer.scope", scopes.join(" "));
        }
        let read = [
            "mechanism",
            "username",
            "password",
            "clientID",
            "clientSecret",
            "tokenURL",
            "scopes",
        ];
        rest(&mut out, sasl, "SASL.", &read);
    }
    match node.text_of("security-protocol").filter(|p| !p.is_empty()) {
        Some(protocol) => out.set("security.protocol", protocol.to_ascii_uppercase()),
        None => out.protocol(tls.is_some(), sasl.is_some()),
    }
    rest(
        &mut out,
        node,
        "",
        &["name", "brokers", "SASL", "TLS", "security-protocol"],
    );
    out
}
