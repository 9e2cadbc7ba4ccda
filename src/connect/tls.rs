//! TLS settings as rustls needs them, from the properties that every broker shares (the names are librdkafka's).
//!
//! TLS 1.2 and 1.3 only; rustls speaks nothing older.

use super::{ClientProperties, unchecked};
use crate::model::{Problem, Result};
use pkcs8::EncryptedPrivateKeyInfo;
use pkcs8::der::pem::PemLabel;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

/// The properties that [`client_config`] reads; what else a broker's client knows is its own.
pub const TLS_PROPERTIES: [&str; 9] = [
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.key.location",
    "ssl.key.pem",
    "ssl.key.password",
    "ssl.endpoint.identification.algorithm",
    "enable.ssl.certificate.verification",
];

/// A TLS client that checks the broker's certificate and its host name, by the authorities of `ssl.ca.location` or `ssl.ca.pem` (else
/// those of the system), and shows the certificate of `ssl.certificate.*` with the key of `ssl.key.*` where there is one.
/// `ssl.endpoint.identification.algorithm=none` leaves the host name unchecked, `enable.ssl.certificate.verification=false`
/// everything; [`super::Connection::warnings`] says so.
///
/// # Errors
/// A usage problem that names the property and the file.
pub fn client_config(properties: &ClientProperties) -> Result<Arc<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| Problem::usage("TLS cannot be set up").because(e))?;
    let builder = match checks(properties)? {
        Checks::All => builder.with_root_certificates(roots(properties)?),
        Checks::NoName => builder
            .dangerous()
            .with_custom_certificate_verifier(unchecked::any_name(roots(properties)?, provider)?),
        Checks::None => builder
            .dangerous()
            .with_custom_certificate_verifier(unchecked::anything(provider)),
    };
    let chain = Given::of(properties, "ssl.certificate")?;
    let key = Given::of(properties, "ssl.key")?;
    let config = match (chain, key) {
        (Some(chain), Some(key)) => {
            let certificates = chain.certificates()?;
            let key_der = key.key(properties.get("ssl.key.password"))?;
            builder
                .with_client_auth_cert(certificates, key_der)
                .map_err(|e| chain.bad(&e).next("give the certificate that belongs to the key"))?
        }
        (None, None) => builder.with_no_client_auth(),
        (Some(_), None) => {
            return Err(
                Problem::usage("ssl.certificate.location is given without ssl.key.location")
                    .next("give both, or neither"),
            );
        }
        (None, Some(_)) => {
            return Err(
                Problem::usage("ssl.key.location is given without ssl.certificate.location")
                    .next("give both, or neither"),
            );
        }
    };
    Ok(Arc::new(config))
}

enum Checks {
    All,
    NoName,
    None,
}

fn checks(properties: &ClientProperties) -> Result<Checks> {
    let get = |key: &str| properties.get(key).map(|v| v.trim().to_ascii_lowercase());
    let verify = "enable.ssl.certificate.verification";
    match get(verify).as_deref() {
        None | Some("true") => {}
        Some("false") => return Ok(Checks::None),
        Some(_) => return Err(Problem::usage(format!("{verify} is neither true nor false")).next("leave it out")),
    }
    let name = "ssl.endpoint.identification.algorithm";
    match get(name).as_deref() {
        None | Some("https") => Ok(Checks::All),
        Some("none" | "") => Ok(Checks::NoName),
        Some(_) => Err(Problem::usage(format!("{name} is neither https nor none")).next("leave it out")),
    }
}

/// PEM from a file or from the property itself. It may be a key, so there is no `Debug`.
struct Given {
    /// What names it: `client.pem for ssl.key.location`, or `ssl.key.pem`.
    name: String,
    pem: Vec<u8>,
}

impl Given {
    fn of(properties: &ClientProperties, stem: &str) -> Result<Option<Given>> {
        let (inline, location) = (format!("{stem}.pem"), format!("{stem}.location"));
        if let Some(text) = properties.get(&inline) {
            return Ok(Some(Given {
                name: inline,
                pem: text.as_bytes().to_vec(),
            }));
        }
        let Some(path) = properties.get(&location) else {
            return Ok(None);
        };
        let name = format!("{path} for {location}");
        let pem = std::fs::read(path).map_err(|e| {
            Problem::usage(format!("cannot use {name}"))
                .because(e)
                .next("check the path")
        })?;
        Ok(Some(Given { name, pem }))
    }

    fn bad(&self, cause: &dyn std::fmt::Display) -> Problem {
        Problem::usage(format!("cannot use {}", self.name)).because(cause)
    }

    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>> {
        let next = "give certificates in PEM form";
        let all: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.pem).collect();
        let all = all.map_err(|e| self.bad(&e).next(next))?;
        if all.is_empty() {
            return Err(self.bad(&"it holds no certificate in PEM form").next(next));
        }
        Ok(all)
    }

    fn key(&self, password: Option<&str>) -> Result<PrivateKeyDer<'static>> {
        let text = String::from_utf8_lossy(&self.pem);
        let convert = "convert it: openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD.key -out NEW.key";
        // RFC 1421's encryption by OpenSSL, which no library here decrypts.
        if text.contains("Proc-Type: 4,ENCRYPTED") {
            return Err(self
                .bad(&"the key is encrypted in the traditional way of OpenSSL")
                .next(convert));
        }
        let label = EncryptedPrivateKeyInfo::PEM_LABEL;
        let begin = format!("-----BEGIN {label}-----");
        let Some(at) = text.find(&begin) else {
            return PrivateKeyDer::from_pem_slice(&self.pem).map_err(|_| {
                self.bad(&"it holds no private key in PEM form")
                    .next("give the key in PEM form")
            });
        };
        let Some(password) = password else {
            return Err(self
                .bad(&"the key is encrypted")
                .next("give its password with -X ssl.key.password=@FILE or -X ssl.key.password=env:NAME"));
        };
        let end = format!("-----END {label}-----");
        let block = text[at..].find(&end).map(|i| &text[at..at + i + end.len()]);
        let decoded = block.and_then(|b| pkcs8::SecretDocument::from_pem(b).ok());
        let (_, document) =
            decoded.ok_or_else(|| self.bad(&"the encrypted key is damaged").next("make the file anew"))?;
        // The old ways are those of PKCS#5 version 1 and of PKCS#12, which are not decrypted here.
        let encrypted = EncryptedPrivateKeyInfo::try_from(document.as_bytes())
            .ok()
            .filter(|e| e.encryption_algorithm.pbes2().is_some())
            .ok_or_else(|| self.bad(&"the key is encrypted in an old way (PBES1)").next(convert))?;
        let plain = encrypted.decrypt(password).map_err(|e| match e {
            pkcs8::Error::EncryptedPrivateKey(pkcs8::pkcs5::Error::UnsupportedAlgorithm { .. }) => self
                .bad(&"the key is encrypted in a way that is not known here")
                .next(convert),
            _ => self
                .bad(&"the password of the key is not its own")
                .next("check ssl.key.password"),
        })?;
        Ok(PrivatePkcs8KeyDer::from(plain.as_bytes().to_vec()).into())
    }
}

fn roots(properties: &ClientProperties) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    match Given::of(properties, "ssl.ca")? {
        Some(given) => {
            for certificate in given.certificates()? {
                roots
                    .add(certificate)
                    .map_err(|e| given.bad(&e).next("give certificates of authorities in PEM form"))?;
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
        }
    }
    if roots.is_empty() {
        return Err(
            Problem::usage("there is no certificate authority to check the broker by")
                .next("give one with -X ssl.ca.location=FILE"),
        );
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::Origin;

    fn config(settings: &[(&str, &str)]) -> Result<Arc<ClientConfig>> {
        let mut properties = ClientProperties::default();
        for (key, value) in settings {
            let dir = format!("{}/tests/stores/", env!("CARGO_MANIFEST_DIR"));
            let value = if key.ends_with(".location") {
                format!("{dir}{value}")
            } else {
                (*value).to_owned()
            };
            properties.set(*key, value, Origin::Property);
        }
        client_config(&properties)
    }

    const CA: (&str, &str) = ("ssl.ca.location", "ca.pem");
    const CLIENT: (&str, &str) = ("ssl.certificate.location", "client.pem");

    #[test]
    fn keys_that_are_read() {
        assert!(!config(&[CA]).unwrap().client_auth_cert_resolver.has_certs());
        for key in ["client.key", "client-pbes2.key", "client-3des.key"] {
            let with = [CA, CLIENT, ("ssl.key.location", key), ("ssl.key.password", "storepass")];
            assert!(config(&with).unwrap().client_auth_cert_resolver.has_certs(), "{key}");
        }
        for (key, value) in [
            ("ssl.endpoint.identification.algorithm", "none"),
            ("ssl.endpoint.identification.algorithm", "https"),
            ("enable.ssl.certificate.verification", "false"),
        ] {
            assert!(config(&[CA, (key, value)]).is_ok());
        }
    }

    #[test]
    fn what_cannot_be_honoured_is_said_with_the_way_out() {
        let key = |name, password| [CA, CLIENT, ("ssl.key.location", name), ("ssl.key.password", password)];
        for (settings, expected) in [
            (&key("client-traditional.key", "storepass")[..], "openssl pkcs8"),
            (&key("client-pbes1.key", "storepass"), "openssl pkcs8"),
            (&key("client-pbes2.key", "hunter2"), "ssl.key.password"),
            (&key("client-pbes2.key", "storepass")[..3], "ssl.key.password=@FILE"),
            (&key("client.pem", "storepass"), "PEM form"),
            (&key("nowhere", "storepass"), "check the path"),
            (&[CA, CLIENT], "both"),
            (&[("ssl.ca.location", "client.key")], "PEM form"),
            (
                &[CA, ("ssl.endpoint.identification.algorithm", "hunter2")],
                "leave it out",
            ),
        ] {
            let problem = config(settings).unwrap_err();
            let next = problem.next.clone().unwrap_or_default();
            assert!(next.contains(expected), "{problem:?}");
            assert!(!format!("{problem:?}").contains("hunter2"), "{problem:?}");
        }
    }
}
