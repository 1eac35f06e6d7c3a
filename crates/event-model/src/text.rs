//! Text as people typed it.

/// The longest texts that a browser receives, in characters. Google's own pages allow no more; its API does, and a
/// megabyte in a title would crowd out everything else. The stored event keeps the whole text.
pub const MAX_TITLE: usize = 1_024;
pub const MAX_LOCATION: usize = 1_024;
pub const MAX_DESCRIPTION: usize = 8_192;

/// The text, or its first `max` characters and an ellipsis.
pub fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// None for an empty text: Google stores both alike, and they look the same.
pub fn non_empty(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Whether `given` is `full` as a browser received it, cut to `max` characters. Such a text is no edit.
pub fn is_shown(given: Option<&str>, full: Option<&str>, max: usize) -> bool {
    match (given, full) {
        (Some(given), Some(full)) => given == cut(full, max),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("déjà", 4), "déjà");
        assert_eq!(cut("déjà vu", 4), "déjà…");
        assert_eq!(cut("", 0), "");
    }
}
