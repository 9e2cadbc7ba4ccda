//! The life of a publisher: connect, publish until the connection is lost, report, connect again.

use super::client::Client;
use super::publish::{Command, Phase, Shared};
use super::session::{End, Lost, Session};
use super::target::Target;
use crate::model::Delivery;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

/// The first pause between two attempts to connect, and the longest; each is twice the one before.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// After a refusal: whoever could put it right needs longer, and an account must not be locked.
const AFTER_REFUSAL: Duration = Duration::from_secs(15);

/// Runs until the publisher is dropped.
pub(super) async fn run(target: Target, shared: Arc<Shared>, mut commands: UnboundedReceiver<Command>) {
    loop {
        let Some(session) = connect(&target, &shared, &mut commands).await else {
            return;
        };
        let lost = match session.run(&shared, &mut commands).await {
            End::Dropped(client) => {
                client.close().await;
                return;
            }
            End::Lost(lost) => lost,
        };
        report(lost, &shared, &mut commands);
        if !renewed(&shared, &mut commands).await {
            return;
        }
    }
}

/// Connects until it succeeds; `None` when the publisher is gone.
async fn connect(target: &Target, shared: &Shared, commands: &mut UnboundedReceiver<Command>) -> Option<Session> {
    let mut pause = PAUSE;
    loop {
        let attempt = async {
            let client = Client::login(target, target.setup * target.hosts.len() as u32).await?;
            Session::open(client, target.setup).await
        };
        tokio::pin!(attempt);
        let outcome = loop {
            tokio::select! {
                outcome = &mut attempt => break outcome,
                command = commands.recv() => answer_idle(command?, shared),
            }
        };
        let wait = match outcome {
            Ok(session) => {
                shared.healthy();
                shared.state().phase = Phase::Up;
                return Some(session);
            }
            Err(why) => {
                tracing::debug!("cannot connect to {}: {why}", target.broker);
                let refused = why.is_refusal();
                shared.failed(why.to_string());
                if refused { AFTER_REFUSAL } else { pause }
            }
        };
        pause = (pause * 2).min(LONGEST_PAUSE);
        let until = Instant::now() + wait;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(until) => break,
                command = commands.recv() => answer_idle(command?, shared),
            }
        }
    }
}

/// A command while nothing can be in flight.
fn answer_idle(command: Command, shared: &Shared) {
    match command {
        Command::Publish(message) => {
            shared.state().waiting_bytes = 0;
            shared.settle(message.ticket, Delivery::NotSent("the connection was lost".to_owned()));
        }
        Command::Recall(answer) => {
            let _ = answer.send(());
        }
        Command::Renew => {}
    }
}

/// Reports everything that a lost connection leaves, and says whether somebody must ask for a new one.
fn report(lost: Lost, shared: &Shared, commands: &mut UnboundedReceiver<Command>) {
    let Lost {
        why,
        mut verdicts,
        suspects,
    } = lost;
    shared.failed(why.clone());
    let mut answers = Vec::new();
    {
        // From here on nothing is taken, so the queue holds all that was.
        let mut state = shared.state();
        state.phase = Phase::Broken;
        state.waiting_bytes = 0;
        state.singly = state.singly.max(suspects);
        while let Ok(command) = commands.try_recv() {
            match command {
                Command::Publish(message) => verdicts.push((message.ticket, Delivery::NotSent(why.clone()))),
                Command::Recall(answer) => answers.push(answer),
                Command::Renew => {}
            }
        }
        let comes_back =
            |(_, delivery): &(u64, Delivery)| matches!(delivery, Delivery::InDoubt(_) | Delivery::NotSent(_));
        if !verdicts.iter().any(comes_back) {
            // Nobody waits for anything, so nobody would ask.
            state.phase = Phase::Connecting;
        }
    }
    for (ticket, delivery) in verdicts {
        shared.settle(ticket, delivery);
    }
    for answer in answers {
        let _ = answer.send(());
    }
}

/// Waits until a new connection is wanted; `false` when the publisher is gone.
async fn renewed(shared: &Shared, commands: &mut UnboundedReceiver<Command>) -> bool {
    while shared.state().phase == Phase::Broken {
        match commands.recv().await {
            Some(command) => answer_idle(command, shared),
            None => return false,
        }
    }
    true
}
