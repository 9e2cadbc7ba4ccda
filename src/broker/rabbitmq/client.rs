//! A login: socket, TLS, AMQP handshake, virtual host. Bounded as a whole, and told by the step that failed.

use super::greeting::{self, Greeting};
use super::socket::{self, Cut, Stream};
use super::target::{Mechanism, Target};
use super::words::{self, code};
use crate::model::{Stage, Unreached};
use lapin::auth::AuthProvider;
use lapin::types::{LongString, ShortString};
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{Channel, Connection, ConnectionProperties, ErrorKind};
use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// The largest frame that is agreed on.
const FRAME_MAX_BYTES: u32 = 131_072;

/// How long a goodbye may take; nothing depends on it.
const GOODBYE: Duration = Duration::from_secs(1);

/// Two threads that drive every connection of this process. They always run, because lapin's own thread needs somebody to
/// watch its socket.
fn runtime() -> Option<&'static Runtime> {
    static RUNTIME: OnceLock<Option<Runtime>> = OnceLock::new();
    RUNTIME
        .get_or_init(|| {
            Builder::new_multi_thread()
                .worker_threads(2)
                .thread_name("rabbitmq")
                .enable_all()
                .build()
                .ok()
        })
        .as_ref()
}

/// The threads, or the words for their absence.
pub(super) fn threads() -> Result<&'static Runtime, Unreached> {
    runtime().ok_or_else(|| Unreached::new("the threads of the client cannot be started"))
}

/// Waits for something that is bounded by itself.
pub(super) fn wait<T>(work: impl Future<Output = Result<T, Unreached>>) -> Result<T, Unreached> {
    threads()?.block_on(work)
}

/// A connection that is logged in. Dropping it cuts the socket.
pub(super) struct Client {
    pub(super) connection: Connection,
    pub(super) cut: Cut,
}

impl Client {
    /// Logs in to the first server that lets us, each within `target.setup`, all within `patience`.
    ///
    /// # Errors
    /// What the last server said; at once when one refused, because the nodes of a cluster share their users.
    pub(super) async fn login(target: &Target, patience: Duration) -> Result<Client, Unreached> {
        let end = tokio::time::Instant::now() + patience;
        let mut last = Unreached::new("no broker answered");
        for address in &target.hosts {
            let left = end.saturating_duration_since(tokio::time::Instant::now());
            let limit = target.setup.min(left);
            match Client::login_to(target, address, limit).await {
                Ok(client) => return Ok(client),
                Err(why) if why.stage >= Some(Stage::Authentication) => return Err(why),
                Err(why) => last = why,
            }
            if left.is_zero() {
                break;
            }
        }
        Err(last)
    }

    /// Logs in to one server.
    pub(super) async fn login_to(target: &Target, address: &str, limit: Duration) -> Result<Client, Unreached> {
        let mut reached = Stage::Dns;
        let work = async {
            let addresses = socket::resolve(address).await?;
            reached = Stage::Tcp;
            let (stream, cut) = socket::connect(&addresses).await?;
            reached = Stage::Tls;
            let stream = socket::secure(stream, target.tls.as_ref(), address).await?;
            reached = Stage::Authentication;
            let connection = handshake(target, address, stream).await?;
            Ok(Client { connection, cut })
        };
        let failed = match tokio::time::timeout(limit, work).await {
            Ok(Ok(client)) => return Ok(client),
            Ok(Err(why)) => why,
            Err(_) => too_late(reached, target.tls.is_some(), address),
        };
        // RabbitMQ is silent for three seconds about a login that it does not offer, and then hangs up; PLAIN it always offers.
        let may_be_missing = reached == Stage::Authentication && failed.stage.is_none();
        if may_be_missing && target.mechanism != Mechanism::Plain {
            let greeting = tokio::time::timeout(limit, greet(target, address)).await;
            if let Ok(Ok(greeting)) = greeting {
                greeting.check(target.mechanism)?;
            }
        }
        Err(failed)
    }

    /// A channel, within `limit`.
    pub(super) async fn channel(&self, limit: Duration) -> Result<Channel, lapin::Error> {
        timed(limit, self.connection.create_channel()).await
    }

    /// Says goodbye, so that the broker does not log a lost client.
    pub(super) async fn close(self) {
        let goodbye = self.connection.close(200, ShortString::from("bye"));
        let _ = tokio::time::timeout(GOODBYE, goodbye).await;
    }
}

/// What a server says before a login, on a connection of its own.
async fn greet(target: &Target, address: &str) -> Result<Greeting, Unreached> {
    let addresses = socket::resolve(address).await?;
    let (stream, _cut) = socket::connect(&addresses).await?;
    greeting::read(socket::secure(stream, target.tls.as_ref(), address).await?).await
}

/// A silent server proves nothing about who we are, so this is no refusal: only what was answered is.
fn too_late(reached: Stage, tls: bool, address: &str) -> Unreached {
    match reached {
        Stage::Dns => Unreached::at(Stage::Dns, "the name server does not answer"),
        Stage::Tcp => Unreached::at(Stage::Tcp, format!("no answer from {address}")),
        Stage::Tls if tls => Unreached::new(format!("{address} took the connection and does not answer in TLS")),
        Stage::Tls | Stage::Authentication | Stage::Authorisation => {
            Unreached::new(format!("{address} took the connection and does not answer in AMQP"))
        }
    }
}

/// An answer of the broker, or that it did not come in time.
pub(super) async fn timed<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, lapin::Error>>,
) -> Result<T, lapin::Error> {
    match tokio::time::timeout(limit, work).await {
        Ok(answer) => answer,
        Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
    }
}

async fn handshake(target: &Target, address: &str, stream: Stream) -> Result<Connection, Unreached> {
    let (host, port) = socket::host_and_port(address);
    let nobody = AMQPUserInfo {
        username: String::new(),
        password: String::new(),
    };
    // lapin keeps and prints this, so who we are is not in it.
    let uri = AMQPUri {
        scheme: AMQPScheme::AMQP,
        authority: AMQPAuthority {
            userinfo: nobody,
            host: host.to_owned(),
            port,
        },
        vhost: target.vhost.clone(),
        query: AMQPQueryString {
            heartbeat: Some(target.heartbeat_seconds()),
            // RabbitMQ's own default. lapin makes buffers of many times what is agreed, so what a server asks for has a limit.
            frame_max: Some(FRAME_MAX_BYTES),
            ..AMQPQueryString::default()
        },
    };
    // lapin adds the capabilities authentication_failure_close, connection.blocked and consumer_cancel_notify itself.
    let properties = ConnectionProperties::default()
        .with_connection_name("mqsafe".into())
        .with_client_property("product".into(), "mqsafe".into())
        .with_client_property("version".into(), crate::VERSION.into())
        .with_auth_provider(Login {
            mechanism: target.mechanism,
            user: target.user.clone(),
            password: target.password.clone(),
        });
    let runtime = lapin::runtime::default_runtime().map_err(|e| Unreached::new(words::why(&e)))?;
    // It asks once, because auto-recovery is off and no retry is configured.
    let ready = Arc::new(Mutex::new(Some(stream)));
    let hand_over = async move |_uri, _runtime| {
        let stream = ready.lock().unwrap_or_else(|e| e.into_inner()).take();
        stream.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotConnected).into())
    };
    Connection::connector(uri, runtime, hand_over, properties)
        .await
        .map_err(|e| refused(target, &e))
}

/// What a failed handshake means. Before `authentication_failure_close`, and for some back-ends still, a server that refuses
/// a login closes the socket (RabbitMQ: access control, "Authentication Failure Notifications").
fn refused(target: &Target, error: &lapin::Error) -> Unreached {
    let who = match target.mechanism {
        Mechanism::External => "the client certificate".to_owned(),
        Mechanism::Plain | Mechanism::AmqPlain => format!("user {}", target.user),
    };
    match words::reply(error) {
        Some((code::ACCESS_REFUSED, text)) => {
            Unreached::at(Stage::Authentication, format!("{who} is refused: {text} (403)"))
        }
        Some((code::NOT_ALLOWED, text)) => Unreached::at(Stage::Authorisation, format!("{text} (530)")),
        Some((code, text)) => Unreached::new(format!("{text} ({code})")),
        None => match error.kind() {
            ErrorKind::AuthProviderError(why) => Unreached::at(Stage::Authentication, why.clone()),
            ErrorKind::ChannelsLimitReached
            | ErrorKind::InvalidProtocolVersion(_)
            | ErrorKind::InvalidChannel(_)
            | ErrorKind::InvalidChannelState(..)
            | ErrorKind::InvalidConnectionState(_)
            | ErrorKind::IOError(_)
            | ErrorKind::RuntimeShutdownError(_)
            | ErrorKind::ParsingError(_)
            | ErrorKind::ProtocolError(_)
            | ErrorKind::SerialisationError(_)
            | ErrorKind::FutureCompleted
            | ErrorKind::NoDefaultRuntime
            | ErrorKind::MissingHeartbeatError
            | _ => Unreached::new(format!("{} during the login of {who}", words::why(error))),
        },
    }
}

/// What is said at `connection.start-ok`.
struct Login {
    mechanism: Mechanism,
    user: String,
    password: String,
}

impl AuthProvider for Login {
    fn mechanism(&self) -> ShortString {
        self.mechanism.name().into()
    }

    fn auth_starter(&self) -> Result<LongString, String> {
        let (user, password) = (self.user.as_bytes(), self.password.as_bytes());
        let answer = match self.mechanism {
            // RFC 4616.
            Mechanism::Plain => [b"\0", user, b"\0", password].concat(),
            // A field table without its length, as RabbitMQ's rabbit_auth_mechanism_amqplain reads it.
            Mechanism::AmqPlain => [field("LOGIN", user), field("PASSWORD", password)].concat(),
            // Who it is stands in the certificate.
            Mechanism::External => Vec::new(),
        };
        Ok(answer.into())
    }

    fn continue_auth(&self, _challenge: LongString) -> Result<LongString, String> {
        Err(format!("the broker asks for more than {} has", self.mechanism.name()))
    }
}

/// One long string of a field table (AMQP 0-9-1, 4.2.5.5).
fn field(name: &str, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![name.len() as u8];
    bytes.extend_from_slice(name.as_bytes());
    bytes.push(b'S');
    bytes.extend_from_slice(&(value.len() as u32).to_be_bytes());
    bytes.extend_from_slice(value);
    bytes
}
