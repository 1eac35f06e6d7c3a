//! Partial answers: `fields=nextSyncToken,items(id,start/dateTime)`.

use serde_json::{Map, Value};

use crate::error::{ApiError, Result};
use crate::params::Params;

/// A selection: field names with their selected subfields (all when empty).
#[derive(Debug, Default, PartialEq)]
struct Mask(Vec<(String, Mask)>);

/// The part of an answer that the `fields` parameter selects.
pub fn select(answer: Value, params: &Params) -> Result<Value> {
    let Some(text) = params.get("fields") else {
        return Ok(answer);
    };
    let mut rest = text;
    let mask = parse(&mut rest);
    if mask.0.is_empty() || !rest.is_empty() {
        return Err(ApiError::invalid_parameter(
            "fields",
            format!("Invalid field selection {text}"),
        ));
    }
    Ok(apply(answer, &mask))
}

fn parse(rest: &mut &str) -> Mask {
    let mut mask = Mask::default();
    loop {
        let end = rest.find([',', '/', '(', ')']).unwrap_or(rest.len());
        let (name, tail) = rest.split_at(end);
        if name.trim().is_empty() {
            return mask;
        }
        *rest = tail;
        let below = if let Some(tail) = rest.strip_prefix('/') {
            *rest = tail;
            parse_one(rest)
        } else {
            parse_group(rest)
        };
        mask.0.push((name.trim().to_owned(), below));
        match rest.strip_prefix(',') {
            Some(tail) => *rest = tail,
            None => return mask,
        }
    }
}

/// After a slash: one name, with what is below it.
fn parse_one(rest: &mut &str) -> Mask {
    let end = rest.find([',', '/', '(', ')']).unwrap_or(rest.len());
    let (name, tail) = rest.split_at(end);
    *rest = tail;
    let below = if let Some(tail) = rest.strip_prefix('/') {
        *rest = tail;
        parse_one(rest)
    } else {
        parse_group(rest)
    };
    Mask(vec![(name.trim().to_owned(), below)])
}

fn parse_group(rest: &mut &str) -> Mask {
    let Some(tail) = rest.strip_prefix('(') else {
        return Mask::default();
    };
    *rest = tail;
    let mask = parse(rest);
    if let Some(tail) = rest.strip_prefix(')') {
        *rest = tail;
    }
    mask
}

fn apply(value: Value, mask: &Mask) -> Value {
    match value {
        _ if mask.0.is_empty() => value,
        Value::Array(items) => items.into_iter().map(|item| apply(item, mask)).collect(),
        Value::Object(fields) => {
            let wanted = |key: &str| mask.0.iter().find(|(name, _)| name == key || name == "*");
            let kept = fields.into_iter().filter_map(|(key, value)| {
                let (_, below) = wanted(&key)?;
                let value = apply(value, below);
                Some((key, value))
            });
            Value::Object(kept.collect::<Map<_, _>>())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn selected(fields: &str) -> Result<Value> {
        let answer = json!({"kind": "k", "nextSyncToken": "t", "items": [{"id": "a", "etag": "e", "start": {"date": "d", "x": 1}}]});
        select(answer, &Params::parse(&format!("fields={fields}")))
    }

    #[test]
    fn a_selection_keeps_what_it_names() {
        assert_eq!(
            selected("nextSyncToken,items(id,start/date)").unwrap(),
            json!({"nextSyncToken": "t", "items": [{"id": "a", "start": {"date": "d"}}]})
        );
        assert_eq!(selected("items/id").unwrap(), json!({"items": [{"id": "a"}]}));
        assert_eq!(
            selected("items/start(date),kind").unwrap(),
            json!({"kind": "k", "items": [{"start": {"date": "d"}}]})
        );
        assert_eq!(selected("items(*)").unwrap()["items"][0]["etag"], "e");
        assert!(selected(",").is_err() && selected("a)b").is_err());
    }
}
