//! Java's key and trust stores, read into PEM: PEM files, PKCS#12 and JKS (Kafka `ssl.keystore.*`, `ssl.truststore.*`).
//!
//! What comes out is plain PEM in memory, so that librdkafka and rustls take the same.

use crate::model::{Problem, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p12_keystore::KeyStoreEntry;

/// The certificates and the key of a store. The key is a secret, so there is no `Debug`.
#[derive(Default)]
pub(super) struct Store {
    /// Certificates that are trusted, in PEM.
    pub(super) trusted: String,
    /// The key's certificate and those that lead to an authority, in PEM.
    pub(super) chain: String,
    /// The key in PEM, encrypted where the store was a PEM file with an encrypted key.
    pub(super) key: Option<String>,
}

/// The formats of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Pem,
    Pkcs12,
    Jks,
}

const JKS_MAGIC: &[u8] = &[0xFE, 0xED, 0xFE, 0xED];
const JCEKS_MAGIC: &[u8] = &[0xCE, 0xCE, 0xCE, 0xCE];

/// What is told of a store that is to be read.
pub(super) struct Named<'a> {
    /// The property that names it.
    pub(super) key: &'a str,
    /// Its path.
    pub(super) path: &'a str,
    /// `ssl.*.type`, where it is given.
    pub(super) kind: Option<&'a str>,
    /// The password of the store.
    pub(super) password: Option<&'a str>,
    /// The password of its key, where it has one of its own.
    pub(super) key_password: Option<&'a str>,
}

/// Reads a store.
///
/// # Errors
/// A usage problem that names the property, the file and the way out, and never a password.
pub(super) fn read(named: &Named<'_>, bytes: &[u8]) -> Result<Store> {
    match format(named, bytes)? {
        Format::Pem => pem(named, bytes),
        Format::Pkcs12 => pkcs12(named, bytes),
        Format::Jks => jks(named, bytes),
    }
}

/// Java takes JKS for granted where no type is given, and since Java 9 reads either there; the bytes say which it is.
fn format(named: &Named<'_>, bytes: &[u8]) -> Result<Format> {
    let sniffed = if bytes.starts_with(JKS_MAGIC) {
        Some(Format::Jks)
    } else if bytes.starts_with(JCEKS_MAGIC) {
        return Err(bad(named, &"it is a JCEKS store").next(convert(named)));
    } else if bytes.first() == Some(&0x30) {
        Some(Format::Pkcs12)
    } else if find(bytes, b"-----BEGIN ") {
        Some(Format::Pem)
    } else {
        None
    };
    let named_type = match named.kind.map(str::to_ascii_uppercase).as_deref() {
        None => None,
        Some("PEM") => Some(Format::Pem),
        // Java reads either under either name (JDK-8062552).
        Some("JKS" | "PKCS12" | "P12" | "PFX") => sniffed.filter(|f| *f != Format::Pem).or(Some(Format::Pkcs12)),
        Some(_) => {
            return Err(bad(named, &"its type is none of PEM, PKCS12 and JKS").next(convert(named)));
        }
    };
    match (named_type, sniffed) {
        (_, None) => Err(bad(named, &"it is no PEM, PKCS#12 or JKS file").next("check the path")),
        (Some(said), Some(is)) if said != is => {
            Err(bad(named, &"its bytes are not of the type that is given").next("correct the type"))
        }
        (_, Some(is)) => Ok(is),
    }
}

fn find(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|w| w == what)
}

fn bad(named: &Named<'_>, cause: &dyn std::fmt::Display) -> Problem {
    Problem::usage(format!("cannot use {} for {}", named.path, named.key)).because(cause)
}

fn convert(named: &Named<'_>) -> String {
    let path = named.path;
    format!("convert it: keytool -importkeystore -srckeystore {path} -destkeystore store.p12 -deststoretype PKCS12")
}

fn pem(named: &Named<'_>, bytes: &[u8]) -> Result<Store> {
    let text = std::str::from_utf8(bytes).map_err(|_| bad(named, &"it is not text").next("give a file in PEM form"))?;
    split(text).map_err(|why| bad(named, &why).next("give a file in PEM form"))
}

/// Certificates and key of a PEM text, in any order.
pub(super) fn split(text: &str) -> std::result::Result<Store, &'static str> {
    let mut store = Store::default();
    let mut rest = text;
    while let Some(at) = rest.find("-----BEGIN ") {
        let block = &rest[at..];
        let label = block["-----BEGIN ".len()..].split("-----").next().unwrap_or_default();
        let end = format!("-----END {label}-----");
        let Some(length) = block.find(&end).map(|i| i + end.len()) else {
            return Err("a PEM block has no end");
        };
        let body = &block["-----BEGIN -----".len() + label.len()..length - end.len()];
        let whole = wrapped(label, body);
        match label {
            "CERTIFICATE" | "TRUSTED CERTIFICATE" | "X509 CERTIFICATE" => {
                store.trusted.push_str(&whole);
            }
            _ if label.ends_with("PRIVATE KEY") && store.key.is_some() => {
                return Err("it holds more than one private key");
            }
            _ if label.ends_with("PRIVATE KEY") => store.key = Some(whole),
            // Parameters of a curve stand before some keys, and are in the key too.
            _ => {}
        }
        rest = &block[length..];
    }
    store.chain.clone_from(&store.trusted);
    if store.trusted.is_empty() && store.key.is_none() {
        return Err("it holds no certificate and no key in PEM form");
    }
    Ok(store)
}

/// A block whose lines are as long as every reader takes them: settings of one line separate them by spaces, or by a written `\n`.
fn wrapped(label: &str, body: &str) -> String {
    // The headers of an encrypted key (RFC 1421) must stay lines of their own.
    let body = if body.contains(':') {
        body.trim_start_matches(['\r', '\n']).to_owned()
    } else {
        let plain: String = body.replace("\\n", "").split_whitespace().collect();
        lines_of(&plain)
    };
    format!("-----BEGIN {label}-----\n{body}-----END {label}-----\n")
}

/// Base64 in lines of 64 (RFC 7468).
fn lines_of(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 64 + 1);
    for (i, c) in text.chars().enumerate() {
        if i > 0 && i % 64 == 0 {
            out.push('\n');
        }
        out.push(c);
    }
    out.push('\n');
    out
}

fn pkcs12(named: &Named<'_>, bytes: &[u8]) -> Result<Store> {
    let password = named.password.unwrap_or_default();
    let store = p12_keystore::KeyStore::from_pkcs12(bytes, password).map_err(|e| {
        use p12_keystore::error::Error;
        match e {
            Error::MacError(_) | Error::Pkcs5Error(_) => bad(
                named,
                &"the password of the store is not its own, or the store is damaged",
            )
            .next(format!("check {}", named.key.replace("location", "password"))),
            other => bad(named, &other).next(format!(
                "convert it: openssl pkcs12 -legacy -in {} -nodes -out store.pem, and name that with type PEM",
                named.path
            )),
        }
    })?;
    let mut out = Store::default();
    let mut entries: Vec<_> = store.entries().collect();
    entries.sort_by(|a, b| a.0.cmp(b.0));
    for (_, entry) in entries {
        match entry {
            KeyStoreEntry::Certificate(certificate) => push(&mut out.trusted, "CERTIFICATE", certificate.as_der()),
            KeyStoreEntry::PrivateKeyChain(chain) => {
                one_key(named, &out)?;
                out.key = Some(block("PRIVATE KEY", chain.key()));
                for certificate in chain.chain() {
                    push(&mut out.chain, "CERTIFICATE", certificate.as_der());
                }
            }
            KeyStoreEntry::Secret(_) => {}
        }
    }
    Ok(out)
}

fn jks(named: &Named<'_>, bytes: &[u8]) -> Result<Store> {
    if !is_sound(bytes) {
        return Err(bad(named, &"it is a damaged JKS file").next("check the file"));
    }
    let password = named.password.unwrap_or_default();
    let mut store = jks::KeyStore::new();
    store.load(bytes, password.as_bytes()).map_err(|_| {
        bad(
            named,
            &"the password of the store is not its own, or the store is damaged",
        )
        .next(format!("check {}", named.key.replace("location", "password")))
    })?;
    let mut aliases = store.aliases();
    aliases.sort();
    let mut out = Store::default();
    for alias in aliases {
        if let Ok(trusted) = store.get_trusted_certificate_entry(&alias) {
            push(&mut out.trusted, "CERTIFICATE", &trusted.certificate.content);
        } else if store.is_private_key_entry(&alias) {
            one_key(named, &out)?;
            // Java takes the password of the store where the key has none of its own.
            let own = named.key_password.unwrap_or(password);
            let entry = store
                .get_private_key_entry(&alias, own.as_bytes())
                .map_err(|_| bad(named, &"the password of the key is not its own").next("check ssl.key.password"))?;
            out.key = Some(block("PRIVATE KEY", &entry.private_key));
            for certificate in &entry.certificate_chain {
                push(&mut out.chain, "CERTIFICATE", &certificate.content);
            }
        }
    }
    Ok(out)
}

fn one_key(named: &Named<'_>, store: &Store) -> Result<()> {
    if store.key.is_some() {
        return Err(bad(named, &"it holds more than one key").next("give a store with the one key to use"));
    }
    Ok(())
}

fn push(out: &mut String, label: &str, der: &[u8]) {
    out.push_str(&block(label, der));
}

/// One PEM block.
fn block(label: &str, der: &[u8]) -> String {
    wrapped(label, &STANDARD.encode(der))
}

/// Whether every length in a JKS file stays inside it; the reader would reserve what the file says.
/// Format: `sun.security.provider.JavaKeyStore`.
fn is_sound(bytes: &[u8]) -> bool {
    let mut walk = Walk(bytes.get(4..).unwrap_or_default());
    walk.store().is_some()
}

struct Walk<'a>(&'a [u8]);

impl Walk<'_> {
    fn skip(&mut self, n: usize) -> Option<()> {
        self.0 = self.0.get(n..)?;
        Some(())
    }

    fn number(&mut self, bytes: usize) -> Option<usize> {
        let value = self
            .0
            .get(..bytes)?
            .iter()
            .fold(0usize, |sum, b| sum << 8 | usize::from(*b));
        self.skip(bytes)?;
        Some(value)
    }

    fn counted(&mut self, bytes: usize) -> Option<()> {
        let length = self.number(bytes)?;
        self.skip(length)
    }

    fn certificate(&mut self, version: usize) -> Option<()> {
        if version == 2 {
            self.counted(2)?;
        }
        self.counted(4)
    }

    fn store(&mut self) -> Option<()> {
        let version = self.number(4)?;
        for _ in 0..self.number(4)? {
            let tag = self.number(4)?;
            self.counted(2)?;
            self.skip(8)?;
            match tag {
                1 => {
                    self.counted(4)?;
                    for _ in 0..self.number(4)? {
                        self.certificate(version)?;
                    }
                }
                2 => self.certificate(version)?,
                _ => return None,
            }
        }
        Some(())
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
