//! RabbitMQ's doors: AMQP over TLS with a password, with a client certificate (EXTERNAL), and plain AMQP.

use crate::behaviour::{Door, Refusal};
use crate::knock::Knock;
use crate::support;
use std::process::Command;

/// A user of few rights may write to it.
const EXCHANGE: &str = "allowed-conformance";

/// A stream, because only a stream can be searched; declared through the management API, and bound to an exchange.
fn make(management: &str, name: String) -> String {
    let declare = |method: &str, path: String, body: &str| {
        let made = Command::new("curl")
            .args(["-sSf", "-u", "guest:guest", "-H", "content-type: application/json"])
            .args(["-X", method, "-d", body])
            .arg(format!("{management}/api/{path}"))
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    let stream = r#"{"durable":true,"arguments":{"x-queue-type":"stream"}}"#;
    declare("PUT", format!("queues/%2F/{name}"), stream);
    declare(
        "PUT",
        format!("exchanges/%2F/{EXCHANGE}"),
        r#"{"type":"direct","durable":true}"#,
    );
    let binding = format!(r#"{{"routing_key":"{name}"}}"#);
    declare("POST", format!("bindings/%2F/e/{EXCHANGE}/q/{name}"), &binding);
    name
}

pub(crate) fn door(test: &str) -> Option<Door> {
    let test = format!("conformance rabbitmq {test}");
    let value = |name: &str| support::address(&test, name);
    let (plain, secured, management) = (
        value("RABBITMQ_AMQP")?,
        value("RABBITMQ_AMQPS")?,
        value("RABBITMQ_MANAGEMENT")?,
    );
    let certs = value("CERTS_DIR")?;
    let secret = |name: &str| Some(std::fs::read_to_string(value(name)?).unwrap());
    let (few, nobody) = (
        secret("RABBITMQ_FEW_PASSWORD_FILE")?,
        secret("RABBITMQ_NOBODY_PASSWORD_FILE")?,
    );
    let ca = format!("{certs}/ca.pem");
    let tls = |label: &str, host: &str, user: &str, password: &str| {
        Knock::new(label)
            .broker(format!("amqps://{user}@{host}"))
            .x("ssl.ca.location", &ca)
            .secret("sasl.password", password)
    };
    let external = |label: &str, name: &str| {
        Knock::new(label)
            .broker(format!("amqps://{secured}"))
            .x("ssl.ca.location", &ca)
            .x("sasl.mechanism", "EXTERNAL")
            .x("ssl.certificate.location", &format!("{certs}/{name}.pem"))
            .x("ssl.key.location", &format!("{certs}/{name}.key"))
    };
    let mut refused = vec![
        (
            Refusal::Authentication,
            tls("wrong password", &secured, "guest", "wrong-canary-7319"),
        ),
        (
            Refusal::Authentication,
            Knock::new("wrong password without TLS")
                .broker(format!("amqp://guest@{plain}"))
                .secret("sasl.password", "wrong-canary-7319"),
        ),
        (
            Refusal::Foreign,
            tls("another authority asked for", &secured, "guest", "guest")
                .x("ssl.ca.location", &format!("{certs}/foreign-ca.pem")),
        ),
    ];
    for (why, name) in [
        (Refusal::WrongHost, "RABBITMQ_AMQPS_WRONG_HOST"),
        (Refusal::Expired, "RABBITMQ_AMQPS_EXPIRED"),
        (Refusal::Foreign, "RABBITMQ_AMQPS_FOREIGN"),
    ] {
        refused.push((why, tls(name, &value(name)?, "guest", "guest")));
    }
    // Made once for all tests of this process.
    static TOPICS: std::sync::OnceLock<[String; 2]> = std::sync::OnceLock::new();
    let [topic, forbidden] = TOPICS
        .get_or_init(|| {
            ["allowed", "forbidden"].map(|name| make(&management, format!("{name}-{:08x}", rand::random::<u32>())))
        })
        .clone();
    Some(Door {
        topic,
        forbidden,
        right: vec![
            tls("password over TLS", &secured, "guest", "guest"),
            external("EXTERNAL", "client"),
            // To publish to any queue by its name is a right of its own (on `amq.default`), which this user has not.
            tls("a user of few rights", &secured, "few", &few)
                .exchange(EXCHANGE)
                .blind("configure permission"),
            Knock::new("without TLS")
                .broker(format!("amqp://guest@{plain}"))
                .secret("sasl.password", "guest"),
        ],
        refused,
        denied: vec![
            tls("a user of few rights", &secured, "few", &few),
            tls("a user without a virtual host", &secured, "nobody", &nobody),
            external("CN=nobody", "client-nobody"),
        ],
        nodes: &["rabbitmq", "server"],
        too_large: None,
        keeps_any_key: true,
        heartbeat: Some(("heartbeat.interval.ms", "2000")),
    })
}
