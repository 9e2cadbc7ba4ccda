//! rabbitmqadmin: sections of `~/.rabbitmqadmin.conf`, as the Python script (INI) and version 2 (TOML) write them.
//!
//! Its port is that of the management API; AMQP is taken to be at its usual port of the same host.

use super::Imported;

/// Reads all sections; the error is the line that is none.
pub(super) fn import(text: &str) -> Result<Vec<Imported>, usize> {
    let mut sections: Vec<(String, Vec<(String, String)>)> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            sections.push((name.trim().to_owned(), Vec::new()));
            continue;
        }
        let (key, value) = line.split_once('=').ok_or(number + 1)?;
        let (_, settings) = sections.last_mut().ok_or(number + 1)?;
        settings.push((key.trim().to_owned(), unquoted(value.trim()).to_owned()));
    }
    Ok(sections
        .into_iter()
        .map(|(name, settings)| section(&name, settings))
        .collect())
}

fn unquoted(text: &str) -> &str {
    let quoted = ['"', '\''].iter().find_map(|q| text.strip_prefix(*q)?.strip_suffix(*q));
    quoted.unwrap_or(text)
}

fn section(name: &str, settings: Vec<(String, String)>) -> Imported {
    let mut out = Imported::new(name);
    let (mut host, mut port, mut user, mut vhost) = ("localhost".to_owned(), None, None, None);
    let mut tls = false;
    for (key, value) in settings {
        match key.as_str() {
            "hostname" | "host" => host = value,
            "port" => port = Some(value),
            "username" => user = Some(value),
            "vhost" | "virtual_host" | "declare_vhost" => vhost = Some(value),
            "password" => out.set("sasl.password", value),
            "ssl" | "tls" => tls = value.eq_ignore_ascii_case("true"),
            "scheme" => tls = value == "https",
            "ssl_ca_cert_file" | "ca_certificate_bundle_path" | "tls_ca_cert_file" => out.set("ssl.ca.location", value),
            "ssl_cert_file" | "client_certificate_file_path" | "tls_cert_file" => {
                out.set("ssl.certificate.location", value)
            }
            "ssl_key_file" | "client_private_key_file_path" | "tls_key_file" => out.set("ssl.key.location", value),
            _ => out.leave(&key, "it has no counterpart here"),
        }
    }
    let scheme = if tls { "amqps" } else { "amqp" };
    let user = user
        .map(|u| format!("{}@", super::super::url::encoded(&u)))
        .unwrap_or_default();
    let vhost = vhost
        .filter(|v| v != "/")
        .map(|v| format!("/{}", super::super::url::encoded(&v)));
    out.broker = Some(format!("{scheme}://{user}{host}{}", vhost.unwrap_or_default()));
    let (scheme, usual) = if tls { ("https", "15671") } else { ("http", "15672") };
    out.management = Some(format!("{scheme}://{host}:{}", port.as_deref().unwrap_or(usual)));
    out
}
