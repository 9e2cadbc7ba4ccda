//! The text of `sasl.jaas.config`: one login module with its options.
//!
//! The grammar is that of Kafka's `JaasConfig`, which reads with Java's `StreamTokenizer`:
//! `CLASS required|requisite|sufficient|optional NAME=VALUE NAME="VALUE" … ;`, values bare, or in double or single quotes with
//! the escapes of Java, comments as in Java. No crate reads it.

use std::iter::Peekable;
use std::str::Chars;

/// A login module. Its options hold secrets, so there is no `Debug`.
#[derive(PartialEq, Eq)]
pub(super) struct Login {
    /// The last part of the name of its class: `PlainLoginModule`.
    pub(super) module: String,
    /// The options in their order.
    pub(super) options: Vec<(String, String)>,
}

impl Login {
    /// The value of an option.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

#[derive(PartialEq, Eq)]
enum Token {
    Word(String),
    Quoted(String),
    Sign(char),
}

/// Reads one login. The error says what is wrong and repeats nothing of the text, because any part of it may be a secret.
pub(super) fn parse(text: &str) -> Result<Login, &'static str> {
    let mut tokens = tokens(text)?.into_iter();
    let Some(Token::Word(class)) = tokens.next() else {
        return Err("it does not begin with the class of a login module");
    };
    match tokens.next() {
        Some(Token::Word(flag)) if is_flag(&flag) => {}
        _ => return Err("after the class stands required, requisite, sufficient or optional"),
    }
    let mut options: Vec<(String, String)> = Vec::new();
    loop {
        let name = match tokens.next() {
            Some(Token::Sign(';')) => break,
            Some(Token::Word(name) | Token::Quoted(name)) => name,
            Some(Token::Sign(_)) => return Err("an option is not NAME=VALUE; quote a value that holds signs"),
            None => return Err("it does not end with a semicolon"),
        };
        if tokens.next() != Some(Token::Sign('=')) {
            return Err("an option is not NAME=VALUE; quote a value that holds signs or spaces");
        }
        let (Some(Token::Word(value)) | Some(Token::Quoted(value))) = tokens.next() else {
            return Err("an option has no value; quote a value that holds signs");
        };
        if options.iter().any(|(n, _)| *n == name) {
            return Err("an option is given twice");
        }
        options.push((name, value));
    }
    if tokens.next().is_some() {
        return Err("there is more than one login module, or text after the semicolon");
    }
    let module = class.rsplit('.').next().unwrap_or(&class).to_owned();
    Ok(Login { module, options })
}

fn is_flag(word: &str) -> bool {
    ["required", "requisite", "sufficient", "optional"]
        .iter()
        .any(|flag| word.eq_ignore_ascii_case(flag))
}

fn tokens(text: &str) -> Result<Vec<Token>, &'static str> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.peek().copied() {
        if c <= ' ' {
            chars.next();
        } else if is_word(c) {
            let mut word = String::new();
            while let Some(c) = chars.next_if(|c| is_word(*c)) {
                word.push(c);
            }
            tokens.push(Token::Word(word));
        } else {
            chars.next();
            match c {
                '"' | '\'' => tokens.push(Token::Quoted(quoted(&mut chars, c)?)),
                '/' if chars.peek() == Some(&'/') => while chars.next_if(|c| *c != '\n').is_some() {},
                '/' if chars.peek() == Some(&'*') => comment(&mut chars)?,
                sign => tokens.push(Token::Sign(sign)),
            }
        }
    }
    Ok(tokens)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._-$".contains(c) || c >= '\u{a0}'
}

fn comment(chars: &mut Peekable<Chars<'_>>) -> Result<(), &'static str> {
    chars.next();
    let mut last = ' ';
    for c in chars {
        if last == '*' && c == '/' {
            return Ok(());
        }
        last = c;
    }
    Err("a comment is not closed")
}

/// What stands up to the closing quote, with the escapes of `StreamTokenizer`.
fn quoted(chars: &mut Peekable<Chars<'_>>, quote: char) -> Result<String, &'static str> {
    let mut out = String::new();
    loop {
        match chars.next() {
            Some(c) if c == quote => return Ok(out),
            Some('\n' | '\r') | None => return Err("a quote is not closed"),
            Some('\\') => match chars.next() {
                Some(digit @ '0'..='7') => out.push(octal(chars, digit)),
                Some('a') => out.push('\u{7}'),
                Some('b') => out.push('\u{8}'),
                Some('f') => out.push('\u{c}'),
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('t') => out.push('\t'),
                Some('v') => out.push('\u{b}'),
                Some(other) => out.push(other),
                None => return Err("a quote is not closed"),
            },
            Some(c) => out.push(c),
        }
    }
}

/// Up to three octal digits, the third only below `\400`.
fn octal(chars: &mut Peekable<Chars<'_>>, first: char) -> char {
    let mut value = first.to_digit(8).unwrap_or(0);
    let more = if first <= '3' { 2 } else { 1 };
    for _ in 0..more {
        let Some(digit) = chars.peek().and_then(|c| c.to_digit(8)) else {
            break;
        };
        chars.next();
        value = value * 8 + digit;
    }
    char::from_u32(value).unwrap_or('\u{fffd}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> Result<Vec<(String, String)>, &'static str> {
        parse(text).map(|login| login.options)
    }

    fn password(value: &str) -> Option<String> {
        let text = format!(
            "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"u\" password={value};"
        );
        parse(&text).ok()?.get("password").map(str::to_owned)
    }

    #[test]
    fn values_in_all_their_clothes() {
        for (written, meant) in [
            ("\"secret\"", "secret"),
            ("'se\"cret'", "se\"cret"),
            ("secret-1_$x.y", "secret-1_$x.y"),
            ("\"a\\\"b\\\\c;d=e\"", "a\"b\\c;d=e"),
            ("\"\\101\\7\\477\\n\"", "A\u{7}\u{27}7\n"),
            ("\"żółw // no comment\"", "żółw // no comment"),
            ("/* quoted */ \"x\" // end\n", "x"),
            ("\"\"", ""),
        ] {
            assert_eq!(password(written).as_deref(), Some(meant), "{written}");
        }
    }

    #[test]
    fn the_module_is_the_last_part_of_its_class() {
        let login = parse("shaded.org.apache.ScramLoginModule  Required\n username = 'u' ;")
            .ok()
            .unwrap();
        assert_eq!(login.module, "ScramLoginModule");
        assert_eq!(login.get("username"), Some("u"));
        assert_eq!(options("A optional;"), Ok(vec![]));
    }

    #[test]
    fn what_is_malformed_is_refused_and_not_repeated() {
        for bad in [
            "",
            "password=\"hunter2\";",
            "A required password=\"hunter2\"",
            "A required password=\"hunter2;",
            "A required password hunter2;",
            "A required password=p@hunter2;",
            "A required password=\"hunter2\" password=\"x\";",
            "A required password=\"hunter2\"; B required;",
            "A password=\"hunter2\";",
            "A required /* password=hunter2;",
            "A required password=\"hunter2\\",
        ] {
            let why = parse(bad).err().unwrap();
            assert!(!why.contains("hunter2"), "{bad}");
        }
    }
}
