//! What a reader saw, in the form that the judge of the Kafka tests takes.

/// One message as an independent reader saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(dead_code, reason = "the judge's own tests fill all of it")]
pub(crate) struct Seen {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Vec<u8>,
    /// The value of `mqsafe-id`.
    pub(crate) id: Option<String>,
}

impl Seen {
    pub(crate) fn new(id: Option<&str>, value: &str) -> Seen {
        Seen {
            partition: 0,
            offset: 0,
            key: None,
            value: value.as_bytes().to_vec(),
            id: id.map(str::to_owned),
        }
    }
}
