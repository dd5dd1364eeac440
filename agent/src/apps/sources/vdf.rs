//! Valve's KeyValues text format, as far as Steam's library files use it.

/// How deep tables nest, and how many values there are, at most.
const MAX_DEPTH: u32 = 16;
const MAX_VALUES: usize = 100_000;

/// A value: text, or a table of named values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Table(Vec<(String, Value)>),
}

impl Value {
    /// The first value of this name, whatever its case.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.entries()
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The first text of this name.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Value::Text(text) => Some(text),
            Value::Table(_) => None,
        }
    }

    pub fn entries(&self) -> &[(String, Value)] {
        match self {
            Value::Text(_) => &[],
            Value::Table(entries) => entries,
        }
    }
}

/// The outermost table.
///
/// # Errors
/// What is wrong with the text.
pub fn parse(text: &str) -> Result<Value, String> {
    let mut parser = Parser {
        rest: text.chars(),
        left: MAX_VALUES,
    };
    let table = parser.table(0)?;
    Ok(table)
}

struct Parser<'a> {
    rest: std::str::Chars<'a>,
    left: usize,
}

enum Token {
    Text(String),
    Open,
    Close,
}

impl Parser<'_> {
    fn table(&mut self, depth: u32) -> Result<Value, String> {
        if depth > MAX_DEPTH {
            return Err("tables nest too deep".into());
        }
        let mut entries = Vec::new();
        loop {
            let key = match self.token()? {
                Some(Token::Text(key)) => key,
                Some(Token::Close) if depth > 0 => break,
                None if depth == 0 => break,
                Some(_) => return Err("a brace where a name should be".into()),
                None => return Err("a table does not end".into()),
            };
            self.left = self.left.checked_sub(1).ok_or("too many values")?;
            let value = match self.token()? {
                Some(Token::Text(text)) => Value::Text(text),
                Some(Token::Open) => self.table(depth + 1)?,
                _ => return Err(format!("\"{key}\" has no value")),
            };
            entries.push((key, value));
        }
        Ok(Value::Table(entries))
    }

    fn token(&mut self) -> Result<Option<Token>, String> {
        loop {
            let before = self.rest.clone();
            match self.rest.next() {
                None => return Ok(None),
                Some(blank) if blank.is_whitespace() => {}
                Some('/') => while self.rest.next().is_some_and(|c| c != '\n') {},
                Some('{') => return Ok(Some(Token::Open)),
                Some('}') => return Ok(Some(Token::Close)),
                Some('"') => return self.quoted().map(|text| Some(Token::Text(text))),
                Some(_) => {
                    self.rest = before;
                    return Ok(Some(Token::Text(self.bare())));
                }
            }
        }
    }

    fn quoted(&mut self) -> Result<String, String> {
        let mut text = String::new();
        loop {
            match self.rest.next() {
                Some('"') => return Ok(text),
                Some('\\') => match self.rest.next() {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some(other) => text.push(other),
                    None => break,
                },
                Some(other) => text.push(other),
                None => break,
            }
        }
        Err("a quoted text does not end".into())
    }

    fn bare(&mut self) -> String {
        let mut text = String::new();
        loop {
            let before = self.rest.clone();
            match self.rest.next() {
                Some(c) if !c.is_whitespace() && !matches!(c, '{' | '}' | '"') => text.push(c),
                _ => {
                    self.rest = before;
                    return text;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tables_texts_comments_and_escapes_are_read() {
        let text = "// Steam writes this\n\"AppState\"\n{\n\t\"appid\"\t\"220\"\n\t\"name\" \"Half \\\"Life\\\"\"\n\tbare {\n x 1 }\n}";
        let value = parse(text).unwrap();
        let state = value.get("appstate").unwrap();
        assert_eq!(state.text("appid"), Some("220"));
        assert_eq!(state.text("NAME"), Some("Half \"Life\""));
        assert_eq!(state.get("bare").unwrap().text("x"), Some("1"));
    }

    #[test]
    fn what_is_broken_or_endlessly_deep_is_refused() {
        for broken in ["{", "\"a\"", "\"a\" {", "\"a", "\"a\" }", "}"] {
            assert!(parse(broken).is_err(), "{broken}");
        }
        assert!(parse(&"a {".repeat(10_000)).unwrap_err().contains("deep"));
        assert!(
            parse(&"a b ".repeat(MAX_VALUES + 1))
                .unwrap_err()
                .contains("many")
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_fail_otherwise(text in ".*") {
            let _ = parse(&text);
        }
    }
}
