//! The lines of a file, and the components that they make up.

use icalendar::parser::{Component, read_components};

use super::error::IcsError;

/// Deeper than any calendar nests; the parser recurses, so a hostile file must not choose the depth.
const MAX_DEPTH: usize = 8;

/// A content line with its folded parts joined.
pub struct Line {
    /// Of its first part, counted from 1.
    pub number: usize,
    pub text: String,
}

impl Line {
    fn is(&self, text: &str) -> bool {
        self.text.trim_end().eq_ignore_ascii_case(text)
    }
}

/// A `VCALENDAR`.
#[derive(Default)]
pub struct Section<'a> {
    /// Its own properties.
    pub head: Vec<&'a Line>,
    /// Its components, each from `BEGIN` to `END`.
    parts: Vec<&'a [Line]>,
}

impl<'a> Section<'a> {
    /// The components of a name.
    pub fn parts(&self, name: &str) -> impl Iterator<Item = &'a [Line]> {
        let begin = format!("BEGIN:{name}");
        let parts = self.parts.iter().copied();
        parts.filter(move |part| part.first().is_some_and(|line| line.is(&begin)))
    }
}

/// Joins folded lines and forgets blank ones, whichever line ends and byte order mark the file has.
pub fn unfold(text: &str) -> Vec<Line> {
    let text = text
        .trim_start_matches('\u{feff}')
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    let mut lines: Vec<Line> = Vec::new();
    for (index, part) in text.split('\n').enumerate() {
        match (part.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(rest), Some(line)) => line.text.push_str(rest),
            _ if part.trim().is_empty() => {}
            _ => lines.push(Line {
                number: index + 1,
                text: part.into(),
            }),
        }
    }
    lines
}

/// The calendars of a file. An error: it is no iCalendar file, or was cut off.
pub fn calendars(lines: &[Line]) -> Result<Vec<Section<'_>>, IcsError> {
    let first = lines
        .first()
        .ok_or_else(|| IcsError::new(None, "the file is empty"))?;
    if !first.is("BEGIN:VCALENDAR") {
        let what = "expected BEGIN:VCALENDAR: this is not an iCalendar file";
        return Err(IcsError::new(first.number, what));
    }
    let mut sections: Vec<Section<'_>> = Vec::new();
    let (mut depth, mut begun) = (0_usize, 0);
    for (index, line) in lines.iter().enumerate() {
        let word = line.text.get(..6).unwrap_or(&line.text).to_ascii_uppercase();
        if word == "BEGIN:" {
            depth += 1;
            match depth {
                1 => sections.push(Section::default()),
                2 => begun = index,
                _ => {}
            }
            if depth > MAX_DEPTH {
                let what = format!("nested deeper than {MAX_DEPTH} components");
                return Err(IcsError::new(line.number, what));
            }
            continue;
        }
        let is_end = word.starts_with("END:");
        if let (Some(section), true) = (sections.last_mut(), depth < 3) {
            match (depth, is_end) {
                (2, true) => section.parts.extend(lines.get(begun..=index)),
                (0 | 1, false) => section.head.push(line),
                _ => {}
            }
        }
        if is_end {
            depth = depth.saturating_sub(1);
        }
    }
    if depth > 0 {
        let last = lines.last().map(|line| line.number);
        let what = "the file ends inside a component: an END line is missing";
        return Err(IcsError::new(last, what));
    }
    Ok(sections)
}

/// Parses one component, from `BEGIN` to `END`.
pub fn parse<T>(lines: &[Line], read: impl FnOnce(&Component<'_>) -> T) -> Result<T, IcsError> {
    // With bare newlines the parser would search the rest of the text for a CRLF, once per property.
    let text: String = lines
        .iter()
        .flat_map(|line| [line.text.as_str(), "\r\n"])
        .collect();
    let components = read_components(&text).map_err(|message| syntax_error(&message, lines))?;
    let component = components.first().ok_or_else(|| syntax_error("", lines))?;
    Ok(read(component))
}

/// The parser counts the lines of its text; people count those of the file.
fn syntax_error(message: &str, lines: &[Line]) -> IcsError {
    let counted = message.split("at line ").nth(1).and_then(|rest| {
        rest.split(|c: char| !c.is_ascii_digit())
            .next()?
            .parse::<usize>()
            .ok()
    });
    match counted.and_then(|number| lines.get(number.checked_sub(1)?)) {
        Some(line) => broken(line),
        None => IcsError::new(
            lines.first().map(|line| line.number),
            "not well-formed: BEGIN and END do not match, or a line has no name and value",
        ),
    }
}

pub fn broken(line: &Line) -> IcsError {
    let start: String = line.text.chars().take(40).collect();
    IcsError::new(
        line.number,
        format!("not a line of an iCalendar component: {start:?}"),
    )
}
