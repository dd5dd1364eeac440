//! A command line as one text, taken apart without a shell.

/// Longest command line in bytes, and most words in it.
const MAX_LINE: usize = 32 * 1024;
const MAX_WORDS: usize = 1024;

/// The words of a line: separated by blanks, quoted with `"` (where a backslash escapes) or `'`. Nothing is expanded.
///
/// # Errors
/// A quote that does not end, a line that is too long, or none at all; the text says which.
pub fn split(line: &str) -> Result<Vec<String>, String> {
    if line.len() > MAX_LINE {
        return Err(format!("the command is longer than {MAX_LINE} bytes"));
    }
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '"' => quoted(&mut characters, word.get_or_insert_default())?,
            '\'' => {
                let inside = word.get_or_insert_default();
                loop {
                    match characters.next() {
                        Some('\'') => break,
                        Some(other) => inside.push(other),
                        None => return Err("a quote (') does not end".into()),
                    }
                }
            }
            '\\' => match characters.next() {
                Some(escaped) => word.get_or_insert_default().push(escaped),
                None => return Err("the command ends with a backslash".into()),
            },
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    if words.len() > MAX_WORDS {
        return Err(format!("the command has more than {MAX_WORDS} words"));
    }
    if words.first().is_none_or(String::is_empty) {
        return Err("the command is empty".into());
    }
    Ok(words)
}

fn quoted(characters: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), String> {
    loop {
        match characters.next() {
            Some('"') => return Ok(()),
            Some('\\') => match characters.next() {
                Some(escaped @ ('"' | '`' | '$' | '\\')) => word.push(escaped),
                Some(other) => word.extend(['\\', other]),
                None => break,
            },
            Some(other) => word.push(other),
            None => break,
        }
    }
    Err("a quote (\") does not end".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_the_desktop_entry_specification_has_it() {
        let words = |line| split(line).unwrap();
        assert_eq!(words("a  b\tc"), ["a", "b", "c"]);
        assert_eq!(
            words(r#"run "a b" "c\"d\$e\\f" x'y z'"#),
            ["run", "a b", r#"c"d$e\f"#, "xy z"]
        );
        assert_eq!(words(r#"sh -c "" end"#), ["sh", "-c", "", "end"]);
        for broken in ["", "  ", "\"a", "'a", "a\\", "\"\" x"] {
            assert!(split(broken).is_err(), "{broken}");
        }
    }
}
