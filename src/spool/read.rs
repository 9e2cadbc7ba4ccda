//! What a store holds.

use super::queue::QueueReader;
use super::schema::{self, Body};
use super::{InputProgress, Retry, Spool, SpoolError, together};
use redb::{ReadableDatabase, ReadableTable, ReadableTableMetadata, WriteTransaction};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Where messages go: one topic of one broker, with the name that the store signs with there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub(super) no: u32,
    /// The broker's URL without secrets, its hosts in order.
    pub broker: String,
    /// The topic.
    pub topic: String,
    /// The name in the stamps of new messages.
    pub producer: String,
    /// The lanes that have names, by their number in the store; empty where lanes are partitions.
    pub(super) lanes: Arc<Vec<String>>,
}

impl Target {
    /// What a person calls it: a topic, or where it is `EXCHANGE|KEY` the exchange, or the queue behind the default exchange.
    pub fn words(&self) -> String {
        match self.topic.split_once('|') {
            None => format!("topic {}", self.topic),
            Some(("", queue)) => format!("queue {queue}"),
            Some((exchange, _)) => format!("exchange {exchange}"),
        }
    }

    /// The lane of a partition, as it stands in stamps.
    pub fn lane(&self, partition: i32) -> String {
        match usize::try_from(partition).ok().and_then(|no| self.lanes.get(no)) {
            Some(name) => name.clone(),
            None => format!("{}/{partition}", self.topic),
        }
    }
}

/// A message that waits for its acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The local number.
    pub id: u64,
    /// The partition of its lane, once it has one.
    pub partition: Option<i32>,
    /// What was asked for while it has no lane: a partition, or as a number below -1 a way to choose one.
    pub wish: Option<i32>,
    /// The number in its lane; 0 without a lane.
    pub seq: u64,
    /// When it was accepted, in milliseconds since the Unix epoch.
    pub accepted_ms: i64,
    /// The line of its input; 0 when it came from no line.
    pub line: u64,
    /// Who signed it.
    pub producer: String,
    /// Numbers given up before it.
    pub voids: String,
    /// The message key.
    pub key: Option<Vec<u8>>,
    /// The payload; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Headers of the sender.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// RocketMQ's tag.
    pub tag: Option<String>,
    /// How long its consumption is awaited once it is stored, in milliseconds; 0 when it is not.
    pub await_ms: u64,
}

impl Pending {
    pub(super) fn from_body(id: u64, body: Body<'_>) -> Pending {
        let (partition, seq, accepted_ms, line, producer, voids, key, value, headers, tag, await_ms) = body;
        Pending {
            id,
            partition: (seq > 0).then_some(partition),
            wish: (seq == 0 && partition != -1).then_some(partition),
            seq,
            accepted_ms,
            line,
            producer: producer.to_owned(),
            voids: voids.to_owned(),
            key: key.map(<[u8]>::to_vec),
            value: value.map(<[u8]>::to_vec),
            headers: headers
                .into_iter()
                .map(|(n, v)| (n.to_owned(), v.map(<[u8]>::to_vec)))
                .collect(),
            tag: tag.map(str::to_owned),
            await_ms,
        }
    }

    /// As it is stored.
    pub(super) fn body(&self) -> Body<'_> {
        (
            self.partition.or(self.wish).unwrap_or(-1),
            self.seq,
            self.accepted_ms,
            self.line,
            &self.producer,
            &self.voids,
            self.key.as_deref(),
            self.value.as_deref(),
            self.headers.iter().map(|(n, v)| (n.as_str(), v.as_deref())).collect(),
            self.tag.as_deref(),
            self.await_ms,
        )
    }

    /// The partition that was asked for, while it has no lane.
    pub fn asked(&self) -> Option<i32> {
        self.wish.filter(|wish| *wish >= 0)
    }

    /// Bytes of key, value and headers.
    pub fn size(&self) -> usize {
        let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let headers: usize = self
            .headers
            .iter()
            .map(|(name, value)| name.len() + length(value))
            .sum();
        length(&self.key) + length(&self.value) + headers
    }
}

/// What waits for one target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waiting {
    /// How many messages.
    pub count: u64,
    /// The local number of the first.
    pub first: Option<u64>,
    /// The local number of the last that has no lane yet.
    pub last_without_lane: Option<u64>,
    /// The local number of the last that has one.
    pub last_with_lane: Option<u64>,
    /// How many messages have which lane, by its number.
    pub lanes: BTreeMap<i32, u64>,
}

/// How much a store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Messages that wait.
    pub pending: u64,
    /// Messages refused for good.
    pub failed: u64,
    /// Messages acknowledged.
    pub confirmed: u64,
    /// Messages acknowledged whose consumption is awaited; part of those that are confirmed.
    pub awaiting: u64,
    /// Messages that were reported as consumed.
    pub consumed: u64,
    /// Messages that wait for their time.
    pub scheduled: u64,
    /// Messages whose local action has no known outcome.
    pub undecided: u64,
    /// When the oldest waiting message was accepted, in milliseconds since the Unix epoch.
    pub oldest_ms: Option<i64>,
    /// Size of the database file.
    pub bytes: u64,
}

impl Stats {
    /// The sum over several stores.
    #[must_use]
    pub fn plus(self, other: Stats) -> Stats {
        Stats {
            pending: self.pending + other.pending,
            failed: self.failed + other.failed,
            confirmed: self.confirmed + other.confirmed,
            scheduled: self.scheduled + other.scheduled,
            undecided: self.undecided + other.undecided,
            awaiting: self.awaiting + other.awaiting,
            consumed: self.consumed + other.consumed,
            oldest_ms: [self.oldest_ms, other.oldest_ms].into_iter().flatten().min(),
            bytes: self.bytes + other.bytes,
        }
    }
}

impl Spool {
    /// The number and name of a target, made durable on first use.
    ///
    /// # Errors
    /// [`SpoolError`] when the store fails.
    pub fn target(&mut self, broker: &str, topic: &str) -> Result<Target, SpoolError> {
        let known = |target: &Target| target.broker == broker && target.topic == topic && !target.producer.is_empty();
        if let Some(target) = self.targets()?.into_iter().find(known) {
            return Ok(target);
        }
        self.write(|txn| {
            schema::producer(txn, &self.id, broker)?;
            let mut table = txn.open_table(schema::TARGETS)?;
            let mut next = 0;
            for row in table.iter()? {
                let (no, name) = row?;
                if name.value() == (broker, topic) {
                    return Ok(());
                }
                next = no.value() + 1;
            }
            table.insert(next, (broker, topic))?;
            Ok(())
        })?;
        // Read as every other target is: one of a copied store has lanes already.
        self.targets()?.into_iter().find(known).ok_or(SpoolError::Closed)
    }

    /// Numbers lanes that have names, made durable at first sight. Returns the number of each, in the order of `names`.
    ///
    /// # Errors
    /// [`SpoolError`] when the store fails.
    pub fn number_lanes(&mut self, target: &mut Target, names: &[&str]) -> Result<Vec<i32>, SpoolError> {
        let mut all = target.lanes.as_ref().clone();
        let known = all.len();
        let mut numbers = Vec::with_capacity(names.len());
        for name in names {
            let no = all.iter().position(|n| n == name).unwrap_or_else(|| {
                all.push((*name).to_owned());
                all.len() - 1
            });
            numbers.push(no as i32);
        }
        if all.len() > known {
            let write = || -> Result<(), redb::Error> {
                let mut txn = self.db.as_ref().ok_or(redb::Error::PreviousIo)?.begin_write()?;
                txn.set_quick_repair(true);
                {
                    let mut table = txn.open_table(schema::LANE_NAMES)?;
                    for (no, name) in all.iter().enumerate().skip(known) {
                        table.insert((target.no, no as i32), name.as_str())?;
                    }
                }
                Ok(txn.commit()?)
            };
            write().map_err(|e| self.failed(e))?;
            target.lanes = Arc::new(all);
        }
        Ok(numbers)
    }

    /// Every target that the store ever had. The producer name is empty where a copied store has not signed yet.
    ///
    /// # Errors
    /// [`SpoolError`] when the store fails.
    pub fn targets(&self) -> Result<Vec<Target>, SpoolError> {
        let read = || -> Result<Vec<Target>, redb::Error> {
            let txn = self.db.as_ref().ok_or(redb::Error::PreviousIo)?.begin_read()?;
            let producers = txn.open_table(schema::PRODUCERS)?;
            let names = txn.open_table(schema::LANE_NAMES)?;
            let mut targets = Vec::new();
            for row in txn.open_table(schema::TARGETS)?.iter()? {
                let (no, name) = row?;
                let (broker, topic) = name.value();
                let producer = producers.get(broker)?.map(|p| p.value().to_owned()).unwrap_or_default();
                let mut lanes = Vec::new();
                for row in names.range((no.value(), 0)..=(no.value(), i32::MAX))? {
                    lanes.push(row?.1.value().to_owned());
                }
                targets.push(Target {
                    no: no.value(),
                    broker: broker.to_owned(),
                    topic: topic.to_owned(),
                    producer,
                    lanes: Arc::new(lanes),
                });
            }
            Ok(targets)
        };
        read().map_err(|e| self.failed(e))
    }

    /// Waiting messages of a target from a local number on, in order, until `messages` or `bytes` of keys and values are reached.
    ///
    /// # Errors
    /// [`SpoolError`] when the store fails.
    pub fn pending(
        &self,
        target: &Target,
        from: u64,
        messages: usize,
        bytes: usize,
    ) -> Result<Vec<Pending>, SpoolError> {
        if let Some(memory) = &self.memory {
            return Ok(memory.pending(target, from, messages, bytes));
        }
        let read = || -> Result<Vec<Pending>, redb::Error> {
            let txn = self.db.as_ref().ok_or(redb::Error::PreviousIo)?.begin_read()?;
            let mut found = Vec::new();
            let mut size = 0;
            let range = (target.no, from)..=(target.no, u64::MAX);
            let _ = QueueReader::open(&txn)?.visit(range, |at, body| {
                let pending = Pending::from_body(at.1, body);
                size += pending.size();
                found.push(pending);
                let enough = found.len() >= messages || size >= bytes;
                Ok(if enough {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                })
            })?;
            Ok(found)
        };
        read().map_err(|e| self.failed(e))
    }

    /// What waits for a target.
    ///
    /// # Errors
    /// [`SpoolError`] when the store fails.
    pub fn waiting(&self, target: &Target) -> Result<Waiting, SpoolError> {
        if let Some(memory) = &self.memory {
            return Ok(memory.waiting());
        }
        let read = || -> Result<Waiting, redb::Error> {
            let txn = self.db.as_ref().ok_or(redb::Error::PreviousIo)?.begin_read()?;
            let mut waiting = Waiting::default();
            let _ = QueueReader::open(&txn)?.visit((target.no, 0)..=(target.no, u64::MAX), |(_, id), body| {
                waiting.first.get_or_insert(id);
                waiting.count += 1;
                match body {
                    (_, 0, ..) => waiting.last_without_lane = Some(id),
                    (partition, ..) => {
                        waiting.last_with_lane = Some(id);
                        *waiting.lanes.entry(partition).or_default() += 1;
                    }
                }
                Ok(ControlFlow::Continue(()))
            })?;
            Ok(waiting)
        };
        read().map_err(|e| self.failed(e))
    }

    /// What is known of waiting messages that came back, by local number.
    ///
    /// # Errors
    /// [`SpoolError`] when the store fails.
    pub fn retries(&self, target: &Target) -> Result<Vec<(u64, Retry)>, SpoolError> {
        let read = || -> Result<Vec<(u64, Retry)>, redb::Error> {
            let txn = self.db.as_ref().ok_or(redb::Error::PreviousIo)?.begin_read()?;
            let table = txn.open_table(schema::RETRIES)?;
            let rows = table.range((target.no, 0)..=(target.no, u64::MAX))?;
            rows.map(|row| {
                row.map(|(key, row)| (key.value().1, Retry::from_row(row.value())))
                    .map_err(Into::into)
            })
            .collect()
        };
        read().map_err(|e| self.failed(e))
    }

    /// The local number from which on no message of a target was ever handed over; `None` when that is not known.
    ///
    /// # Errors
    /// [`SpoolError`] when the store fails.
    pub fn untried_from(&self, target: &Target) -> Result<Option<u64>, SpoolError> {
        let read = || -> Result<Option<u64>, redb::Error> {
            let txn = self.db.as_ref().ok_or(redb::Error::PreviousIo)?.begin_read()?;
            Ok(txn.open_table(schema::UNTRIED)?.get(target.no)?.map(|id| id.value()))
        };
        read().map_err(|e| self.failed(e))
    }

    /// Forgets from where on no message was handed over, durably, because from now on some are. Costs nothing when it is forgotten.
    ///
    /// # Errors
    /// [`SpoolError`] when the store fails.
    pub fn begin_to_hand_over(&mut self, target: &Target) -> Result<(), SpoolError> {
        if self.untried_from(target)?.is_none() {
            return Ok(());
        }
        self.write(|txn| {
            txn.open_table(schema::UNTRIED)?.remove(target.no)?;
            Ok(())
        })
    }

    /// Remembers which lanes of a target messages wait for in vain, for whoever gives them another. Costs nothing when it is known.
    ///
    /// # Errors
    /// [`SpoolError`] when the store fails.
    pub fn set_gone(&mut self, target: &Target, gone: &BTreeSet<i32>, now_ms: i64) -> Result<(), SpoolError> {
        let known = self.gone(target)?;
        if known == *gone {
            return Ok(());
        }
        self.write(|txn| {
            let mut table = txn.open_table(schema::GONE)?;
            for partition in known.difference(gone) {
                table.remove((target.no, *partition))?;
            }
            for partition in gone.difference(&known) {
                table.insert((target.no, *partition), now_ms)?;
            }
            Ok(())
        })
    }

    /// The lanes of a target that were not offered when the broker was last asked.
    ///
    /// # Errors
    /// [`SpoolError`] when the store fails.
    pub fn gone(&self, target: &Target) -> Result<BTreeSet<i32>, SpoolError> {
        let read = || -> Result<BTreeSet<i32>, redb::Error> {
            let txn = self.db.as_ref().ok_or(redb::Error::PreviousIo)?.begin_read()?;
            let table = txn.open_table(schema::GONE)?;
            let rows = table.range((target.no, i32::MIN)..=(target.no, i32::MAX))?;
            rows.map(|row| row.map(|(key, _)| key.value().1).map_err(Into::into))
                .collect()
        };
        read().map_err(|e| self.failed(e))
    }

    /// One small durable change.
    pub(super) fn write<T>(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, SpoolError> {
        let write = || -> Result<T, redb::Error> {
            let mut txn = self.db.as_ref().ok_or(redb::Error::PreviousIo)?.begin_write()?;
            // A kill must not cost the next start a scan of the whole file.
            txn.set_quick_repair(true);
            let done = change(&txn)?;
            txn.commit()?;
            Ok(done)
        };
        write().map_err(|e| self.failed(e))
    }

    /// How far an input file was accepted for a target.
    ///
    /// # Errors
    /// [`SpoolError`] when the store fails.
    pub fn input(&self, target: &Target, path: &[u8]) -> Result<Option<InputProgress>, SpoolError> {
        let read = || -> Result<Option<InputProgress>, redb::Error> {
            let txn = self.db.as_ref().ok_or(redb::Error::PreviousIo)?.begin_read()?;
            let table = txn.open_table(schema::INPUTS)?;
            let Some(row) = table.get((target.no, path))? else {
                return Ok(None);
            };
            let (offset, lines, size, hash) = row.value();
            let Ok(prefix_sha256) = hash.try_into() else {
                return Ok(None);
            };
            Ok(Some(InputProgress {
                path: path.to_owned(),
                offset,
                lines,
                size,
                prefix_sha256,
            }))
        };
        read().map_err(|e| self.failed(e))
    }

    /// How much the store holds.
    ///
    /// # Errors
    /// [`SpoolError`] when the store fails.
    pub fn stats(&self) -> Result<Stats, SpoolError> {
        let read = || -> Result<Stats, redb::Error> {
            let txn = self.db.as_ref().ok_or(redb::Error::PreviousIo)?.begin_read()?;
            let queue = QueueReader::open(&txn)?;
            let mut stats = Stats {
                pending: queue.len()?,
                ..Stats::default()
            };
            for no in txn
                .open_table(schema::TARGETS)?
                .iter()?
                .map(|row| row.map(|(no, _)| no.value()))
            {
                let no = no?;
                let _ = queue.visit((no, 0)..=(no, u64::MAX), |_, body| {
                    stats.oldest_ms = Some(stats.oldest_ms.map_or(body.2, |o| o.min(body.2)));
                    Ok(ControlFlow::Break(()))
                })?;
            }
            stats.scheduled = txn.open_table(schema::SCHEDULED)?.len()?;
            // What is decided and only to be published together waits like all others.
            let undecided = txn.open_table(schema::UNDECIDED)?;
            stats.undecided = undecided.len()?;
            for (target, no) in together::decided(&txn)? {
                for row in undecided.range((target, no, 0)..=(target, no, u64::MAX))? {
                    let accepted_ms = row?.1.value().2;
                    stats.oldest_ms = Some(stats.oldest_ms.map_or(accepted_ms, |o| o.min(accepted_ms)));
                    stats.undecided -= 1;
                    stats.pending += 1;
                }
            }
            stats.failed = txn.open_table(schema::FAILED)?.len()?;
            stats.awaiting = txn.open_table(schema::AWAITING)?.len()?;
            for (table, sum) in [
                (schema::CONFIRMED, &mut stats.confirmed),
                (schema::CONSUMED, &mut stats.consumed),
            ] {
                for row in txn.open_table(table)?.iter()? {
                    let (key, value) = row?;
                    // A damaged row must not end the program; `fsck` names it.
                    *sum += (value.value().0 + 1).saturating_sub(key.value().2);
                }
            }
            Ok(stats)
        };
        let mut stats = read().map_err(|e| self.failed(e))?;
        if let Some(path) = self.file() {
            stats.bytes = std::fs::metadata(&path).map_err(|e| SpoolError::io(&path, e))?.len();
        }
        Ok(stats)
    }
}
