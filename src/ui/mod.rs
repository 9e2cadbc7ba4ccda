//! The terminal: the only room that writes to stdout and stderr.
//!
//! stdout carries data only. stderr carries progress, diagnostics and, last, a one-line summary. A closed stdout is no error:
//! the work goes on and the exit code does not change.

pub mod emit;
mod escape;
mod progress;
mod style;
mod table;

pub use escape::{escape, escape_bytes};
pub use progress::Progress;
pub use style::{Style, paint};
pub use table::Table;

use crate::model::Problem;
use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// `1 message`, `2 messages`.
#[cfg(feature = "broker")]
pub fn count(n: u64, what: &str) -> String {
    let many = if n == 1 { "" } else { "s" };
    format!("{n} {what}{many}")
}

/// When colour is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColorChoice {
    /// Only on a terminal, and not when `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What was asked of the terminal, before the terminal itself is looked at.
#[derive(Debug, Clone, Copy, Default)]
pub struct UiOptions {
    /// `--color`.
    pub color: ColorChoice,
    /// `--no-progress`.
    pub no_progress: bool,
    /// `-q`: the answer only; twice: the exit code only.
    pub quiet: u8,
}

/// The terminal of one run. Each stream is looked at once, here, and never again.
pub struct Ui {
    out: Mutex<io::Stdout>,
    out_closed: AtomicBool,
    color_out: bool,
    color_err: bool,
    err_tty: bool,
    width: usize,
    options: UiOptions,
}

impl Ui {
    /// Looks at the streams and the environment.
    pub fn new(options: UiOptions) -> Ui {
        let (out_tty, err_tty) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        let env = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty());
        let dumb = env("TERM").is_some_and(|t| t == "dumb") || env("CLICOLOR").is_some_and(|v| v == "0");
        let forced = env("FORCE_COLOR")
            .or_else(|| env("CLICOLOR_FORCE"))
            .is_some_and(|v| v != "0");
        let color = |tty: bool| match options.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => env("NO_COLOR").is_none() && (forced || (tty && !dumb)),
        };
        let width = env("COLUMNS")
            .and_then(|v| v.to_str().and_then(|v| v.parse().ok()))
            .or_else(|| out_tty.then(table::terminal_width).flatten())
            .unwrap_or(120);
        Ui {
            out: Mutex::new(io::stdout()),
            out_closed: AtomicBool::new(false),
            color_out: color(out_tty),
            color_err: color(err_tty),
            err_tty,
            width,
            options,
        }
    }

    /// Whether data is written with colour.
    pub fn color_out(&self) -> bool {
        self.color_out
    }

    /// Whether diagnostics are written with colour.
    pub fn color_err(&self) -> bool {
        self.color_err
    }

    /// The width of the terminal in columns; 120 where there is none.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Writes data to stdout as it is. When stdout is closed nothing is said and the work goes on.
    ///
    /// # Errors
    /// When stdout is open and cannot be written, as on a full disk: the caller's answer did not arrive.
    pub fn data(&self, bytes: &[u8]) -> Result<(), Problem> {
        self.data_from(|out| out.write_all(bytes))
    }

    /// As [`Ui::data`], for what is written piece by piece.
    ///
    /// # Errors
    /// As there.
    pub fn data_from(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Problem> {
        if self.options.quiet > 1 || self.out_closed.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut out = self.out.lock().unwrap_or_else(|e| e.into_inner());
        match write(&mut *out).and_then(|()| out.flush()) {
            Ok(()) => Ok(()),
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {
                self.out_closed.store(true, Ordering::Relaxed);
                Ok(())
            }
            Err(e) => Err(Problem::unknown("cannot write the answer to stdout")
                .because(e)
                .next("free the disk or redirect stdout elsewhere, and run it again")),
        }
    }

    /// Writes one diagnostic line to stderr, escaped. A closed stderr is ignored: there is nobody left to tell.
    pub fn say(&self, line: &str) {
        if self.options.quiet == 0 {
            self.raw_err(&escape(line));
        }
    }

    /// Writes the last line of a run. It is kept under one `-q`, because it is part of the answer.
    pub fn summary(&self, line: &str) {
        if self.options.quiet < 2 {
            self.raw_err(&escape(line));
        }
    }

    /// Writes something that a person must see although it is not the answer.
    pub fn warn(&self, line: &str) {
        if self.options.quiet < 2 {
            let label = paint(self.color_err, Style::Doubt, "warning");
            self.raw_err(&format!("{label}: {}", escape(line)));
        }
    }

    /// Prints why the run has no answer: the thing, the causes, the next step.
    pub fn problem(&self, problem: &Problem) {
        if self.options.quiet > 1 {
            return;
        }
        let mut text = format!(
            "{}: {}",
            paint(self.color_err, Style::Loss, "error"),
            escape(&problem.what)
        );
        for cause in &problem.causes {
            text.push_str(&format!("\n  caused by: {}", escape(cause)));
        }
        if let Some(next) = &problem.next {
            text.push_str(&format!(
                "\n  {}: {}",
                paint(self.color_err, Style::Hint, "next"),
                escape(next)
            ));
        }
        self.raw_err(&text);
    }

    /// A progress display on stderr: a bar on a terminal, a line now and then elsewhere, nothing with `-q` or `--no-progress`.
    pub fn progress(&self, what: &str) -> Progress {
        let shown = self.options.quiet == 0 && !self.options.no_progress;
        Progress::new(what, shown, self.err_tty && std::env::var_os("CI").is_none())
    }

    fn raw_err(&self, text: &str) {
        let mut err = io::stderr().lock();
        let _ = writeln!(err, "{text}");
    }
}
