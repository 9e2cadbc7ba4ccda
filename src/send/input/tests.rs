use super::*;
use proptest::prelude::*;
use std::io::Read;

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

/// A message as a test compares it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Message {
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
    tag: Option<String>,
    partition: Option<i32>,
    id: Option<Vec<u8>>,
}

#[derive(Default)]
struct Got {
    lines: Vec<(u64, Option<Vec<u8>>, Vec<u8>)>,
    messages: Vec<(u64, Message)>,
    rejected: Vec<u64>,
    reasons: Vec<String>,
    progress: Vec<InputProgress>,
    read_to: Option<ReadTo>,
    strict: Option<u64>,
    chunks: usize,
}

fn read(source: Source, delimiter: Option<&[u8]>, max: usize) -> Got {
    read_as(
        source,
        InputOptions {
            form: Form::Text {
                end: b"\n".to_vec(),
                key_delimiter: delimiter.map(<[u8]>::to_vec),
            },
            max_line_bytes: max,
            ..InputOptions::default()
        },
    )
}

fn read_as(source: Source, options: InputOptions) -> Got {
    let (sender, receiver) = std::sync::mpsc::channel();
    let credit = Arc::new(Credit::default());
    let input = Input::new(source, options).unwrap();
    input.start(sender, Arc::default(), Arc::clone(&credit)).unwrap();
    let mut got = Got::default();
    for event in receiver {
        match event {
            Event::Chunk(chunk) => {
                credit.give();
                got.chunks += 1;
                let bytes = |range: &Range<usize>| chunk.bytes(range).to_vec();
                for l in &chunk.lines {
                    got.lines.push((l.number, l.key.as_ref().map(bytes), bytes(&l.value)));
                    let extra = chunk.extra(l).cloned().unwrap_or_default();
                    let headers = &chunk.headers[extra.headers.clone()];
                    let message = Message {
                        key: l.key.as_ref().map(bytes),
                        value: (!extra.tombstone).then(|| bytes(&l.value)),
                        headers: headers
                            .iter()
                            .map(|(n, v)| (chunk.text(n).to_owned(), v.as_ref().map(bytes)))
                            .collect(),
                        tag: extra.tag.as_ref().map(|tag| chunk.text(tag).to_owned()),
                        partition: extra.partition,
                        id: extra.id.as_ref().map(bytes),
                    };
                    got.messages.push((l.number, message));
                }
                got.rejected.extend(chunk.rejected.iter().map(|r| r.line));
                got.reasons.extend(chunk.rejected.into_iter().map(|r| r.reason));
                got.progress.extend(chunk.progress);
                got.read_to = chunk.read_to;
            }
            Event::InputEnd(end) => {
                assert!(end.error.is_none());
                got.strict = end.strict;
            }
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
    let all = read(Source::file(&path, &Form::lines(), None).unwrap(), None, 100);
    assert!(all.progress.len() > 1);
    let half = all.progress[0].clone();
    let rest = read(
        Source::file(&path, &Form::lines(), Some(half.clone())).unwrap(),
        None,
        100,
    );
    assert_eq!(rest.lines, all.lines[usize::try_from(half.lines).unwrap()..]);
    assert_eq!(rest.progress.last(), all.progress.last());
    let whole = all.progress.last().unwrap().clone();
    // Grown by whole lines: goes on. Grown after an unfinished line, shortened or changed: refused.
    std::fs::write(&path, format!("{text}more\n")).unwrap();
    assert_eq!(
        read(
            Source::file(&path, &Form::lines(), Some(whole.clone())).unwrap(),
            None,
            100
        )
        .lines[0]
            .2,
        b"more"
    );
    std::fs::write(&path, text.replace("line 3\n", "LINE 3\n")).unwrap();
    assert!(Source::file(&path, &Form::lines(), Some(half.clone())).is_err());
    std::fs::write(&path, "x").unwrap();
    assert!(Source::file(&path, &Form::lines(), Some(half)).is_err());
    std::fs::write(&path, "unfinished").unwrap();
    let unfinished = read(Source::file(&path, &Form::lines(), None).unwrap(), None, 100)
        .progress
        .pop()
        .unwrap();
    assert!(
        read(
            Source::file(&path, &Form::lines(), Some(unfinished.clone())).unwrap(),
            None,
            100
        )
        .lines
        .is_empty()
    );
    std::fs::write(&path, "unfinished business\n").unwrap();
    assert!(Source::file(&path, &Form::lines(), Some(unfinished)).is_err());
    assert!(Source::file(dir.path(), &Form::lines(), None).is_err());
    assert!(Source::file(&dir.path().join("absent"), &Form::lines(), None).is_err());
}

fn text(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(bytes.to_vec())
}

fn as_form(form: Form) -> InputOptions {
    InputOptions {
        form,
        ..InputOptions::default()
    }
}

#[test]
fn every_form_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in");
    let end = |end: &[u8]| Form::Text {
        end: end.to_vec(),
        key_delimiter: None,
    };
    let lines = || (0..5000).map(|i| format!("line {i}"));
    let forms: [(Form, String); 4] = [
        (end(b"\0"), lines().map(|l| l + "\0").collect()),
        (end(b"<\n>"), lines().map(|l| l + "<\n>").collect()),
        (
            Form::Records,
            lines().map(|l| format!("{{\"value\":{l:?}}}\n")).collect(),
        ),
        (
            Form::Table(Columns {
                key: Some("b".into()),
                ..Columns::default()
            }),
            "a,b\n".to_owned() + &lines().map(|l| format!("\"{l}\n,\",k\r\n")).collect::<String>(),
        ),
    ];
    for (form, text) in forms {
        std::fs::write(&path, &text).unwrap();
        let open = |before: Option<InputProgress>| Source::file(&path, &form, before);
        let all = read_as(open(None).unwrap(), as_form(form.clone()));
        assert_eq!(all.messages.len(), 5000);
        assert!(all.progress.len() > 1);
        for at in &all.progress {
            let rest = read_as(open(Some(at.clone())).unwrap(), as_form(form.clone()));
            assert_eq!(
                rest.messages,
                all.messages
                    .iter()
                    .filter(|(n, _)| *n > at.lines)
                    .cloned()
                    .collect::<Vec<_>>()
            );
            assert_eq!(rest.read_to.is_some(), at != all.progress.last().unwrap());
        }
        // Grown in the middle of what was its last message.
        let unfinished = &text[..text.trim_end_matches(['\0', '<', '\n', '>', '\r']).len()];
        std::fs::write(&path, unfinished).unwrap();
        let whole = read_as(open(None).unwrap(), as_form(form.clone()))
            .progress
            .pop()
            .unwrap();
        std::fs::write(&path, format!("{unfinished}x")).unwrap();
        assert!(open(Some(whole)).is_err(), "{}", form.name());
    }
}

#[test]
fn records_keep_everything_that_a_message_has() {
    let lines =
        b"{\"key\":\"k\",\"value\":\"v\",\"headers\":[[\"a\",\"1\"],[\"n\",null]],\"tag\":\"T\",\"partition\":2}\n\
                  no record\n\n{\"value\":null}\n{\"schema\":\"mqsafe.query/1\",\"found\":2}\n";
    let mut options = as_form(Form::Records);
    options.keep_partition = true;
    let got = read_as(stream(lines, 7), options.clone());
    let first = Message {
        key: text(b"k"),
        value: text(b"v"),
        headers: vec![("a".into(), text(b"1")), ("n".into(), None)],
        tag: Some("T".into()),
        partition: Some(2),
        id: None,
    };
    let tombstone = Message {
        key: None,
        value: None,
        headers: Vec::new(),
        tag: None,
        partition: None,
        id: None,
    };
    assert_eq!(got.messages, [(1, first), (4, tombstone)]);
    assert_eq!(got.rejected, [2]);
    options.keep_partition = false;
    assert_eq!(read_as(stream(lines, 7), options).messages[0].1.partition, None);
}

#[test]
fn rows_become_objects_or_what_was_asked_for() {
    let table = b"\xef\xbb\xbfid,name,note\r\n7,\"Anna \"\"A\"\"\",\"two\nlines\"\r\n8,x\r\n9,\xff,\r\n";
    let columns = |key: &str, value: Option<&str>, headers: &[&str]| {
        as_form(Form::Table(Columns {
            key: Some(key.into()),
            value: value.map(str::to_owned),
            headers: headers.iter().map(|h| (*h).to_owned()).collect(),
        }))
    };
    for piece in [1, 2, 3, 5, 1000] {
        let got = read_as(stream(table, piece), columns("id", None, &[]));
        assert_eq!(
            got.lines,
            [
                (
                    2,
                    text(b"7"),
                    br#"{"id":"7","name":"Anna \"A\"","note":"two\nlines"}"#.to_vec()
                ),
                (
                    4,
                    text(b"9"),
                    br#"{"id":"9","name":{"base64":"/w=="},"note":""}"#.to_vec()
                )
            ]
        );
        assert_eq!(
            (got.rejected, got.reasons),
            (vec![3], vec!["the row has 2 fields, the header has 3".to_owned()])
        );
    }
    let mut options = columns("name", Some("note"), &["id", "name"]);
    options.id = Some(IdFrom::Column("id".into()));
    let got = read_as(stream(table, 100), options);
    let want = Message {
        key: text(b"Anna \"A\""),
        value: text(b"two\nlines"),
        headers: vec![("id".into(), text(b"7")), ("name".into(), text(b"Anna \"A\""))],
        tag: None,
        partition: None,
        id: text(b"7"),
    };
    assert_eq!(got.messages[0].1, want);
    // What costs nothing when it is told before anything is done.
    let refused = |bytes: &[u8], options| Input::new(stream(bytes, 3), options).err().unwrap().to_string();
    assert!(refused(table, columns("no", None, &[])).contains("no column \"no\""));
    assert!(refused(b"", columns("id", None, &[])).contains("is empty"));
    assert!(refused(b"a,a\n1,2\n", columns("a", None, &[])).contains("two columns named \"a\""));
    assert!(refused(b"\"a,b\n1,2\n", columns("a", None, &[])).contains("not closed"));
    // A header and nothing else is a table without rows.
    assert!(
        read_as(stream(b"id,b", 3), columns("id", None, &[]))
            .messages
            .is_empty()
    );
}

#[test]
fn whole_files_and_those_that_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    std::fs::write(path("a"), b"one\ntwo\n").unwrap();
    std::fs::write(path("empty"), b"").unwrap();
    std::fs::write(path("long"), vec![b'x'; 200]).unwrap();
    let paths = ["a", "gone", "empty", "", "long"].map(path).to_vec();
    let mut options = InputOptions {
        max_line_bytes: 100,
        ..InputOptions::default()
    };
    let got = read_as(Source::files(paths.clone(), KeyFrom::Name), options.clone());
    assert_eq!(
        got.lines,
        [(1, text(b"a"), b"one\ntwo\n".to_vec()), (3, text(b"empty"), Vec::new())]
    );
    assert_eq!(got.rejected, [2, 4, 5]);
    assert!(
        got.reasons[1].ends_with("is a directory") && got.reasons[2].contains("200 bytes"),
        "{:?}",
        got.reasons
    );
    options.strict = true;
    let got = read_as(Source::files(paths, KeyFrom::Nothing), options);
    assert_eq!((got.lines.len(), got.rejected, got.strict), (1, vec![2], Some(2)));
}

#[test]
fn strict_stops_at_the_first_and_goes_on_with_it_when_it_is_mended() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in");
    let options = InputOptions {
        form: Form::Records,
        strict: true,
        ..InputOptions::default()
    };
    std::fs::write(&path, "{\"value\":\"a\"}\nbroken\n{\"value\":\"c\"}\n").unwrap();
    let got = read_as(Source::file(&path, &Form::Records, None).unwrap(), options.clone());
    assert_eq!((got.lines.len(), got.rejected, got.strict), (1, vec![2], Some(2)));
    let at = got.progress.last().unwrap().clone();
    assert_eq!((at.offset, at.lines), (14, 1));
    std::fs::write(&path, "{\"value\":\"a\"}\n{\"value\":\"b\"}\n{\"value\":\"c\"}\n").unwrap();
    let got = read_as(Source::file(&path, &Form::Records, Some(at)).unwrap(), options.clone());
    assert_eq!(got.lines.iter().map(|l| l.0).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(got.strict, None);
    // Also when it is the last line, without an end.
    let got = read_as(stream(b"{\"value\":\"a\"}\nbroken", 100), options);
    assert_eq!(
        (got.lines.len(), got.strict, got.read_to.map(|r| r.bytes)),
        (1, Some(2), Some(14))
    );
}

#[test]
fn ids_of_the_business_and_messages_without_one() {
    let mut options = as_form(Form::Text {
        end: b"\n".to_vec(),
        key_delimiter: Some(b":".to_vec()),
    });
    options.id = Some(IdFrom::Key);
    let got = read_as(stream(b"a:1\n:2\n", 3), options.clone());
    assert_eq!(
        (got.messages[0].1.id.clone(), got.rejected.clone()),
        (text(b"a"), vec![2])
    );
    assert!(got.reasons[0].contains("key is empty"), "{:?}", got.reasons);
    options.form = Form::lines();
    assert_eq!(read_as(stream(b"x\n", 3), options.clone()).rejected, [1]);
    options.fixed_id = text(b"fixed");
    assert_eq!(read_as(stream(b"x\n", 3), options).messages[0].1.id, text(b"fixed"));
    let mut options = as_form(Form::Records);
    options.id = Some(IdFrom::Header("id".into()));
    let records =
        b"{\"value\":\"\",\"headers\":{\"id\":\"7\"}}\n{\"value\":\"\"}\n{\"value\":\"{\\\"o\\\":{\\\"id\\\":8}}\"}\n";
    let got = read_as(stream(records, 9), options.clone());
    assert_eq!((got.messages[0].1.id.clone(), got.rejected), (text(b"7"), vec![2, 3]));
    options.id = Some(IdFrom::Json("/o/id".into()));
    let got = read_as(stream(records, 9), options);
    assert_eq!((got.messages[0].1.id.clone(), got.rejected), (text(b"8"), vec![1, 2]));
}

#[test]
fn only_some_lines_and_no_faster_than_asked() {
    let mut options = InputOptions::default();
    let mut numbers = Numbers::default();
    [2, 3, 5].into_iter().for_each(|n| numbers.push(n));
    options.only = Some(Arc::new(numbers));
    let got = read_as(stream(b"1\n2\n3\n4\n5\n6\n", 3), options);
    assert_eq!(got.lines.iter().map(|l| l.0).collect::<Vec<_>>(), [2, 3, 5]);
    let options = InputOptions {
        rate: Some(Rate::parse("100").unwrap()),
        ..InputOptions::default()
    };
    let begun = std::time::Instant::now();
    let got = read_as(Source::template(Template::new(b"{seq}", None, 45).unwrap()), options);
    let took = begun.elapsed().as_millis();
    assert_eq!((got.lines.len(), got.chunks), (45, 5), "chunks of a tenth of a second");
    assert_eq!(got.lines[44], (45, None, b"45".to_vec()));
    assert!(
        (300..15_000).contains(&took),
        "{took} ms for 45 messages at 100/s with a burst of 10"
    );
}

proptest! {
    #[test]
    fn lines_are_those_of_a_plain_split(bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..2000), piece in 1usize..50) {
        let got = read(stream(&bytes, piece), None, usize::MAX);
        let mut want: Vec<&[u8]> = bytes.split(|b| *b == b'\n').collect();
        if want.last().is_some_and(|l| l.is_empty()) { want.pop(); }
        prop_assert_eq!(got.lines.iter().map(|l| l.2.as_slice()).collect::<Vec<_>>(), want);
    }

    /// Every form of one file: whatever the run that was interrupted had accepted, the next one reads the rest and nothing else.
    #[test]
    fn resuming_after_any_chunk_gives_the_rest(lines in proptest::collection::vec("[a-z,]{0,30}", 1..40), limit in 5usize..25, cut in any::<prop::sample::Index>(), form in 0usize..5) {
        let end = |end: &[u8]| Form::Text { end: end.to_vec(), key_delimiter: None };
        let (form, text) = match form {
            0 => (Form::lines(), lines.join("\n")),
            1 => (end(b"\0"), lines.join("\0")),
            2 => (end(b"<>"), lines.join("<>")),
            3 => (Form::Records, lines.iter().map(|l| format!("{{\"value\":\"{l}\"}}\n")).collect()),
            _ => (Form::Table(Columns::default()), "a,b\r\n".to_owned() + &lines.iter().map(|l| format!("\"{l}\n\",x\r\n")).collect::<String>()),
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("in");
        std::fs::write(&path, text).unwrap();
        let options = InputOptions {
            form: form.clone(),
            max_line_bytes: limit,
            ..InputOptions::default()
        };
        let all = read_as(Source::file(&path, &form, None).unwrap(), options.clone());
        if !all.progress.is_empty() {
            let at = all.progress[cut.index(all.progress.len())].clone();
            let rest = read_as(Source::file(&path, &form, Some(at.clone())).unwrap(), options);
            let after = |n: &u64| *n > at.lines;
            prop_assert_eq!(rest.messages, all.messages.into_iter().filter(|l| after(&l.0)).collect::<Vec<_>>());
            prop_assert_eq!(rest.rejected, all.rejected.into_iter().filter(after).collect::<Vec<_>>());
        }
    }
}
