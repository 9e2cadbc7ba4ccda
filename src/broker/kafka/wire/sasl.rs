//! Logging in by SASL (Kafka's protocol guide, "SASL Authentication Sequence").

use super::connection::Connection;
use super::scram::{Hash, Scram};
use super::settings::{Login, User};
use super::words;
use crate::model::{Stage, Unreached};
use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::StrBytes;

/// What a client says to an OAUTHBEARER challenge that is an error (RFC 7628 section 3.2.3).
const GIVE_UP: &[u8] = b"\x01";

pub(super) fn authenticate(connection: &mut Connection, login: &Login) -> Result<(), Unreached> {
    match login {
        Login::Plain(user) => {
            handshake(connection, "PLAIN")?;
            let first = ["", &user.name, &user.password].join("\0");
            say(connection, first.into_bytes()).map(drop)
        }
        Login::ScramSha256(user) => scram(connection, "SCRAM-SHA-256", Hash::Sha256, user),
        Login::ScramSha512(user) => scram(connection, "SCRAM-SHA-512", Hash::Sha512, user),
        Login::OauthBearer(tokens) => {
            let token = tokens.get().map_err(refused)?.token;
            handshake(connection, "OAUTHBEARER")?;
            let challenge = say(connection, format!("n,,\x01auth=Bearer {token}\x01\x01").into_bytes())?;
            if challenge.is_empty() {
                return Ok(());
            }
            say(connection, GIVE_UP.to_vec())?;
            Err(refused("the broker does not take the token".to_owned()))
        }
    }
}

fn refused(why: String) -> Unreached {
    Unreached::at(Stage::Authentication, why)
}

fn handshake(connection: &mut Connection, mechanism: &'static str) -> Result<(), Unreached> {
    let request = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(mechanism));
    let answer = connection.ask(1, &request)?;
    if answer.error_code == 0 {
        return Ok(());
    }
    let why = words(answer.error_code);
    if answer.error_code != ResponseError::UnsupportedSaslMechanism.code() {
        return Err(refused(why));
    }
    let known: Vec<&str> = answer.mechanisms.iter().map(StrBytes::as_str).collect();
    Err(refused(format!("{why}: {mechanism}; it has {}", known.join(", "))))
}

fn say(connection: &mut Connection, bytes: Vec<u8>) -> Result<Bytes, Unreached> {
    let request = SaslAuthenticateRequest::default().with_auth_bytes(bytes.into());
    let answer = connection.ask(1, &request)?;
    if answer.error_code == 0 {
        return Ok(answer.auth_bytes);
    }
    let why = answer
        .error_message
        .map_or_else(|| words(answer.error_code), |message| message.to_string());
    Err(refused(format!("SASL authentication error: {why}")))
}

fn scram(connection: &mut Connection, mechanism: &'static str, hash: Hash, user: &User) -> Result<(), Unreached> {
    handshake(connection, mechanism)?;
    let scram = Scram::new(hash, &user.name, &user.password).map_err(refused)?;
    let challenge = say(connection, scram.first().into_bytes())?;
    let (last, proof) = scram.last(&challenge).map_err(refused)?;
    let end = say(connection, last.into_bytes())?;
    // A server that does not know the password cannot say this.
    proof.check(&end).map_err(refused)
}
