//! Connecting step by step, for a person who wants to know which step fails.

use super::client::{self, Client};
use super::endpoint::look_at;
use super::target::{Mechanism, Place, Target};
use super::words::{self, code};
use super::{greeting, management, socket};
use crate::connect::Connection;
use crate::model::{Problem, Result, Stage, Step, Unreached};
use std::future::Future;
use std::time::Duration;

/// The steps of connecting to each server, then of what may be done with `topic`, then of the management API.
///
/// # Errors
/// A usage problem as in [`super::RabbitEndpoint::new`].
pub fn probe(connection: &Connection, topic: Option<&str>, patience: Duration) -> Result<Vec<Step>> {
    let target = Target::new(connection)?;
    let place = topic.map(Place::parse).transpose()?;
    let threads = client::threads().map_err(|why| Problem::unknown(why.to_string()))?;
    Ok(threads.block_on(async {
        let mut steps = Vec::new();
        for address in &target.hosts {
            let mut server = Server {
                target: &target,
                address,
                patience,
                steps: &mut steps,
            };
            // A step that failed is noted, and ends this server.
            let _ = server.walk(place.as_ref()).await;
        }
        if let Some(url) = &target.management {
            steps.extend(management::probe(&target, url, place.as_ref(), patience).await);
        }
        steps
    }))
}

struct Server<'a> {
    target: &'a Target,
    address: &'a str,
    patience: Duration,
    steps: &'a mut Vec<Step>,
}

/// A step failed, and was noted.
struct Failed;

impl Server<'_> {
    async fn walk(&mut self, place: Option<&Place>) -> std::result::Result<(), Failed> {
        let (target, address) = (self.target, self.address);
        let addresses = self.step(Stage::Dns, socket::resolve(address)).await?;
        let all: Vec<String> = addresses.iter().map(|a| a.ip().to_string()).collect();
        self.good(Stage::Dns, all.join(", "));
        let (stream, _cut) = self.step(Stage::Tcp, socket::connect(&addresses)).await?;
        self.good(Stage::Tcp, "connected");
        let stream = self
            .step(Stage::Tls, socket::secure(stream, target.tls.as_ref(), address))
            .await?;
        if target.tls.is_some() {
            let (host, _) = socket::host_and_port(address);
            self.good(
                Stage::Tls,
                format!("{}the certificate is good for {host}", version(&stream)),
            );
        }
        let greeting = self.step(Stage::Authentication, greeting::read(stream)).await?;
        greeting.check(target.mechanism).map_err(|why| self.bad(&why))?;
        let login = Client::login_to(target, address, self.patience);
        let client = match login.await {
            Ok(client) => client,
            Err(why) => {
                if why.stage == Some(Stage::Authorisation) {
                    self.logged_in(&greeting.server);
                }
                return Err(self.bad(&Unreached::at(why.stage.unwrap_or(Stage::Authentication), why.why)));
            }
        };
        self.logged_in(&greeting.server);
        self.good(Stage::Authorisation, format!("virtual host {} is open", target.vhost));
        let looked = match place {
            Some(place) => self.look(&client, place).await,
            None => Ok(()),
        };
        client.close().await;
        looked
    }

    async fn step<T>(
        &mut self,
        stage: Stage,
        work: impl Future<Output = std::result::Result<T, Unreached>>,
    ) -> std::result::Result<T, Failed> {
        match tokio::time::timeout(self.patience, work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(why)) => Err(self.bad(&Unreached::at(why.stage.unwrap_or(stage), why.why))),
            Err(_) => {
                let why = format!("no answer within {:?}", self.patience);
                Err(self.bad(&Unreached::at(stage, why)))
            }
        }
    }

    fn logged_in(&mut self, server: &str) {
        let target = self.target;
        let who = match (target.mechanism, target.user.as_str()) {
            (Mechanism::External, _) => "client certificate".to_owned(),
            (Mechanism::Plain | Mechanism::AmqPlain, user) => format!("user {user}"),
        };
        self.good(
            Stage::Authentication,
            format!("{who} by {}; {server}", target.mechanism.name()),
        );
    }

    async fn look(&mut self, client: &Client, place: &Place) -> std::result::Result<(), Failed> {
        let what = if place.exchange.is_empty() {
            format!("queue {}", place.key)
        } else {
            format!("exchange {}", place.exchange)
        };
        let looked = match client.channel(self.patience).await {
            Ok(channel) => look_at(&channel, place, self.patience).await,
            Err(e) => Err(e),
        };
        let why = match looked {
            Ok(()) => {
                self.good(
                    Stage::Authorisation,
                    format!("{what} is there; whether it may be written is known when the first message is sent"),
                );
                return Ok(());
            }
            Err(e) => match words::reply(&e) {
                Some((code::NOT_FOUND, text)) if !words::is_out_of_reach(&text) => {
                    format!("{what} does not exist: {text} (404)")
                }
                Some(_) | None => format!("{what}: {}", words::why(&e)),
            },
        };
        Err(self.bad(&Unreached::at(Stage::Authorisation, why)))
    }

    fn good(&mut self, stage: Stage, words: impl Into<String>) {
        self.steps.push(Step {
            stage,
            at: self.address.to_owned(),
            result: Ok(words.into()),
        });
    }

    fn bad(&mut self, why: &Unreached) -> Failed {
        self.steps.push(Step {
            stage: why.stage.unwrap_or(Stage::Tcp),
            at: self.address.to_owned(),
            result: Err(why.why.clone()),
        });
        Failed
    }
}

/// The TLS version that was agreed.
fn version(stream: &socket::Stream) -> String {
    let lapin::AsyncTcpStream::Rustls(stream) = stream else {
        return String::new();
    };
    match stream.get_ref().1.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3, ".to_owned(),
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2, ".to_owned(),
        Some(_) | None => String::new(),
    }
}
