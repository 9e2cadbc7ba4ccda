//! The brokers disturbed in the middle of `send`: acknowledgements lost, connections cut, servers killed, stopped and moved,
//! now and then with `send` killed too. In the end nothing is missing.

use crate::broker::{Broker, Kafka, Rabbit, Rocket, eventually, script, script_with};
use crate::proxy::{Proxy, Wire};
use crate::series::{judge_kill, quiet, said, seed};
use crate::support;
use crate::tool::{self, Case, Stats, counters};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::time::{Duration, Instant};

/// One run over a grown input, killed now and then, and held against the store.
fn round(case: &mut Case<'_>, stats: &mut Stats, patience: &str, rng: &mut StdRng) -> Vec<String> {
    let a_run = case.broker.lines_a_run();
    if stats.pending + (case.lines.len() as u64 - stats.accepted()) < 3 * a_run as u64 {
        case.grow(a_run);
    }
    let before = *stats;
    let send = case.send(&["--connect-timeout", "2s", "--delivery-timeout", patience]);
    let mut running = tool::start(send);
    if rng.random_ratio(1, 3) {
        std::thread::sleep(Duration::from_millis(rng.random_range(30..600)));
        running.kill();
    }
    let done = running.wait();
    let faults = if done.code == -9 {
        let after = case.stats();
        judge_kill(before, after, counters(&case.phases()))
    } else {
        case.judge_run(&done, before)
    };
    *stats = case.stats();
    faults
}

/// Rounds as long as something is done to the brokers.
fn rounds_during(
    case: &mut Case<'_>,
    stats: &mut Stats,
    faults: &mut Vec<String>,
    rng: &mut StdRng,
    disturb: impl FnOnce() + Send,
) -> u32 {
    let mut rounds = 0;
    std::thread::scope(|scope| {
        let disturbing = scope.spawn(disturb);
        while !disturbing.is_finished() || rounds == 0 {
            faults.extend(round(case, stats, "3s", rng));
            rounds += 1;
            // Servers that start need the machine too.
            std::thread::sleep(Duration::from_millis(300));
        }
        disturbing.join().unwrap();
    });
    rounds
}

/// Connections break with messages on them, again and again.
fn through_a_proxy(broker: &dyn Broker, proxy: &Proxy, mut rng: StdRng) -> Vec<String> {
    let (begun, mut case, mut faults) = (Instant::now(), Case::new(broker), Vec::new());
    let (rounds, mut stats) = (if support::full() { 40 } else { 8 }, Stats::default());
    // Some more where the kills came before anything was sent, as they do on a busy machine.
    for n in 0..3 * rounds {
        let (lost, cut) = proxy.done();
        if n >= rounds && lost >= 2 && cut >= 2 {
            break;
        }
        match n % 2 {
            0 => proxy.lose(rng.random_range(1..=3)),
            _ => proxy.reset(rng.random_range(1..=3)),
        }
        faults.extend(round(&mut case, &mut stats, "30s", &mut rng));
    }
    proxy.lose(0);
    proxy.reset(0);
    let (faults, again) = case.end(faults);
    let (lost, cut) = proxy.done();
    said!(
        "{}: {rounds} rounds in {:.0?}: {lost} acknowledgements lost, {cut} messages cut off; {} lines, {again} there again",
        broker.name(),
        begun.elapsed(),
        case.lines.len()
    );
    let mut faults = faults;
    if lost < 2 || cut < 2 {
        faults.push(format!(
            "only {lost} acknowledgements were lost and {cut} messages cut off"
        ));
    }
    faults
        .into_iter()
        .map(|fault| format!("{}: {fault}", broker.name()))
        .collect()
}

#[test]
fn a_lost_acknowledgement_and_a_cut_connection_cost_nothing() {
    let test = "killed::a_lost_acknowledgement_and_a_cut_connection_cost_nothing";
    let _quiet = quiet().read().unwrap_or_else(|e| e.into_inner());
    let seed = seed();
    let rng = |n: u64| StdRng::seed_from_u64(seed.wrapping_add(n));
    let kafka = || -> Option<Vec<String>> {
        let mut broker = Kafka::new(test)?;
        let nodes = ["KAFKA_1", "KAFKA_2", "KAFKA_3"].map(|name| support::address(test, name));
        let [one, two, three] = nodes;
        let proxy = Proxy::new(Wire::Kafka, &[&one?, &two?, &three?]);
        broker.through = Some(proxy.addresses().join(","));
        Some(through_a_proxy(&broker, &proxy, rng(0)))
    };
    let rabbit = || -> Option<Vec<String>> {
        let mut broker = Rabbit::new(test)?;
        let proxy = Proxy::new(Wire::Amqp, &[&broker.amqp]);
        broker.through = Some(proxy.addresses()[0].clone());
        Some(through_a_proxy(&broker, &proxy, rng(1)))
    };
    let rocket = || -> Option<Vec<String>> {
        let mut broker = Rocket::new(test)?;
        let proxy = Proxy::new(Wire::RocketMq, &[&broker.name_server, &broker.master]);
        broker.through = Some(proxy.addresses()[0].clone());
        Some(through_a_proxy(&broker, &proxy, rng(2)))
    };
    let faults: Vec<String> = std::thread::scope(|scope| {
        let running = [scope.spawn(kafka), scope.spawn(rabbit), scope.spawn(rocket)];
        running
            .into_iter()
            .flat_map(|thread| match thread.join() {
                Ok(faults) => faults.unwrap_or_default(),
                Err(_) => vec!["a broker's part panicked; see above".to_owned()],
            })
            .collect()
    });
    assert_eq!(faults, [] as [String; 0]);
}

/// What is done to the servers, each while `send` runs again and again.
type Disturbance<'a> = (&'static str, Box<dyn FnOnce() + Send + 'a>);

fn disturbed(
    broker: &dyn Broker,
    disturbances: Vec<Disturbance<'_>>,
    mut case: Case<'_>,
    mut rng: StdRng,
) -> Vec<String> {
    let (begun, mut faults, mut stats, mut told) = (Instant::now(), Vec::new(), Stats::default(), String::new());
    for (what, disturb) in disturbances {
        let rounds = rounds_during(&mut case, &mut stats, &mut faults, &mut rng, disturb);
        told += &format!(" {what} ({rounds} rounds),");
    }
    let (faults, again) = case.end(faults);
    said!(
        "{}:{told} in {:.0?}; {} lines, {again} there again",
        broker.name(),
        begun.elapsed(),
        case.lines.len()
    );
    faults
        .into_iter()
        .map(|fault| format!("{}: {fault}", broker.name()))
        .collect()
}

/// Makes whole what a test that failed in the middle left.
struct Healed(&'static str);

impl Drop for Healed {
    fn drop(&mut self) {
        script("up", &[self.0]);
    }
}

fn pause() {
    std::thread::sleep(Duration::from_millis(1500));
}

#[test]
fn servers_killed_stopped_and_moved_cost_nothing() {
    let test = "killed::servers_killed_stopped_and_moved_cost_nothing";
    let _alone = quiet().write().unwrap_or_else(|e| e.into_inner());
    let seed = seed();
    let rng = |n: u64| StdRng::seed_from_u64(seed.wrapping_add(n));
    let kafka = || -> Option<Vec<String>> {
        let broker = Kafka::new(test)?;
        let bootstrap = support::address(test, "KAFKA_BOOTSTRAP")?;
        let _healed = Healed("kafka");
        let case = Case::new(&broker);
        let topic = case.topic.clone();
        let leader = broker.leaders(&topic)?.0[0].to_string();
        let (whole, moved) = ((&broker, topic.clone()), (&broker, topic));
        let node = leader.clone();
        let mut all: Vec<Disturbance<'_>> = vec![
            ("its leader killed", {
                let node = node.clone();
                Box::new(move || {
                    script("kill", &["kafka", &node]);
                    pause();
                    script("restart", &["kafka", &node]);
                    eventually("every replica follows", || {
                        whole.0.leaders(&whole.1).is_some_and(|(_, whole)| whole)
                    });
                })
            }),
            ("its leaders moved back", {
                let leader: i32 = leader.parse().unwrap();
                Box::new(move || {
                    let election = "org.apache.kafka.tools.LeaderElectionCommand";
                    let words = [
                        "--bootstrap-server",
                        &bootstrap,
                        "--election-type",
                        "preferred",
                        "--all-topic-partitions",
                    ];
                    let before = moved.0.leaders(&moved.1);
                    script("kafka-tool", &[&[election][..], &words].concat());
                    eventually("the preferred node leads", || {
                        moved
                            .0
                            .leaders(&moved.1)
                            .is_some_and(|(leaders, _)| leaders[0] == leader)
                    });
                    assert!(
                        before.is_some_and(|(leaders, _)| leaders[0] != leader),
                        "no leader was moved"
                    );
                })
            }),
        ];
        if support::full() {
            all.push((
                "all nodes silent",
                Box::new(|| {
                    script("stop", &["kafka", "1", "2", "3"]);
                    pause();
                    script("cont", &["kafka", "1", "2", "3"]);
                }),
            ));
        }
        Some(disturbed(&broker, all, case, rng(0)))
    };
    let rabbit = || -> Option<Vec<String>> {
        let broker = Rabbit::new(test)?;
        let _healed = Healed("rabbitmq");
        let case = Case::new(&broker);
        Some(disturbed(&broker, common("rabbitmq", "server"), case, rng(1)))
    };
    let rocket = || -> Option<Vec<String>> {
        let broker = Rocket::new(test)?;
        let _healed = Healed("rocketmq");
        let case = Case::new(&broker);
        let mut all = common("rocketmq", "master");
        // Then the master has a message and does not say that it is safe.
        all.push((
            "its slave silent",
            Box::new(|| {
                script("stop", &["rocketmq", "slave"]);
                pause();
                script("cont", &["rocketmq", "slave"]);
            }),
        ));
        Some(disturbed(&broker, all, case, rng(2)))
    };
    let faults: Vec<String> = std::thread::scope(|scope| {
        let running = [scope.spawn(kafka), scope.spawn(rabbit), scope.spawn(rocket)];
        running
            .into_iter()
            .flat_map(|thread| match thread.join() {
                Ok(faults) => faults.unwrap_or_default(),
                Err(_) => vec!["a broker's part panicked; see above".to_owned()],
            })
            .collect()
    });
    assert_eq!(faults, [] as [String; 0]);
}

/// Killed and started again; in the long series also silent for a while, which a test of all connections does in any case.
fn common(broker: &'static str, node: &'static str) -> Vec<Disturbance<'static>> {
    let mut all: Vec<Disturbance<'static>> = vec![
        (
            "killed",
            Box::new(move || {
                if broker == "rabbitmq" {
                    script_with("rabbitmq-eval", &[], support::DECLARED);
                }
                script("kill", &[broker, node]);
                pause();
                script("restart", &[broker, node]);
            }),
        ),
        (
            "silent",
            Box::new(move || {
                script("stop", &[broker, node]);
                pause();
                script("cont", &[broker, node]);
            }),
        ),
    ];
    if !support::full() {
        all.truncate(1);
    }
    all
}
