//! When a confirm means that a message is stored.
//!
//! RabbitMQ confirms an unroutable message too: it sends `basic.return` and then an ack (RabbitMQ: publisher confirms, "When
//! Will Published Messages Be Confirmed by the Broker?"). lapin attaches a return to whichever confirm it resolves next, not to
//! the confirm of the message that was returned, and one ack for many resolves them in no order. So a plain ack proves nothing
//! by itself, and a return on a confirm says nothing about that confirm's own message: returns are matched by message id.
//!
//! A return reaches lapin before the ack of its own message, every confirm that lapin resolves takes one waiting return along,
//! and there are never more returns waiting than returned messages outstanding. So once everything that was outstanding when an
//! ack was seen has resolved, the return of that message, had there been one, was taken along by some confirm: perhaps by one of
//! a message that was sent only meanwhile. So everything that is outstanding then is waited for as well, and then it was seen.

use crate::model::{Delivery, Position};
use std::collections::{HashMap, VecDeque};

/// What one confirm said, whatever message its return belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    Ack,
    Nack,
    NotRequested,
}

/// A message that came back: whose it was, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Returned {
    pub(super) message_id: String,
    pub(super) why: String,
    /// The queue that it was for, when it was sent to the default exchange; other exchanges name none.
    pub(super) queue: Option<String>,
}

/// What is certain about one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// What became of it.
    Is(Delivery),
    /// No queue took it, so it is nowhere; why none did may have to be asked.
    Returned(Returned),
}

/// One message that was handed to lapin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) ticket: u64,
    pub(super) message_id: String,
    pub(super) partition: i32,
    /// Counts what was handed over on this channel, from 1.
    pub(super) number: u64,
}

/// An ack that waits until its return cannot be among what is outstanding.
struct Held {
    sent: Sent,
    /// The last number that is waited for.
    until: u64,
}

/// The confirms of one channel, which are waited for in the order of sending.
#[derive(Default)]
pub(super) struct Verdicts {
    /// Waiting for what was outstanding when the ack was seen.
    held: VecDeque<Held>,
    /// Waiting for what was outstanding after that.
    sure: VecDeque<Held>,
    returned: HashMap<String, Returned>,
}

impl Verdicts {
    /// Takes one confirm in. `last` is the number that was handed over last until now.
    pub(super) fn confirm(
        &mut self,
        sent: Sent,
        said: &Said,
        returned: Option<Returned>,
        last: u64,
    ) -> Option<(u64, Verdict)> {
        if let Some(returned) = returned {
            self.returned.insert(returned.message_id.clone(), returned);
        }
        match said {
            Said::Ack => {
                self.held.push_back(Held { sent, until: last });
                None
            }
            Said::Nack => Some((
                sent.ticket,
                self.doubt(&sent, "the broker could not take responsibility (nack)"),
            )),
            Said::NotRequested => Some((sent.ticket, self.doubt(&sent, "the broker was not asked to confirm"))),
        }
    }

    fn doubt(&mut self, sent: &Sent, why: &str) -> Verdict {
        self.returned.remove(&sent.message_id);
        Verdict::Is(Delivery::InDoubt(why.to_owned()))
    }

    /// What is certain now. `oldest` is the smallest number whose confirm has not come, `None` when all have; `last` as above.
    pub(super) fn settled(&mut self, oldest: Option<u64>, last: u64) -> Vec<(u64, Verdict)> {
        let passed = |held: &mut Held| oldest.is_none_or(|oldest| oldest > held.until);
        while let Some(held) = self.held.pop_front_if(passed) {
            self.sure.push_back(Held { until: last, ..held });
        }
        let mut settled = Vec::new();
        while let Some(Held { sent, .. }) = self.sure.pop_front_if(passed) {
            let verdict = match self.returned.remove(&sent.message_id) {
                Some(returned) => Verdict::Returned(returned),
                None => Verdict::Is(Delivery::Stored(Position {
                    partition: sent.partition,
                    offset: None,
                })),
            };
            settled.push((sent.ticket, verdict));
        }
        if oldest.is_none() {
            // Whatever is left belongs to messages that have their verdict.
            self.returned.clear();
        }
        settled
    }

    /// Gives up what waits: it is acknowledged, and its return may have been lost with the connection.
    pub(super) fn abandon(&mut self, why: &str) -> Vec<(u64, Verdict)> {
        let mut returned = std::mem::take(&mut self.returned);
        let held = self.sure.drain(..).chain(self.held.drain(..)).map(|Held { sent, .. }| {
            let verdict = match returned.remove(&sent.message_id) {
                Some(returned) => Verdict::Returned(returned),
                None => Verdict::Is(Delivery::InDoubt(why.to_owned())),
            };
            (sent.ticket, verdict)
        });
        held.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn sent(number: u64) -> Sent {
        Sent {
            ticket: number,
            message_id: format!("m{number}"),
            partition: 0,
            number,
        }
    }

    fn back(number: u64) -> Option<Returned> {
        Some(Returned {
            message_id: format!("m{number}"),
            why: "NO_ROUTE".to_owned(),
            queue: None,
        })
    }

    #[test]
    fn a_return_on_a_foreign_confirm_belongs_to_its_own_message() {
        let mut verdicts = Verdicts::default();
        // 2 is unroutable; one ack for both resolved 1 first and gave it the return.
        assert_eq!(verdicts.confirm(sent(1), &Said::Ack, back(2), 2), None);
        assert_eq!(verdicts.settled(Some(2), 3), []);
        assert_eq!(verdicts.confirm(sent(2), &Said::Ack, None, 2), None);
        let settled = verdicts.settled(None, 2);
        assert!(matches!(settled[0], (1, Verdict::Is(Delivery::Stored(_)))));
        assert!(matches!(settled[1], (2, Verdict::Returned(_))));
    }

    #[test]
    fn an_ack_is_not_stored_while_a_return_may_come() {
        let mut verdicts = Verdicts::default();
        assert_eq!(verdicts.confirm(sent(1), &Said::Ack, None, 3), None);
        assert_eq!(verdicts.settled(Some(2), 3), []);
        assert!(
            verdicts
                .abandon("lost")
                .iter()
                .all(|(_, v)| matches!(v, Verdict::Is(Delivery::InDoubt(_))))
        );
        let (_, nack) = verdicts.confirm(sent(2), &Said::Nack, None, 3).unwrap();
        assert!(matches!(nack, Verdict::Is(Delivery::InDoubt(_))));
        let (_, nothing) = verdicts.confirm(sent(3), &Said::NotRequested, None, 3).unwrap();
        assert!(matches!(nothing, Verdict::Is(Delivery::InDoubt(_))));
    }

    /// lapin 4.12 as it is: returns wait in a queue, and each confirm that is resolved takes the first of them.
    struct Lapin {
        waiting: VecDeque<u64>,
        resolved: BTreeMap<u64, Option<u64>>,
    }

    proptest! {
        /// Whatever the broker returns, in whatever order it acknowledges, and however acks are batched.
        #[test]
        fn no_order_of_acks_hides_a_return(
            unroutable in proptest::collection::vec(any::<bool>(), 1..60),
            order in proptest::collection::vec(any::<prop::sample::Index>(), 60),
            early in proptest::collection::vec(any::<bool>(), 60),
            seen in proptest::collection::vec(any::<bool>(), 60),
            ahead in 1_usize..20,
        ) {
            let mut lapin = Lapin { waiting: VecDeque::new(), resolved: BTreeMap::new() };
            let (mut verdicts, mut verdict) = (Verdicts::default(), BTreeMap::new());
            let (total, mut last, mut next) = (unroutable.len() as u64, 0_u64, 1_u64);
            let mut outstanding: Vec<u64> = Vec::new();
            for step in 0.. {
                while last < total && outstanding.len() < ahead {
                    last += 1;
                    outstanding.push(last);
                    if unroutable[last as usize - 1] && early[last as usize - 1] {
                        lapin.waiting.push_back(last);
                    }
                }
                if let Some(index) = order.get(step % order.len()).filter(|_| !outstanding.is_empty()) {
                    let number = outstanding.remove(index.index(outstanding.len()));
                    if unroutable[number as usize - 1] && !early[number as usize - 1] {
                        lapin.waiting.push_back(number);
                    }
                    let takes = lapin.waiting.pop_front();
                    lapin.resolved.insert(number, takes);
                }
                if seen[step % seen.len()] || outstanding.is_empty() {
                    while let Some(takes) = lapin.resolved.remove(&next) {
                        prop_assert!(verdicts.confirm(sent(next), &Said::Ack, takes.and_then(back), last).is_none());
                        next += 1;
                        let oldest = (next <= last).then_some(next);
                        verdict.extend(verdicts.settled(oldest, last));
                    }
                }
                if next > total {
                    break;
                }
            }
            verdict.extend(verdicts.settled(None, last));
            prop_assert_eq!(verdict.len() as u64, total);
            for (number, verdict) in verdict {
                let returned = matches!(verdict, Verdict::Returned(_));
                prop_assert_eq!(returned, unroutable[number as usize - 1], "message {}", number);
            }
        }
    }
}
