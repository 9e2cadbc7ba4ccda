//! Lets the reader run a little ahead of the pump, and no further.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};

/// Chunks read ahead of the pump.
const AHEAD: usize = 4;

/// How many chunks are on their way.
#[derive(Debug, Default)]
pub(in crate::send) struct Credit {
    used: Mutex<usize>,
    freed: Condvar,
}

impl Credit {
    pub(super) fn take(&self, stop: &AtomicBool) {
        let mut used = self.used.lock().unwrap_or_else(|e| e.into_inner());
        while *used >= AHEAD && !stop.load(Ordering::Relaxed) {
            used = self.freed.wait(used).unwrap_or_else(|e| e.into_inner());
        }
        *used += 1;
    }

    pub(in crate::send) fn give(&self) {
        let mut used = self.used.lock().unwrap_or_else(|e| e.into_inner());
        *used = used.saturating_sub(1);
        self.freed.notify_one();
    }
}
