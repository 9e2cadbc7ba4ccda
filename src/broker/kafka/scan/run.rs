//! A whole scan: reaches the cluster, takes the offsets, gives each partition to a connection, and again when its leader moves.

use super::super::config::{self, KafkaTarget};
use super::super::endpoint::SETTINGS;
use super::super::wire::ask::Cluster;
use super::super::wire::{Connection, Limits, Settings, is_denied, words};
use super::hand::Shared;
use super::job::Job;
use super::keys::Keys;
use super::lane::{Event, Lane};
use super::pieces;
use super::ranges::{self, Ranges};
use super::reach::{self, Kept, Reached};
use crate::model::{PartitionRead, Problem, Result, ScanPlan, ScanReport, Unreached, Visit};
use kafka_protocol::error::ResponseError as Code;
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::Scope;
use std::time::{Duration, Instant};

/// How long the first answer of a cluster may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long nothing at all may come of a partition before it is given up, with that as the reason.
pub(super) const SILENCE: Duration = Duration::from_secs(30);
/// How often the visitor is told how far it is.
const PROGRESS: Duration = Duration::from_millis(100);
/// Between two questions where a partition lies now.
const REFRESH: Duration = Duration::from_millis(200);
/// How long one broker may take to say where a partition lies now.
const WHERE: Duration = Duration::from_secs(3);
/// Connections to one broker, where it has the topic almost alone; more only take turns.
const MOST_LANES: usize = 4;

/// Reads what the plan says, beginning with what was reached before, if anything was.
pub(super) fn scan(
    target: &KafkaTarget,
    settings: &Settings,
    plan: &ScanPlan,
    visit: &mut dyn Visit,
    known: Option<Reached>,
) -> Result<ScanReport> {
    let stop = Arc::new(AtomicBool::new(false));
    let limits = Limits {
        patience: SILENCE,
        stop: Arc::clone(&stop),
    };
    let broker = &target.broker;
    let hosts = broker.hosts();
    let reached = match known {
        Some(known) => Some(Ok(known)),
        None => attended(visit, &stop, || reach::reach(target, settings, hosts, CONNECT, &limits)),
    };
    let (mut connection, cluster) = match reached {
        Some(Ok(reached)) => reached,
        Some(Err(why)) => return Err(unreached(target, why)),
        None => return Err(Problem::unknown(format!("stopped before {broker} answered"))),
    };
    let wanted = wanted(target, plan, &cluster)?;
    let (mut ranges, kept) = std::thread::scope(|scope| {
        let kept = scope.spawn(|| {
            connection.set_limits(Limits {
                patience: SETTINGS,
                stop: Arc::clone(&stop),
            });
            reach::kept(&mut connection, &target.topic)
        });
        let ranges = attended(visit, &stop, || {
            ranges::ask(target, settings, plan, &wanted, cluster, &limits)
        });
        (ranges, kept.join().unwrap_or_default())
    });
    let Some(mut ranges) = ranges.take() else {
        return Err(Problem::unknown(format!("stopped before {broker} answered")));
    };
    let assumption = assumption(&ranges, kept);
    ranges.jobs.iter().for_each(|job| visit.begins(&job.read));
    let shared = Shared {
        visit: Mutex::new(visit),
        stop,
        done: AtomicU64::new(0),
        turn: AtomicUsize::new(0),
        keys: Keys::new(&plan.keys),
        committed: !plan.read_uncommitted,
        since_ms: plan.since_ms,
        batch_headers: plan.batch_headers || plan.headers_only,
        headers_only: plan.headers_only,
    };
    let mut done = std::mem::take(&mut ranges.done);
    done.extend(Run::new(target, settings, &limits, &shared, ranges).read(plan));
    done.sort_by_key(|read| wanted.iter().position(|p| *p == read.partition));
    Ok(ScanReport {
        partitions: done,
        compacted: kept.compacted,
        stopped: shared.stop.load(Ordering::Relaxed),
        unread: None,
        assumption,
        leaves: None,
    })
}

/// Does some work while the visitor is asked whether to go on; `None` when it said no.
fn attended<T: Send>(visit: &mut dyn Visit, stop: &AtomicBool, work: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        scope.spawn(move || {
            // Whoever waited may have been told to stop.
            let _ = sender.send(work());
        });
        loop {
            match receiver.recv_timeout(PROGRESS) {
                Ok(done) => return Some(done),
                Err(RecvTimeoutError::Timeout) => {
                    if visit.progress(0, 0).is_break() {
                        stop.store(true, Ordering::Relaxed);
                        return None;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    })
}

fn unreached(target: &KafkaTarget, why: Unreached) -> Problem {
    let next = if why.is_refusal() {
        "try it step by step: `mqsafe context test` with the same options"
    } else {
        "check the address and that a broker runs there"
    };
    let why = Unreached {
        why: target.properties.without_secrets(&why.why),
        ..why
    };
    Problem::unknown(format!("cannot reach {}", target.broker))
        .because(why)
        .next(next)
}

/// The partitions to read, in the order of the answer.
fn wanted(target: &KafkaTarget, plan: &ScanPlan, cluster: &Cluster) -> Result<Vec<i32>> {
    let (topic, broker) = (&target.topic, &target.broker);
    if cluster.error == Code::UnknownTopicOrPartition.code() || cluster.error == Code::InvalidTopicException.code() {
        return Err(Problem::absent(format!("topic {topic} does not exist on {broker}"))
            .next("check its spelling; an absent topic is not an empty one"));
    }
    if cluster.error != 0 || cluster.partitions.is_empty() {
        let next = match is_denied(cluster.error) {
            true => "ask for READ and DESCRIBE on the topic",
            false => "look at the brokers' logs",
        };
        return Err(Problem::unknown(format!("topic {topic} on {broker} may not be read"))
            .because(words(cluster.error))
            .next(next));
    }
    let all: Vec<i32> = cluster.partitions.keys().copied().collect();
    let asked = plan.partitions.iter().chain(&plan.first);
    if let Some(p) = asked.copied().find(|p| !cluster.partitions.contains_key(p)) {
        let last = all.last().copied().unwrap_or(0);
        return Err(Problem::usage(format!("topic {topic} has no partition {p}"))
            .next(format!("it has partitions 0 to {last}")));
    }
    Ok(if plan.partitions.is_empty() {
        all
    } else {
        plan.partitions.clone()
    })
}

/// What must hold for all messages before `--until` to lie in what is read.
fn assumption(ranges: &Ranges, kept: Kept) -> Option<String> {
    (ranges.cut_by_time && kept.append_time != Some(true)).then(|| {
        let hours = ranges::MARGIN.as_secs() / 3600;
        format!("no message was written more than {hours} h after its own time")
    })
}

/// One scan on its way.
struct Run<'a> {
    target: &'a KafkaTarget,
    settings: &'a Settings,
    limits: &'a Limits,
    shared: &'a Shared<'a>,
    cluster: Cluster,
    connections: HashMap<String, Connection>,
    jobs: Vec<Job>,
    most_bytes: usize,
    lanes_each: usize,
    receives_beside: bool,
}

impl<'a> Run<'a> {
    fn new(
        target: &'a KafkaTarget,
        settings: &'a Settings,
        limits: &'a Limits,
        shared: &'a Shared<'a>,
        ranges: Ranges,
    ) -> Run<'a> {
        let leaders = ranges.connections.len().max(1);
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let lanes_each = processors.div_ceil(leaders).clamp(1, MOST_LANES);
        let each = config::FETCH_BYTES / (leaders * lanes_each);
        let most_bytes = each.clamp(config::LEAST_FETCH_BYTES, config::MOST_FETCH_BYTES);
        Run {
            target,
            settings,
            limits,
            shared,
            cluster: ranges.cluster,
            connections: ranges.connections,
            receives_beside: ranges.jobs.len() < processors,
            jobs: ranges.jobs,
            most_bytes: settings
                .fetch_bytes
                .map_or(most_bytes, |asked| asked.clamp(1, most_bytes)),
            lanes_each,
        }
    }

    fn read(mut self, plan: &ScanPlan) -> Vec<PartitionRead> {
        let is_split = self.split(plan);
        let length = |job: &Job| (job.end - job.read.from).max(0).unsigned_abs();
        let total = self.jobs.iter().map(length).sum();
        let (first, later): (Vec<Job>, Vec<Job>) = std::mem::take(&mut self.jobs)
            .into_iter()
            .partition(|job| plan.first.contains(&job.read.partition));
        let mut phases = vec![later, first];
        std::thread::scope(|scope| {
            let (sender, events) = mpsc::channel();
            let mut giver = Giver {
                run: &mut self,
                scope,
                lanes: HashMap::new(),
                turn: 0,
                order: Order::default(),
                events: sender,
            };
            let mut done = Vec::new();
            while let Some(jobs) = phases.pop() {
                let mut left = jobs.len();
                jobs.into_iter().for_each(|job| giver.give(job));
                done.extend(giver.attend(&events, &mut left, total));
            }
            drop(giver);
            // What was on its way when somebody asked to stop.
            done.extend(events.into_iter().filter_map(|event| match event {
                Event::Done(job) => Some(ended(job)),
                Event::Back(job, _) | Event::Full(job) => Some(stopped(job)),
                Event::Cluster(_) => None,
            }));
            if is_split {
                done.sort_by_key(|read| read.from);
                done = pieces::joined(done).into_iter().collect();
            }
            done
        })
    }

    /// One partition alone is read by as many connections as there are processors, where what is found is little: a search by keys.
    fn split(&mut self, plan: &ScanPlan) -> bool {
        let is_search = !plan.keys.is_empty() && !plan.newest_first && !plan.batch_headers && !plan.headers_only;
        if !is_search || self.jobs.len() != 1 {
            return false;
        }
        let most = self.lanes_each;
        self.jobs = self.jobs.drain(..).flat_map(|job| pieces::split(job, most)).collect();
        // Every processor has a connection to look after.
        self.receives_beside &= self.jobs.len() == 1;
        self.jobs.len() > 1
    }
}

/// The pieces of a partition, as they are over one after the other.
#[derive(Default)]
struct Order {
    /// The piece whose turn it is.
    next: usize,
    /// Pieces that are over before their turn, with what there is to say.
    over: BTreeMap<usize, (Job, Option<String>)>,
    /// Pieces that wait for their turn before they go on.
    full: BTreeMap<usize, Job>,
}

fn ended(job: Job) -> PartitionRead {
    let is_whole = job.failed.is_none() && job.is_fetched();
    match is_whole {
        true => job.finish(None),
        false => stopped_unless_failed(job),
    }
}

fn stopped_unless_failed(job: Job) -> PartitionRead {
    match job.failed.is_some() {
        true => job.finish(None),
        false => stopped(job),
    }
}

fn stopped(job: Job) -> PartitionRead {
    let why = format!("stopped at offset {}", job.read.read_to);
    job.finish(Some(why))
}

/// Gives partitions to connections.
struct Giver<'s, 'e: 's, 'a: 'e, 'r> {
    run: &'r mut Run<'a>,
    scope: &'s Scope<'s, 'e>,
    lanes: HashMap<String, Vec<Sender<Job>>>,
    turn: usize,
    order: Order,
    events: Sender<Event>,
}

impl<'s, 'e: 's, 'a: 'e> Giver<'s, 'e, 'a, '_> {
    /// Gives a partition to a connection with its leader, or asks for it again.
    fn give(&mut self, mut job: Job) {
        let place = self.run.cluster.partitions.get(&job.read.partition).copied();
        let host = place.and_then(|place| self.run.cluster.brokers.get(&place.leader));
        let (Some(place), Some(host)) = (place, host.cloned()) else {
            let _ = self.events.send(Event::Back(job, "there is no leader".to_owned()));
            return;
        };
        job.epoch = place.epoch;
        if !self.lanes.contains_key(&host) {
            let lanes = (0..self.run.lanes_each).map(|_| self.lane(&host)).collect();
            self.lanes.insert(host.clone(), lanes);
        }
        self.turn += 1;
        // Two pieces of a partition cannot be in one request.
        let turn = job.piece.as_ref().map_or(self.turn, |piece| piece.index);
        let lanes = self.lanes.get(&host).map_or(&[][..], Vec::as_slice);
        let lane = lanes.get(turn % lanes.len().max(1));
        let back = match lane {
            Some(lane) => lane.send(job).err().map(|back| back.0),
            None => Some(job),
        };
        if let Some(job) = back {
            let _ = self.events.send(Event::Back(job, "its connection ended".to_owned()));
        }
    }

    fn lane(&mut self, host: &str) -> Sender<Job> {
        let (sender, inbox): (Sender<Job>, Receiver<Job>) = mpsc::channel();
        let connection = self.run.connections.remove(host);
        let events = self.events.clone();
        let lane = Lane {
            host: host.to_owned(),
            topic: &self.run.target.topic,
            topic_id: self.run.cluster.topic_id,
            settings: self.run.settings,
            limits: self.run.limits.clone(),
            shared: self.run.shared,
            most_bytes: self.run.most_bytes,
            receives_beside: self.run.receives_beside,
        };
        self.scope.spawn(move || lane.run(connection, &inbox, &events));
        sender
    }

    /// Waits until every partition is over, or the visitor wants no more.
    fn attend(&mut self, events: &Receiver<Event>, left: &mut usize, total: u64) -> Vec<PartitionRead> {
        let (mut done, mut waiting) = (Vec::new(), Vec::<(Job, String)>::new());
        let (mut told, mut asked, mut is_asking) = (Instant::now(), Instant::now(), false);
        while *left > 0 && !self.run.limits.is_stopped() {
            match events.recv_timeout(PROGRESS) {
                Ok(Event::Done(job)) => self.over(job, None, left, &mut done),
                Ok(Event::Full(job)) => self.full(job),
                Ok(Event::Back(job, why)) => {
                    tracing::debug!("partition {}: {why}", job.read.partition);
                    waiting.push((job, why));
                }
                Ok(Event::Cluster(Ok(cluster))) => {
                    is_asking = false;
                    self.run.cluster = cluster;
                    waiting.drain(..).for_each(|(job, _)| self.give(job));
                }
                Ok(Event::Cluster(Err(why))) => {
                    is_asking = false;
                    tracing::debug!("where the partitions lie is not known: {}", why.why);
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            let silent = waiting.extract_if(.., |(job, _)| job.moved.elapsed() >= SILENCE);
            for (job, why) in silent.collect::<Vec<_>>() {
                let why = self.run.target.properties.without_secrets(&why);
                let why = format!("no answer for {} s ({why})", SILENCE.as_secs());
                self.over(job, Some(why), left, &mut done);
            }
            if !waiting.is_empty() && !is_asking && asked.elapsed() >= REFRESH {
                (is_asking, asked) = (true, Instant::now());
                self.look_again();
            }
            if told.elapsed() >= PROGRESS {
                told = Instant::now();
                let so_far = self.run.shared.done.load(Ordering::Relaxed).min(total);
                // The answer is heard by everybody.
                let _: ControlFlow<()> = self.run.shared.tell(|visit| visit.progress(so_far, total));
            }
        }
        done.extend(waiting.into_iter().map(|(job, _)| stopped(job)));
        let order = std::mem::take(&mut self.order);
        done.extend(order.over.into_values().map(|(job, why)| job.finish(why)));
        done.extend(order.full.into_values().map(stopped));
        done
    }

    /// A partition, or a piece of it, is over. The pieces behind it that are over too hand over what they hold, in their order.
    fn over(&mut self, job: Job, why: Option<String>, left: &mut usize, done: &mut Vec<PartitionRead>) {
        *left -= 1;
        let Some(index) = job.piece.as_ref().map(|piece| piece.index) else {
            done.push(job.finish(why));
            return;
        };
        self.order.over.insert(index, (job, why));
        while let Some((mut job, why)) = self.order.over.remove(&self.order.next) {
            // What nobody wants any more is not counted as read.
            let _: ControlFlow<()> = self.release(&mut job);
            done.push(job.finish(why));
            self.order.next += 1;
            self.run.shared.turn.store(self.order.next, Ordering::Release);
            if let Some(job) = self.order.full.remove(&self.order.next) {
                self.full(job);
            }
        }
    }

    /// A piece holds as much as it may: it goes on when its turn comes.
    fn full(&mut self, mut job: Job) {
        match job.piece.as_ref().map(|piece| piece.index) {
            Some(index) if index > self.order.next => {
                self.order.full.insert(index, job);
            }
            Some(_) | None => {
                let _: ControlFlow<()> = self.release(&mut job);
                job.moved = Instant::now();
                self.give(job);
            }
        }
    }

    fn release(&self, job: &mut Job) -> ControlFlow<()> {
        let partition = job.read.partition;
        match &mut job.piece {
            Some(piece) => self.run.shared.release(partition, piece),
            None => ControlFlow::Continue(()),
        }
    }

    fn look_again(&self) {
        let (target, settings) = (self.run.target, self.run.settings);
        let known = self.run.cluster.clone();
        let limits = Limits {
            patience: WHERE,
            stop: Arc::clone(&self.run.limits.stop),
        };
        let events = self.events.clone();
        self.scope.spawn(move || {
            let cluster = reach::again(target, settings, &known, &limits);
            let _ = events.send(Event::Cluster(cluster));
        });
    }
}
