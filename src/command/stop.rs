//! Ctrl-C and TERM, as calls.

use crate::model::{Outcome, Problem, Result, Signal};
use crate::send::Event;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

/// A file grew beyond `ulimit -f` (signal 25 on every Linux but MIPS and PA-RISC); by default it kills.
const SIGXFSZ: i32 = 25;

/// Calls `heard` for each SIGINT and SIGTERM from now on, on a thread of its own.
///
/// # Errors
/// When the system refuses the handlers.
pub(super) fn on_signal(heard: impl Fn(Signal) + Send + 'static) -> Result<()> {
    let failed = |e: std::io::Error| Problem::usage("cannot listen for Ctrl-C").because(e);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(failed)?;
    // The handlers are in place before this returns: an early Ctrl-C must not find the default one.
    let (mut interrupt, mut terminate, mut too_large) = {
        let _context = runtime.enter();
        (
            signal(SignalKind::interrupt()).map_err(failed)?,
            signal(SignalKind::terminate()).map_err(failed)?,
            signal(SignalKind::from_raw(SIGXFSZ)).map_err(failed)?,
        )
    };
    let listen = async move {
        loop {
            tokio::select! {
                Some(()) = interrupt.recv() => heard(Signal::Interrupt),
                Some(()) = terminate.recv() => heard(Signal::Terminate),
                // The write that went beyond the limit fails by itself, and is told like any other failure.
                Some(()) = too_large.recv() => {}
            }
        }
    };
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || runtime.block_on(listen))
        .map_err(failed)?;
    Ok(())
}

/// Ctrl-C and TERM for a command that works in rounds: each signal reaches the round that goes on, and ends the rest between two.
#[derive(Default)]
pub(super) struct Rounds(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<RoundState>,
    heard: Condvar,
}

#[derive(Default)]
struct RoundState {
    signal: Option<Signal>,
    round: Option<Sender<Event>>,
}

impl Rounds {
    pub(super) fn listen() -> Result<Rounds> {
        let rounds = Rounds::default();
        let shared = Arc::clone(&rounds.0);
        on_signal(move |signal| {
            let mut state = lock(&shared.state);
            state.signal.get_or_insert(signal);
            if let Some(round) = &state.round {
                // A round that just ended hears it from `heard`.
                drop(round.send(Event::Stop(signal)));
            }
            shared.heard.notify_all();
        })?;
        Ok(rounds)
    }

    /// Signals go to this round from now on, also one that came before.
    pub(super) fn begin(&self, round: Sender<Event>) {
        let mut state = lock(&self.0.state);
        if let Some(signal) = state.signal {
            drop(round.send(Event::Stop(signal)));
        }
        state.round = Some(round);
    }

    pub(super) fn end(&self) {
        lock(&self.0.state).round = None;
    }

    /// The first signal, if there was one.
    pub(super) fn heard(&self) -> Option<Signal> {
        lock(&self.0.state).signal
    }

    /// Rests until the time is over or a signal comes, and returns that.
    pub(super) fn wait(&self, time: Duration) -> Option<Signal> {
        let state = lock(&self.0.state);
        let waited = self
            .0
            .heard
            .wait_timeout_while(state, time, |state| state.signal.is_none());
        waited.unwrap_or_else(|e| e.into_inner()).0.signal
    }
}

fn lock(state: &Mutex<RoundState>) -> MutexGuard<'_, RoundState> {
    state.lock().unwrap_or_else(|e| e.into_inner())
}

/// Two signals within this time are one wish: `timeout` tells the process and then its whole group.
const ONE_WISH: Duration = Duration::from_millis(100);

/// Added to the code of the first signal by a second one.
const TWICE: u8 = 1 << 7;

/// Whether a reading command was asked to stop, and by what.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked(Arc<AtomicU8>);

impl Asked {
    pub(super) fn listen() -> Result<Asked> {
        let asked = Asked::default();
        let set = Arc::clone(&asked.0);
        let first = OnceLock::new();
        on_signal(move |signal| {
            let code = match signal {
                Signal::Interrupt => 1,
                Signal::Terminate => 2,
            };
            let is_first = set
                .compare_exchange(0, code, Ordering::SeqCst, Ordering::SeqCst)
                .is_ok();
            if first.get_or_init(Instant::now).elapsed() >= ONE_WISH && !is_first {
                // Asked twice: nothing that a reader holds is worth a wait.
                std::process::exit(Outcome::Interrupted(signal).exit_code().into());
            }
        })?;
        Ok(asked)
    }

    /// As [`Asked::listen`], but who asks twice is heard too: whoever listens looks at [`Asked::is_twice`].
    pub(super) fn listen_twice() -> Result<Asked> {
        let asked = Asked::default();
        let set = Arc::clone(&asked.0);
        on_signal(move |signal| {
            let code = match signal {
                Signal::Interrupt => 1,
                Signal::Terminate => 2,
            };
            let first = set.compare_exchange(0, code, Ordering::SeqCst, Ordering::SeqCst);
            if let Err(first) = first {
                set.store(first | TWICE, Ordering::SeqCst);
            }
        })?;
        Ok(asked)
    }

    /// Whether it was asked more than once.
    pub(super) fn is_twice(&self) -> bool {
        self.0.load(Ordering::SeqCst) & TWICE != 0
    }

    /// What the run comes to: a signal that was heard is told before any incomplete answer.
    pub(super) fn outcome(&self, outcome: Outcome) -> Outcome {
        self.signal()
            .map_or(outcome, |signal| Outcome::Interrupted(signal).and(outcome))
    }

    pub(super) fn signal(&self) -> Option<Signal> {
        match self.0.load(Ordering::SeqCst) & !TWICE {
            0 => None,
            1 => Some(Signal::Interrupt),
            _ => Some(Signal::Terminate),
        }
    }
}
