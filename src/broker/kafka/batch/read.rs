//! Numbers and bytes from the front of a slice. Every method answers `None` where too little is left, and then takes nothing back.

/// What is left to read.
#[derive(Debug, Clone, Copy)]
pub(in crate::broker::kafka) struct Reader<'a>(pub(in crate::broker::kafka) &'a [u8]);

impl<'a> Reader<'a> {
    /// The next bytes.
    #[inline]
    pub(in crate::broker::kafka) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, left) = self.0.split_at_checked(count)?;
        self.0 = left;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, left) = self.0.split_first_chunk::<N>()?;
        self.0 = left;
        Some(*taken)
    }

    pub(in crate::broker::kafka) fn i8(&mut self) -> Option<i8> {
        self.array().map(i8::from_be_bytes)
    }

    pub(in crate::broker::kafka) fn i16(&mut self) -> Option<i16> {
        self.array().map(i16::from_be_bytes)
    }

    pub(in crate::broker::kafka) fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_be_bytes)
    }

    pub(in crate::broker::kafka) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }

    /// A number of at most 64 bits, seven bits a byte, the lowest first; what goes beyond `bits` is no number.
    #[inline]
    fn unsigned(&mut self, bits: u32) -> Option<u64> {
        let (&first, left) = self.0.split_first()?;
        if first < 0x80 {
            self.0 = left;
            return Some(first.into());
        }
        // Most lengths and times of a batch have two bytes.
        if let Some((&second, left)) = left.split_first()
            && second < 0x80
        {
            self.0 = left;
            return Some(u64::from(first & 0x7f) | u64::from(second) << 7);
        }
        self.unsigned_long(bits)
    }

    fn unsigned_long(&mut self, bits: u32) -> Option<u64> {
        let mut value = 0u64;
        let mut shift = 0;
        for (i, byte) in self.0.iter().enumerate() {
            if shift >= bits {
                return None;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                self.0 = &self.0[i + 1..];
                return Some(value);
            }
            shift += 7;
        }
        None
    }

    /// An unsigned varint of 32 bits.
    pub(in crate::broker::kafka) fn unsigned_varint(&mut self) -> Option<u32> {
        self.unsigned(32).and_then(|value| u32::try_from(value).ok())
    }

    /// A zigzag varint of 32 bits.
    #[inline]
    pub(in crate::broker::kafka) fn varint(&mut self) -> Option<i32> {
        let value = self.unsigned(32)?;
        // Java drops what goes beyond.
        let value = value as u32;
        Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }

    /// A zigzag varint of 64 bits.
    #[inline]
    pub(in crate::broker::kafka) fn varlong(&mut self) -> Option<i64> {
        let value = self.unsigned(64)?;
        Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }

    /// Bytes after their length as a zigzag varint: `Some(None)` for a length below zero, which is null.
    #[inline]
    pub(in crate::broker::kafka) fn sized(&mut self) -> Option<Option<&'a [u8]>> {
        match usize::try_from(self.varint()?) {
            Ok(length) => self.take(length).map(Some),
            Err(_) => Some(None),
        }
    }

    /// The same with the length as four bytes.
    pub(in crate::broker::kafka) fn sized_by_i32(&mut self) -> Option<Option<&'a [u8]>> {
        match usize::try_from(self.i32()?) {
            Ok(length) => self.take(length).map(Some),
            Err(_) => Some(None),
        }
    }
}
