//! Publishing with confirms: each message is known by itself, and many are on their way at once.

use super::message::Prepared;
use super::publish::{Command, Shared};
use super::session::{self, Again, End, LOOK, Link, Loss, Lost, Write};
use super::unrouted::Unrouted;
use super::verdict::{Returned, Said, Sent, Verdict, Verdicts};
use crate::model::Delivery;
use futures_util::StreamExt;
use lapin::{Confirmation, PublisherConfirm};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, MissedTickBehavior};

/// Messages with the broker that are not confirmed; each ack for many costs lapin a walk over all of them.
const WINDOW: usize = 1000;
/// Confirms taken at once.
const BATCH: usize = 500;
/// How long lapin may take to say which messages it never wrote, once the socket is cut.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A channel in confirm mode, and what is on its way through it.
pub(super) struct Confirms {
    link: Link,
    /// Handed to lapin and not yet in the socket.
    writing: VecDeque<(Sent, usize, Write)>,
    /// Written, and not confirmed.
    confirming: VecDeque<(Sent, usize, PublisherConfirm)>,
    verdicts: Verdicts,
    unrouted: Unrouted,
    last: u64,
    /// Whether anything was confirmed yet. The first message goes alone: when the broker closes the channel over it, because the
    /// exchange is not there or may not be written, that is known to be about it.
    proven: bool,
    /// Verdicts that a run which keeps the order ended with.
    again: Vec<(u64, Delivery)>,
}

impl Confirms {
    pub(super) fn new(link: Link, unrouted: Unrouted) -> Confirms {
        Confirms {
            link,
            writing: VecDeque::new(),
            confirming: VecDeque::new(),
            verdicts: Verdicts::default(),
            unrouted,
            last: 0,
            proven: false,
            again: Vec::new(),
        }
    }

    pub(super) async fn run(
        mut self,
        shared: &Shared,
        commands: &mut UnboundedReceiver<Command>,
        queue: &mut VecDeque<Prepared>,
    ) -> End {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let loss = loop {
            self.send(shared, queue);
            let heard = tokio::select! {
                biased;
                Some(event) = self.link.events.next() => self.link.heard(event, shared),
                (confirmed, failed) = next_confirms(&mut self.writing, &mut self.confirming, shared) => {
                    let known = self.confirmed(confirmed, shared);
                    failed.map_or(known, |error| Err(Loss::of(&error)))
                }
                answered = self.unrouted.answered() => session::deliver(shared, answered).map_err(|again| self.ended(again)),
                mut taken = session::next_commands(commands) => {
                    if taken.is_empty() {
                        return End::Dropped(self.link.client);
                    }
                    self.link.take(&mut taken, queue)
                }
                _ = look.tick() => {
                    let due = !self.writing.is_empty() || !self.confirming.is_empty();
                    self.link.look(due)
                }
            };
            if let Err(loss) = heard {
                break loss;
            }
        };
        let loss = self.link.reason(loss).await;
        End::Lost(self.end(loss).await)
    }

    /// Hands to lapin what fits into the window, in order.
    fn send(&mut self, shared: &Shared, queue: &mut VecDeque<Prepared>) {
        if queue.is_empty() || self.link.blocked {
            return;
        }
        let singly = shared.how.ordered || shared.state().singly > 0;
        let window = if singly || !self.proven { 1 } else { WINDOW };
        while self.writing.len() + self.confirming.len() < window {
            if singly && !self.unrouted.is_empty() {
                return;
            }
            let Some(message) = queue.pop_front() else { return };
            self.publish(message, shared);
        }
    }

    fn publish(&mut self, message: Prepared, shared: &Shared) {
        let bytes = message.payload.len();
        if let Err(why) = self.link.fits(&message) {
            shared.written(bytes);
            shared.settle([(message.ticket, Delivery::Refused(why))]);
            return;
        }
        if self.writing.is_empty() && self.confirming.is_empty() {
            self.link.since = Instant::now();
        }
        self.last += 1;
        let sent = Sent {
            ticket: message.ticket,
            message_id: message.message_id.clone(),
            partition: message.partition,
            number: self.last,
        };
        let write = self.link.publish(message);
        self.writing.push_back((sent, bytes, write));
    }

    /// Some messages have their confirms.
    fn confirmed(&mut self, confirmed: Vec<(Sent, Confirmation)>, shared: &Shared) -> Result<(), Loss> {
        self.proven |= !confirmed.is_empty();
        self.link.since = Instant::now();
        let mut known: Vec<(u64, Verdict)> = Vec::with_capacity(confirmed.len());
        for (sent, confirmation) in confirmed {
            let (said, returned) = read(confirmation);
            known.extend(self.verdicts.confirm(sent, &said, returned, self.last));
        }
        known.extend(self.verdicts.settled(self.oldest(), self.last));
        session::settle(shared, &mut self.unrouted, known).map_err(|again| self.ended(again))
    }

    fn ended(&mut self, again: Again) -> Loss {
        let loss = again.loss();
        self.again.extend(again.0);
        loss
    }

    fn oldest(&self) -> Option<u64> {
        let confirming = self.confirming.front().map(|(sent, _, _)| sent.number);
        confirming.or(self.writing.front().map(|(sent, _, _)| sent.number))
    }

    /// The number of the message that was too large for the broker.
    fn culprit(&self, loss: &Loss) -> Option<u64> {
        let limit = loss.size_limit()?;
        let written = self.confirming.iter().map(|(sent, bytes, _)| (sent.number, *bytes));
        let handed_over = self.writing.iter().map(|(sent, bytes, _)| (sent.number, *bytes));
        let mut all = written.chain(handed_over);
        all.find(|(_, bytes)| *bytes > limit).map(|(number, _)| number)
    }

    /// Ends the connection, then says of each message what is known.
    async fn end(mut self, loss: Loss) -> Lost {
        let in_flight = self.writing.len() + self.confirming.len();
        let only_one = in_flight == 1;
        // Whatever lapin has not written by now must never be.
        self.link.client.cut.now();
        let culprit = self.culprit(&loss);
        let unconfirmed = |number: u64| {
            let doubt = || Delivery::InDoubt(format!("sent, and not confirmed: {}", loss.why));
            Verdict::Is(match culprit {
                Some(culprit) if number == culprit => Delivery::Refused(loss.why.clone()),
                Some(culprit) if number > culprit => Delivery::NotSent(loss.why.clone()),
                Some(_) => doubt(),
                None => loss.of_one().filter(|_| only_one).unwrap_or_else(doubt),
            })
        };
        let mut known: Vec<(u64, Verdict)> = Vec::new();
        let end = Instant::now() + LAST_WORDS;
        let mut unresolved: Option<u64> = None;
        for (sent, bytes, write) in std::mem::take(&mut self.writing) {
            match tokio::time::timeout_at(end, write).await {
                Ok(Ok(confirm)) => self.confirming.push_back((sent, bytes, confirm)),
                Ok(Err(_)) => known.push((sent.ticket, Verdict::Is(Delivery::NotSent(loss.why.clone())))),
                Err(_) => {
                    unresolved = unresolved.or(Some(sent.number));
                    known.push((sent.ticket, unconfirmed(sent.number)));
                }
            }
        }
        for (sent, _, mut confirm) in std::mem::take(&mut self.confirming) {
            // What was confirmed before the loss is confirmed.
            match Pin::new(&mut confirm).poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Ok(confirmation)) => {
                    let (said, returned) = read(confirmation);
                    known.extend(self.verdicts.confirm(sent, &said, returned, self.last));
                }
                Poll::Ready(Err(_)) | Poll::Pending => {
                    unresolved = Some(unresolved.map_or(sent.number, |n| n.min(sent.number)));
                    known.push((sent.ticket, unconfirmed(sent.number)));
                }
            }
        }
        known.extend(self.verdicts.settled(unresolved, self.last));
        known.extend(self.verdicts.abandon(&format!(
            "acknowledged, and the connection was lost before it was certain that it was routed: {}",
            loss.why
        )));
        let mut verdicts = self.again;
        for (ticket, verdict) in known {
            match verdict {
                Verdict::Is(delivery) => verdicts.push((ticket, delivery)),
                Verdict::Returned(returned) => {
                    verdicts.extend(self.unrouted.add(ticket, returned).map(|delivery| (ticket, delivery)));
                }
            }
        }
        verdicts.extend(self.unrouted.abandon(&loss.why));
        Lost {
            suspects: if loss.is_about_a_message() && culprit.is_none() {
                in_flight
            } else {
                0
            },
            why: loss.why,
            verdicts,
            recalled: self.link.recalled,
        }
    }
}

/// Confirms that came, and why no more will.
type Confirmed = (Vec<(Sent, Confirmation)>, Option<lapin::Error>);

/// The confirms of the oldest messages, or why they fail. Meanwhile messages go from the queue to the socket. May be dropped at any
/// moment.
async fn next_confirms(
    writing: &mut VecDeque<(Sent, usize, Write)>,
    confirming: &mut VecDeque<(Sent, usize, PublisherConfirm)>,
    shared: &Shared,
) -> Confirmed {
    poll_fn(|cx| {
        let (mut written, mut failed) = (0, None);
        while let Some((_, bytes, write)) = writing.front_mut() {
            let Poll::Ready(outcome) = write.as_mut().poll(cx) else {
                break;
            };
            match outcome {
                Ok(confirm) => {
                    written += *bytes;
                    if let Some((sent, bytes, _)) = writing.pop_front() {
                        confirming.push_back((sent, bytes, confirm));
                    }
                }
                Err(error) => {
                    // The end asks it again, and must hear the same.
                    *write = Box::pin(std::future::ready(Err(error.clone())));
                    failed = Some(error);
                    break;
                }
            }
        }
        if written > 0 {
            shared.written(written);
        }
        let mut ready = Vec::new();
        while let Some((_, _, confirm)) = confirming.front_mut().filter(|_| ready.len() < BATCH) {
            match Pin::new(confirm).poll(cx) {
                Poll::Pending => break,
                Poll::Ready(Ok(confirmation)) => {
                    ready.extend(confirming.pop_front().map(|(sent, _, _)| (sent, confirmation)));
                }
                // A confirm that failed stays failed: asked again it says so.
                Poll::Ready(Err(error)) => {
                    failed.get_or_insert(error);
                    break;
                }
            }
        }
        match ready.is_empty() && failed.is_none() {
            true => Poll::Pending,
            false => Poll::Ready((ready, failed)),
        }
    })
    .await
}

/// What a confirm said, and the message that came with it, which need not be its own.
fn read(confirmation: Confirmation) -> (Said, Option<Returned>) {
    match confirmation {
        Confirmation::Ack(returned) => (Said::Ack, returned.and_then(session::who)),
        Confirmation::Nack(returned) => (Said::Nack, returned.and_then(session::who)),
        Confirmation::NotRequested => (Said::NotRequested, None),
    }
}
