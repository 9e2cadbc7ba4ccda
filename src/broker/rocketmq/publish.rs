//! Publishing: each message to the queue that its lane names.

use super::client::Client;
use super::driver::Driver;
use super::lane::{Lane, Load};
use super::outgoing::{self, Ready};
use crate::model::{Deliver, Delivery, Offer, Outgoing, Publish, Result};
use std::collections::HashMap;
use std::sync::Arc;

/// Publishes to one topic, over as many lanes at once as there are.
pub(super) struct RocketPublisher {
    client: Arc<Client>,
    driver: Driver,
    deliver: Arc<Deliver>,
    load: Arc<Load>,
    lanes: HashMap<String, Lane>,
}

impl RocketPublisher {
    pub(super) fn new(client: Arc<Client>, driver: Driver, deliver: Deliver) -> RocketPublisher {
        RocketPublisher {
            client,
            driver,
            deliver: Arc::new(deliver),
            load: Arc::default(),
            lanes: HashMap::new(),
        }
    }
}

impl Publish for RocketPublisher {
    fn offer(&mut self, message: &Outgoing<'_>) -> Offer {
        if self.load.is_full() {
            return Offer::Full;
        }
        let (broker, queue) = match outgoing::place(message.lane, &self.client.topic) {
            Ok(place) => place,
            Err(why) => return Offer::Settled(Delivery::NotSent(why)),
        };
        let ready = match Ready::new(message) {
            Ok(ready) => ready,
            Err(why) => return Offer::Settled(Delivery::Refused(why)),
        };
        if !self.lanes.contains_key(message.lane) {
            let lane = Lane::start(
                Arc::clone(&self.client),
                broker,
                queue,
                Arc::clone(&self.deliver),
                Arc::clone(&self.load),
                &self.driver.handle,
            );
            self.lanes.insert(message.lane.to_owned(), lane);
        }
        match self.lanes[message.lane].offer(message.ticket, ready) {
            Ok(()) => Offer::Taken,
            Err(why) => Offer::Settled(Delivery::NotSent(why)),
        }
    }

    /// A broken connection is opened again by its next use.
    fn must_renew(&self) -> bool {
        false
    }

    fn recall(&mut self) {
        for lane in self.lanes.values() {
            lane.recall();
        }
    }

    fn renew(&mut self) -> Result<()> {
        self.lanes.clear();
        Ok(())
    }
}
