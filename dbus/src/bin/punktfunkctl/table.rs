//! Columns for a terminal. Names come from devices: what could move the cursor is never printed.

/// The text without control characters and without marks that change the direction of writing.
pub fn printable(text: &str) -> String {
    let harmless = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().filter(harmless).collect()
}

/// Left-aligned columns with two spaces between them; the last column is not padded.
pub fn table<const N: usize>(header: [&str; N], rows: &[[String; N]]) -> String {
    let rows: Vec<[String; N]> = std::iter::once(header.map(str::to_owned))
        .chain(
            rows.iter()
                .map(|row| row.clone().map(|cell| printable(&cell))),
        )
        .collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Names and values below each other.
pub fn fields(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, value): &(&str, String)| format!("{name:width$}  {}", printable(value));
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_do_not_end_in_spaces() {
        let rows = [
            ["a".into(), "long value".into()],
            ["longer".into(), "".into()],
        ];
        let text = table(["ID", "NAME"], &rows);
        assert_eq!(text, "ID      NAME\na       long value\nlonger");
    }

    #[test]
    fn a_devices_name_cannot_steer_the_terminal() {
        assert_eq!(printable("TV\x1b[2J\r\n\u{202e}x\u{9b}31m"), "TV[2Jx31m");
    }
}
