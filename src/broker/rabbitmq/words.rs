//! What lapin and RabbitMQ say, as a person reads it and as far as it decides anything.

use lapin::{Error, ErrorKind};

/// Reply codes of AMQP 0-9-1 (1.2) that RabbitMQ uses to say no.
pub(super) mod code {
    /// The login, or the right to do it, was refused.
    pub(in super::super) const ACCESS_REFUSED: u16 = 403;
    /// No such queue or exchange.
    pub(in super::super) const NOT_FOUND: u16 = 404;
    /// An exclusive queue of another connection.
    pub(in super::super) const RESOURCE_LOCKED: u16 = 405;
    /// Arguments differ, or a message is too large.
    pub(in super::super) const PRECONDITION_FAILED: u16 = 406;
    /// The virtual host is closed to this user, or is not there.
    pub(in super::super) const NOT_ALLOWED: u16 = 530;
    /// A stream cannot be read like a queue.
    pub(in super::super) const NOT_IMPLEMENTED: u16 = 540;
}

/// The reply code and text, when the broker itself closed the channel or the connection.
pub(super) fn reply(error: &Error) -> Option<(u16, String)> {
    match error.kind() {
        ErrorKind::ProtocolError(e) => Some((e.get_id(), plain(e.get_message().as_str()))),
        ErrorKind::ChannelsLimitReached
        | ErrorKind::InvalidProtocolVersion(_)
        | ErrorKind::InvalidChannel(_)
        | ErrorKind::InvalidChannelState(..)
        | ErrorKind::InvalidConnectionState(_)
        | ErrorKind::IOError(_)
        | ErrorKind::RuntimeShutdownError(_)
        | ErrorKind::ParsingError(_)
        | ErrorKind::SerialisationError(_)
        | ErrorKind::AuthProviderError(_)
        | ErrorKind::FutureCompleted
        | ErrorKind::NoDefaultRuntime
        | ErrorKind::MissingHeartbeatError
        | _ => None,
    }
}

/// Why something failed. lapin's own `Debug` is never used: it may hold what was sent.
pub(super) fn why(error: &Error) -> String {
    if let Some((code, text)) = reply(error) {
        return format!("{text} ({code})");
    }
    match error.kind() {
        ErrorKind::MissingHeartbeatError => "the broker was silent for two heartbeats".to_owned(),
        ErrorKind::IOError(e) => io(e),
        ErrorKind::InvalidConnectionState(_) | ErrorKind::InvalidChannelState(..) | ErrorKind::InvalidChannel(_) => {
            "the connection was closed".to_owned()
        }
        ErrorKind::InvalidProtocolVersion(_) => "it does not speak AMQP 0-9-1".to_owned(),
        ErrorKind::ParsingError(_) => "what it sent is not AMQP 0-9-1".to_owned(),
        ErrorKind::SerialisationError(_) => "a frame could not be written".to_owned(),
        ErrorKind::ChannelsLimitReached => "the broker allows no more channels".to_owned(),
        ErrorKind::AuthProviderError(e) => e.clone(),
        ErrorKind::RuntimeShutdownError(_) | ErrorKind::FutureCompleted | ErrorKind::NoDefaultRuntime => {
            "the client was shut down".to_owned()
        }
        // ProtocolError was answered above; the enum may grow.
        ErrorKind::ProtocolError(_) | _ => "the client failed".to_owned(),
    }
}

/// The words of an operating system error, without its number.
pub(super) fn io(error: &std::io::Error) -> String {
    use std::io::ErrorKind as Io;
    let known = [
        (Io::ConnectionRefused, "connection refused"),
        (Io::ConnectionReset, "the broker closed the connection"),
        (Io::ConnectionAborted, "the broker closed the connection"),
        (Io::UnexpectedEof, "the broker closed the connection"),
        (Io::BrokenPipe, "the broker closed the connection"),
        (Io::TimedOut, "no answer in time"),
    ];
    match known.iter().find(|(kind, _)| *kind == error.kind()) {
        Some((_, words)) => (*words).to_owned(),
        None => error.to_string(),
    }
}

/// Whether a 404 is about a queue that exists and cannot be used now, rather than about one that is not there.
///
/// RabbitMQ answers 404 to both. What is absent is `no queue 'q' in vhost '/'`; a durable queue without its process is `home node
/// 'n' of durable queue 'q' in vhost '/' is down or inaccessible`, or `queue 'q' in vhost '/' process is stopped by supervisor` or
/// `… has crashed and failed to restart` (rabbit_amqqueue.erl, `priv_absent`). A long name cuts the end of a text off, so its
/// beginning decides.
pub(super) fn is_out_of_reach(text: &str) -> bool {
    text.starts_with("home node '") || text.starts_with("queue '")
}

/// RabbitMQ's reply text without the name of the code that is printed beside it.
fn plain(text: &str) -> String {
    match text.split_once(" - ") {
        Some((name, rest)) if name.chars().all(|c| c.is_ascii_uppercase() || c == '_') => rest.to_owned(),
        Some(_) | None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapin::protocol::{AMQPError, AMQPErrorKind};

    #[test]
    fn a_queue_that_is_down_is_not_absent() {
        for down in [
            "home node 'rabbit@b' of durable queue 'q' in vhost '/' is down or inaccessible",
            "queue 'q' in vhost '/' process is stopped by supervisor",
            "queue 'q' in vhost '/' has crashed and failed to restart",
        ] {
            assert!(is_out_of_reach(down), "{down}");
        }
        for absent in [
            "no queue 'q' in vhost '/'",
            "no queue 'home node ' is down or inaccessible' in vhost '/'",
            "no exchange 'e' in vhost '/'",
            "Queue 'q' does not exist",
            "",
        ] {
            assert!(!is_out_of_reach(absent), "{absent}");
        }
    }

    #[test]
    fn the_brokers_words_come_through() {
        let kind = AMQPErrorKind::from_id(403).unwrap();
        let error = Error::from(ErrorKind::ProtocolError(AMQPError::new(
            kind,
            "ACCESS_REFUSED - Login was refused".into(),
        )));
        assert_eq!(reply(&error), Some((403, "Login was refused".to_owned())));
        assert_eq!(why(&error), "Login was refused (403)");
    }
}
