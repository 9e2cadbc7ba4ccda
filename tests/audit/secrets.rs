//! A canary stands wherever a secret may stand; it must come out nowhere.

use crate::common::Setup;

const CANARY: &str = "CaNaRy-5f1e";

fn check(s: &Setup, files: &[&str]) {
    for format in [
        "full", "concise", "json", "sarif", "github", "gitlab", "junit", "markdown",
    ] {
        for color in ["never", "always"] {
            for profile in ["finance", "logs"] {
                let args = [
                    &["-vvv", "--format", format, "--color", color, "--profile", profile],
                    files,
                ]
                .concat();
                let ran = s.run(&args);
                assert!(!ran.stdout.contains(CANARY), "{files:?}: {}", ran.stdout);
                assert!(!ran.stderr.contains(CANARY), "{files:?}: {}", ran.stderr);
                assert_ne!(ran.code, 0, "{files:?}: nothing was found, so nothing was shown");
            }
        }
    }
}

#[test]
fn in_properties() {
    let text = format!(
        "sasl.jaas.config=org.x.PlainLoginModule required \\\n  username=\"u\" \\\n  password=\"{CANARY}\"; \n\
         acks=0\nssl.keystore.password={CANARY}\nssl.key.password : {CANARY}\n\
         # password={CANARY}\nssl.keystore.key=-----BEGIN PRIVATE KEY-----\\\n {CANARY}\nsome.url=https://u:{CANARY}@h/\n\
         transactional.id=a\nretries=0\nssl.keystore.password={CANARY}2\n"
    );
    let s = Setup::with(&[
        ("p.properties", &text),
        ("broken.properties", &format!("acks=0\nsasl.password={CANARY}\\u0\n")),
    ]);
    check(&s, &["p.properties"]);
    check(&s, &["broken.properties"]);
}

#[test]
fn in_the_first_line_of_a_file_with_absent_keys() {
    let s = Setup::with(&[(
        "server.properties",
        &format!("ssl.key.password={CANARY}\nbroker.id=1\n"),
    )]);
    check(&s, &["server.properties"]);
}

#[test]
fn in_values_that_have_no_effect() {
    let text = format!(
        "brokerName=a\naccessKey={CANARY}\nsecretKey={CANARY}\naclPasswd={CANARY}\nflushDiskType=ASYNC_FLUSH\nbrokerRole=password={CANARY}\n\
         -----BEGIN PRIVATE KEY-----\n{CANARY}=\n-----END PRIVATE KEY-----\ninSyncReplicas=token:{CANARY}\n"
    );
    let s = Setup::with(&[("broker.conf", &text)]);
    let args = ["--profile", "finance", "broker.conf"];
    let ran = s.run(&args);
    assert!(
        !ran.stdout.contains(&format!("accessKey={CANARY}")) && !ran.stderr.contains(CANARY),
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains(CANARY), "{}", ran.stdout);
}

#[test]
fn in_definitions_on_one_line() {
    let users = format!(
        "\"users\":[{{\"name\":\"u\",\"password_hash\":\"{CANARY}\",\"password\":\"{CANARY}\",\"tags\":\"\"}}],\
         \"parameters\":[{{\"value\":{{\"src-uri\":\"amqp://u:{CANARY}@h\",\"dest-uri\":[\"amqp://u:{CANARY}@h\"]}}}}]"
    );
    let queue = "\"queues\":[{\"name\":\"q\",\"vhost\":\"/\",\"durable\":false}]";
    let s = Setup::with(&[
        ("before.json", &format!("{{{users},{queue}}}")),
        ("after.json", &format!("{{{queue},{users}}}")),
        (
            "inside.json",
            &format!(
                "{{\"rabbit_version\":\"4\",\"queues\":[{{\"name\":\"q\",\"durable\":false,\"arguments\":{{\"x-secret\":\"{CANARY}\"}}}}]}}"
            ),
        ),
        (
            "broken.json",
            &format!("{{{queue},\"exchanges\":[],\"password\": \"{CANARY}\" \"{CANARY}\"}}"),
        ),
    ]);
    for file in ["before.json", "after.json", "inside.json", "broken.json"] {
        check(&s, &[file]);
    }
}

#[test]
fn in_yaml_terraform_and_rabbitmq_conf() {
    let files = [
        (
            "compose.yaml",
            format!(
                "services:\n  k:\n    image: apache/kafka:4.0.0\n    environment:\n      - KAFKA_SSL_KEY_PASSWORD={CANARY}\n      - \"KAFKA_SASL_JAAS_CONFIG=x required password='{CANARY}';\"\n      - {{KAFKA_MIN_INSYNC_REPLICAS: 1, A_TOKEN: {CANARY}}}\n    command: kafka-topics --create --topic password={CANARY} --replication-factor 1\n  k2:\n    image: apache/kafka:4.0.0\n    environment: {{KAFKA_SSL_KEYSTORE_PASSWORD: {CANARY}, KAFKA_UNCLEAN_LEADER_ELECTION_ENABLE: 'true'}}\n"
            ),
        ),
        (
            "application.yml",
            format!(
                "spring:\n  rabbitmq: {{password: '{CANARY}', publisher-confirm-type: none}}\n  kafka:\n    producer: {{acks: 0, ssl: {{key-password: {CANARY}}}, properties: {{sasl.jaas.config: \"${{J:{CANARY}}}\"}}}}\n"
            ),
        ),
        (
            "k8s.yaml",
            format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\ndata:\n  server.properties: |\n    broker.id=1\n    ssl.key.password={CANARY}\n    unclean.leader.election.enable=true\n---\napiVersion: v1\nkind: Secret\nmetadata: {{name: y}}\nstringData: {{a: {CANARY}, KAFKA_X_PASSWORD: {CANARY}}}\n---\napiVersion: v1\nkind: Pod\nspec: {{containers: [{{name: c, image: apache/kafka, env: [{{name: KAFKA_SSL_KEY_PASSWORD, value: {CANARY}}}, {{name: KAFKA_MIN_INSYNC_REPLICAS, value: '1'}}]}}]}}\n"
            ),
        ),
        (
            "main.tf",
            format!(
                "resource \"kafka_topic\" \"a\" {{ name = \"a\", replication_factor = 1\n  config = {{ password = \"{CANARY}\" }} }}\nresource \"rabbitmq_shovel\" \"s\" {{\n  name = \"s\"\n  info {{ source_uri = \"amqp://u:{CANARY}@h\" }}\n}}\n"
            ).replace("\"a\", r", "\"a\"\n r"),
        ),
        (
            "rabbitmq.conf",
            format!(
                "default_pass = {CANARY}\ncluster_partition_handling = ignore\nauth_oauth2.signing_keys.x = {CANARY}-token:{CANARY}\ndefault_users.a.password = {CANARY}\n"
            ),
        ),
    ];
    for (name, text) in files {
        let s = Setup::with(&[(name, &text)]);
        for format in ["full", "json"] {
            let ran = s.run(&["-vvv", "--format", format, "--profile", "finance", name]);
            assert!(!ran.stdout.contains(CANARY), "{name}: {}", ran.stdout);
            assert!(!ran.stderr.contains(CANARY), "{name}: {}", ran.stderr);
        }
        assert!(
            !s.json(&[name]).1["files"].as_array().unwrap().is_empty(),
            "{name}: nothing was read"
        );
    }
}
