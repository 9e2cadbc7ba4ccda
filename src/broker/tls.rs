//! Why a TLS handshake failed, the same words for every broker.

use rustls::Error;

/// What rustls refused, where that is why reading or writing failed.
pub(super) fn refusal(error: &std::io::Error) -> Option<&Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

/// Why a TLS handshake failed, in words that say what to look at.
pub(super) fn words(error: &Error, host: &str) -> String {
    use rustls::CertificateError as Bad;
    let Error::InvalidCertificate(bad) = error else {
        return alert(error);
    };
    if matches!(bad, Bad::NotValidForName | Bad::NotValidForNameContext { .. }) {
        return format!("the broker's certificate is not for the name {host}");
    }
    let known = [
        (matches!(bad, Bad::Expired | Bad::ExpiredContext { .. }), "has expired"),
        (
            matches!(bad, Bad::NotValidYet | Bad::NotValidYetContext { .. }),
            "is not valid yet",
        ),
        (
            matches!(bad, Bad::UnknownIssuer),
            "comes from an authority that is not trusted here (ssl.ca.location)",
        ),
        (matches!(bad, Bad::Revoked), "was revoked"),
        (matches!(bad, Bad::BadSignature), "has a wrong signature"),
        (
            matches!(bad, Bad::InvalidPurpose | Bad::InvalidPurposeContext { .. }),
            "is not for a server",
        ),
    ];
    match known.iter().find(|(is_it, _)| *is_it) {
        Some((_, words)) => format!("the broker's certificate {words}"),
        None => format!("the broker's certificate is refused: {bad}"),
    }
}

fn alert(error: &Error) -> String {
    use rustls::AlertDescription as Alert;
    if matches!(error, Error::InvalidMessage(_)) {
        return "the other side does not speak TLS on this port".to_owned();
    }
    let Error::AlertReceived(alert) = error else {
        return error.to_string();
    };
    let known = [
        (Alert::CertificateRequired, "the broker asks for a client certificate"),
        (
            Alert::UnknownCA,
            "the broker does not trust the authority of our certificate",
        ),
        (
            Alert::CertificateExpired,
            "the broker says that our certificate has expired",
        ),
        (Alert::BadCertificate, "the broker refuses our certificate"),
        (Alert::CertificateUnknown, "the broker refuses our certificate"),
        (
            Alert::HandshakeFailure,
            "the broker and this client have no TLS setting in common, or it asks for a client certificate",
        ),
        (Alert::ProtocolVersion, "the broker speaks no TLS version that is safe"),
    ];
    match known.iter().find(|(a, _)| a == alert) {
        Some((_, words)) => (*words).to_owned(),
        None => format!("the broker ended the handshake: {alert:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_told_apart() {
        use rustls::CertificateError as Bad;
        let all = [Bad::Expired, Bad::UnknownIssuer, Bad::NotValidForName, Bad::Revoked]
            .map(|bad| words(&Error::InvalidCertificate(bad), "mq.example"));
        assert!(all[2].contains("mq.example"));
        let different: std::collections::HashSet<&String> = all.iter().collect();
        assert_eq!(different.len(), all.len());
        let hidden = std::io::Error::other(Error::DecryptError);
        assert!(refusal(&hidden).is_some() && refusal(&std::io::Error::other("x")).is_none());
    }
}
