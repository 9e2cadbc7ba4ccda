//! `audit` of a running RocketMQ: what it finds, what it says it could not read, what one death could lose.

use crate::cluster::{self, Case, Done};
use crate::honest::java_command;
use crate::support;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What the cluster runs that does not depend on where its files are.
const ALWAYS: &str = "RMB008";

/// An audit of this cluster, with the exit code that it must have.
#[track_caller]
fn audit(case: &Case, servers: &str, more: &[&str], code: i32) -> Value {
    let mut command = case.mqsafe(&["audit", "--format", "json", "-b", &format!("rocketmq://{servers}")]);
    command.args(more).current_dir(case.path(""));
    let done: Done = cluster::run_with(command, "");
    done.expect(code).json()
}

/// Each finding of the brokers and of what is named, in the words of `tell`. Other tests make and leave topics of their own.
fn found(report: &Value, names: &[&str], tell: impl Fn(&Value) -> String) -> Vec<String> {
    let all = report["findings"].as_array().unwrap();
    let of = |f: &&Value| {
        let subject = f["subject"].as_str().unwrap_or_default();
        // Where the store lies, and how full that disk is, is the business of the machine.
        f["rule"] != ALWAYS
            && f["key"] != "@disk-used-percent"
            && (subject.contains(" at 127.0.0.1:") || names.iter().any(|name| subject.contains(name)))
    };
    let mut all: Vec<String> = all.iter().filter(of).map(tell).collect();
    all.sort();
    all
}

fn short(f: &Value) -> String {
    let word = |key: &str| f[key].as_str().unwrap_or("-");
    format!("{} {}={}", word("rule"), word("key"), word("value"))
}

fn command(f: &Value) -> String {
    format!(
        "{}: {}",
        f["rule"].as_str().unwrap(),
        f["command"].as_str().unwrap_or("-")
    )
}

/// The names of what one death could lose, by node.
fn at_risk(report: &Value) -> Vec<(String, Vec<String>, String)> {
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let all = report["running"][0]["at_risk"].as_array().unwrap().iter();
    all.map(|r| {
        let losses = r["losses"].as_array().unwrap();
        (
            text(&r["node"]),
            losses.iter().map(|l| text(&l["name"])).collect(),
            text(&losses[0]["why"]),
        )
    })
    .collect()
}

fn unread(report: &Value) -> Vec<(String, String, String)> {
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let all = report["running"][0]["unread"].as_array().unwrap().iter();
    all.map(|u| (text(&u["what"]), text(&u["why"]), text(&u["next"])))
        .collect()
}

#[test]
fn a_pair_that_waits_for_its_slave_has_nothing_at_risk_and_then_a_bad_one_has() {
    let Some(case) = cluster::alone(
        "a_pair_that_waits_for_its_slave_has_nothing_at_risk_and_then_a_bad_one_has",
        2,
    ) else {
        return;
    };
    let servers = case.servers().to_owned();
    let report = audit(&case, &servers, &[], 1);
    let names = [case.topic.as_str()];
    // The broker of the tests discards half messages soon, and makes topics on request.
    assert_eq!(
        found(&report, &names, short),
        ["RMB013 transactionCheckMax=5", "RMT001 autoCreateTopicEnable=true"]
    );
    assert_eq!(unread(&report), []);
    assert_eq!(at_risk(&report), []);
    // Name server, two brokers with configuration and state, and of the master slaves, topics, groups and offsets.
    assert!(report["running"][0]["requests"].as_u64().unwrap() < 60);

    // One line of each kind is changed while the master runs; a topic and a group besides.
    let group = format!("g-{}", case.topic);
    case.call(
        &case.master,
        200,
        &[],
        &json!({"groupName": group, "retryMaxTimes": 0, "retryQueueNums": 1}).to_string(),
    )
    .unwrap();
    let unread_queues = format!("{}-narrow", case.topic);
    case.make(&unread_queues, 4, "");
    let fields = [
        ("topic", unread_queues.as_str()),
        ("defaultTopic", "TBW102"),
        ("readQueueNums", "2"),
        ("writeQueueNums", "4"),
        ("perm", "6"),
        ("topicFilterType", "SINGLE_TAG"),
        ("topicSysFlag", "0"),
        ("order", "false"),
        ("attributes", ""),
    ];
    case.call(&case.master, 17, &fields, "").unwrap();
    let bad = "brokerRole=ASYNC_MASTER\ninSyncReplicas=1\nfileReservedTime=24\nautoCreateTopicEnable=false\n";
    let good = "brokerRole=SYNC_MASTER\ninSyncReplicas=2\nfileReservedTime=72\nautoCreateTopicEnable=true\n";
    let configured = case.configured(bad, good);
    let report = audit(&case, &servers, &[], 1);
    let names = [case.topic.as_str()];
    assert_eq!(
        found(&report, &names, short),
        [
            "RMB002 brokerRole=ASYNC_MASTER",
            "RMB009 fileReservedTime=24",
            "RMB013 transactionCheckMax=5",
            "RMC004 retryMaxTimes=0",
            "RMT002 readQueueNums=2",
        ]
    );
    let master = &case.master;
    assert_eq!(
        found(&report, &names, command),
        [
            format!("RMB002: mqadmin updateBrokerConfig -b {master} -k brokerRole -v SYNC_MASTER"),
            format!("RMB009: mqadmin updateBrokerConfig -b {master} -k fileReservedTime -v 48"),
            "RMB013: -".to_owned(),
            // With everything that the tool would reset.
            format!(
                "RMC004: mqadmin updateSubGroup -n {servers} -b {master} -g {group} -r 16 -s true -m true -d true -o false -q 1 -i 0 -w 1 -a true"
            ),
            format!("RMT002: mqadmin updateTopic -n {servers} -b {master} -t {unread_queues} -r 4 -w 4 -p 6"),
        ]
    );
    let risk = at_risk(&report);
    assert_eq!((risk.len(), &risk[0].0), (1, &format!("broker-a at {master}")));
    assert!(
        risk[0].1.contains(&case.topic) && risk[0].1.contains(&unread_queues),
        "{risk:?}"
    );
    assert!(
        risk[0].2.starts_with("ASYNC_MASTER acknowledges before a slave has it"),
        "{risk:?}"
    );
    let only = audit(&case, &servers, &["--topic", &unread_queues], 1);
    assert_eq!(at_risk(&only)[0].1, std::slice::from_ref(&unread_queues));
    drop(configured);
    case.call(
        &case.master,
        207,
        &[("groupName", group.as_str()), ("cleanOffset", "true")],
        "",
    )
    .unwrap();
}

#[test]
fn a_dead_slave_is_named_and_its_master_is_alone() {
    let Some(case) = cluster::alone("a_dead_slave_is_named_and_its_master_is_alone", 1) else {
        return;
    };
    let servers = case.servers().to_owned();
    let slave = support::address("rocketmq", "ROCKETMQ_SLAVE").unwrap();
    let disturbed = cluster::disturb("kill", &["slave"]);
    let mut report = Value::Null;
    cluster::eventually("the master hears that its slave is gone", || {
        report = audit(&case, &servers, &["--topic", &case.topic], 1);
        found(&report, &[], short).contains(&"X-M01 @slaves=0".to_owned())
    });
    // The name server forgets at once whose connection has ended.
    assert!(unread(&report).len() <= 1, "{report}");
    assert_eq!(
        at_risk(&report),
        [(
            format!("broker-a at {}", case.master),
            vec![case.topic.clone()],
            "no slave is connected: the only copy".to_owned()
        )]
    );
    drop(disturbed);
    // One that hangs is still in the route.
    let disturbed = cluster::disturb("stop", &["slave"]);
    let report = audit(&case, &servers, &["--topic", &case.topic], 1);
    let (what, why, next) = unread(&report).remove(0);
    assert_eq!(what, format!("broker broker-a at {slave}"));
    assert!(
        why.contains(&slave) && next.contains("start the broker"),
        "{why} {next}"
    );
    drop(disturbed);
    // Nobody there at all.
    let nobody = audit(&case, "127.0.0.1:1", &[], 3);
    assert_eq!(unread(&nobody)[0].0, "the cluster");
}

/// A broker that knows its users.
struct Secured {
    servers: String,
    address: String,
    admin: String,
}

impl Secured {
    fn new(test: &str) -> Option<Secured> {
        Some(Secured {
            servers: support::address(test, "ROCKETMQ_ACL_NAMESRV")?,
            address: support::address(test, "ROCKETMQ_ACL_BROKER_ADDR")?,
            admin: support::address(test, "ROCKETMQ_ACL_ADMIN_SECRET_FILE")?,
        })
    }

    /// One request of the administrator. What is there already is no matter.
    fn call(&self, code: u32, fields: &[&str], body: &str) {
        let mut call = Command::new(cluster::script("signed-call"));
        call.arg(&self.address)
            .arg("admin")
            .arg(&self.admin)
            .arg(code.to_string())
            .args(fields);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), body).unwrap();
        let done = call.stdin(std::fs::File::open(file.path()).unwrap()).output().unwrap();
        assert!(
            done.status.success(),
            "{code}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }
}

#[test]
fn a_user_sees_what_access_control_lets_it_see() {
    let test = "a_user_sees_what_access_control_lets_it_see";
    let (Some(secured), Some(case)) = (Secured::new(test), cluster::shared(test, 1)) else {
        return;
    };
    let servers = secured.servers.clone();
    // Nobody: the broker tells nothing.
    let report = audit(&case, &servers, &[], 3);
    let (what, why, next) = unread(&report).remove(0);
    assert_eq!(what, format!("broker broker-acl at {}", secured.address));
    assert!(why.contains("code 16") && next.contains("access.key"), "{why} {next}");

    let name = format!("auditor-{}", case.topic);
    let file = case.path("auditor");
    std::fs::write(&file, "looks-only").unwrap();
    secured.call(
        3001,
        &[&format!("username={name}")],
        &json!({"password": "looks-only", "userType": "Normal"}).to_string(),
    );
    let topic = format!("audited-{}", case.topic);
    let fields = format!("topic={topic}");
    let more = [
        "defaultTopic=TBW102",
        "readQueueNums=1",
        "writeQueueNums=1",
        "perm=6",
        "topicFilterType=SINGLE_TAG",
        "topicSysFlag=0",
        "order=false",
        "attributes=",
    ];
    secured.call(17, &[&[fields.as_str()][..], &more].concat(), "");
    // A group that has read up to here.
    secured.call(
        200,
        &[],
        &json!({"groupName": "readers", "retryMaxTimes": 16, "retryQueueNums": 1}).to_string(),
    );
    secured.call(
        15,
        &[
            &format!("topic={topic}"),
            "queueId=0",
            "consumerGroup=readers",
            "commitOffset=0",
        ],
        "",
    );
    let secret = format!("secret.key=@{}", Path::new(&file).display());
    let key = format!("access.key={name}");
    let as_auditor = ["-X", &key, "-X", &secret];
    let are_of_groups = |missed: &[(String, String, String)]| {
        let begins = [
            "the members of ",
            "the progress of consumer groups at broker broker-acl at ",
        ];
        let each = missed.iter().zip(begins);
        let all = each.map(|((what, why, next), begin)| {
            what.starts_with(begin) && why.contains(&name) && next.contains("'Topic:*,Group:*' -a Get")
        });
        assert_eq!(all.collect::<Vec<_>>(), [true, true], "{missed:?}");
    };
    are_of_groups(&unread(&audit(&case, &servers, &as_auditor, 1)));

    // With that right alone everything is read. A topic and a group that are badly made, and a message that nobody has read.
    let rights = |decision: &str| {
        let of = |resource: &str| json!({"resource": resource, "actions": ["Get"], "decision": decision});
        let policy = json!({"policyType": "Custom", "entries": [of("Topic:*"), of("Group:*")]});
        json!({"subject": format!("User:{name}"), "policies": [policy]}).to_string()
    };
    let subject = format!("subject=User:{name}");
    secured.call(3006, &[&subject], &rights("Allow"));
    let narrow = format!("topic=narrow-{}", case.topic);
    let mut fields = [&[narrow.as_str()][..], &more].concat();
    fields[3] = "writeQueueNums=2";
    secured.call(17, &fields, "");
    let hasty = json!({"groupName": format!("hasty-{}", case.topic), "retryMaxTimes": 0, "retryQueueNums": 1});
    secured.call(200, &[], &hasty.to_string());
    let admin = format!("secret.key=@{}", secured.admin);
    let mut send = case.mqsafe(&["send", "-t", &topic, "-K", ":", "-X", "access.key=admin", "-X", &admin]);
    send.args(["-b", &format!("rocketmq://{servers}")]);
    cluster::run_with(send, "k:v\n").expect(0);
    let ca = format!(
        "ssl.ca.location={}/ca.pem",
        support::address(test, "CERTS_DIR").unwrap()
    );
    let over_tls = [&as_auditor[..], &["-X", "tls.enable=true", "-X", &ca]].concat();
    let names = [case.topic.as_str()];
    let told = |how: &[&str]| {
        let report = audit(&case, &servers, how, 1);
        assert_eq!(unread(&report), []);
        // Secrets of its configuration are shown nowhere.
        let admin = std::fs::read_to_string(&secured.admin).unwrap();
        assert!(!report.to_string().contains(admin.trim()));
        (
            found(&report, &names, short),
            found(&report, &names, command),
            at_risk(&report),
        )
    };
    let plain = told(&as_auditor);
    // One broker without a slave that waits for nobody.
    assert_eq!(
        plain.0,
        [
            "RMB003 inSyncReplicas=1",
            "RMB013 transactionCheckMax=5",
            "RMC004 retryMaxTimes=0",
            "RMT001 autoCreateTopicEnable=true",
            "RMT002 readQueueNums=1",
            "X-M01 @slaves=0"
        ]
    );
    assert!(plain.2[0].1.contains(&topic), "{:?}", plain.2);
    assert_eq!(told(&over_tls), plain);

    // A file, and what is changed behind its back.
    let conf = case.path("broker.conf");
    let declared = "brokerName=broker-acl\nbrokerId=0\nbrokerRole=SYNC_MASTER\ninSyncReplicas=1\nfileReservedTime=72\n";
    std::fs::write(&conf, declared).unwrap();
    let with_file = [&over_tls[..], &[conf.to_str().unwrap()]].concat();
    let drift = || {
        let report = audit(&case, &servers, &with_file, 1);
        assert_eq!(unread(&report), []);
        let all = report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|f| f["rule"] == "X-M06");
        let all: Vec<(String, u64, String)> = all
            .map(|f| {
                let words = f["related"][0]["message"].as_str().unwrap().to_owned();
                (short(f), f["line"].as_u64().unwrap(), words)
            })
            .collect();
        all
    };
    assert_eq!(drift(), []);
    secured.call(25, &[], "fileReservedTime=96\n");
    let altered = drift();
    secured.call(25, &[], "fileReservedTime=72\n");
    assert_eq!(
        altered,
        [(
            "X-M06 fileReservedTime=72".to_owned(),
            5,
            format!("broker-acl at {} runs with fileReservedTime=96", secured.address)
        )]
    );

    // One rule that finds nothing: then the exit code is about what was read. The right is taken away, the secret is wrong, the user is gone.
    std::fs::write(case.path("settings.yaml"), "select: [X-M03]\n").unwrap();
    let only = [&over_tls[..], &["--config", "settings.yaml"]].concat();
    assert_eq!(unread(&audit(&case, &servers, &only, 0)), []);
    secured.call(3007, &[&subject], &rights("Deny"));
    are_of_groups(&unread(&audit(&case, &servers, &only, 3)));
    secured.call(3007, &[&subject], &rights("Allow"));
    let is_closed = |how: &[&str]| {
        let missed = unread(&audit(&case, &servers, how, 3));
        assert_eq!(missed[0].0, format!("broker broker-acl at {}", secured.address));
        assert!(missed[0].2.contains("access.key"), "{missed:?}");
    };
    std::fs::write(&file, "another-secret").unwrap();
    is_closed(&only);
    std::fs::write(&file, "looks-only").unwrap();
    assert_eq!(unread(&audit(&case, &servers, &only, 0)), []);
    secured.call(3003, &[&format!("username={name}")], "");
    is_closed(&only);
}

/// What a client says of itself stands in no configuration of a broker.
#[test]
fn members_that_are_connected_are_judged() {
    let Some(case) = cluster::shared("members_that_are_connected_are_judged", 2) else {
        return;
    };
    case.send("a\nb\nc\n", &[]).expect(0);
    let servers = case.servers().to_owned();
    let group = |about: &str| format!("{about}-{}", case.topic);
    let (late, early, all) = (group("late"), group("early"), group("all"));
    let members = [
        [&late, "CLUSTERING", "CONSUME_FROM_LAST_OFFSET"],
        [&early, "CLUSTERING", "CONSUME_FROM_FIRST_OFFSET"],
        [&all, "BROADCASTING", "CONSUME_FROM_LAST_OFFSET"],
    ];
    let arguments = [&[case.name_server(), &case.topic][..], members.as_flattened()].concat();
    let mut command = java_command(&case, "Listen.java", &arguments);
    let mut java = command.stdin(Stdio::piped()).spawn().unwrap();
    let told = || {
        let report = audit(&case, &servers, &[], 1);
        assert_eq!(unread(&report), []);
        let all = report["findings"].as_array().unwrap().iter();
        let mine = all.filter(|f| f["subject"].as_str().is_some_and(|s| s.contains(&case.topic)));
        let mine = mine.map(|f| {
            format!(
                "{} {} {}",
                short(f),
                f["subject"].as_str().unwrap(),
                f["command"].as_str().unwrap_or("-")
            )
        });
        mine.collect::<BTreeSet<String>>()
    };
    let wanted: BTreeSet<String> = [
        format!("RMC001 @members.start=CONSUME_FROM_LAST_OFFSET consumer `{late}` -"),
        format!("RMC002 @members.message-model=BROADCASTING consumer `{all}` -"),
    ]
    .into();
    let mut last = BTreeSet::new();
    let start = Instant::now();
    while last != wanted {
        assert!(start.elapsed() < Duration::from_secs(180), "{last:#?}");
        assert!(java.try_wait().unwrap().is_none(), "the members have left");
        last = told();
    }
    let report = audit(&case, &servers, &[], 1).to_string();
    assert!(
        report.contains(&format!("topic {}: 3 messages in ", case.topic)),
        "{report}"
    );
    // Who is not there says nothing.
    drop(java.stdin.take());
    assert!(java.wait().unwrap().success());
    cluster::eventually("the members are gone", || told().is_empty());
}

#[test]
fn a_file_is_compared_with_what_runs() {
    let Some(case) = cluster::alone("a_file_is_compared_with_what_runs", 1) else {
        return;
    };
    let servers = case.servers().to_owned();
    let file = case.path("broker.conf");
    let declared = "brokerName=broker-a\nbrokerId=0\nbrokerRole=SYNC_MASTER\ninSyncReplicas=2\nflushDiskType=SYNC_FLUSH\n\
                    fileReservedTime=72\nautoCreateTopicEnable=true\n";
    std::fs::write(&file, declared).unwrap();
    let drift = || {
        let report = audit(&case, &servers, &["--topic", &case.topic, file.to_str().unwrap()], 1);
        let all = report["findings"].as_array().unwrap().iter();
        let mut all: Vec<(String, u64, String)> = all
            .filter(|f| f["rule"] == "X-M06")
            .map(|f| {
                let related = &f["related"][0];
                assert!(related["file"].as_str().unwrap().starts_with("rocketmq://"), "{f}");
                let message = related["message"].as_str().unwrap().to_owned();
                (short(f), f["line"].as_u64().unwrap(), message)
            })
            .collect();
        all.sort();
        all
    };
    assert_eq!(drift(), []);
    let bad = "brokerRole=ASYNC_MASTER\nfileReservedTime=96\n";
    let good = "brokerRole=SYNC_MASTER\nfileReservedTime=72\n";
    let configured = case.configured(bad, good);
    let runs = |what: &str| format!("broker-a at {} runs with {what}", case.master);
    assert_eq!(
        drift(),
        [
            (
                "X-M06 brokerRole=SYNC_MASTER".to_owned(),
                3,
                runs("brokerRole=ASYNC_MASTER")
            ),
            ("X-M06 fileReservedTime=72".to_owned(), 6, runs("fileReservedTime=96")),
        ]
    );
    drop(configured);
    assert_eq!(drift(), []);
}

#[test]
fn a_weaker_slave_a_lowered_requirement_and_a_client_that_does_not_look_are_told() {
    let test = "a_weaker_slave_a_lowered_requirement_and_a_client_that_does_not_look_are_told";
    let (Some(case), Some(slave)) = (cluster::alone(test, 1), support::address(test, "ROCKETMQ_SLAVE")) else {
        return;
    };
    let servers = case.servers().to_owned();
    let file = case.path("application.properties");
    let application =
        "rocketmq.name-server=mq:9876\nrocketmq.producer.group=shop\nrocketmq.producer.retry-next-server=false\n";
    std::fs::write(&file, application).unwrap();
    let told = || {
        let report = audit(&case, &servers, &["--topic", &case.topic, file.to_str().unwrap()], 1);
        let all = report["findings"].as_array().unwrap().iter();
        let about = |f: &&Value| ["X-M02", "X-M04", "RMB004"].iter().any(|rule| f["rule"] == *rule);
        let mut all: Vec<(String, String)> = all
            .filter(about)
            .map(|f| {
                let related = f["related"][0]["file"].as_str().unwrap_or("-");
                let from = related.split_once("://").map_or(related, |(scheme, _)| scheme);
                (short(f), from.to_owned())
            })
            .collect();
        all.sort();
        all
    };
    let line = |words: &str, from: &str| (words.to_owned(), from.to_owned());
    let looks_away = line("X-M02 rocketmq.producer.retry-next-server=false", "rocketmq");
    assert_eq!(told(), std::slice::from_ref(&looks_away));
    let weaker = case.configured_at(&slave, "fileReservedTime=48\n", "fileReservedTime=72\n");
    let lowered = case.configured(
        "enableAutoInSyncReplicas=true\nminInSyncReplicas=1\n",
        "enableAutoInSyncReplicas=false\n",
    );
    assert_eq!(
        told(),
        [
            line("RMB004 enableAutoInSyncReplicas=true", "rocketmq"),
            looks_away.clone(),
            line("X-M04 fileReservedTime=48", "rocketmq"),
        ]
    );
    drop((weaker, lowered));
    assert_eq!(told(), [looks_away]);
}

#[test]
fn a_broker_that_dies_while_it_is_asked_is_never_clean() {
    let test = "a_broker_that_dies_while_it_is_asked_is_never_clean";
    let Some(case) = cluster::alone(test, 1) else { return };
    let Some(out) = support::address(test, "ROCKETMQ_OUT_SLAVE") else {
        return;
    };
    let servers = case.servers().to_owned();
    std::fs::write(case.path("settings.yaml"), "select: [X-M01]\n").unwrap();
    let start = || {
        let mut command = case.mqsafe(&["audit", "--format", "json", "--config", "settings.yaml"]);
        command.args(["-b", &format!("rocketmq://{servers}"), "--topic", &case.topic]);
        command.current_dir(case.path("")).stdin(std::process::Stdio::null());
        command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        command.spawn().unwrap()
    };
    let judged = |child: std::process::Child| {
        let done = child.wait_with_output().unwrap();
        let report: Value = serde_json::from_slice(&done.stdout).unwrap();
        let files = report["files"].as_array().unwrap().iter();
        let brokers = files.filter(|f| f["dialect"] == "rocketmq-broker").count();
        match done.status.code() {
            // Both told everything.
            Some(0) => assert_eq!((unread(&report).len(), brokers), (0, 2), "{report}"),
            Some(3) => assert!(!unread(&report).is_empty(), "{report}"),
            // The name server had forgotten it already: then its master has no slave.
            Some(1) => assert_eq!(brokers, 1, "{report}"),
            other => panic!("{other:?}: {report}"),
        }
        done.status.code() != Some(0)
    };
    assert!(!judged(start()), "the whole of it is read");
    let rounds = if support::full() { 20 } else { 3 };
    let mut missed = 0;
    // Some more where the machine was so fast that each kill came too late.
    for round in 0..3 * rounds {
        if round >= rounds && missed > 0 {
            break;
        }
        let running = start();
        std::thread::sleep(std::time::Duration::from_millis(20 + round % rounds * 150 / rounds));
        let file = Path::new(&out).parent().unwrap().join("pid");
        let text = std::fs::read_to_string(file).unwrap();
        let pid = text.split_whitespace().next().unwrap();
        let killed = Command::new("kill").args(["-KILL", pid]).status();
        assert!(killed.unwrap().success());
        missed += u32::from(judged(running));
        cluster::run_script("up", &[]);
    }
    assert!(missed > 0, "no audit met a broker that died");
}
