use super::*;
use proptest::prelude::*;

fn one(text: &str) -> Rc<Node> {
    parse(text).unwrap().remove(0)
}

fn cut(text: &str, span: Span) -> &str {
    &text[span.range()]
}

#[test]
fn spans_are_bytes_and_cover_what_was_written() {
    let text = "# żółw\na: 'ó' # x\r\nb:\r\n  ć: [x, \"y\"]   \n  d: ~\n  e: two words  # c\n";
    for text in [text.to_owned(), format!("\u{feff}{text}")] {
        let root = one(&text);
        let a = root.pair("a").unwrap();
        assert_eq!((cut(&text, a.key_span), cut(&text, a.value.span)), ("a", "'ó'"));
        assert_eq!(a.value.text(), Some("ó"));
        let c = root.get("b").unwrap().pair("ć").unwrap();
        assert_eq!(cut(&text, c.key_span), "ć");
        assert_eq!(cut(&text, c.value.list()[1].span), "\"y\"");
        assert!(root.at(&["b", "d"]).unwrap().is_null());
        assert_eq!(cut(&text, root.at(&["b", "e"]).unwrap().span), "two words");
    }
}

#[test]
fn blocks_know_their_lines() {
    let text = "data:\n  a.properties: |\n    acks=1\n\n    # ż\n    retries=0\n  b: >-\n    x\n    y\nc: 1\n";
    let root = one(text);
    let a = root.at(&["data", "a.properties"]).unwrap();
    assert_eq!(a.text(), Some("acks=1\n\n# ż\nretries=0\n"));
    let lines = cut(text, a.block(text).unwrap());
    assert_eq!(lines.trim_end(), "    acks=1\n\n    # ż\n    retries=0");
    let b = root.at(&["data", "b"]).unwrap();
    assert_eq!(b.text(), Some("x y"));
    assert_eq!(cut(text, b.block(text).unwrap()).trim_end(), "    x\n    y");
    assert!(root.get("c").unwrap().block(text).is_none());
}

#[test]
fn documents_aliases_and_merges() {
    let text = "x: &x\n  a: 1\n  b: 2\ny:\n  <<: *x\n  b: 3\nz:\n  <<: [*x, {c: 4, a: 5}]\n---\n# nothing\n---\nw: 6\n";
    let documents = parse(text).unwrap();
    assert_eq!(documents.len(), 2);
    let root = &documents[0];
    assert_eq!(root.text_at(&["y", "a"]), Some("1"));
    assert_eq!(root.text_at(&["y", "b"]), Some("3"));
    assert_eq!(root.text_at(&["z", "c"]), Some("4"));
    assert_eq!(root.text_at(&["z", "a"]), Some("1"));
    assert_eq!(cut(text, root.at(&["y", "a"]).unwrap().span), "1");
    assert_eq!(root.at(&["y", "a"]).unwrap().span, root.at(&["x", "a"]).unwrap().span);
    assert_eq!(documents[1].text_at(&["w"]), Some("6"));
}

#[test]
fn brackets_below_their_key_are_taken_as_most_readers_take_them() {
    for end in ["\n", "\r\n"] {
        let text = "a:\n  b: [\n    \"x\",\n    ż\n  ]\n  c: {\n    d: 1\n  }\n".replace('\n', end);
        let root = one(&text);
        assert_eq!(cut(&text, root.at(&["a", "b"]).unwrap().list()[1].span), "ż");
        assert_eq!(
            cut(&text, root.at(&["a", "c"]).unwrap().pair("d").unwrap().value.span),
            "1"
        );
    }
    assert!(parse("a:\n  b: [\n  x # ]\n  ]\n  }\n").is_err());
}

#[test]
fn placeholders_of_templates_are_texts() {
    let root = one("a: {{ .Values.x }}\nb: {c: d}\n");
    assert_eq!(root.text_at(&["a"]), Some("{{ .Values.x }}"));
    assert_eq!(root.text_at(&["b", "c"]), Some("d"));
}

#[test]
fn what_is_not_yaml_is_told_by_its_byte() {
    for (text, from) in [
        ("a: [1\nb: 2\n", 3),
        ("a: \"x\n", 3),
        ("a: 1\n b: 2\n", 5),
        ("ż: *x\n", 4),
        ("a:\n\t- b: c: d\n", 3),
    ] {
        let e = parse(text).unwrap_err();
        assert!(e.offset >= from && e.offset <= text.len(), "{text:?}: {e:?}");
    }
}

#[test]
fn bombs_and_depth_are_refused() {
    let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for i in 1..10 {
        let p = i - 1;
        bomb.push_str(&format!("a{i}: &a{i} [{}]\n", format!("*a{p},").repeat(10)));
    }
    assert!(parse(&bomb).unwrap_err().what.contains("more than"));
    let mut merges = "a0: &a0 {k0: [x,x,x,x,x,x,x,x,x,x]}\n".to_owned();
    for i in 1..40 {
        let p = i - 1;
        merges.push_str(&format!("a{i}: &a{i} {{<<: *a{p}, l{i}: *a{p}, m{i}: *a{p}}}\n"));
    }
    assert!(parse(&merges).is_err());
    let mut deep = "a0: &a0 [x]\n".to_owned();
    for i in 1..200 {
        deep.push_str(&format!("a{i}: &a{i} [*a{}]\n", i - 1));
    }
    assert!(parse(&deep).unwrap_err().what.contains("deeper"));
    assert!(parse(&"[".repeat(200_000)).is_err());
    assert!(parse(&"{a: ".repeat(200_000)).is_err());
    assert!(parse(&"- ".repeat(200_000)).is_err());
    assert!(parse("a: &a [*a]\n").is_err());
}

#[test]
fn long_texts_take_no_quadratic_time() {
    let started = std::time::Instant::now();
    for text in [
        "ż: 1\n".repeat(100_000),
        format!("a: \"{}\"\n", "x ".repeat(1_000_000)),
        format!("a: |\n{}", "  line\n".repeat(200_000)),
        format!("[{}]", "a, ".repeat(100_000)),
        "# c\n".repeat(500_000),
        "? ".repeat(100_000),
        format!("{}: 1", "x".repeat(2_000_000)),
        "&a ".repeat(100_000),
        "!t ".repeat(100_000),
        "a: 'x\n".repeat(50_000),
    ] {
        let _ = parse(&text);
    }
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_and_spans_stay_inside(text in "[-?:,\\[\\]{}#&*!|>'\"%@` \\n\\t\\r\u{17c}\u{feff}a0x=<$]{0,80}") {
        match parse(&text) {
            Ok(documents) => for document in documents {
                let mut open = vec![document];
                while let Some(node) = open.pop() {
                    prop_assert!(text.get(node.span.range()).is_some(), "{:?} {:?}", text, node);
                    if let Some(block) = node.block(&text) {
                        prop_assert!(text.get(block.range()).is_some());
                    }
                    for pair in node.map() {
                        prop_assert!(text.get(pair.key_span.range()).is_some());
                        open.push(pair.value.clone());
                    }
                    open.extend(node.list().iter().cloned());
                }
            },
            Err(e) => prop_assert!(e.offset <= text.len()),
        }
    }
}
