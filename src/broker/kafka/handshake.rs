//! Why a TLS handshake failed. librdkafka only says that a certificate could not be verified; the same handshake by another
//! library, with the same settings, says whether it has expired, is for another host, or comes from an unknown authority.

use crate::broker::tls as tls_words;
use crate::connect::{ClientProperties, client_config};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, Error};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// What a handshake with a server came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Handshake {
    /// The certificate is good.
    Good,
    /// The server speaks TLS, and this is wrong with it.
    Bad(String),
    /// What answers there does not speak TLS, or nothing answers.
    None,
}

/// Shakes hands with `host:port` and hangs up.
pub(super) fn shake(host: &str, properties: &ClientProperties, patience: Duration) -> Handshake {
    try_shake(host, properties, patience).unwrap_or(Handshake::None)
}

fn try_shake(host: &str, properties: &ClientProperties, patience: Duration) -> Option<Handshake> {
    let config = client_config(properties).ok()?;
    let (name, _) = host.rsplit_once(':')?;
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let server = ServerName::try_from(name.to_owned()).ok()?;
    let address = host.to_socket_addrs().ok()?.next()?;
    let mut stream = TcpStream::connect_timeout(&address, patience).ok()?;
    stream.set_read_timeout(Some(patience)).ok()?;
    stream.set_write_timeout(Some(patience)).ok()?;
    let mut tls = ClientConnection::new(config, server).ok()?;
    while tls.is_handshaking() {
        let Err(e) = tls.complete_io(&mut stream) else { continue };
        let refused = tls_words::refusal(&e)?;
        let is_told = matches!(refused, Error::InvalidCertificate(_) | Error::AlertReceived(_));
        return is_told.then(|| Handshake::Bad(tls_words::words(refused, name)));
    }
    Some(Handshake::Good)
}
