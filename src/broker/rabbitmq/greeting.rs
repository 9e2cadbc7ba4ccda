//! What a server says before anybody logs in: its product, its version, the logins that it offers.

use super::socket::Stream;
use super::target::Mechanism;
use crate::model::{Stage, Unreached};
use amq_protocol::frame::{AMQPFrame, parse_frame};
use amq_protocol::protocol::AMQPClass;
use amq_protocol::protocol::connection::AMQPMethod;
use futures_util::{AsyncReadExt, AsyncWriteExt};
use lapin::types::AMQPValue;

/// AMQP 0-9-1, 4.2.2.
const HEADER: &[u8; 8] = b"AMQP\x00\x00\x09\x01";
/// RabbitMQ's greeting has half a kilobyte.
const LARGEST: usize = 64 << 10;

/// The first words of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Greeting {
    /// `RabbitMQ 3.10.8`
    pub(super) server: String,
    /// The names of the logins that it offers.
    pub(super) mechanisms: Vec<String>,
}

impl Greeting {
    /// Whether the server offers a login.
    pub(super) fn check(&self, wanted: Mechanism) -> Result<(), Unreached> {
        let wanted = wanted.name();
        if self.mechanisms.iter().any(|m| m == wanted) {
            return Ok(());
        }
        let offered = self.mechanisms.join(", ");
        let why = format!("{} offers {offered}, not {wanted}", self.server);
        Err(Unreached::at(Stage::Authentication, why))
    }
}

/// Opens a conversation, reads the first words, and leaves.
pub(super) async fn read(mut stream: Stream) -> Result<Greeting, Unreached> {
    let not = |why: &str| Unreached::at(Stage::Authentication, why.to_owned());
    stream
        .write_all(HEADER)
        .await
        .map_err(|_| not("the server closed the connection before it said anything"))?;
    let mut bytes = Vec::new();
    loop {
        if let Some(greeting) = parse(&bytes)? {
            return Ok(greeting);
        }
        if bytes.len() > LARGEST {
            return Err(not("what the server says is not AMQP 0-9-1"));
        }
        let mut more = [0_u8; 4096];
        match stream.read(&mut more).await {
            Ok(0) | Err(_) => return Err(not("the server closed the connection before it said who it is")),
            Ok(n) => bytes.extend_from_slice(more.get(..n).unwrap_or_default()),
        }
    }
}

/// Reads `connection.start`; `None` while it is not whole.
fn parse(bytes: &[u8]) -> Result<Option<Greeting>, Unreached> {
    let not = || Unreached::at(Stage::Authentication, "what the server says is not AMQP 0-9-1");
    let frame = match parse_frame(bytes) {
        Ok((_, frame)) => frame,
        Err(e) if e.is_incomplete() => return Ok(None),
        Err(_) => return Err(not()),
    };
    let AMQPFrame::Method(_, AMQPClass::Connection(AMQPMethod::Start(start))) = frame else {
        return Err(not());
    };
    let property = |name: &str| match start.server_properties.inner().get(name) {
        Some(AMQPValue::LongString(text)) => text.to_string(),
        Some(_) | None => "of an unknown version".to_owned(),
    };
    Ok(Some(Greeting {
        server: format!("{} {}", property("product"), property("version")),
        mechanisms: start
            .mechanisms
            .to_string()
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_greeting_is_said() {
        assert_eq!(parse(b""), Ok(None));
        assert_eq!(parse(b"\x01\x00\x00"), Ok(None));
        assert!(parse(b"HTTP/1.1 400 Bad Request\r\n\r\n").is_err());
        assert!(parse(b"AMQP\x00\x01\x00\x00").is_err());
    }
}
