//! Snappy as Kafka's clients write it: one block, or the blocks of xerial's snappy-java, each after its length.

use super::Fault;
use super::codec::Space;
use super::read::Reader;

/// What snappy-java begins with, and may repeat between blocks; two version numbers follow.
const XERIAL: &[u8] = b"\x82SNAPPY\0";

const DAMAGED: Fault = Fault::Damaged("its snappy cannot be read");

/// Expands `packed` to the front of `space`, and says how many bytes that are.
pub(super) fn expand(packed: &[u8], space: &mut Space) -> Result<usize, Fault> {
    if !packed.starts_with(XERIAL) {
        return block(packed, space, 0);
    }
    let mut left = Reader(packed);
    let mut at = 0;
    while !left.0.is_empty() {
        if left.0.starts_with(XERIAL) {
            left.take(XERIAL.len() + 8).ok_or(DAMAGED)?;
            continue;
        }
        let one = left.sized_by_i32().flatten().ok_or(DAMAGED)?;
        at += block(one, space, at)?;
    }
    Ok(at)
}

fn block(packed: &[u8], space: &mut Space, at: usize) -> Result<usize, Fault> {
    let length = snap::raw::decompress_len(packed).map_err(|_| DAMAGED)?;
    space.at_least(at.checked_add(length).ok_or_else(|| space.too_large())?)?;
    let room = space.bytes.get_mut(at..at + length).ok_or(DAMAGED)?;
    snap::raw::Decoder::new().decompress(packed, room).map_err(|_| DAMAGED)
}
