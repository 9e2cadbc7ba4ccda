//! TLS settings as rustls needs them, from the properties that every broker shares (the names are librdkafka's).

use super::ClientProperties;
use crate::model::{Problem, Result};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

/// A TLS client that checks the broker's certificate and its host name, by the authorities of `ssl.ca.location` (else those of
/// the system), and shows the certificate of `ssl.certificate.location` and `ssl.key.location` where there is one.
///
/// # Errors
/// A usage problem that names the property and the file.
pub fn client_config(properties: &ClientProperties) -> Result<Arc<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Problem::usage("TLS cannot be set up").because(e))?
        .with_root_certificates(roots(properties)?);
    let file = |key: &str| properties.get(key).map(str::to_owned);
    let config = match (file("ssl.certificate.location"), file("ssl.key.location")) {
        (Some(certificate), Some(key)) => {
            let chain = certificates("ssl.certificate.location", &certificate)?;
            let key_der = PrivateKeyDer::from_pem_file(&key).map_err(|e| bad("ssl.key.location", &key, &e))?;
            builder
                .with_client_auth_cert(chain, key_der)
                .map_err(|e| bad("ssl.certificate.location", &certificate, &e))?
        }
        (None, None) => builder.with_no_client_auth(),
        (Some(_), None) => {
            return Err(Problem::usage(
                "ssl.certificate.location is given without ssl.key.location",
            ));
        }
        (None, Some(_)) => {
            return Err(Problem::usage(
                "ssl.key.location is given without ssl.certificate.location",
            ));
        }
    };
    Ok(Arc::new(config))
}

fn roots(properties: &ClientProperties) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    match properties.get("ssl.ca.location") {
        Some(path) => {
            for certificate in certificates("ssl.ca.location", path)? {
                roots.add(certificate).map_err(|e| bad("ssl.ca.location", path, &e))?;
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

fn certificates(key: &str, path: &str) -> Result<Vec<CertificateDer<'static>>> {
    let all: std::result::Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)
        .map_err(|e| bad(key, path, &e))?
        .collect();
    let all = all.map_err(|e| bad(key, path, &e))?;
    if all.is_empty() {
        return Err(bad(key, path, &"it holds no certificate in PEM form"));
    }
    Ok(all)
}

fn bad(key: &str, path: &str, cause: &dyn std::fmt::Display) -> Problem {
    Problem::usage(format!("cannot use {path} for {key}"))
        .because(cause)
        .next("give a file in PEM form")
}
