//! The way to a server: its name, its port, its certificate. Each step fails with its own words.

use super::words;
use crate::broker::tls;
use crate::model::{Stage, Unreached};
use async_compat::Compat;
use lapin::AsyncTcpStream;
use lapin::tcp::RustlsConnector;
use rustls::ClientConfig;
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpStream;

/// A connected stream, as lapin takes it.
pub(super) type Stream = AsyncTcpStream<Compat<TcpStream>>;

/// Ends a connection for good when it is dropped, whatever hangs on it: lapin's thread waits for its socket without a limit,
/// and frames that wait in it must not be written after their messages were given up.
#[derive(Debug)]
pub(super) struct Cut(std::net::TcpStream);

impl Cut {
    /// Ends it now.
    pub(super) fn now(&self) {
        // It may be closed already.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        self.now();
    }
}

/// `host:port` with its parts; an IPv6 address loses its brackets.
pub(super) fn host_and_port(address: &str) -> (&str, u16) {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    (host, port.parse().unwrap_or(5672))
}

/// Looks a name up.
pub(super) async fn resolve(address: &str) -> Result<Vec<SocketAddr>, Unreached> {
    let (host, port) = host_and_port(address);
    let found = tokio::net::lookup_host((host, port)).await;
    let found: Vec<SocketAddr> = found
        .map_err(|_| Unreached::at(Stage::Dns, format!("there is no address for the name {host}")))?
        .collect();
    if found.is_empty() {
        return Err(Unreached::at(
            Stage::Dns,
            format!("there is no address for the name {host}"),
        ));
    }
    Ok(found)
}

/// Connects to the first address that answers.
pub(super) async fn connect(addresses: &[SocketAddr]) -> Result<(TcpStream, Cut), Unreached> {
    let mut why = "it has no address".to_owned();
    for address in addresses {
        let connected = TcpStream::connect(address).await.and_then(|stream| {
            stream.set_nodelay(true)?;
            let plain = stream.into_std()?;
            let cut = Cut(plain.try_clone()?);
            Ok((TcpStream::from_std(plain)?, cut))
        });
        match connected {
            Ok(connected) => return Ok(connected),
            Err(e) => why = format!("{} at {address}", words::io(&e)),
        }
    }
    Err(Unreached::at(Stage::Tcp, why))
}

/// Makes it a TLS connection, where that is wanted.
pub(super) async fn secure(
    stream: TcpStream,
    tls: Option<&Arc<ClientConfig>>,
    address: &str,
) -> Result<Stream, Unreached> {
    let (host, _) = host_and_port(address);
    let plain = AsyncTcpStream::Plain(Compat::new(stream));
    let Some(config) = tls else { return Ok(plain) };
    let connector = RustlsConnector::from(Arc::clone(config));
    plain.into_rustls(&connector, host).await.map_err(|e| {
        // A certificate that is not believed stays so; a connection that broke meanwhile may heal.
        match tls::refusal(&e) {
            Some(refused) => Unreached::at(Stage::Tls, tls::words(refused, host)),
            None => Unreached::at(Stage::Tcp, format!("{} (during the TLS handshake)", words::io(&e))),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        assert_eq!(host_and_port("h:1"), ("h", 1));
        assert_eq!(host_and_port("[::1]:5671"), ("::1", 5671));
    }
}
