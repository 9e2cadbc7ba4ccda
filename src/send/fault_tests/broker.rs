//! A broker in memory that answers at random, and remembers what it really holds and what it said.

use crate::model::{
    Deliver, Delivery, Endpoint, Lanes, NamedLane, Offer, Outgoing, Position, Problem, Publish, Result, Topology,
    Unreached,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// How often things go wrong: of a hundred messages so many.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mood {
    /// The client has no room.
    pub(super) full: u32,
    /// The client says at once that it could not go.
    pub(super) parked: u32,
    pub(super) refused: u32,
    pub(super) not_sent: u32,
    /// Half of them are stored all the same.
    pub(super) in_doubt: u32,
    /// The client dies with all that is in flight.
    pub(super) dies: u32,
    /// Of a hundred questions about the topic so many are not answered.
    pub(super) unreachable: u32,
    /// A new client cannot be made.
    pub(super) no_client: u32,
}

/// A message that the broker holds.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) stamp: String,
    pub(super) voids: Option<String>,
    pub(super) value: Vec<u8>,
}

#[derive(Default)]
pub(super) struct Truth {
    pub(super) stored: Vec<Stored>,
    /// Stamps for which it said so.
    pub(super) said_stored: HashSet<String>,
    pub(super) said_refused: HashSet<String>,
    offset: i64,
}

struct State {
    rng: StdRng,
    mood: Mood,
    truth: Truth,
}

/// The broker. A clone is the same broker.
#[derive(Clone)]
pub(super) struct Broker {
    state: Arc<Mutex<State>>,
    /// The lanes have names.
    named: bool,
    /// Planted: what is in doubt is reported as stored.
    lies: bool,
}

impl Broker {
    pub(super) fn new(seed: u64, named: bool, lies: bool) -> Broker {
        let state = State {
            rng: StdRng::seed_from_u64(seed),
            mood: Mood::default(),
            truth: Truth::default(),
        };
        Broker {
            state: Arc::new(Mutex::new(state)),
            named,
            lies,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn is_in(&self, mood: Mood) {
        self.state().mood = mood;
    }

    pub(super) fn truth<T>(&self, look: impl FnOnce(&Truth) -> T) -> T {
        look(&self.state().truth)
    }
}

impl State {
    fn happens(&mut self, of_hundred: u32) -> bool {
        self.rng.random_range(0..100) < of_hundred
    }

    fn store(&mut self, message: &Outgoing<'_>) -> Position {
        self.truth.stored.push(Stored {
            stamp: message.stamp.to_owned(),
            voids: message.voids.map(str::to_owned),
            value: message.value.unwrap_or_default().to_vec(),
        });
        self.truth.offset += 1;
        Position {
            partition: message.partition,
            offset: Some(self.truth.offset - 1),
        }
    }
}

impl Endpoint for Broker {
    fn topology(&self, _: Duration) -> std::result::Result<Topology, Unreached> {
        let mut state = self.state();
        let of_hundred = state.mood.unreachable;
        if state.happens(of_hundred) {
            return Err(Unreached::new("nobody answers"));
        }
        let named = |queue| NamedLane {
            name: format!("orders/b-a/{queue}"),
            queue,
        };
        Ok(Topology::Known(match self.named {
            true => Lanes::Named((0..3).map(named).collect()),
            false => Lanes::Partitions(3),
        }))
    }

    fn publisher(&self, deliver: Deliver) -> Result<Box<dyn Publish>> {
        let mut state = self.state();
        let of_hundred = state.mood.no_client;
        if state.happens(of_hundred) {
            return Err(Problem::usage("the client refuses"));
        }
        let flying = Arc::new(Mutex::new(Flying::default()));
        let client = Client {
            broker: self.clone(),
            flying: Arc::clone(&flying),
            deliver: deliver.into(),
        };
        client.report_in_time();
        Ok(Box::new(client))
    }

    fn last_error(&self) -> Option<String> {
        None
    }
}

#[derive(Default)]
struct Flying {
    by_ticket: HashMap<u64, (String, Delivery)>,
    dead: bool,
    over: bool,
}

struct Client {
    broker: Broker,
    flying: Arc<Mutex<Flying>>,
    deliver: Arc<dyn Fn(u64, Delivery) + Send + Sync>,
}

impl Client {
    /// Reports on a thread of its own, some at a time and in no order, as clients do.
    fn report_in_time(&self) {
        let (broker, flying, deliver) = (self.broker.clone(), Arc::clone(&self.flying), Arc::clone(&self.deliver));
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_millis(2));
                let mut flying = flying.lock().unwrap();
                if flying.over {
                    return;
                }
                if flying.dead {
                    continue;
                }
                let some: Vec<u64> = flying.by_ticket.keys().copied().collect();
                let share = broker.state().rng.random_range(1..=4);
                for ticket in some {
                    if broker.state().rng.random_range(0..4) >= share {
                        continue;
                    }
                    let Some((stamp, delivery)) = flying.by_ticket.remove(&ticket) else {
                        continue;
                    };
                    say(&broker, &*deliver, ticket, stamp, delivery);
                }
            }
        });
    }
}

/// Tells the pump, and remembers that it was told.
fn say(broker: &Broker, deliver: &dyn Fn(u64, Delivery), ticket: u64, stamp: String, delivery: Delivery) {
    note(broker, stamp, &delivery);
    deliver(
        ticket,
        match delivery {
            Delivery::InDoubt(_) if broker.lies => Delivery::Stored(Position {
                partition: 0,
                offset: None,
            }),
            honest => honest,
        },
    );
}

fn note(broker: &Broker, stamp: String, delivery: &Delivery) {
    let truth = &mut broker.state().truth;
    match delivery {
        Delivery::Stored(_) => drop(truth.said_stored.insert(stamp)),
        Delivery::Refused(_) => drop(truth.said_refused.insert(stamp)),
        Delivery::NotSent(_) | Delivery::InDoubt(_) => {}
    }
}

impl Publish for Client {
    fn offer(&mut self, message: &Outgoing<'_>) -> Offer {
        let mut flying = self.flying.lock().unwrap();
        assert!(
            !flying.by_ticket.contains_key(&message.ticket),
            "a message is offered that is still in flight"
        );
        let mut state = self.broker.state();
        let mood = state.mood;
        if flying.dead {
            return Offer::Settled(Delivery::NotSent("the client is dead".to_owned()));
        }
        if state.happens(mood.full) {
            return Offer::Full;
        }
        if state.happens(mood.parked) {
            return Offer::Settled(Delivery::NotSent("no connection".to_owned()));
        }
        let delivery = if state.happens(mood.refused) {
            Delivery::Refused("too large".to_owned())
        } else if state.happens(mood.not_sent) {
            Delivery::NotSent("no leader".to_owned())
        } else if state.happens(mood.in_doubt) {
            if state.rng.random() {
                state.store(message);
            }
            Delivery::InDoubt("no answer".to_owned())
        } else {
            Delivery::Stored(state.store(message))
        };
        flying.dead = state.happens(mood.dies);
        // Now and then it is known at once.
        let at_once = !flying.dead && state.happens(3);
        drop(state);
        if at_once {
            note(&self.broker, message.stamp.to_owned(), &delivery);
            return Offer::Settled(delivery);
        }
        flying
            .by_ticket
            .insert(message.ticket, (message.stamp.to_owned(), delivery));
        Offer::Taken
    }

    fn must_renew(&self) -> bool {
        self.flying.lock().unwrap().dead
    }

    fn recall(&mut self) {
        let mut flying = self.flying.lock().unwrap();
        for (ticket, (stamp, delivery)) in flying.by_ticket.drain() {
            let told = match delivery {
                Delivery::NotSent(why) => Delivery::NotSent(why),
                // Its answer never came.
                Delivery::Stored(_) | Delivery::Refused(_) | Delivery::InDoubt(_) => {
                    Delivery::InDoubt("the client died".to_owned())
                }
            };
            say(&self.broker, &*self.deliver, ticket, stamp, told);
        }
    }

    fn renew(&mut self) -> Result<()> {
        let mut flying = self.flying.lock().unwrap();
        assert!(flying.by_ticket.is_empty(), "renewed with messages in flight");
        let mut state = self.broker.state();
        let of_hundred = state.mood.no_client;
        if state.happens(of_hundred) {
            return Err(Problem::usage("the client refuses"));
        }
        flying.dead = false;
        Ok(())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.flying.lock().unwrap().over = true;
    }
}
