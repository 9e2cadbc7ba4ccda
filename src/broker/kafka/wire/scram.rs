//! SCRAM (RFC 5802, RFC 7677) without channel binding, the client's side. Pure but for the nonce.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac, pbkdf2};
use std::num::NonZeroU32;

/// A server that asks for more rounds than this would only keep us busy; Kafka's default is 4096, its limit 16384.
const MOST_ROUNDS: u32 = 1_000_000;
/// Fewer make a stolen answer cheap to guess from (RFC 7677 section 4).
const LEAST_ROUNDS: u32 = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha512,
}

impl Hash {
    fn hmac(self) -> hmac::Algorithm {
        match self {
            Hash::Sha256 => hmac::HMAC_SHA256,
            Hash::Sha512 => hmac::HMAC_SHA512,
        }
    }

    fn derive(self) -> pbkdf2::Algorithm {
        match self {
            Hash::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Hash::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        }
    }

    fn digest(self) -> &'static digest::Algorithm {
        match self {
            Hash::Sha256 => &digest::SHA256,
            Hash::Sha512 => &digest::SHA512,
        }
    }
}

/// One login.
pub(super) struct Scram<'a> {
    hash: Hash,
    password: &'a str,
    bare: String,
    nonce: String,
}

/// What the server must prove at the end.
pub(super) struct Proof {
    signature: Vec<u8>,
}

impl<'a> Scram<'a> {
    pub(super) fn new(hash: Hash, user: &str, password: &'a str) -> Result<Scram<'a>, String> {
        let mut random = [0; 24];
        SystemRandom::new()
            .fill(&mut random)
            .map_err(|_| "there is no random number for the login".to_owned())?;
        Ok(Scram::with_nonce(hash, user, password, STANDARD.encode(random)))
    }

    fn with_nonce(hash: Hash, user: &str, password: &'a str, nonce: String) -> Scram<'a> {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        Scram {
            hash,
            password,
            bare: format!("n={user},r={nonce}"),
            nonce,
        }
    }

    /// The first message.
    pub(super) fn first(&self) -> String {
        format!("n,,{}", self.bare)
    }

    /// The last message, as the answer to the server's first.
    pub(super) fn last(&self, challenge: &[u8]) -> Result<(String, Proof), String> {
        let strange = || "the broker's answer to the login is not SCRAM".to_owned();
        let challenge = std::str::from_utf8(challenge).map_err(|_| strange())?;
        let field = |name: &str| challenge.split(',').find_map(|part| part.strip_prefix(name));
        let nonce = field("r=").ok_or_else(strange)?;
        let salt = field("s=")
            .and_then(|salt| STANDARD.decode(salt).ok())
            .ok_or_else(strange)?;
        let rounds: u32 = field("i=").and_then(|i| i.parse().ok()).ok_or_else(strange)?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err("the broker answered another login".to_owned());
        }
        let rounds = NonZeroU32::new(rounds)
            .filter(|rounds| (LEAST_ROUNDS..=MOST_ROUNDS).contains(&rounds.get()))
            .ok_or_else(|| format!("the broker asks for {rounds} rounds of SCRAM, which is not safe"))?;
        let mut salted = vec![0; self.hash.digest().output_len()];
        pbkdf2::derive(self.hash.derive(), rounds, &salt, self.password.as_bytes(), &mut salted);
        let sign = |key: &[u8], text: &[u8]| hmac::sign(&hmac::Key::new(self.hash.hmac(), key), text);
        let client_key = sign(&salted, b"Client Key");
        let stored_key = digest::digest(self.hash.digest(), client_key.as_ref());
        let without_proof = format!("c=biws,r={nonce}");
        let all = format!("{},{challenge},{without_proof}", self.bare);
        let signature = sign(stored_key.as_ref(), all.as_bytes());
        let proof: Vec<u8> = client_key
            .as_ref()
            .iter()
            .zip(signature.as_ref())
            .map(|(key, sign)| key ^ sign)
            .collect();
        let server_key = sign(&salted, b"Server Key");
        let expected = sign(server_key.as_ref(), all.as_bytes()).as_ref().to_vec();
        let last = format!("{without_proof},p={}", STANDARD.encode(proof));
        Ok((last, Proof { signature: expected }))
    }
}

impl Proof {
    /// Whether the server knows the password too.
    pub(super) fn check(&self, end: &[u8]) -> Result<(), String> {
        let said = std::str::from_utf8(end).ok().and_then(|end| {
            let value = end.split(',').find_map(|part| part.strip_prefix("v="))?;
            STANDARD.decode(value).ok()
        });
        match said {
            Some(said) if said == self.signature => Ok(()),
            Some(_) | None => Err("the broker does not prove that it knows the password".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7677 section 3.
    #[test]
    fn the_example_of_the_standard() {
        let scram = Scram::with_nonce(Hash::Sha256, "user", "pencil", "rOprNGfwEbeRWgbNEkqO".to_owned());
        assert_eq!(scram.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let challenge = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let (last, proof) = scram.last(challenge.as_bytes()).unwrap();
        assert_eq!(
            last,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert!(proof.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").is_ok());
        assert!(proof.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=").is_err());
        assert!(proof.check(b"e=other-error").is_err());
    }

    #[test]
    fn a_server_that_is_none_is_refused() {
        let scram = Scram::with_nonce(Hash::Sha512, "a=b,c", "pencil", "abc".to_owned());
        assert_eq!(scram.first(), "n,,n=a=3Db=2Cc,r=abc");
        for challenge in [
            "",
            "r=abc,s=AAAA,i=4096",
            "r=xyz1,s=AAAA,i=4096",
            "r=abcd,s=*,i=4096",
            "r=abcd,s=AAAA,i=1",
            "r=abcd,s=AAAA,i=4000000000",
            "r=abcd,i=4096",
        ] {
            assert!(scram.last(challenge.as_bytes()).is_err(), "{challenge}");
        }
        assert!(scram.last(b"r=abcd,s=AAAA,i=4096").is_ok());
        assert!(scram.last(b"\xff").is_err());
    }
}
