//! oRPC's JSON with types: `{"json":X,"meta":[[type, ...path], …]}`.
//!
//! Inputs are plain JSON, so a date or a URL stays the string it was sent as. A big integer becomes a number, and an
//! `undefined` field is removed.

use serde::Deserialize;
use serde_json::Value;

use crate::{Code, RpcError};

const MALFORMED: &str = "Malformed request. Ensure the request body is properly formatted and the 'Content-Type' \
                         header is set correctly.";

#[derive(Deserialize)]
struct Serialized {
    json: Option<Value>,
    #[serde(default)]
    meta: Vec<Vec<Value>>,
}

/// The most typed values of an input, and the deepest: the largest input of a procedure has a hundred, four levels deep.
const META_MAX: usize = 1_000;
const META_PATH_MAX: usize = 16;

const BIG_INT: u64 = 0;
const DATE: u64 = 1;
const NAN: u64 = 2;
const UNDEFINED: u64 = 3;
const URL: u64 = 4;
const REG_EXP: u64 = 5;
const SET: u64 = 6;
const MAP: u64 = 7;

/// The input that a client wrote, `None` for `undefined`.
pub(super) fn read(serialized: Value) -> Result<Option<Value>, RpcError> {
    if serialized.is_null() {
        return Ok(None);
    }
    let Serialized { json, meta } = Serialized::deserialize(serialized).map_err(|_| malformed())?;
    if meta.len() > META_MAX || meta.iter().any(|entry| entry.len() > 1 + META_PATH_MAX) {
        return Err(malformed());
    }
    let Some(mut json) = json else { return Ok(None) };
    for entry in meta {
        let Some((kind, path)) = entry.split_first() else {
            return Err(malformed());
        };
        // Custom types of the client are left as they are, as the original server does.
        if let Some(kind) = kind.as_u64() {
            apply(&mut json, kind, path).ok_or_else(malformed)?;
        }
    }
    Ok(Some(json))
}

pub(super) fn malformed() -> RpcError {
    RpcError::new(Code::BadRequest, MALFORMED)
}

/// None: the path does not exist, or its value cannot be of that type.
fn apply(json: &mut Value, kind: u64, path: &[Value]) -> Option<()> {
    let target = path
        .iter()
        .try_fold(&mut *json, |value, segment| step(value, segment))?;
    let fits = match kind {
        BIG_INT => match target.as_str()?.parse::<i64>() {
            Ok(number) => {
                *target = number.into();
                true
            }
            Err(_) => false,
        },
        DATE => target.is_string() || target.is_null(),
        NAN | UNDEFINED => target.is_null(),
        URL | REG_EXP => target.is_string(),
        SET | MAP => target.is_array(),
        _ => true,
    };
    if kind == UNDEFINED
        && fits
        && let Some((last, parents)) = path.split_last()
    {
        let parent = parents
            .iter()
            .try_fold(json, |value, segment| step(value, segment))?;
        if let (Some(object), Some(key)) = (parent.as_object_mut(), last.as_str()) {
            // Keeping the order would move each field behind it.
            object.swap_remove(key);
        }
    }
    fits.then_some(())
}

fn step<'a>(value: &'a mut Value, segment: &Value) -> Option<&'a mut Value> {
    match segment {
        Value::String(key) => value.as_object_mut()?.get_mut(key),
        Value::Number(index) => value
            .as_array_mut()?
            .get_mut(usize::try_from(index.as_u64()?).ok()?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ok(serialized: Value) -> Option<Value> {
        read(serialized).unwrap()
    }

    #[test]
    fn typed_values_become_plain_json() {
        assert_eq!(ok(json!({})), None);
        assert_eq!(ok(Value::Null), None);
        assert_eq!(ok(json!({"json": {"days": 3}})), Some(json!({"days": 3})));
        let input = json!({
            "json": {"days": "3", "from": "2026-11-22T00:00:00.000Z", "gone": null, "ids": ["a", null], "on": "http://x"},
            "meta": [[0, "days"], [1, "from"], [3, "gone"], [3, "ids", 1], [6, "ids"], [4, "on"], ["own", "days"], [99, "on"]],
        });
        let expected =
            json!({"days": 3, "from": "2026-11-22T00:00:00.000Z", "ids": ["a", null], "on": "http://x"});
        assert_eq!(ok(input), Some(expected));
    }

    #[test]
    fn entries_and_paths_of_meta_are_bounded() {
        let of = |meta: Vec<Value>| read(json!({"json": {"a": null}, "meta": meta}));
        assert!(of(vec![json!([NAN, "a"]); META_MAX]).is_ok());
        assert!(of(vec![json!([NAN, "a"]); META_MAX + 1]).is_err());
        let nested = |depth| {
            let value = (0..depth).fold(Value::Null, |inner, _| json!([inner]));
            let entry = [vec![json!(NAN)], vec![json!(0); depth]].concat();
            read(json!({"json": value, "meta": [entry]}))
        };
        assert!(nested(META_PATH_MAX).is_ok());
        assert!(nested(META_PATH_MAX + 1).is_err());
    }

    #[test]
    fn impossible_types_are_malformed() {
        for meta in [
            json!([[1, "nowhere"]]),
            json!([[1, "days"]]),
            json!([[0, "text"]]),
            json!([[6, "text"]]),
            json!([[]]),
            json!("x"),
            json!([[1, {}]]),
        ] {
            let input = json!({"json": {"days": 3, "text": "t"}, "meta": meta});
            assert!(read(input.clone()).is_err(), "{input}");
        }
    }
}
