//! Programs that print a secret. They are started without a shell, with what was written as their arguments and nothing more.

use super::secret::without_line_end;
use crate::model::{Problem, Result};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long a program may think: it may ask a server, or a person for a touch.
#[cfg(not(test))]
const PATIENCE: Duration = Duration::from_secs(30);
#[cfg(test)]
const PATIENCE: Duration = Duration::from_secs(4);
/// How much it may print; a token has some kilobytes.
const MOST_BYTES: u64 = 1 << 20;

/// Variables that held a secret in this process; no program that is started here inherits them.
static HIDDEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Keeps a variable from every program that is started from now on.
pub fn hide(name: &str) {
    HIDDEN.lock().unwrap_or_else(|e| e.into_inner()).insert(name.to_owned());
}

/// Takes every variable that held a secret from a program's environment.
pub fn without_hidden(command: &mut Command) {
    for name in HIDDEN.lock().unwrap_or_else(|e| e.into_inner()).iter() {
        command.env_remove(name);
    }
}

/// Runs a program and returns what it printed, without the line break at its end. What it writes to stderr is not shown: nobody
/// knows what is in it.
///
/// # Errors
/// A usage problem that names the program, and nothing of what it printed.
pub fn print_of(words: &[String]) -> Result<String> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(Problem::usage("a command is empty").next("write [PROGRAM, ARG, …]"));
    };
    let failed = |why: String| {
        Problem::usage(format!("the command {program} gave no secret"))
            .because(why)
            .next("run it by hand to see what it says")
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        // With what it starts itself it makes a group, which can be ended as a whole.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    without_hidden(&mut command);
    let mut child = command.spawn().map_err(|e| failed(e.to_string()))?;
    let stdout = child.stdout.take();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stdout.map(|s| s.take(MOST_BYTES + 1).read_to_end(&mut bytes));
        // Nobody listens any more when it took too long.
        let _ = sender.send((read.is_some_and(|r| r.is_ok()), bytes));
    });
    let end = Instant::now() + PATIENCE;
    let printed = receiver.recv_timeout(PATIENCE);
    let Ok((true, bytes)) = printed else {
        give_up(&mut child);
        return Err(failed(late()));
    };
    if bytes.len() as u64 > MOST_BYTES {
        give_up(&mut child);
        return Err(failed("it prints too much".to_owned()));
    }
    // It may have closed its output and live on.
    let status = loop {
        match child.try_wait().map_err(|e| failed(e.to_string()))? {
            Some(status) => break status,
            None if Instant::now() >= end => {
                give_up(&mut child);
                return Err(failed(late()));
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    if !status.success() {
        return Err(failed(status.to_string()));
    }
    let text = String::from_utf8(bytes).map_err(|_| failed("what it prints is not UTF-8".to_owned()))?;
    let text = without_line_end(&text);
    if text.is_empty() {
        return Err(failed("it printed nothing".to_owned()));
    }
    Ok(text.to_owned())
}

/// Runs a program with these bytes on its standard input, and waits for its end. What it prints goes to stderr: stdout is for data.
///
/// # Errors
/// When it cannot be started, takes too long, or ends in failure. A program that reads none of its input is no failure.
pub fn feed(words: &[OsString], input: &[u8]) -> Result<()> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(Problem::usage("a command is empty").next("write PROGRAM ARGS"));
    };
    let failed = |why: String| {
        Problem::unknown(format!("the command {}", program.display()))
            .because(why)
            .next("run it by hand to see what it says")
    };
    let mut command = Command::new(program);
    command.args(arguments).process_group(0).stdin(Stdio::piped());
    without_hidden(&mut command);
    command.stdout(std::io::stderr());
    let mut child = command.spawn().map_err(|e| failed(e.to_string()))?;
    if let Some(mut stdin) = child.stdin.take() {
        let input = input.to_owned();
        // It may end without having read all, or never read; either way its exit tells.
        std::thread::spawn(move || drop(stdin.write_all(&input)));
    }
    let end = Instant::now() + PATIENCE;
    loop {
        match child.try_wait().map_err(|e| failed(e.to_string()))? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(failed(status.to_string())),
            None if Instant::now() >= end => {
                give_up(&mut child);
                return Err(failed(late()));
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

fn late() -> String {
    format!("it did not end within {} s", PATIENCE.as_secs())
}

/// Ends a program and what it has started.
fn give_up(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // It may have ended meanwhile.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(words: &[&str]) -> Result<String> {
        print_of(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn what_a_program_prints_and_nothing_of_why_it_failed() {
        assert_eq!(run(&["echo", "a b"]).as_deref(), Ok("a b"));
        for bad in [
            &["sh", "-c", "echo hunter2; echo hunter2 >&2; exit 1"][..],
            &["sh", "-c", "printf '\\377hunter2'"],
            &["true"],
            &["/nonexistent/program"],
            &["yes", "hunter2"],
            &["sh", "-c", "echo hunter2; exec >&-; sleep 60"],
            &["sh", "-c", "echo hunter2; sleep 60 & wait"],
            &[],
        ] {
            let problem = run(bad).unwrap_err();
            assert!(!format!("{:?}", problem.causes).contains("hunter2"), "{problem:?}");
        }
    }

    #[test]
    fn a_hidden_variable_is_not_inherited() {
        // Cargo sets this one for every test.
        hide("CARGO_PKG_NAME");
        assert_eq!(
            run(&["sh", "-c", "echo ${CARGO_PKG_NAME-nothing}"]).as_deref(),
            Ok("nothing")
        );
    }

    fn feed_to(words: &[&str], input: &[u8]) -> Result<()> {
        feed(&words.iter().map(|w| OsString::from(*w)).collect::<Vec<_>>(), input)
    }

    #[test]
    fn a_program_reads_what_it_is_fed_and_no_secret() {
        hide("MQSAFE_TEST_FED_SECRET");
        let large = vec![b'x'; 300_000];
        assert_eq!(feed_to(&["sh", "-c", "test $(wc -c) -eq 300000"], &large), Ok(()));
        assert_eq!(
            feed_to(&["sh", "-c", "test -z \"$MQSAFE_TEST_FED_SECRET\""], b"x"),
            Ok(())
        );
        assert_eq!(feed_to(&["true"], &large), Ok(()), "one that reads nothing");
        for bad in [&["false"][..], &["/nowhere/at/all"], &["sleep", "60"], &[]] {
            let began = Instant::now();
            assert!(feed_to(bad, b"x").is_err(), "{bad:?}");
            assert!(began.elapsed() < 2 * PATIENCE);
        }
    }
}
