//! HCL as Terraform writes it, with the bytes of every block and attribute: what can be read without running anything.
//!
//! Blocks, attributes, strings, heredocs, lists, objects and plain literals are read; every other expression is kept as
//! [`Value::Other`], so that a reference or a condition is never taken for a value.

use super::Span;

/// How deep blocks and values may be nested.
pub const MAX_DEPTH: usize = 32;

/// A block: `resource "kafka_topic" "orders" { … }`.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// Its kind: `resource`.
    pub kind: String,
    /// Its labels, with their bytes inside the quotes.
    pub labels: Vec<(String, Span)>,
    /// From its kind to its opening brace.
    pub head: Span,
    /// What it holds.
    pub body: Body,
}

/// Attributes and blocks in the order of the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Body {
    /// The attributes.
    pub attributes: Vec<Attribute>,
    /// The blocks.
    pub blocks: Vec<Block>,
}

/// A name and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribute {
    /// The name; the text of it when it is quoted.
    pub name: String,
    /// Its bytes.
    pub name_span: Span,
    /// The value.
    pub value: Value,
    /// Its bytes.
    pub value_span: Span,
}

/// What stands behind a name.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A text, with `${…}` as it stands.
    Text(String),
    /// The lines of a heredoc: their bytes are the value's.
    Heredoc(String),
    /// A number in its digits.
    Number(String),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
    /// A list.
    List(Vec<(Value, Span)>),
    /// An object, or the argument of `jsonencode`.
    Object(Vec<Attribute>),
    /// An expression.
    Other,
}

/// Where a text stopped being HCL, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HclError {
    /// The byte.
    pub offset: usize,
    /// Why, as a fragment; nothing of the file's own text.
    pub what: &'static str,
}

impl Body {
    /// The last attribute of this name.
    pub fn get(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().rev().find(|a| a.name == name)
    }

    /// The blocks of this kind.
    pub fn blocks_of(&self, kind: &str) -> impl Iterator<Item = &Block> {
        self.blocks.iter().filter(move |b| b.kind == kind)
    }
}

/// Reads a whole text.
///
/// # Errors
/// When brackets or quotes do not close, or something stands where a name must.
pub fn parse(text: &str) -> Result<Body, HclError> {
    let mut reader = Reader { text, at: 0 };
    let body = reader.body(0)?;
    reader.blank();
    match reader.peek() {
        None => Ok(body),
        Some(_) => reader.refuse("a bracket closes what was not opened"),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-')
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn refuse<T>(&self, what: &'static str) -> Result<T, HclError> {
        Err(HclError { offset: self.at, what })
    }

    fn skip_line(&mut self) {
        let rest = self.rest();
        self.at += rest.find('\n').unwrap_or(rest.len());
    }

    /// Skips a comment; false when none begins here.
    fn comment(&mut self) -> bool {
        if self.rest().starts_with('#') || self.rest().starts_with("//") {
            self.skip_line();
        } else if self.rest().starts_with("/*") {
            self.at += self.rest().find("*/").map_or(self.rest().len(), |i| i + 2);
        } else {
            return false;
        }
        true
    }

    /// Skips white space, lines and comments.
    fn blank(&mut self) {
        loop {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n', '\u{feff}']).len();
            if !self.comment() {
                return;
            }
        }
    }

    fn spaces(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t']).len();
    }

    fn name(&mut self) -> Option<(String, Span)> {
        let rest = self.rest();
        let len = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        let name = rest.get(..len).filter(|n| !n.is_empty())?.to_owned();
        let span = Span::new(self.at, self.at + len);
        self.at += len;
        Some((name, span))
    }

    fn body(&mut self, depth: usize) -> Result<Body, HclError> {
        if depth > MAX_DEPTH {
            return self.refuse("nested too deeply");
        }
        let mut body = Body::default();
        loop {
            self.blank();
            if matches!(self.peek(), None | Some('}')) {
                return Ok(body);
            }
            let start = self.at;
            let (name, name_span) = match self.peek() {
                Some('"') => {
                    let (text, span) = self.quoted()?;
                    (text, span)
                }
                _ => match self.name() {
                    Some(named) => named,
                    None => return self.refuse("a name must stand here"),
                },
            };
            self.spaces();
            if self.peek() == Some('=') && !self.rest().starts_with("==") {
                self.at += 1;
                body.attributes.push(self.attribute(name, name_span, depth)?);
                continue;
            }
            let mut labels = Vec::new();
            loop {
                self.spaces();
                match self.peek() {
                    Some('"') => {
                        let (text, span) = self.quoted()?;
                        labels.push((text, Span::new(span.start + 1, span.end.saturating_sub(1))));
                    }
                    Some('{') => break,
                    _ => match self.name() {
                        Some(label) => labels.push(label),
                        None => return self.refuse("neither `=` nor a block follows the name"),
                    },
                }
            }
            let head = Span::new(start, self.at);
            self.at += 1;
            let inner = self.body(depth + 1)?;
            if self.bump() != Some('}') {
                return self.refuse("a block is not closed");
            }
            body.blocks.push(Block {
                kind: name,
                labels,
                head,
                body: inner,
            });
        }
    }

    fn attribute(&mut self, name: String, name_span: Span, depth: usize) -> Result<Attribute, HclError> {
        self.spaces();
        let (value, value_span) = self.value(depth + 1)?;
        Ok(Attribute {
            name,
            name_span,
            value,
            value_span,
        })
    }

    /// A value, to where it ends; an expression that goes on behind it makes it [`Value::Other`].
    fn value(&mut self, depth: usize) -> Result<(Value, Span), HclError> {
        if depth > MAX_DEPTH {
            return self.refuse("nested too deeply");
        }
        let start = self.at;
        let value = match self.peek() {
            Some('"') => {
                let (text, _) = self.quoted()?;
                Value::Text(text)
            }
            Some('<') if self.rest().starts_with("<<") => {
                let (text, span) = self.heredoc()?;
                return Ok((Value::Heredoc(text), span));
            }
            Some('[') => self.list(depth)?,
            Some('{') => self.object(depth)?,
            _ => self.literal(depth)?,
        };
        let end = self.at;
        self.spaces();
        // An operator, an index or a condition makes it an expression.
        if !matches!(self.peek(), None | Some('\n' | '\r' | ',' | ']' | '}' | ')' | '#'))
            && !self.rest().starts_with("//")
            && !self.rest().starts_with("/*")
        {
            self.expression()?;
            let span = Span::new(
                start,
                start + self.text.get(start..self.at).unwrap_or_default().trim_end().len(),
            );
            return Ok((Value::Other, span));
        }
        Ok((value, Span::new(start, end)))
    }

    fn literal(&mut self, depth: usize) -> Result<Value, HclError> {
        let rest = self.rest();
        let len = rest.find(|c| !is_name(c) && c != '.').unwrap_or(rest.len());
        let word = rest.get(..len).unwrap_or_default().to_owned();
        self.at += len;
        match word.as_str() {
            "true" => return Ok(Value::Bool(true)),
            "false" => return Ok(Value::Bool(false)),
            "null" => return Ok(Value::Null),
            "jsonencode" | "tomap" if self.peek() == Some('(') => {
                self.at += 1;
                self.blank();
                let (value, _) = self.value(depth + 1)?;
                self.blank();
                if self.peek() == Some(')') {
                    self.at += 1;
                    return Ok(value);
                }
                // More than one argument: only what is certain counts.
                self.closing(')')?;
                return Ok(Value::Other);
            }
            _ => {}
        }
        if word.parse::<f64>().is_ok() {
            return Ok(Value::Number(word));
        }
        self.expression()?;
        Ok(Value::Other)
    }

    fn list(&mut self, depth: usize) -> Result<Value, HclError> {
        self.at += 1;
        let mut list = Vec::new();
        loop {
            self.blank();
            match self.peek() {
                Some(']') => {
                    self.at += 1;
                    return Ok(Value::List(list));
                }
                Some(',') => self.at += 1,
                None => return self.refuse("a list is not closed"),
                Some(_) => {
                    let before = self.at;
                    list.push(self.value(depth + 1)?);
                    if self.at == before {
                        return self.refuse("a value must stand here");
                    }
                }
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, HclError> {
        self.at += 1;
        let mut attributes = Vec::new();
        loop {
            self.blank();
            match self.peek() {
                Some('}') => {
                    self.at += 1;
                    return Ok(Value::Object(attributes));
                }
                Some(',') => {
                    self.at += 1;
                    continue;
                }
                None => return self.refuse("an object is not closed"),
                Some(_) => {}
            }
            let named = match self.peek() {
                Some('"') => Some(self.quoted()?),
                _ => self.name(),
            };
            self.spaces();
            match (named, self.peek()) {
                (Some((name, span)), Some('=' | ':')) => {
                    self.at += 1;
                    attributes.push(self.attribute(name, span, depth)?);
                }
                // `for` expressions and computed keys.
                _ => {
                    self.closing('}')?;
                    return Ok(Value::Other);
                }
            }
        }
    }

    /// Skips an expression to the end of its line, or to what closes around it.
    fn expression(&mut self) -> Result<(), HclError> {
        loop {
            match self.peek() {
                None | Some('\n' | ',' | ']' | '}' | ')') => return Ok(()),
                Some(_) => self.step()?,
            }
        }
    }

    /// Skips to behind the bracket that closes what is open.
    fn closing(&mut self, close: char) -> Result<(), HclError> {
        let mut stack = vec![close];
        while let Some(want) = stack.last().copied() {
            match self.peek() {
                None => return self.refuse("a bracket is not closed"),
                Some(c) if c == want => {
                    self.at += 1;
                    stack.pop();
                }
                Some('(') => {
                    self.at += 1;
                    stack.push(')');
                }
                Some('[') => {
                    self.at += 1;
                    stack.push(']');
                }
                Some('{') => {
                    self.at += 1;
                    stack.push('}');
                }
                Some(_) if self.comment() => {}
                Some('"') => {
                    self.quoted()?;
                }
                Some('<') if self.rest().starts_with("<<") => {
                    self.heredoc()?;
                }
                Some(_) => {
                    self.bump();
                }
            }
        }
        Ok(())
    }

    /// Skips one character of an expression, or a whole string or bracket.
    fn step(&mut self) -> Result<(), HclError> {
        let close = match self.peek() {
            Some('(') => ')',
            Some('[') => ']',
            Some('{') => '}',
            Some('"') => return self.quoted().map(|_| ()),
            Some('#') => {
                self.skip_line();
                return Ok(());
            }
            _ => {
                self.bump();
                return Ok(());
            }
        };
        self.at += 1;
        self.closing(close)
    }

    /// A string in quotes; its span holds them.
    fn quoted(&mut self) -> Result<(String, Span), HclError> {
        let start = self.at;
        self.at += 1;
        let mut out = String::new();
        // Inside `${…}` quotes open strings of their own.
        let mut depth = 0usize;
        let mut inner = false;
        loop {
            let rest = self.rest();
            if !inner && (rest.starts_with("${") || rest.starts_with("%{")) && !out.ends_with('$') {
                depth += 1;
                out.push_str(&rest[..2]);
                self.at += 2;
                continue;
            }
            match self.bump() {
                None | Some('\n') => {
                    return Err(HclError {
                        offset: start,
                        what: "a string is not closed",
                    });
                }
                Some('\\') => match self.bump() {
                    Some('n') => out.push('\n'),
                    Some('t') => out.push('\t'),
                    Some('r') => out.push('\r'),
                    Some(c) => out.push(c),
                    None => return self.refuse("a string is not closed"),
                },
                Some('"') if depth == 0 => return Ok((out, Span::new(start, self.at))),
                Some(c) => {
                    match c {
                        '"' => inner = !inner,
                        '{' if depth > 0 && !inner => depth += 1,
                        '}' if !inner => depth = depth.saturating_sub(1),
                        _ => {}
                    }
                    out.push(c);
                }
            }
        }
    }

    /// `<<EOF` or `<<-EOF`; the span is that of the lines.
    fn heredoc(&mut self) -> Result<(String, Span), HclError> {
        self.at += 2;
        if self.peek() == Some('-') {
            self.at += 1;
        }
        let Some((mark, _)) = self.name() else {
            return self.refuse("a heredoc has no name");
        };
        self.skip_line();
        self.bump();
        let start = self.at;
        loop {
            let line_start = self.at;
            if self.rest().is_empty() {
                return self.refuse("a heredoc is not closed");
            }
            self.skip_line();
            let line = self.text.get(line_start..self.at).unwrap_or_default();
            if line.trim() == mark {
                let span = Span::new(start, line_start);
                return Ok((self.text.get(span.range()).unwrap_or_default().to_owned(), span));
            }
            self.bump();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "# ż\nresource \"kafka_topic\" \"orders\" {\n  name = \"orders\" // x\n  replication_factor = 1\n  config = {\n    \"min.insync.replicas\" = \"2\"\n    retention_ms = var.x ? 1 : 2\n  }\n  settings { durable = true }\n  data = <<-EOT\n    a=1\n  EOT\n  list = [1, \"b\", local.c]\n  n = \"${var.a[\"k\"]}-x\"\n}\n";

    #[test]
    fn blocks_attributes_and_their_bytes() {
        let body = parse(TEXT).unwrap();
        let block = &body.blocks[0];
        assert_eq!(
            block.labels.iter().map(|l| l.0.as_str()).collect::<Vec<_>>(),
            ["kafka_topic", "orders"]
        );
        assert_eq!(&TEXT[block.labels[1].1.range()], "orders");
        let factor = block.body.get("replication_factor").unwrap();
        assert_eq!(
            (&factor.value, &TEXT[factor.value_span.range()]),
            (&Value::Number("1".to_owned()), "1")
        );
        let Value::Object(config) = &block.body.get("config").unwrap().value else {
            panic!()
        };
        assert_eq!(&TEXT[config[0].name_span.range()], "\"min.insync.replicas\"");
        assert_eq!(config[1].value, Value::Other);
        assert_eq!(&TEXT[config[1].value_span.range()], "var.x ? 1 : 2");
        assert_eq!(
            block.body.blocks[0].body.get("durable").unwrap().value,
            Value::Bool(true)
        );
        let data = block.body.get("data").unwrap();
        assert_eq!(&TEXT[data.value_span.range()], "    a=1\n");
        assert!(
            matches!(&block.body.get("list").unwrap().value, Value::List(l) if l.len() == 3 && l[2].0 == Value::Other)
        );
        assert_eq!(
            block.body.get("n").unwrap().value,
            Value::Text("${var.a[\"k\"]}-x".to_owned())
        );
    }

    #[test]
    fn what_is_not_hcl_is_told_by_its_byte() {
        for text in [
            "a {",
            "a = \"x",
            "a = [1",
            "a = {b = 1",
            "}",
            "a b = 1",
            "= 1",
            "a = <<E\nx\n",
        ] {
            let e = parse(text).unwrap_err();
            assert!(e.offset <= text.len(), "{text}");
        }
        assert!(parse(&"a {".repeat(10_000)).is_err());
        assert!(parse(&format!("a = {}", "[".repeat(100_000))).is_err());
        assert!(parse(&format!("a = {}", "(".repeat(100_000))).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[ab=\"{}\\[\\]()<\\-#/*$%:,.\\\\\\n ż1]{0,80}") {
            match parse(&text) {
                Ok(body) => for a in &body.attributes {
                    prop_assert!(text.get(a.name_span.range()).is_some() && text.get(a.value_span.range()).is_some());
                },
                Err(e) => prop_assert!(e.offset <= text.len()),
            }
        }
    }
}
