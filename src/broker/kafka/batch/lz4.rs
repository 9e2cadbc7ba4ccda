//! The frame format of LZ4. Its own checksums are not looked at: that of the batch covers the same bytes, and in the old formats
//! Kafka's clients computed the one of the frame's header wrongly (KAFKA-3160).

use super::Fault;
use super::codec::Space;
use super::read::Reader;
use lz4_flex::block::decompress_into_with_dict;

const MAGIC: u32 = 0x184D_2204;
/// How far back a block may refer to those before it.
const WINDOW: usize = 64 << 10;
/// Set where a block was left as it is.
const PLAIN: u32 = 1 << 31;

const DAMAGED: Fault = Fault::Damaged("its lz4 cannot be read");

/// Expands `packed` to the front of `space`, and says how many bytes that are.
pub(super) fn expand(packed: &[u8], space: &mut Space) -> Result<usize, Fault> {
    let mut left = Reader(packed);
    let mut at = 0;
    while !left.0.is_empty() {
        frame(&mut left, space, &mut at)?;
    }
    Ok(at)
}

fn frame(left: &mut Reader<'_>, space: &mut Space, at: &mut usize) -> Result<(), Fault> {
    let first = *at;
    if number(left)? != MAGIC {
        return Err(DAMAGED);
    }
    let flags = left.i8().ok_or(DAMAGED)?.cast_unsigned();
    let sizes = left.i8().ok_or(DAMAGED)?.cast_unsigned();
    let (version, has_dictionary) = (flags >> 6, flags & 1 != 0);
    if version != 1 || has_dictionary {
        return Err(DAMAGED);
    }
    let most = match (sizes >> 4) & 7 {
        4 => 64 << 10,
        5 => 256 << 10,
        6 => 1 << 20,
        7 => 4 << 20,
        _ => return Err(DAMAGED),
    };
    let (has_size, is_linked) = (flags & 0x08 != 0, flags & 0x20 == 0);
    left.take(if has_size { 8 } else { 0 } + 1).ok_or(DAMAGED)?;
    loop {
        let size = number(left)?;
        if size == 0 {
            break;
        }
        let block = left.take((size & !PLAIN) as usize).ok_or(DAMAGED)?;
        left.take(if flags & 0x10 != 0 { 4 } else { 0 }).ok_or(DAMAGED)?;
        if size & PLAIN != 0 {
            space.at_least(*at + block.len())?;
            space.bytes[*at..*at + block.len()].copy_from_slice(block);
            *at += block.len();
            continue;
        }
        // The last block may have less than `most`, so that the ceiling alone is no reason to give up.
        let is_short = space.at_least(*at + most).is_err();
        if is_short {
            space.below_ceiling()?;
        }
        let (done, room) = space.bytes.split_at_mut(*at);
        let window = if is_linked {
            done.len().min(WINDOW).min(*at - first)
        } else {
            0
        };
        let room_bytes = room.len().min(most);
        let expanded = decompress_into_with_dict(block, &mut room[..room_bytes], &done[*at - window..]);
        *at += expanded.map_err(|_| if is_short { space.too_large() } else { DAMAGED })?;
    }
    left.take(if flags & 0x04 != 0 { 4 } else { 0 }).ok_or(DAMAGED)?;
    Ok(())
}

/// LZ4 counts with the lowest byte first.
fn number(left: &mut Reader<'_>) -> Result<u32, Fault> {
    Ok(left.i32().ok_or(DAMAGED)?.cast_unsigned().swap_bytes())
}
