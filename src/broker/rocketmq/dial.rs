//! Opening a connection: the name, the port, the certificates, each with its own words when it fails.

use super::lost::Lost;
use super::settings::Settings;
use crate::broker::tls as words;
use crate::model::{Stage, Unreached};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{error::Elapsed, timeout};
use tokio_rustls::TlsConnector;

pub(super) type Input = Box<dyn AsyncRead + Send + Unpin>;
pub(super) type Output = Box<dyn AsyncWrite + Send + Unpin>;

/// Both directions of a connection to `address`, `HOST:PORT`.
pub(super) async fn dial(address: &str, settings: &Settings) -> Result<(Input, Output), Lost> {
    let (host, port) =
        host_and_port(address).ok_or_else(|| Lost::unsent_at(Stage::Dns, format!("{address} is not HOST:PORT")))?;
    let addresses = resolve(address, host, port, settings.connect)
        .await
        .map_err(Lost::unsent)?;
    let stream = tcp(address, &addresses, settings.connect).await.map_err(Lost::unsent)?;
    // Small requests wait for nobody. A socket that refuses this works all the same.
    let _ = stream.set_nodelay(true);
    let Some(config) = &settings.tls else {
        let (input, output) = stream.into_split();
        return Ok((Box::new(input), Box::new(output)));
    };
    let stream = tls(address, host, stream, config, settings.connect)
        .await
        .map_err(Lost::unsent)?;
    let (input, output) = tokio::io::split(stream);
    Ok((Box::new(input), Box::new(output)))
}

/// The host, without the brackets of an IPv6 address, and the port.
pub(super) fn host_and_port(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    Some((host, port.parse().ok()?)).filter(|(host, _)| !host.is_empty())
}

pub(super) async fn resolve(
    address: &str,
    host: &str,
    port: u16,
    patience: Duration,
) -> Result<Vec<SocketAddr>, Unreached> {
    let bad = |why: String| Unreached::at(Stage::Dns, format!("{address}: {why}"));
    let found = timeout(patience, tokio::net::lookup_host((host, port)))
        .await
        .map_err(|_| bad(format!("no answer within {} ms", patience.as_millis())))?
        .map_err(|e| bad(e.to_string()))?;
    let found: Vec<SocketAddr> = found.collect();
    match found.is_empty() {
        true => Err(bad("the name has no address".to_owned())),
        false => Ok(found),
    }
}

pub(super) async fn tcp(address: &str, found: &[SocketAddr], patience: Duration) -> Result<TcpStream, Unreached> {
    let bad = |why: String| Unreached::at(Stage::Tcp, format!("{address}: {why}"));
    timeout(patience, TcpStream::connect(found))
        .await
        .map_err(|_| bad(format!("no connection within {} ms", patience.as_millis())))?
        .map_err(|e| bad(e.to_string()))
}

pub(super) async fn tls(
    address: &str,
    host: &str,
    stream: TcpStream,
    config: &Arc<ClientConfig>,
    patience: Duration,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Unreached> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|e| Unreached::at(Stage::Tls, format!("{address}: {e}, so no certificate can be checked")))?;
    let shaken: Result<_, Elapsed> =
        timeout(patience, TlsConnector::from(Arc::clone(config)).connect(name, stream)).await;
    match shaken {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(e)) => {
            // A certificate that is not believed stays so; a connection that broke meanwhile may heal.
            match words::refusal(&e) {
                Some(refused) => Err(Unreached::at(
                    Stage::Tls,
                    format!("{address}: {}", words::words(refused, host)),
                )),
                None => Err(Unreached::at(
                    Stage::Tcp,
                    format!("{address}: {e} (during the TLS handshake)"),
                )),
            }
        }
        Err(_) => Err(Unreached::at(
            Stage::Tcp,
            format!(
                "{address}: the TLS handshake was not answered within {} ms",
                patience.as_millis()
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        assert_eq!(host_and_port("h:1"), Some(("h", 1)));
        assert_eq!(host_and_port("[::1]:9876"), Some(("::1", 9876)));
        assert_eq!(host_and_port("::1:9876"), Some(("::1", 9876)));
        for bad in ["", "h", "h:", ":1", "h:70000"] {
            assert_eq!(host_and_port(bad), None, "{bad}");
        }
    }
}
