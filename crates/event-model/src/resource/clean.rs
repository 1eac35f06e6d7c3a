//! JSON text that Postgres accepts.

use std::borrow::Cow;

/// The same JSON without the escapes that `jsonb` and `text` refuse: `\u0000` is removed, and half a surrogate pair becomes
/// U+FFFD. Google passes both on from other programs. Text without such escapes is returned unchanged.
pub fn clean(json: &str) -> Cow<'_, str> {
    let mut cleaned: Option<String> = None;
    let mut kept = 0;
    let mut at = 0;
    while let Some(found) = json[at..].find('\\') {
        let escape = at + found;
        // An escape is two bytes long, `\uXXXX` six, and a pair of surrogates twelve. It is skipped as a whole, so an
        // escaped backslash before a `u` does not start another.
        let (len, replacement) = match unit(json, escape) {
            None => (2, None),
            Some(0) => (6, Some("")),
            Some(0xD800..=0xDBFF) => match unit(json, escape + 6) {
                Some(0xDC00..=0xDFFF) => (12, None),
                _ => (6, Some("\\ufffd")),
            },
            Some(0xDC00..=0xDFFF) => (6, Some("\\ufffd")),
            Some(_) => (6, None),
        };
        if let Some(replacement) = replacement {
            let cleaned = cleaned.get_or_insert_default();
            cleaned.push_str(&json[kept..escape]);
            cleaned.push_str(replacement);
            kept = escape + len;
        }
        at = escape + len;
        // Past the end, or inside a character: not JSON. The parser reports it.
        if !json.is_char_boundary(at) {
            break;
        }
    }
    match cleaned {
        None => Cow::Borrowed(json),
        Some(mut cleaned) => {
            cleaned.push_str(&json[kept..]);
            Cow::Owned(cleaned)
        }
    }
}

/// The UTF-16 unit of the escape `\uXXXX` at this position.
fn unit(json: &str, at: usize) -> Option<u16> {
    let digits = json.get(at..at + 6)?.strip_prefix("\\u")?;
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    u16::from_str_radix(digits, 16).ok()
}
