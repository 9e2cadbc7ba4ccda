//! `mqsafe context`: what is configured, what counts, what works.

use super::{NOBODY, User, code, err, out};
use std::os::unix::fs::PermissionsExt;

const CONFIG: &str = "# mine\ncurrent: a # the usual\ncontexts:\n  # first\n  a:\n    broker: 127.0.0.1:1\n    properties:\n      security.protocol: SASL_SSL\n      \
                      sasl.mechanism: SCRAM-SHA-256\n      sasl.username: u\n    password: {env: PW}\n  b:\n    broker: amqp://u@127.0.0.1:1/v\n";

fn configured(text: &str) -> User {
    let user = User::new();
    std::fs::create_dir_all(user.path(".config/mqsafe")).unwrap();
    let path = user.file(".config/mqsafe/config.yaml", text);
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
    user
}

fn config(user: &User) -> String {
    std::fs::read_to_string(user.path(".config/mqsafe/config.yaml")).unwrap()
}

fn run(user: &User, arguments: &[&str]) -> (i32, String, String) {
    let output = user.mqsafe().env("PW", "hunter2").args(arguments).output().unwrap();
    (code(&output), out(&output), err(&output))
}

#[test]
fn the_current_one_is_chosen_and_comments_stay() {
    let user = configured(CONFIG);
    let (status, said, _) = run(&user, &["context", "ls"]);
    assert_eq!(status, 0);
    assert!(
        said.contains("* ") && said.contains("kafka://127.0.0.1:1") && said.contains("amqp://u@127.0.0.1:1/v"),
        "{said}"
    );
    assert_eq!(run(&user, &["context", "use", "b"]).0, 0);
    assert_eq!(config(&user), CONFIG.replace("current: a", "current: b"));
    let mode = std::fs::metadata(user.path(".config/mqsafe/config.yaml"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let (status, _, said) = run(&user, &["context", "use", "c"]);
    assert_eq!(status, 2);
    assert!(said.contains("there are a, b"), "{said}");
    assert_eq!(
        std::fs::read_dir(user.path(".config/mqsafe")).unwrap().count(),
        1,
        "nothing is left beside it"
    );
}

#[test]
fn each_value_is_shown_with_its_place_and_no_secret() {
    let user = configured(CONFIG);
    user.file("client.properties", "client.id=file\nlinger.ms=1\nkey.serializer=x\n");
    let (status, said, notes) = run(
        &user,
        &[
            "context",
            "show",
            "a",
            "--origin",
            "-F",
            "client.properties",
            "-X",
            "linger.ms=2",
        ],
    );
    assert_eq!(status, 0, "{notes}");
    let row = |key: &str| {
        let line = said.lines().find(|l| l.split_whitespace().next() == Some(key));
        line.unwrap_or_else(|| panic!("{key}: {said}"))
            .split_whitespace()
            .skip(1)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(row("broker"), "kafka://127.0.0.1:1 context a");
    assert_eq!(row("linger.ms"), "2 -X");
    assert_eq!(row("client.id"), "file client.properties:1");
    assert_eq!(row("sasl.password"), "<secret> context a");
    assert_eq!(row("sasl.mechanisms"), "SCRAM-SHA-256 context a");
    assert!(
        notes.contains("key.serializer (client.properties:3) is not used"),
        "{notes}"
    );
    assert!(!format!("{said}{notes}").contains("hunter2"));
}

#[test]
fn a_test_says_which_step_failed() {
    let user = configured(CONFIG);
    let (status, said, last) = run(&user, &["context", "test", "a", "--format", "json", "--timeout", "2s"]);
    assert_eq!(status, 3, "{last}");
    let answer: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(answer["schema"], "mqsafe.context/1");
    assert_eq!(answer["steps"][0]["step"], "DNS");
    assert_eq!(answer["steps"][1]["step"], "TCP");
    assert_eq!(answer["steps"][1]["result"], "failed");
    assert!(last.contains("TCP failed at 127.0.0.1:1"), "{last}");
    let (status, said, _) = run(&user, &["context", "test", "-b", "nowhere.invalid:9092"]);
    assert_eq!(status, 3);
    assert!(said.contains("DNS") && said.contains("FAILED"), "{said}");
}

#[test]
fn what_cannot_work_is_said_before_anything_is_tried() {
    let user = User::new();
    let x = |settings: &[&str]| {
        let mut arguments = vec!["context", "test", "-b", NOBODY];
        for setting in settings {
            arguments.extend(["-X", setting]);
        }
        run(&user, &arguments)
    };
    for (settings, expected) in [
        (&["sasl.username=u"][..], "security.protocol is not"),
        (&["ssl.ca.location=x"], "security.protocol is not"),
        (&["security.protocol=SASL_SSL"], "sasl.mechanism is missing"),
        (
            &["security.protocol=SASL_SSL", "sasl.mechanism=PLAIN"],
            "PLAIN needs sasl.username",
        ),
        (
            &["security.protocol=SASL_SSL", "sasl.mechanism=X"],
            "is not spoken here",
        ),
        (
            &["security.protocol=SASL_SSL", "sasl.mechanism=OAUTHBEARER"],
            "where its tokens come from",
        ),
        (
            &["ssl.truststore.location=nowhere", "security.protocol=SSL"],
            "cannot read nowhere",
        ),
        (&["interceptor.classes=x"], "cannot be used"),
        (&["nonsense=1"], "nonsense (-X)"),
    ] {
        let (status, _, said) = x(settings);
        assert_eq!(status, 2, "{settings:?}: {said}");
        assert!(
            said.contains(expected) && said.contains("next: "),
            "{settings:?}: {said}"
        );
    }
    #[cfg(not(feature = "gssapi"))]
    {
        let (status, _, said) = x(&["security.protocol=SASL_SSL", "sasl.mechanism=GSSAPI"]);
        assert_eq!(status, 2);
        assert!(said.contains("--features gssapi"), "{said}");
    }
    let (status, _, said) = run(&user, &["verify", "-t", "t"]);
    assert_eq!(status, 2);
    assert!(said.contains("MQSAFE_BROKER") && said.contains("-C"), "{said}");
}

#[test]
fn a_secret_in_a_file_that_others_read_is_refused() {
    let user = configured("contexts:\n  a:\n    broker: 127.0.0.1:1\n    password: hunter2\n");
    assert_eq!(run(&user, &["context", "ls"]).0, 0);
    let path = user.path(".config/mqsafe/config.yaml");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    let (status, _, said) = run(&user, &["context", "ls"]);
    assert_eq!(status, 2);
    assert!(said.contains("chmod 600") && !said.contains("hunter2"), "{said}");
}

#[test]
fn other_tools_connections_become_contexts() {
    let user = configured(CONFIG);
    std::fs::create_dir_all(user.path(".config/kafkactl")).unwrap();
    user.file(
        ".config/kafkactl/config.yml",
        "contexts:\n  prod:\n    brokers: [127.0.0.1:1]\n    tls: {enabled: true, ca: ca.pem}\n    \
         sasl: {enabled: true, username: u, password: hunter2, mechanism: plaintext}\n    avro: {schemaRegistry: x}\n",
    );
    let (status, _, said) = run(&user, &["context", "import", "kafkactl"]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("left out avro") && !said.contains("hunter2"), "{said}");
    assert!(config(&user).contains("# first") && !config(&user).contains("hunter2"));
    let secret = user.path(".config/mqsafe/secrets/prod.sasl.password");
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), "hunter2");
    assert_eq!(std::fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    let (status, said, _) = run(&user, &["context", "show", "prod"]);
    assert_eq!(status, 0);
    assert!(
        said.contains("<secret>") && said.contains(".config/kafkactl/ca.pem"),
        "{said}"
    );
    let (status, _, said) = run(&user, &["context", "import", "kafkactl"]);
    assert_eq!(status, 2);
    assert!(said.contains("--prefix"), "{said}");
    assert_eq!(run(&user, &["context", "import", "kafkactl", "--prefix", "old-"]).0, 0);
    let (status, _, said) = run(&user, &["context", "import", "kcl"]);
    assert_eq!(status, 2);
    assert!(said.contains("name the file"), "{said}");
    // Also where there is no configuration yet.
    let fresh = User::new();
    fresh.file(
        "kcat.conf",
        "bootstrap.servers=127.0.0.1:1\nsecurity.protocol=SSL\nacks=1\n",
    );
    assert_eq!(run(&fresh, &["context", "import", "kcat", "kcat.conf"]).0, 0);
    assert_eq!(run(&fresh, &["context", "use", "kcat"]).0, 0);
    assert!(run(&fresh, &["context", "show"]).1.contains("kafka://127.0.0.1:1"));
}

/// An import that cannot be done whole is not done: no secret is left behind, and none is repeated.
#[test]
fn an_import_that_fails_leaves_nothing() {
    let user = User::new();
    let profile = |name: &str| {
        format!(
            "  - name: {name}\n    kafka_api:\n      brokers: [127.0.0.1:1]\n      sasl: {{user: u, password: hunter2, mechanism: SCRAM-SHA-256}}\n"
        )
    };
    user.file("twice.yaml", format!("profiles:\n{}{}", profile("a b"), profile("a-b")));
    user.file("nameless.yaml", format!("profiles:\n{}", profile("'..'")));
    user.file("kcat.conf", "bootstrap.servers=u:hunter2@h:1\n");
    for (tool, file, expected) in [
        ("rpk", "twice.yaml", "would be called a-b"),
        ("rpk", "nameless.yaml", "--prefix"),
        ("kcat", "kcat.conf", "cannot be read"),
    ] {
        let (status, out, said) = run(&user, &["context", "import", tool, file]);
        assert_eq!(status, 2, "{file}: {said}");
        assert!(said.contains(expected), "{file}: {said}");
        assert!(!said.contains("hunter2") && !out.contains("hunter2"), "{file}: {said}");
        assert!(!user.path(".config/mqsafe").exists(), "{file} left something behind");
    }
}

/// A spool remembers brokers and no secrets: these come from the context of each broker.
#[test]
fn a_flush_takes_the_context_of_its_broker() {
    let user = configured(CONFIG);
    let send = |arguments: &[&str]| {
        let mut command = user.mqsafe();
        command
            .args(["send", "-t", "t", "--connect-timeout", "1s", "--spool", "spool"])
            .args(arguments);
        code(&command.env("PW", "hunter2").write_stdin("a\n").output().unwrap())
    };
    assert_eq!(send(&[]), 4, "the current context");
    let flush = |more: &[&str]| {
        run(
            &user,
            &[&["spool", "flush", "--spool", "spool", "--connect-timeout", "1s"], more].concat(),
        )
    };
    assert_eq!(flush(&[]).0, 4);
    // Without its password the context cannot be used, which shows that it was.
    let output = user
        .mqsafe()
        .args(["spool", "flush", "--spool", "spool"])
        .output()
        .unwrap();
    assert!(err(&output).contains("the environment has no PW"), "{}", err(&output));
    assert_eq!(user.spool("spool"), [1, 0, 0]);
}
