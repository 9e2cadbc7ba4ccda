//! RocketMQ's protocol as far as the proofs need it: one request, one answer, its codes as they are.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Exists on every broker from its first start on, master and slave.
const TOPIC: &str = "BenchmarkTest";

pub(crate) struct Wire {
    stream: TcpStream,
}

pub(crate) struct Answer {
    pub(crate) code: i64,
    pub(crate) header: serde_json::Value,
    pub(crate) body: Vec<u8>,
}

impl Wire {
    pub(crate) fn open(address: &str) -> std::io::Result<Wire> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        Ok(Wire { stream })
    }

    pub(crate) fn call(&mut self, code: u32, fields: &[(&str, &str)], body: &[u8]) -> std::io::Result<Answer> {
        let fields: serde_json::Map<String, serde_json::Value> = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).into()))
            .collect();
        let header = serde_json::json!({"code": code, "flag": 0, "language": "JAVA", "opaque": 1, "version": 0, "extFields": fields});
        let header = header.to_string();
        let mut frame = (4 + header.len() as u32 + body.len() as u32).to_be_bytes().to_vec();
        // The highest byte says how the header is written: 0 is JSON.
        frame.extend((header.len() as u32).to_be_bytes());
        frame.extend(header.as_bytes());
        frame.extend(body);
        self.stream.write_all(&frame)?;
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut answer)?;
        let header_end = 4 + u32::from_be_bytes([0, answer[1], answer[2], answer[3]]) as usize;
        let header: serde_json::Value = serde_json::from_slice(&answer[4..header_end])?;
        Ok(Answer {
            code: header["code"].as_i64().unwrap(),
            header,
            body: answer[header_end..].to_vec(),
        })
    }

    /// Makes a topic of one queue.
    pub(crate) fn make(&mut self, topic: &str) {
        let fields = [
            ("topic", topic),
            ("defaultTopic", "TBW102"),
            ("readQueueNums", "1"),
            ("writeQueueNums", "1"),
            ("perm", "6"),
            ("topicFilterType", "SINGLE_TAG"),
            ("topicSysFlag", "0"),
            ("order", "false"),
            ("attributes", ""),
        ];
        assert_eq!(self.call(17, &fields, b"").unwrap().code, 0, "{topic}");
    }

    /// Sends one message; whether the broker said that it is safe. Flush and slave time-outs are answers too, and say no.
    pub(crate) fn send(&mut self, id: &str) -> bool {
        self.send_to(TOPIC, id)
    }

    /// The same to another topic.
    pub(crate) fn send_to(&mut self, topic: &str, id: &str) -> bool {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_millis()
            .to_string();
        let fields = [
            ("a", "proof"),
            ("b", topic),
            ("c", "TBW102"),
            ("d", "1"),
            ("e", "0"),
            ("f", "0"),
            ("g", &now),
            ("h", "0"),
            ("i", "WAIT\u{1}true\u{2}"),
            ("j", "0"),
            ("k", "false"),
            ("m", "false"),
            ("n", "broker-a"),
        ];
        self.call(310, &fields, format!("<{id}>").as_bytes())
            .is_ok_and(|answer| answer.code == 0)
    }

    /// Every message of the queue, as a consumer pulls it.
    pub(crate) fn read(&mut self) -> BTreeSet<String> {
        self.read_from(TOPIC).expect("every broker has it")
    }

    /// The same of another topic; `None` where the broker does not know it.
    pub(crate) fn read_from(&mut self, topic: &str) -> Option<BTreeSet<String>> {
        let (mut found, mut next) = (BTreeSet::new(), "0".to_owned());
        loop {
            let fields = [
                ("consumerGroup", "TOOLS_CONSUMER"),
                ("topic", topic),
                ("queueId", "0"),
                ("queueOffset", &next),
                ("maxMsgNums", "32"),
                // Only the subscription that is in the request: no waiting, nothing is committed.
                ("sysFlag", "4"),
                ("commitOffset", "0"),
                ("suspendTimeoutMillis", "0"),
                ("subscription", "*"),
                ("subVersion", "0"),
                ("expressionType", "TAG"),
            ];
            let answer = self.call(11, &fields, b"").unwrap();
            let field = |name: &str| answer.header["extFields"][name].as_str().unwrap_or_default().to_owned();
            let (begin, end) = (field("nextBeginOffset"), field("maxOffset"));
            found.extend(ids(&answer.body));
            match answer.code {
                // FOUND, PULL_RETRY_IMMEDIATELY, PULL_OFFSET_MOVED
                0 | 20 | 21 if begin != next => next = begin,
                // Also PULL_NOT_FOUND: at the end.
                0 | 19 | 20 | 21 => {
                    assert!(
                        next == end || end.is_empty() || end == "0",
                        "stopped at {next} of {end}: {}",
                        answer.header
                    );
                    return Some(found);
                }
                // TOPIC_NOT_EXIST
                17 => return None,
                _ => panic!("{}", answer.header),
            }
        }
    }

    /// A number of bytes that the broker tells about itself, rounded where it is large; not all are told in every configuration.
    pub(crate) fn told(&mut self, name: &str) -> Option<f64> {
        let answer = self.call(28, &[], b"").unwrap();
        // A broker that has just begun answers that it does not know yet.
        let table: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
        let text = table["table"][name].as_str()?.to_owned();
        let (number, unit) = text.split_once(' ').unwrap_or((&text, "B"));
        let scale = match unit {
            "B" => 1.0,
            "KiB" => 1024.0,
            _ => panic!("{name}: {text}"),
        };
        Some(number.parse::<f64>().unwrap() * scale)
    }
}

/// The bodies `<id>` in what a pull gave.
fn ids(bytes: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(bytes);
    let pieces = text.split('<').skip(1).filter_map(|rest| rest.split_once('>'));
    pieces
        .map(|(id, _)| id.to_owned())
        .filter(|id| id.starts_with("m-"))
        .collect()
}

#[test]
fn bodies_are_found_between_other_bytes() {
    let found = ids(b"\0\xff<m-a-1>\x07x<m-b>><\0<m-");
    assert_eq!(found, ["m-a-1", "m-b"].map(str::to_owned).into());
}
