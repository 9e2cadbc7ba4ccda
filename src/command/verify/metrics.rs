//! `--metrics ADDR`: the last round, for Prometheus.
//!
//! Whoever reaches the address is a stranger: a request is read up to a size and for a time, few are answered at once, and nothing of
//! a request is used but its first line.

use crate::model::{Problem, Result};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A request that is longer is not read to its end.
const LONGEST_BYTES: usize = 8 * 1024;
/// A request that takes longer is not waited for, and neither is a reader of the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Requests at once; what is above is turned away.
const MOST: usize = 16;

const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves the text of the last round.
pub(super) struct Metrics {
    text: Arc<Mutex<String>>,
    /// Where it listens.
    pub(super) at: SocketAddr,
}

impl Metrics {
    /// Listens from now on. Until the first round is over the answer is 503.
    ///
    /// # Errors
    /// A usage problem when the address cannot be listened on.
    pub(super) fn serve(address: &str) -> Result<Metrics> {
        let cannot = |why: std::io::Error| {
            Problem::usage(format!("cannot listen on {address}"))
                .because(why)
                .next("give an address of this machine and a free port, as --metrics 127.0.0.1:9464")
        };
        let all: Vec<SocketAddr> = address.to_socket_addrs().map_err(cannot)?.collect();
        let listener = TcpListener::bind(all.as_slice()).map_err(cannot)?;
        let at = listener.local_addr().map_err(cannot)?;
        let text = Arc::new(Mutex::new(String::new()));
        let shared = Arc::clone(&text);
        std::thread::Builder::new()
            .name("metrics".to_owned())
            .spawn(move || listen(&listener, &shared))
            .map_err(cannot)?;
        Ok(Metrics { text, at })
    }

    /// Tells another round.
    pub(super) fn tell(&self, text: String) {
        *self.text.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }
}

fn listen(listener: &TcpListener, text: &Arc<Mutex<String>>) {
    let busy = Arc::new(AtomicUsize::new(0));
    loop {
        let Ok((stream, _)) = listener.accept() else {
            // Too many open files, most likely: it passes.
            std::thread::sleep(Duration::from_millis(100));
            continue;
        };
        let limits = stream
            .set_read_timeout(Some(PATIENCE))
            .and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
        if limits.is_err() || busy.load(Ordering::Acquire) >= MOST {
            continue;
        }
        busy.fetch_add(1, Ordering::AcqRel);
        let (text, mine) = (Arc::clone(text), Arc::clone(&busy));
        let work = move || {
            let mut stream = stream;
            answer(&mut stream, &text);
            mine.fetch_sub(1, Ordering::AcqRel);
        };
        if std::thread::Builder::new()
            .name("metrics".to_owned())
            .spawn(work)
            .is_err()
        {
            busy.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// Reads one request and answers it. Whatever goes wrong ends the connection and nothing else.
fn answer(stream: &mut (impl Read + Write), text: &Mutex<String>) {
    let (status, kind, body) = match request(stream) {
        Asked::Metrics { is_head } => {
            let text = text.lock().unwrap_or_else(PoisonError::into_inner).clone();
            match (text.is_empty(), is_head) {
                (true, _) => (
                    "503 Service Unavailable",
                    "text/plain",
                    "the first round is not over\n".to_owned(),
                ),
                (false, true) => ("200 OK", TEXT, String::new()),
                (false, false) => ("200 OK", TEXT, text),
            }
        }
        Asked::Other => ("404 Not Found", "text/plain", "GET /metrics\n".to_owned()),
        Asked::Nothing => ("400 Bad Request", "text/plain", "GET /metrics\n".to_owned()),
        Asked::Gone => return,
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let began = Instant::now();
    let mut rest: &[u8] = &[head.as_bytes(), body.as_bytes()].concat();
    // One who takes a byte now and then must not hold the answer for ever.
    while !rest.is_empty() && began.elapsed() < PATIENCE {
        match stream.write(rest) {
            Ok(0) | Err(_) => return,
            Ok(n) => rest = &rest[n..],
        }
    }
}

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Metrics {
        is_head: bool,
    },
    Other,
    /// It is none.
    Nothing,
    /// It did not come in time, or the other side left.
    Gone,
}

fn request(stream: &mut impl Read) -> Asked {
    let (mut bytes, mut piece, began) = (Vec::new(), [0; 1024], Instant::now());
    loop {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return Asked::Gone,
            Ok(n) => bytes.extend_from_slice(&piece[..n]),
        }
        if bytes.windows(4).any(|w| w == b"\r\n\r\n") || bytes.windows(2).any(|w| w == b"\n\n") {
            break;
        }
        if bytes.len() > LONGEST_BYTES {
            return Asked::Nothing;
        }
        if began.elapsed() > PATIENCE {
            return Asked::Gone;
        }
    }
    let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let mut words = line.trim_ascii_end().split(|b| *b == b' ');
    let (method, path, version) = (words.next(), words.next(), words.next());
    let is_http = version.is_some_and(|version| version.starts_with(b"HTTP/1.")) && words.next().is_none();
    let path = path.and_then(|path| path.split(|b| *b == b'?').next());
    match (method, path) {
        _ if !is_http => Asked::Nothing,
        (Some(method @ (b"GET" | b"HEAD")), Some(b"/metrics")) => Asked::Metrics {
            is_head: method == b"HEAD",
        },
        (Some(_), Some(_)) => Asked::Other,
        (None, _) | (_, None) => Asked::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(bytes: &[u8]) -> Asked {
        request(&mut &bytes[..])
    }

    #[test]
    fn only_a_short_request_for_the_metrics_gets_them() {
        let metrics = |is_head| Asked::Metrics { is_head };
        assert_eq!(asked(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), metrics(false));
        assert_eq!(asked(b"HEAD /metrics?x=1 HTTP/1.0\n\n"), metrics(true));
        assert_eq!(asked(b"GET / HTTP/1.1\r\n\r\n"), Asked::Other);
        assert_eq!(asked(b"POST /metrics HTTP/1.1\r\n\r\n"), Asked::Other);
        for bad in [
            &b"\r\n\r\n"[..],
            b"GET\r\n\r\n",
            b"GET /metrics\r\n\r\n",
            b"\xff\xfe /metrics FTP\r\n\r\n",
        ] {
            assert_eq!(asked(bad), Asked::Nothing, "{bad:?}");
        }
        assert_eq!(asked(b"GET /metrics HT"), Asked::Gone);
        assert_eq!(asked(&[b'a'; 3 * LONGEST_BYTES]), Asked::Nothing);
    }

    #[test]
    fn many_silent_strangers_do_not_keep_one_who_asks_from_an_answer() {
        use std::net::TcpStream;
        let metrics = Metrics::serve("127.0.0.1:0").unwrap();
        metrics.tell("a 1\n# EOF\n".to_owned());
        let silent: Vec<_> = (0..MOST - 1).map(|_| TcpStream::connect(metrics.at).unwrap()).collect();
        let get = || {
            let mut stream = TcpStream::connect(metrics.at).unwrap();
            let mut said = String::new();
            let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n");
            let _ = stream.read_to_string(&mut said);
            said
        };
        let said = get();
        assert!(
            said.starts_with("HTTP/1.1 200 OK\r\n") && said.ends_with("a 1\n# EOF\n"),
            "{said}"
        );
        // More than are answered at once are turned away, not piled up.
        let more: Vec<_> = (0..50).map(|_| TcpStream::connect(metrics.at).unwrap()).collect();
        drop((silent, more));
        let began = Instant::now();
        while !get().starts_with("HTTP/1.1 200") {
            assert!(began.elapsed() < PATIENCE, "nobody is answered any more");
        }
    }
}
