//! Marks how far messages came, outside the process, so that a crash test can tell in which phase its kill fell.
//!
//! Without the feature `test-hooks` all of it is nothing.

/// The phases of a message, in order.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Phase {
    Read,
    Synced,
    Sent,
    Acknowledged,
    Committed,
}

#[cfg(feature = "test-hooks")]
mod marks {
    use super::Phase;
    use std::fs::{File, OpenOptions};
    use std::os::unix::fs::FileExt;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static COUNTS: [AtomicU64; 5] = [const { AtomicU64::new(0) }; 5];
    static FILE: OnceLock<Option<File>> = OnceLock::new();

    /// Adds to the count of a phase in the file that `MQSAFE_TEST_PHASES` names: five little-endian u64.
    pub(crate) fn mark(phase: Phase, messages: u64) {
        let file = FILE.get_or_init(|| {
            let path = std::env::var_os("MQSAFE_TEST_PHASES")?;
            OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .open(path)
                .ok()
        });
        let slot = phase as usize;
        let count = COUNTS[slot].fetch_add(messages, Ordering::SeqCst) + messages;
        if let Some(file) = file {
            // The page cache outlives a killed process, which is all that this must survive.
            let _ = file.write_all_at(&count.to_le_bytes(), slot as u64 * 8);
        }
    }

    /// The planted fault: publish before the store has the message on disk.
    pub(crate) fn publish_first() -> bool {
        static PLANTED: OnceLock<bool> = OnceLock::new();
        *PLANTED.get_or_init(|| std::env::var_os("MQSAFE_TEST_PUBLISH_FIRST").is_some())
    }

    /// The planted fault: the broker's client fails for good when it is offered this many messages for the first time.
    #[cfg(feature = "kafka")]
    pub(crate) fn client_dies() -> bool {
        static AT: OnceLock<Option<u64>> = OnceLock::new();
        static OFFERED: AtomicU64 = AtomicU64::new(0);
        let at = AT.get_or_init(|| std::env::var("MQSAFE_TEST_CLIENT_DIES_AT").ok()?.parse().ok());
        at.is_some_and(|at| OFFERED.fetch_add(1, Ordering::SeqCst) + 1 == at)
    }

    /// The planted crash: the process ends where `MQSAFE_TEST_DIES_AT` says, as by a kill.
    pub(crate) fn die_at(place: &str) {
        if std::env::var_os("MQSAFE_TEST_DIES_AT").is_some_and(|at| at == place) {
            std::process::abort();
        }
    }
}

#[cfg(not(feature = "test-hooks"))]
mod marks {
    use super::Phase;

    #[inline(always)]
    pub(crate) fn mark(phase: Phase, messages: u64) {
        let _ = (phase as usize, messages);
    }

    #[inline(always)]
    pub(crate) fn publish_first() -> bool {
        false
    }

    #[cfg(feature = "kafka")]
    #[inline(always)]
    pub(crate) fn client_dies() -> bool {
        false
    }

    #[inline(always)]
    pub(crate) fn die_at(place: &str) {
        let _ = place;
    }
}

#[cfg(feature = "kafka")]
pub(crate) use marks::client_dies;
pub(crate) use marks::{die_at, mark, publish_first};

/// The seed of a random test: the one that `MQSAFE_TEST_SEED` gives, to replay a failure, or any.
#[cfg(test)]
pub(crate) fn test_seed() -> u64 {
    let given = std::env::var("MQSAFE_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| u64::from(rand::random::<u32>()))
}

/// Whether the long series were asked for (`tests/run --full`).
#[cfg(test)]
pub(crate) fn test_full() -> bool {
    std::env::var_os("MQSAFE_FULL").is_some()
}
