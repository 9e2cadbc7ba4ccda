//! Requests and replies as they go over the wire.

use super::acl;
use super::settings::Credentials;
use bytes::{Bytes, BytesMut};
use rocketmq_protocol::protocol::SerializeType;
use rocketmq_protocol::{EncodedFrame, RemotingCommand, RequestCode};
use std::collections::BTreeMap;
use std::str::FromStr;

/// The largest frame that is taken from a server. Brokers announce what they send (pulls are cut at 256 KiB beyond the first
/// message, whose size the topic's owner chose), so this only bounds what a wrong or hostile length can cost.
pub(super) const LARGEST_FRAME: usize = 64 << 20;

/// A question to a name server or a broker.
#[derive(Debug, Clone)]
pub(super) struct Request {
    code: RequestCode,
    fields: BTreeMap<String, String>,
    body: Bytes,
}

impl Request {
    pub(super) fn new(code: RequestCode) -> Request {
        Request {
            code,
            fields: BTreeMap::new(),
            body: Bytes::new(),
        }
    }

    #[must_use]
    pub(super) fn with(mut self, name: &str, value: impl ToString) -> Request {
        self.fields.insert(name.to_owned(), value.to_string());
        self
    }

    #[must_use]
    pub(super) fn with_body(mut self, body: impl Into<Bytes>) -> Request {
        self.body = body.into();
        self
    }

    /// The bytes of its frame, signed where there are credentials.
    ///
    /// # Errors
    /// The codec's words, when a field is too long for the frame.
    pub(super) fn encode(&self, opaque: i32, credentials: Option<&Credentials>) -> Result<Bytes, String> {
        let mut fields = self.fields.clone();
        if let Some(credentials) = credentials {
            acl::sign(&mut fields, &self.body, credentials);
        }
        // The version is what the server fits its answer to; JSON is what every server since 3.0 reads.
        let version = rocketmq_protocol::version::CURRENT_VERSION as i32;
        let mut command = RemotingCommand::with_resolved_defaults(version, SerializeType::JSON)
            .set_code(self.code)
            .set_opaque(opaque);
        command.ensure_ext_fields_initialized();
        for (name, value) in fields {
            command.add_ext_field(name, value);
        }
        if !self.body.is_empty() {
            command.set_body_mut_ref(self.body.clone());
        }
        let frame = EncodedFrame::from_command(command).map_err(|e| e.to_string())?;
        Ok(frame.into_bytes())
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) code: i32,
    /// The server's words.
    pub(super) remark: String,
    /// Its version, as the ordinal of `MQVersion.Version`.
    pub(super) version: i32,
    pub(super) body: Bytes,
    fields: BTreeMap<String, String>,
}

impl Reply {
    /// A field that the protocol promises.
    ///
    /// # Errors
    /// That it is absent or not of its type.
    pub(super) fn field<T: FromStr>(&self, name: &str) -> Result<T, String> {
        field(&self.fields, name).map_err(|why| format!("its answer {why}"))
    }

    /// The server's words, with the code.
    pub(super) fn words(&self) -> String {
        // Brokers add the address of their documentation, and older ones a stack trace.
        let remark = self.remark.lines().next().unwrap_or_default();
        let remark = remark.split(" See http").next().unwrap_or(remark).trim();
        match remark.is_empty() {
            true => format!("code {}", self.code),
            false => format!("code {}: {remark}", self.code),
        }
    }
}

/// What came in.
#[derive(Debug)]
pub(super) enum Incoming {
    /// The answer to the request with this number.
    Reply(i32, Reply),
    /// A request of the server: brokers tell clients of changes in their group, and ask producers about half messages.
    Asked(Question),
}

/// What a server asks.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) code: i32,
    pub(super) body: Bytes,
    fields: BTreeMap<String, String>,
}

impl Question {
    /// As [`Reply::field`].
    ///
    /// # Errors
    /// That it is absent or not of its type.
    pub(super) fn field<T: FromStr>(&self, name: &str) -> Result<T, String> {
        field(&self.fields, name).map_err(|why| format!("its question {why}"))
    }
}

fn field<T: FromStr>(fields: &BTreeMap<String, String>, name: &str) -> Result<T, String> {
    let text = fields.get(name).ok_or_else(|| format!("has no {name}"))?;
    text.parse().map_err(|_| format!("has a {name} that is no number"))
}

/// Takes the first whole frame out of what was received; `None` when it is not whole yet.
///
/// # Errors
/// That the bytes are no frame: nothing after them can be understood.
pub(super) fn take(received: &mut BytesMut) -> Result<Option<Incoming>, String> {
    let command = RemotingCommand::decode_with_max_frame_bytes(received, LARGEST_FRAME)
        .map_err(|e| format!("what came is no RocketMQ frame ({e})"))?;
    let Some(mut command) = command else {
        return Ok(None);
    };
    let fields = command.ext_fields().map_or_else(BTreeMap::new, |fields| {
        let owned = |text: &str| text.to_owned();
        fields
            .iter()
            .map(|(name, value)| (owned(name.as_str()), owned(value.as_str())))
            .collect()
    });
    if !command.is_response_type() {
        return Ok(Some(Incoming::Asked(Question {
            code: command.code(),
            body: command.take_body().unwrap_or_default(),
            fields,
        })));
    }
    let reply = Reply {
        code: command.code(),
        remark: command.remark().map(|r| r.as_str().to_owned()).unwrap_or_default(),
        version: command.version(),
        body: command.take_body().unwrap_or_default(),
        fields,
    };
    Ok(Some(Incoming::Reply(command.opaque(), reply)))
}

/// The words for a version ordinal, as far as it is known here.
pub(super) fn version(ordinal: i32) -> String {
    let known = u32::try_from(ordinal)
        .ok()
        .and_then(rocketmq_protocol::version::RocketMqVersion::from_repr)
        .map(|v| format!("{v:?}"));
    match known {
        Some(name) => format!("version {}", name.trim_start_matches('V').replace('_', ".")),
        None => format!("version number {ordinal}"),
    }
}

/// An answer for tests.
#[cfg(test)]
pub(super) fn reply(code: i32, remark: &str, fields: &[(&str, &str)]) -> Reply {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Reply {
        code,
        remark: remark.to_owned(),
        version: 0,
        body: Bytes::new(),
        fields: fields.iter().map(owned).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_request_goes_over_the_wire_and_is_no_reply() {
        let request = Request::new(RequestCode::SendMessageV2)
            .with("i", "KEYS\u{1}ä\u{2}")
            .with_body("body");
        let mut bytes = BytesMut::from(&request.encode(7, None).unwrap()[..]);
        let whole = bytes.clone();
        for length in 0..whole.len() {
            let mut part = BytesMut::from(&whole[..length]);
            assert!(matches!(take(&mut part), Ok(None)), "{length}");
        }
        let Ok(Some(Incoming::Asked(question))) = take(&mut bytes) else {
            panic!("no question");
        };
        assert_eq!((question.code, &question.body[..]), (310, &b"body"[..]));
        assert_eq!(question.field::<String>("i").unwrap(), "KEYS\u{1}ä\u{2}");
        assert!(question.field::<i64>("i").is_err() && question.field::<i64>("absent").is_err());
        assert!(bytes.is_empty());
    }

    #[test]
    fn a_length_beyond_the_cap_is_refused_before_anything_is_read() {
        let mut bytes = BytesMut::from(&[0x7f, 0xff, 0xff, 0xff][..]);
        assert!(take(&mut bytes).is_err());
    }

    #[test]
    fn a_reply_is_read() {
        let header = br#"{"code":17,"flag":1,"language":"JAVA","opaque":5,"remark":"no topic\nSee https://x","serializeTypeCurrentRPC":"JSON","version":477,"extFields":{"offset":"12","bad":"x"}}"#;
        let mut bytes = BytesMut::new();
        bytes.extend_from_slice(&(4 + header.len() as u32 + 2).to_be_bytes());
        bytes.extend_from_slice(&(header.len() as u32).to_be_bytes());
        bytes.extend_from_slice(header);
        bytes.extend_from_slice(b"ok");
        let Ok(Some(Incoming::Reply(5, reply))) = take(&mut bytes) else {
            panic!("no reply");
        };
        assert_eq!((reply.code, &reply.body[..]), (17, &b"ok"[..]));
        assert_eq!(reply.words(), "code 17: no topic");
        assert_eq!(reply.field::<i64>("offset"), Ok(12));
        assert!(reply.field::<i64>("bad").is_err() && reply.field::<i64>("absent").is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut bytes = BytesMut::from(&bytes[..]);
            while let Ok(Some(_)) = take(&mut bytes) {}
        }

        #[test]
        fn arbitrary_headers_never_panic(kind in 0u8..3, header in prop::collection::vec(any::<u8>(), 0..300), body in 0usize..20) {
            let mut bytes = BytesMut::new();
            bytes.extend_from_slice(&((4 + header.len() + body) as u32).to_be_bytes());
            bytes.extend_from_slice(&((u32::from(kind) << 24) | header.len() as u32).to_be_bytes());
            bytes.extend_from_slice(&header);
            bytes.resize(bytes.len() + body, 0);
            let _ = take(&mut bytes);
        }
    }
}
