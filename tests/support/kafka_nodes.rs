//! What each node of Kafka knows, asked of the node itself: a client of the whole cluster is answered by any of them, and what one
//! has heard of the others may hear a moment later.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its own part of it")]

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    ApiKey, DescribeConfigsRequest, DescribeConfigsResponse, MetadataRequest, MetadataResponse, RequestHeader,
    ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// A node that takes connections answers within this time, or has not answered.
const ANSWER: Duration = Duration::from_secs(5);
const TOPIC: i8 = 2;

/// A partition as one node has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// -1 while nobody leads it.
    pub leader: i32,
    pub replicas: usize,
    pub in_sync: usize,
}

/// Whether something is so on every node that takes connections; one that is dead need not know anything.
pub fn everywhere(bootstrap: &str, so: impl Fn(TcpStream) -> bool) -> bool {
    let mut asked = 0;
    for node in bootstrap.split(',') {
        if let Ok(stream) = TcpStream::connect(node) {
            asked += 1;
            if !so(stream) {
                return false;
            }
        }
    }
    asked > 0
}

/// Whether every node has this topic with so many partitions, each of them led and with so many replicas in sync.
pub fn have_topic(bootstrap: &str, topic: &str, partitions: usize, in_sync: usize) -> bool {
    everywhere(bootstrap, |node| {
        let all = partitions_of(node, topic).flatten();
        all.is_some_and(|all| all.len() == partitions && all.iter().all(|p| p.leader >= 0 && p.in_sync == in_sync))
    })
}

/// Whether every node says that there is no such topic.
pub fn lack_topic(bootstrap: &str, topic: &str) -> bool {
    everywhere(bootstrap, |node| partitions_of(node, topic) == Some(None))
}

/// Whether a topic has these settings on every node.
pub fn have_settings(bootstrap: &str, topic: &str, settings: &[(&str, &str)]) -> bool {
    everywhere(bootstrap, |node| {
        let told = settings_of(node, topic).unwrap_or_default();
        settings
            .iter()
            .all(|(name, value)| told.iter().any(|(n, v)| n == name && v == value))
    })
}

/// The partitions as this node has them; `None` where it does not answer, `Some(None)` where it knows no such topic.
fn partitions_of(node: TcpStream, topic: &str) -> Option<Option<Vec<Partition>>> {
    let name = TopicName(StrBytes::from_string(topic.to_owned()));
    let request = MetadataRequest::default()
        .with_topics(Some(vec![MetadataRequestTopic::default().with_name(Some(name))]))
        .with_allow_auto_topic_creation(false);
    let answer: MetadataResponse = ask(node, ApiKey::Metadata, 4, &request)?;
    const UNKNOWN: i16 = 3;
    let topic = answer.topics.first()?;
    match topic.error_code {
        UNKNOWN => return Some(None),
        0 => {}
        _ => return None,
    }
    let of = |p: &kafka_protocol::messages::metadata_response::MetadataResponsePartition| Partition {
        leader: p.leader_id.0,
        replicas: p.replica_nodes.len(),
        in_sync: p.isr_nodes.len(),
    };
    Some(Some(topic.partitions.iter().map(of).collect()))
}

fn settings_of(node: TcpStream, topic: &str) -> Option<Vec<(String, String)>> {
    let of = DescribeConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(StrBytes::from_string(topic.to_owned()))
        .with_configuration_keys(None);
    let request = DescribeConfigsRequest::default().with_resources(vec![of]);
    let answer: DescribeConfigsResponse = ask(node, ApiKey::DescribeConfigs, 1, &request)?;
    let result = answer.results.first().filter(|r| r.error_code == 0)?;
    let all = result.configs.iter();
    let pairs = all.map(|c| {
        (
            c.name.to_string(),
            c.value.as_ref().map_or_else(String::new, ToString::to_string),
        )
    });
    Some(pairs.collect())
}

fn ask<Q: Encodable, A: Decodable>(mut node: TcpStream, key: ApiKey, version: i16, question: &Q) -> Option<A> {
    node.set_read_timeout(Some(ANSWER)).ok()?;
    let header = RequestHeader::default()
        .with_request_api_key(key as i16)
        .with_request_api_version(version)
        .with_correlation_id(1)
        .with_client_id(Some(StrBytes::from_static_str("mqsafe-tests")));
    let mut frame = BytesMut::new();
    header.encode(&mut frame, key.request_header_version(version)).unwrap();
    question.encode(&mut frame, version).unwrap();
    node.write_all(&(frame.len() as u32).to_be_bytes()).ok()?;
    node.write_all(&frame).ok()?;
    let mut length = [0; 4];
    node.read_exact(&mut length).ok()?;
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    node.read_exact(&mut answer).ok()?;
    let mut answer = Bytes::from(answer);
    ResponseHeader::decode(&mut answer, key.response_header_version(version)).unwrap();
    Some(A::decode(&mut answer, version).unwrap())
}

#[test]
fn nobody_asked_is_no_agreement() {
    // A port that is bound and where nobody listens takes no connections.
    let dead = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    assert!(!everywhere(&dead, |_| true));
}
