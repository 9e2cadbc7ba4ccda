//! `audit` of a running RabbitMQ on its secured listeners, for a user who holds what the tool lists: the tag `monitoring` and an entry in
//! the virtual host. Each of these taken away is named.

use crate::audit::{Host, found, runtime, unread};
use crate::broker::{Broker, nonce};
use crate::tool::Over;
use lapin::BasicProperties;
use lapin::options::BasicPublishOptions;
use serde_json::{Value, json};

const PASSWORD: &str = "looks-only";

/// A user that is there for one test.
pub(crate) struct User<'b> {
    broker: &'b Broker,
    pub(crate) name: String,
}

impl<'b> User<'b> {
    pub(crate) fn new(broker: &'b Broker, tag: &str) -> User<'b> {
        let name = format!("auditor.{}", nonce());
        let user = User { broker, name };
        user.tagged(tag);
        user
    }

    pub(crate) fn tagged(&self, tag: &str) {
        let body = json!({"password": PASSWORD, "tags": tag});
        let (status, answer) = self.broker.http("PUT", &format!("users/{}", self.name), &body);
        assert!((200..300).contains(&status), "{answer}");
    }

    /// Gives it an entry in a virtual host, with which it may read what matches, and nothing else.
    pub(crate) fn enters(&self, host: &Host<'_>, read: &str) {
        host.put(
            &format!("permissions/{}/{}", host.name, self.name),
            json!({"configure": "", "write": "", "read": read}),
        );
    }

    /// Audits over TLS, both AMQP and the management API.
    pub(crate) fn audit(&self, host: &Host<'_>, more: &[&str]) -> (i32, Value) {
        host.audit(Over::Tls, &self.name, PASSWORD, more)
    }
}

impl Drop for User<'_> {
    fn drop(&mut self) {
        self.broker.http("DELETE", &format!("users/{}", self.name), &json!({}));
    }
}

/// What to do about the first thing that was not read.
fn next(report: &Value) -> &str {
    report["running"][0]["unread"][0]["next"].as_str().unwrap()
}

#[test]
fn each_permission_that_is_taken_away_is_named() {
    let Some(broker) = Broker::shared("rabbitmq::each_permission_that_is_taken_away_is_named") else {
        return;
    };
    let host = Host::new(&broker);
    host.queue("looked", true, json!({"x-queue-type": "classic"}));
    let threads = runtime();
    let (connection, channel) = host.channel(&threads);
    threads.block_on(async {
        let properties = BasicProperties::default().with_delivery_mode(1);
        let options = BasicPublishOptions::default();
        let sent = channel.basic_publish("".into(), "looked".into(), options, b"x", properties);
        drop(sent.await.unwrap());
    });
    // One rule that finds nothing: then the exit code is about what was read.
    let settings = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    std::fs::write(settings.path(), "select: [RQT001]\n").unwrap();
    let only = ["--config", settings.path().to_str().unwrap(), "--peek", "3"];
    let user = User::new(&broker, "monitoring");
    user.enters(&host, "^looked$");
    let (code, report) = user.audit(&host, &only);
    assert_eq!((code, unread(&report)), (0, Vec::new()));
    let (code, report) = user.audit(&host, &["--peek", "3"]);
    assert_eq!((code, unread(&report)), (1, Vec::new()));
    assert!(found(&report).contains(&"RQP003 looked".to_owned()), "{report}");

    // To look into queues it must read.
    user.enters(&host, "");
    let (code, report) = user.audit(&host, &only);
    assert_eq!((code, unread(&report)), (3, vec!["the messages of queue looked"]));
    assert!(
        next(&report).contains("set_permissions") && next(&report).contains("'.*'"),
        "{report}"
    );
    let without_look = &only[..2];
    assert_eq!(user.audit(&host, without_look).0, 0);

    // The server shortens lists for a lesser tag, and does not say so.
    user.tagged("management");
    let (code, report) = user.audit(&host, without_look);
    assert_eq!(
        (code, unread(&report)),
        (
            3,
            vec![
                "the nodes",
                "the channels of other users, and the virtual hosts in which the user has no entry"
            ]
        )
    );
    assert!(next(&report).contains("set_user_tags"), "{report}");
    assert_eq!(report["running"][0]["unread"][1]["next"].as_str().unwrap(), {
        format!(
            "give the user the tag: rabbitmqctl set_user_tags {} monitoring",
            user.name
        )
    });

    // No tag, and no entry.
    user.tagged("");
    let (code, report) = user.audit(&host, without_look);
    assert_eq!((code, unread(&report).len()), (3, 1), "{report}");
    assert!(
        unread(&report)[0].starts_with("the management API of RabbitMQ at https://")
            && next(&report).contains("monitoring"),
        "{report}"
    );
    user.tagged("monitoring");
    let path = format!("permissions/{}/{}", host.name, user.name);
    assert_eq!(broker.http("DELETE", &path, &json!({})).0, 204);
    let (code, report) = user.audit(&host, without_look);
    assert_eq!(code, 3, "{report}");
    for what in [
        "the exchanges",
        "the queues",
        "the bindings",
        "the policies",
        "the consumers",
    ] {
        assert!(unread(&report).contains(&what), "{what}: {report}");
    }
    assert!(next(&report).contains("set_permissions"), "{report}");
    threads.block_on(connection.close(200, "bye".into())).unwrap();
}
