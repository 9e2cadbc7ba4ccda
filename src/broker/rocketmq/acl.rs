//! The signature of a request (apache/rocketmq `AclClientRPCHook`, `AclUtils`, `AclSigner`).

use super::settings::Credentials;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use std::collections::BTreeMap;

const ACCESS_KEY: &str = "AccessKey";
const SECURITY_TOKEN: &str = "SecurityToken";
const SIGNATURE: &str = "Signature";

/// Adds who sends it and the proof: the HMAC-SHA1, by the secret, of all field values in the order of their names, and the body.
pub(super) fn sign(fields: &mut BTreeMap<String, String>, body: &[u8], credentials: &Credentials) {
    fields.remove(SIGNATURE);
    fields.insert(ACCESS_KEY.to_owned(), credentials.access_key.clone());
    if let Some(token) = &credentials.security_token {
        fields.insert(SECURITY_TOKEN.to_owned(), token.clone());
    }
    // A key of any length is taken, so this never fails.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(credentials.secret_key.as_bytes()) else {
        return;
    };
    for value in fields.values() {
        mac.update(value.as_bytes());
    }
    mac.update(body);
    fields.insert(SIGNATURE.to_owned(), STANDARD.encode(mac.finalize().into_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected value was computed with Python's `hmac` over `ak` + `token` + `orders` + `3` + `body`.
    #[test]
    fn values_are_signed_in_the_order_of_their_names() {
        let credentials = Credentials {
            access_key: "ak".to_owned(),
            secret_key: "secret".to_owned(),
            security_token: Some("token".to_owned()),
        };
        let mut fields = BTreeMap::from([
            ("b".to_owned(), "orders".to_owned()),
            ("e".to_owned(), "3".to_owned()),
            (SIGNATURE.to_owned(), "old".to_owned()),
        ]);
        sign(&mut fields, b"body", &credentials);
        assert_eq!(fields[SIGNATURE], "XIfdB2ubWbBKfA5xht33ANDsv9I=");
        assert_eq!(fields[ACCESS_KEY], "ak");
    }
}
