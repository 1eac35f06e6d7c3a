//! Variables of a case: `{{name}}` in its requests and expectations.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Every id that a case chooses begins so; the clean-up recognises them. Within the characters that Google allows.
pub const ID_PREFIX: &str = "conformance";

#[derive(Debug)]
pub struct Variables {
    values: BTreeMap<String, Value>,
    /// Makes the ids of this run of the case unique.
    run: String,
}

impl Variables {
    pub fn new(values: impl IntoIterator<Item = (String, Value)>) -> Self {
        Self {
            values: values.into_iter().collect(),
            run: Uuid::new_v4().simple().to_string(),
        }
    }

    pub fn set(&mut self, name: impl Into<String>, value: Value) {
        self.values.insert(name.into(), value);
    }

    /// The value with every variable replaced, in keys too. A string that is one variable becomes its value.
    pub fn fill(&self, value: &Value) -> Result<Value> {
        Ok(match value {
            Value::String(text) => match whole(text) {
                Some(name) => self.get(name)?,
                None => Value::String(self.fill_text(text)?),
            },
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect::<Result<_>>()?,
            Value::Object(fields) => Value::Object(self.fill_map(fields)?),
            other => other.clone(),
        })
    }

    pub fn fill_map(&self, fields: &Map<String, Value>) -> Result<Map<String, Value>> {
        let filled = fields
            .iter()
            .map(|(key, value)| Ok((self.fill_text(key)?, self.fill(value)?)));
        filled.collect()
    }

    pub fn fill_text(&self, text: &str) -> Result<String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, after) = after
                .split_once("}}")
                .with_context(|| format!("no end of a variable in {text:?}"))?;
            filled.push_str(before);
            filled.push_str(&as_text(&self.get(name)?));
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn get(&self, name: &str) -> Result<Value> {
        if let Some(suffix) = name.strip_prefix("id:") {
            return Ok(Value::String(format!("{ID_PREFIX}{}{suffix}", self.run)));
        }
        if let Some(number) = name.strip_prefix("guests:") {
            let number: u32 = number.parse().with_context(|| format!("no number in {name:?}"))?;
            return Ok((1..=number)
                .map(|n| json!({"email": format!("guest{n}@example.com")}))
                .collect());
        }
        let Some(value) = self.values.get(name) else {
            bail!("there is no variable {name:?}");
        };
        // The values of a file may name each other.
        if value.to_string().contains("{{") {
            return self.fill(value);
        }
        Ok(value.clone())
    }
}

/// A value in the middle of a text, or in a query.
pub fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The name, where the text is one variable and nothing else.
fn whole(text: &str) -> Option<&str> {
    let name = text.strip_prefix("{{")?.strip_suffix("}}")?;
    (!name.contains("}}")).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_everywhere() {
        let mut variables = Variables::new([("day".to_owned(), json!({"date": "{{date}}"}))]);
        variables.set("date", json!("2028-02-01"));
        variables.set("n", json!(7));
        let filled = variables
            .fill(&json!({"start": "{{day}}", "{{date}}": ["no. {{n}}", "{{n}}"]}))
            .unwrap();
        assert_eq!(
            filled,
            json!({"start": {"date": "2028-02-01"}, "2028-02-01": ["no. 7", 7]})
        );
        assert!(variables.fill(&json!("{{other}}")).is_err());
        assert_eq!(
            variables.fill(&json!("{{guests:2}}")).unwrap(),
            json!([{"email": "guest1@example.com"}, {"email": "guest2@example.com"}])
        );
        let id = |name: &str| variables.fill_text(&format!("{{{{id:{name}}}}}")).unwrap();
        assert!(id("a").starts_with(ID_PREFIX) && id("a") == id("a") && id("a") != id("b"));
    }
}
