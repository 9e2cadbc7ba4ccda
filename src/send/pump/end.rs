//! When a run is over, and what it came to.

use super::hand_over::name_of;
use super::{Pump, REFILL_BYTES, REFILL_MESSAGES, Report, STALLED, now_ms};
use crate::model::{Fate, NamedLane, Outcome, Problem};
use crate::send::observe::{Receipt, State};
use crate::send::places::Wish;
use crate::spool::{Change, Pending};
use std::time::Duration;

/// Without progress for this long a person is told what is waited for: nobody looks at a still terminal for two seconds.
const SILENT: Duration = Duration::from_millis(1500);
/// So many lanes are named one by one.
const LANES_NAMED: usize = 10;

/// What a message asks for, for a person.
fn in_words(wish: Option<i32>) -> String {
    match Wish::kept(wish) {
        Wish::Lane(NamedLane::ON_REQUEST) => "the lane of the whole exchange".to_owned(),
        Wish::Lane(no) => format!("number {no}"),
        Wish::ByKey(_) => "one by its key".to_owned(),
        Wish::Unknown => "one that is chosen in a way unknown here".to_owned(),
    }
}

impl Pump<'_> {
    pub(super) fn is_over(&mut self) -> bool {
        if self.abandoned {
            return true;
        }
        if let Some((_, since)) = self.stopping {
            // Without a spool nothing is accepted for a topic that is not known.
            let hopeless = self.places.is_none() && !self.spool.is_durable();
            let nothing_left = (!self.has_chunks() || hopeless) && self.flights.is_empty() && self.settled.is_empty();
            return nothing_left || since.elapsed() >= self.options.grace;
        }
        if self.input_open || (self.has_chunks() && self.spool.is_durable()) {
            return self.gave_up_without_spool();
        }
        // Whether the topic is there is worth knowing before the action begins; where nobody answers, the spool is good enough.
        let asks = self.options.hold.is_some() && self.places.is_none() && !self.refused && self.why.is_none();
        if asks && self.started.elapsed() < self.options.connect_timeout {
            return false;
        }
        if !self.has_chunks() && self.deliverable() == 0 && self.settled.is_empty() {
            return true;
        }
        // Only a broker that never answered has its own, shorter, patience; a denied topic has none.
        let (since, patience) = match self.places {
            None => (self.started, self.options.connect_timeout),
            Some(_) => (self.progress_at, self.options.delivery_timeout),
        };
        if self.places.is_none() && self.refused {
            self.why = Some(self.trouble());
            return true;
        }
        if self.places.is_none() && self.why.is_some() {
            return true;
        }
        if since.elapsed() < patience {
            return false;
        }
        self.why = Some(self.trouble());
        true
    }

    /// Without a spool nothing can be accepted that cannot be sent, so an unreachable broker ends the run while input remains.
    pub(super) fn gave_up_without_spool(&mut self) -> bool {
        let refused = self.refused && self.places.is_none();
        let over = !self.spool.is_durable()
            && (refused
                || self.progress_at.elapsed()
                    >= self
                        .options
                        .delivery_timeout
                        .min(self.options.connect_timeout.max(STALLED)))
            && (self.places.is_none()
                || (self.open() > 0 && self.progress_at.elapsed() >= self.options.delivery_timeout));
        if over {
            self.why = Some(self.trouble());
        }
        over
    }

    /// Why nothing moves, in words.
    pub(super) fn trouble(&self) -> String {
        let broker = &self.target.broker;
        let cause = |fallback: &str| {
            let refusal = self.unreachable.clone().filter(|_| self.refused);
            refusal
                .or_else(|| self.endpoint.last_error())
                .or_else(|| self.unreachable.clone())
                .unwrap_or_else(|| fallback.to_owned())
        };
        if self.places.is_none() {
            let what = if self.refused {
                "refuses the connection"
            } else {
                "cannot be reached"
            };
            return format!("{broker} {what} ({})", cause("no broker answered"));
        }
        match self.tries.values().next() {
            Some((_, why)) => format!("{broker} does not take the messages ({why})"),
            None => format!("{broker} does not confirm ({})", cause("no answer")),
        }
    }

    pub(super) fn tell(&mut self) {
        let moving = self.progress_at.elapsed() < SILENT;
        let open = self.open();
        let in_flight = self.flights.len() as u64;
        let trouble = (!moving && (open > 0 || self.places.is_none())).then(|| self.trouble());
        self.observer.state(&State {
            accepted: self.accepted,
            stored: self.own.stored + self.earlier.stored,
            in_flight,
            waiting: open.saturating_sub(in_flight),
            trouble,
        });
    }

    pub(super) fn end(mut self) -> Report {
        let uncut = self.had_input && !self.cut_short && !self.refusing && self.stopping.is_none();
        let whole = uncut && self.own.rejected == 0;
        self.stop_input();
        if !self.abandoned {
            // What else happens now comes too late: what was read meanwhile is not accepted any more.
            let refusing = std::mem::replace(&mut self.refusing, true);
            self.recall(self.stopping.is_none());
            self.refusing = refusing;
        }
        // Whatever was to be handed over once more and was not is certainly not sent, as before.
        self.unsaved.extend(self.marked.drain());
        self.commit_settled(true);
        self.leave_word();
        // What the client never reported may be anywhere.
        for id in self.flights.take_all() {
            self.doubtful.insert(id);
        }
        self.count_the_rest();
        let spool_is_there = self.spool.is_there();
        let waits = [&self.own, &self.earlier].iter().any(|t| t.in_doubt + t.spooled > 0);
        if waits && !spool_is_there {
            let problem = Problem::unknown("the spool was removed while it was in use");
            let cause = "what waited in it is gone, unless the broker has it";
            self.troubles.push(
                problem
                    .because(cause)
                    .next("look with `mqsafe verify` what arrived, and send the rest again"),
            );
        }
        let kept = self.spool.is_durable() && spool_is_there;
        let refused = self.own.refused + self.own.rejected + self.earlier.refused > 0;
        let outcomes = [
            self.stopping
                .map_or(Outcome::Good, |(signal, _)| Outcome::Interrupted(signal)),
            if refused { Outcome::Negative } else { Outcome::Good },
            match (waits, kept) {
                (true, true) => Outcome::Spooled,
                (true, false) => Outcome::Unknown,
                (false, _) => Outcome::Good,
            },
            // Without a spool the input that nobody accepted is simply not sent.
            if self.why.is_some() && !self.spool.is_durable() {
                Outcome::Unknown
            } else {
                Outcome::Good
            },
            Outcome::combine(self.troubles.iter().map(|t| self.weigh(t.outcome, waits))),
        ];
        Report {
            own: self.own,
            earlier: self.earlier,
            held: self.held,
            // What is wrong with what earlier runs have left is not wrong with this input.
            whole: whole && spool_is_there,
            released: 0,
            lines: self.lines,
            read_to: self.read_to,
            latency: self.times.latency(),
            why: self.why,
            troubles: self.troubles,
            note: self.endpoint.note(),
            spool_is_there,
            outcome: Outcome::combine(outcomes),
        }
    }

    /// Tells later runs what was never handed over and which lanes are gone. Without that they assume the worse.
    fn leave_word(&mut self) {
        if !self.spool.is_durable() {
            return;
        }
        let from = self.handed_to.max(self.untried_from);
        let known = self.spool.untried_from(&self.target);
        let news = from < self.spool.next_id() && known.is_ok_and(|known| known != Some(from));
        let change = Change {
            untried_from: Some(from),
            now_ms: now_ms(),
            ..Change::default()
        };
        let left = match news {
            true => self.spool.commit(&self.target, &change).map(drop),
            false => Ok(()),
        };
        if let Err(e) = left.and_then(|()| self.remember_gone()) {
            self.store_failed(e);
        }
        self.tell_homeless();
        let Some(places) = self.places.as_ref().filter(|_| !self.gone.is_empty()) else {
            return;
        };
        let (topic, count) = (self.target.words(), self.gone.values().sum::<u64>());
        let lanes = self
            .gone
            .iter()
            .map(|(no, count)| format!("{} ({count})", self.target.lane(*no)));
        let lanes: Vec<String> = lanes.take(LANES_NAMED).collect();
        let more = if self.gone.len() > LANES_NAMED { ", …" } else { "" };
        let problem = Problem::unknown(format!("{count} messages wait for lanes that {topic} does not have"))
            .because(format!("it has {}; they wait for {}{more}", places.count(), lanes.join(", ")))
            .next(
                "if it was made again with fewer, `mqsafe spool retry --relane` gives them a new lane and number; if a broker is                  down, they go out when it is back",
            );
        self.troubles.push(problem.with_outcome(Outcome::Spooled));
    }

    fn tell_homeless(&mut self) {
        let (Some(places), Some(wish)) = (&self.places, self.homeless.values().next()) else {
            return;
        };
        let (topic, count) = (self.target.words(), self.homeless.len());
        let wish = in_words(*wish);
        let problem = Problem::unknown(format!(
            "{count} messages of {topic} wait for a lane that was asked for and is not there, the first for {wish}"
        ))
        .because(format!("it has {}", places.words()))
        .next(
            "they go out when it is there; to send them elsewhere, `mqsafe spool export` them, send that, and `mqsafe spool drop` them",
        );
        self.troubles.push(problem.with_outcome(Outcome::Spooled));
    }

    /// What a trouble comes to for the whole run. "Safe in the spool" is said only of what is in the spool: input that was cut
    /// short before anything of it was accepted is a usage error or unknown, whatever earlier runs have left there.
    fn weigh(&self, trouble: Outcome, waits: bool) -> Outcome {
        let accepted = self.accepted + self.held;
        match trouble {
            Outcome::Usage if !self.had_input => Outcome::Good,
            // The broker's refusal came after something was kept, which is as safe as if the broker were down.
            Outcome::Usage if waits && accepted > 0 && self.spool.is_durable() => Outcome::Spooled,
            Outcome::Usage if accepted > 0 => Outcome::Unknown,
            Outcome::Spooled if !waits => Outcome::Unknown,
            Outcome::Spooled if self.cut_short && accepted == 0 => Outcome::Unknown,
            other => other,
        }
    }

    /// Counts what has no verdict, and tells those of this run one by one.
    pub(super) fn count_the_rest(&mut self) {
        let mut from = 0;
        let now = now_ms();
        loop {
            let waiting = match self.spool.pending(&self.target, from, REFILL_MESSAGES, REFILL_BYTES) {
                Ok(waiting) => waiting,
                Err(e) => {
                    let problem = Problem::unknown("the spool cannot be read to the end").because(e);
                    self.troubles.push(problem.with_outcome(Outcome::Spooled));
                    break;
                }
            };
            let Some(last) = waiting.last() else { break };
            from = last.id + 1;
            for message in waiting.iter().filter(|m| !self.unwritten.contains(&m.id)) {
                let fate = self.fate_of(message);
                if message.id < self.first_own {
                    self.earlier.count(fate, 1);
                    continue;
                }
                self.own.count(fate, 1);
                let lane = message.partition.map(|p| name_of(&mut self.names, &self.target, p));
                let homeless = self.homeless.get(&message.id);
                let homeless = homeless.map(|wish| format!("{} is not there", in_words(*wish)));
                let (attempts, reason) = self
                    .tries
                    .get(&message.id)
                    .map_or((0, None), |(n, why)| (*n, Some(why.as_str())));
                self.observer.receipt(&Receipt {
                    line: message.line,
                    id: lane
                        .as_deref()
                        .map(|lane| (message.producer.as_str(), lane, message.seq)),
                    fate,
                    partition: message.partition,
                    offset: None,
                    attempts,
                    latency_ms: u64::try_from(now - message.accepted_ms).unwrap_or(0),
                    reason: reason.or(homeless.as_deref()).or(self.why.as_deref()),
                });
            }
        }
        // What was accepted and cannot be found again now is not gone: nothing is known about it.
        self.own
            .count(Fate::InDoubt, self.accepted.saturating_sub(self.own.accepted()));
        self.earlier
            .count(Fate::InDoubt, self.left.saturating_sub(self.earlier.accepted()));
    }

    /// A message without a verdict is spooled only when it was certainly not sent. One that an earlier run gave a lane may have
    /// been sent by it, unless that run wrote down otherwise.
    fn fate_of(&self, message: &Pending) -> Fate {
        let perhaps_sent = self.perhaps_sent(message.id, message.partition.is_some());
        if perhaps_sent || self.doubtful.contains(&message.id) {
            Fate::InDoubt
        } else {
            Fate::Spooled
        }
    }
}
