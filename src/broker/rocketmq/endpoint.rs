//! One topic of one cluster, before anything is published.

use super::client::{Client, Routed, together};
use super::create::{self, Made};
use super::driver::Driver;
use super::half::RocketHalf;
use super::publish::RocketPublisher;
use super::settings::{Settings, checked_topic};
use crate::connect::Connection;
use crate::model::{Create, Decide, Deliver, Endpoint, How, Lanes, Prepare, Publish, Result, Topology, Unreached};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Answer = std::result::Result<Topology, Unreached>;

/// A RocketMQ topic to ask about and to publish to.
pub struct RocketEndpoint {
    client: Arc<Client>,
    driver: Driver,
    how: How,
    /// A question on its way: it may take longer than one call of `topology` waits.
    asking: Mutex<Option<mpsc::Receiver<Answer>>>,
}

impl RocketEndpoint {
    /// An endpoint. Nothing is connected yet.
    ///
    /// # Errors
    /// A usage problem that names the property or the topic which cannot be used.
    pub fn new(connection: &Connection, topic: &str) -> Result<RocketEndpoint> {
        let client = Client::new(Settings::new(connection)?, checked_topic(topic)?);
        Ok(RocketEndpoint {
            client: Arc::new(client),
            how: How::default(),
            driver: Driver::start()?,
            asking: Mutex::new(None),
        })
    }

    /// Publishes in this way from now on.
    #[must_use]
    pub fn publishing(self, how: How) -> RocketEndpoint {
        RocketEndpoint { how, ..self }
    }
}

/// Asks the name servers for the lanes, and a broker whether it believes who is asking: name servers check nobody.
async fn ask(client: &Client, create: Option<Create>) -> Answer {
    let mut routed = client.ask_route().await?;
    if let (Routed::NoSuchTopic, Some(create)) = (&routed, create) {
        match create::create(client, create).await? {
            Made::Yes => routed = client.ask_route().await?,
            Made::Never(why) => {
                let why = format!("topic {} cannot be made: {why}", client.topic);
                return Ok(Topology::Denied(why));
            }
        }
    }
    let route = match routed {
        Routed::NoSuchTopic => return Ok(Topology::NoSuchTopic),
        Routed::Known(route) => route,
    };
    let lanes = route.lanes(&client.topic);
    if lanes.is_empty() {
        return match route.forbidden() {
            Some(why) => Ok(Topology::Denied(why)),
            None => Err(Unreached::new(format!(
                "no broker of topic {} has a master at the moment",
                client.topic
            ))),
        };
    }
    let mut failures = Vec::new();
    for (name, broker) in &route.brokers {
        let Some(master) = &broker.master else { continue };
        match client.greet(name, master).await {
            Ok(_) => {
                client.set_kind(create::kind(client, master).await);
                client.learn(&route).await;
                return Ok(Topology::Known(Lanes::Named(lanes)));
            }
            Err(why) => failures.push(why),
        }
    }
    Err(together(failures))
}

impl Endpoint for RocketEndpoint {
    fn topology(&self, timeout: Duration) -> Answer {
        let mut asking = self.asking.lock().unwrap_or_else(|e| e.into_inner());
        let receiver = asking.take().unwrap_or_else(|| {
            let (sender, receiver) = mpsc::channel();
            let client = Arc::clone(&self.client);
            let create = self.how.create;
            self.driver.handle.spawn(async move {
                // Nobody waits any more when the run is over.
                let _ = sender.send(ask(&client, create).await);
            });
            receiver
        });
        match receiver.recv_timeout(timeout) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => {
                *asking = Some(receiver);
                let fallback = || format!("{} has not answered yet", self.client.settings.broker);
                Err(Unreached::new(self.client.last_error().unwrap_or_else(fallback)))
            }
            Err(RecvTimeoutError::Disconnected) => Err(Unreached::new("the question was given up")),
        }
    }

    fn publisher(&self, deliver: Deliver) -> Result<Box<dyn Publish>> {
        Ok(Box::new(RocketPublisher::new(
            Arc::clone(&self.client),
            self.driver.clone(),
            deliver,
        )))
    }

    fn last_error(&self) -> Option<String> {
        self.client.last_error()
    }

    fn preparer(&self, producer: &str, decide: Decide) -> Result<Option<Box<dyn Prepare>>> {
        let settings = self.client.settings.clone();
        let half = RocketHalf::new(settings, &self.client.topic, self.driver.clone(), producer, decide)?;
        Ok(Some(Box::new(half)))
    }
}
