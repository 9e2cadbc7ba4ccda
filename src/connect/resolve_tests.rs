//! Who counts, when several speak.

use super::*;
use crate::connect::ContextFile;
use std::cell::RefCell;
use std::io;

#[derive(Default)]
struct World {
    files: Vec<(&'static str, &'static str)>,
    variables: Vec<(&'static str, &'static str)>,
    contexts: &'static str,
    ran: RefCell<Vec<String>>,
}

impl Surroundings for World {
    fn file(&self, path: &str) -> io::Result<Vec<u8>> {
        let found = self.files.iter().find(|(name, _)| *name == path);
        found
            .map(|(_, text)| text.as_bytes().to_vec())
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, v)| (*v).to_owned())
    }

    fn command(&self, words: &[String]) -> Result<String> {
        self.ran.borrow_mut().push(words.join(" "));
        Ok("printed\n".to_owned())
    }
}

impl World {
    fn resolve(&self, typed: &Typed<'_>) -> Result<Resolved> {
        let file = ContextFile {
            path: "config.yaml",
            dir: "/c",
            is_private: true,
        };
        resolve(typed, self, &|| Contexts::parse(self.contexts, &file))
    }

    fn shown(&self, typed: &Typed<'_>) -> Vec<String> {
        let resolved = self.resolve(typed).unwrap();
        let mut all = vec![format!("{} < {}", resolved.connection.url, resolved.broker)];
        for (key, value) in resolved.connection.properties.iter() {
            let origin = resolved.connection.properties.origin(key).unwrap();
            all.push(format!("{key}={value} < {origin}"));
        }
        all
    }
}

const CONTEXTS: &str = "current: a\ncontexts:\n  a:\n    broker: a:1\n    password: {command: [show, it]}\n    properties: {linger.ms: 1, sasl.mechanism: PLAIN}\n  \
                        b: {broker: 'b:1', properties: {linger.ms: 2}}\n  r: {broker: 'amqp://u:pw@r'}\n";

#[test]
fn the_nearest_word_counts() {
    let mut world = World {
        files: vec![(
            "f",
            "bootstrap.servers=f:1\nlinger.ms=3\nclient.id=f\nkey.serializer=x\nacks=0\n",
        )],
        contexts: CONTEXTS,
        ..World::default()
    };
    assert_eq!(
        world.shown(&Typed::default()),
        [
            "kafka://a:1 < context a",
            "linger.ms=1 < context a",
            "sasl.mechanisms=PLAIN < context a",
            "sasl.password=printed < context a",
        ]
    );
    let with = |context, config, broker| Typed {
        context,
        config,
        broker,
        ..Typed::default()
    };
    assert_eq!(
        world.shown(&with(Some("b"), None, None)),
        ["kafka://b:1 < context b", "linger.ms=2 < context b"]
    );
    assert_eq!(
        world.shown(&with(Some("b"), Some("f"), Some("x:1"))),
        ["kafka://x:1 < -b", "client.id=f < f:3", "linger.ms=3 < f:2"]
    );
    let typed = ["linger.ms=4".to_owned(), "sasl.mechanisms=SCRAM-SHA-256".to_owned()];
    let resolved = world
        .resolve(&Typed {
            properties: &typed,
            context: Some("a"),
            ..Typed::default()
        })
        .unwrap();
    let get = |key: &str| resolved.connection.properties.get(key);
    assert_eq!(
        (get("linger.ms"), get("sasl.mechanisms")),
        (Some("4"), Some("SCRAM-SHA-256"))
    );
    world.variables = vec![(BROKER_VARIABLE, "amqp://u:secret@h"), (CONTEXT_VARIABLE, "r")];
    assert_eq!(
        world.shown(&Typed::default()),
        [
            "amqp://u@h:5672 < MQSAFE_BROKER",
            "sasl.password=secret < MQSAFE_BROKER"
        ]
    );
    world.variables.remove(0);
    assert_eq!(
        world.shown(&Typed::default()),
        ["amqp://u@r:5672 < context r", "sasl.password=pw < context r"]
    );
}

/// A context that nobody named holds the password of its own broker, and of no other.
#[test]
fn a_password_stays_with_its_broker() {
    let world = World {
        contexts: CONTEXTS,
        ..World::default()
    };
    let to = |broker| Typed {
        broker: Some(broker),
        ..Typed::default()
    };
    assert_eq!(world.shown(&to("elsewhere:1")), ["kafka://elsewhere:1 < -b"]);
    assert!(world.ran.borrow().is_empty(), "no command was run for it");
    assert_eq!(world.shown(&to("kafka://a:1")).len(), 4, "the same broker");
    assert_eq!(world.ran.borrow().as_slice(), ["show it"]);
}

#[test]
fn a_command_is_not_run_for_what_is_overridden() {
    let world = World {
        contexts: CONTEXTS,
        variables: vec![("PW", "typed")],
        ..World::default()
    };
    let typed = ["sasl.password=env:PW".to_owned()];
    let resolved = world
        .resolve(&Typed {
            properties: &typed,
            ..Typed::default()
        })
        .unwrap();
    assert_eq!(resolved.connection.properties.get("sasl.password"), Some("typed"));
    assert!(world.ran.borrow().is_empty());
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let world = World {
        files: vec![
            ("intercepted", "bootstrap.servers=f:1\ninterceptor.classes=x.Y\n"),
            (
                "jaas",
                "bootstrap.servers=f:1\nsasl.jaas.config=A required password=\"hunter2;\n",
            ),
            ("hosts", "bootstrap.servers=f:x\n"),
        ],
        contexts: "current: lost\ncontexts:\n  bad: {broker: 'amqp://u:hunter2/x@h'}\n  ours: {broker: 'h:1', properties: {acks: 0}}\n",
        ..World::default()
    };
    let file = |path| Typed {
        config: Some(path),
        broker: Some("h:1"),
        ..Typed::default()
    };
    let context = |name| Typed {
        context: Some(name),
        ..Typed::default()
    };
    for (typed, expected) in [
        (file("intercepted"), "intercepted:2"),
        (file("jaas"), "jaas:2"),
        (file("hosts"), "hosts:1"),
        (file("nowhere"), "cannot read nowhere"),
        (context("bad"), "context bad"),
        (context("ours"), "acks (context ours) cannot be set"),
        (context("nobody"), "no context nobody"),
        (Typed::default(), "no context lost"),
        (
            Typed {
                management: Some("http://u:hunter2@h"),
                ..context("ours")
            },
            "",
        ),
    ] {
        let said = format!("{:?}", world.resolve(&typed).unwrap_err());
        assert!(said.contains(expected) && !said.contains("hunter2"), "{said}");
    }
    let nothing = World::default().resolve(&Typed::default()).unwrap_err();
    assert!(nothing.next.unwrap().contains("MQSAFE_BROKER"));
}
