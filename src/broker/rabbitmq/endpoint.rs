//! One exchange and routing key of one broker, before anything is published.

use super::client::{self, Client, timed};
use super::durability::{self, Durability};
use super::publish::{LastError, RabbitPublisher};
use super::target::{Place, Target};
use super::words::{self, code};
use crate::connect::Connection;
use crate::model::{
    Acks, Create, Deliver, Endpoint, How, Lanes, NamedLane, Problem, Publish, Result, Topology, Unreached,
};
use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use lapin::{Channel, ExchangeKind};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// An exchange and a routing key to ask about and to publish to.
#[derive(Debug)]
pub struct RabbitEndpoint {
    target: Target,
    place: Place,
    how: How,
    last_error: LastError,
    /// What a person must know about the place.
    note: Mutex<Option<String>>,
}

impl RabbitEndpoint {
    /// An endpoint for `EXCHANGE|KEY`, `|QUEUE` or the name of a queue. Nothing is connected yet.
    ///
    /// # Errors
    /// A usage problem when the name cannot be one, or a property is not known.
    pub fn new(connection: &Connection, topic: &str) -> Result<RabbitEndpoint> {
        Ok(RabbitEndpoint {
            target: Target::new(connection)?,
            place: Place::parse(topic)?,
            how: How::default(),
            last_error: LastError::default(),
            note: Mutex::new(None),
        })
    }

    /// Publishes in this way from now on.
    ///
    /// # Errors
    /// A usage problem when RabbitMQ has no such way.
    pub fn publishing(self, how: How) -> Result<RabbitEndpoint> {
        match how.acks {
            Acks::All => {}
            Acks::One | Acks::Zero => {
                return Err(Problem::usage("RabbitMQ has no acks to choose").next("leave --acks out"));
            }
        }
        if let Some(Create { partitions, replicas }) = how.create {
            if !self.place.exchange.is_empty() {
                return Err(
                    Problem::usage(format!("exchange {} cannot be created here", self.place.exchange))
                        .because("only who knows its type and its bindings can declare it")
                        .next("declare it, and leave --create-topic out"),
                );
            }
            if partitions.is_some() || replicas.is_some() {
                return Err(
                    Problem::usage("a RabbitMQ queue has no partitions and no replicas to choose")
                        .next("leave them out"),
                );
            }
        }
        Ok(RabbitEndpoint { how, ..self })
    }

    fn set_note(&self, note: impl Into<Option<String>>) {
        *self.note.lock().unwrap_or_else(PoisonError::into_inner) = note.into();
    }

    fn known(&self) -> Topology {
        let mut lanes = vec![NamedLane {
            name: self.place.lane(),
            queue: 0,
        }];
        // One lane for the whole exchange, for whoever has a routing key for each message.
        lanes.extend(self.place.exchange_lane().map(|name| NamedLane {
            name,
            queue: NamedLane::ON_REQUEST,
        }));
        Topology::Known(Lanes::Named(lanes))
    }

    /// What the broker says about the place.
    async fn look(&self, client: &Client, limit: Duration) -> std::result::Result<Topology, Unreached> {
        let looked = match client.channel(limit).await {
            Ok(channel) => look_at(&channel, &self.place, limit).await,
            Err(e) => Err(e),
        };
        let Err(error) = looked else {
            return Ok(self.weighed(None).await);
        };
        match words::reply(&error) {
            Some((code::NOT_FOUND, text)) if words::is_out_of_reach(&text) => {
                Err(Unreached::new(format!("{text} (404)")))
            }
            Some((code::NOT_FOUND, _)) if self.how.create.is_some() => self.create(client, limit).await,
            Some((code::NOT_FOUND, _)) => Ok(Topology::NoSuchTopic),
            Some((code::ACCESS_REFUSED, text)) => Ok(Topology::Denied(format!("{text} (403)"))),
            // An exclusive queue of another connection: it is there, and messages can be published to it.
            Some((code::RESOURCE_LOCKED, text)) => {
                let why = format!("it ends with the connection that made it: {text} (405)");
                Ok(self.weighed(Some(Durability::Transient(why))).await)
            }
            Some(_) | None => Err(Unreached::new(words::why(&error))),
        }
    }

    /// A durable quorum queue, as RabbitMQ advises where messages must not be lost.
    async fn create(&self, client: &Client, limit: Duration) -> std::result::Result<Topology, Unreached> {
        let durable = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString(LongString::from("quorum")));
        let name = ShortString::from(self.place.key.as_str());
        let made = match client.channel(limit).await {
            Ok(channel) => timed(limit, channel.queue_declare(name, durable, arguments)).await,
            Err(e) => Err(e),
        };
        let Err(error) = made else {
            self.set_note(format!(
                "queue {} was not there and was created: quorum, durable",
                self.place.key
            ));
            return Ok(self.known());
        };
        match words::reply(&error) {
            Some((code::ACCESS_REFUSED, text)) => Ok(Topology::Unfit(
                Problem::usage(format!("queue {} cannot be created", self.place.key))
                    .because(format!("{text} (403)"))
                    .next("ask for the configure permission, or for the queue itself"),
            )),
            // A reserved name, or a name that somebody else gave to another kind of queue just now.
            Some((code::PRECONDITION_FAILED, text)) => Ok(Topology::Unfit(
                Problem::usage(format!("queue {} cannot be created", self.place.key))
                    .because(format!("{text} (406)"))
                    .next("choose another name, or declare the queue"),
            )),
            Some(_) | None => Err(Unreached::new(words::why(&error))),
        }
    }

    /// A place that is there, unless it forgets what it confirmed and nobody allowed that.
    async fn weighed(&self, known: Option<Durability>) -> Topology {
        let durability = match (known, &self.target.management) {
            (Some(known), _) => known,
            (None, Some(url)) => durability::ask(&self.target, url, &self.place).await,
            (None, None) => {
                if !self.how.allow_transient {
                    self.set_note("durability not known: --management URL tells".to_owned());
                }
                return self.known();
            }
        };
        match durability {
            Durability::Durable => self.set_note(None),
            Durability::Unknown(why) => self.set_note(format!("durability not known: {why}")),
            Durability::Transient(why) if self.how.allow_transient => {
                self.set_note(format!("it does not survive a restart: {why}"));
            }
            Durability::Transient(why) => {
                let what = match self.place.exchange.is_empty() {
                    true => format!("queue {}", self.place.key),
                    false => format!("exchange {}", self.place.exchange),
                };
                return Topology::Unfit(
                    Problem::usage(format!(
                        "{what} does not keep what it confirms over a restart of the broker"
                    ))
                    .because(why)
                    .next("publish to a durable one, or accept the loss with --allow-transient"),
                );
            }
        }
        self.known()
    }
}

/// What asking for a queue or an exchange brought. Asking never makes one.
pub(super) async fn look_at(channel: &Channel, place: &Place, limit: Duration) -> lapin::Result<()> {
    if place.exchange.is_empty() {
        let passive = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let name = ShortString::from(place.key.as_str());
        return timed(limit, channel.queue_declare(name, passive, FieldTable::default()))
            .await
            .map(drop);
    }
    let passive = ExchangeDeclareOptions {
        passive: true,
        ..ExchangeDeclareOptions::default()
    };
    let name = ShortString::from(place.exchange.as_str());
    // The kind of an exchange that is only looked at is ignored.
    let asked = channel.exchange_declare(name, ExchangeKind::Direct, passive, FieldTable::default());
    timed(limit, asked).await
}

impl Endpoint for RabbitEndpoint {
    fn topology(&self, timeout: Duration) -> std::result::Result<Topology, Unreached> {
        let asked = client::wait(async {
            let client = Client::login(&self.target, timeout).await?;
            let answer = self.look(&client, timeout).await;
            client.close().await;
            answer
        });
        if let Err(why) = &asked {
            self.last_error.set(why.to_string());
        }
        asked
    }

    fn publisher(&self, deliver: Deliver) -> Result<Box<dyn Publish>> {
        let (target, error) = (self.target.clone(), self.last_error.clone());
        Ok(Box::new(RabbitPublisher::new(
            target,
            self.place.clone(),
            self.how,
            error,
            deliver,
        )?))
    }

    fn note(&self) -> Option<String> {
        self.note.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn last_error(&self) -> Option<String> {
        self.last_error.get()
    }
}
