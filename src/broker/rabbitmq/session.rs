//! One connection that publishes: confirms, returns, blocking, and an end that leaves no message without a word.

use super::client::{Client, timed};
use super::message::Prepared;
use super::publish::{Command, Phase, Shared};
use super::verdict::{Returned, Said, Sent, Verdicts};
use super::words::{self, code};
use crate::model::{Delivery, Unreached};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use lapin::message::BasicReturnMessage;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation, Event, PublisherConfirm};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, MissedTickBehavior};

/// Without any confirm for this long, while some are due, the connection counts as dead.
const SILENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether the connection still lives.
const LOOK: Duration = Duration::from_millis(200);
/// How long lapin may take to say which messages it never wrote, once the socket is cut.
const LAST_WORDS: Duration = Duration::from_secs(2);

type Write = Pin<Box<dyn Future<Output = lapin::Result<PublisherConfirm>> + Send>>;

/// How a session ended.
pub(super) enum End {
    /// Nobody publishes any more.
    Dropped(Client),
    /// The connection is gone, or was given up.
    Lost(Lost),
}

/// What a lost connection leaves.
pub(super) struct Lost {
    pub(super) why: String,
    /// Of everything that was in flight.
    pub(super) verdicts: Vec<(u64, Delivery)>,
    /// How many messages to send singly, because one of them made the broker close the channel.
    pub(super) suspects: usize,
}

/// Why it is lost, and the broker's reply where it gave one.
struct Loss {
    why: String,
    reply: Option<(u16, String)>,
}

impl Loss {
    fn of(error: &lapin::Error) -> Loss {
        Loss {
            why: words::why(error),
            reply: words::reply(error),
        }
    }

    fn words(why: impl Into<String>) -> Loss {
        Loss {
            why: why.into(),
            reply: None,
        }
    }
}

/// A channel in confirm mode, and what is on its way through it.
pub(super) struct Session {
    client: Client,
    channel: Channel,
    events: BoxStream<'static, Event>,
    /// Handed to lapin and not yet in the socket.
    writing: VecDeque<(Sent, usize, Write)>,
    /// Written, and not confirmed.
    confirming: VecDeque<(Sent, PublisherConfirm)>,
    verdicts: Verdicts,
    last: u64,
    /// When something was last confirmed, or was last due.
    since: Instant,
    blocked: bool,
    frame_max: usize,
    recalled: Vec<std::sync::mpsc::Sender<()>>,
}

impl Session {
    /// Opens a channel in confirm mode.
    pub(super) async fn open(client: Client, limit: Duration) -> Result<Session, Unreached> {
        let words = |e: lapin::Error| Unreached::new(words::why(&e));
        let events = client.connection.events_listener().boxed();
        let channel = client.channel(limit).await.map_err(words)?;
        timed(limit, channel.confirm_select(ConfirmSelectOptions::default()))
            .await
            .map_err(words)?;
        let frame_max = client.connection.configuration().frame_max() as usize;
        Ok(Session {
            client,
            channel,
            events,
            writing: VecDeque::new(),
            confirming: VecDeque::new(),
            verdicts: Verdicts::default(),
            last: 0,
            since: Instant::now(),
            blocked: false,
            frame_max,
            recalled: Vec::new(),
        })
    }

    /// Publishes what comes until the connection is lost or nobody publishes any more.
    pub(super) async fn run(mut self, shared: &Shared, commands: &mut UnboundedReceiver<Command>) -> End {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let loss = loop {
            let heard = tokio::select! {
                command = commands.recv() => match command {
                    None => return End::Dropped(self.client),
                    Some(Command::Publish(message)) => self.publish(*message, shared),
                    Some(Command::Renew) => Ok(()),
                    Some(Command::Recall(answer)) => {
                        self.recalled.push(answer);
                        Err(Loss::words("it was taken back"))
                    }
                },
                confirmed = next_confirm(&mut self.writing, &mut self.confirming, shared) => self.confirmed(confirmed, shared),
                Some(event) = self.events.next() => self.heard(event, shared),
                _ = look.tick() => self.look(),
            };
            if let Err(loss) = heard {
                break loss;
            }
        };
        End::Lost(self.end(loss).await)
    }

    /// Hands one message to lapin, in order.
    fn publish(&mut self, message: Prepared, shared: &Shared) -> Result<(), Loss> {
        let Prepared {
            ticket,
            partition,
            message_id,
            exchange,
            key,
            properties,
            payload,
            header_bytes,
        } = message;
        let bytes = payload.len();
        if self.frame_max > 0 && header_bytes > self.frame_max {
            let why = format!(
                "its headers need {header_bytes} bytes, and this broker takes {} in one frame",
                self.frame_max
            );
            written(shared, bytes);
            shared.settle(ticket, Delivery::Refused(why));
            return Ok(());
        }
        if self.writing.is_empty() && self.confirming.is_empty() {
            self.since = Instant::now();
        }
        self.last += 1;
        let sent = Sent {
            ticket,
            message_id,
            partition,
            number: self.last,
        };
        let channel = self.channel.clone();
        let mut write: Write = Box::pin(async move {
            let options = BasicPublishOptions {
                mandatory: true,
                immediate: false,
            };
            channel
                .basic_publish(exchange, key, options, &payload, properties)
                .await
        });
        // The first poll puts it into lapin's queue, which keeps the order; who waits for the rest polls it again.
        match write.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => self.writing.push_back((sent, bytes, write)),
            Poll::Ready(outcome) => self
                .writing
                .push_back((sent, bytes, Box::pin(std::future::ready(outcome)))),
        }
        Ok(())
    }

    /// One message has its confirm, or never will.
    fn confirmed(&mut self, confirmed: Confirmed, shared: &Shared) -> Result<(), Loss> {
        let (sent, confirmation) = match confirmed {
            Ok(confirmed) => confirmed,
            Err(error) => return Err(Loss::of(&error)),
        };
        self.since = Instant::now();
        let (said, returned) = read(confirmation);
        if let Some((ticket, delivery)) = self.verdicts.confirm(sent, &said, returned, self.last) {
            shared.settle(ticket, delivery);
        }
        for (ticket, delivery) in self.verdicts.settled(self.oldest(), self.last) {
            shared.settle(ticket, delivery);
        }
        Ok(())
    }

    fn oldest(&self) -> Option<u64> {
        let confirming = self.confirming.front().map(|(sent, _)| sent.number);
        confirming.or(self.writing.front().map(|(sent, _, _)| sent.number))
    }

    fn heard(&mut self, event: Event, shared: &Shared) -> Result<(), Loss> {
        match event {
            Event::ConnectionBlocked(reason) => {
                self.blocked = true;
                shared.failed(format!("the broker blocks publishers: {reason}"));
                shared.state().phase = Phase::Blocked;
            }
            Event::ConnectionUnblocked => {
                (self.blocked, self.since) = (false, Instant::now());
                shared.healthy();
                shared.state().phase = Phase::Up;
            }
            Event::Error(error) => return Err(Loss::of(&error)),
            // lapin obeys channel.flow itself; the enum may grow.
            Event::Connected | Event::SendFlow(_) | _ => {}
        }
        Ok(())
    }

    fn look(&mut self) -> Result<(), Loss> {
        if !self.channel.status().connected() || !self.client.connection.status().connected() {
            return Err(Loss::words("the connection was closed"));
        }
        let due = !self.writing.is_empty() || !self.confirming.is_empty();
        if due && !self.blocked && self.since.elapsed() > SILENCE {
            return Err(Loss::words(format!("no confirm for {} s", SILENCE.as_secs())));
        }
        Ok(())
    }

    /// Ends the connection, then says of each message what is known.
    async fn end(mut self, loss: Loss) -> Lost {
        let in_flight = self.writing.len() + self.confirming.len();
        let only_one = in_flight == 1;
        // Whatever lapin has not written by now must never be.
        self.client.cut.now();
        let mut verdicts = Vec::new();
        let doubt = |why: &str| Delivery::InDoubt(format!("sent, and not confirmed: {why}"));
        let end = Instant::now() + LAST_WORDS;
        let mut unresolved: Option<u64> = None;
        for (sent, _, write) in std::mem::take(&mut self.writing) {
            match tokio::time::timeout_at(end, write).await {
                Ok(Ok(confirm)) => self.confirming.push_back((sent, confirm)),
                Ok(Err(_)) => verdicts.push((sent.ticket, Delivery::NotSent(loss.why.clone()))),
                Err(_) => {
                    unresolved = unresolved.or(Some(sent.number));
                    verdicts.push((sent.ticket, doubt(&loss.why)));
                }
            }
        }
        for (sent, mut confirm) in std::mem::take(&mut self.confirming) {
            // What was confirmed before the loss is confirmed.
            match Pin::new(&mut confirm).poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Ok(confirmation)) => {
                    let (said, returned) = read(confirmation);
                    verdicts.extend(self.verdicts.confirm(sent, &said, returned, self.last));
                }
                Poll::Ready(Err(_)) | Poll::Pending => {
                    unresolved = Some(unresolved.map_or(sent.number, |n| n.min(sent.number)));
                    verdicts.push((sent.ticket, of_one(&loss, only_one).unwrap_or_else(|| doubt(&loss.why))));
                }
            }
        }
        verdicts.extend(self.verdicts.settled(unresolved, self.last));
        verdicts.extend(self.verdicts.abandon(&format!(
            "acknowledged, and the connection was lost before it was certain that it was routed: {}",
            loss.why
        )));
        let suspects = if loss.reply.as_ref().is_some_and(|(code, _)| is_about_a_message(*code)) {
            in_flight
        } else {
            0
        };
        for answer in self.recalled {
            let _ = answer.send(());
        }
        Lost {
            why: loss.why,
            verdicts,
            suspects,
        }
    }
}

/// Replies that a single message brings about.
fn is_about_a_message(reply: u16) -> bool {
    [code::ACCESS_REFUSED, code::NOT_FOUND, code::PRECONDITION_FAILED].contains(&reply)
}

/// When exactly one message was in flight, the broker's reply is about it, and it took nothing.
fn of_one(loss: &Loss, only_one: bool) -> Option<Delivery> {
    let (reply, text) = loss.reply.as_ref().filter(|_| only_one)?;
    match *reply {
        // Not authorised, or larger than max_message_size: no attempt can succeed.
        code::ACCESS_REFUSED | code::PRECONDITION_FAILED => Some(Delivery::Refused(format!("{text} ({reply})"))),
        // The exchange is not there; it can be made.
        code::NOT_FOUND => Some(Delivery::NotSent(format!("{text} ({reply})"))),
        _ => None,
    }
}

type Confirmed = lapin::Result<(Sent, Confirmation)>;

/// The confirm of the oldest message. Meanwhile messages go from the queue to the socket. May be dropped at any moment.
async fn next_confirm(
    writing: &mut VecDeque<(Sent, usize, Write)>,
    confirming: &mut VecDeque<(Sent, PublisherConfirm)>,
    shared: &Shared,
) -> Confirmed {
    poll_fn(|cx| {
        while let Some((_, bytes, write)) = writing.front_mut() {
            match write.as_mut().poll(cx) {
                Poll::Pending => break,
                Poll::Ready(outcome) => {
                    written(shared, *bytes);
                    let Some((sent, bytes, _)) = writing.pop_front() else {
                        break;
                    };
                    match outcome {
                        Ok(confirm) => confirming.push_back((sent, confirm)),
                        Err(error) => {
                            // The end asks it again, and must hear the same.
                            let again = Box::pin(std::future::ready(Err(error.clone())));
                            writing.push_front((sent, bytes, again));
                            return Poll::Ready(Err(error));
                        }
                    }
                }
            }
        }
        let Some((_, confirm)) = confirming.front_mut() else {
            return Poll::Pending;
        };
        match Pin::new(confirm).poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(outcome) => match (outcome, confirming.pop_front()) {
                (Ok(confirmation), Some((sent, _))) => Poll::Ready(Ok((sent, confirmation))),
                (Err(error), Some((sent, confirm))) => {
                    // A confirm that failed stays failed: asked again it says so.
                    confirming.push_front((sent, confirm));
                    Poll::Ready(Err(error))
                }
                (_, None) => Poll::Pending,
            },
        }
    })
    .await
}

fn written(shared: &Shared, bytes: usize) {
    let mut state = shared.state();
    state.waiting_bytes = state.waiting_bytes.saturating_sub(bytes);
}

/// What a confirm said, and the message that came with it, which need not be its own.
fn read(confirmation: Confirmation) -> (Said, Option<Returned>) {
    match confirmation {
        Confirmation::Ack(returned) => (Said::Ack, returned.and_then(who)),
        Confirmation::Nack(returned) => (Said::Nack, returned.and_then(who)),
        Confirmation::NotRequested => (Said::NotRequested, None),
    }
}

fn who(returned: BasicReturnMessage) -> Option<Returned> {
    let message_id = returned.delivery.properties.message_id().as_ref()?.as_str().to_owned();
    Some(Returned {
        message_id,
        why: format!(
            "{} (exchange {:?}, routing key {:?})",
            returned.reply_text,
            returned.delivery.exchange.as_str(),
            returned.delivery.routing_key.as_str()
        ),
    })
}
