//! Stores that Java and OpenSSL wrote, in `tests/stores`.

use super::*;

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/stores/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn open(name: &str, kind: Option<&str>, password: &str, key_password: Option<&str>) -> Result<Store> {
    let named = Named {
        key: "ssl.keystore.location",
        path: name,
        kind,
        password: Some(password),
        key_password,
    };
    read(&named, &bytes(name))
}

fn der(pem: &str) -> String {
    pem.lines().filter(|l| !l.starts_with("---")).collect()
}

#[test]
fn every_store_gives_the_same_key_and_certificates() {
    let text = |name: &str| String::from_utf8(bytes(name)).unwrap();
    let (key, client, ca) = (der(&text("client.key")), der(&text("client.pem")), der(&text("ca.pem")));
    for (name, kind, key_password) in [
        ("client.p12", Some("PKCS12"), None),
        ("client.p12", None, None),
        ("client.p12", Some("jks"), None),
        ("client-legacy.p12", None, None),
        ("client.jks", Some("JKS"), Some("otherpass")),
        ("client.jks", None, Some("otherpass")),
    ] {
        let store = open(name, kind, "storepass", key_password).unwrap();
        assert_eq!(store.key.as_deref().map(der), Some(key.clone()), "{name}");
        let chain: Vec<String> = store
            .chain
            .split_inclusive("-----END CERTIFICATE-----\n")
            .map(der)
            .collect();
        assert_eq!(chain, [client.clone(), ca.clone()], "{name}");
    }
    for name in ["trust.p12", "trust.jks", "ca.pem"] {
        assert_eq!(der(&open(name, None, "storepass", None).unwrap().trusted), ca, "{name}");
    }
}

#[test]
fn what_does_not_fit_is_named_and_passwords_are_not() {
    for (name, kind, password, key_password, expected) in [
        ("client.p12", None, "hunter2", None, "not its own"),
        ("client-legacy.p12", None, "hunter2", None, "not its own"),
        ("client.jks", None, "hunter2", None, "not its own"),
        ("client.jks", None, "storepass", Some("hunter2"), "password of the key"),
        ("client.jks", None, "storepass", None, "password of the key"),
        ("client.pem", Some("JKS"), "hunter2", None, "not of the type"),
        ("client.jks", Some("PEM"), "hunter2", None, "not of the type"),
        ("client.p12", Some("BKS"), "hunter2", None, "none of PEM"),
        ("README.md", None, "hunter2", None, "no PEM"),
    ] {
        let problem = open(name, kind, password, key_password).err().unwrap();
        let said = format!("{problem:?}");
        assert!(
            said.contains(expected) && said.contains(name) && !said.contains("hunter2"),
            "{said}"
        );
        assert!(problem.next.is_some(), "{said}");
    }
}

/// Java trusts a certificate of a PKCS#12 store only when the store says so, and OpenSSL writes none that does.
#[test]
fn a_certificate_that_is_not_marked_as_trusted_is_not() {
    assert_eq!(open("trust-openssl.p12", None, "storepass", None).unwrap().trusted, "");
}

/// A damaged file is refused; it may not make the reader reserve what it says or panic.
#[test]
fn every_damaged_store_is_refused() {
    for name in ["client.p12", "client.jks", "trust.jks", "client.pem"] {
        let good = bytes(name);
        for cut in [0, 1, 4, 11, 12, 20, 30, good.len() / 2, good.len() - 1] {
            let named = Named {
                key: "k",
                path: name,
                kind: None,
                password: Some("storepass"),
                key_password: Some("otherpass"),
            };
            assert!(
                read(&named, &good[..cut]).is_err() || name == "client.pem",
                "{name} cut at {cut}"
            );
            let mut changed = good.clone();
            for byte in changed.iter_mut().skip(cut).take(4) {
                *byte = 0xFF;
            }
            // Whatever comes of it, it ends.
            let _ = read(&named, &changed);
        }
    }
}

#[test]
fn pem_of_one_line_is_wrapped_again() {
    let text = String::from_utf8(bytes("client.pem")).unwrap();
    for written in [
        text.replace('\n', " "),
        text.replace('\n', "\\n"),
        text.replace('\n', "\r\n"),
    ] {
        let store = split(&written).ok().unwrap();
        assert_eq!(store.trusted, text.trim_end().to_owned() + "\n");
    }
    for bad in ["", "hunter2", "-----BEGIN CERTIFICATE-----\nhunter2"] {
        assert!(split(bad).is_err_and(|why| !why.contains("hunter2")));
    }
}
