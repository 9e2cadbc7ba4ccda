//! The secret canary: whatever way a secret comes in, it comes out nowhere.
//!
//! Each case plants a canary, runs the binary and looks for it in stdout, stderr (with every log on), in the files that the run left
//! and, for programs that it starts, in their command line and environment. A case that claims its secret was read proves it: the run
//! gets as far as the broker, or to the error that only reading it can give.

use super::{NOBODY, User, code, err, out};
use std::path::Path;

/// What must never come out, in every clothes that it may wear.
const CANARY: &str = "c4n4ry-S3cret";

/// The forms in which the canary may appear: as it is, percent-encoded, in base64 with any phase, as hexadecimal.
fn leaks(text: &str) -> Option<String> {
    use base64::Engine as _;
    let mut forms = vec![
        CANARY.to_owned(),
        CANARY.replace('-', "%2D"),
        CANARY.replace('-', "\\-"),
    ];
    forms.push(CANARY.bytes().map(|b| format!("{b:02x}")).collect());
    for phase in 0..3 {
        let padded = format!("{}{CANARY}", "x".repeat(phase));
        let encoded = base64::engine::general_purpose::STANDARD_NO_PAD.encode(padded);
        // The edges depend on the neighbours; the middle does not.
        forms.push(encoded[4..encoded.len() - 3].to_owned());
    }
    let lower = text.to_lowercase();
    forms.into_iter().find(|form| lower.contains(&form.to_lowercase()))
}

/// Everything below a directory as one text.
fn all_files(dir: &Path, inputs: &[&str], text: &mut String) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "inputs" && name != ".config" {
            all_files(&path, inputs, text);
        } else if path.is_file() && !inputs.contains(&name.as_str()) {
            text.push_str(&String::from_utf8_lossy(&std::fs::read(path).unwrap()));
        }
    }
}

/// What shows that the secret was really read.
enum Proof {
    /// The run came to the broker, where nobody listens.
    Reached,
    /// It ended before, with these words: exit 2.
    Refused(&'static str),
}

use Proof::{Reached, Refused};

struct Case {
    name: &'static str,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
    files: Vec<(&'static str, String)>,
    proof: Proof,
}

fn case(name: &'static str, arguments: &[&str], proof: Proof) -> Case {
    Case {
        name,
        arguments: arguments.iter().map(|a| a.replace("CANARY", CANARY)).collect(),
        environment: Vec::new(),
        files: Vec::new(),
        proof,
    }
}

impl Case {
    fn file(mut self, name: &'static str, text: &str) -> Case {
        self.files.push((name, text.replace("CANARY", CANARY)));
        self
    }

    fn env(mut self, name: &'static str, value: &str) -> Case {
        self.environment.push((name, value.replace("CANARY", CANARY)));
        self
    }
}

const LOGIN: [&str; 6] = [
    "-X",
    "security.protocol=SASL_SSL",
    "-X",
    "sasl.mechanism=PLAIN",
    "-X",
    "sasl.username=u",
];
const JAVA: &str = "bootstrap.servers=127.0.0.1:1\nsecurity.protocol=SASL_SSL\nsasl.mechanism=PLAIN\n";
const MODULE: &str = "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"u\"";
const BEARER: &str = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required";

fn with_login(more: &[&'static str]) -> Vec<&'static str> {
    [&["-b", NOBODY][..], &LOGIN, more].concat()
}

/// A Java file whose login is written in one way.
fn jaas(name: &'static str, option: &str, proof: Proof) -> Case {
    case(name, &["-F", "client.properties"], proof).file(
        "client.properties",
        &format!("{JAVA}sasl.jaas.config={MODULE} {option};\n"),
    )
}

/// The user's configuration with one context.
fn context(name: &'static str, lines: &str, proof: Proof) -> Case {
    let indented: String = lines.lines().map(|l| format!("    {l}\n")).collect();
    case(name, &[], proof).file(
        ".config/mqsafe/config.yaml",
        &format!("current: c\ncontexts:\n  c:\n{indented}"),
    )
}

fn cases() -> Vec<Case> {
    let on_the_line = Refused("on the command line");
    let mut cases = vec![
        // The command line: refused, whatever it looks like.
        case("-X password", &with_login(&["-X", "sasl.password=CANARY"]), on_the_line),
        case("-X in capitals", &with_login(&["-X", "SASL.Password=CANARY"]), Refused("on the command line")),
        case("-X key password", &with_login(&["-X", "ssl.key.password=CANARY"]), Refused("on the command line")),
        case("-X store password", &with_login(&["-X", "ssl.truststore.password=CANARY"]), Refused("on the command line")),
        case("-X JAAS", &with_login(&["-X", "sasl.jaas.config=A required password=\"CANARY\";"]), Refused("on the command line")),
        case("-X PEM key", &with_login(&["-X", "ssl.key.pem=-----BEGIN PRIVATE KEY-----CANARY"]), Refused("on the command line")),
        case("-X client secret", &with_login(&["-X", "sasl.oauthbearer.client.secret=CANARY"]), Refused("on the command line")),
        case("-X RocketMQ secret", &["-b", "rocketmq://127.0.0.1:1", "-X", "secret.key=CANARY"], Refused("on the command line")),
        case("-X without a value", &with_login(&["-X", "CANARY"]), Refused("not KEY=VALUE")),
        case("Kafka URL", &["-b", "kafka://u:CANARY@127.0.0.1:1"], Refused("holds no user or password")),
        case("AMQP URL", &["-b", "amqp://u:CANARY@127.0.0.1:1"], Refused("holds a password")),
        case("AMQP URL, slash in it", &["-b", "amqp://u:CANARY/x@127.0.0.1:1"], Refused("cannot be read")),
        case("AMQP URL, bad percent", &["-b", "amqps://u:CANARY%zz@127.0.0.1:1"], Refused("hexadecimal")),
        case("management URL", &["-b", NOBODY, "--management", "http://u:CANARY@h:1"], Refused("user or a password")),
        // Files and the environment behind -X: read, and used.
        case("@FILE", &with_login(&["-X", "sasl.password=@inputs-pw"]), Reached).file("inputs-pw", "CANARY\n"),
        case("env:", &with_login(&["-X", "sasl.password=env:PW"]), Reached).env("PW", "CANARY"),
        case("a file that is no key", &["-b", NOBODY, "-X", "security.protocol=SSL", "-X", "ssl.key.pem=@inputs-pw"], Refused("PEM"))
            .file("inputs-pw", "CANARY\n"),
        case(
            "a damaged PEM key",
            &["-b", NOBODY, "-X", "security.protocol=SSL", "-X", "ssl.key.pem=@inputs-pw"],
            Refused("ssl.key.pem"),
        )
        .file("inputs-pw", "-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----\n"),
        case("debug=all", &with_login(&["-X", "sasl.password=env:PW", "-X", "debug=all"]), Reached).env("PW", "CANARY"),
        case("the broker's variable, bad", &[], Refused("cannot be read")).env("MQSAFE_BROKER", "amqp://u:CANARY/x@h"),
        case("the broker's variable, Kafka", &[], Refused("holds no user")).env("MQSAFE_BROKER", "kafka://u:CANARY@h:1"),
        // Java and librdkafka files.
        jaas("JAAS, double quotes", "password=\"CANARY\"", Reached),
        jaas("JAAS, single quotes", "password='CANARY'", Reached),
        jaas("JAAS, bare", "password=CANARY", Reached),
        jaas("JAAS, escapes", "password=\"\\\\\"CANARY\\\\\\\\\"", Reached),
        jaas("JAAS, over lines", "\\\n   password=\"CANARY\"", Reached),
        jaas("JAAS, quote not closed", "password=\"CANARY", Refused("client.properties:4")),
        jaas("JAAS, equals sign missing", "password \"CANARY\"", Refused("client.properties:4")),
        jaas("JAAS, no user", "x=\"y\" password=\"CANARY\" password=\"CANARY\"", Refused("given twice")),
        jaas("JAAS, an unknown module", "password=\"CANARY\"; Other required password=\"CANARY\"", Refused("more than one")),
        case("malformed escape", &["-F", "client.properties"], Refused("client.properties:4"))
            .file("client.properties", &format!("{JAVA}sasl.jaas.config=\\uCANARY\n")),
        case("a line that is no setting", &["-F", "client.properties"], Refused("client.properties:4"))
            .file("client.properties", &format!("{JAVA}CANARY\n")),
        case("librdkafka file", &["-F", "kcat.conf"], Reached).file(
            "kcat.conf",
            "bootstrap.servers=127.0.0.1:1\nsecurity.protocol=SASL_SSL\nsasl.mechanisms=SCRAM-SHA-256\nsasl.username=u\nsasl.password=CANARY\n",
        ),
        case("trust store's password", &["-F", "client.properties"], Refused("ssl.truststore.location")).file(
            "client.properties",
            &format!("{JAVA}ssl.truststore.location=client.properties\nssl.truststore.password=CANARY\n"),
        ),
        case("inline key, damaged", &["-F", "client.properties"], Refused("ssl.keystore.key")).file(
            "client.properties",
            "bootstrap.servers=127.0.0.1:1\nsecurity.protocol=SSL\nssl.keystore.key=-----BEGIN PRIVATE KEY-----\\nCANARY\n",
        ),
        case("a client secret", &["-F", "client.properties"], Reached).file(
            "client.properties",
            &format!(
                "bootstrap.servers=127.0.0.1:1\nsecurity.protocol=SASL_SSL\nsasl.mechanism=OAUTHBEARER\nsasl.oauthbearer.token.endpoint.url=http://127.0.0.1:1/t\nsasl.jaas.config={BEARER} clientId=\"i\" clientSecret=\"CANARY\";\n"
            ),
        ),
        case("a client secret without its endpoint", &["-F", "client.properties"], Refused("tokens come from")).file(
            "client.properties",
            &format!(
                "bootstrap.servers=127.0.0.1:1\nsecurity.protocol=SASL_SSL\nsasl.mechanism=OAUTHBEARER\nsasl.jaas.config={BEARER} clientId=\"i\" clientSecret=\"CANARY\";\n"
            ),
        ),
        case("a token command", &["-F", "client.properties"], Reached)
            .file(
                "client.properties",
                "bootstrap.servers=127.0.0.1:1\nsecurity.protocol=SASL_SSL\nsasl.mechanism=OAUTHBEARER\nsasl.oauthbearer.token.command=cat inputs-token\n",
            )
            .file("inputs-token", "CANARY\n"),
        case("tools.yml, bad", &["-b", "rocketmq://127.0.0.1:1", "-F", "tools.yml"], Refused("tools.yml:2"))
            .file("tools.yml", "accessKey: a\nsecretKey: [CANARY]\n"),
        case("tools.yml, no YAML", &["-b", "rocketmq://127.0.0.1:1", "-F", "tools.yml"], Refused("tools.yml"))
            .file("tools.yml", "accessKey: a\nsecretKey: \"CANARY\n"),
    ];
    let kafka = "broker: 127.0.0.1:1\nproperties:\n  security.protocol: SASL_SSL\n  sasl.mechanism: PLAIN\n  sasl.username: u\n";
    cases.extend([
        // Contexts.
        context(
            "context, in place",
            &format!("{kafka}  sasl.password: CANARY\n"),
            Reached,
        ),
        context("context, password:", &format!("{kafka}password: CANARY\n"), Reached),
        context("context, env", &format!("{kafka}password: {{env: PW}}\n"), Reached).env("PW", "CANARY"),
        context("context, file", &format!("{kafka}password: {{file: pw}}\n"), Reached)
            .file(".config/mqsafe/pw", "CANARY\n"),
        context(
            "context, command",
            &format!("{kafka}password: {{command: [cat, inputs-pw]}}\n"),
            Reached,
        )
        .file("inputs-pw", "CANARY\n"),
        context(
            "context, a command that fails",
            &format!("{kafka}password: {{command: [sh, -c, 'cat inputs-pw; cat inputs-pw >&2; exit 3']}}\n"),
            Refused("gave no secret"),
        )
        .file("inputs-pw", "CANARY\n"),
        context(
            "context, a list",
            "broker: h:1\npassword: [CANARY]\n",
            Refused("config.yaml:5"),
        ),
        context(
            "context, an unknown form",
            "broker: h:1\npassword: {value: CANARY}\n",
            Refused("config.yaml:5"),
        ),
        context(
            "context, quote not closed",
            "broker: h:1\npassword: \"CANARY\n",
            Refused("config.yaml"),
        ),
        context(
            "context, a misspelt word",
            "broker: h:1\npasswrod: CANARY\n",
            Refused("config.yaml:5"),
        ),
        context(
            "context, an alias",
            "broker: h:1\npassword: &a CANARY\nusername: *a\n",
            Refused("config.yaml:6"),
        ),
        context("context, URL", "broker: amqp://u:CANARY/x@h\n", Refused("context c")),
        context(
            "context, JAAS",
            &format!("{kafka}  sasl.jaas.config: 'A required password=\"CANARY'\n"),
            Refused("context c"),
        ),
    ]);
    cases
}

/// Plants one case, runs it in several ways, and returns everything that came out.
fn run(case: &Case) -> String {
    let user = User::new();
    for (name, text) in &case.files {
        let path = user.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
    let inputs: Vec<&str> = case.files.iter().map(|(name, _)| *name).collect();
    let mut all = String::new();
    let commands: [&[&str]; 3] = [
        &["context", "test", "--timeout", "2s", "--format", "json", "-vvv"],
        &["context", "show", "--origin", "-vvv"],
        &[
            "send",
            "-t",
            "t",
            "--connect-timeout",
            "1s",
            "--receipts",
            "receipts.jsonl",
            "--spool",
            "spool",
            "-vvv",
            "--log-format",
            "json",
        ],
    ];
    for (i, words) in commands.iter().enumerate() {
        let mut command = user.mqsafe();
        command
            .args(*words)
            .args(&case.arguments)
            .env("RUST_BACKTRACE", "full")
            .write_stdin("a\n");
        command.envs(case.environment.iter().map(|(k, v)| (*k, v)));
        let output = command.output().unwrap();
        let said = format!("{}{}", out(&output), err(&output));
        match &case.proof {
            Reached if i == 0 => {
                assert_eq!(code(&output), 3, "{}: {said}", case.name);
                assert!(
                    said.contains("\"TCP\"") && said.contains("failed"),
                    "{}: {said}",
                    case.name
                );
            }
            Reached if i == 1 => {
                assert_eq!(code(&output), 0, "{}: {said}", case.name);
                assert!(
                    said.contains("<secret>") || said.contains("token.command"),
                    "{}: {said}",
                    case.name
                );
            }
            Reached => assert_eq!(code(&output), 4, "{}: {said}", case.name),
            // What only a client refuses is shown as it was given.
            Refused(_) if i == 1 && code(&output) == 0 => {}
            Refused(words) => {
                assert_eq!(code(&output), 2, "{}: {said}", case.name);
                assert!(said.contains(words), "{} should say {words:?}: {said}", case.name);
            }
        }
        all.push_str(&said);
    }
    all_files(&user.path(""), &inputs, &mut all);
    all
}

#[test]
fn no_secret_comes_out() {
    let cases = cases();
    assert!(cases.len() >= 40, "{} forms", cases.len());
    for case in &cases {
        let all = run(case);
        assert_eq!(leaks(&all), None, "{}:\n{all}", case.name);
    }
}

/// The detector finds what it is made for, in every clothes.
#[test]
fn canary_the_detector_finds_a_leak() {
    use base64::Engine as _;
    for leak in [
        format!("error: {CANARY}"),
        CANARY.to_uppercase(),
        "amqp://u:c4n4ry%2DS3cret@h".to_owned(),
        base64::engine::general_purpose::STANDARD.encode(format!("u:{CANARY}")),
        base64::engine::general_purpose::STANDARD.encode(format!("id:{CANARY}")),
        CANARY.bytes().map(|b| format!("{b:02X}")).collect(),
    ] {
        assert!(leaks(&leak).is_some(), "{leak}");
    }
    assert_eq!(leaks("nothing of it"), None);
}

/// A leak that is planted where the tool shows what it was given: a property whose name says nothing of a secret.
#[test]
fn canary_the_net_catches_a_planted_leak() {
    let planted = case("planted", &["-b", NOBODY, "-X", "client.id=CANARY"], Reached);
    let user = User::new();
    let output = user
        .mqsafe()
        .args(["context", "show", "--origin"])
        .args(&planted.arguments)
        .output()
        .unwrap();
    assert!(leaks(&(out(&output) + &err(&output))).is_some(), "{}", out(&output));
}

/// A program that is started for a secret gets none of the others, neither as an argument nor in its environment.
#[test]
fn programs_get_no_secret() {
    let user = User::new();
    let spy = "cat /proc/self/cmdline /proc/self/environ > inputs-spied; echo token";
    std::fs::create_dir_all(user.path(".config/mqsafe")).unwrap();
    let config = format!(
        "contexts:\n  c:\n    broker: 127.0.0.1:1\n    properties:\n      security.protocol: SASL_SSL\n      sasl.mechanism: PLAIN\n      \
         sasl.username: {{env: USER_SECRET}}\n      ssl.key.password: {{env: KEY_SECRET}}\n      sasl.password: {{command: [sh, -c, '{spy}']}}\n"
    );
    std::fs::write(user.path(".config/mqsafe/config.yaml"), config).unwrap();
    let mut command = user.mqsafe();
    command.args(["context", "show", "-b", NOBODY, "-C", "c"]);
    for name in ["USER_SECRET", "KEY_SECRET"] {
        command.env(name, CANARY);
    }
    command.env("MQSAFE_BROKER", format!("amqp://u:{CANARY}@h"));
    let output = command.env("HARMLESS", "seen").output().unwrap();
    let spied = String::from_utf8_lossy(&std::fs::read(user.path("inputs-spied")).unwrap_or_default()).into_owned();
    assert!(spied.contains("HARMLESS=seen"), "{spied}: {}", err(&output));
    assert_eq!(leaks(&spied), None, "{spied}");
}
