//! The colours of the report. Whether they reach the reader is decided where text is
//! printed: on a terminal only, and never with `NO_COLOR`.

use std::fmt;

use anstyle::{AnsiColor, Style};

use crate::visible::text::visible;

pub(crate) const CREATE: Style = AnsiColor::Green.on_default();
pub(crate) const CHANGE: Style = AnsiColor::Yellow.on_default();
pub(crate) const DELETE: Style = AnsiColor::Red.on_default();
pub(crate) const LEAVE: Style = AnsiColor::Magenta.on_default();
pub(crate) const STRONG: Style = Style::new().bold();
pub(crate) const QUIET: Style = Style::new().dimmed();

/// A text in a style, which cannot end it.
pub(crate) fn paint(style: Style, text: impl fmt::Display) -> String {
    format!("{style}{}{style:#}", visible(&text.to_string()))
}
