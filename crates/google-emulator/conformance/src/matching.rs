//! Compares an answer with an expectation. The README lists the matchers.

use regex_lite::Regex;
use serde_json::{Value, json};

use crate::excerpt::excerpt;

/// The first difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// A path such as `items[0].start`.
    pub at: String,
    pub expected: String,
    /// An [`excerpt`], because the data of the account outside the run is private.
    pub actual: String,
}

impl Mismatch {
    pub fn new(at: &str, expected: impl Into<String>, actual: impl Into<String>) -> Self {
        Self {
            at: at.to_owned(),
            expected: expected.into(),
            actual: actual.into(),
        }
    }
}

/// A step that could not be run, or got no answer.
impl From<anyhow::Error> for Mismatch {
    fn from(error: anyhow::Error) -> Self {
        Self::new("request", "an answer", format!("{error:#}"))
    }
}

/// Whether `actual` contains `expected`. None: the field is absent.
pub fn check(expected: &Value, actual: Option<&Value>, at: &str) -> Result<(), Mismatch> {
    let differs = |expected: &dyn ToString| Err(Mismatch::new(at, expected.to_string(), excerpt(actual)));
    match expected {
        Value::String(word) if word.starts_with('$') => {
            if is_of_kind(word, actual, at)? {
                Ok(())
            } else {
                differs(word)
            }
        }
        Value::Object(fields) => match matcher(fields) {
            Some((name, argument)) => by_matcher(name, argument, actual, at),
            None => match actual {
                Some(Value::Object(found)) => fields
                    .iter()
                    .try_for_each(|(key, value)| check(value, found.get(key), &join(at, key))),
                _ => differs(expected),
            },
        },
        Value::Array(items) => match actual {
            Some(Value::Array(found)) if found.len() == items.len() => items
                .iter()
                .zip(found)
                .enumerate()
                .try_for_each(|(n, (item, found))| check(item, Some(found), &format!("{at}[{n}]"))),
            _ => differs(expected),
        },
        _ if actual == Some(expected) => Ok(()),
        _ => differs(expected),
    }
}

fn join(at: &str, key: &str) -> String {
    if at.is_empty() {
        key.to_owned()
    } else {
        format!("{at}.{key}")
    }
}

fn matcher(fields: &serde_json::Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, argument) = fields.iter().next()?;
    (fields.len() == 1 && name.starts_with('$')).then_some((name.as_str(), argument))
}

fn is_of_kind(word: &str, actual: Option<&Value>, at: &str) -> Result<bool, Mismatch> {
    Ok(match word {
        "$absent" => actual.is_none(),
        "$present" => actual.is_some(),
        "$string" => actual.is_some_and(Value::is_string),
        other => return Err(unknown(other, at)),
    })
}

fn unknown(name: &str, at: &str) -> Mismatch {
    Mismatch::new(at, "a matcher of the README", name)
}

fn by_matcher(name: &str, argument: &Value, actual: Option<&Value>, at: &str) -> Result<(), Mismatch> {
    let items = || actual.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let is_met = |condition: &Value, value: Option<&Value>| check(condition, value, at).is_ok();
    let holds = match (name, argument) {
        ("$some", Value::Array(wanted)) => {
            let missing = wanted
                .iter()
                .find(|each| !items().iter().any(|item| is_met(each, Some(item))));
            return missing.map_or(Ok(()), |missing| Err(explain_missing(missing, items(), at)));
        }
        ("$none", Value::Array(unwanted)) => !items()
            .iter()
            .any(|item| unwanted.iter().any(|each| is_met(each, Some(item)))),
        ("$size", size) => actual.is_some_and(Value::is_array) && size.as_u64() == Some(items().len() as u64),
        ("$not", unwanted) => !is_met(unwanted, actual),
        ("$any", Value::Array(choices)) => choices.iter().any(|choice| is_met(choice, actual)),
        ("$all", Value::Array(conditions)) => {
            return conditions
                .iter()
                .try_for_each(|condition| check(condition, actual, at));
        }
        ("$instant", time) => same_instant(time, actual).unwrap_or(false),
        ("$matches", Value::String(pattern)) => {
            let pattern = Regex::new(pattern).map_err(|error| unknown(&error.to_string(), at))?;
            actual
                .and_then(Value::as_str)
                .is_some_and(|text| pattern.is_match(text))
        }
        _ => return Err(unknown(name, at)),
    };
    if holds {
        return Ok(());
    }
    Err(Mismatch::new(
        at,
        json!({ name: argument }).to_string(),
        excerpt(actual),
    ))
}

/// Where a list has the item of this id, or the guest of this address, the difference is in the item.
fn explain_missing(missing: &Value, items: &[Value], at: &str) -> Mismatch {
    let is_same = |item: &Value, key: &str| missing[key].is_string() && item[key] == missing[key];
    let same = items
        .iter()
        .position(|item| is_same(item, "id") || is_same(item, "email"));
    let inner = same.and_then(|n| check(missing, Some(&items[n]), &format!("{at}[{n}]")).err());
    inner.unwrap_or_else(|| {
        let items = Value::from(items);
        Mismatch::new(at, json!({ "$some": missing }).to_string(), excerpt(Some(&items)))
    })
}

fn same_instant(time: &Value, actual: Option<&Value>) -> Option<bool> {
    let parse = |value: &Value| chrono::DateTime::parse_from_rfc3339(value.as_str()?).ok();
    Some(parse(time)? == parse(actual?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_contains_the_expectation() {
        let body =
            json!({"id": "a", "items": [{"n": 1, "x": "2"}, {"n": 2}], "at": "2028-02-01T09:00:00+01:00"});
        let met = json!({
            "id": "$string", "other": "$absent", "items": {"$some": [{"n": 2}, {"n": 1, "x": {"$matches": "^2$"}}]},
            "at": {"$instant": "2028-02-01T08:00:00Z"},
        });
        check(&met, Some(&body), "").unwrap();
        for unmet in [
            json!({"id": "b"}),
            json!({"id": "$absent"}),
            json!({"other": "$present"}),
            json!({"id": {"$not": "a"}}),
            json!({"id": {"$any": ["b", "c"]}}),
            json!({"items": [{"n": 1}]}),
            json!({"items": {"$some": [{"n": 3}]}}),
            json!({"items": {"$none": [{"n": 2}]}}),
            json!({"items": {"$size": 3}}),
            json!({"items": {"$all": [{"$size": 2}, {"$none": [{"n": 1}]}]}}),
            json!({"at": {"$instant": "2028-02-01T09:00:00Z"}}),
            json!({"id": "$unknown"}),
            json!({"id": {"$unknown": 1}}),
        ] {
            assert!(check(&unmet, Some(&body), "").is_err(), "{unmet}");
        }
    }

    #[test]
    fn a_mismatch_names_its_place() {
        let actual = json!({"items": [{"start": {"date": "2028-02-02"}}]});
        let expected = json!({"items": [{"start": {"date": "2028-02-01"}}]});
        let mismatch = check(&expected, Some(&actual), "").unwrap_err();
        assert_eq!(
            mismatch,
            Mismatch::new("items[0].start.date", "\"2028-02-01\"", "\"2028-02-02\"")
        );
        let expected = json!({"items": {"$some": [{"id": "a", "status": "cancelled"}]}});
        let actual = json!({"items": [{"id": "b"}, {"id": "a", "status": "confirmed"}]});
        let mismatch = check(&expected, Some(&actual), "").unwrap_err();
        assert_eq!(
            mismatch,
            Mismatch::new("items[1].status", "\"cancelled\"", "\"confirmed\"")
        );
    }

    /// The lists of calendars and of primary events have private titles.
    #[test]
    fn a_mismatch_shows_no_item_of_the_account() {
        let body = json!({"summary": "Jane", "items": [{"id": "jane", "summary": "Therapy"}, {"id": "x", "summary": "Therapy"}]});
        for unmet in [
            json!({"items": {"$some": [{"id": "conformance1", "primary": true}]}}),
            json!({"items": {"$none": [{"id": "x"}]}}),
            json!({"items": {"$size": 1}}),
            json!({"items": {"$all": [{"$size": 1}]}}),
            json!({"items": [{"id": "jane"}]}),
            json!({"items": "$absent"}),
            json!({"items": {"$any": ["$absent"]}}),
        ] {
            let mismatch = check(&unmet, Some(&body), "").unwrap_err();
            assert!(!mismatch.actual.contains("Therapy"), "{unmet}: {mismatch:?}");
        }
    }
}
