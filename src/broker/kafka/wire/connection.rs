//! One connection: requests go out in order, and their answers come back in the same order.

use super::stream::Stream;
use super::{Settings, sasl, words};
use crate::model::{Stage, Unreached};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{ApiVersionsRequest, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{
    Decodable, HeaderVersion, Request, StrBytes, VersionRange, encode_request_header_into_buffer,
};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// No answer but that to a fetch is larger; more is not Kafka.
const ANSWER_BYTES: usize = 64 << 20;
/// The memory of an answer grows in steps, so that a length that lies costs nothing.
const STEP_BYTES: usize = 1 << 20;
/// An answer that has begun comes at least so fast: one that drips would never be silent, and never end.
const SLOWEST_BYTES_PER_S: u64 = 16 << 10;

/// How long to wait, and whether to go on at all.
#[derive(Debug, Clone)]
pub(in crate::broker::kafka) struct Limits {
    /// How long nothing may come while something is waited for.
    pub(in crate::broker::kafka) patience: Duration,
    /// Set when nobody waits for the answer any more.
    pub(in crate::broker::kafka) stop: Arc<AtomicBool>,
}

impl Limits {
    /// Whether somebody asked to stop.
    pub(in crate::broker::kafka) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub(super) fn check(&self, host: &str, since: Instant) -> Result<(), Unreached> {
        if self.is_stopped() {
            return Err(Unreached::new("stopped"));
        }
        if since.elapsed() >= self.patience {
            return Err(Unreached::new(format!(
                "no answer from {host} for {} s",
                self.patience.as_secs().max(1)
            )));
        }
        Ok(())
    }
}

/// A connection to one broker that has said which versions it speaks, and has let us in.
pub(in crate::broker::kafka) struct Connection {
    /// `host:port`, for messages.
    pub(in crate::broker::kafka) host: String,
    stream: Stream,
    limits: Limits,
    client_id: StrBytes,
    versions: HashMap<i16, VersionRange>,
    next: i32,
    out: BytesMut,
}

impl Connection {
    /// Connects and logs in.
    ///
    /// # Errors
    /// How far it came and why no further.
    pub(in crate::broker::kafka) fn open(
        host: &str,
        settings: &Settings,
        limits: &Limits,
    ) -> Result<Connection, Unreached> {
        let mut connection = Connection {
            host: host.to_owned(),
            stream: Stream::open(host, settings, limits)?,
            limits: limits.clone(),
            client_id: StrBytes::from_string(settings.client_id.clone()),
            versions: HashMap::new(),
            next: 0,
            out: BytesMut::new(),
        };
        // Version 0 is the one that every broker answers.
        // One that waits for something else than our first request hangs up on it.
        let hint = |e: Unreached| Unreached {
            why: format!("{} (check security.protocol)", e.why),
            ..e
        };
        let answer = connection.ask_as(&ApiVersionsRequest::default(), 0).map_err(hint)?;
        if answer.error_code != 0 {
            return Err(Unreached::new(format!("{host}: {}", words(answer.error_code))));
        }
        let range = |min, max| VersionRange { min, max };
        connection.versions = answer
            .api_keys
            .iter()
            .map(|api| (api.api_key, range(api.min_version, api.max_version)))
            .collect();
        if let Some(login) = &settings.login {
            sasl::authenticate(&mut connection, login)
                .map_err(|e| Unreached::at(e.stage.unwrap_or(Stage::Authentication), e.why))?;
        }
        Ok(connection)
    }

    /// How long this connection waits from now on.
    pub(in crate::broker::kafka) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// The newest version of a request that both sides speak, up to `most`.
    pub(in crate::broker::kafka) fn version<R: Request>(&self, most: i16) -> Option<i16> {
        let both = self.versions.get(&R::KEY)?.intersect(&R::VERSIONS);
        (!both.is_empty() && both.min <= most).then(|| both.max.min(most))
    }

    /// Asks, in the newest version up to `most`, and waits for the answer.
    ///
    /// # Errors
    /// When the broker does not speak it, does not answer, or answers something else.
    pub(in crate::broker::kafka) fn ask<R: Request>(
        &mut self,
        most: i16,
        request: &R,
    ) -> Result<R::Response, Unreached> {
        let version = self
            .version::<R>(most)
            .ok_or_else(|| Unreached::new(format!("{} does not speak the versions that are needed", self.host)))?;
        self.ask_as(request, version)
    }

    fn ask_as<R: Request>(&mut self, request: &R, version: i16) -> Result<R::Response, Unreached> {
        let number = self.send(request, version)?;
        let mut answer = Vec::new();
        let length = self.receive(&mut answer, ANSWER_BYTES)?;
        answer.truncate(length);
        let mut answer = Bytes::from(answer);
        let host = &self.host;
        let strange = |e: &dyn std::fmt::Display| Unreached::new(format!("{host} answered something strange: {e}"));
        let header = ResponseHeader::decode(&mut answer, R::Response::header_version(version));
        let header = header.map_err(|e| strange(&e))?;
        if header.correlation_id != number {
            return Err(strange(&"the answer to another question"));
        }
        R::Response::decode(&mut answer, version).map_err(|e| strange(&e))
    }

    /// Sends a request, and says by which number its answer is known.
    ///
    /// # Errors
    /// When the broker does not take it.
    pub(in crate::broker::kafka) fn send<R: Request>(&mut self, request: &R, version: i16) -> Result<i32, Unreached> {
        let number = self.next;
        self.next = self.next.wrapping_add(1).max(0);
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(number)
            .with_client_id(Some(self.client_id.clone()));
        self.out.clear();
        self.out.extend_from_slice(&[0; 4]);
        encode_request_header_into_buffer(&mut self.out, &header)
            .and_then(|()| request.encode(&mut self.out, version))
            .map_err(|e| Unreached::new(format!("a request cannot be written: {e}")))?;
        let length = u32::try_from(self.out.len() - 4).unwrap_or(u32::MAX);
        self.out[..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write(&self.host, &self.out, &self.limits)?;
        Ok(number)
    }

    /// Waits for the next answer, which fills the front of `buffer`; says how many bytes of it. What the buffer has beyond is left
    /// from before, so that it need not be cleared.
    ///
    /// # Errors
    /// When nothing comes, or more than `most` bytes are announced.
    pub(in crate::broker::kafka) fn receive(&mut self, buffer: &mut Vec<u8>, most: usize) -> Result<usize, Unreached> {
        let mut length = [0; 4];
        let mut heard = Instant::now();
        self.fill(&mut length, &mut heard)?;
        let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > most || length < 4 {
            return Err(Unreached::new(format!(
                "what answers at {} does not speak Kafka's protocol here",
                self.host
            )));
        }
        let (mut at, begun) = (0, Instant::now());
        while at < length {
            let room = length.min((at * 2).max(STEP_BYTES)).max(buffer.len().min(length));
            if buffer.len() < room {
                buffer.reserve_exact(room - buffer.len());
                buffer.resize(room, 0);
            }
            let into = buffer.get_mut(at..room).unwrap_or_default();
            self.fill_since(into, &mut heard, Some((begun, at)))?;
            at = room;
        }
        Ok(length)
    }

    fn fill(&mut self, into: &mut [u8], heard: &mut Instant) -> Result<(), Unreached> {
        self.fill_since(into, heard, None)
    }

    /// Fills `into`, of an answer that began at a moment and of which so many bytes came before.
    fn fill_since(
        &mut self,
        into: &mut [u8],
        heard: &mut Instant,
        began: Option<(Instant, usize)>,
    ) -> Result<(), Unreached> {
        let mut at = 0;
        while let Some(rest) = into.get_mut(at..).filter(|rest| !rest.is_empty()) {
            at += self.stream.read(&self.host, rest, &self.limits, *heard)?;
            *heard = Instant::now();
            if let Some((begun, before)) = began
                && drips(begun.elapsed(), before + at, self.limits.patience)
            {
                return Err(Unreached::new(format!(
                    "{} sent {} bytes of an answer in {} s",
                    self.host,
                    before + at,
                    begun.elapsed().as_secs()
                )));
            }
        }
        Ok(())
    }
}

/// Whether an answer comes too slowly to be waited for: so much of it after so long.
fn drips(since: Duration, came: usize, patience: Duration) -> bool {
    let fair = u64::try_from(came).unwrap_or(u64::MAX) / SLOWEST_BYTES_PER_S;
    since > patience.saturating_add(Duration::from_secs(fair))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drip_is_given_up_and_a_slow_line_is_not() {
        let patience = Duration::from_secs(4);
        assert!(!drips(Duration::from_secs(4), 1, patience));
        assert!(drips(Duration::from_secs(5), 17, patience));
        // 64 KiB a second.
        assert!(!drips(Duration::from_secs(60), 60 << 16, patience));
    }
}
