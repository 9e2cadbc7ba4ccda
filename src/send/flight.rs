//! Messages that are with the client.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

/// One message that was handed over and not reported yet.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    pub(super) line: u64,
    pub(super) seq: u64,
    pub(super) partition: i32,
    pub(super) producer: Arc<str>,
    pub(super) accepted_ms: i64,
    pub(super) bytes: usize,
    pub(super) attempts: u32,
    /// When its verdict came; 0 before.
    pub(super) settled_ms: i64,
    /// Why nothing will ever be known of it, when no acknowledgement was asked for.
    pub(super) unproven: Option<Box<str>>,
}

/// A map by our own numbers, which nobody can choose to collide.
pub(super) type ByNumber<K, T> = HashMap<K, T, BuildHasherDefault<Numbers>>;

/// Spreads consecutive numbers over all bits (Knuth's multiplicative hash).
#[derive(Debug, Default)]
pub(super) struct Numbers(u64);

impl Hasher for Numbers {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29);
    }

    fn write_i32(&mut self, number: i32) {
        self.write_u64(u64::from(number.cast_unsigned()));
    }
}

/// All of them, with their size.
#[derive(Debug, Default)]
pub(super) struct Flights {
    by_id: ByNumber<u64, Flight>,
    bytes: usize,
}

/// More than any broker needs in flight to be busy, and little enough to keep memory flat.
const WINDOW_MESSAGES: usize = 50_000;
const WINDOW_BYTES: usize = 32 << 20;

impl Flights {
    pub(super) fn has_room(&self) -> bool {
        self.by_id.len() < WINDOW_MESSAGES && self.bytes < WINDOW_BYTES
    }

    /// Whether enough landed that reading more from the store is worth a look.
    pub(super) fn is_half_empty(&self) -> bool {
        self.by_id.len() < WINDOW_MESSAGES / 2 && self.bytes < WINDOW_BYTES / 2
    }

    pub(super) fn holds(&self, id: u64) -> bool {
        self.by_id.contains_key(&id)
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub(super) fn add(&mut self, id: u64, flight: Flight) {
        self.bytes += flight.bytes;
        self.by_id.insert(id, flight);
    }

    pub(super) fn land(&mut self, id: u64) -> Option<Flight> {
        let flight = self.by_id.remove(&id)?;
        self.bytes -= flight.bytes;
        Some(flight)
    }

    pub(super) fn take_all(&mut self) -> impl Iterator<Item = u64> {
        self.bytes = 0;
        std::mem::take(&mut self.by_id).into_keys()
    }
}
