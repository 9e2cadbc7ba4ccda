//! What looks like a secret, by its name and by its text. Whatever does is dropped when it is read and blanked where its line is shown.

use crate::text::Span;

/// Parts of names that mark a secret, in lower case and without `.`, `-`, `_`.
const NAMES: [&str; 22] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "jaas",
    "credential",
    "apikey",
    "accesskey",
    "privatekey",
    "keystorekey",
    "truststorecertificates",
    "sslkey",
    "keypem",
    "userinfo",
    "authorization",
    "cookie",
    "signature",
    "sharedkey",
    "clientassertion",
    "encryptionkey",
];

/// Whether a setting of this name may hold a secret. Wide on purpose: blanking too much costs nothing.
pub(super) fn is_secret_name(name: &str) -> bool {
    let plain: String = name
        .chars()
        .filter(|c| !matches!(c, '.' | '-' | '_'))
        .flat_map(char::to_lowercase)
        .collect();
    NAMES.iter().any(|part| plain.contains(part))
}

/// Whether a text holds a secret whatever its name: login lines, private keys, addresses with a password in them.
pub(super) fn is_secret_text(text: &str) -> bool {
    if text.contains("-----BEGIN") || text.contains("eyJ") && text.matches('.').count() >= 2 {
        return true;
    }
    let lower = text.to_lowercase();
    let named = ["password", "passwd", "secret", "token", "credential"]
        .iter()
        .any(|word| {
            lower.match_indices(word).any(|(at, _)| {
                lower[at + word.len()..]
                    .trim_start_matches(['"', '\'', ' '])
                    .starts_with(['=', ':'])
            })
        });
    named || has_user_info(text)
}

/// `scheme://user:password@host`, and `scheme://key@host` too.
fn has_user_info(text: &str) -> bool {
    text.match_indices("://").any(|(at, _)| {
        let rest = &text[at + 3..];
        let authority = rest.split(['/', '?', '#', ' ', '\t', '"', '\'']).next().unwrap_or(rest);
        authority.contains('@')
    })
}

/// The bytes that must not be shown, sorted and apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Masks(Vec<Span>);

impl Masks {
    /// Sorts and joins spans.
    pub(super) fn new(mut spans: Vec<Span>) -> Masks {
        spans.retain(|s| s.start < s.end);
        spans.sort_unstable();
        let mut joined: Vec<Span> = Vec::with_capacity(spans.len());
        for span in spans {
            match joined.last_mut() {
                Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
                _ => joined.push(span),
            }
        }
        Masks(joined)
    }

    /// Whether any of these bytes is secret.
    pub(super) fn touch(&self, span: Span) -> bool {
        self.overlapping(span).next().is_some()
    }

    /// The secret spans that share a byte with this one, in order.
    pub(super) fn overlapping(&self, span: Span) -> impl Iterator<Item = Span> + '_ {
        let first = self.0.partition_point(|m| m.end <= span.start);
        self.0
            .iter()
            .skip(first)
            .copied()
            .take_while(move |m| m.start < span.end)
    }
}

/// Regions between `-----BEGIN` and `-----END` lines: keys pasted into a file that does not hold them in one value.
pub(super) fn pem_regions(bytes: &[u8]) -> Vec<Span> {
    let find = |from: usize, what: &[u8]| {
        let hay = bytes.get(from..).unwrap_or_default();
        hay.windows(what.len()).position(|w| w == what).map(|i| from + i)
    };
    let (mut out, mut from) = (Vec::new(), 0);
    while let Some(start) = find(from, b"-----BEGIN") {
        let end = find(start, b"-----END").map_or(bytes.len(), |e| e + b"-----END".len());
        out.push(Span::new(start, end));
        from = end;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets() {
        for name in [
            "sasl.jaas.config",
            "ssl.key.password",
            "ssl_keystore_key",
            "accessKey",
            "secretKey",
            "password_hash",
            "basic.auth.user.info",
            "producer.override.sasl.password",
            "ssl.key.pem",
            "API-KEY",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "acks",
            "key.serializer",
            "brokerRole",
            "min.insync.replicas",
            "durable",
            "ssl.protocol",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn texts_with_secrets() {
        for text in [
            "x required username=\"u\" password=\"p\";",
            "amqp://u:p@h/v",
            "-----BEGIN PRIVATE KEY-----",
            "{\"client_secret\": \"x\"}",
        ] {
            assert!(is_secret_text(text), "{text}");
        }
        for text in [
            "all",
            "PLAINTEXT://a:9092,SSL://b:9093",
            "0@s3://ko3?region=us-east-1",
            "1@localhost:9093",
        ] {
            assert!(!is_secret_text(text), "{text}");
        }
    }

    #[test]
    fn masks_join_and_are_found() {
        let m = Masks::new(vec![Span::new(5, 8), Span::new(1, 3), Span::new(2, 4), Span::new(9, 9)]);
        assert!(m.touch(Span::new(3, 5)) && !m.touch(Span::new(4, 5)) && !m.touch(Span::new(8, 20)));
        assert_eq!(
            m.overlapping(Span::new(0, 100)).collect::<Vec<_>>(),
            [Span::new(1, 4), Span::new(5, 8)]
        );
    }
}
