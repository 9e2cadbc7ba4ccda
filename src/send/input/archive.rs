//! The end of an archive: `query-key --format jsonl` writes a hash of its lines after them, so that one that was damaged or cut
//! and joined is noticed.

use sha2::{Digest, Sha256};

/// The lines since the last end. What does not begin at the beginning cannot be checked, and is taken as it is.
#[derive(Debug, Clone)]
pub(super) struct Archive(Option<Sha256>);

impl Archive {
    pub(super) fn new(from_the_beginning: bool) -> Archive {
        Archive(from_the_beginning.then(Sha256::new))
    }

    /// Takes one line, without its end.
    pub(super) fn line(&mut self, line: &[u8]) {
        if let Some(hasher) = &mut self.0 {
            hasher.update(line);
            hasher.update(b"\n");
        }
    }

    /// The end, with the hash that it holds; what comes after it is another archive.
    ///
    /// # Errors
    /// That the lines before are not those that were written.
    pub(super) fn end(&mut self, sha256: &str) -> Result<(), String> {
        let Some(hasher) = self.0.replace(Sha256::new()) else {
            return Ok(());
        };
        let hash: String = hasher.finalize().iter().map(|b| format!("{b:02x}")).collect();
        match hash.eq_ignore_ascii_case(sha256) {
            true => Ok(()),
            false => Err(
                "the records before this line are not those that query-key wrote: its hash of them differs".to_owned(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_archive_is_judged_by_its_own_lines() {
        let hash = |text: &[u8]| -> String { Sha256::digest(text).iter().map(|b| format!("{b:02x}")).collect() };
        let mut archive = Archive::new(true);
        archive.line(b"a");
        archive.line(b"b");
        assert_eq!(archive.end(&hash(b"a\nb\n")), Ok(()));
        assert_eq!(archive.end(&hash(b"")), Ok(()));
        archive.line(b"c");
        assert!(archive.end(&hash(b"a\n")).is_err());
        // From the middle on nobody knows, but after the next end it is known again.
        let mut middle = Archive::new(false);
        middle.line(b"x");
        assert_eq!(middle.end("anything"), Ok(()));
        assert!(middle.end("anything").is_err());
    }
}
