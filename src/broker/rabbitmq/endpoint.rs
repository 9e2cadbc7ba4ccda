//! One exchange and routing key of one broker, before anything is published.

use super::client::{self, Client, timed};
use super::publish::{LastError, RabbitPublisher};
use super::target::{Place, Target};
use super::words::{self, code};
use crate::connect::Connection;
use crate::model::{Deliver, Endpoint, How, Lanes, NamedLane, Publish, Result, Topology, Unreached};
use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, ExchangeKind};
use std::time::Duration;

/// An exchange and a routing key to ask about and to publish to.
#[derive(Debug)]
pub struct RabbitEndpoint {
    target: Target,
    place: Place,
    #[allow(dead_code, reason = "read by what publishes")]
    how: How,
    last_error: LastError,
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
        })
    }

    /// Publishes in this way from now on.
    #[must_use]
    pub fn publishing(self, how: How) -> RabbitEndpoint {
        RabbitEndpoint { how, ..self }
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
        let (target, place) = (&self.target, &self.place);
        let known = || {
            Topology::Known(Lanes::Named(vec![NamedLane {
                name: place.lane(),
                queue: 0,
            }]))
        };
        let asked = client::wait(async {
            let client = Client::login(target, timeout).await?;
            let channel = client.channel(timeout).await;
            let looked = match channel {
                Ok(channel) => look_at(&channel, place, timeout).await,
                Err(e) => Err(e),
            };
            let answer = match looked {
                Ok(()) => Ok(known()),
                Err(e) => match words::reply(&e) {
                    Some((code::NOT_FOUND, _)) => Ok(Topology::NoSuchTopic),
                    Some((code::ACCESS_REFUSED, text)) => Ok(Topology::Denied(format!("{text} (403)"))),
                    // An exclusive queue of another connection: it is there, and messages can be published to it.
                    Some((code::RESOURCE_LOCKED, _)) => Ok(known()),
                    Some(_) | None => Err(Unreached::new(words::why(&e))),
                },
            };
            client.close().await;
            answer
        });
        if let Err(why) = &asked {
            self.last_error.set(why.to_string());
        }
        asked
    }

    fn publisher(&self, deliver: Deliver) -> Result<Box<dyn Publish>> {
        let publisher = RabbitPublisher::new(self.target.clone(), self.last_error.clone(), deliver)?;
        Ok(Box::new(publisher))
    }

    fn last_error(&self) -> Option<String> {
        self.last_error.get()
    }
}
