//! Fixed offsets as names of zones.

use chrono::FixedOffset;

/// The offset that a name states: `GMT+02:00`, `UTC-03:30`, `GMT+5`, `+0200`. East is positive, unlike in the tz database's
/// `Etc/GMT-2`. The forms are those of Java's time zones, which Google's servers read and write:
/// <https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/util/TimeZone.html>.
pub fn of_name(name: &str) -> Option<FixedOffset> {
    let signed = ["GMT", "UTC", "UT"]
        .into_iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name);
    let (sign, digits) = match signed.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match (digits.split_once(':'), digits.len()) {
        (Some((hours, minutes)), _) => (hours, minutes),
        (None, 1 | 2) => (digits, "00"),
        (None, 3 | 4) => digits.split_at_checked(digits.len() - 2)?,
        (None, _) => return None,
    };
    let number = |text: &str, lens: std::ops::RangeInclusive<usize>, max| {
        let is_number = lens.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = is_number.then(|| text.parse::<i32>().ok())??;
        (number <= max).then_some(number)
    };
    let minutes = number(hours, 1..=2, 23)? * 60 + number(minutes, 2..=2, 59)?;
    FixedOffset::east_opt(sign * minutes * 60)
}
