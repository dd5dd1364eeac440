//! What is to be put back when the last stream of this session ends.

/// The outputs that are lit, by name, first to last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout(pub Vec<String>);

impl Layout {
    /// Without the outputs whose name begins so.
    pub fn without(mut self, prefix: &str) -> Self {
        self.0.retain(|name| !name.starts_with(prefix));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_of_other_streams_are_nothing_to_put_back() {
        let layout = Layout(
            [
                "DP-1",
                "Virtual-punktfunk",
                "Virtual-punktfunk-2",
                "HDMI-A-1",
            ]
            .map(str::to_owned)
            .to_vec(),
        );
        assert_eq!(
            layout.without("Virtual-punktfunk").0,
            ["DP-1".to_owned(), "HDMI-A-1".to_owned()]
        );
    }
}
