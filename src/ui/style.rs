//! Colours are labels; meaning never depends on them. The only file that knows the colour crate.

use colored::{Color, Colorize};

/// What a piece of text is, not how it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Loss, errors, findings of the highest severity.
    Loss,
    /// Doubt, warnings, incomplete answers.
    Doubt,
    /// A good answer.
    Good,
    /// What to do next.
    Hint,
    /// Names of things.
    Name,
    /// Secondary facts.
    Faint,
}

/// The text with its colour when `on`, as it is otherwise.
pub fn paint(on: bool, style: Style, text: &str) -> String {
    if !on {
        return text.to_owned();
    }
    // The streams were looked at in `Ui`, one by one; the crate looks at stdout only.
    colored::control::set_override(true);
    let painted = match style {
        Style::Loss => text.color(Color::Red).bold(),
        Style::Doubt => text.color(Color::Yellow).bold(),
        Style::Good => text.color(Color::Green).bold(),
        Style::Hint => text.color(Color::Cyan).bold(),
        Style::Name => text.bold(),
        Style::Faint => text.dimmed(),
    };
    painted.to_string()
}
