//! A request without an answer, and what is known about it.

use crate::model::{Stage, Unreached};
use std::sync::atomic::{AtomicU8, Ordering};

const WAITS: u8 = 0;
const WRITTEN: u8 = 1;
const CANCELLED: u8 = 2;

/// Whether the bytes of a request were given to the network. Only one of "written" and "cancelled" ever becomes true.
#[derive(Debug, Default)]
pub(super) struct Sending(AtomicU8);

impl Sending {
    /// Called right before the first byte is written; `false` when it was cancelled and must not be written.
    pub(super) fn begin(&self) -> bool {
        self.leave(WRITTEN)
    }

    /// Takes it back; `true` when it is certain that no byte was and will be written.
    pub(super) fn cancel(&self) -> bool {
        self.leave(CANCELLED) || self.0.load(Ordering::SeqCst) == CANCELLED
    }

    fn leave(&self, to: u8) -> bool {
        self.0
            .compare_exchange(WAITS, to, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }
}

/// Why a request has no answer.
#[derive(Debug, Clone)]
pub(super) struct Lost {
    /// Whether the server may have got it.
    pub(super) written: bool,
    pub(super) why: Unreached,
}

impl Lost {
    /// It never left this process.
    pub(super) fn unsent(why: Unreached) -> Lost {
        Lost { written: false, why }
    }

    pub(super) fn unsent_at(stage: Stage, why: impl Into<String>) -> Lost {
        Lost::unsent(Unreached::at(stage, why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cancelled_is_never_written_and_the_other_way_round() {
        let sending = Sending::default();
        assert!(sending.begin() && !sending.cancel());
        let sending = Sending::default();
        assert!(sending.cancel() && sending.cancel() && !sending.begin());
    }
}
