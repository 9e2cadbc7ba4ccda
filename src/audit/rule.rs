//! What a rule is: a code, its words, and a check. The doc comment on it is the text of `--explain`.

use super::judge::Judge;
use super::role::Role;

/// Where a rule finds what it judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// In configuration files.
    File,
    /// On a live broker.
    Live,
    /// In source code.
    Code,
}

impl Evidence {
    /// The word in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Evidence::File => "file",
            Evidence::Live => "live",
            Evidence::Code => "code",
        }
    }
}

/// One rule. Its severity is not here: that is the profile's to say.
#[derive(Debug)]
pub struct Rule {
    /// Its code, never reused.
    pub code: &'static str,
    /// Its name, which reads well after "allow".
    pub name: &'static str,
    /// What it finds, in one line.
    pub title: &'static str,
    /// Where it can be found.
    pub evidence: &'static [Evidence],
    /// Cases that a profile may judge apart: `acks-0` for `KP001/acks-0`.
    pub variants: &'static [&'static str],
    /// What it judges.
    pub applies: &'static [Role],
    /// The whole explanation, in Markdown.
    pub doc: &'static str,
    /// The check.
    pub check: fn(&mut Judge<'_>),
}

impl Rule {
    /// The explanation without the space that a doc comment begins every line with.
    pub fn explanation(&self) -> String {
        let lines = self.doc.lines().map(|line| line.strip_prefix(' ').unwrap_or(line));
        let mut text = lines.collect::<Vec<_>>().join("\n");
        text.push('\n');
        text
    }
}

/// Declares a rule: its doc comment becomes [`Rule::doc`].
macro_rules! rule {
    ($(#[doc = $doc:literal])+ $vis:vis static $id:ident = { $($field:ident: $value:expr),* $(,)? };) => {
        $(#[doc = $doc])+
        $vis static $id: $crate::audit::rule::Rule = $crate::audit::rule::Rule {
            doc: concat!($($doc, "\n"),+),
            $($field: $value),*
        };
    };
}
pub(crate) use rule;
