//! Progress on stderr: a bar on a terminal, one line every ten seconds elsewhere. The only file that knows the bar crate.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::Mutex;
use std::time::{Duration, Instant};

const LINE_EVERY: Duration = Duration::from_secs(10);
const DRAWS_PER_SECOND: u8 = 10;
/// Without a move for this long the wait is told; scans are heard about once a second, and nobody should wonder for two.
const STILL: Duration = Duration::from_millis(900);

/// A running count with a message. Cheap to clone a reference to; safe to call often.
pub struct Progress {
    bar: ProgressBar,
    lines: Option<Mutex<Lines>>,
    moved: Mutex<(u64, Instant)>,
}

struct Lines {
    what: String,
    last: Instant,
}

impl Progress {
    pub(super) fn new(what: &str, shown: bool, tty: bool) -> Progress {
        let bar = if shown && tty {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND));
            bar.set_style(style(false));
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        } else {
            ProgressBar::hidden()
        };
        bar.set_prefix(what.to_owned());
        let lines = (shown && !tty).then(|| {
            Mutex::new(Lines {
                what: what.to_owned(),
                last: Instant::now(),
            })
        });
        Progress {
            bar,
            lines,
            moved: Mutex::new((0, Instant::now())),
        }
    }

    /// Tells how much there is in all, once that is known.
    pub fn set_total(&self, total: u64) {
        self.bar.set_length(total);
        self.bar.set_style(style(true));
    }

    /// Tells how much is done, with a short word on the state.
    pub fn set(&self, done: u64, message: &str) {
        self.bar.set_position(done);
        self.bar.set_message(super::escape(message));
        let Some(lines) = &self.lines else { return };
        let mut lines = lines.lock().unwrap_or_else(|e| e.into_inner());
        if lines.last.elapsed() >= LINE_EVERY {
            lines.last = Instant::now();
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "{}: {done} {}", lines.what, super::escape(message));
        }
    }

    /// As [`Progress::set`]; when nothing has moved for a while it says what is waited for, because nobody knows from a still
    /// number whether anything goes on.
    pub fn set_or_waiting(&self, done: u64, message: &str, waits_for: &str) {
        let still = {
            let mut moved = self.moved.lock().unwrap_or_else(|e| e.into_inner());
            if moved.0 != done {
                *moved = (done, Instant::now());
            }
            moved.1.elapsed() >= STILL
        };
        match still {
            true => self.set(done, &format!("{message}, waiting for {waits_for}")),
            false => self.set(done, message),
        }
    }

    /// Takes the display away; what follows is printed on clean lines.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn style(with_total: bool) -> ProgressStyle {
    let template = if with_total {
        "{prefix} [{bar:30}] {human_pos}/{human_len} {per_sec} {eta} {msg}"
    } else {
        "{prefix} {spinner} {human_pos} {per_sec} {msg}"
    };
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}
