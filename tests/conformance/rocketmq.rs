//! RocketMQ's doors: TLS on the brokers that anybody may use, and access control with signed requests.

use crate::behaviour::{Door, Refusal};
use crate::knock::{self, Knock};
use crate::support;
use std::path::Path;
use std::process::Command;

fn make(user: &str, cluster: &str, name: String) -> String {
    let mqadmin = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/brokers/mqadmin");
    // On a busy machine mqadmin gives up early.
    knock::eventually("mqadmin makes the topic", || {
        let mut make = Command::new(&mqadmin);
        make.args(["updateTopic", "-c", cluster, "-t", &name, "-r", "2", "-w", "2"]);
        let made = make.env("MQADMIN_USER", user).output().unwrap();
        String::from_utf8_lossy(&made.stdout).contains("success")
    });
    name
}

pub(crate) fn door(test: &str) -> Option<Door> {
    let test = format!("conformance rocketmq {test}");
    let value = |name: &str| support::address(&test, name);
    let (names, cluster, certs) = (
        value("ROCKETMQ_ACL_NAMESRV")?,
        value("ROCKETMQ_ACL_CLUSTER")?,
        value("CERTS_DIR")?,
    );
    let signed = |label: &str, user: &str, secret: &str| {
        Knock::new(label)
            .broker(format!("rocketmq://{names}"))
            .x("access.key", user)
            .secret("secret.key", secret)
    };
    let secret =
        |user: &str| Some(std::fs::read_to_string(value(&format!("ROCKETMQ_ACL_{user}_SECRET_FILE"))?).unwrap());
    let (alice, few, nobody) = (secret("ALICE")?, secret("FEW")?, secret("NOBODY")?);
    let tls = |knock: Knock| {
        knock
            .x("tls.enable", "true")
            .x("ssl.ca.location", &format!("{certs}/ca.pem"))
    };
    let mut refused = vec![
        (
            Refusal::Authentication,
            signed("wrong secret", "alice", "wrong-canary-7319"),
        ),
        (
            Refusal::Authentication,
            Knock::new("no name").broker(format!("rocketmq://{names}")),
        ),
        (
            Refusal::Foreign,
            tls(signed("another authority asked for", "alice", &alice))
                .x("ssl.ca.location", &format!("{certs}/foreign-ca.pem")),
        ),
    ];
    for (why, name) in [
        (Refusal::WrongHost, "ROCKETMQ_TLS_WRONG_HOST"),
        (Refusal::Expired, "ROCKETMQ_TLS_EXPIRED"),
        (Refusal::Foreign, "ROCKETMQ_TLS_FOREIGN"),
    ] {
        let at = value(name)?;
        refused.push((why, tls(Knock::new(name).broker(format!("rocketmq://{at}")))));
    }
    // Made once for all tests of this process.
    static TOPICS: std::sync::OnceLock<[String; 2]> = std::sync::OnceLock::new();
    let [topic, forbidden] = TOPICS
        .get_or_init(|| {
            ["allowed", "forbidden"]
                .map(|name| make("alice", &cluster, format!("{name}-{:08x}", rand::random::<u32>())))
        })
        .clone();
    Some(Door {
        topic,
        forbidden,
        right: vec![
            signed("signed", "alice", &alice),
            tls(signed("signed over TLS", "alice", &alice)),
            // The group that mqadmin reads as is not among the rights of this user.
            signed("a user of few rights", "few", &few).x("consumer.group", "allowed-readers"),
        ],
        refused,
        denied: vec![
            signed("a user of few rights", "few", &few),
            signed("nobody", "nobody", &nobody),
        ],
        nodes: &["rocketmq_acl", "broker"],
        too_large: Some(5 << 20),
        keeps_any_key: false,
        heartbeat: Some(("heartbeat.interval.ms", "2000")),
    })
}
