//! A canary stands wherever a secret may stand; it must come out nowhere.

use crate::common::Setup;

const CANARY: &str = "CaNaRy-5f1e";

fn check(s: &Setup, files: &[&str]) {
    for format in ["full", "json"] {
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
