//! Publishing in AMQP transactions: a group of messages is published, then committed, and the answer to the commit is about all of
//! them.
//!
//! RabbitMQ keeps what is published after `tx.select` until `tx.commit`, routes it then, and answers when every queue has it, in a
//! durable queue on disk (rabbit_channel.erl, `tx.commit`). So before the commit nothing is stored, after its answer everything is
//! that did not come back before it, and a commit without an answer leaves the whole group in doubt. A queue that rejects one
//! message closes the channel with "partial tx completion": the others may be stored.

use super::message::Prepared;
use super::publish::{Command, Shared};
use super::session::{self, Again, End, LOOK, Link, Loss, Lost, Write};
use super::unrouted::Unrouted;
use super::verdict::{Returned, Verdict};
use crate::model::{Delivery, Position};
use futures_util::StreamExt;
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, Interval, MissedTickBehavior};

/// Messages of one commit, and their payload: RabbitMQ keeps a group in memory until then.
const GROUP: usize = 500;
const GROUP_BYTES: usize = 4 << 20;
/// What RabbitMQ says when it committed some messages of a group and could not commit others.
const PARTIAL: &str = "partial tx completion";

/// One message of a group.
struct Member {
    ticket: u64,
    message_id: String,
    partition: i32,
    bytes: usize,
}

/// How far a group came.
enum Stage {
    /// Nothing of it can be stored.
    Published,
    /// The commit was handed to lapin.
    Committing,
}

/// Why a group, or the session, cannot go on.
enum Stop {
    Dropped,
    Lost(Loss),
}

/// A channel in transaction mode.
pub(super) struct Transactions {
    link: Link,
    unrouted: Unrouted,
    look: Interval,
    /// Whether anything was committed yet. The first message goes alone, as with confirms.
    proven: bool,
    /// Verdicts that a run which keeps the order ended with.
    again: Vec<(u64, Delivery)>,
}

impl Transactions {
    pub(super) fn new(link: Link, unrouted: Unrouted) -> Transactions {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Transactions {
            link,
            unrouted,
            look,
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
        let mut known = Vec::new();
        let mut suspects = 0;
        let stop = loop {
            let group = self.group(shared, queue);
            if group.is_empty() {
                // Something must happen first.
                match self.hear(shared, commands, queue, false).await {
                    Ok(()) => continue,
                    Err(stop) => break stop,
                }
            }
            let (mut members, mut writes, mut bytes) = (Vec::new(), Vec::new(), 0);
            for message in group {
                bytes += message.payload.len();
                members.push(Member {
                    ticket: message.ticket,
                    message_id: message.message_id.clone(),
                    partition: message.partition,
                    bytes: message.payload.len(),
                });
                writes.push(self.link.publish(message));
            }
            let mut stage = Stage::Published;
            let committed = self.commit(shared, commands, queue, writes, &mut stage).await;
            shared.written(bytes);
            match committed {
                Ok(returned) => {
                    self.proven = true;
                    let verdicts = members.into_iter().map(|member| {
                        let verdict = match returned.get(&member.message_id) {
                            Some(returned) => Verdict::Returned(returned.clone()),
                            None => Verdict::Is(Delivery::Stored(Position {
                                partition: member.partition,
                                offset: None,
                            })),
                        };
                        (member.ticket, verdict)
                    });
                    if let Err(again) = session::settle(shared, &mut self.unrouted, verdicts) {
                        break Stop::Lost(self.ended(again));
                    }
                }
                Err(Stop::Dropped) => break Stop::Dropped,
                Err(Stop::Lost(loss)) => {
                    let loss = self.link.reason(loss).await;
                    let sizes: Vec<usize> = members.iter().map(|member| member.bytes).collect();
                    let blamed = blamed(&loss, &sizes);
                    if loss.is_about_a_message() && !is_partial(&loss) && blamed.is_none() {
                        suspects = members.len();
                    }
                    for (index, member) in members.into_iter().enumerate() {
                        known.push((member.ticket, became(&loss, &stage, blamed == Some(index))));
                    }
                    break Stop::Lost(loss);
                }
            }
        };
        match stop {
            Stop::Dropped => End::Dropped(self.link.client),
            Stop::Lost(loss) => {
                // Whatever lapin has not written by now must never be.
                self.link.client.cut.now();
                known.append(&mut self.again);
                known.extend(self.unrouted.abandon(&loss.why));
                End::Lost(Lost {
                    why: loss.why,
                    verdicts: known,
                    suspects,
                    recalled: self.link.recalled,
                })
            }
        }
    }

    /// The messages of the next commit: one when the order is kept, because a group can be stored in part.
    fn group(&mut self, shared: &Shared, queue: &mut VecDeque<Prepared>) -> Vec<Prepared> {
        if self.link.blocked {
            return Vec::new();
        }
        let singly = shared.how.ordered || shared.state().singly > 0;
        if singly && !self.unrouted.is_empty() {
            return Vec::new();
        }
        let most = if singly || !self.proven { 1 } else { GROUP };
        let (mut group, mut bytes) = (Vec::new(), 0);
        while group.len() < most && bytes < GROUP_BYTES {
            let Some(message) = queue.pop_front() else { break };
            if let Err(why) = self.link.fits(&message) {
                shared.written(message.payload.len());
                shared.settle([(message.ticket, Delivery::Refused(why))]);
                continue;
            }
            bytes += message.payload.len();
            group.push(message);
        }
        group
    }

    /// Publishes a group and commits it: what came back, by message id. When it fails, `stage` says how far it came.
    async fn commit(
        &mut self,
        shared: &Shared,
        commands: &mut UnboundedReceiver<Command>,
        queue: &mut VecDeque<Prepared>,
        writes: Vec<Write>,
        stage: &mut Stage,
    ) -> Result<HashMap<String, Returned>, Stop> {
        self.link.since = Instant::now();
        let written = async {
            for write in writes {
                write.await?;
            }
            Ok(())
        };
        let failed = |error: lapin::Error| Stop::Lost(Loss::of(&error));
        // lapin sends methods before publishes that wait, and a commit must not overtake what it commits.
        self.attend(shared, commands, queue, written).await?.map_err(failed)?;
        *stage = Stage::Committing;
        self.link.since = Instant::now();
        let channel = Arc::clone(&self.link.channel);
        let commit = async move { channel.tx_commit().await };
        self.attend(shared, commands, queue, commit).await?.map_err(failed)?;
        // Without confirms nothing is waited for here: it is lapin's only door to what came back, all of which came before the
        // answer to the commit.
        let returned = self.link.channel.wait_for_confirms().await.map_err(failed)?;
        Ok(returned
            .into_iter()
            .filter_map(session::who)
            .map(|returned| (returned.message_id.clone(), returned))
            .collect())
    }

    /// Waits for something, and hears everything else meanwhile.
    async fn attend<T>(
        &mut self,
        shared: &Shared,
        commands: &mut UnboundedReceiver<Command>,
        queue: &mut VecDeque<Prepared>,
        work: impl Future<Output = T>,
    ) -> Result<T, Stop> {
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                heard = self.hear(shared, commands, queue, true) => heard?,
            }
        }
    }

    /// One thing that happens beside a group. May be dropped at any moment. `due` says whether the broker owes an answer.
    async fn hear(
        &mut self,
        shared: &Shared,
        commands: &mut UnboundedReceiver<Command>,
        queue: &mut VecDeque<Prepared>,
        due: bool,
    ) -> Result<(), Stop> {
        let heard = tokio::select! {
            biased;
            Some(event) = self.link.events.next() => self.link.heard(event, shared),
            answered = self.unrouted.answered() => {
                session::deliver(shared, answered).map_err(|again| self.ended(again))
            }
            mut taken = session::next_commands(commands) => {
                if taken.is_empty() {
                    return Err(Stop::Dropped);
                }
                self.link.take(&mut taken, queue)
            }
            _ = self.look.tick() => self.link.look(due),
        };
        heard.map_err(Stop::Lost)
    }

    fn ended(&mut self, again: Again) -> Loss {
        let loss = again.loss();
        self.again.extend(again.0);
        loss
    }
}

fn is_partial(loss: &Loss) -> bool {
    loss.reply.as_ref().is_some_and(|(_, text)| text.contains(PARTIAL))
}

/// Which message of a group the broker refused, where that is known: the only one, or the first that is too large.
fn blamed(loss: &Loss, sizes: &[usize]) -> Option<usize> {
    match loss.size_limit() {
        Some(limit) => sizes.iter().position(|bytes| *bytes > limit),
        None => (sizes.len() == 1).then_some(0),
    }
}

/// What became of a message of a group that was not committed.
fn became(loss: &Loss, stage: &Stage, blamed: bool) -> Delivery {
    // What the broker refuses, it refuses as it is published: then it does not look at the commit any more.
    let at_publish = loss.is_about_a_message() && !is_partial(loss);
    match (at_publish, stage) {
        (true, _) if blamed => loss.of_one().unwrap_or_else(|| Delivery::NotSent(loss.why.clone())),
        (true, _) | (false, Stage::Published) => {
            Delivery::NotSent(format!("its transaction was not committed: {}", loss.why))
        }
        (false, Stage::Committing) => {
            Delivery::InDoubt(format!("the commit of its transaction was not answered: {}", loss.why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss(reply: Option<(u16, &str)>) -> Loss {
        Loss {
            why: "why".to_owned(),
            reply: reply.map(|(code, text)| (code, text.to_owned())),
        }
    }

    #[test]
    fn only_an_unanswered_commit_is_in_doubt() {
        let lost = loss(None);
        assert!(matches!(became(&lost, &Stage::Published, false), Delivery::NotSent(_)));
        assert!(matches!(became(&lost, &Stage::Published, true), Delivery::NotSent(_)));
        assert!(matches!(became(&lost, &Stage::Committing, false), Delivery::InDoubt(_)));
        assert!(matches!(became(&lost, &Stage::Committing, true), Delivery::InDoubt(_)));
    }

    #[test]
    fn a_message_that_the_broker_refuses_takes_its_group_along_and_is_refused_alone() {
        for (code, text) in [
            (403, "access to exchange 'x' refused"),
            (406, "message size 9 is larger than configured max size 8"),
        ] {
            let refused = loss(Some((code, text)));
            for stage in [Stage::Published, Stage::Committing] {
                assert!(matches!(became(&refused, &stage, false), Delivery::NotSent(_)));
                assert!(matches!(became(&refused, &stage, true), Delivery::Refused(_)));
            }
        }
        let absent = loss(Some((404, "no exchange 'x' in vhost '/'")));
        assert!(matches!(
            became(&absent, &Stage::Committing, true),
            Delivery::NotSent(_)
        ));
    }

    #[test]
    fn the_first_that_is_too_large_is_blamed() {
        let large = loss(Some((406, "message size 9 is larger than configured max size 8")));
        assert_eq!(blamed(&large, &[1, 8, 9, 9]), Some(2));
        assert_eq!(blamed(&large, &[1, 8]), None);
        let denied = loss(Some((403, "refused")));
        assert_eq!(blamed(&denied, &[1, 2]), None);
        assert_eq!(blamed(&denied, &[1]), Some(0));
    }

    #[test]
    fn a_commit_in_part_is_in_doubt_also_for_one() {
        let partial = loss(Some((406, "partial tx completion")));
        for only_one in [true, false] {
            assert!(matches!(
                became(&partial, &Stage::Committing, only_one),
                Delivery::InDoubt(_)
            ));
        }
    }

    #[test]
    fn an_error_that_is_about_no_message_says_nothing_after_the_commit() {
        let broken = loss(Some((541, "INTERNAL_ERROR")));
        assert!(matches!(
            became(&broken, &Stage::Committing, true),
            Delivery::InDoubt(_)
        ));
        assert!(matches!(became(&broken, &Stage::Published, true), Delivery::NotSent(_)));
    }
}
