//! Every reader on the files beside `tests/fixtures/readers`: what it finds, with lines and columns; and on whatever text comes.

use super::{Reading, read};
use crate::audit::fact::{Dialect, Effect, Fact, Unit};
use crate::text::SourceFile;
use proptest::prelude::*;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn fact(out: &mut String, sign: &str, source: &SourceFile, fact: &Fact) {
    let spot = fact.place.spot;
    let end = source.spot(fact.place.span.end);
    let effect = match fact.effect {
        Effect::Live => String::new(),
        Effect::Overridden { by_line } => format!(" (overridden by line {by_line})"),
        Effect::ByteOrderMark => " (byte order mark)".to_owned(),
        Effect::Ignored { why } => format!(" (ignored: {why})"),
    };
    let to = if end.line == spot.line {
        format!("{}", end.column)
    } else {
        format!("{}:{}", end.line, end.column)
    };
    let _ = writeln!(
        out,
        "  {sign}{}={} {}:{}-{to}{effect}",
        fact.key,
        fact.value.show(),
        spot.line,
        spot.column
    );
}

fn unit(out: &mut String, source: &SourceFile, unit: &Unit) {
    let _ = write!(out, "{}", unit.dialect.name());
    for (what, text) in [
        ("name", unit.name.clone()),
        ("carrier", unit.carrier.map(str::to_owned)),
        ("release", unit.release.map(|(a, b, c)| format!("{a}.{b}.{c}"))),
        ("brokers", unit.brokers.map(|n| n.to_string())),
        (
            "at",
            unit.head.as_ref().map(|p| format!("{}:{}", p.spot.line, p.spot.column)),
        ),
        ("fragment", unit.fragment.map(str::to_owned)),
    ] {
        if let Some(text) = text {
            let _ = write!(out, " {what}={text:?}");
        }
    }
    let _ = writeln!(out);
    let mut rest = 0;
    for subject in &unit.subjects {
        let vhost = subject.vhost.as_ref().map(|v| format!(" in {v}")).unwrap_or_default();
        let spot = subject.place.spot;
        let _ = writeln!(
            out,
            " {} {}{vhost} {}:{}",
            subject.layer.name(),
            subject.name,
            spot.line,
            spot.column
        );
        for f in unit.facts_of(subject) {
            fact(out, "", source, f);
        }
        rest = subject.facts.end;
    }
    for f in unit.facts.iter().skip(rest) {
        fact(out, "", source, f);
    }
    for implied in &unit.implied {
        let _ = writeln!(out, "  implied {}={}", implied.key, implied.value);
    }
    for f in &unit.surroundings {
        fact(out, "~", source, f);
    }
    for (line, what) in &unit.remarks {
        let _ = writeln!(out, "  remark {line}: {what}");
    }
}

fn shown(name: &str, bytes: Vec<u8>) -> String {
    let source = SourceFile::new(bytes);
    let mut out = String::new();
    match read(&Arc::from(name), Path::new(name), &source, None, None) {
        Reading::Units { units, .. } => units.iter().for_each(|u| unit(&mut out, &source, u)),
        Reading::Malformed { spot, what } => out = format!("malformed {}:{} {what}\n", spot.line, spot.column),
        Reading::NotYet(what) => out = format!("not judged: {what}\n"),
        Reading::NotMessaging(what) => out = format!("not about messaging: {what}\n"),
    }
    out
}

fn files_below(dir: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        match path.is_dir() {
            true => files_below(&path, found),
            false => found.push(path),
        }
    }
}

#[test]
fn every_reader_finds_what_stands_there_and_where() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/readers");
    let mut files = Vec::new();
    files_below(&root, &mut files);
    files.retain(|f| f.extension().is_none_or(|e| e != "snap"));
    assert!(files.len() > 20, "{}", files.len());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(&root);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = shown(&name, std::fs::read(&file).unwrap());
        settings.bind(|| insta::assert_snapshot!(name, text));
    }
}

/// Lines that get past recognition, in any order and nesting.
fn near_misses() -> impl Strategy<Value = String> {
    let word = proptest::sample::select(vec![
        "apiVersion: kafka.strimzi.io/v1",
        "kind: Kafka",
        "kind: KafkaTopic",
        "kind: ConfigMap",
        "kind: StatefulSet",
        "apiVersion: v1",
        "apiVersion: rabbitmq.com/v1beta1",
        "kind: Queue",
        "kind: RabbitmqCluster",
        "metadata:",
        "name: ż",
        "spec:",
        "kafka:",
        "config:",
        "min.insync.replicas: 1",
        "services:",
        "image: apache/kafka:3.7.0",
        "image: bitnami/kafka",
        "image: wurstmeister/kafka:2.13-2.8.1",
        "environment:",
        "- KAFKA_MIN_INSYNC_REPLICAS=1",
        "- \"KAFKA_CREATE_TOPICS=a:1:1,b\"",
        "KAFKA_NODE_ID: ${X:-1}",
        "command: kafka-topics --create --topic x --replication-factor 1",
        "command: [\"sh\", \"-c\", \"kafka-topics --create --topic 'x\"]",
        "volumes:",
        "- ./a:/b:ro",
        "- /x",
        "spring:",
        "spring.kafka.producer.acks: ${A:1}",
        "rabbitmq:",
        "producer:",
        "acks: 1",
        "projects:",
        "context: x",
        "topics:",
        "- name: a",
        "replicas: 1",
        "data:",
        "server.properties: |",
        "broker.id=1",
        "definitions.json: |",
        "{\"queues\":[{\"name\":\"q\",\"durable\":false}]}",
        "\"%dev.mp.messaging.outgoing.a.acks\": 1",
        "mp.messaging.incoming.\"a.b\".x: 1",
        "additionalConfig: |",
        "cluster_partition_handling = ignore",
        "<<: *a",
        "a: &a",
        "- &b x",
        "*b : 1",
        "{{- if }}",
        "{{ x }}: {{ y }}",
        "---",
        "...",
        "%YAML 1.2",
        "? x",
        ": y",
        "key: >-",
        "'",
        "\"",
        "[",
        "}",
        "# mqsafe: ignore[KB002]",
        "resource \"kafka_topic\" \"a\" {",
        "resource \"rabbitmq_queue\" \"a\" {",
        "replication_factor = 1",
        "settings {",
        "}",
        "x = <<EOF",
        "EOF",
        "arguments_json = <<E\n{\"x\": 1}\nE",
        "listeners.tcp.default = 1",
        "spring.kafka.consumer.x[0]=1",
        "#---",
        "brokerRole=SYNC_MASTER",
        "connector.class=x",
        "A->B.enabled=true",
        "clusters=A,B",
        "provisioning:",
        "persistence:",
        "enabled: false",
        "controller:",
        "replicaCount: 1",
        "overrideConfiguration:",
    ]);
    let line = (
        0usize..5,
        word,
        proptest::sample::select(vec!["\n", "\r\n", "", " ", "\n\n"]),
    );
    proptest::collection::vec(line, 0..24).prop_map(|lines| {
        lines
            .into_iter()
            .map(|(n, w, e)| format!("{}{w}{e}", "  ".repeat(n)))
            .collect()
    })
}

fn places_are_inside(units: &[Unit], bytes: usize) -> bool {
    let facts = units.iter().flat_map(|u| u.facts.iter().chain(&u.surroundings));
    let heads = units.iter().filter_map(|u| u.head.as_ref());
    let subjects = units.iter().flat_map(|u| u.subjects.iter().map(|s| &s.place));
    facts
        .map(|f| &f.place)
        .chain(heads)
        .chain(subjects)
        .all(|p| p.span.start <= p.span.end && p.span.end <= bytes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn any_text_is_read_and_every_place_is_inside(
        text in near_misses(),
        noise in proptest::option::of(".{0,20}"),
        name in proptest::sample::select(vec![
            "compose.yaml", "application-dev.yml", "application.properties", "values.yaml", "main.tf", "rabbitmq.conf", "x.json", "Kafkafile", "broker.conf",
            "x.yaml.j2",
        ]),
        dialect in proptest::option::weighted(0.2, proptest::sample::select(Dialect::NAMED.to_vec())),
    ) {
        let text = match noise {
            Some(noise) => format!("{text}{noise}\n{text}"),
            None => text,
        };
        let source = SourceFile::new(text.clone().into_bytes());
        if let Reading::Units { units, .. } = read(&Arc::from(name), Path::new(name), &source, dialect, None) {
            prop_assert!(places_are_inside(&units, text.len()), "{name}: {text}");
        }
    }
}
