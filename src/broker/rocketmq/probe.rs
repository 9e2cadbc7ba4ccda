//! Connecting step by step, for a person who wants to know which step fails.

use super::client::{Client, Routed};
use super::dial;
use super::lost::Lost;
use super::pull::{self, Source};
use super::route::Route;
use super::settings::{Settings, checked_topic};
use super::wire::{self, Reply, Request};
use crate::connect::Connection;
use crate::model::{Problem, Result, Stage, Step, Unreached};
use rocketmq_protocol::RequestCode;
use std::time::{Duration, Instant};

/// Stands for no topic, where the rights to one are not asked for.
const NO_TOPIC: &str = "TBW102";

/// The steps of connecting to each name server, then to each broker of the topic or of the cluster.
///
/// # Errors
/// A usage problem that names the property or the topic which cannot be used.
pub fn probe(connection: &Connection, topic: Option<&str>, patience: Duration) -> Result<Vec<Step>> {
    let settings = Settings::new(connection)?;
    let name = checked_topic(topic.unwrap_or(NO_TOPIC))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Problem::unknown("cannot start the connection to RocketMQ").because(e))?;
    let client = Client::new(settings, name);
    let mut probe = Probe {
        client: &client,
        steps: Vec::new(),
        until: Instant::now() + patience,
    };
    runtime.block_on(probe.run(topic.is_some()));
    let steps = probe.steps;
    drop(client);
    runtime.shutdown_background();
    Ok(steps)
}

struct Probe<'c> {
    client: &'c Client,
    steps: Vec<Step>,
    until: Instant,
}

impl Probe<'_> {
    fn left(&self) -> Duration {
        // A step that comes late still gets its moment, so that it says more than "no time".
        self.until
            .saturating_duration_since(Instant::now())
            .max(Duration::from_millis(500))
    }

    /// Writes a step down; `None` when it failed.
    fn step<T>(&mut self, stage: Stage, at: &str, result: std::result::Result<(T, String), String>) -> Option<T> {
        let (value, result) = match result {
            Ok((value, words)) => (Some(value), Ok(words)),
            Err(why) => (None, Err(why)),
        };
        self.steps.push(Step {
            stage,
            at: at.to_owned(),
            result,
        });
        value
    }

    async fn run(&mut self, has_topic: bool) {
        let servers = self.client.settings.name_servers.clone();
        let mut lives = None;
        for server in &servers {
            if let Some(reply) = self.connect(&format!("name server {server}"), server).await {
                let words = format!("it answers ({})", wire::version(reply.version));
                self.step(
                    Stage::Authentication,
                    server,
                    Ok(((), format!("{words}; name servers check nobody"))),
                );
                lives.get_or_insert(server.clone());
            }
        }
        let Some(server) = lives else { return };
        let Some(route) = self.route(&server, has_topic).await else {
            return;
        };
        let mut greeted = Vec::new();
        for (name, broker) in &route.brokers {
            let all = broker.master.iter().map(|a| ("master", a));
            for (role, address) in all.chain(broker.slaves.iter().map(|a| ("slave", a))) {
                let at = format!("broker {name} ({role}) {address}");
                if self.connect(&at, address).await.is_some() && self.authenticate(name, &at, address).await {
                    greeted.push((name.clone(), role, at, address.clone()));
                }
            }
        }
        if has_topic {
            for (name, _, at, address) in greeted.iter().filter(|(_, role, ..)| *role == "master") {
                self.authorise(&route, name, at, address).await;
            }
        }
    }

    /// The name, the port and the certificate of one server, then any answer at all.
    async fn connect(&mut self, at: &str, address: &str) -> Option<Reply> {
        let Some((host, port)) = dial::host_and_port(address) else {
            let why = "it is not HOST:PORT".to_owned();
            return self.step(Stage::Dns, at, Err(why));
        };
        let plain = |why: Unreached| why.why;
        let found = dial::resolve(address, host, port, self.left()).await.map_err(plain);
        let found = found.map(|found| {
            let words = found.iter().map(|a| a.ip().to_string()).collect::<Vec<_>>().join(", ");
            (found, words)
        });
        let found = self.step(Stage::Dns, at, found)?;
        let stream = dial::tcp(address, &found, self.left()).await.map_err(plain);
        let stream = stream.map(|stream| (stream, "connected".to_owned()));
        let stream = self.step(Stage::Tcp, at, stream)?;
        if let Some(config) = self.client.settings.tls.clone() {
            let shaken = dial::tls(address, host, stream, &config, self.left()).await;
            let shaken = shaken.map_err(plain).map(|stream| {
                let version = stream.get_ref().1.protocol_version();
                ((), version.map_or_else(|| "agreed".to_owned(), |v| format!("{v:?}")))
            });
            self.step(Stage::Tls, at, shaken)?;
        }
        let request = Request::new(RequestCode::GetBrokerClusterInfo);
        match self.client.ask(address, &request, self.left()).await {
            Ok(reply) => Some(reply),
            Err(Lost { why, .. }) => {
                let stage = if self.client.settings.tls.is_some() {
                    Stage::Tls
                } else {
                    Stage::Tcp
                };
                self.step(stage, at, Err(format!("no answer: {}", why.why)))
            }
        }
    }

    async fn route(&mut self, server: &str, has_topic: bool) -> Option<Route> {
        if !has_topic {
            let cluster = self.client.cluster_of(server).await;
            return match cluster {
                Ok(cluster) if cluster.brokers.is_empty() => {
                    self.step(Stage::Authorisation, server, Err("it knows no broker".to_owned()))
                }
                Ok(cluster) => Some(cluster),
                Err(why) => self.step(Stage::Authorisation, server, Err(why.why)),
            };
        }
        let topic = &self.client.topic;
        match self.client.ask_route().await {
            Ok(Routed::Known(route)) => Some(Route::clone(&route)),
            Ok(Routed::NoSuchTopic) => {
                let why = format!("topic {topic} does not exist");
                self.step(Stage::Authorisation, server, Err(why))
            }
            Err(why) => self.step(Stage::Authorisation, server, Err(why.why)),
        }
    }

    async fn authenticate(&mut self, name: &str, at: &str, address: &str) -> bool {
        let who = self
            .client
            .settings
            .credentials
            .as_ref()
            .map_or("without an access key".to_owned(), |c| format!("as {}", c.access_key));
        let greeted = self.client.greet(name, address).await.map_err(|why| why.why);
        let greeted = greeted.map(|reply| ((), format!("accepted {who} ({})", wire::version(reply.version))));
        self.step(Stage::Authentication, at, greeted).is_some()
    }

    /// Asks something of the topic that a reader may ask. What a writer may, only a message would show.
    async fn authorise(&mut self, route: &Route, name: &str, at: &str, address: &str) {
        let topic = &self.client.topic;
        let at_broker = route.queues.iter().filter(|q| q.broker_name == name);
        let writable = route
            .lanes(topic)
            .iter()
            .filter(|l| l.name.starts_with(&format!("{topic}/{name}/")))
            .count();
        let readable: usize = at_broker.map(|q| q.readable().len()).sum();
        let source = Source {
            broker: name.into(),
            queue: 0,
            addresses: [address.to_owned()].into(),
            has_master: true,
        };
        let result = pull::try_read(self.client, &source).await.map(|()| {
            let queues = format!("{readable} queues to read, {writable} to write");
            let words = format!("topic {topic} may be read; {queues} (whether this user may write is not tried)");
            ((), words)
        });
        self.step(Stage::Authorisation, at, result);
    }
}
