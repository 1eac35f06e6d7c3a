//! From JSON to a handler's input, with the path and the reason of an error.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::RpcError;

/// Parses an input. Absent and `null` count as an empty object, because clients send them for "no input".
///
/// Only objects are accepted: serde would also read a struct from an array, by position.
pub(crate) fn parse<I: DeserializeOwned>(input: Option<Value>) -> Result<I, RpcError> {
    let value = match input {
        None | Some(Value::Null) => Value::Object(Map::new()),
        Some(value @ Value::Object(_)) => value,
        Some(_) => return Err(RpcError::invalid("", "expected an object")),
    };
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = match error.path().to_string() {
            path if path == "." => String::new(),
            path => path,
        };
        RpcError::invalid(path, error.inner().to_string())
    })
}
