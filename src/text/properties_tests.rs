use super::*;
use proptest::prelude::*;

fn read(text: &[u8]) -> (SourceFile, Properties) {
    let source = SourceFile::new(text.to_vec());
    let properties = parse(&source);
    (source, properties)
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    read(text).1.entries.into_iter().map(|e| (e.key, e.value)).collect()
}

fn pair(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

#[test]
fn separators_comments_and_blank_lines() {
    assert_eq!(
        pairs(b"# a\n! b\n\n a = 1 \nb:2\nc 3\nd\n\te\\ f = g\n"),
        [
            pair("a", "1 "),
            pair("b", "2"),
            pair("c", "3"),
            pair("d", ""),
            pair("e f", "g")
        ]
    );
}

#[test]
fn lines_go_on_after_an_odd_number_of_backslashes() {
    assert_eq!(
        pairs(b"a=1\\\n   2\\\r\n#3\nb=x\\\\\nc=\\"),
        [pair("a", "12#3"), pair("b", "x\\"), pair("c", "")]
    );
}

#[test]
fn escapes_encodings_and_the_byte_order_mark() {
    assert_eq!(pairs(b"\xEF\xBB\xBFa=\\u0041\\uD83D\\uDE00\\t"), [pair("a", "A😀\t")]);
    assert_eq!(pairs("ż=ó".as_bytes()), [pair("ż", "ó")]);
    assert_eq!(pairs(b"a=\xF3"), [pair("a", "ó")]);
    let (_, bad) = read(b"a=1\nb=\\u00G1\n");
    assert_eq!(bad.malformed.map(|m| m.offset), Some(6));
}

#[test]
fn spans_cover_the_raw_text() {
    let (source, p) = read(b"x=1\r\n  acks : al\\\n  l\r\n");
    let e = &p.entries[1];
    assert_eq!(&source.bytes()[e.key_span.range()], b"acks");
    assert_eq!(&source.bytes()[e.separator_span.range()], b" : ");
    assert_eq!(&source.bytes()[e.value_span.range()], b"al\\\n  l");
    assert_eq!(e.value, "all");
}

/// Lines as people and machines write them, without what the oracle itself gets wrong: it stops a file at a malformed escape.
fn file() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "[a-z.]{1,4}".prop_map(String::into_bytes),
        2 => "[=: ]".prop_map(String::into_bytes),
        1 => Just(b"\\\n".to_vec()),
        1 => Just(b"\\\\".to_vec()),
        1 => Just(b"\\u0041".to_vec()),
        1 => "\\\\[tnr:=# ]".prop_map(String::into_bytes),
        2 => prop_oneof![Just(b"\n".to_vec()), Just(b"\r\n".to_vec())],
        1 => "\n[#!][a-z= ]{0,5}\n".prop_map(String::into_bytes),
        1 => Just(b"\t".to_vec()),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn agrees_with_the_oracle(text in file()) {
        let mut expected = Vec::new();
        let read = java_properties::PropertiesIter::new(&text[..]).read_into(|k, v| expected.push((k, v)));
        prop_assume!(read.is_ok());
        prop_assert_eq!(pairs(&text), expected);
    }

    #[test]
    fn any_bytes_are_read_and_spans_stay_inside(text in proptest::collection::vec(any::<u8>(), 0..300)) {
        let (source, p) = read(&text);
        for e in &p.entries {
            prop_assert!(e.key_span.start <= e.key_span.end && e.key_span.end <= e.value_span.start);
            prop_assert!(e.value_span.end <= text.len());
            source.spot(e.key_span.start);
        }
    }
}
