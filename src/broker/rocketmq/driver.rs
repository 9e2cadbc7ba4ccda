//! The thread on which everything asynchronous of one endpoint runs.

use crate::model::{Problem, Result};
use std::sync::Arc;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Runs tasks until its last clone is dropped.
#[derive(Debug, Clone)]
pub(super) struct Driver {
    pub(super) handle: Handle,
    /// Dropping it ends the thread.
    _alive: Arc<oneshot::Sender<()>>,
}

impl Driver {
    pub(super) fn start() -> Result<Driver> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Problem::unknown("cannot start the connection to RocketMQ").because(e))?;
        let (alive, ended) = oneshot::channel::<()>();
        let handle = runtime.handle().clone();
        std::thread::Builder::new()
            .name("rocketmq".to_owned())
            .spawn(move || {
                // An error is how the end of all clones looks.
                let _ = runtime.block_on(ended);
                runtime.shutdown_background();
            })
            .map_err(|e| Problem::unknown("cannot start the thread that talks to RocketMQ").because(e))?;
        Ok(Driver {
            handle,
            _alive: Arc::new(alive),
        })
    }
}
