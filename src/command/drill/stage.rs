//! Where a drill is played, and the faults that happen there.

use super::broken;
use super::hurt::Hurt;
use crate::broker::kafka::KafkaTarget;
use crate::broker::kafka::mock::MockKafka;
use crate::broker::kafka::testbed::{self, Placement};
use crate::cli::{DrillRun, Habit};
use crate::connect::{BrokerUrl, ClientProperties, Connection};
use crate::model::Result;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::sleep;
use std::time::{Duration, Instant};

const ROUND_TRIP: Duration = Duration::from_millis(40);
const MOCK_BROKERS: i32 = 3;
/// A dead broker is noticed by its missing heartbeats, within 9 s by default (`broker.session.timeout.ms`).
const ELECTION: Duration = Duration::from_secs(30);

/// A mock inside this process, or a real test cluster.
pub(super) enum Stage {
    Mock(MockKafka),
    Real(Real),
}

/// A real test cluster, with the program that can hurt its brokers, if one was given.
pub(super) struct Real {
    cluster: KafkaTarget,
    /// The placement that a run began with.
    started: Option<Placement>,
    /// What must be undone; shared with whoever hears a signal.
    hurt: Arc<Mutex<Hurt>>,
}

impl Stage {
    pub(super) fn mock() -> Result<Stage> {
        Ok(Stage::Mock(MockKafka::start(MOCK_BROKERS, ROUND_TRIP)?))
    }

    pub(super) fn real(broker: &str, properties: ClientProperties, program: &[PathBuf]) -> Result<Stage> {
        let connection = Connection {
            url: BrokerUrl::parse(broker)?,
            properties,
            management: None,
        };
        Ok(Stage::Real(Real {
            cluster: KafkaTarget::new(&connection, "mqsafe-drill")?,
            started: None,
            hurt: Arc::new(Mutex::new(Hurt::by(program))),
        }))
    }

    /// What must be undone when somebody asks to stop; nothing on a mock, which ends with this process.
    pub(super) fn hurt(&self) -> Option<Arc<Mutex<Hurt>>> {
        match self {
            Stage::Mock(_) => None,
            Stage::Real(real) => Some(Arc::clone(&real.hurt)),
        }
    }

    pub(super) fn broker(&self) -> String {
        match self {
            Stage::Mock(mock) => mock.bootstrap(),
            Stage::Real(real) => real.cluster.broker.to_string(),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Stage::Mock(_) => "mock",
            Stage::Real(_) => "real",
        }
    }

    pub(super) fn describe(&self) -> String {
        match self {
            Stage::Mock(_) => format!(
                "librdkafka's mock cluster: {} ms round trip, error answers, an outage of 1.2 s",
                ROUND_TRIP.as_millis()
            ),
            Stage::Real(real) => format!("the test cluster {}", real.cluster.broker),
        }
    }

    /// What this stage cannot show, said plainly.
    pub(super) fn limits(&self) -> &'static str {
        match self {
            Stage::Mock(_) => {
                "This ran on a mock: one log and no replicas, so acks=1, min.insync.replicas and unclean election lose nothing \
                 here, and what stands there twice is the mock's own, which does not drop resends. For those run it on a test \
                 cluster: mqsafe drill -b URL -- PROGRAM"
            }
            Stage::Real(_) => "This ran on a real cluster; its topics were made for the drill and removed.",
        }
    }

    /// Why a run cannot be played here.
    pub(super) fn cannot(&self, run: DrillRun) -> Option<&'static str> {
        match (self, run) {
            (Stage::Mock(_), DrillRun::Acks1 | DrillRun::Unclean) => Some("the mock has no replicas"),
            (Stage::Real(real), DrillRun::ShortTimeout | DrillRun::NoRetries | DrillRun::Acks1 | DrillRun::Unclean)
                if real.hurt().program.is_empty() =>
            {
                Some("it needs a program that stops and kills brokers, after --")
            }
            (Stage::Mock(_) | Stage::Real(_), _) => None,
        }
    }

    pub(super) fn create_topic(&self, topic: &str, habits: &[Habit], run: DrillRun) -> Result<()> {
        match self {
            Stage::Mock(mock) => mock.create_topic(topic, 1),
            Stage::Real(real) => {
                let careless = |habit: Habit, yes, no| if habits.contains(&habit) { yes } else { no };
                let min_isr = careless(Habit::MinIsr1, "1", "2");
                let unclean = careless(Habit::Unclean, "true", "false");
                // With two replicas one stopped follower leaves the leader alone, and the controllers keep their majority.
                let replicas = if run == DrillRun::Unclean { 2 } else { 3 };
                let settings = [
                    ("min.insync.replicas", min_isr),
                    ("unclean.leader.election.enable", unclean),
                ];
                real.hurt().topic = Some(real.target(topic));
                testbed::create(&real.target(topic), replicas, &settings)
            }
        }
    }

    pub(super) fn remove_topic(&self, topic: &str) {
        if let Stage::Real(real) = self {
            real.hurt().topic = None;
            testbed::delete(&real.target(topic));
        }
    }

    /// What must be so before the application starts.
    pub(super) fn before(&mut self, run: DrillRun, topic: &str) -> Result<()> {
        let Stage::Real(real) = self else { return Ok(()) };
        real.started = Some(real.placement(topic)?);
        if run == DrillRun::Unclean {
            let followers = real.followers();
            real.hurt().stop(&followers)?;
            let alone = |p: &Placement| p.in_sync.len() == 1;
            real.wait(topic, "the follower is still in sync", alone)?;
        }
        Ok(())
    }

    /// What happens while the application works.
    pub(super) fn faults(&mut self, run: DrillRun, topic: &str) -> Result<()> {
        match self {
            Stage::Mock(mock) => {
                sleep(Duration::from_millis(300));
                mock.refuse_next(4);
                sleep(Duration::from_millis(400));
                mock.set_down(true)?;
                sleep(Duration::from_millis(1200));
                mock.set_down(false)
            }
            Stage::Real(real) => real.faults(run, topic),
        }
    }

    /// Makes everything well again.
    pub(super) fn heal(&mut self, topic: &str) -> Result<()> {
        let Stage::Real(real) = self else { return Ok(()) };
        real.heal(topic)
    }
}

impl Real {
    fn target(&self, topic: &str) -> KafkaTarget {
        self.cluster.with_topic(topic)
    }

    fn placement(&self, topic: &str) -> Result<Placement> {
        testbed::placement(&self.target(topic)).ok_or_else(|| broken("cluster", "it does not say who leads the topic"))
    }

    fn leader(&self) -> i32 {
        self.started.as_ref().map_or(-1, |p| p.leader)
    }

    fn followers(&self) -> Vec<i32> {
        let leader = self.leader();
        self.started
            .iter()
            .flat_map(|p| &p.replicas)
            .copied()
            .filter(|id| *id != leader)
            .collect()
    }

    fn hurt(&self) -> MutexGuard<'_, Hurt> {
        self.hurt.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn wait(&self, topic: &str, what: &str, good: impl Fn(&Placement) -> bool) -> Result<()> {
        let start = Instant::now();
        while !testbed::placement(&self.target(topic)).is_some_and(|p| good(&p)) {
            if start.elapsed() > ELECTION {
                return Err(broken("cluster", format!("{what} after {} s", ELECTION.as_secs())));
            }
            sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    fn faults(&self, run: DrillRun, topic: &str) -> Result<()> {
        let leader = self.leader();
        match run {
            DrillRun::NoFlush => Ok(()),
            // The leader hangs, then dies with requests on the wire.
            DrillRun::ShortTimeout | DrillRun::NoRetries | DrillRun::Careful => {
                if self.hurt().program.is_empty() {
                    return Ok(());
                }
                sleep(Duration::from_millis(500));
                self.hurt().stop(&[leader])?;
                sleep(Duration::from_secs(2));
                self.hurt().kill(leader)?;
                self.wait(topic, "there is no new leader", |p| p.leader >= 0 && p.leader != leader)
            }
            // The followers hang for less than they may lag; what the leader confirms meanwhile is on the leader alone.
            DrillRun::Acks1 => {
                sleep(Duration::from_millis(500));
                let followers = self.followers();
                self.hurt().stop(&followers)?;
                sleep(Duration::from_secs(3));
                self.hurt().kill(leader)?;
                self.hurt().go_on()?;
                self.wait(topic, "there is no new leader", |p| p.leader >= 0 && p.leader != leader)
            }
            // The follower is out of sync already; the leader dies, and the follower comes back without what it missed.
            DrillRun::Unclean => {
                sleep(Duration::from_secs(4));
                self.hurt().kill(leader)?;
                self.hurt().go_on()?;
                // Without unclean election nobody may lead now, which is the point.
                let _ = self.wait(topic, "there is no new leader", |p| p.leader >= 0 && p.leader != leader);
                self.heal(topic)
            }
        }
    }

    fn heal(&self, topic: &str) -> Result<()> {
        self.hurt().heal()?;
        self.wait(topic, "its replicas are not in sync again", |p| {
            p.leader >= 0 && p.in_sync.len() == p.replicas.len()
        })
    }
}
