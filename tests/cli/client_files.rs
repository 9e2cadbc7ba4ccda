//! `-F`: files of Java clients, librdkafka and kcat, as they are.

use super::{User, code, err, out};

fn stores() -> String {
    super::repository("tests/stores").display().to_string()
}

/// What a file comes to, as `KEY VALUE` lines.
fn shown(text: &str) -> Vec<String> {
    let user = User::new();
    user.file("f", text.replace("STORES", &stores()));
    let output = user
        .mqsafe()
        .env("COLUMNS", "1000")
        .args(["context", "show", "-F", "f"])
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{}", err(&output));
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    out(&output).lines().skip(1).map(words).collect()
}

fn refused(text: &str) -> String {
    let user = User::new();
    user.file("f", text.replace("STORES", &stores()));
    let output = user
        .mqsafe()
        .args(["context", "test", "--timeout", "1s", "-F", "f"])
        .output()
        .unwrap();
    assert_eq!(code(&output), 2, "{text}: {}{}", out(&output), err(&output));
    err(&output)
}

const HEAD: &str = "bootstrap.servers=127.0.0.1:1\n";

#[test]
fn java_login_and_trust_store() {
    let text = format!(
        "{HEAD}security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\nsasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule \\\n  \
         required username=\"u\" password=\"p\";\nssl.truststore.type=JKS\nssl.truststore.location=STORES/trust.jks\nssl.truststore.password=storepass\n\
         ssl.endpoint.identification.algorithm=\nrequest.timeout.ms=30000\nacks=1\ngroup.id=g\n"
    );
    assert_eq!(
        shown(&text),
        [
            "broker kafka://127.0.0.1:1",
            "sasl.mechanisms SCRAM-SHA-512",
            "sasl.password <secret>",
            "sasl.username u",
            "security.protocol SASL_SSL",
            "socket.timeout.ms 30000",
            "ssl.ca.pem -----BEGIN CERTIFICATE----- …",
            "ssl.endpoint.identification.algorithm none",
        ]
    );
}

#[test]
fn every_store_ends_as_pem() {
    for (kind, store, key_password) in [
        ("PKCS12", "client.p12", ""),
        ("PKCS12", "client-legacy.p12", ""),
        ("JKS", "client.jks", "otherpass"),
    ] {
        let text = format!(
            "{HEAD}security.protocol=SSL\nssl.keystore.type={kind}\nssl.keystore.location=STORES/{store}\nssl.keystore.password=storepass\n{}",
            if key_password.is_empty() {
                String::new()
            } else {
                format!("ssl.key.password={key_password}\n")
            }
        );
        let shown = shown(&text);
        assert!(
            shown.contains(&"ssl.certificate.pem -----BEGIN CERTIFICATE----- …".to_owned()),
            "{shown:?}"
        );
        assert!(shown.contains(&"ssl.key.pem <secret>".to_owned()), "{shown:?}");
    }
}

#[test]
fn librdkafka_files_stay_as_they_are() {
    assert_eq!(
        shown(
            "# kcat\nmetadata.broker.list=SASL_SSL://127.0.0.1:1,127.0.0.1:2\nsecurity.protocol=ssl\nssl.ca.location=/a\\b\n"
        ),
        [
            "broker kafka://127.0.0.1:1,127.0.0.1:2",
            "security.protocol ssl",
            "ssl.ca.location /a\\b"
        ]
    );
}

#[test]
fn what_cannot_be_translated_is_named_with_its_line() {
    for (lines, expected) in [
        ("interceptor.classes=x\n", "interceptor.classes (f:2)"),
        ("nonsense.key=1\n", "nonsense.key (f:2)"),
        ("sasl.client.callback.handler.class=x\n", "(f:2)"),
        ("sasl.login.callback.handler.class=com.example.Other\n", "token.command"),
        (
            "sasl.jaas.config=software.amazon.msk.auth.iam.IAMLoginModule required;\n",
            "AWS IAM",
        ),
        ("ssl.enabled.protocols=TLSv1.1\n", "TLS 1.1"),
        ("ssl.cipher.suites=TLS_RSA_WITH_AES_128_CBC_SHA\n", "OpenSSL's names"),
        (
            "ssl.truststore.location=STORES/client.p12\nssl.truststore.password=wrong\n",
            "ssl.truststore.password",
        ),
        (
            "ssl.truststore.location=STORES/trust-openssl.p12\nssl.truststore.password=storepass\n",
            "no certificate that it trusts",
        ),
        (
            "ssl.keystore.location=STORES/trust.p12\nssl.keystore.password=storepass\n",
            "does not hold a key",
        ),
        ("security.protocol=SASL_SSL\nsasl.mechanism=GSSAPI\n", "gssapi"),
    ] {
        let said = refused(&format!("{HEAD}{lines}"));
        assert!(said.contains(expected) && said.contains("next: "), "{lines}: {said}");
    }
}
