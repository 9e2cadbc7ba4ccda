//! Kafka's doors: SASL over TLS, mutual TLS, SASL without TLS, by the files that Kafka's own console tools take.

use crate::behaviour::{self, Door, Refusal};
use crate::kafka_nodes;
use crate::knock::{self, Home, Knock};
use crate::support;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use std::time::Duration;

/// The files of `KAFKA_CLIENTS_DIR` whose users have every right.
pub(crate) const FILES: [&str; 8] = [
    "scram512",
    "scram256-jks",
    "plain-p12",
    "oauth",
    "mtls-pem",
    "mtls-p12",
    "mtls-jks",
    "sasl-plaintext",
];

fn make(bootstrap: &str, name: String) -> String {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .create()
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(60)));
    let topic = NewTopic::new(&name, 2, TopicReplication::Fixed(3));
    let made = runtime.block_on(admin.create_topics([&topic], &options));
    made.unwrap().into_iter().for_each(|t| drop(t.unwrap()));
    // Whoever asks next may ask another node, which may hear of it a moment later.
    knock::eventually("every node has the topic", || {
        kafka_nodes::have_topic(bootstrap, &name, 2, 3)
    });
    name
}

/// A new topic.
pub(crate) fn topic(about: &str) -> String {
    make(
        &std::env::var("KAFKA_BOOTSTRAP").unwrap(),
        format!("{about}-{:08x}", rand::random::<u32>()),
    )
}

pub(crate) fn door(test: &str) -> Option<Door> {
    let test = format!("conformance kafka {test}");
    let value = |name: &str| support::address(&test, name);
    let (plain, secured, mutual) = (value("KAFKA_BOOTSTRAP")?, value("KAFKA_SASL_SSL")?, value("KAFKA_SSL")?);
    let (clients, certs) = (value("KAFKA_CLIENTS_DIR")?, value("CERTS_DIR")?);
    let password = std::fs::read_to_string(value("KAFKA_ALICE_PASSWORD_FILE")?).unwrap();
    let file = |name: &str| Knock::new(name).arg("-F").arg(format!("{clients}/{name}.properties"));
    let ca = format!("{certs}/ca.pem");
    let scram = |label: &str, hosts: &str, password: &str| {
        Knock::new(label)
            .broker(format!("kafka://{hosts}"))
            .x("security.protocol", "SASL_SSL")
            .x("sasl.mechanisms", "SCRAM-SHA-512")
            .x("sasl.username", "alice")
            .x("ssl.ca.location", &ca)
            .secret("sasl.password", password)
    };
    let certificate = |label: &str, name: &str| {
        Knock::new(label)
            .broker(format!("kafka://{mutual}"))
            .x("security.protocol", "SSL")
            .x("ssl.ca.location", &ca)
            .x("ssl.certificate.location", &format!("{certs}/{name}.pem"))
            .x("ssl.key.location", &format!("{certs}/{name}.key"))
    };
    let mut refused = vec![
        (
            Refusal::Authentication,
            scram("wrong password", &secured, "wrong-canary-7319"),
        ),
        (
            Refusal::Authentication,
            scram("PLAIN, wrong password", &secured, "wrong-canary-7319").x("sasl.mechanisms", "PLAIN"),
        ),
        (
            Refusal::Authentication,
            Knock::new("wrong client secret")
                .broker(format!("kafka://{secured}"))
                .x("security.protocol", "SASL_SSL")
                .x("sasl.mechanisms", "OAUTHBEARER")
                .x("ssl.ca.location", &ca)
                .x("sasl.oauthbearer.token.endpoint.url", &value("OIDC_TOKEN_URL")?)
                .x("sasl.oauthbearer.client.id", &value("OIDC_CLIENT_ID")?)
                .secret("sasl.oauthbearer.client.secret", "wrong-canary-7319"),
        ),
        (
            Refusal::Foreign,
            scram("another authority asked for", &secured, &password)
                .x("ssl.ca.location", &format!("{certs}/foreign-ca.pem")),
        ),
    ];
    for (why, name) in [
        (Refusal::WrongHost, "KAFKA_SSL_WRONG_HOST"),
        (Refusal::Expired, "KAFKA_SSL_EXPIRED"),
        (Refusal::Foreign, "KAFKA_SSL_FOREIGN"),
    ] {
        refused.push((why, scram(name, &value(name)?, &password)));
    }
    let mut right = vec![
        scram("properties by -X", &secured, &password),
        certificate("mutual TLS by -X", "client"),
    ];
    for name in FILES {
        right.push(file(name));
    }
    // Made once for all tests of this process.
    static TOPICS: std::sync::OnceLock<[String; 2]> = std::sync::OnceLock::new();
    let [topic, forbidden] = TOPICS
        .get_or_init(|| {
            ["allowed", "forbidden"].map(|name| make(&plain, format!("{name}-{:08x}", rand::random::<u32>())))
        })
        .clone();
    Some(Door {
        topic,
        forbidden,
        right,
        refused,
        denied: vec![
            file("reader"),
            file("nobody"),
            certificate("CN=nobody", "client-nobody"),
        ],
        nodes: &["kafka", "1", "2", "3"],
        too_large: Some(2_000_000),
        keeps_any_key: true,
        heartbeat: None,
    })
}

/// A whole input in one transaction, through every door; and of one who may not, nothing is there.
pub(crate) fn transactions(door: &Option<Door>) {
    let Some(door) = door else { return };
    let _talking = behaviour::talking(door);
    for knock in &door.right {
        let (home, label) = (Home::new(), &knock.label);
        let key = format!("whole-{:08x}", rand::random::<u32>());
        let words = ["--transaction", "-k", &key];
        let sent = knock::run(home.send(knock, &door.topic, &words), b"one\ntwo\nthree\n").expect(label, 0);
        assert!(sent.stderr.contains("stored 3"), "{label}: {}", sent.stderr);
        assert_eq!(home.stats(), (0, 0, 3), "{label}");
        assert_eq!(home.found(knock, &door.topic, &key, 3), 3, "{label}");
    }
    for knock in &door.denied {
        let (home, label) = (Home::new(), &knock.label);
        let key = format!("none-{:08x}", rand::random::<u32>());
        // An answer that is no is not waited for as one that does not come.
        let words = ["--transaction", "-k", &key, "--connect-timeout", "90s"];
        let sent = knock::run(home.send(knock, &door.forbidden, &words), b"one\ntwo\n");
        // Known before anything was accepted, or it is refused as a whole and kept for a person.
        let kept = match sent.code {
            2 => (0, 0, 0),
            1 => (0, 2, 0),
            other => panic!("{label}: exit {other}\n{}", sent.stderr),
        };
        assert_eq!(home.stats(), kept, "{label}: {}", sent.stderr);
        assert!(sent.took < Duration::from_secs(60), "{label}: {:?}", sent.took);
        assert!(
            sent.stderr.to_lowercase().contains("authoriz") || sent.stderr.contains("may not"),
            "{label}: {}",
            sent.stderr
        );
        // Each message that is kept says what is wrong with its topic.
        let told = sent.stderr.matches("may not be written").count();
        assert_eq!(told > 2, sent.code == 1, "{label}: {}", sent.stderr);
        // Who may do everything finds nothing.
        let looked = knock::run(home.query(&door.right[0], &door.forbidden, &key), b"").expect(label, 1);
        assert_eq!(looked.json()["found"], 0, "{label}");
    }
}
