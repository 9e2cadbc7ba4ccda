//! One connection: requests are pipelined, answers find them by their number, and silence is noticed.

use super::dial::{Input, Output, dial};
use super::lost::{Lost, Sending};
use super::settings::{Credentials, Settings};
use super::wire::{self, Incoming, Question, Reply, Request};
use crate::model::{Stage, Unreached};
use bytes::{Bytes, BytesMut};
use rocketmq_protocol::RequestCode;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// Requests that wait for the writer. Each lane has one at most, so this is never what limits the speed.
const WRITER_QUEUE: usize = 256;
const READ_BYTES: usize = 64 << 10;

/// A connection to one server. Dropping it closes it.
pub(super) struct Connection {
    shared: Arc<Shared>,
    writer: mpsc::Sender<Outbox>,
    tasks: Vec<JoinHandle<()>>,
}

/// Where the questions of a server go, with its address. One that finds no room is dropped: servers ask again.
pub(super) type Questions = mpsc::Sender<(String, Question)>;

/// A frame on its way to the writer.
struct Outbox {
    frame: Bytes,
    sending: Arc<Sending>,
}

struct Shared {
    address: String,
    tls: bool,
    credentials: Option<Credentials>,
    questions: Option<Questions>,
    opaque: AtomicI32,
    waiting: Mutex<Waiting>,
    started: Instant,
    /// When something was last read, in milliseconds after `started`.
    heard_ms: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    by_opaque: HashMap<i32, oneshot::Sender<Reply>>,
    /// Why the connection is closed, once it is.
    closed: Option<String>,
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Everything that waits fails now, and everything that comes later.
    fn close(&self, why: String) {
        let mut waiting = self.waiting();
        if waiting.closed.is_none() {
            tracing::debug!("{}: {why}", self.address);
            waiting.closed = Some(why);
        }
        waiting.by_opaque.clear();
    }

    fn closed(&self) -> Option<String> {
        self.waiting().closed.clone()
    }

    fn heard(&self) {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        // 0 stands for "never".
        self.heard_ms.store(now.max(1), Ordering::Relaxed);
    }

    fn silent_for(&self) -> Duration {
        let heard = Duration::from_millis(self.heard_ms.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(heard)
    }

    /// A server that wants TLS closes a connection without it at the first byte.
    fn closed_by_server(&self) -> String {
        let heard = self.heard_ms.load(Ordering::Relaxed) > 0;
        match heard || self.tls {
            true => "closed by the server".to_owned(),
            false => "closed by the server before it said anything (if it wants TLS: -X tls.enable=true)".to_owned(),
        }
    }

    fn failure(&self, why: impl std::fmt::Display) -> Unreached {
        Unreached::at(Stage::Tcp, format!("{}: {why}", self.address))
    }
}

/// Forgets a request when its caller gives up, in whatever way.
struct Forget<'a>(&'a Shared, i32, &'a Sending);

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.2.cancel();
        self.0.waiting().by_opaque.remove(&self.1);
    }
}

impl Connection {
    pub(super) async fn open(
        address: &str,
        settings: &Settings,
        questions: Option<Questions>,
    ) -> Result<Connection, Lost> {
        let (input, output) = dial(address, settings).await?;
        let shared = Arc::new(Shared {
            address: address.to_owned(),
            tls: settings.tls.is_some(),
            credentials: settings.credentials.clone(),
            questions,
            opaque: AtomicI32::new(1),
            waiting: Mutex::default(),
            started: Instant::now(),
            heard_ms: AtomicU64::new(0),
        });
        let (writer, frames) = mpsc::channel(WRITER_QUEUE);
        let tasks = vec![
            tokio::spawn(write(Arc::clone(&shared), output, frames)),
            tokio::spawn(read(Arc::clone(&shared), input)),
            tokio::spawn(keep_alive(Arc::clone(&shared), writer.clone(), settings.heartbeat)),
        ];
        Ok(Connection { shared, writer, tasks })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.shared.closed().is_some()
    }

    /// Asks and waits for the answer. `sending` tells, also when this is dropped, whether the server may have got it.
    pub(super) async fn ask(
        &self,
        request: &Request,
        sending: &Arc<Sending>,
        patience: Duration,
    ) -> Result<Reply, Lost> {
        ask(&self.shared, &self.writer, request, sending, patience).await
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.close("the connection was closed here".to_owned());
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn ask(
    shared: &Shared,
    writer: &mpsc::Sender<Outbox>,
    request: &Request,
    sending: &Arc<Sending>,
    patience: Duration,
) -> Result<Reply, Lost> {
    let opaque = shared.opaque.fetch_add(1, Ordering::Relaxed);
    let frame = request
        .encode(opaque, shared.credentials.as_ref())
        .map_err(|e| Lost::unsent(shared.failure(e)))?;
    let (answer, answered) = oneshot::channel();
    {
        let mut waiting = shared.waiting();
        if let Some(why) = &waiting.closed {
            return Err(Lost::unsent(shared.failure(why)));
        }
        waiting.by_opaque.insert(opaque, answer);
    }
    let _forget = Forget(shared, opaque, sending);
    let outbox = Outbox {
        frame,
        sending: Arc::clone(sending),
    };
    let done = timeout(patience, async {
        // A writer that is gone has closed the connection, and `answered` fails.
        let _ = writer.send(outbox).await;
        answered.await
    });
    let why = match done.await {
        Ok(Ok(reply)) => return Ok(reply),
        Ok(Err(_)) => shared
            .closed()
            .unwrap_or_else(|| "the connection was closed".to_owned()),
        Err(_) => format!("no answer within {} ms", patience.as_millis()),
    };
    Err(Lost {
        written: !sending.cancel(),
        why: shared.failure(why),
    })
}

async fn write(shared: Arc<Shared>, mut output: Output, mut frames: mpsc::Receiver<Outbox>) {
    while let Some(Outbox { frame, sending }) = frames.recv().await {
        if !sending.begin() {
            continue;
        }
        let written = async {
            output.write_all(&frame).await?;
            output.flush().await
        };
        if let Err(e) = written.await {
            shared.close(e.to_string());
            return;
        }
    }
}

async fn read(shared: Arc<Shared>, mut input: Input) {
    let mut received = BytesMut::new();
    let why = loop {
        received.reserve(READ_BYTES);
        match input.read_buf(&mut received).await {
            Ok(0) => break shared.closed_by_server(),
            Ok(_) => shared.heard(),
            Err(e) => break e.to_string(),
        }
        if let Err(why) = understand(&shared, &mut received) {
            break why;
        }
    };
    shared.close(why);
}

fn understand(shared: &Shared, received: &mut BytesMut) -> Result<(), String> {
    while let Some(incoming) = wire::take(received)? {
        match incoming {
            Incoming::Reply(opaque, reply) => {
                let waits = shared.waiting().by_opaque.remove(&opaque);
                if let Some(waits) = waits {
                    // Whoever asked may have given up a moment ago.
                    let _ = waits.send(reply);
                }
            }
            Incoming::Asked(question) => {
                if let Some(questions) = &shared.questions {
                    // Full or closed: nobody here can answer now.
                    let _ = questions.try_send((shared.address.clone(), question));
                }
            }
        }
    }
    Ok(())
}

/// Asks a silent server whether it lives, and closes the connection when it does not answer: within two heartbeats of the
/// last thing that was heard. Any answer is a sign of life; a name server only says that it knows no heartbeats.
async fn keep_alive(shared: Arc<Shared>, writer: mpsc::Sender<Outbox>, heartbeat: Duration) {
    let nobody = format!(
        r#"{{"clientID":"mqsafe@{}","producerDataSet":[],"consumerDataSet":[]}}"#,
        std::process::id()
    );
    let request = Request::new(RequestCode::HeartBeat).with_body(nobody);
    loop {
        sleep(heartbeat / 4).await;
        if shared.silent_for() < heartbeat / 2 {
            continue;
        }
        let asked = Instant::now();
        let answer = ask(&shared, &writer, &request, &Arc::default(), heartbeat).await;
        let silent = shared.silent_for();
        if answer.is_err() && silent >= asked.elapsed() {
            shared.close(format!(
                "nothing was heard for {:.1} s, not even the answer to a heartbeat",
                silent.as_secs_f32()
            ));
            return;
        }
    }
}
