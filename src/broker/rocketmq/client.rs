//! The cluster as a client sees it: name servers in turn, the route of one topic, a connection to each server that is used.

use super::connection::{Connection, Questions};
use super::create::Kind;
use super::lost::{Lost, Sending};
use super::route::Route;
use super::settings::Settings;
use super::wire::{Reply, Request};
use crate::model::{Stage, Unreached};
use rocketmq_protocol::RequestCode;
use rocketmq_protocol::code::response_code::ResponseCode;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How long a server may take to answer a question.
pub(super) const ANSWER: Duration = Duration::from_secs(5);
/// A route older than this is asked for again, as the Java client does.
const ROUTE_AGE: Duration = Duration::from_secs(30);
/// After a failure it is asked for again at once, but not more often than this.
const ROUTE_PAUSE: Duration = Duration::from_secs(1);

pub(super) const SUCCESS: i32 = ResponseCode::Success as i32;
pub(super) const NO_PERMISSION: i32 = ResponseCode::NoPermission as i32;
pub(super) const TOPIC_NOT_EXIST: i32 = ResponseCode::TopicNotExist as i32;

/// A slot of the pool: whoever needs the connection first opens it, and the others wait for that.
type Slot = Arc<tokio::sync::Mutex<Option<Arc<Connection>>>>;

/// A client for one topic.
pub(super) struct Client {
    pub(super) settings: Settings,
    pub(super) topic: String,
    pool: Mutex<HashMap<String, Slot>>,
    /// The name server that answered last.
    preferred: AtomicUsize,
    route: tokio::sync::Mutex<Known>,
    /// Where the questions of brokers go.
    questions: Option<Questions>,
    kind: Mutex<Kind>,
    last_error: Mutex<Option<String>>,
}

/// What is known of the topic's route.
#[derive(Default)]
struct Known {
    route: Option<Arc<Route>>,
    /// When it was asked for last, successfully or not.
    asked: Option<Instant>,
    doubted: bool,
}

/// What the name servers say about the topic.
#[derive(Debug, Clone)]
pub(super) enum Routed {
    /// It is there.
    Known(Arc<Route>),
    /// They answered, and know brokers, but not this topic.
    NoSuchTopic,
}

impl Client {
    pub(super) fn new(settings: Settings, topic: String) -> Client {
        Client {
            settings,
            topic,
            pool: Mutex::default(),
            preferred: AtomicUsize::new(0),
            route: tokio::sync::Mutex::default(),
            questions: None,
            kind: Mutex::new(Kind::Unknown),
            last_error: Mutex::default(),
        }
    }

    /// The same, and hears what brokers ask.
    pub(super) fn hearing(settings: Settings, topic: String, questions: Questions) -> Client {
        Client {
            questions: Some(questions),
            ..Client::new(settings, topic)
        }
    }

    /// What kind of topic it is, as far as it is known.
    pub(super) fn kind(&self) -> Kind {
        *self.kind.lock().unwrap_or_else(|e| e.into_inner())
    }

    pub(super) fn set_kind(&self, kind: Kind) {
        *self.kind.lock().unwrap_or_else(|e| e.into_inner()) = kind;
    }

    fn error(&self) -> MutexGuard<'_, Option<String>> {
        self.last_error.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// The last thing that went wrong.
    pub(super) fn last_error(&self) -> Option<String> {
        self.error().clone()
    }

    /// An open connection to `address`.
    pub(super) async fn connection(&self, address: &str) -> Result<Arc<Connection>, Lost> {
        let slot = {
            let mut pool = self.pool.lock().unwrap_or_else(|e| e.into_inner());
            Arc::clone(pool.entry(address.to_owned()).or_default())
        };
        let mut slot = slot.lock().await;
        if let Some(open) = slot.as_ref().filter(|c| !c.is_closed()) {
            return Ok(Arc::clone(open));
        }
        *slot = None;
        let opened = Connection::open(address, &self.settings, self.questions.clone()).await;
        let opened = Arc::new(opened.inspect_err(|lost| self.remember(lost))?);
        *slot = Some(Arc::clone(&opened));
        Ok(opened)
    }

    fn remember(&self, lost: &Lost) {
        *self.error() = Some(lost.why.to_string());
    }

    /// Asks one server.
    pub(super) async fn ask(&self, address: &str, request: &Request, patience: Duration) -> Result<Reply, Lost> {
        self.ask_as(address, request, &Arc::default(), patience).await
    }

    /// As [`Client::ask`]; `sending` tells whether the server may have got it.
    pub(super) async fn ask_as(
        &self,
        address: &str,
        request: &Request,
        sending: &Arc<Sending>,
        patience: Duration,
    ) -> Result<Reply, Lost> {
        let connection = self.connection(address).await?;
        let answer = connection.ask(request, sending, patience).await;
        answer.inspect_err(|lost| self.remember(lost))
    }

    /// Asks the name servers in turn until one answers, whatever it answers; the one that answered last is the first.
    async fn ask_name_server(&self, request: &Request) -> Result<(String, Reply), Unreached> {
        let servers = &self.settings.name_servers;
        let first = self.preferred.load(Ordering::Relaxed);
        let mut failures: Vec<Unreached> = Vec::new();
        for turn in 0..servers.len() {
            let n = (first + turn) % servers.len();
            match self.ask(&servers[n], request, ANSWER).await {
                Ok(reply) => {
                    self.preferred.store(n, Ordering::Relaxed);
                    return Ok((servers[n].clone(), reply));
                }
                Err(lost) => failures.push(lost.why),
            }
        }
        Err(together(failures))
    }

    /// The route of the topic as the name servers know it now.
    pub(super) async fn ask_route(&self) -> Result<Routed, Unreached> {
        let request = Request::new(RequestCode::GetRouteinfoByTopic)
            .with("topic", &self.topic)
            .with("acceptStandardJsonOnly", true);
        let (server, reply) = self.ask_name_server(&request).await?;
        match reply.code {
            SUCCESS => {
                let route = Route::parse(&reply.body).map_err(|e| Unreached::new(format!("{server}: {e}")))?;
                Ok(Routed::Known(Arc::new(route)))
            }
            TOPIC_NOT_EXIST => {
                // A name server that was just started knows nothing until the brokers tell it (every 30 s by default).
                let cluster = self.cluster_of(&server).await?;
                match cluster.brokers.is_empty() {
                    true => Err(Unreached::new(format!("name server {server} knows no broker yet"))),
                    false => Ok(Routed::NoSuchTopic),
                }
            }
            NO_PERMISSION => Err(Unreached::at(
                Stage::Authentication,
                format!("name server {server} answered {}", reply.words()),
            )),
            _ => Err(Unreached::new(format!(
                "name server {server} answered {}",
                reply.words()
            ))),
        }
    }

    /// Every broker that a name server knows, by the first that answers.
    pub(super) async fn cluster(&self) -> Result<Route, Unreached> {
        let request = Request::new(RequestCode::GetBrokerClusterInfo);
        let (server, reply) = self.ask_name_server(&request).await?;
        cluster(&server, &reply)
    }

    /// Every broker that a name server knows.
    pub(super) async fn cluster_of(&self, server: &str) -> Result<Route, Unreached> {
        let request = Request::new(RequestCode::GetBrokerClusterInfo);
        let reply = self.ask(server, &request, ANSWER).await.map_err(|lost| lost.why)?;
        cluster(server, &reply)
    }

    /// The route, refreshed when it is old or was doubted. While no name server answers, the old one goes on.
    pub(super) async fn route(&self) -> Result<Arc<Route>, Unreached> {
        let mut known = self.route.lock().await;
        let age = known.asked.map(|at| at.elapsed());
        let due = if known.doubted { ROUTE_PAUSE } else { ROUTE_AGE };
        if let Some(route) = known.route.as_ref().filter(|_| age.is_some_and(|age| age < due)) {
            return Ok(Arc::clone(route));
        }
        let asked = self.ask_route().await;
        known.asked = Some(Instant::now());
        match asked {
            Ok(Routed::Known(route)) => {
                (known.doubted, known.route) = (false, Some(Arc::clone(&route)));
                Ok(route)
            }
            Ok(Routed::NoSuchTopic) => Err(Unreached::new(format!("topic {} does not exist any more", self.topic))),
            Err(why) => known.route.clone().ok_or(why),
        }
    }

    /// Remembers a route that was just asked for.
    pub(super) async fn learn(&self, route: &Arc<Route>) {
        let mut known = self.route.lock().await;
        (known.route, known.asked, known.doubted) = (Some(Arc::clone(route)), Some(Instant::now()), false);
    }

    /// Something about the route was wrong: it is asked for again at the next use.
    pub(super) async fn doubt_route(&self) {
        self.route.lock().await.doubted = true;
    }

    /// A question that changes nothing, to which a broker answers whether it believes who is asking.
    pub(super) async fn greet(&self, broker: &str, address: &str) -> Result<Reply, Unreached> {
        let nobody = r#"{"clientID":"mqsafe","producerDataSet":[],"consumerDataSet":[]}"#;
        let request = Request::new(RequestCode::HeartBeat).with_body(nobody);
        let told = |why: Unreached| Unreached {
            why: format!("broker {broker}, which the name server says is at {}", why.why),
            ..why
        };
        let reply = self
            .ask(address, &request, ANSWER)
            .await
            .map_err(|lost| told(lost.why))?;
        match reply.code {
            SUCCESS => Ok(reply),
            NO_PERMISSION => Err(Unreached::at(
                Stage::Authentication,
                format!("broker {broker} at {address} answered {}", reply.words()),
            )),
            _ => Err(Unreached::new(format!(
                "broker {broker} at {address} answered {}",
                reply.words()
            ))),
        }
    }
}

fn cluster(server: &str, reply: &Reply) -> Result<Route, Unreached> {
    let bad = |why: String| Unreached::new(format!("name server {server}: {why}"));
    match reply.code {
        SUCCESS => Route::of_cluster(&reply.body).map_err(bad),
        _ => Err(bad(reply.words())),
    }
}

/// One failure that tells all of them. It is a refusal only when each of them is.
pub(super) fn together(failures: Vec<Unreached>) -> Unreached {
    let stage = failures.iter().map(|f| f.stage).min().flatten();
    let whys: Vec<String> = failures.into_iter().map(|f| f.why).collect();
    match whys.is_empty() {
        true => Unreached::new("there is no server to ask"),
        false => Unreached {
            stage,
            why: whys.join("; "),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_together_are_as_final_as_the_least_final_one() {
        let one = Unreached::at(Stage::Tls, "a");
        let both = together(vec![one.clone(), Unreached::at(Stage::Tcp, "b")]);
        assert_eq!((both.stage, both.why.as_str()), (Some(Stage::Tcp), "a; b"));
        assert!(together(vec![one]).is_refusal());
        assert!(!together(Vec::new()).is_refusal());
    }
}
