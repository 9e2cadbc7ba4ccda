//! One connection that publishes, in either of AMQP's two ways of knowing what became of a message.

use super::client::{Client, timed};
use super::confirms::Confirms;
use super::message::Prepared;
use super::publish::{Command, Phase, Shared};
use super::target::Target;
use super::tx::Transactions;
use super::unrouted::Unrouted;
use super::verdict::{Returned, Verdict};
use super::words::{self, code};
use crate::model::{Delivery, Unreached};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use lapin::message::BasicReturnMessage;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Event, PublisherConfirm};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

/// Without any answer for this long, while some are due, the connection counts as dead.
const SILENCE: Duration = Duration::from_secs(30);
/// How long the reason of a loss may come after it.
const REASON: Duration = Duration::from_millis(250);
/// How often it is looked whether the connection still lives.
pub(super) const LOOK: Duration = Duration::from_millis(200);
/// Commands taken at once.
const BATCH: usize = 512;

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
    /// Of everything that was handed to it.
    pub(super) verdicts: Vec<(u64, Delivery)>,
    /// How many messages to send singly, because one of them made the broker close the channel.
    pub(super) suspects: usize,
    /// Who wants everything back.
    pub(super) recalled: Vec<std::sync::mpsc::Sender<()>>,
}

/// Why it is lost, and the broker's reply where it gave one.
pub(super) struct Loss {
    pub(super) why: String,
    pub(super) reply: Option<(u16, String)>,
}

impl Loss {
    pub(super) fn of(error: &lapin::Error) -> Loss {
        Loss {
            why: words::why(error),
            reply: words::reply(error),
        }
    }

    pub(super) fn words(why: impl Into<String>) -> Loss {
        Loss {
            why: why.into(),
            reply: None,
        }
    }

    /// Whether one of the messages brought it about.
    pub(super) fn is_about_a_message(&self) -> bool {
        let about = [code::ACCESS_REFUSED, code::NOT_FOUND, code::PRECONDITION_FAILED];
        self.reply.as_ref().is_some_and(|(code, _)| about.contains(code))
    }

    /// The limit in bytes, when the broker closed the channel over the size of a message ("message size 9 is larger than
    /// configured max size 8"). It works through a channel in order, so that the first larger one did it: the broker took none
    /// that follows it.
    pub(super) fn size_limit(&self) -> Option<usize> {
        let (_, text) = self
            .reply
            .as_ref()
            .filter(|(code, _)| *code == code::PRECONDITION_FAILED)?;
        let rest = text.strip_prefix("message size ")?;
        let (_, limit) = rest.split_once("larger than ")?;
        limit.rsplit(' ').next()?.parse().ok()
    }

    /// What became of a message that was alone with the broker: the reply is about it, and it took nothing.
    pub(super) fn of_one(&self) -> Option<Delivery> {
        let (reply, text) = self.reply.as_ref()?;
        match *reply {
            // Not authorised, or larger than max_message_size: no attempt can succeed.
            code::ACCESS_REFUSED | code::PRECONDITION_FAILED => Some(Delivery::Refused(format!("{text} ({reply})"))),
            // The exchange is not there; it can be made.
            code::NOT_FOUND => Some(Delivery::NotSent(format!("{text} ({reply})"))),
            _ => None,
        }
    }
}

/// A way of publishing over one connection.
pub(super) enum Session {
    /// Each message is confirmed by itself.
    Confirms(Confirms),
    /// A group of messages is committed.
    Transactions(Transactions),
}

impl Session {
    /// Opens a channel for one of the two; AMQP allows no channel both.
    pub(super) async fn open(client: Client, target: &Arc<Target>, shared: &Shared) -> Result<Session, Unreached> {
        let limit = target.setup;
        let words = |e: lapin::Error| Unreached::new(words::why(&e));
        let events = client.connection.events_listener().boxed();
        let channel = Arc::new(client.channel(limit).await.map_err(words)?);
        let chosen = if shared.how.amqp_tx {
            timed(limit, channel.tx_select()).await
        } else {
            timed(limit, channel.confirm_select(ConfirmSelectOptions::default())).await
        };
        chosen.map_err(words)?;
        let link = Link {
            frame_max: client.connection.configuration().frame_max() as usize,
            client,
            channel,
            events,
            blocked: false,
            since: Instant::now(),
            recalled: Vec::new(),
            closed: false,
        };
        let unrouted = Unrouted::new(Arc::clone(target));
        Ok(if shared.how.amqp_tx {
            Session::Transactions(Transactions::new(link, unrouted))
        } else {
            Session::Confirms(Confirms::new(link, unrouted))
        })
    }

    /// Publishes what comes until the connection is lost or nobody publishes any more. What it did not take from the queue was
    /// not handed to anybody.
    pub(super) async fn run(
        self,
        shared: &Shared,
        commands: &mut UnboundedReceiver<Command>,
        queue: &mut VecDeque<Prepared>,
    ) -> End {
        match self {
            Session::Confirms(confirms) => confirms.run(shared, commands, queue).await,
            Session::Transactions(transactions) => transactions.run(shared, commands, queue).await,
        }
    }
}

/// What both ways have: the connection, and what is heard of it beside the messages.
pub(super) struct Link {
    pub(super) client: Client,
    pub(super) channel: Arc<Channel>,
    pub(super) events: BoxStream<'static, Event>,
    pub(super) blocked: bool,
    /// When something was last answered, or was last due.
    pub(super) since: Instant,
    pub(super) recalled: Vec<std::sync::mpsc::Sender<()>>,
    /// Whether it was found closed at the last look.
    closed: bool,
    frame_max: usize,
}

impl Link {
    pub(super) fn heard(&mut self, event: Event, shared: &Shared) -> Result<(), Loss> {
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

    /// Whether it still lives. `due` says whether the broker owes an answer.
    pub(super) fn look(&mut self, due: bool) -> Result<(), Loss> {
        let closed = !self.channel.status().connected() || !self.client.connection.status().connected();
        // Why it was closed comes as an event, a moment later; only when none comes nothing more is known.
        if std::mem::replace(&mut self.closed, closed) && closed {
            return Err(Loss::words("the connection was closed"));
        }
        if due && !self.blocked && self.since.elapsed() > SILENCE {
            return Err(Loss::words(format!("no answer for {} s", SILENCE.as_secs())));
        }
        Ok(())
    }

    /// What the broker said when it closed the channel. It comes as an event, perhaps a moment after the messages on the channel
    /// have failed without a reason of their own.
    pub(super) async fn reason(&mut self, loss: Loss) -> Loss {
        if loss.reply.is_some() || !self.recalled.is_empty() {
            return loss;
        }
        let end = Instant::now() + REASON;
        while let Ok(Some(event)) = tokio::time::timeout_at(end, self.events.next()).await {
            if let Event::Error(error) = event {
                let told = Loss::of(&error);
                if told.reply.is_some() {
                    return told;
                }
            }
        }
        loss
    }

    /// Takes the commands in that came, after the first of them.
    pub(super) fn take(&mut self, commands: &mut Vec<Command>, queue: &mut VecDeque<Prepared>) -> Result<(), Loss> {
        for command in commands.drain(..) {
            match command {
                Command::Publish(message) => queue.push_back(*message),
                Command::Renew => {}
                Command::Recall(answer) => self.recalled.push(answer),
            }
        }
        match self.recalled.is_empty() {
            true => Ok(()),
            false => Err(Loss::words("it was taken back")),
        }
    }

    /// Hands one message to lapin. The first poll puts it into lapin's queue, which keeps the order; it ends when it is written.
    pub(super) fn publish(&self, message: Prepared) -> Write {
        let Prepared {
            exchange,
            key,
            properties,
            payload,
            ..
        } = message;
        let channel = Arc::clone(&self.channel);
        let mut write: Write = Box::pin(async move {
            let options = BasicPublishOptions {
                mandatory: true,
                immediate: false,
            };
            channel
                .basic_publish(exchange, key, options, &payload, properties)
                .await
        });
        match write.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => write,
            Poll::Ready(outcome) => Box::pin(std::future::ready(outcome)),
        }
    }

    /// Refuses a message whose headers no frame of this connection can carry.
    pub(super) fn fits(&self, message: &Prepared) -> Result<(), String> {
        if self.frame_max == 0 || message.header_bytes <= self.frame_max {
            return Ok(());
        }
        Err(format!(
            "its headers need {} bytes, and this broker takes {} in one frame",
            message.header_bytes, self.frame_max
        ))
    }
}

/// A message on its way into the socket.
pub(super) type Write = Pin<Box<dyn Future<Output = lapin::Result<PublisherConfirm>> + Send>>;

/// The next commands, the first of which is waited for; none when the publisher is gone. May be dropped at any moment.
pub(super) async fn next_commands(commands: &mut UnboundedReceiver<Command>) -> Vec<Command> {
    let mut taken = Vec::new();
    commands.recv_many(&mut taken, BATCH).await;
    taken
}

/// What is known of a message, or that it waits for an answer about its queue. In a run that keeps the order, whatever must be sent
/// again ends the session, so that nothing goes before it.
pub(super) fn settle(
    shared: &Shared,
    unrouted: &mut Unrouted,
    verdicts: impl IntoIterator<Item = (u64, Verdict)>,
) -> Result<(), Again> {
    let known = verdicts.into_iter().filter_map(|(ticket, verdict)| match verdict {
        Verdict::Is(delivery) => Some((ticket, delivery)),
        Verdict::Returned(returned) => unrouted.add(ticket, returned).map(|delivery| (ticket, delivery)),
    });
    deliver(shared, known.collect())
}

/// Verdicts that a run which keeps the order cannot go on after.
pub(super) struct Again(pub(super) Vec<(u64, Delivery)>);

impl Again {
    /// Why the session ends.
    pub(super) fn loss(&self) -> Loss {
        let why = self.0.iter().find_map(|(_, delivery)| match delivery {
            Delivery::InDoubt(why) | Delivery::NotSent(why) => Some(why.clone()),
            Delivery::Stored(_) | Delivery::Refused(_) => None,
        });
        Loss::words(why.unwrap_or_default())
    }
}

/// Reports verdicts, or gives them back in a run that keeps the order when one of them must be sent again.
pub(super) fn deliver(shared: &Shared, known: Vec<(u64, Delivery)>) -> Result<(), Again> {
    if shared.how.ordered && known.iter().any(comes_back) {
        return Err(Again(known));
    }
    shared.settle(known);
    Ok(())
}

/// Whether a message must be sent again.
pub(super) fn comes_back((_, delivery): &(u64, Delivery)) -> bool {
    match delivery {
        Delivery::InDoubt(_) | Delivery::NotSent(_) => true,
        Delivery::Stored(_) | Delivery::Refused(_) => false,
    }
}

/// Whose a returned message is, and what it was for.
pub(super) fn who(returned: BasicReturnMessage) -> Option<Returned> {
    let message_id = returned.delivery.properties.message_id().as_ref()?.as_str().to_owned();
    let (exchange, key) = (
        returned.delivery.exchange.as_str(),
        returned.delivery.routing_key.as_str(),
    );
    Some(Returned {
        message_id,
        why: format!(
            "{} (exchange {exchange:?}, routing key {key:?})",
            returned.reply_text.as_str()
        ),
        queue: exchange.is_empty().then(|| key.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss(code: u16, text: &str) -> Loss {
        Loss {
            why: "why".to_owned(),
            reply: Some((code, text.to_owned())),
        }
    }

    #[test]
    fn the_limit_of_a_message_is_read() {
        let newer = "message size 100001 is larger than configured max size 100000";
        assert_eq!(loss(406, newer).size_limit(), Some(100_000));
        assert_eq!(loss(406, "message size 9 larger than max size 8").size_limit(), Some(8));
        assert_eq!(loss(404, newer).size_limit(), None);
        for other in [
            "partial tx completion",
            "message size",
            "message size 9 is larger than configured max size",
        ] {
            assert_eq!(loss(406, other).size_limit(), None, "{other}");
        }
        assert_eq!(Loss::words("gone").size_limit(), None);
    }

    #[test]
    fn only_a_reply_that_is_about_a_message_ends_it() {
        assert!(matches!(loss(403, "refused").of_one(), Some(Delivery::Refused(_))));
        assert!(matches!(loss(404, "no exchange").of_one(), Some(Delivery::NotSent(_))));
        assert_eq!(loss(541, "internal error").of_one(), None);
        assert_eq!(loss(320, "forced").of_one(), None);
        assert_eq!(Loss::words("gone").of_one(), None);
    }
}
