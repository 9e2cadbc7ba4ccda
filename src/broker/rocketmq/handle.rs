//! Where a half message lies, as it is kept with the decision about it.

use super::wire::Request;
use rocketmq_protocol::RequestCode;
use std::fmt;
use std::str::FromStr;

/// The first word of every handle; another one belongs to another format.
const FORMAT: &str = "rocketmq/1";

/// A half message at its broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Handle {
    /// The queue that it goes to when it is handed out.
    pub(super) queue: i32,
    /// Where it stands in the queue of half messages.
    pub(super) half_offset: i64,
    /// Where it lies in the broker's log.
    pub(super) log_offset: u64,
    /// Its `UNIQ_KEY`.
    pub(super) id: String,
    /// The producer group that the broker asks about it.
    pub(super) group: String,
    pub(super) broker: String,
}

impl Handle {
    /// `EndTransactionRequestHeader`: what is to become of it, `MessageSysFlag` says in which words; `asked` when the broker
    /// wanted to know.
    pub(super) fn request(&self, topic: &str, what: i32, asked: bool) -> Request {
        Request::new(RequestCode::EndTransaction)
            .with("topic", topic)
            .with("producerGroup", &self.group)
            .with("tranStateTableOffset", self.half_offset)
            .with("commitLogOffset", self.log_offset)
            .with("commitOrRollback", what)
            .with("fromTransactionCheck", asked)
            .with("msgId", &self.id)
            .with("transactionId", &self.id)
            .with("bname", &self.broker)
    }
}

/// One line. The name of the broker comes last: it is the only part that may hold spaces.
impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Handle {
            queue,
            half_offset,
            log_offset,
            id,
            group,
            broker,
        } = self;
        write!(f, "{FORMAT} {queue} {half_offset} {log_offset} {id} {group} {broker}")
    }
}

/// A text that is no handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoHandle;

impl FromStr for Handle {
    type Err = NoHandle;

    fn from_str(text: &str) -> Result<Handle, NoHandle> {
        let mut parts = text.splitn(7, ' ');
        let mut part = || parts.next().filter(|part| !part.is_empty()).ok_or(NoHandle);
        if part()? != FORMAT {
            return Err(NoHandle);
        }
        Ok(Handle {
            queue: part()?.parse().map_err(|_| NoHandle)?,
            half_offset: part()?.parse().map_err(|_| NoHandle)?,
            log_offset: part()?.parse().map_err(|_| NoHandle)?,
            id: part()?.to_owned(),
            group: part()?.to_owned(),
            broker: part()?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_survives_being_written_down() {
        let handle = Handle {
            queue: 3,
            half_offset: 17,
            log_offset: 1 << 40,
            id: "00AB".to_owned(),
            group: "mqsafe-p".to_owned(),
            broker: "broker a".to_owned(),
        };
        assert_eq!(handle.to_string().parse(), Ok(handle.clone()));
        let text = handle.to_string();
        for bad in [
            "",
            "rocketmq/2 3 17 5 00AB g b",
            "rocketmq/1 x 17 5 00AB g b",
            "rocketmq/1 3 17 5 00AB g ",
        ] {
            assert_eq!(bad.parse::<Handle>(), Err(NoHandle), "{bad}");
        }
        for end in 0..text.len() - "roker a".len() {
            assert_eq!(text[..end].parse::<Handle>(), Err(NoHandle), "{}", &text[..end]);
        }
    }
}
