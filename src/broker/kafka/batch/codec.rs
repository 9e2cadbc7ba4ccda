//! Decompression into memory that is used again for each batch, and never grows beyond its ceiling.

use super::{Fault, lz4, snappy};
use flate2::bufread::MultiGzDecoder;
use std::io::Read;
use zstd_safe::DCtx;

/// What the memory begins with; most batches have less.
const FIRST_BYTES: usize = 256 << 10;

/// How the messages of a batch are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Codec {
    /// The codec that the attributes of a batch name.
    pub(super) fn of(attributes: i16) -> Result<Codec, Fault> {
        match attributes & 7 {
            0 => Ok(Codec::None),
            1 => Ok(Codec::Gzip),
            2 => Ok(Codec::Snappy),
            3 => Ok(Codec::Lz4),
            4 => Ok(Codec::Zstd),
            other => Err(Fault::Unknown(format!("codec {other}"))),
        }
    }

    /// The bytes that were compressed: in `space`, or where they are when they never were.
    pub(super) fn expand<'b>(self, packed: &'b [u8], space: &'b mut Space) -> Result<&'b [u8], Fault> {
        let length = match self {
            Codec::None => return Ok(packed),
            Codec::Gzip => gzip(packed, space)?,
            Codec::Snappy => snappy::expand(packed, space)?,
            Codec::Lz4 => lz4::expand(packed, space)?,
            Codec::Zstd => zstd(packed, space)?,
        };
        Ok(space.bytes.get(..length).unwrap_or_default())
    }
}

/// Memory for one decompressed batch at a time.
pub(in crate::broker::kafka) struct Space {
    pub(super) bytes: Vec<u8>,
    ceiling: usize,
    zstd: Option<DCtx<'static>>,
}

impl std::fmt::Debug for Space {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Space({} of {})", self.bytes.len(), self.ceiling)
    }
}

impl Space {
    /// Memory of at most `ceiling` bytes; none yet.
    pub(in crate::broker::kafka) const fn new(ceiling: usize) -> Space {
        Space {
            bytes: Vec::new(),
            ceiling,
            zstd: None,
        }
    }

    pub(super) const fn too_large(&self) -> Fault {
        Fault::TooLarge(self.ceiling)
    }

    /// At least so many bytes.
    pub(super) fn at_least(&mut self, wanted: usize) -> Result<(), Fault> {
        if wanted > self.ceiling {
            return Err(self.too_large());
        }
        if wanted > self.bytes.len() {
            let size = wanted.max(FIRST_BYTES).max(self.bytes.len() * 2).min(self.ceiling);
            self.bytes.reserve_exact(size - self.bytes.len());
            self.bytes.resize(size, 0);
        }
        Ok(())
    }

    /// All that it may have.
    pub(super) fn below_ceiling(&mut self) -> Result<(), Fault> {
        self.at_least(self.ceiling)
    }

    /// More than there is.
    fn more(&mut self) -> Result<(), Fault> {
        self.at_least(self.bytes.len() + 1)
    }
}

fn gzip(packed: &[u8], space: &mut Space) -> Result<usize, Fault> {
    let mut decoder = MultiGzDecoder::new(packed);
    let mut at = 0;
    loop {
        if at == space.bytes.len() {
            // Whether anything is left is known only by trying.
            let mut one = [0];
            match read(&mut decoder, &mut one)? {
                0 => return Ok(at),
                _ => space.more()?,
            }
            space.bytes[at] = one[0];
            at += 1;
            continue;
        }
        match read(&mut decoder, &mut space.bytes[at..])? {
            0 => return Ok(at),
            count => at += count,
        }
    }
}

fn read(decoder: &mut impl Read, into: &mut [u8]) -> Result<usize, Fault> {
    decoder
        .read(into)
        .map_err(|_| Fault::Damaged("its gzip cannot be read"))
}

fn zstd(packed: &[u8], space: &mut Space) -> Result<usize, Fault> {
    let mut context = space.zstd.take().unwrap_or_else(DCtx::create);
    let expanded = zstd_with(&mut context, packed, space);
    space.zstd = Some(context);
    expanded
}

/// In one piece, straight to where it stays. A stream need not say its size, so what does not fit is tried again with more room.
fn zstd_with(context: &mut DCtx<'_>, packed: &[u8], space: &mut Space) -> Result<usize, Fault> {
    const DAMAGED: Fault = Fault::Damaged("its zstd cannot be read");
    let said = zstd_safe::get_frame_content_size(packed).map_err(|_| DAMAGED)?;
    match said.map(usize::try_from) {
        Some(Ok(size)) => space.at_least(size)?,
        Some(Err(_)) => return Err(space.too_large()),
        None => space.at_least(FIRST_BYTES.min(space.ceiling))?,
    }
    loop {
        let code = match context.decompress(&mut space.bytes[..], packed) {
            Ok(length) => return Ok(length),
            Err(code) => code,
        };
        if !zstd_safe::get_error_name(code).contains("buffer is too small") {
            return Err(DAMAGED);
        }
        space.more()?;
    }
}
