//! Tokens from a provider of our own, from a command and from a file.

use super::*;
use crate::connect::Origin;
use std::io::{Read, Write};
use std::net::TcpListener;

const SECRET: &str = "hunter2";

/// Whether a request has come with all of its body, however slowly its client writes it.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    body.len() >= length.unwrap_or(0)
}

/// Answers each request with the same words; returns its address and what it was asked.
fn provider(status: &str, body: &str, times: usize) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let thread = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for _ in 0..times {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            while !is_whole(&request) {
                let Ok(n @ 1..) = stream.read(&mut buffer) else { break };
                request.extend_from_slice(&buffer[..n]);
            }
            let _ = stream.write_all(answer.as_bytes());
            asked.push(String::from_utf8_lossy(&request).into_owned());
        }
        asked
    });
    (url, thread)
}

fn tokens(settings: &[(&str, &str)]) -> Result<Arc<Tokens>> {
    let mut properties = ClientProperties::default();
    for (key, value) in settings {
        properties.set(format!("sasl.oauthbearer.{key}"), *value, Origin::Property);
    }
    Tokens::new(&properties)
}

fn endpoint_of(url: &str) -> Arc<Tokens> {
    tokens(&[
        ("token.endpoint.url", url),
        ("client.id", "me"),
        ("client.secret", SECRET),
        ("scope", "a b"),
    ])
    .unwrap()
}

fn jwt(claims: &str) -> String {
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

#[test]
fn a_token_is_asked_for_once_and_says_whose_it_is() {
    let exp = now_ms() / 1000 + 600;
    let token = jwt(&format!("{{\"sub\":\"alice\",\"exp\":{exp}}}"));
    let (url, asked) = provider(
        "200 OK",
        &format!("{{\"access_token\":\"{token}\",\"expires_in\":5}}"),
        1,
    );
    let tokens = endpoint_of(&url);
    for _ in 0..2 {
        let got = tokens.get().unwrap();
        assert_eq!(
            (got.token.as_str(), got.principal_name.as_str()),
            (token.as_str(), "alice")
        );
        assert!(
            (got.lifetime_ms - exp * 1000).abs() < 2000,
            "the token's own word counts"
        );
    }
    let asked = asked.join().unwrap().remove(0);
    let login = STANDARD.encode(format!("me:{SECRET}"));
    assert!(
        asked.contains(&format!("Basic {login}")) && asked.contains("grant_type=client_credentials"),
        "{asked}"
    );
    assert!(asked.contains("scope=a+b") || asked.contains("scope=a%20b"), "{asked}");
    assert!(!format!("{tokens:?}").contains(SECRET));
}

#[test]
fn a_token_that_says_nothing_lives_as_long_as_its_provider_says() {
    let (url, _asked) = provider("200 OK", "{\"access_token\":\"opaque\",\"expires_in\":60}", 1);
    let got = endpoint_of(&url).get().unwrap();
    assert_eq!(got.principal_name, "me");
    let left = got.lifetime_ms - now_ms();
    assert!((50_000..=60_000).contains(&left), "{left}");
    // A provider may claim any number of seconds.
    let (url, _asked) = provider(
        "200 OK",
        "{\"access_token\":\"opaque\",\"expires_in\":18446744073709551615}",
        1,
    );
    assert_eq!(endpoint_of(&url).get().unwrap().lifetime_ms, i64::MAX);
}

#[test]
fn a_provider_that_refuses_is_quoted_without_what_may_be_secret() {
    let expired = format!("{{\"access_token\":\"{}\"}}", jwt("{\"exp\":1}"));
    let (elsewhere, untouched) = provider("200 OK", "{}", 0);
    let moved = format!("302 Found\r\nLocation: {elsewhere}");
    let echo = format!("{{\"error\":\"invalid_client\",\"error_description\":\"bad secret {SECRET}\"}}");
    for (status, body, expected) in [
        ("401 Unauthorized", echo.as_str(), "HTTP 401 invalid_client"),
        ("500 Oops", SECRET, "HTTP 500"),
        (moved.as_str(), "", "HTTP 302"),
        ("200 OK", "no JSON hunter2", "no access_token"),
        ("200 OK", "{\"access_token\":\"a\\u0001b\"}", "no bearer token"),
        ("200 OK", expired.as_str(), "has expired"),
    ] {
        let (url, _asked) = provider(status, body, 1);
        let why = endpoint_of(&url).get().err().unwrap();
        assert!(why.contains(expected) && !why.contains(SECRET), "{why}");
    }
    assert!(untouched.join().unwrap().is_empty(), "a redirection is not followed");
    let why = endpoint_of("http://127.0.0.1:1/t").get().err().unwrap();
    assert!(why.contains("http://127.0.0.1:1/t"), "{why}");
}

#[test]
fn a_command_or_a_file_gives_it_too() {
    assert_eq!(
        tokens(&[("token.command", "echo 'tok.en'")])
            .unwrap()
            .get()
            .unwrap()
            .token,
        "tok.en"
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "of.file\n").unwrap();
    let url = format!("file://{}", file.path().display());
    assert_eq!(
        tokens(&[("token.endpoint.url", &url)]).unwrap().get().unwrap().token,
        "of.file"
    );
    let why = tokens(&[("token.command", "sh -c 'echo hunter2; exit 1'")])
        .unwrap()
        .get()
        .err()
        .unwrap();
    assert!(!why.contains(SECRET), "{why}");
}

#[test]
fn what_is_missing_is_named() {
    for (settings, expected) in [
        (&[][..], "where its tokens come from"),
        (&[("token.endpoint.url", "https://h/t")], "client.id is missing"),
        (&[("token.endpoint.url", "https://u:hunter2@h/t")], "is not https://"),
        (&[("token.endpoint.url", "ftp://h/t")], "is not https://"),
        (&[("token.command", "a 'hunter2")], "cannot be split"),
        (&[("extensions", "a=hunter2")], "cannot be used"),
    ] {
        let said = format!("{:?}", tokens(settings).unwrap_err());
        assert!(said.contains(expected) && !said.contains(SECRET), "{said}");
    }
}
