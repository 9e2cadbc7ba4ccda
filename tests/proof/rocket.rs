//! The proofs on RocketMQ. Its configuration is a file, and the file that `audit` judges is the one that the broker was started with.

use crate::nodes::{Healed, alone, audit, eventually, fresh, named, script, script_with};
use crate::proofs::{self, Of};
use crate::support;
use crate::verdict::{Ran, Shown, series};
use crate::wire::Wire;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

const FEW: usize = 20;
/// A master that waits for no slave; the rest is the line that differs.
const ALONE: &str = "brokerRole=ASYNC_MASTER\ninSyncReplicas\n";

#[test]
fn the_rules_of_rocketmq_are_right() {
    let test = "proof::the_rules_of_rocketmq_are_right";
    let Some(pair) = Pair::of(test) else { return };
    let _alone = alone(Of::Rocket);
    let _whole = Whole;
    series(Of::Rocket, || {
        let mut all = pair.slave_is_dead_and_the_disk_of_the_master_is_wiped();
        all.extend(pair.master_dies_alone());
        all
    });
}

/// What `audit` names for the master is what is lost when it dies with its disk.
#[test]
fn topics_that_a_master_takes_with_it_are_named_before() {
    let test = "proof::topics_that_a_master_takes_with_it_are_named_before";
    let (Some(pair), Some(servers)) = (Pair::of(test), support::address(test, "ROCKETMQ_NAMESRV")) else {
        return;
    };
    let _alone = alone(Of::Rocket);
    let _whole = Whole;
    // Nobody waits for a slave. With it at hand a topic may be lost and need not be; without it every one is that is written to.
    let case = Death::begin(&pair, &servers, "brokerRole=ASYNC_MASTER\ninSyncReplicas\n");
    assert_eq!(case.named(), case.topics(), "what nobody waits for");
    script("kill", &["rocketmq", "slave"]);
    let case = case.write();
    eventually("the master hears that its slave is gone", || {
        case.why().iter().all(|why| why.starts_with("no slave is connected"))
    });
    let named = case.named();
    script("wipe", &["rocketmq", "master"]);
    script("up", &["rocketmq", "slave"]);
    assert_eq!(case.lost(), named);
    assert_eq!(named, case.topics());

    // Two copies are waited for: nothing is named, and nothing is lost.
    let case = Death::begin(&pair, &servers, "").write();
    let named = case.named();
    script("wipe", &["rocketmq", "master"]);
    assert_eq!((named, case.lost()), (BTreeSet::new(), BTreeSet::new()));
}

/// Two topics on a pair whose master is to die.
struct Death<'p> {
    pair: &'p Pair,
    servers: String,
    about: String,
    /// What the producer was told of, by topic.
    told: BTreeMap<String, BTreeSet<String>>,
}

impl<'p> Death<'p> {
    /// An empty pair with these settings, and topics with something in them that both have.
    fn begin(pair: &'p Pair, servers: &str, settings: &str) -> Death<'p> {
        script("wipe", &["rocketmq", "master", "slave"]);
        configure("master", settings);
        configure("slave", "slaveReadEnable=true");
        script("up", &["rocketmq"]);
        let about = fresh("death");
        let names = ["a", "b"].map(|name| format!("{about}-{name}"));
        let mut wire = Pair::open(&pair.master);
        names.iter().for_each(|name| wire.make(name));
        let case = Death {
            pair,
            servers: servers.to_owned(),
            about,
            told: names.into_iter().map(|name| (name, BTreeSet::new())).collect(),
        };
        let case = case.write();
        eventually("the slave has it", || case.lost().is_empty());
        case
    }

    fn topics(&self) -> BTreeSet<String> {
        self.told.keys().cloned().collect()
    }

    /// Some more in each topic, all of which is called safe.
    fn write(mut self) -> Self {
        let mut wire = Pair::open(&self.pair.master);
        for (topic, told) in &mut self.told {
            for _ in 0..FEW {
                let id = format!("m-{}", fresh("death"));
                eventually(&format!("{topic} takes a message"), || wire.send_to(topic, &id));
                told.insert(id);
            }
        }
        self
    }

    fn report(&self) -> serde_json::Value {
        let broker = format!("rocketmq://{}", self.servers);
        audit(&["-b", &broker, "--topic", &format!("{}-*", self.about)])
    }

    /// The topics that are named for the master.
    fn named(&self) -> BTreeSet<String> {
        let node = format!("broker-a at {}", self.pair.master);
        named(&self.report(), |name| name == node)
    }

    /// Why they are.
    fn why(&self) -> Vec<String> {
        let report = self.report();
        let all = report["running"][0]["at_risk"].as_array().unwrap().iter();
        all.flat_map(|r| r["losses"].as_array().unwrap())
            .map(|l| l["why"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The topics of which the slave lacks something that was called safe.
    fn lost(&self) -> BTreeSet<String> {
        let mut wire = Pair::open(&self.pair.slave);
        let mut lacks = |(topic, told): &(&String, &BTreeSet<String>)| {
            // The slave hears of a new topic after some seconds; one that it never hears of is lost.
            let found = wire.read_from(topic).unwrap_or_default();
            !found.is_superset(told)
        };
        self.told
            .iter()
            .filter(|one| lacks(one))
            .map(|(topic, _)| topic.clone())
            .collect()
    }
}

/// Gives both their own configuration back, and the pair its usual state.
struct Whole;

impl Drop for Whole {
    fn drop(&mut self) {
        let _healed = Healed("rocketmq");
        if std::thread::panicking() {
            // Whatever it was that failed must not be hidden by another failure.
            let _ = std::panic::catch_unwind(anew);
        } else {
            anew();
        }
    }
}

fn anew() {
    script("wipe", &["rocketmq", "master", "slave"]);
    configure("master", "");
    configure("slave", "");
}

fn configure(node: &str, settings: &str) {
    script_with("configure", &["rocketmq", node], settings);
}

struct Pair {
    master: String,
    slave: String,
    /// Of the master: its configuration and its disk.
    dir: PathBuf,
}

/// What was written in one run, and how the broker was configured then.
struct Written {
    about: String,
    ran: Ran,
}

impl Written {
    /// Takes what belongs to this run out of what a reader got.
    fn found(mut self, read: &BTreeSet<String>) -> Ran {
        self.ran.found = read.iter().filter(|id| id.starts_with(&self.about)).cloned().collect();
        self.ran
    }
}

impl Pair {
    fn of(test: &str) -> Option<Pair> {
        let out = support::address(test, "ROCKETMQ_OUT_MASTER")?;
        Some(Pair {
            master: support::address(test, "ROCKETMQ_MASTER")?,
            slave: support::address(test, "ROCKETMQ_SLAVE")?,
            dir: Path::new(&out).parent().unwrap().to_owned(),
        })
    }

    /// The file that the master was started with.
    fn configuration(&self) -> String {
        std::fs::read_to_string(self.dir.join("master.conf")).unwrap()
    }

    fn run(&self, about: &str) -> Written {
        Written {
            about: format!("m-{}-", fresh(about)),
            ran: Ran {
                text: self.configuration(),
                ..Ran::default()
            },
        }
    }

    fn open(address: &str) -> Wire {
        let mut wire = None;
        eventually("the broker takes connections", || {
            wire = Wire::open(address).ok();
            wire.is_some()
        });
        let mut wire = wire.unwrap();
        eventually("the broker knows about itself", || {
            wire.told("commitLogMaxOffset").is_some()
        });
        wire
    }

    /// Who is refused twice keeps the rest to itself.
    fn send(&self, wire: &mut Wire, run: &mut Written, count: usize) {
        let mut refused = 0;
        for _ in 0..count {
            let id = format!("{}{}", run.about, rand::random::<u32>());
            if wire.send(&id) {
                run.ran.told.insert(id);
            } else {
                refused += 1;
            }
            if refused == 2 {
                return;
            }
        }
    }

    /// Roles, and copies: one run with the sound file, which is the other side of both proofs.
    fn slave_is_dead_and_the_disk_of_the_master_is_wiped(&self) -> Vec<Shown> {
        let (role, copies) = (proofs::of("RMB002"), proofs::of("RMB003"));
        let good = self.wiped("");
        let bad_role = self.wiped(role.line(proofs::Side::Bad));
        let bad_copies = self.wiped("inSyncReplicas");
        vec![
            Shown {
                proof: role,
                bad: bad_role,
                good: good.clone(),
            },
            Shown {
                proof: copies,
                bad: bad_copies,
                good,
            },
        ]
    }

    fn wiped(&self, settings: &str) -> Ran {
        script("wipe", &["rocketmq", "master", "slave"]);
        configure("master", settings);
        // Without it a slave answers no reader.
        configure("slave", "slaveReadEnable=true");
        script("up", &["rocketmq"]);
        let mut run = self.run("wiped");
        let mut wire = Pair::open(&self.master);
        // A slave that has only just come is waited for in vain.
        eventually("with its slave the master takes everything", || {
            let left = FEW - run.ran.told.len();
            self.send(&mut wire, &mut run, left);
            run.ran.told.len() == FEW
        });
        eventually("the slave has it", || {
            Pair::open(&self.slave).read().is_superset(&run.ran.told)
        });
        script("kill", &["rocketmq", "slave"]);
        self.send(&mut wire, &mut run, FEW);
        script("wipe", &["rocketmq", "master"]);
        script("up", &["rocketmq", "slave"]);
        run.found(&Pair::open(&self.slave).read())
    }

    /// One master without a slave, killed three times and twice without power. What a run has left is read in the next one, because
    /// a reader does not care how the broker is configured that reads it from the disk.
    fn master_dies_alone(&self) -> Vec<Shown> {
        let (flush, pool) = (proofs::of("RMB001"), proofs::of("RMB006"));
        // Commits of the pool once in two seconds instead of five times in one, so that the kill is in time; and four buffers
        // of the size of a file, because a broker that has none left refuses everything.
        let slow = "commitIntervalCommitLog=2000\ncommitCommitLogThoroughInterval=2000\ntransientStorePoolSize=4\nmappedFileSizeCommitLog=16777216\n";
        let settings = |flush: &str, pool: &str| format!("{ALONE}{flush}\n{pool}\n{slow}");
        let on = |pooled| pool.line(pooled);
        let by = |flushed| flush.line(flushed);
        use proofs::Side::{Bad, Good};

        script("wipe", &["rocketmq", "master", "slave"]);
        // The pool first: files that exist are not taken into it.
        self.restart(&settings(by(Bad), on(Bad)));
        let pooled = self.killed("pool");
        let mut wire = self.restart(&settings(by(Bad), on(Good)));
        let bad_pool = pooled.found(&wire.read());

        let plain = self.killed("plain");
        let mut wire = self.restart(&settings(by(Bad), on(Good)));
        let good_pool = plain.found(&wire.read());

        let unsynced = self.powerless("async");
        let mut wire = self.restart(&settings(by(Good), on(Good)));
        let bad_flush = unsynced.found(&wire.read());

        let synced = self.powerless("sync");
        let mut wire = self.restart(&settings(by(Good), on(Good)));
        let good_flush = synced.found(&wire.read());
        vec![
            Shown {
                proof: pool,
                bad: bad_pool,
                good: good_pool,
            },
            Shown {
                proof: flush,
                bad: bad_flush,
                good: good_flush,
            },
        ]
    }

    /// Starts the master, which is dead, with these settings.
    fn restart(&self, settings: &str) -> Wire {
        configure("master", settings);
        script("up", &["rocketmq", "master"]);
        Pair::open(&self.master)
    }

    /// Writes, and kills the process at once; the host and its page cache live on.
    fn killed(&self, about: &str) -> Written {
        let mut run = self.run(about);
        let mut wire = Pair::open(&self.master);
        eventually("the broker takes messages", || wire.send("first"));
        // Right after a commit is the longest time before the next.
        eventually("the pool is committed", || {
            wire.told("remainHowManyDataToCommit").is_none_or(|left| left == 0.0)
        });
        self.send(&mut wire, &mut run, FEW);
        self.signal("KILL");
        script("kill", &["rocketmq", "master"]);
        run
    }

    /// Writes, and takes the power from the host of the broker: what was not synced is not there afterwards.
    fn powerless(&self, about: &str) -> Written {
        let mut run = self.run(about);
        let mut wire = Pair::open(&self.master);
        let unsynced = |wire: &mut Wire| wire.told("remainHowManyDataToFlush").unwrap();
        let end = |wire: &mut Wire| wire.told("commitLogMaxOffset").unwrap();
        for attempt in 1.. {
            // From a point where everything is on the disk, as it is at the latest ten seconds after the last message.
            eventually("everything is synced", || unsynced(&mut wire) == 0.0);
            let synced = end(&mut wire);
            self.send(&mut wire, &mut run, FEW);
            let (left, end) = (unsynced(&mut wire), end(&mut wire));
            self.signal("STOP");
            // The broker says that nothing was synced since, and the kernel that nothing is after it said so.
            let nothing_synced = left > 0.0 && (end - synced - left).abs() < 64.0;
            if nothing_synced && self.dirty() {
                self.cut(synced as u64, end as u64);
                break;
            }
            // The broker may have synced in the middle; one that does so every time keeps everything.
            if attempt == 5 {
                self.cut(end as u64, end as u64);
                break;
            }
            self.signal("CONT");
        }
        run
    }

    fn pid(&self) -> String {
        let text = std::fs::read_to_string(self.dir.join("pid")).unwrap();
        text.split_whitespace().next().unwrap().to_owned()
    }

    /// A signal without the way through a script, because time counts here.
    fn signal(&self, name: &str) {
        let done = Command::new("kill").args(["-s", name, &self.pid()]).status().unwrap();
        assert!(done.success());
    }

    /// Whether pages of the commit log wait to be written to the disk.
    fn dirty(&self) -> bool {
        let maps = std::fs::read_to_string(format!("/proc/{}/smaps", self.pid())).unwrap();
        let mut of_log = false;
        let mut kilobytes = 0u64;
        for line in maps.lines() {
            if line.contains("/store/commitlog/") {
                of_log = true;
            } else if line.split_whitespace().next().is_some_and(|word| !word.ends_with(':')) {
                of_log = false;
            } else if of_log && (line.starts_with("Shared_Dirty:") || line.starts_with("Private_Dirty:")) {
                kilobytes += line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap();
            }
        }
        kilobytes > 0
    }

    /// Ends the stopped process, and takes from its log what was not synced.
    fn cut(&self, synced: u64, end: u64) {
        script("kill", &["rocketmq", "master"]);
        // The first file, because a run writes some kilobytes; its name is the position that it begins at.
        let path = self.dir.join("store/commitlog/00000000000000000000");
        let mut log = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        log.seek(SeekFrom::Start(synced)).unwrap();
        log.write_all(&vec![0; usize::try_from(end - synced).unwrap()]).unwrap();
        log.sync_all().unwrap();
    }
}
