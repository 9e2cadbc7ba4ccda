//! Reading a topic: every queue of every broker, bounded by the offsets taken at the start.

mod index;

use super::client::{Client, Routed, together};
use super::inflate;
use super::message::Stored;
use super::pull::{self, Event, Range, Source, messages};
use super::route::Route;
use super::settings::{Settings, checked_topic};
use crate::connect::Connection;
use crate::model::{PartitionRead, Problem, Record, Result, Scan, ScanPlan, ScanReport, Unreached, Visit};
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// How long the first answer of a cluster may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How often the visitor is told how far it is, and heard.
const PROGRESS: Duration = Duration::from_millis(100);
/// Answers that wait to be looked at.
const ANSWERS: usize = 16;

/// Reads one topic. It takes part in no group and commits nothing.
pub struct RocketScan {
    settings: Settings,
    topic: String,
}

impl RocketScan {
    /// A scan; nothing is connected yet.
    ///
    /// # Errors
    /// A usage problem that names the property or the topic which cannot be used.
    pub fn new(connection: &Connection, topic: &str) -> Result<RocketScan> {
        Ok(RocketScan {
            settings: Settings::new(connection)?,
            topic: checked_topic(topic)?,
        })
    }
}

/// Connections live on the runtime of one scan.
struct Reader {
    client: Arc<Client>,
}

impl Reader {
    /// Waits for the route, and hears whoever asks to stop.
    async fn route(&self, visit: &mut dyn Visit) -> Result<Arc<Route>> {
        let (topic, broker) = (&self.client.topic, &self.client.settings.broker);
        let start = Instant::now();
        let mut asking = Box::pin(self.client.ask_route());
        let answer = loop {
            let answer = tokio::time::timeout(PROGRESS, &mut asking).await;
            let may_go_on = start.elapsed() < CONNECT;
            match answer {
                Ok(Err(why)) if !why.is_refusal() && may_go_on => {
                    asking = Box::pin(self.client.ask_route());
                    tokio::time::sleep(PROGRESS).await;
                }
                Ok(answer) => break answer,
                Err(_) if may_go_on => {}
                Err(_) => {
                    let why = self.client.last_error().unwrap_or_else(|| "no answer".to_owned());
                    break Err(Unreached::new(why));
                }
            }
            if visit.progress(0, 0).is_break() {
                return Err(Problem::unknown(format!("stopped before {broker} answered")));
            }
        };
        match answer {
            Ok(Routed::Known(route)) => Ok(route),
            Ok(Routed::NoSuchTopic) => Err(Problem::absent(format!("topic {topic} does not exist on {broker}"))
                .next("check its spelling; an absent topic is not an empty one")),
            Err(why) => Err(Problem::unknown(format!("cannot reach {broker}"))
                .because(why)
                .next("check the address and that a name server runs there")),
        }
    }

    /// Whether a broker believes who is asking. When each says no, that is the answer, and not what became of single queues.
    async fn believed(&self, route: &Route) -> Result<()> {
        let mut refusals = Vec::new();
        for (name, broker) in &route.brokers {
            let Some(address) = broker.master.iter().chain(&broker.slaves).next() else {
                continue;
            };
            match self.client.greet(name, address).await {
                Err(why) if why.is_refusal() => refusals.push(why),
                Ok(_) | Err(_) => return Ok(()),
            }
        }
        let broker = &self.client.settings.broker;
        match refusals.is_empty() {
            true => Ok(()),
            false => Err(Problem::unknown(format!("{broker} refuses the connection"))
                .because(together(refusals))
                .next("check access.key and secret.key; `mqsafe context test` tries step by step")),
        }
    }

    async fn run(&self, plan: &ScanPlan, visit: &mut dyn Visit) -> Result<ScanReport> {
        let route = self.route(visit).await?;
        let mut run = Run {
            client: Arc::clone(&self.client),
            queues: queues(&route, plan, &self.client.topic)?,
            plan,
            early: HashSet::new(),
            assumption: None,
            is_partly_read: false,
            stopped: false,
        };
        run.take_offsets(visit).await;
        if !run.stopped && run.queues.iter().all(|queue| queue.range.is_none()) {
            self.believed(&route).await?;
        }
        let jobs = run.ask_index(&route, visit).await;
        run.read(jobs, visit).await;
        Ok(ScanReport {
            partitions: run.queues.into_iter().map(|queue| queue.read).collect(),
            compacted: Some(false),
            stopped: run.stopped,
            unread: None,
            assumption: run.assumption,
            leaves: holds_only_some(&self.client.topic).map(str::to_owned),
        })
    }
}

impl Scan for RocketScan {
    fn scan(&mut self, plan: &ScanPlan, visit: &mut dyn Visit) -> Result<ScanReport> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Problem::unknown("cannot start the connection to RocketMQ").because(e))?;
        let reader = Reader {
            client: Arc::new(Client::new(self.settings.clone(), self.topic.clone())),
        };
        let report = runtime.block_on(reader.run(plan, visit));
        // A name that is looked up for ever must not hold the end back.
        runtime.shutdown_background();
        report
    }

    fn is_compacted(&mut self, _patience: Duration) -> Option<bool> {
        Some(false)
    }
}

/// Why a topic that the broker fills by itself has only some of the messages of a sender, so that what is not in it is not missing.
fn holds_only_some(topic: &str) -> Option<&'static str> {
    match topic {
        "RMQ_SYS_TRANS_HALF_TOPIC" => {
            Some("the topic holds what was prepared in transactions, and nothing else of its senders")
        }
        "SCHEDULE_TOPIC_XXXX" | "rmq_sys_wheel_timer" => {
            Some("the topic holds what waits, or waited, for its time, and nothing else of its senders")
        }
        _ if topic.starts_with("%RETRY%") => {
            Some("a retry topic holds what consumers gave back, and nothing else of its senders")
        }
        _ if topic.starts_with("%DLQ%") => {
            Some("a dead-letter topic holds what consumers gave up, and nothing else of its senders")
        }
        _ => None,
    }
}

/// One queue on its way.
struct Queue {
    source: Source,
    read: PartitionRead,
    range: Option<Range>,
    /// Offsets that were read, in whatever order.
    done: i64,
    /// Whether what is read of it ends at its end, so that an offset says how much that is.
    is_read_to_its_end: bool,
}

/// A part of a queue that is to be read.
struct Job {
    number: usize,
    range: Range,
}

impl Queue {
    fn fail(&mut self, why: impl Into<String>) {
        self.read.error.get_or_insert(why.into());
    }
}

/// The queues that the plan asks for, in the order of broker names and queue ids.
fn queues(route: &Route, plan: &ScanPlan, topic: &str) -> Result<Vec<Queue>> {
    let mut all = Vec::new();
    for at in &route.queues {
        let broker = route.brokers.get(&at.broker_name);
        let addresses: Vec<String> = broker
            .map(|b| b.master.iter().chain(&b.slaves).cloned().collect())
            .unwrap_or_default();
        let (name, addresses): (Arc<str>, Arc<[String]>) = (at.broker_name.as_str().into(), addresses.into());
        let hidden = at
            .hidden()
            .map(|queue| (queue, Some("it can be written and not be read".to_owned())));
        for (queue, error) in at.readable().map(|queue| (queue, at.unreadable())).chain(hidden) {
            all.push(Queue {
                source: Source {
                    broker: Arc::clone(&name),
                    queue,
                    addresses: Arc::clone(&addresses),
                    has_master: broker.is_some_and(|b| b.master.is_some()),
                },
                read: PartitionRead {
                    partition: queue,
                    node: Some(at.broker_name.clone()),
                    error,
                    ..PartitionRead::default()
                },
                range: None,
                done: 0,
                is_read_to_its_end: true,
            });
        }
    }
    all.sort_by(|a, b| (&a.source.broker, a.source.queue).cmp(&(&b.source.broker, b.source.queue)));
    if all.is_empty() {
        return Err(Problem::unknown(format!("topic {topic} has no queue that can be read"))
            .because("its route names none")
            .next("check the topic with mqadmin topicRoute"));
    }
    let has = |wanted: i32| all.iter().any(|queue| queue.source.queue == wanted);
    if let Some(absent) = plan.partitions.iter().find(|wanted| !has(**wanted)) {
        let last = all.iter().map(|queue| queue.source.queue).max().unwrap_or(0);
        return Err(
            Problem::usage(format!("topic {topic} has no queue {absent}")).next(format!("it has queues 0 to {last}"))
        );
    }
    if !plan.partitions.is_empty() {
        all.retain(|queue| plan.partitions.contains(&queue.source.queue));
    }
    Ok(all)
}

/// One scan on its way.
struct Run<'p> {
    client: Arc<Client>,
    queues: Vec<Queue>,
    plan: &'p ScanPlan,
    /// What was handed over before its turn, by queue number and offset: it is not handed over again.
    early: HashSet<(usize, i64)>,
    /// Under which assumption what is read is all.
    assumption: Option<String>,
    /// Whether only some windows of the queues are read, which may overlap.
    is_partly_read: bool,
    stopped: bool,
}

impl Run<'_> {
    /// Takes between which offsets each queue is read, all at once.
    async fn take_offsets(&mut self, visit: &mut dyn Visit) {
        let mut asking = JoinSet::new();
        for (number, queue) in self.queues.iter().enumerate() {
            if queue.read.error.is_none() {
                let (client, source) = (Arc::clone(&self.client), queue.source.clone());
                let since_ms = self.plan.since_ms;
                asking.spawn(async move {
                    let mut range = pull::range(&client, &source).await;
                    if let (Ok(range), Some(since_ms)) = (&mut range, since_ms)
                        && let Some(from) = pull::offset_at(&client, &source, range, since_ms).await
                    {
                        range.from = from;
                    }
                    (number, range)
                });
            }
        }
        while !asking.is_empty() && !self.stopped {
            match tokio::time::timeout(PROGRESS, asking.join_next()).await {
                Ok(Some(Ok((number, Ok(mut range))))) => {
                    range.until_ms = self.plan.until_ms;
                    let queue = &mut self.queues[number];
                    queue.read.log_start = Some(range.start);
                    (queue.read.from, queue.read.to, queue.read.read_to) = (range.from, range.to, range.from);
                    if let Some(doubt) = range.doubt.clone() {
                        queue.fail(doubt);
                    }
                    queue.range = Some(range);
                }
                Ok(Some(Ok((number, Err(why))))) => {
                    self.queues[number].fail(format!("its offsets cannot be asked: {why}"));
                }
                // A task that panicked leaves its queue without a range, which is an error below.
                Ok(Some(Err(_))) | Ok(None) => {}
                Err(_) => self.stopped = visit.progress(0, 0).is_break(),
            }
        }
        let why = if self.stopped {
            "stopped before it was read"
        } else {
            "its offsets were not learnt"
        };
        for queue in self.queues.iter_mut().filter(|queue| queue.range.is_none()) {
            queue.fail(why);
        }
    }

    /// Everything that the plan asks for.
    fn whole(&self) -> Vec<Job> {
        let job = |(number, queue): (usize, &Queue)| {
            let range = queue.range.clone()?;
            Some(Job { number, range })
        };
        self.queues.iter().enumerate().filter_map(job).collect()
    }

    async fn read(&mut self, jobs: Vec<Job>, visit: &mut dyn Visit) {
        let (sender, mut events) = mpsc::channel(ANSWERS);
        let mut reading = JoinSet::new();
        let (mut total, mut open) = (0, vec![0_usize; self.queues.len()]);
        let mut begun = vec![false; self.queues.len()];
        for Job { number, range } in jobs {
            total += range.to - range.from;
            open[number] += 1;
            begun[number] = true;
            let (client, source) = (Arc::clone(&self.client), self.queues[number].source.clone());
            let newest_first = self.plan.newest_first;
            reading.spawn(pull::read(client, source, range, newest_first, number, sender.clone()));
        }
        drop(sender);
        let mut told = Instant::now();
        while !self.stopped && open.iter().any(|jobs| *jobs > 0) {
            match tokio::time::timeout(PROGRESS, events.recv()).await {
                Ok(Some((number, event))) => self.hear(number, event, &mut open[number], visit),
                // All readers are gone; what is still open did not come to its end.
                Ok(None) => break,
                Err(_) => {}
            }
            if told.elapsed() >= PROGRESS {
                told = Instant::now();
                let done: i64 = self.queues.iter().map(|queue| queue.done).sum();
                self.stopped |= visit.progress(done.unsigned_abs(), total.unsigned_abs()).is_break();
            }
        }
        for ((queue, jobs), begun) in self.queues.iter_mut().zip(open).zip(begun) {
            if jobs > 0 {
                let (at, done) = (queue.read.read_to, queue.done);
                queue.fail(match self.plan.newest_first || self.is_partly_read {
                    true => format!("stopped after {done} offsets"),
                    false => format!("stopped at offset {at}"),
                });
            } else if begun && queue.is_read_to_its_end && queue.read.error.is_none() {
                queue.read.read_to = queue.read.to;
            }
        }
    }

    fn hear(&mut self, number: usize, event: Event, open: &mut usize, visit: &mut dyn Visit) {
        // Backwards nothing is read up to an offset before all of it is.
        let is_in_order = !self.plan.newest_first && !self.is_partly_read;
        let queue = &mut self.queues[number];
        match event {
            Event::Batch(body, from, next) => {
                self.batch(number, &body, from, next, visit);
                let queue = &mut self.queues[number];
                queue.done += next - from;
                if is_in_order {
                    queue.read.read_to = next;
                }
            }
            Event::Gone(from, to) => {
                queue.done += to - from;
                if is_in_order {
                    queue.read.read_to = to;
                }
                queue.fail(format!(
                    "offsets {from} to {to} went away while it was read (retention or deletion)"
                ));
            }
            Event::Late(at) if is_in_order => queue.read.to = at,
            Event::Late(_) => {}
            Event::End(why) => {
                *open -= 1;
                if let Some(why) = why {
                    queue.fail(why);
                }
            }
        }
    }

    fn batch(&mut self, number: usize, body: &[u8], from: i64, next: i64, visit: &mut dyn Visit) {
        let mut wanted = match messages(body) {
            Ok(all) => all,
            Err(why) => {
                return self.queues[number].fail(format!("an answer after offset {from} cannot be read: {why}"));
            }
        };
        if wanted.iter().any(Stored::is_batch) {
            self.queues[number].fail(format!(
                "after offset {from} it holds batches of messages (type BatchCQ), which cannot be read here"
            ));
        }
        let is_new = |m: &Stored<'_>| !self.early.contains(&(number, m.offset));
        wanted.retain(|m| (from..next).contains(&m.offset) && !m.is_batch() && is_new(m));
        if self.is_partly_read {
            self.early.extend(wanted.iter().map(|m| (number, m.offset)));
        }
        self.hand_over(number, &wanted, visit);
    }

    fn hand_over(&mut self, number: usize, stored: &[Stored<'_>], visit: &mut dyn Visit) {
        let queue = &mut self.queues[number];
        let mut values = Vec::with_capacity(stored.len());
        for message in stored {
            values.push(inflate::body(message).unwrap_or_else(|why| {
                // It is handed over as it lies there, and the answer says so.
                queue.fail(format!("offset {}: {why}", message.offset));
                std::borrow::Cow::Borrowed(message.body)
            }));
        }
        // Only who looks for ids is told where each message lies.
        let places: Vec<String> = match self.plan.ids.is_empty() {
            true => Vec::new(),
            false => stored.iter().map(Stored::offset_id).collect(),
        };
        let mut records: Vec<Record<'_>> = stored
            .iter()
            .zip(&values)
            .map(|(message, value)| message.record(&queue.source.broker, value, &self.plan.keys))
            .collect();
        for (record, place) in records.iter_mut().zip(&places) {
            record.properties.push(("OFFSET_ID", place));
        }
        let read = &mut queue.read;
        for record in &records {
            read.records += 1;
            read.bytes += (record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len)) as u64;
            if let Some(t) = record.timestamp_ms {
                read.times_ms = Some(read.times_ms.map_or((t, t), |(a, b)| (a.min(t), b.max(t))));
            }
        }
        if !records.is_empty() {
            self.stopped |= matches!(visit.batch(&records), ControlFlow::Break(()));
        }
    }
}
