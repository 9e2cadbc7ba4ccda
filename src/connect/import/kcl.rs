//! kcl: `config.toml`, flat (kcl README, "Configuration") or in `profiles` with `tls` and `sasl` tables.

use super::{INSECURE, Imported, brokers, is_true, mechanism, rest, texts};
use crate::connect::yaml::Node;

pub(super) fn import(root: &Node) -> Vec<Imported> {
    match root.get("profiles").and_then(Node::map) {
        Some(profiles) => profiles.iter().map(|(key, node)| profile(&key.name, node)).collect(),
        None => vec![profile("kcl", root)],
    }
}

fn profile(name: &str, node: &Node) -> Imported {
    let mut out = Imported::new(name);
    let hosts = texts(node.get("seed_brokers"));
    out.broker = brokers(&if hosts.is_empty() {
        texts(node.get("brokers"))
    } else {
        hosts
    });
    let (tls, sasl) = (node.get("tls"), node.get("sasl"));
    let in_tls = |names: [&str; 2]| {
        node.text_of(names[0])
            .or_else(|| tls?.text_of(names[1]))
            .map(str::to_owned)
    };
    let in_sasl = |names: [&str; 2]| {
        node.text_of(names[0])
            .or_else(|| sasl?.text_of(names[1]))
            .map(str::to_owned)
    };
    let mut has_tls = tls.is_some() || is_true(node, "use_tls");
    for (names, key) in [
        (["tls_ca_cert_path", "ca_cert_path"], "ssl.ca.location"),
        (["tls_client_cert_path", "client_cert_path"], "ssl.certificate.location"),
        (["tls_client_key_path", "client_key_path"], "ssl.key.location"),
    ] {
        if let Some(path) = in_tls(names) {
            out.set(key, path);
            has_tls = true;
        }
    }
    let mut has_sasl = false;
    if let Some(method) = in_sasl(["sasl_method", "method"]) {
        has_sasl = true;
        match mechanism(&method) {
            Some(known) => out.set("sasl.mechanism", known),
            None => out.leave("sasl_method", "it is not spoken here"),
        }
    }
    for (names, key) in [
        (["sasl_user", "user"], "sasl.username"),
        (["sasl_pass", "pass"], "sasl.password"),
    ] {
        if let Some(value) = in_sasl(names) {
            out.set(key, value);
        }
    }
    out.protocol(has_tls, has_sasl);
    if let Some(tls) = tls {
        if is_true(tls, "insecure") {
            out.leave("tls.insecure", INSECURE);
        }
        rest(
            &mut out,
            tls,
            "tls.",
            &["ca_cert_path", "client_cert_path", "client_key_path", "insecure"],
        );
    }
    if let Some(sasl) = sasl {
        rest(&mut out, sasl, "sasl.", &["method", "user", "pass"]);
    }
    let read = [
        "seed_brokers",
        "brokers",
        "tls",
        "sasl",
        "use_tls",
        "tls_ca_cert_path",
        "tls_client_cert_path",
        "tls_client_key_path",
        "sasl_method",
        "sasl_user",
        "sasl_pass",
    ];
    rest(&mut out, node, "", &read);
    out
}
