//! The properties of a component.

use icalendar::parser::{Component, Property};

/// The first property of that name.
pub fn property<'a>(component: &'a Component<'a>, name: &str) -> Option<&'a Property<'a>> {
    component
        .properties
        .iter()
        .find(|property| property.name.as_str().eq_ignore_ascii_case(name))
}

/// The text of a property, `None` when it is missing or blank. The parser has unescaped it.
pub fn text_of<'a>(component: &'a Component<'a>, name: &str) -> Option<&'a str> {
    property(component, name)
        .map(|property| property.val.as_str())
        .filter(|text| !text.trim().is_empty())
}

/// A parameter without its quotes.
pub fn parameter<'a>(property: &'a Property<'a>, name: &str) -> Option<&'a str> {
    let found = property
        .params
        .iter()
        .find(|parameter| parameter.key.as_str().eq_ignore_ascii_case(name))?;
    found.val.as_ref().map(|value| value.as_str().trim_matches('"'))
}
