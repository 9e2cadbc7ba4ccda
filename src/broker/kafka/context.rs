//! What librdkafka calls back: its log, its errors, its delivery reports.

use super::config::KafkaTarget;
use super::delivery;
use super::oauth::Tokens;
use super::raw;
use crate::model::{Deliver, Delivery, Stage, Unreached};
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::ProducerContext;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The last thing that went wrong with a client, in words; shared with whoever must explain a wait.
#[derive(Debug, Clone, Default)]
pub(super) struct LastError(Arc<Mutex<Option<Unreached>>>);

impl LastError {
    pub(super) fn get(&self) -> Option<String> {
        self.0
            .lock()
            .unwrap_or_else(|e| e.into_inner())
            .as_ref()
            .map(|u| u.why.clone())
    }

    pub(super) fn set(&self, code: RDKafkaErrorCode, reason: &str) {
        let mut last = self.0.lock().unwrap_or_else(|e| e.into_inner());
        // "All brokers down" only repeats what the errors of the single brokers said better.
        if code != RDKafkaErrorCode::AllBrokersDown || last.is_none() {
            *last = Some(Unreached {
                stage: stage(code, reason),
                why: plain(reason),
            });
        }
    }

    /// The last failure, forgotten here.
    pub(super) fn take(&self) -> Unreached {
        let last = self.0.lock().unwrap_or_else(|e| e.into_inner()).take();
        last.unwrap_or_else(|| Unreached::new("no broker answered"))
    }

    /// The last failure, or that there was none and still no answer.
    pub(super) fn unreached(&self) -> Unreached {
        let last = self.0.lock().unwrap_or_else(|e| e.into_inner()).clone();
        last.unwrap_or_else(|| Unreached::new("no broker answered"))
    }
}

/// librdkafka's reason without its thread name and without the state that it was in.
fn plain(reason: &str) -> String {
    let reason = reason.split_once("]: ").map_or(reason, |(_, r)| r);
    reason.split(" (after ").next().unwrap_or(reason).trim().to_owned()
}

/// How far librdkafka came: by its own error codes, and where it has one code for all that a connection may die of, by its words
/// (librdkafka 2.12 `rdkafka_broker.c`, `rdkafka_ssl.c`, `rdkafka_transport.c`; a test holds them against it).
fn stage(code: RDKafkaErrorCode, reason: &str) -> Option<Stage> {
    let of = [
        (RDKafkaErrorCode::Resolve, Stage::Dns),
        (RDKafkaErrorCode::SSL, Stage::Tls),
        (RDKafkaErrorCode::Authentication, Stage::Authentication),
        (RDKafkaErrorCode::SaslAuthenticationFailed, Stage::Authentication),
        (RDKafkaErrorCode::UnsupportedSASLMechanism, Stage::Authentication),
        (RDKafkaErrorCode::IllegalSASLState, Stage::Authentication),
    ];
    if let Some((_, stage)) = of.iter().find(|(c, _)| *c == code) {
        return Some(*stage);
    }
    if code != RDKafkaErrorCode::BrokerTransportFailure {
        return None;
    }
    let words = [
        // In TLS 1.3 a broker says no to the client's certificate after the handshake, in an alert.
        ("SSL alert number", Stage::Tls),
        ("SSL routines", Stage::Tls),
        ("SSL handshake failed", Stage::Tls),
        // The broker hangs up on the first request: it waits for TLS, or the other way round.
        ("connecting to a SSL listener", Stage::Tls),
        ("connecting to a PLAINTEXT broker listener", Stage::Tls),
        (
            "verify that security.protocol is correctly configured",
            Stage::Authentication,
        ),
        ("Connect to ", Stage::Tcp),
        ("Connection setup timed out in state CONNECT", Stage::Tcp),
        ("Connection setup timed out in state SSL_HANDSHAKE", Stage::Tls),
        ("Connection setup timed out in state AUTH", Stage::Authentication),
    ];
    words.iter().find(|(w, _)| reason.contains(w)).map(|(_, stage)| *stage)
}

fn code_of(error: &KafkaError) -> RDKafkaErrorCode {
    error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown)
}

fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    use RDKafkaLogLevel::{Alert, Critical, Debug, Emerg, Error, Info, Notice, Warning};
    match level {
        Emerg | Alert | Critical | Error | Warning => tracing::warn!(target: "librdkafka", "{facility}: {message}"),
        Notice | Info => tracing::info!(target: "librdkafka", "{facility}: {message}"),
        Debug => tracing::debug!(target: "librdkafka", "{facility}: {message}"),
    }
}

/// The context of clients that ask and read.
pub(super) struct Asking {
    last_error: LastError,
    tokens: Option<Arc<Tokens>>,
}

impl Asking {
    pub(super) fn new(target: &KafkaTarget, last_error: LastError) -> Asking {
        Asking {
            last_error,
            tokens: target.tokens.clone(),
        }
    }
}

/// How long queued events are heard.
const HEARING: Duration = Duration::from_millis(20);

/// Hears what is queued: errors, log lines, requests for a token. One poll without a wait takes one event, and an error may stand
/// behind many log lines.
pub(super) fn hear<C: ConsumerContext>(client: &BaseConsumer<C>) {
    let until = Instant::now() + HEARING;
    while let Some(left) = until
        .checked_duration_since(Instant::now())
        .filter(|left| !left.is_zero())
    {
        let _ = client.poll(left);
    }
}

fn token(tokens: Option<&Tokens>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
    let tokens = tokens.ok_or("nothing says where tokens come from")?;
    Ok(tokens.get()?)
}

impl ClientContext for Asking {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        token(self.tokens.as_deref())
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.last_error.set(code_of(&error), reason);
    }
}

impl ConsumerContext for Asking {}

/// The context of a client that only shows whether it can be made.
pub(super) struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, _level: RDKafkaLogLevel, _facility: &str, _message: &str) {}
    fn error(&self, _error: KafkaError, _reason: &str) {}
}

impl ProducerContext for Quiet {
    type DeliveryOpaque = ();

    fn delivery(&self, _result: &DeliveryResult<'_>, _opaque: ()) {}
}

/// The context of clients that publish.
pub(super) struct Publishing {
    pub(super) last_error: LastError,
    pub(super) deliver: Arc<Deliver>,
    /// Set when a batch was refused for its size although its messages may be small enough one by one.
    pub(super) too_large: Arc<AtomicBool>,
    /// Whether this client already sends one message a batch.
    pub(super) one_by_one: bool,
    /// A message of this size or more is a batch of its own.
    pub(super) batch_bytes: u32,
    /// Where tokens come from, for SASL OAUTHBEARER.
    pub(super) tokens: Option<Arc<Tokens>>,
}

impl Publishing {
    /// Whether a message was certainly the only one of its batch, so that what was said of the batch was said of it.
    fn is_alone(&self, message: &impl Message) -> bool {
        let bytes = message.key().map_or(0, <[u8]>::len) + message.payload().map_or(0, <[u8]>::len);
        self.one_by_one || bytes >= self.batch_bytes as usize
    }
}

impl ClientContext for Publishing {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        token(self.tokens.as_deref())
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.last_error.set(code_of(&error), reason);
    }
}

impl ProducerContext for Publishing {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: usize) {
        let (message, error) = match result {
            Ok(message) => (message, None),
            Err((error, message)) => (message, Some(code_of(error))),
        };
        let status = raw::persistence(message);
        let mut outcome = delivery::judge(status, error, message.partition(), message.offset());
        if let (Delivery::Refused(why), Some(code)) = (&outcome, error)
            && delivery::is_too_large(code)
            && !self.is_alone(message)
        {
            self.too_large.store(true, Ordering::Relaxed);
            outcome = Delivery::NotSent(why.clone());
        }
        (self.deliver)(ticket as u64, outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_lose_the_threads_name() {
        let text = "[thrd:127.0.0.1:1/bootstrap]: 127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)";
        assert_eq!(
            plain(text),
            "127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused"
        );
    }

    #[test]
    fn the_better_reason_stays() {
        let last = LastError::default();
        last.set(RDKafkaErrorCode::BrokerTransportFailure, "refused");
        last.set(RDKafkaErrorCode::AllBrokersDown, "1/1 brokers are down");
        assert_eq!(last.get().as_deref(), Some("refused"));
    }
}
