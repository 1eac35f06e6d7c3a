//! Google's two palettes, as `colors.get` returns them.

use serde_json::{Map, Value, json};

/// Calendar colours by `colorId` from 1.
const CALENDAR: [&str; 24] = [
    "#ac725e", "#d06b64", "#f83a22", "#fa573c", "#ff7537", "#ffad46", "#42d692", "#16a765", "#7bd148",
    "#b3dc6c", "#fbe983", "#fad165", "#92e1c0", "#9fe1e7", "#9fc6e7", "#4986e7", "#9a9cff", "#b99aff",
    "#c2c2c2", "#cabdbf", "#cca6ac", "#f691b2", "#cd74e6", "#a47ae2",
];

/// Event colours by `colorId` from 1.
const EVENT: [&str; 11] = [
    "#a4bdfc", "#7ae7bf", "#dbadff", "#ff887c", "#fbd75b", "#ffb878", "#46d6db", "#e1e1e1", "#5484ed",
    "#51b749", "#dc2127",
];

pub fn palettes() -> Value {
    json!({
        "kind": "calendar#colors",
        "updated": "2012-02-14T00:00:00.000Z",
        "calendar": palette(&CALENDAR),
        "event": palette(&EVENT),
    })
}

fn palette(colors: &[&str]) -> Map<String, Value> {
    let numbered = (1..).zip(colors);
    numbered
        .map(|(id, color): (usize, _)| {
            (
                id.to_string(),
                json!({ "background": color, "foreground": "#1d1d1d" }),
            )
        })
        .collect()
}

/// The `colorId` whose colour is nearest, as Google gives for colours outside the palette.
pub fn nearest_calendar_color(color: &str) -> String {
    let nearest = (1_usize..)
        .zip(CALENDAR)
        .min_by_key(|(_, each)| distance(color, each));
    nearest.map_or_else(|| "1".into(), |(id, _)| id.to_string())
}

fn distance(one: &str, other: &str) -> u32 {
    let part = |color: &str, at: usize| {
        color
            .get(at..at + 2)
            .and_then(|hex| u32::from_str_radix(hex, 16).ok())
            .unwrap_or(0)
    };
    [1, 3, 5]
        .iter()
        .map(|&at| part(one, at).abs_diff(part(other, at)).pow(2))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_color_outside_the_palette_gets_the_nearest_id() {
        assert_eq!(nearest_calendar_color("#4986E7"), "16");
        assert_eq!(nearest_calendar_color("#4a85e0"), "16");
    }
}
