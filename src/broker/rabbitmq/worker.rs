//! The life of a publisher: connect, publish until the connection is lost, report, connect again.

use super::client::Client;
use super::message::Prepared;
use super::publish::{Command, Phase, Shared};
use super::session::{self, End, Lost, Session};
use super::target::Target;
use crate::model::Delivery;
use std::collections::VecDeque;
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
    let target = Arc::new(target);
    // Taken, and handed to nobody yet.
    let mut queue = VecDeque::new();
    loop {
        let Some(session) = connect(&target, &shared, &mut commands, &mut queue).await else {
            return;
        };
        let lost = match session.run(&shared, &mut commands, &mut queue).await {
            End::Dropped(client) => {
                client.close().await;
                return;
            }
            End::Lost(lost) => lost,
        };
        report(lost, &shared, &mut commands, &mut queue);
        if !renewed(&shared, &mut commands, &mut queue).await {
            return;
        }
    }
}

/// Connects until it succeeds; `None` when the publisher is gone.
async fn connect(
    target: &Arc<Target>,
    shared: &Shared,
    commands: &mut UnboundedReceiver<Command>,
    queue: &mut VecDeque<Prepared>,
) -> Option<Session> {
    let mut pause = PAUSE;
    loop {
        let attempt = async {
            let client = Client::login(target, target.setup * target.hosts.len() as u32).await?;
            Session::open(client, target, shared).await
        };
        tokio::pin!(attempt);
        let outcome = loop {
            tokio::select! {
                outcome = &mut attempt => break outcome,
                command = commands.recv() => answer_idle(command?, shared, queue),
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
                command = commands.recv() => answer_idle(command?, shared, queue),
            }
        }
    }
}

/// A command while nothing is with the broker.
fn answer_idle(command: Command, shared: &Shared, queue: &mut VecDeque<Prepared>) {
    let lost = || Delivery::NotSent("the connection was lost".to_owned());
    match command {
        Command::Publish(message) => {
            shared.written(message.payload.len());
            shared.settle([(message.ticket, lost())]);
        }
        Command::Recall(answer) => {
            shared.written(queue.iter().map(|message| message.payload.len()).sum());
            shared.settle(queue.drain(..).map(|message| (message.ticket, lost())));
            let _ = answer.send(());
        }
        Command::Renew => {}
    }
}

/// Reports everything that a lost connection leaves, and says whether somebody must ask for a new one.
///
/// What waits in the queue follows what must be sent again, so it is given back with it. Otherwise the next connection takes it.
fn report(lost: Lost, shared: &Shared, commands: &mut UnboundedReceiver<Command>, queue: &mut VecDeque<Prepared>) {
    let Lost {
        why,
        mut verdicts,
        suspects,
        mut recalled,
    } = lost;
    shared.failed(why.clone());
    {
        // From here on nothing is taken, so the commands hold all that was.
        let mut state = shared.state();
        state.phase = Phase::Broken;
        state.singly = state.singly.max(suspects);
        while let Ok(command) = commands.try_recv() {
            match command {
                Command::Publish(message) => queue.push_back(*message),
                Command::Recall(answer) => recalled.push(answer),
                Command::Renew => {}
            }
        }
        if !recalled.is_empty() || verdicts.iter().any(session::comes_back) {
            let not_sent = |message: Prepared| (message.ticket, Delivery::NotSent(why.clone()));
            verdicts.extend(queue.drain(..).map(not_sent));
        }
        if !verdicts.iter().any(session::comes_back) {
            // Nobody waits for anything, so nobody would ask.
            state.phase = Phase::Connecting;
        }
        state.waiting_bytes = queue.iter().map(|message| message.payload.len()).sum();
    }
    shared.settle(verdicts);
    for answer in recalled {
        let _ = answer.send(());
    }
}

/// Waits until a new connection is wanted; `false` when the publisher is gone.
async fn renewed(shared: &Shared, commands: &mut UnboundedReceiver<Command>, queue: &mut VecDeque<Prepared>) -> bool {
    while shared.state().phase == Phase::Broken {
        match commands.recv().await {
            Some(command) => answer_idle(command, shared, queue),
            None => return false,
        }
    }
    true
}
