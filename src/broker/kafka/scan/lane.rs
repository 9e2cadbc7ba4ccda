//! One connection that fetches partitions of one broker: the next request is on its way before the last answer is looked at,
//! and where processors are idle its answer is received meanwhile.

use super::super::batch::{Frames, Space};
use super::super::config;
use super::super::wire::fetch::{Answer, Fetcher, Part, Want};
use super::super::wire::{Connection, Limits, Settings, ask, is_denied, is_moved, words};
use super::hand::{self, Shared};
use super::job::Job;
use super::run::SILENCE;
use crate::model::Unreached;
use kafka_protocol::error::ResponseError as Code;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Partitions of one request; the others wait until one of these is done.
const PARTITIONS_AT_ONCE: usize = 32;
/// How long a broker's wish to be left alone is honoured without looking whether to stop.
const SLICE: Duration = Duration::from_millis(100);
/// Below this an answer is looked at in less time than a thread takes to begin.
const BESIDE_BYTES: usize = 256 << 10;

/// What a lane tells.
pub(super) enum Event {
    /// A partition is over: read to its end, or it says why not.
    Done(Job),
    /// Another broker must go on, or this one later, and why.
    Back(Job, String),
    /// A piece that holds as much as it may, and waits for those before it.
    Full(Job),
    /// Where the topic lies now.
    Cluster(Result<super::super::wire::ask::Cluster, Unreached>),
}

/// One connection and what it reads.
pub(super) struct Lane<'a> {
    pub(super) host: String,
    pub(super) topic: &'a str,
    pub(super) topic_id: Uuid,
    pub(super) settings: &'a Settings,
    pub(super) limits: Limits,
    pub(super) shared: &'a Shared<'a>,
    pub(super) most_bytes: usize,
    /// Whether an answer is received while the one before it is looked at: a broker that must wait for room in its socket, of
    /// which Kafka gives it little (`socket.send.buffer.bytes`), stands idle. It costs a second buffer.
    pub(super) receives_beside: bool,
}

impl Lane<'_> {
    /// Reads what comes until nobody sends more.
    pub(super) fn run(self, connection: Option<Connection>, inbox: &Receiver<Job>, events: &Sender<Event>) {
        let mut connection = connection;
        let mut reading = Reading {
            lane: &self,
            jobs: Vec::new(),
            space: Space::new(config::BATCH_CEILING_BYTES),
            buffers: Default::default(),
            events,
        };
        while let Ok(job) = inbox.recv() {
            reading.jobs.push(job);
            let opened = match connection.take() {
                Some(open) => Ok(open),
                None => Connection::open(&self.host, self.settings, &self.limits),
            };
            let mut open = match opened {
                Ok(open) => open,
                Err(why) => {
                    reading.jobs.extend(inbox.try_iter());
                    reading.give_back(&why.why);
                    continue;
                }
            };
            open.set_limits(self.limits.clone());
            match reading.read(&mut open, inbox) {
                Ok(()) => connection = Some(open),
                Err(why) => reading.give_back(&why.why),
            }
        }
    }
}

struct Reading<'l, 'a> {
    lane: &'l Lane<'a>,
    jobs: Vec<Job>,
    space: Space,
    /// What an answer is read into, and another one for the next.
    buffers: [Vec<u8>; 2],
    events: &'l Sender<Event>,
}

/// What an answer brought of a partition, and the window that it was asked for.
struct Brought<'b> {
    window: (i64, i64),
    part: Part<'b>,
}

impl Reading<'_, '_> {
    fn give_back(&mut self, why: &str) {
        for job in self.jobs.drain(..) {
            // Whoever waits for it counts what comes back.
            let _ = self.events.send(Event::Back(job, why.to_owned()));
        }
    }

    /// Fetches until every partition is done or given back.
    fn read(&mut self, connection: &mut Connection, inbox: &Receiver<Job>) -> Result<(), Unreached> {
        let lane = self.lane;
        let fetcher = Fetcher::new(connection, lane.topic, lane.topic_id, lane.shared.committed)?;
        self.check_epochs(connection)?;
        self.settle();
        let [mut buffer, mut spare] = std::mem::take(&mut self.buffers);
        let mut came = match self.ask(connection, &fetcher)? {
            Some(number) => Some((number, connection.receive(&mut buffer, config::FETCH_CEILING_BYTES)?)),
            None => None,
        };
        while let Some((number, length)) = came {
            let bytes = buffer.get(..length).unwrap_or_default();
            let strange = || Unreached::new(format!("{} answered something strange to a fetch", lane.host));
            let answer = fetcher.read(bytes, number).ok_or_else(strange)?;
            if answer.error != 0 {
                return Err(Unreached::new(format!("{}: {}", lane.host, words(answer.error))));
            }
            self.rest(answer.throttle_ms);
            let brought = self.plan(answer);
            let fresh: Vec<Job> = inbox.try_iter().collect();
            if !fresh.is_empty() {
                self.jobs.extend(fresh);
                self.check_epochs(connection)?;
            }
            // On its way before this answer is looked at.
            let next = self.ask(connection, &fetcher);
            let is_beside = lane.receives_beside && length >= BESIDE_BYTES && matches!(next, Ok(Some(_)));
            let received = std::thread::scope(|scope| {
                let beside =
                    is_beside.then(|| scope.spawn(|| connection.receive(&mut spare, config::FETCH_CEILING_BYTES)));
                self.take(brought);
                self.settle();
                beside.map(|thread| {
                    let died = |_| Err(Unreached::new("receiving ended without an answer"));
                    thread.join().unwrap_or_else(died)
                })
            });
            if lane.limits.is_stopped() {
                return Err(Unreached::new("stopped"));
            }
            let mut asked = next?;
            if asked.is_none() && !self.jobs.is_empty() {
                asked = self.ask(connection, &fetcher)?;
            }
            came = match (asked, received) {
                (None, _) => None,
                (Some(number), Some(length)) => {
                    std::mem::swap(&mut buffer, &mut spare);
                    Some((number, length?))
                }
                (Some(number), None) => Some((number, connection.receive(&mut buffer, config::FETCH_CEILING_BYTES)?)),
            };
        }
        self.buffers = [buffer, spare];
        Ok(())
    }

    fn ask(&mut self, connection: &mut Connection, fetcher: &Fetcher) -> Result<Option<i32>, Unreached> {
        let most = self.lane.most_bytes;
        let want = |job: &Job| Want {
            partition: job.read.partition,
            epoch: job.epoch,
            offset: job.ask,
            most_bytes: i32::try_from(most.max(job.least_bytes)).unwrap_or(i32::MAX),
        };
        let wants: Vec<Want> = self
            .jobs
            .iter()
            .filter(|job| !job.is_fetched())
            .take(PARTITIONS_AT_ONCE)
            .map(want)
            .collect();
        let Some(first) = wants.first() else { return Ok(None) };
        let most = i32::try_from(most).unwrap_or(i32::MAX).max(first.most_bytes);
        fetcher.send(connection, &wants, most).map(Some)
    }

    /// Leaves the broker alone for as long as it asks.
    fn rest(&self, ms: i32) {
        let until = Instant::now() + Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            if self.lane.limits.is_stopped() {
                return;
            }
            std::thread::sleep(left.min(SLICE));
        }
    }

    /// How far the answer brings each partition, so that the next request can go out; what it holds is looked at later.
    fn plan<'b>(&mut self, answer: Answer<'b>) -> Vec<Brought<'b>> {
        let first = answer.parts.first().map(|part| part.partition);
        let is_throttled = answer.throttle_ms > 0;
        let mut all = Vec::with_capacity(answer.parts.len());
        for part in answer.parts {
            let Some(job) = self.jobs.iter_mut().find(|job| job.read.partition == part.partition) else {
                continue;
            };
            // What lies before was handed over already.
            let window = (job.ask.max(job.window.0), job.window.1);
            if part.error != 0 {
                refused(job, &part, self.lane.topic);
                continue;
            }
            let mut frames = Frames::new(part.records);
            let mut next = None;
            for frame in frames.by_ref() {
                match frame.map(|frame| frame.last_offset()) {
                    Ok(Some(last)) => next = Some(last.saturating_add(1)),
                    // It is said when the batch is opened.
                    Ok(None) | Err(_) => {
                        next = None;
                        job.ask = window.1;
                        break;
                    }
                }
            }
            match next {
                Some(next) => job.fetched_to(next),
                None if part.records.is_empty() => {
                    if first == Some(part.partition) && !is_throttled {
                        nothing_came(job, &part, self.lane.shared.committed);
                    }
                }
                None => {
                    let wanted = frames.cut_off_bytes().unwrap_or(0);
                    if wanted > config::FETCH_CEILING_BYTES {
                        job.failed = Some(format!(
                            "the batch at offset {} has {wanted} bytes, which are too many",
                            job.ask
                        ));
                    }
                    job.least_bytes = job.least_bytes.max(wanted).max(self.lane.most_bytes);
                }
            }
            all.push(Brought { window, part });
        }
        all
    }

    fn take(&mut self, brought: Vec<Brought<'_>>) {
        let (shared, space) = (self.lane.shared, &mut self.space);
        for Brought { window, part } in brought {
            let this = |job: &&mut Job| job.read.partition == part.partition;
            let Some(job) = self.jobs.iter_mut().find(this) else {
                continue;
            };
            if hand::part(shared, job, window, &part, space).is_break() {
                return;
            }
        }
    }

    /// Lets go of partitions that are over.
    fn settle(&mut self) {
        let mut at = 0;
        while let Some(job) = self.jobs.get(at) {
            let is_stuck = job.moved.elapsed() >= SILENCE;
            let is_over = job.is_fetched();
            if !is_over && !is_stuck && !job.is_full() {
                at += 1;
                continue;
            }
            let mut job = self.jobs.remove(at);
            let event = match (job.elsewhere.take(), is_over) {
                (Some(why), _) if job.failed.is_none() => Event::Back(job, why),
                (_, true) => Event::Done(job),
                (_, false) if job.is_full() => Event::Full(job),
                (_, false) => Event::Back(job, "the broker brings no more of it".to_owned()),
            };
            let _ = self.events.send(event);
        }
    }

    /// A new leader may have a shorter log than the one before, which its epochs tell (KIP-320).
    fn check_epochs(&mut self, connection: &mut Connection) -> Result<(), Unreached> {
        for job in &mut self.jobs {
            if job.batch_epoch < 0 || job.epoch <= job.batch_epoch {
                continue;
            }
            let (partition, epoch) = (job.read.partition, job.batch_epoch);
            let end = ask::end_of_epoch(connection, self.lane.topic, partition, job.epoch, epoch)?;
            if let Some((found, end)) = end.filter(|(found, end)| *found < epoch || *end < job.read.read_to) {
                job.failed = Some(format!(
                    "the log was cut from offset {} to {end} while it was read (epoch {epoch} to {found})",
                    job.read.read_to
                ));
            }
            // Asked once for each change of the leader.
            job.batch_epoch = job.epoch;
        }
        Ok(())
    }
}

/// The broker does not give messages of this partition.
fn refused(job: &mut Job, part: &Part<'_>, topic: &str) {
    let why = words(part.error);
    if part.error == Code::OffsetOutOfRange.code() {
        let at = job.ask;
        if part.log_start > at {
            // Retention or a deletion was faster.
            let end = part.log_start.min(job.end);
            job.gone = Some(job.gone.map_or((at, end), |(from, to)| (from.min(at), to.max(end))));
            job.fetched_to(end);
        } else if part.log_start < 0 {
            job.failed = Some(format!(
                "offset {at} went away while it was read (retention or deletion)"
            ));
        } else {
            job.failed = Some(format!("the log was cut to before offset {at} while it was read"));
        }
    } else if is_denied(part.error) {
        job.failed = Some(format!("topic {topic}: {why}"));
    } else if is_moved(part.error) {
        job.elsewhere = Some(why);
    } else {
        job.failed = Some(format!("topic {topic}: the broker does not give its messages: {why}"));
    }
}

/// The broker had room for messages and brought none: there are none below the end, unless a new leader does not yet know its end.
fn nothing_came(job: &mut Job, part: &Part<'_>, committed: bool) {
    let end = if committed && part.stable_end >= 0 {
        part.stable_end
    } else {
        part.high_watermark
    };
    if end >= job.window.1 {
        let end = job.window.1;
        job.fetched_to(end);
    }
}
