//! Tables for people. The only file that knows the table crate.

use comfy_table::{CellAlignment, ContentArrangement};

/// A table of escaped text.
pub struct Table {
    inner: comfy_table::Table,
}

impl Table {
    /// A table with these column titles, at most `width` columns wide.
    pub fn new(titles: &[&str], width: usize) -> Table {
        let mut inner = comfy_table::Table::new();
        inner.force_no_tty();
        inner.load_style(comfy_table::presets::NOTHING);
        inner.set_content_arrangement(ContentArrangement::Dynamic);
        inner.set_width(u16::try_from(width).unwrap_or(u16::MAX));
        inner.set_header(titles.iter().map(|t| t.to_uppercase()));
        Table { inner }
    }

    /// Adds a row; every cell is escaped.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.inner.add_row(cells.into_iter().map(|c| super::escape(&c)));
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.inner.row_count() == 0
    }

    /// Right-aligns a column of numbers.
    pub fn numbers(&mut self, columns: impl IntoIterator<Item = usize>) {
        for i in columns {
            if let Some(c) = self.inner.column_mut(i) {
                c.set_cell_alignment(CellAlignment::Right);
            }
        }
    }

    /// The table as text, each line ended.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for line in self.inner.lines() {
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// The width of the terminal that stdout is, if it is one.
pub(super) fn terminal_width() -> Option<usize> {
    comfy_table::Table::new().width().map(usize::from)
}
