//! Bodies that the sender made smaller.

use super::message::{Compression, Stored};
use flate2::read::ZlibDecoder;
use std::borrow::Cow;
use std::io::Read;

/// More than any broker takes as one message; a few bytes can pretend to be gigabytes.
const LARGEST_BODY: u64 = 256 << 20;

/// The body as it was sent.
///
/// # Errors
/// Why it cannot be had.
pub(super) fn body<'a>(message: &Stored<'a>) -> Result<Cow<'a, [u8]>, String> {
    match message.compression() {
        None => Ok(Cow::Borrowed(message.body)),
        Some(Compression::Zlib) => zlib(message.body).map(Cow::Owned),
        Some(Compression::Other(kind)) => {
            let name = match kind {
                1 => "LZ4".to_owned(),
                2 => "zstd".to_owned(),
                other => format!("a method with the number {other}"),
            };
            Err(format!("its body is compressed by {name}, which cannot be read here"))
        }
    }
}

fn zlib(body: &[u8]) -> Result<Vec<u8>, String> {
    let mut whole = Vec::new();
    let read = ZlibDecoder::new(body).take(LARGEST_BODY + 1).read_to_end(&mut whole);
    match read {
        Ok(_) if whole.len() as u64 > LARGEST_BODY => Err("its body is too large when it is decompressed".to_owned()),
        Ok(_) => Ok(whole),
        Err(e) => Err(format!("its body cannot be decompressed ({e})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression as Level, write::ZlibEncoder};
    use std::io::Write;

    #[test]
    fn what_was_made_smaller_comes_back_and_rubbish_is_told() {
        let mut encoder = ZlibEncoder::new(Vec::new(), Level::fast());
        encoder.write_all(&[7; 10_000]).unwrap();
        let small = encoder.finish().unwrap();
        assert_eq!(zlib(&small).unwrap(), [7; 10_000]);
        assert!(zlib(&small[..small.len() / 2]).is_err());
        assert!(zlib(b"rubbish").is_err());
    }
}
