//! A connection to one broker, in the clear or by TLS, that never waits longer than a slice before it looks whether to stop.

use super::super::probe::lookup;
use super::{Limits, Settings};
use crate::broker::tls;
use crate::model::{Stage, Unreached};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long one call may wait; whoever asks to stop is heard after that.
const SLICE: Duration = Duration::from_millis(100);

pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// Whether a call only took its slice of time.
fn is_slice(error: &io::Error) -> bool {
    [
        io::ErrorKind::WouldBlock,
        io::ErrorKind::TimedOut,
        io::ErrorKind::Interrupted,
    ]
    .contains(&error.kind())
}

impl Stream {
    /// Connects to `host:port`.
    ///
    /// # Errors
    /// How far it came and why no further.
    pub(super) fn open(host: &str, settings: &Settings, limits: &Limits) -> Result<Stream, Unreached> {
        let start = Instant::now();
        let tcp = connect(host, limits)?;
        let io = |e: io::Error| Unreached::at(Stage::Tcp, format!("{host}: {e}"));
        tcp.set_nodelay(true).map_err(io)?;
        tcp.set_read_timeout(Some(SLICE)).map_err(io)?;
        tcp.set_write_timeout(Some(SLICE)).map_err(io)?;
        let Some(config) = &settings.tls else {
            return Ok(Stream::Plain(tcp));
        };
        let (name, _) = host.rsplit_once(':').unwrap_or((host, ""));
        let name = name.trim_start_matches('[').trim_end_matches(']').to_owned();
        let at_tls = |why: String| Unreached::at(Stage::Tls, format!("{host}: {why}"));
        let server = ServerName::try_from(name.clone()).map_err(|e| at_tls(e.to_string()))?;
        let client = ClientConnection::new(config.clone(), server).map_err(|e| at_tls(e.to_string()))?;
        let mut stream = StreamOwned::new(client, tcp);
        while stream.conn.is_handshaking() {
            match stream.conn.complete_io(&mut stream.sock) {
                Ok(_) => {}
                Err(e) if is_slice(&e) => limits.check(host, start)?,
                Err(e) => {
                    let why = tls::refusal(&e).map_or_else(|| e.to_string(), |refused| tls::words(refused, &name));
                    return Err(at_tls(why));
                }
            }
        }
        Ok(Stream::Tls(Box::new(stream)))
    }

    /// Reads some bytes, waiting no longer than the limits allow since `heard`.
    pub(super) fn read(
        &mut self,
        host: &str,
        into: &mut [u8],
        limits: &Limits,
        heard: Instant,
    ) -> Result<usize, Unreached> {
        loop {
            let read = match self {
                Stream::Plain(tcp) => tcp.read(into),
                Stream::Tls(tls) => tls.read(into),
            };
            match read {
                Ok(0) => return Err(hung_up(host)),
                Ok(count) => return Ok(count),
                Err(e) if is_slice(&e) => limits.check(host, heard)?,
                Err(e) => return Err(failed(host, &e)),
            }
        }
    }

    /// Writes all bytes.
    pub(super) fn write(&mut self, host: &str, mut bytes: &[u8], limits: &Limits) -> Result<(), Unreached> {
        let start = Instant::now();
        while !bytes.is_empty() {
            let written = match self {
                Stream::Plain(tcp) => tcp.write(bytes),
                Stream::Tls(tls) => tls.write(bytes),
            };
            match written {
                Ok(0) => return Err(hung_up(host)),
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(e) if is_slice(&e) => limits.check(host, start)?,
                Err(e) => return Err(failed(host, &e)),
            }
        }
        self.flush(host, limits, start)
    }

    fn flush(&mut self, host: &str, limits: &Limits, start: Instant) -> Result<(), Unreached> {
        let Stream::Tls(tls) = self else { return Ok(()) };
        loop {
            match tls.flush() {
                Ok(()) => return Ok(()),
                Err(e) if is_slice(&e) => limits.check(host, start)?,
                Err(e) => return Err(failed(host, &e)),
            }
        }
    }
}

fn hung_up(host: &str) -> Unreached {
    Unreached::new(format!("{host} closed the connection"))
}

/// In TLS 1.3 a broker says no to the client's certificate after the handshake, in an alert.
fn failed(host: &str, error: &io::Error) -> Unreached {
    match tls::refusal(error) {
        Some(refused) => Unreached::at(Stage::Tls, format!("{host}: {}", tls::words(refused, host))),
        None => Unreached::new(format!("{host}: {error}")),
    }
}

fn connect(host: &str, limits: &Limits) -> Result<TcpStream, Unreached> {
    let start = Instant::now();
    let addresses = match host.parse::<SocketAddr>() {
        Ok(address) => vec![address],
        Err(_) => lookup(host, limits.patience).map_err(|why| Unreached::at(Stage::Dns, format!("{host}: {why}")))?,
    };
    let mut last = "no answer".to_owned();
    for address in addresses {
        limits.check(host, start)?;
        let left = limits.patience.saturating_sub(start.elapsed()).max(SLICE);
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => return Ok(stream),
            Err(e) => last = e.to_string(),
        }
    }
    Err(Unreached::at(Stage::Tcp, format!("{host}: {last}")))
}
