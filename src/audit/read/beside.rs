//! Files that a file names: their settings belong to what the file describes.
//!
//! A reader sees the bytes of such a file as if they stood behind its own, so that every span tells which of them it is in.

use crate::audit::fact::Place;
use crate::audit::secret::{Masks, is_secret_name, is_secret_text, pem_regions};
use crate::text::{SourceFile, Span};
use std::cell::RefCell;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// A file that another one names.
#[derive(Debug)]
pub(in crate::audit) struct Joined {
    /// As it is written there.
    pub written: String,
    /// As it is shown.
    pub name: Arc<str>,
    /// Its bytes.
    pub source: SourceFile,
    /// What must not be shown of it.
    pub masks: Masks,
    /// Where its first byte stands in the space of spans of the file that names it.
    base: usize,
}

/// How a file that is named is found: its name as shown and its bytes, by its path from the working directory.
pub(in crate::audit) type Find<'a> = dyn Fn(&Path) -> Option<(Arc<str>, Vec<u8>)> + 'a;

/// What stands beside a file that is read.
pub(in crate::audit) struct Beside<'a> {
    path: &'a Path,
    find: &'a Find<'a>,
    taken: RefCell<Vec<Arc<Joined>>>,
}

impl<'a> Beside<'a> {
    /// What stands beside the file at `path`.
    pub(in crate::audit) fn new(path: &'a Path, find: &'a Find<'a>) -> Beside<'a> {
        Beside {
            path,
            find,
            taken: RefCell::new(Vec::new()),
        }
    }

    /// The files that were joined.
    pub(in crate::audit) fn into_taken(self) -> Vec<Arc<Joined>> {
        self.taken.into_inner()
    }

    /// The files of variables of these relative paths that are there, each once. `end` is how long the file is that names them.
    pub(super) fn environments(&self, written: &[&str], end: usize) -> Vec<Arc<Joined>> {
        let mut base = end + 1;
        for path in written.iter().take(MAX_JOINED) {
            if self.taken.borrow().iter().any(|j| j.written == *path) {
                continue;
            }
            let Some((name, bytes)) = self.path_of(path).and_then(|p| (self.find)(&p)) else {
                continue;
            };
            let source = SourceFile::new(bytes);
            let Ok(text) = source.utf8() else { continue };
            let mut spans = pem_regions(source.bytes());
            mask_lines(text, &mut spans);
            let length = source.bytes().len();
            self.taken.borrow_mut().push(Arc::new(Joined {
                written: (*path).to_owned(),
                name,
                masks: Masks::new(spans),
                source,
                base,
            }));
            base += length + 1;
        }
        self.taken.borrow().clone()
    }

    /// The path of a file that is named, without `.` and `..`; none for a path that holds for one machine alone.
    fn path_of(&self, written: &str) -> Option<PathBuf> {
        let relative = Path::new(written);
        if written.is_empty() || written.contains(['$', '{']) || !relative.is_relative() {
            return None;
        }
        let mut path = self.path.parent().map(Path::to_path_buf).unwrap_or_default();
        for part in relative.components() {
            match part {
                Component::CurDir => {}
                Component::ParentDir if matches!(path.components().next_back(), Some(Component::Normal(_))) => {
                    path.pop();
                }
                part => path.push(part),
            }
        }
        Some(path)
    }
}

/// How many files of variables one file may name.
const MAX_JOINED: usize = 64;

fn mask_lines(text: &str, spans: &mut Vec<Span>) {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let name = line.split(['=', ':']).next().unwrap_or_default();
        if name.len() < line.len() && is_secret_name(name.trim()) || is_secret_text(line) {
            spans.push(Span::new(at, at + line.trim_end().len()));
        }
        at += line.len();
    }
}

impl Joined {
    /// The span of some of its bytes, as the file that names it knows it.
    pub(super) fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.base + start, self.base + end)
    }

    /// The place of a span, when it is one of this file.
    pub(super) fn place(&self, span: Span) -> Option<Place> {
        let start = span.start.checked_sub(self.base)?;
        let end = span.end.checked_sub(self.base)?;
        (start <= self.source.bytes().len()).then(|| Place {
            file: self.name.clone(),
            span: Span::new(start, end.min(self.source.bytes().len())),
            spot: self.source.spot(start),
        })
    }

    /// Whether a span is one of this file and may not be shown.
    pub(super) fn is_masked(&self, span: Span) -> bool {
        self.place(span).is_some_and(|p| self.masks.touch(p.span))
    }
}
