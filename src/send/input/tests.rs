use super::*;
use proptest::prelude::*;

/// Gives its bytes in pieces of the given sizes, as pipes do.
struct Pieces(Vec<u8>, usize);

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.1.min(self.0.len()).min(buffer.len());
        buffer[..n].copy_from_slice(&self.0[..n]);
        self.0.drain(..n);
        Ok(n)
    }
}

struct Got {
    lines: Vec<(u64, Option<Vec<u8>>, Vec<u8>)>,
    rejected: Vec<u64>,
    progress: Vec<InputProgress>,
}

fn read(source: Source, delimiter: Option<&[u8]>, max: usize) -> Got {
    let (sender, receiver) = std::sync::mpsc::channel();
    let options = InputOptions {
        key_delimiter: delimiter.map(<[u8]>::to_vec),
        max_line_bytes: max,
    };
    let credit = Arc::new(Credit::default());
    start(source, options, sender, Arc::default(), Arc::clone(&credit)).unwrap();
    let mut got = Got {
        lines: Vec::new(),
        rejected: Vec::new(),
        progress: Vec::new(),
    };
    for event in receiver {
        match event {
            Event::Chunk(chunk) => {
                credit.give();
                let bytes = |range: &Range<usize>| chunk.data[range.clone()].to_vec();
                got.lines.extend(
                    chunk
                        .lines
                        .iter()
                        .map(|l| (l.number, l.key.as_ref().map(bytes), bytes(&l.value))),
                );
                got.rejected.extend(chunk.rejected.iter().map(|r| r.line));
                got.progress.extend(chunk.progress);
            }
            Event::InputEnd(end) => assert!(end.error.is_none()),
            other => panic!("{other:?}"),
        }
    }
    got
}

fn stream(bytes: &[u8], piece: usize) -> Source {
    Source::stream("-", Box::new(Pieces(bytes.to_vec(), piece)))
}

#[test]
fn lines_keys_and_what_is_neither() {
    let got = read(
        stream(b"k1:v1\n:empty key\nno key\nk2:\n\nlast:a:b", 3),
        Some(b":"),
        100,
    );
    let line = |n: u64, k: &str, v: &str| (n, Some(k.as_bytes().to_vec()), v.as_bytes().to_vec());
    assert_eq!(
        got.lines,
        [
            line(1, "k1", "v1"),
            line(2, "", "empty key"),
            line(4, "k2", ""),
            line(6, "last", "a:b")
        ]
    );
    assert_eq!(got.rejected, [3, 5]);
    // Without -K an empty line is an empty message.
    assert_eq!(
        read(stream(b"a\n\nb\r\n", 10), None, 100)
            .lines
            .iter()
            .map(|l| l.2.clone())
            .collect::<Vec<_>>(),
        [&b"a"[..], b"", b"b\r"]
    );
}

#[test]
fn a_line_beyond_the_limit_is_rejected_and_the_rest_goes_on() {
    let mut bytes = b"a\n".to_vec();
    bytes.extend(std::iter::repeat_n(b'x', 3_000_000));
    bytes.extend(b"\nb\n");
    let got = read(stream(&bytes, 70_000), None, 1 << 20);
    assert_eq!(got.lines.iter().map(|l| l.0).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(got.rejected, [2]);
}

#[test]
fn a_file_goes_on_where_it_was_accepted_and_only_if_it_is_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in");
    let text: String = (0..5000).map(|i| format!("line {i}\n")).collect();
    std::fs::write(&path, &text).unwrap();
    let all = read(Source::file(&path, None).unwrap(), None, 100);
    assert!(all.progress.len() > 1);
    let half = all.progress[0].clone();
    let rest = read(Source::file(&path, Some(half.clone())).unwrap(), None, 100);
    assert_eq!(rest.lines, all.lines[usize::try_from(half.lines).unwrap()..]);
    assert_eq!(rest.progress.last(), all.progress.last());
    let whole = all.progress.last().unwrap().clone();
    // Grown by whole lines: goes on. Grown after an unfinished line, shortened or changed: refused.
    std::fs::write(&path, format!("{text}more\n")).unwrap();
    assert_eq!(
        read(Source::file(&path, Some(whole.clone())).unwrap(), None, 100).lines[0].2,
        b"more"
    );
    std::fs::write(&path, text.replace("line 3\n", "LINE 3\n")).unwrap();
    assert!(Source::file(&path, Some(half.clone())).is_err());
    std::fs::write(&path, "x").unwrap();
    assert!(Source::file(&path, Some(half)).is_err());
    std::fs::write(&path, "unfinished").unwrap();
    let unfinished = read(Source::file(&path, None).unwrap(), None, 100)
        .progress
        .pop()
        .unwrap();
    assert!(
        read(Source::file(&path, Some(unfinished.clone())).unwrap(), None, 100)
            .lines
            .is_empty()
    );
    std::fs::write(&path, "unfinished business\n").unwrap();
    assert!(Source::file(&path, Some(unfinished)).is_err());
    assert!(Source::file(dir.path(), None).is_err());
    assert!(Source::file(&dir.path().join("absent"), None).is_err());
}

proptest! {
    #[test]
    fn lines_are_those_of_a_plain_split(bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..2000), piece in 1usize..50) {
        let got = read(stream(&bytes, piece), None, usize::MAX);
        let mut want: Vec<&[u8]> = bytes.split(|b| *b == b'\n').collect();
        if want.last().is_some_and(|l| l.is_empty()) { want.pop(); }
        prop_assert_eq!(got.lines.iter().map(|l| l.2.as_slice()).collect::<Vec<_>>(), want);
    }

    #[test]
    fn resuming_after_any_chunk_gives_the_rest(lines in proptest::collection::vec("[a-z]{0,30}", 1..40), limit in 5usize..25, cut in any::<prop::sample::Index>()) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("in");
        std::fs::write(&path, lines.join("\n")).unwrap();
        let all = read(Source::file(&path, None).unwrap(), None, limit);
        if !all.progress.is_empty() {
            let at = all.progress[cut.index(all.progress.len())].clone();
            let rest = read(Source::file(&path, Some(at.clone())).unwrap(), None, limit);
            let after = |n: &u64| *n > at.lines;
            prop_assert_eq!(rest.lines, all.lines.into_iter().filter(|l| after(&l.0)).collect::<Vec<_>>());
            prop_assert_eq!(rest.rejected, all.rejected.into_iter().filter(after).collect::<Vec<_>>());
        }
    }
}
