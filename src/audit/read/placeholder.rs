//! Placeholders that name their own default: `${ACKS:all}` in Spring and Quarkus, `${ACKS:-all}` in compose files.

/// Whose rules a placeholder follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    /// `${name:default}`.
    Spring,
    /// `${NAME:-default}` and `${NAME-default}`; `$$` is a dollar sign.
    Compose,
}

/// Nesting that no configuration needs.
const DEEPEST: usize = 8;

/// The text with every placeholder that has a default replaced by it; `None` when there is none. A placeholder without a default stays.
pub(super) fn defaults(text: &str, syntax: Syntax) -> Option<String> {
    if !text.contains("${") {
        return None;
    }
    let (out, replaced) = replace(text, syntax, 0);
    replaced.then_some(out)
}

fn replace(text: &str, syntax: Syntax, depth: usize) -> (String, bool) {
    let (mut out, mut rest, mut replaced) = (String::new(), text, false);
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let escaped = syntax == Syntax::Compose && before.ends_with('$');
        let Some(len) = closing(from).filter(|_| !escaped && depth < DEEPEST) else {
            out.push_str("${");
            rest = &from[2..];
            continue;
        };
        let inner = &from[2..len];
        let default = match syntax {
            Syntax::Spring => inner.split_once(':').map(|(_, d)| d),
            Syntax::Compose => inner.find(['-', '?', '+', ':']).and_then(|i| {
                let (_, tail) = inner.split_at(i);
                tail.strip_prefix(":-").or_else(|| tail.strip_prefix('-'))
            }),
        };
        match default {
            Some(default) => {
                out.push_str(&replace(default, syntax, depth + 1).0);
                replaced = true;
            }
            None => out.push_str(&from[..=len]),
        }
        rest = &from[len + 1..];
    }
    out.push_str(rest);
    (out, replaced)
}

/// Where the brace that closes `${` stands.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (i, b) in text.bytes().enumerate() {
        match b {
            b'{' => depth += 1,
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(i);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn defaults_are_taken_and_names_stay() {
        let spring = |t| defaults(t, Syntax::Spring);
        assert_eq!(spring("${ACKS:all}").as_deref(), Some("all"));
        assert_eq!(spring("a${X:b${Y:c}}d").as_deref(), Some("abcd"));
        assert_eq!(spring("${X}"), None);
        assert_eq!(spring("${X}${Y:}").as_deref(), Some("${X}"));
        assert_eq!(spring("${X:1"), None);
        let compose = |t| defaults(t, Syntax::Compose);
        assert_eq!(compose("${ACKS:-all}").as_deref(), Some("all"));
        assert_eq!(compose("${ACKS-1}").as_deref(), Some("1"));
        assert_eq!(compose("${ACKS:?must be set}"), None);
        assert_eq!(compose("$${ACKS:-all}"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in "[$\\{\\}:\\-?aż]{0,40}") {
            for syntax in [Syntax::Spring, Syntax::Compose] {
                let _ = defaults(&text, syntax);
            }
        }
    }
}
