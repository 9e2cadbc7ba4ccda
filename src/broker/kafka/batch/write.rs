//! Writes batches for tests, by the words of Kafka's documentation ("Record Batch").

use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

/// A batch of format 2 as a test wants it.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) base_offset: i64,
    pub(crate) last_offset_delta: i32,
    pub(crate) leader_epoch: i32,
    pub(crate) attributes: i16,
    pub(crate) base_ms: i64,
    pub(crate) max_ms: i64,
    pub(crate) producer: (i64, i16, i32),
    pub(crate) messages: Vec<Message>,
}

/// One message of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) offset_delta: i32,
    pub(crate) ms_delta: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

fn varint(out: &mut Vec<u8>, number: i64) {
    let mut zigzag = ((number << 1) ^ (number >> 63)).cast_unsigned();
    while zigzag >= 0x80 {
        out.push((zigzag & 0x7f) as u8 | 0x80);
        zigzag >>= 7;
    }
    out.push(zigzag as u8);
}

fn sized(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    varint(out, bytes.map_or(-1, |b| b.len() as i64));
    out.extend_from_slice(bytes.unwrap_or_default());
}

impl Message {
    fn write(&self, out: &mut Vec<u8>) {
        let mut body = vec![0];
        varint(&mut body, self.ms_delta);
        varint(&mut body, self.offset_delta.into());
        sized(&mut body, self.key.as_deref());
        sized(&mut body, self.value.as_deref());
        varint(&mut body, self.headers.len() as i64);
        for (name, value) in &self.headers {
            sized(&mut body, Some(name));
            sized(&mut body, value.as_deref());
        }
        varint(out, body.len() as i64);
        out.extend_from_slice(&body);
    }
}

impl Plan {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut records = Vec::new();
        self.messages.iter().for_each(|m| m.write(&mut records));
        let packed = compress(self.attributes & 7, &records);
        let mut checked = Vec::new();
        checked.extend_from_slice(&self.attributes.to_be_bytes());
        checked.extend_from_slice(&self.last_offset_delta.to_be_bytes());
        checked.extend_from_slice(&self.base_ms.to_be_bytes());
        checked.extend_from_slice(&self.max_ms.to_be_bytes());
        checked.extend_from_slice(&self.producer.0.to_be_bytes());
        checked.extend_from_slice(&self.producer.1.to_be_bytes());
        checked.extend_from_slice(&self.producer.2.to_be_bytes());
        checked.extend_from_slice(&(self.messages.len() as i32).to_be_bytes());
        checked.extend_from_slice(&packed);
        let mut out = self.base_offset.to_be_bytes().to_vec();
        out.extend_from_slice(&(checked.len() as i32 + 9).to_be_bytes());
        out.extend_from_slice(&self.leader_epoch.to_be_bytes());
        out.push(2);
        out.extend_from_slice(&crc32c::crc32c(&checked).to_be_bytes());
        out.extend_from_slice(&checked);
        out
    }
}

fn compress(codec: i16, bytes: &[u8]) -> Vec<u8> {
    match codec {
        1 => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        2 => {
            // Two blocks as snappy-java writes them.
            let mut out = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
            for half in bytes.chunks(bytes.len().div_ceil(2).max(1)) {
                let block = snap::raw::Encoder::new().compress_vec(half).unwrap();
                out.extend_from_slice(&(block.len() as i32).to_be_bytes());
                out.extend_from_slice(&block);
            }
            out
        }
        3 => {
            // Linked blocks of 64 KiB; the second refers to the first.
            let mut out = b"\x04\x22\x4d\x18\x40\x40\0".to_vec();
            for (i, block) in bytes.chunks(64 << 10).enumerate() {
                let before = &bytes[(i << 16).saturating_sub(64 << 10)..i << 16];
                let packed = lz4_flex::block::compress_with_dict(block, before);
                out.extend_from_slice(&(packed.len() as u32).to_le_bytes());
                out.extend_from_slice(&packed);
            }
            out.extend_from_slice(&[0; 4]);
            out
        }
        4 => {
            let mut out = vec![0; zstd_safe::compress_bound(bytes.len())];
            let length = zstd_safe::compress(&mut out[..], bytes, 1).unwrap();
            out.truncate(length);
            out
        }
        _ => bytes.to_vec(),
    }
}
