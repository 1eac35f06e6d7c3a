//! Text as people typed it.

/// The longest texts that a browser receives, in characters. Google's own pages allow no more; its API does, and a
/// megabyte in a title would crowd out everything else. The stored event keeps the whole text.
pub const MAX_TITLE: usize = 1_024;
pub const MAX_LOCATION: usize = 1_024;
pub const MAX_DESCRIPTION: usize = 8_192;

/// Browsers that have kept an older version of the client cut descriptions to this many UTF-16 units in their cache.
const CACHED_DESCRIPTION: usize = 2_000;

/// Stands for the rest of a cut text.
const ELLIPSIS: char = '…';
/// The number of characters before the ellipsis, or after the cut, that identify the place.
const CONTEXT: usize = 16;

/// The text, or its first `max` characters and an ellipsis.
pub fn cut(text: &str, max: usize) -> String {
    match split(text, max) {
        None => text.to_owned(),
        Some((head, _)) => format!("{head}{ELLIPSIS}"),
    }
}

/// The first `max` characters and the rest. None: there is no rest.
fn split(text: &str, max: usize) -> Option<(&str, &str)> {
    text.char_indices().nth(max).map(|(end, _)| text.split_at(end))
}

/// As [`split`], in UTF-16 units. None also within a pair of surrogates, which such a client cannot send.
fn split_utf16(text: &str, max: usize) -> Option<(&str, &str)> {
    let mut units = 0;
    for (end, character) in text.char_indices() {
        if units >= max {
            return (units == max).then(|| text.split_at(end));
        }
        units += character.len_utf16();
    }
    None
}

/// An edited text as it is to be stored, given the present one, which a browser received [`cut`] to `max` characters.
///
/// The ellipsis stands for the rest: where it was left in place, the rest takes its place again. A text without it is whole:
/// it comes from a reader of the whole text, or from a user who removed the end.
pub fn restore(edited: &str, present: &str, max: usize) -> String {
    let shown = split(present, max);
    let cached = split_utf16(present, CACHED_DESCRIPTION).filter(|_| max > CACHED_DESCRIPTION);
    let restored = |(head, rest)| in_place(edited, head, rest);
    if let Some(whole) = shown.and_then(restored).or_else(|| cached.and_then(restored)) {
        return whole;
    }
    let Some((head, rest)) = shown else {
        return edited.to_owned();
    };
    let before = last(head, CONTEXT);
    let after = split(rest, CONTEXT).map_or(rest, |(start, _)| start);
    if edited.contains(&format!("{before}{after}")) {
        return edited.to_owned();
    }
    // The last words before the ellipsis were edited.
    let alike = edited
        .chars()
        .zip(head.chars())
        .take_while(|(a, b)| a == b)
        .count();
    match edited.strip_suffix(ELLIPSIS) {
        Some(start) if alike >= max / 2 => format!("{start}{rest}"),
        _ => edited.to_owned(),
    }
}

/// The edited text with `rest` in place of the ellipsis that follows the end of `head`. None: there is none.
fn in_place(edited: &str, head: &str, rest: &str) -> Option<String> {
    let before = last(head, CONTEXT);
    let at = edited.rfind(&format!("{before}{ELLIPSIS}"))?;
    let (start, end) = edited.split_at(at + before.len());
    (!rest.starts_with(ELLIPSIS)).then(|| format!("{start}{rest}{}", &end[ELLIPSIS.len_utf8()..]))
}

fn last(text: &str, characters: usize) -> &str {
    let start = text.char_indices().rev().nth(characters - 1);
    &text[start.map_or(0, |(at, _)| at)..]
}

/// None for an empty text: Google stores both alike, and they look the same.
pub fn non_empty(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
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

    #[test]
    fn an_edit_of_a_cut_text_keeps_the_rest() {
        let words: Vec<String> = (0..2_000).map(|word| format!("word{word} ")).collect();
        let present = words.concat();
        let shown = cut(&present, MAX_DESCRIPTION);
        let restored = |edited: &str| restore(edited, &present, MAX_DESCRIPTION);
        assert_eq!(restored(&shown), present);
        let edit = |text: &str| text.replacen("word7 ", "Wort7 ", 1);
        assert_eq!(restored(&edit(&shown)), edit(&present));
        assert_eq!(restored(&format!("{shown} P.S.")), format!("{present} P.S."));
        let end = shown.trim_end_matches(ELLIPSIS);
        let cut_word = end.rsplit(' ').next().unwrap();
        let other_end = format!("{}ne", end.strip_suffix(cut_word).unwrap());
        let rest = &present[end.len()..];
        assert_eq!(restored(&format!("{other_end}…")), format!("{other_end}{rest}"));
        // Whole texts: of a reader of all of it, a removed end, and a new text.
        for whole in [
            edit(&present),
            format!("{present}more"),
            end.to_owned(),
            "To be continued…".to_owned(),
        ] {
            assert_eq!(restored(&whole), whole);
        }
        // A text that was shown whole, with an ellipsis of its own.
        assert_eq!(restore("wait…", "wait for it", MAX_DESCRIPTION), "wait…");
    }

    #[test]
    fn an_edit_of_a_cached_text_keeps_the_rest() {
        let words: Vec<String> = (0..2_000).map(|word| format!("wörd{word} ")).collect();
        // Two UTF-16 units for one character.
        let words = format!("🗓🗓{}", words.concat());
        for length in [2_500, 5_000, 10_000] {
            let (present, _) = split(&words, length).unwrap();
            let (head, _) = split_utf16(present, CACHED_DESCRIPTION).unwrap();
            let shown = format!("{head}{ELLIPSIS}");
            let restored = |edited: &str| restore(edited, present, MAX_DESCRIPTION);
            assert_eq!(restored(&shown), present, "{length}");
            assert_eq!(restored(&format!("{shown} P.S.")), format!("{present} P.S."));
            let edit = |text: &str| text.replacen("wörd7 ", "Wort7 ", 1);
            assert_eq!(restored(&edit(&shown)), edit(present), "{length}");
            // A user who shortened the whole text.
            let (shorter, _) = split(present, 1_500).unwrap();
            let shorter = format!("{shorter}{ELLIPSIS}");
            assert_eq!(restored(&shorter), shorter, "{length}");
        }
    }

    #[test]
    fn titles_and_locations_are_cut_at_their_own_limit() {
        let words: Vec<String> = (0..2_000).map(|word| format!("word{word} ")).collect();
        let words = words.concat();
        let (present, _) = split(&words, 5_000).unwrap();
        for max in [MAX_TITLE, MAX_LOCATION] {
            let shown = cut(present, max);
            let edited = format!("{shown} P.S.");
            assert_eq!(restore(&edited, present, max), format!("{present} P.S."));
        }
    }
}
