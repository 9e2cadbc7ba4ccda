//! Shapes that real files have, with what must and must not be said of them. Each stands for a file that was once judged wrongly.

#![allow(clippy::unwrap_used)]

use crate::common::Setup;

/// What is found under a profile, as `CODE line`.
fn found(profile: &str, name: &str, text: &str) -> Vec<String> {
    let s = Setup::with(&[(name, text)]);
    let (_, report) = s.json(&[name, "--profile", profile]);
    let findings = report["findings"].as_array().unwrap();
    findings
        .iter()
        .map(|f| format!("{} {}", f["rule"].as_str().unwrap(), f["line"]))
        .collect()
}

/// Whether a rule finds something at a line.
fn has(found: &[String], what: &str) -> bool {
    found.iter().any(|f| f == what)
}

/// Whether a rule finds anything at all.
fn any(found: &[String], code: &str) -> bool {
    found.iter().any(|f| f.split(' ').next() == Some(code))
}

#[test]
fn strimzis_image_outside_of_its_operator_takes_no_variables() {
    let file = "services:\n  kafka:\n    image: quay.io/strimzi/kafka:0.45.0-kafka-3.9.0\n    command: sh -c \"bin/kafka-server-start.sh \
                config/kraft/server.properties --override num.partitions=3\"\n    environment:\n      LOG_DIR: /tmp/logs\n      \
                KAFKA_ADVERTISED_LISTENERS: PLAINTEXT://kafka:9092\n";
    let s = Setup::with(&[("docker-compose.yml", file)]);
    let (_, report) = s.json(&["docker-compose.yml"]);
    let of = |code: &str| {
        let all = report["findings"].as_array().unwrap();
        all.iter().find(|f| f["rule"] == code).cloned()
    };
    let data = of("KB004").unwrap();
    assert!(
        data["message"].as_str().unwrap().contains("/tmp/kraft-combined-logs"),
        "{data}"
    );
    assert_eq!(data["severity"], "critical");
    // The tag begins with the operator's release, which is not Kafka's.
    assert!(of("KB009").is_none());
}

#[test]
fn images_of_debezium_have_a_volume() {
    let file = "services:\n  kafka:\n    image: quay.io/debezium/kafka:2.7\n    environment:\n      - BROKER_ID=1\n";
    let s = Setup::with(&[("docker-compose.yml", file)]);
    let (_, report) = s.json(&["docker-compose.yml"]);
    let all = report["findings"].as_array().unwrap();
    let data = all.iter().find(|f| f["rule"] == "KB004").unwrap();
    assert_eq!(data["severity"], "medium", "{data}");
    assert!(data["message"].as_str().unwrap().contains("/kafka/data/1"), "{data}");
}

#[test]
fn an_unknown_image_with_a_volume_of_its_own_keeps_its_data_who_knows_where() {
    let image = "services:\n  kafka:\n    image: house/events:1\n    environment:\n      KAFKA_BROKER_ID: 1\n      KAFKA_ZOOKEEPER_CONNECT: z\n";
    assert!(any(&found("orders", "docker-compose.yml", image), "KB004"));
    let mounted = format!("{image}    volumes:\n      - events:/usr/local/events\nvolumes:\n  events:\n");
    assert!(!any(&found("orders", "docker-compose.yml", &mounted), "KB004"));
}

#[test]
fn what_speaks_with_rabbitmq_is_no_node() {
    let file = "services:\n  producer:\n    image: house/rabbitmq-quickstart-producer:1\n  broker:\n    image: house/orders-rabbitmq:1\n";
    assert_eq!(found("orders", "docker-compose.yml", file), ["RQB002 5"]);
}

#[test]
fn a_node_that_is_named_needs_no_host_name() {
    let file = |name: &str| {
        format!(
            "services:\n  mq:\n    image: rabbitmq:3.13\n    environment:\n      RABBITMQ_NODENAME: {name}\n    volumes:\n      - data:/var/lib/rabbitmq\nvolumes:\n  data:\n"
        )
    };
    assert!(!any(
        &found("orders", "docker-compose.yml", &file("rabbit@mq")),
        "RQB002"
    ));
    // Without a host part the host is added.
    assert!(any(&found("orders", "docker-compose.yml", &file("rabbit")), "RQB002"));
}

#[test]
fn every_volume_of_a_cluster_is_looked_at() {
    let pool = |name: &str| {
        format!(
            "apiVersion: kafka.strimzi.io/v1\nkind: KafkaNodePool\nmetadata:\n  name: {name}\n  labels:\n    strimzi.io/cluster: c\nspec:\n  replicas: 3\n  roles: [{name}]\n  storage:\n    type: jbod\n    volumes:\n      - id: 0\n        type: ephemeral\n---\n"
        )
    };
    let cluster = "apiVersion: kafka.strimzi.io/v1\nkind: Kafka\nmetadata:\n  name: c\nspec:\n  kafka:\n    config:\n      min.insync.replicas: 2\n";
    let file = format!("{}{}{cluster}", pool("controller"), pool("broker"));
    let found = found("orders", "kafka.yaml", &file);
    assert!(has(&found, "KB004 14") && has(&found, "KB004 29"), "{found:?}");
}

#[test]
fn rocketmqs_operator_without_a_disk() {
    let file = "apiVersion: rocketmq.apache.org/v1alpha1\nkind: Broker\nmetadata:\n  name: b\nspec:\n  size: 1\n  storageMode: EmptyDir\n";
    assert!(has(&found("orders", "broker.yaml", file), "RMB008 7"));
    let kept = file.replace("EmptyDir", "StorageClass");
    assert!(!any(&found("orders", "broker.yaml", &kept), "RMB008"));
}

#[test]
fn a_worker_of_connect_has_no_replication_factor() {
    let file = "services:\n  connect:\n    image: confluentinc/cp-kafka-connect:7.6.0\n    environment:\n      CONNECT_GROUP_ID: g\n      \
                CONNECT_REPLICATION_FACTOR: 1\n      CONNECT_OFFSET_STORAGE_REPLICATION_FACTOR: 1\n";
    assert_eq!(found("orders", "docker-compose.yml", file), ["KX002 7"]);
}

#[test]
fn connectors_of_confluents_operator() {
    let file = "apiVersion: platform.confluent.io/v1beta1\nkind: Connector\nmetadata:\n  name: sink\nspec:\n  class: io.example.Sink\n  \
                configs:\n    topics: orders\n    errors.tolerance: all\n    consumer.override.auto.offset.reset: latest\n";
    assert_eq!(found("orders", "sink.yaml", file), ["KX001 9", "KC002 10"]);
}

#[test]
fn quarkus_hands_kafka_settings_to_every_channel() {
    let channel = "mp.messaging.incoming.orders.connector=smallrye-kafka\n";
    assert!(any(&found("orders", "application.properties", channel), "KC002"));
    let all = format!("kafka.auto.offset.reset=earliest\n{channel}");
    assert!(!any(&found("orders", "application.properties", &all), "KC002"));
    let own = format!("{all}mp.messaging.incoming.orders.auto.offset.reset=latest\n");
    assert!(has(&found("orders", "application.properties", &own), "KC002 3"));
}

#[test]
fn streams_in_quarkus() {
    let file = "quarkus.kafka-streams.application-id=totals\nkafka-streams.auto.offset.reset=latest\nkafka-streams.replication.factor=1\n\
                kafka-streams.processing.guarantee=exactly_once_v2\n";
    assert_eq!(found("orders", "application.properties", file), ["KC002 2", "KX002 3"]);
}

#[test]
fn the_producer_of_a_binders_transactions() {
    let file = "spring:\n  cloud:\n    stream:\n      kafka:\n        binder:\n          transaction:\n            \
                transaction-id-prefix: tx-\n            producer:\n              configuration:\n                retries: 1\n                \
                acks: all\n";
    assert!(has(&found("orders", "application.yml", file), "KP003 10"));
}

#[test]
fn placeholders_of_programs_with_names_of_their_own() {
    let file = "queue:\n  kafka:\n    bootstrap.servers: \"${SERVERS:localhost:9092}\"\n    acks: \"${ACKS:all}\"\n    retries: \
                \"${RETRIES:1}\"\n    batch.size: \"${BATCH:16384}\"\n    buffer.memory: \"${BUFFER:33554432}\"\n";
    let found = found("orders", "thing.yml", file);
    assert!(has(&found, "KP003 5") && !any(&found, "KP001"), "{found:?}");
}

#[test]
fn what_a_profile_leaves_as_it_is_is_told_once() {
    let file = "spring.kafka.consumer.group-id=g\n#---\nspring.config.activate.on-profile=dev\nspring.kafka.bootstrap-servers=a:1\n#---\n\
                spring.config.activate.on-profile=prod\nspring.kafka.bootstrap-servers=b:1\n";
    assert_eq!(found("orders", "application.properties", file), ["KC002 1"]);
    let own = format!("{file}spring.kafka.consumer.auto-offset-reset=latest\n");
    assert_eq!(found("orders", "application.properties", &own), ["KC002 1", "KC002 8"]);
}

#[test]
fn the_type_of_a_queue_may_be_filled_in_elsewhere() {
    let queue = |kind: &str| {
        format!(
            "resource \"rabbitmq_queue\" \"q\" {{\n  name = \"q\"\n  settings {{\n    durable = true\n    arguments_json = jsonencode({{\n      \
             \"x-queue-type\" = {kind}\n    }})\n  }}\n}}\n"
        )
    };
    assert!(any(&found("orders", "q.tf", &queue("\"classic\"")), "RQT002"));
    assert!(!any(&found("orders", "q.tf", &queue("local.queue_type")), "RQT002"));
    assert!(!any(&found("orders", "q.tf", &queue("\"quorum\"")), "RQT002"));
}

#[test]
fn values_of_a_chart_below_the_name_of_its_parts() {
    let file = "kafka:\n  controller:\n    extraConfig: |\n      offsets.topic.replication.factor=1\n";
    let found = found("orders", "values.yaml", file);
    assert!(has(&found, "KB006 4"), "{found:?}");
    // The chart gives its pods a claim.
    assert!(!any(&found, "KB004"), "{found:?}");
}

#[test]
fn definitions_tell_the_release_of_their_node() {
    let file = |release: &str| {
        format!(
            "{{\"rabbit_version\":\"{release}\",\"vhosts\":[{{\"name\":\"/\"}}],\"queues\":[],\"exchanges\":[],\"bindings\":[],\"policies\":[\
             {{\"vhost\":\"/\",\"name\":\"ha\",\"pattern\":\".*\",\"apply-to\":\"queues\",\"definition\":{{\"ha-mode\":\"all\",\
             \"ha-sync-mode\":\"automatic\",\"ha-promote-on-failure\":\"when-synced\"}},\"priority\":0}}]}}"
        )
    };
    assert!(!any(&found("orders", "definitions.json", &file("3.13.7")), "RQT003"));
    assert!(any(&found("orders", "definitions.json", &file("4.1.0")), "RQT003"));
}

#[test]
fn one_broker_is_told_once_with_what_asks_for_one_copy() {
    let file = "services:\n  kafka:\n    image: apache/kafka:4.1.0\n    environment:\n      KAFKA_NODE_ID: 1\n      KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: 1\n";
    let s = Setup::with(&[("docker-compose.yml", file)]);
    let (_, report) = s.json(&["docker-compose.yml"]);
    let all = report["findings"].as_array().unwrap();
    let single = all.iter().find(|f| f["rule"] == "KB000").unwrap();
    assert_eq!(single["related"][0]["line"], 6, "{single}");
}

#[test]
fn variables_in_a_file_of_their_own() {
    let file = "# the broker\nKAFKA_NODE_ID=1\nexport KAFKA_PROCESS_ROLES=broker\nKAFKA_MIN_INSYNC_REPLICAS=\"1\" # for now\n\
                KAFKA_AUTO_CREATE_TOPICS_ENABLE=true # and this\nKAFKA_UNCLEAN_LEADER_ELECTION_ENABLE=\n";
    let found = found("orders", "kafka.env", file);
    assert!(has(&found, "KB005 5") && has(&found, "KB002 4"), "{found:?}");
    // What the container sets itself is not known here.
    assert!(!any(&found, "KB001") && !any(&found, "KB004"), "{found:?}");
    let s = Setup::with(&[("deploy/.env", "PORT=80\nTAG=latest\n"), ("deploy/kafka.env", file)]);
    let (code, report) = s.json(&["."]);
    assert_eq!((code, &report["passed"]), (1, &1.into()), "{report:#}");
}

#[test]
fn streams_takes_a_clients_settings_without_a_prefix() {
    let file = "application.id=totals\nbootstrap.servers=a:1\nacks=1\nkey.serializer=s\n";
    assert!(has(&found("orders", "app.properties", file), "KX002 3"));
}

#[test]
fn topics_that_a_connector_creates() {
    let file = "{\"name\": \"source\", \"config\": {\n\"connector.class\": \"io.debezium.connector.mysql.MySqlConnector\",\n\
                \"topic.creation.default.replication.factor\": 1,\n\"topic.creation.default.partitions\": 10,\n\
                \"confluent.topic.replication.factor\": \"1\",\n\"errors.deadletterqueue.topic.replication.factor\": 3\n}}\n";
    let found = found("orders", "source.json", file);
    assert!(has(&found, "KX002 3") && has(&found, "KX002 5"), "{found:?}");
    assert_eq!(found.iter().filter(|f| f.starts_with("KX002")).count(), 2, "{found:?}");
}

#[test]
fn a_connector_that_is_no_json_is_an_error() {
    let s = Setup::with(&[(
        "sink.json",
        "{\"name\": \"s\", \"config\": {\n\"connector.class\": \"Sink\",\n\"a\" \"b\"}}\n",
    )]);
    let (code, report) = s.json(&["sink.json"]);
    assert_eq!((code, &report["errors"][0]["line"]), (3, &3.into()), "{report:#}");
}

#[test]
fn topics_that_confluents_broker_keeps_for_itself() {
    let file = "broker.id=1\nlisteners=a\nconfluent.license.topic.replication.factor=1\nconfluent.tier.metadata.replication.factor=3\n";
    let found = found("orders", "server.properties", file);
    assert!(has(&found, "KB007 3") && !has(&found, "KB007 4"), "{found:?}");
}

#[test]
fn ksqldb_is_streams_with_connect_inside() {
    let file = "services:\n  ksql:\n    image: confluentinc/cp-ksqldb-server:7.6.0\n    environment:\n      KSQL_KSQL_STREAMS_AUTO_OFFSET_RESET: \
                latest\n      KSQL_KSQL_INTERNAL_TOPIC_REPLICAS: 1\n      KSQL_CONNECT_OFFSET_STORAGE_REPLICATION_FACTOR: 1\n";
    assert_eq!(
        found("orders", "docker-compose.yml", file),
        ["KC002 5", "KX002 6", "KX002 7"]
    );
    let bare = "services:\n  ksql:\n    image: confluentinc/cp-ksqldb-server:7.6.0\n    environment:\n      KSQL_BOOTSTRAP_SERVERS: a\n";
    let s = Setup::with(&[("docker-compose.yml", bare)]);
    assert_eq!(s.json(&["docker-compose.yml"]).0, 3);
}

#[test]
fn templates_that_are_no_yaml_are_named() {
    let file = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ template \"x\" . }}-mq\ndata:\n  rabbitmq.conf: |\n    a = {{ .Values.b }}\n";
    let s = Setup::with(&[("cm.yaml", file)]);
    let ran = s.run(&["cm.yaml"]);
    assert!(ran.code == 3 && ran.stderr.contains("template"), "{}", ran.stderr);
}

#[test]
fn the_older_chart_of_rabbitmq() {
    let file = "replicaCount: 3\nrabbitmqClusterPartitionHandling: ignore\nrabbitmqMemoryHighWatermark: 256MB\n";
    assert!(has(&found("orders", "values.yaml", file), "RQB001 2"));
}

#[test]
fn a_driver_of_a_benchmark_holds_clients_and_a_topic_and_no_broker() {
    let file = "name: Kafka\ndriverClass: io.openmessaging.benchmark.driver.kafka.KafkaBenchmarkDriver\nreplicationFactor: 1\ntopicConfig: |\n  \
                min.insync.replicas=1\ncommonConfig: |\n  bootstrap.servers=localhost:9092\nproducerConfig: |\n  acks=1\n  linger.ms=1\n\
                consumerConfig: |\n  auto.offset.reset=earliest\n  enable.auto.commit=true\n";
    assert_eq!(
        found("orders", "kafka.yaml", file),
        ["KT001 3", "KP001 9", "KP002 9", "KC001 13"]
    );
    let safe = file
        .replace("replicationFactor: 1", "replicationFactor: 3")
        .replace("replicas=1", "replicas=2")
        .replace("acks=1", "acks=all")
        .replace("commit=true", "commit=false");
    assert_eq!(found("orders", "kafka.yaml", &safe), Vec::<String>::new());
}

#[test]
fn commands_of_pipelines_and_playbooks_make_topics_and_policies() {
    let tasks = "version: '3'\ntasks:\n  topics:\n    cmds:\n      - docker exec kafka kafka-topics --create --topic orders --replication-factor 1\n      \
                 - |\n        kafka-topics.sh --create --topic state \\\n          --partitions 3 --replication-factor 1\n";
    assert_eq!(found("orders", "Taskfile.yaml", tasks), ["KT001 5", "KT001 8"]);
    let playbook = "- hosts: all\n  tasks:\n    - name: mirror\n      shell: rabbitmqctl set_policy -p / ha-all \"^\" '{\"ha-mode\":\"all\"}'\n";
    assert_eq!(found("orders", "deploy.yaml", playbook), ["RQT003 4"]);
    let listing = "tasks:\n  - shell: kafka-topics --list --bootstrap-server localhost:9092\n";
    assert_eq!(found("orders", "deploy.yaml", listing), Vec::<String>::new());
}

#[test]
fn the_image_of_a_broker_that_runs_tests_is_no_broker() {
    let file = "services:\n  kafkatest:\n    image: wurstmeister/kafka\n    environment:\n      KAFKA_PORT: 9092\n      KAFKA_ZOOKEEPER_CONNECT: \
                zookeeper:2181\n    entrypoint:\n      - ./runTestPattern.sh\n";
    assert_eq!(found("orders", "docker-compose.yml", file), Vec::<String>::new());
    let broker = file
        .replace("runTestPattern", "custom-entrypoint")
        .replace("KAFKA_PORT: 9092", "KAFKA_BROKER_ID: 1");
    assert!(any(&found("orders", "docker-compose.yml", &broker), "KB004"));
}

#[test]
fn automq_unpacked_in_any_image_keeps_its_log_elsewhere() {
    let file = "services:\n  broker1:\n    image: eclipse-temurin:17-jdk-noble\n    environment:\n      - KAFKA_CFG_LISTENERS=PLAINTEXT://:9092\n    \
                command:\n      - bash\n      - -c\n      - |\n        /opt/automq/scripts/start.sh up --process.roles broker --s3.bucket ko3\n";
    assert_eq!(found("orders", "docker-compose.yml", file), Vec::<String>::new());
}

#[test]
fn a_controller_alone_makes_no_topics_for_the_brokers() {
    let file = |roles: &str| {
        format!(
            "process.roles={roles}\nnode.id=1\nlog.dirs=/data\ncontroller.quorum.voters=1@a:9093,2@b:9093,3@c:9093\n\
             offsets.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\n"
        )
    };
    let controller = found("orders", "server.properties", &file("controller"));
    assert!(
        !any(&controller, "KB006") && !any(&controller, "KB007"),
        "{controller:?}"
    );
    let broker = found("orders", "server.properties", &file("broker"));
    assert!(has(&broker, "KB006 5") && has(&broker, "KB007 6"), "{broker:?}");
}

#[test]
fn nothing_but_variables_is_filled_in_and_joined_elsewhere() {
    let file = "node.id=${NODE_ID}\ncontroller.quorum.voters=${VOTERS}\n";
    assert_eq!(found("orders", "node.properties", file), Vec::<String>::new());
}

#[test]
fn brokers_of_one_number_are_not_brokers_of_one_cluster() {
    let service = |name: &str| {
        format!(
            "  {name}:\n    image: confluentinc/cp-kafka:7.6.0\n    environment:\n      KAFKA_BROKER_ID: 1\n      KAFKA_ZOOKEEPER_CONNECT: zookeeper:2181\n"
        )
    };
    let file = format!("services:\n{}{}{}", service("plain"), service("tls"), service("sasl"));
    let found = found("orders", "docker-compose.yml", &file);
    assert!(
        any(&found, "KB000") && !any(&found, "KB010") && !any(&found, "KB002"),
        "{found:?}"
    );
}

#[test]
fn older_images_of_confluent_declare_their_data_directory_too() {
    for image in [
        "confluentinc/cp-enterprise-kafka:5.2.1",
        "confluentinc/confluent-local:7.6.0",
    ] {
        let file = format!(
            "services:\n  kafka:\n    image: {image}\n    environment:\n      KAFKA_BROKER_ID: 1\n      KAFKA_ZOOKEEPER_CONNECT: z\n"
        );
        let s = Setup::with(&[("docker-compose.yml", file.as_str())]);
        let (_, report) = s.json(&["docker-compose.yml"]);
        let all = report["findings"].as_array().unwrap();
        let data = all.iter().find(|f| f["rule"] == "KB004").unwrap();
        assert_eq!(data["severity"], "medium", "{image}: {data}");
    }
}

#[test]
fn an_image_that_makes_topics_is_built_like_wurstmeisters() {
    let file = "services:\n  kafka:\n    build: .\n    environment:\n      KAFKA_CREATE_TOPICS: \"test:1:1\"\n      KAFKA_ZOOKEEPER_CONNECT: \
                zookeeper:2181\n    volumes:\n      - /var/run/docker.sock:/var/run/docker.sock\n";
    let s = Setup::with(&[("docker-compose.yml", file)]);
    let (_, report) = s.json(&["docker-compose.yml"]);
    let all = report["findings"].as_array().unwrap();
    let data = all.iter().find(|f| f["rule"] == "KB004").unwrap();
    assert_eq!(data["severity"], "medium", "{data}");
    assert!(all.iter().any(|f| f["rule"] == "KT001"));
}

#[test]
fn control_center_keeps_its_state_in_topics() {
    let file = |copies: u8| {
        format!(
            "services:\n  center:\n    image: confluentinc/cp-enterprise-control-center:7.6.0\n    environment:\n      \
             CONTROL_CENTER_BOOTSTRAP_SERVERS: b:9092\n      CONTROL_CENTER_REPLICATION_FACTOR: {copies}\n"
        )
    };
    assert_eq!(found("orders", "docker-compose.yml", &file(1)), ["KX002 6"]);
    assert_eq!(found("orders", "docker-compose.yml", &file(3)), Vec::<String>::new());
}

#[test]
fn a_policy_is_judged_without_the_queues_that_applications_declare() {
    let policy = |pattern: &str, definition: &str| {
        format!(
            "apiVersion: rabbitmq.com/v1beta1\nkind: Policy\nmetadata:\n  name: p\nspec:\n  name: p\n  pattern: {pattern}\n  \
             applyTo: queues\n  definition:\n{definition}  rabbitmqClusterReference:\n    name: c\n"
        )
    };
    let of = |pattern: &str, definition: &str| found("orders", "p.yaml", &policy(pattern, definition));
    assert!(has(&of("orders", "    message-ttl: 70000\n"), "RQT007 10"));
    assert!(has(&of("orders", "    max-length: 1000\n"), "RQT005 10"));
    assert!(has(&of("orders", "    expires: 1800000\n"), "RQT008 10"));
    // A dead letter exchange takes what goes, and a refusal tells the publisher.
    let kept = of(
        "orders",
        "    message-ttl: 70000\n    max-length: 9\n    dead-letter-exchange: dlx\n",
    );
    assert!(!any(&kept, "RQT007") && !any(&kept, "RQT005"), "{kept:?}");
    assert!(!any(
        &of("orders", "    max-length: 9\n    overflow: reject-publish\n"),
        "RQT005"
    ));
    // The server's own names are those of queues that live as long as their connection.
    assert!(!any(&of("^amq.", "    expires: 1800000\n"), "RQT008"));
    // A queue that has the policy is told of once.
    let queue = "---\napiVersion: rabbitmq.com/v1beta1\nkind: Queue\nmetadata:\n  name: q\nspec:\n  name: orders\n  durable: true\n  \
                 rabbitmqClusterReference:\n    name: c\n";
    let both = format!("{}{queue}", policy("orders", "    message-ttl: 70000\n"));
    let told = found("orders", "p.yaml", &both);
    assert_eq!(told.iter().filter(|f| f.starts_with("RQT007")).count(), 1, "{told:?}");
}

#[test]
fn an_operators_policy_in_an_export_is_judged() {
    let file = "{\"rabbit_version\":\"3.7.4\",\"vhosts\":[{\"name\":\"/\"}],\"queues\":[],\"exchanges\":[],\"bindings\":[],\"parameters\":[\n\
                {\"value\":{\"pattern\":\"^archive\",\"definition\":{\n\"max-length-bytes\":200000000},\"priority\":0,\"apply-to\":\"queues\"},\
                \"vhost\":\"/\",\"component\":\"operator_policy\",\"name\":\"archive\"}]}";
    assert!(has(&found("orders", "definitions.json", file), "RQT005 3"));
}

#[test]
fn policies_and_settings_of_nodes_in_the_values_of_any_chart() {
    let file = "conf:\n  cinder: {}\n  rabbitmq:\n    policies:\n      - vhost: cinder\n        name: ttl\n        definition:\n          \
                message-ttl: 70000\n        priority: 0\n        apply-to: all\n        pattern: '^(?!(amq\\.|reply_)).*'\n";
    assert!(has(&found("orders", "values.yaml", file), "RQT007 8"));
    let node =
        "conf:\n  rabbitmq:\n    cluster_partition_handling: autoheal\n    listeners:\n      tcp:\n        1: 5672\n";
    assert!(has(&found("orders", "values.yaml", node), "RQB001 3"));
}

#[test]
fn a_worker_whose_settings_stand_in_one_variable() {
    let file = "services:\n  a:\n    image: debezium/strimzi-connect\n    environment:\n      - KAFKA_CONNECT_BOOTSTRAP_SERVERS=kafka:9092\n      \
                - |\n        KAFKA_CONNECT_CONFIGURATION=\n        group.id=connect\n        offset.storage.replication.factor=1\n  \
                b:\n    image: redpandadata/connectors\n    environment:\n      CONNECT_CONFIGURATION: |\n        group.id=connect\n        \
                config.storage.replication.factor=1\n        status.storage.replication.factor=-1\n";
    assert_eq!(found("orders", "docker-compose.yml", file), ["KX002 9", "KX002 15"]);
}

#[test]
fn bitnamis_variables_tell_its_chart() {
    let file = "extraEnvVars:\n  - name: KAFKA_CFG_OFFSETS_TOPIC_REPLICATION_FACTOR\n    value: \"1\"\n  - name: KAFKA_CFG_MIN_INSYNC_REPLICAS\n    \
                value: \"1\"\n";
    let found = found("orders", "values.yaml", file);
    assert!(any(&found, "KB006") && any(&found, "KB002"), "{found:?}");
}

#[test]
fn listeners_as_the_first_spring_boot_had_them() {
    let file = "spring.rabbitmq.host=a\nspring.rabbitmq.listener.acknowledge-mode=none\nspring.rabbitmq.listener.default-requeue-rejected=false\n";
    let found = found("orders", "application.properties", file);
    assert!(has(&found, "RQC001 2") && has(&found, "RQC002 3"), "{found:?}");
}

#[test]
fn topics_of_every_provider_of_clusters() {
    let file = "resource \"ovh_cloud_project_database_kafka_topic\" \"t\" {\n  name = \"t\"\n  min_insync_replicas = 1\n  replication = 2\n}\n\
                resource \"yandex_mdb_kafka_topic\" \"y\" {\n  name = \"y\"\n  replication_factor = 1\n  topic_config {\n    retention_ms = 1000\n  }\n}\n";
    for name in ["topics.tf", "topics.tofu", "topics.hcl"] {
        let found = found("orders", name, file);
        for wanted in ["KT001 4", "KT002 3", "KT001 8", "KT005 10"] {
            assert!(has(&found, wanted), "{name} {wanted}: {found:?}");
        }
    }
}

#[test]
fn arguments_that_commands_give_to_queues() {
    let of = |command: &str| found("orders", "queues.sh", &format!("#!/bin/sh\n{command}\n"));
    let quorum = of("rabbitmqadmin declare queue name=$Q durable=true arguments='{\"x-queue-type\":\"quorum\"}'");
    assert!(!any(&quorum, "RQT002"), "{quorum:?}");
    let expiring = of(
        "rabbitmqadmin -V / declare queue name=q durable=true arguments='{\"x-message-ttl\":60000,\"x-max-length\":10}'",
    );
    assert!(has(&expiring, "RQT007 2") && has(&expiring, "RQT005 2"), "{expiring:?}");
    let anew = of(
        "rabbitmqadmin declare queue --name q --type quorum --durable false --arguments '{\"x-message-ttl\":60000}'",
    );
    assert!(has(&anew, "RQT007 2") && !any(&anew, "RQT002"), "{anew:?}");
    let policy =
        of("rabbitmqadmin declare policy name=p pattern=orders definition='{\"max-length\":10}' apply-to=queues");
    assert!(has(&policy, "RQT005 2"), "{policy:?}");
    // What the shell fills in may be anything.
    let filled_in = of("rabbitmqadmin declare queue name=q durable=true arguments=\"$ARGUMENTS\"");
    assert!(
        !any(&filled_in, "RQT002") && !any(&filled_in, "RQT009"),
        "{filled_in:?}"
    );
}

#[test]
fn what_scripts_make() {
    let file = "#!/bin/bash\nset -e\necho \"kafka-topics --create --topic shown --replication-factor 1\"\n\
                docker exec -t broker kafka-topics --create --bootstrap-server kafka:9092 --replication-factor 1 --topic orders\n\
                docker exec broker bash -c \"kafka-topics.sh --create --topic bills \\\n  --replication-factor 1\"\n\
                rabbitmqadmin -u house -p correcthorse declare queue name=q durable=false\n";
    let found = found("orders", "create-topics.sh", file);
    let copies: Vec<&String> = found.iter().filter(|f| f.starts_with("KT001")).collect();
    assert_eq!(copies, ["KT001 4", "KT001 6"], "{found:?}");
    assert!(has(&found, "RQT001 7"), "{found:?}");
    let s = Setup::with(&[("create-topics.sh", file)]);
    let (_, report) = s.json(&["create-topics.sh"]);
    assert!(!report.to_string().contains("correcthorse"));
    // On a walk, a script of something else is passed over in silence.
    assert!(self::found("orders", "build.sh", "#!/bin/sh\nmake all\n").is_empty());
}

#[test]
fn programs_that_make_topics_say_how_many_copies_under_names_of_their_own() {
    let properties =
        "audit.config.proxy.type=KAFKA\naudit.kafka.topic.numPartitions=3\naudit.kafka.topic.replicationFactor=2\n";
    assert_eq!(found("orders", "application.properties", properties), ["KT001 3"]);
    let yaml = "kafka-fetcher:\n  selector: ${FETCHER:-}\n  default:\n    bootstrapServers: ${SERVERS:localhost:9092}\n    replicationFactor: ${FACTOR:2}\n";
    assert_eq!(found("orders", "application.yml", yaml), ["KT001 5"]);
    let compose = |factor: u8| {
        format!(
            "services:\n  shop:\n    image: house/shop:1\n    environment:\n      - SHOP_KAFKA_BROKERS=kafka:9092\n      - \
             SHOP_KAFKA_TOPICREPLICATIONFACTOR={factor}\n"
        )
    };
    assert_eq!(found("orders", "docker-compose.yml", &compose(1)), ["KT001 6"]);
    assert!(found("orders", "docker-compose.yml", &compose(3)).is_empty());
    // What brokers and Connect know by such names is theirs.
    let others = "x.kafka.offsets.topic.replication.factor=1\nx.kafka.config.storage.replication.factor=1\n";
    assert!(found("orders", "thing.properties", others).is_empty());
}

#[test]
fn a_rack_is_no_second_broker_where_the_file_holds_the_whole_cluster() {
    let file = "services:\n  kafka:\n    image: confluentinc/cp-kafka:7.6.0\n    environment:\n      KAFKA_BROKER_ID: 1\n      KAFKA_BROKER_RACK: r1\n      \
                KAFKA_ZOOKEEPER_CONNECT: z:2181\n      KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: 1\n";
    let found = found("orders", "docker-compose.yml", file);
    assert!(any(&found, "KB000") && !any(&found, "KB001"), "{found:?}");
}

#[test]
fn the_example_that_explains_a_config_map_is_none_of_its_files() {
    let file = |key: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: m\ndata:\n  {key}: |\n    auto.offset.reset=latest\n    enable.auto.commit=true\n    group.id=g\n"
        )
    };
    assert!(any(&found("orders", "map.yaml", &file("consumer.properties")), "KC002"));
    assert!(found("orders", "map.yaml", &file("_example")).is_empty());
}

#[test]
fn definitions_of_policies_alone() {
    let file = "{\"users\":[],\"vhosts\":[{\"name\":\"/\"}],\"policies\":[{\"vhost\":\"/\",\"name\":\"ha\",\"pattern\":\"ha.*\",\n\
                \"apply-to\":\"queues\",\"definition\":{\"ha-mode\":\"exactly\",\"ha-params\":2}}]}";
    let s = Setup::with(&[("definitions.json", file)]);
    let (_, report) = s.json(&["definitions.json"]);
    let all = report["findings"].as_array().unwrap();
    let told: Vec<_> = all.iter().map(|f| (&f["rule"], &f["line"])).collect();
    assert!(
        told.iter().any(|(rule, line)| *rule == "RQT003" && **line == 2),
        "{told:?}"
    );
    assert!(any(&found("orders", "rabbit.json", file), "RQT003"));
}
