//! One file for each rule.

pub(crate) mod kafka;
pub(crate) mod rabbitmq;
pub(crate) mod rocketmq;
#[cfg(test)]
mod testing;
