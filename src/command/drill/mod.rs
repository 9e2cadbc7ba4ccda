//! `mqsafe drill`: the same messages under the same faults, sent carelessly and sent by `send`.
//!
//! Every application is a real child process, every figure of what is there is read back by `verify` as a child process.

mod child;
mod hurt;
mod stage;

use super::{resolve, stop};
use crate::broker::kafka::KafkaTarget;
use crate::broker::kafka::careless::{self, Habits};
use crate::cli::{BrokerArgs, CarelessArgs, DrillArgs, DrillFormat, DrillRun, Habit, SettingArgs};
use crate::drill::{Belief, Row, Sight};
use crate::model::{Outcome, Problem, Result};
use crate::ui::emit::drill as emit;
use crate::ui::{Table, Ui};
use child::Children;
use hurt::Hurt;
use stage::Stage;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One message every so often, so that a run lasts long enough for its faults.
const PACE: Duration = Duration::from_millis(1);

/// One run of a drill, before it is run.
struct Play {
    run: DrillRun,
    /// The name that the command line gives it.
    name: &'static str,
    /// The setting as its owner would write it.
    setting: &'static str,
    /// What is left out; each is needed for the loss.
    habits: &'static [Habit],
    /// The audit rules that say so.
    rules: &'static [&'static str],
}

const PLAYS: [Play; 6] = [
    Play {
        run: DrillRun::ShortTimeout,
        name: "short-timeout",
        setting: "message.timeout.ms=500, reports unread",
        habits: &[Habit::ShortTimeout, Habit::Unread],
        rules: &["KP004", "KP005"],
    },
    Play {
        run: DrillRun::NoRetries,
        name: "no-retries",
        setting: "retries=0, reports unread",
        habits: &[Habit::NoRetries, Habit::Unread],
        rules: &["KP003", "KP005"],
    },
    Play {
        run: DrillRun::NoFlush,
        name: "no-flush",
        setting: "exit without flush, reports unread",
        habits: &[Habit::NoFlush, Habit::Unread],
        rules: &["KP007", "KP005"],
    },
    Play {
        run: DrillRun::Acks1,
        name: "acks1",
        setting: "acks=1",
        habits: &[Habit::Acks1],
        rules: &["KP001"],
    },
    Play {
        run: DrillRun::Unclean,
        name: "unclean",
        setting: "min.insync.replicas=1, unclean election",
        habits: &[Habit::MinIsr1, Habit::Unclean],
        rules: &["KB002", "KB003"],
    },
    Play {
        run: DrillRun::Careful,
        name: "careful",
        setting: "mqsafe send, its defaults",
        habits: &[],
        rules: &[],
    },
];

pub(super) fn run(args: DrillArgs, ui: &Ui) -> Result<Outcome> {
    let mut stage = match &args.broker {
        None => Stage::mock()?,
        Some(broker) => Stage::real(broker, resolve::properties(&args.properties)?, &args.program)?,
    };
    let children = Children::new(stage.broker(), &args.properties, args.messages)?;
    undo_on_signal(stage.hurt(), children.work().to_owned())?;
    ui.say(&format!(
        "drill: {} messages a run on {}",
        args.messages,
        stage.describe()
    ));
    let progress = ui.progress("drill");
    let (mut rows, mut skipped) = (Vec::new(), Vec::new());
    for play in PLAYS
        .iter()
        .filter(|p| args.only.is_empty() || args.only.contains(&p.run))
    {
        if let Some(why) = stage.cannot(play.run) {
            skipped.push(format!("{} was not run: {why}", play.name));
            continue;
        }
        progress.set(rows.len() as u64, play.setting);
        let habits: Vec<Habit> = play
            .habits
            .iter()
            .copied()
            .filter(|h| !args.without.contains(h))
            .collect();
        let taken: Vec<Habit> = play
            .habits
            .iter()
            .copied()
            .filter(|h| args.without.contains(h))
            .collect();
        let topic = format!("mqsafe-drill-{}-{:08x}", play.name, rand::random::<u32>());
        stage.create_topic(&topic, &habits, play.run)?;
        let sight = children.play(&mut stage, play.run, &topic, &habits);
        stage.remove_topic(&topic);
        let without = taken.iter().map(|h| words(*h)).collect();
        rows.push(Row {
            run: play.name,
            setting: play.setting,
            without,
            sight: sight?,
            rules: play.rules,
        });
    }
    progress.finish();
    match args.format {
        DrillFormat::Json => ui.data(&emit::json(stage.name(), &rows))?,
        DrillFormat::Human => ui.data(table(&rows, ui.width()).as_bytes())?,
    }
    for line in skipped {
        ui.say(&line);
    }
    ui.say(stage.limits());
    Ok(judge(&rows, ui))
}

/// A drill that is told to stop leaves nothing hurt and nothing behind.
fn undo_on_signal(hurt: Option<Arc<Mutex<Hurt>>>, work: PathBuf) -> Result<()> {
    stop::on_signal(move |signal| {
        let (hurt, work) = (hurt.clone(), work.clone());
        // On a thread of its own: the one that hears signals must not wait for a cluster.
        let undo = move || {
            // Held to the end, so that the run cannot hurt anything again meanwhile.
            let mut hurt = hurt.as_ref().map(|hurt| hurt.lock().unwrap_or_else(|e| e.into_inner()));
            if let Some(Err(problem)) = hurt.as_mut().map(|hurt| hurt.undo()) {
                tracing::error!("{problem}");
            }
            let _ = std::fs::remove_dir_all(&work);
            #[expect(
                clippy::exit,
                reason = "what had to be undone is undone; the runs that are left are not wanted"
            )]
            std::process::exit(Outcome::Interrupted(signal).exit_code().into());
        };
        std::thread::spawn(undo);
    })
}

/// The word of the command line for a habit.
fn words(habit: Habit) -> String {
    clap::ValueEnum::to_possible_value(&habit).map_or_else(String::new, |v| v.get_name().to_owned())
}

fn table(rows: &[Row], width: usize) -> String {
    let titles = [
        "setting",
        "sent",
        "believed sent",
        "really there",
        "lost unnoticed",
        "twice",
        "audit says",
    ];
    let mut table = Table::new(&titles, width);
    table.numbers([1, 2, 3, 4, 5]);
    for row in rows {
        let Sight {
            belief: Belief { sent, believed },
            there,
            duplicates,
        } = row.sight;
        let counts = [sent, believed, there, row.sight.lost(), duplicates].map(|n| n.to_string());
        let without = if row.without.is_empty() {
            String::new()
        } else {
            format!(" (without {})", row.without.join(", "))
        };
        let rules = if row.rules.is_empty() {
            "-".to_owned()
        } else {
            row.rules.join(" ")
        };
        table.row(
            [format!("{}{without}", row.setting)]
                .into_iter()
                .chain(counts)
                .chain([rules]),
        );
    }
    table.render()
}

/// A drill is good when carelessness lost something and care lost nothing; anything else is not what it set out to show.
fn judge(rows: &[Row], ui: &Ui) -> Outcome {
    if rows.is_empty() {
        ui.summary("nothing was run, so nothing was shown");
        return Outcome::Unknown;
    }
    let mut outcome = Outcome::Good;
    let (mut careless_lost, mut careful_lost) = (0, 0);
    for row in rows {
        let careful = row.rules.is_empty() || !row.without.is_empty();
        let lost = row.sight.lost();
        if careful {
            careful_lost += lost
        } else {
            careless_lost += lost
        }
        if careful != (lost == 0) {
            let expected = if careful {
                "no loss was expected"
            } else {
                "a loss was expected"
            };
            ui.warn(&format!("{}: {expected}, and {lost} messages were lost", row.setting));
            outcome = Outcome::Unknown;
        }
    }
    ui.summary(&format!(
        "careless settings lost {careless_lost} messages that were believed sent; careful ones lost {careful_lost}"
    ));
    outcome
}

/// The careless application itself.
pub(super) fn careless(args: &CarelessArgs, ui: &Ui) -> Result<Outcome> {
    let broker = BrokerArgs {
        broker: Some(args.broker.clone()),
        settings: SettingArgs {
            properties: args.properties.clone(),
            ..SettingArgs::default()
        },
    };
    let target = KafkaTarget::new(&resolve::connection(&broker, ui)?, &args.topic)?;
    let has = |habit: Habit| args.habit.contains(&habit);
    let habits = Habits {
        short_timeout: has(Habit::ShortTimeout),
        no_retries: has(Habit::NoRetries),
        leader_only: has(Habit::Acks1),
        unread: has(Habit::Unread),
        no_flush: has(Habit::NoFlush),
    };
    let belief = careless::send(&target, habits, args.messages, PACE)?;
    ui.data(&emit::belief(belief))?;
    if habits.no_flush {
        #[expect(
            clippy::exit,
            reason = "the application that this plays ends here, with messages in its buffers"
        )]
        std::process::exit(0);
    }
    Ok(Outcome::Good)
}

/// What a child that did not do its part looks like.
fn broken(what: &str, why: impl std::fmt::Display) -> Problem {
    Problem::unknown(format!("the drill's {what} failed"))
        .because(why)
        .next("run it again with -v; on a real cluster check its state")
}
