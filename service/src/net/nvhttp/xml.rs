//! Replies: a `root` element with the application's status, and flat children.
use std::fmt::Write as _;

/// One reply under construction.
pub(super) struct Xml {
    status: u16,
    message: String,
    children: String,
}

impl Xml {
    pub(super) fn ok() -> Self {
        Self {
            status: 200,
            message: String::new(),
            children: String::new(),
        }
    }

    /// `message` is shown to the person at the client.
    pub(super) fn error(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            children: String::new(),
        }
    }

    /// Add `<name>value</name>`.
    pub(super) fn element(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.push(name, &value.to_string());
        self
    }

    /// Add a child that holds `inner`'s children.
    pub(super) fn nested(mut self, name: &str, inner: Xml) -> Self {
        // Writing to a String cannot fail.
        let _ = write!(self.children, "<{name}>{}</{name}>", inner.children);
        self
    }

    fn push(&mut self, name: &str, value: &str) {
        let _ = write!(self.children, "<{name}>{}</{name}>", escape(value));
    }

    pub(super) fn into_text(self) -> String {
        let mut text = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<root");
        let _ = write!(text, " status_code=\"{}\"", self.status);
        if !self.message.is_empty() {
            let _ = write!(text, " status_message=\"{}\"", escape(&self.message));
        }
        let _ = writeln!(text, ">{}</root>", self.children);
        text
    }
}

/// Escape for text and attribute values; what XML 1.0 cannot carry at all is dropped.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\t' | '\n' | '\r' => out.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}
