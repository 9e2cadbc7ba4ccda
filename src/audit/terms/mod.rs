//! The words of each broker: which keys exist, what they mean elsewhere, and what an absent one means.

pub(crate) mod canonical;
pub(crate) mod kafka;
pub(crate) mod rocketmq;
