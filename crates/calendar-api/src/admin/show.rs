//! `users show`, `connections show`, `calendars show`: records for support.

use std::fmt::Write as _;

use anyhow::{Context as _, bail};
use common::ids::UserId;
use event_model::zone::Zone;
use serde_json::Value;
use sqlx::PgPool;
use store::admin;

/// The kind of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "snake_case")]
pub enum Record {
    User,
    Connection,
    Calendar,
}

/// All that support may see of a record. `Err`: there is none with this id.
pub async fn show(pool: &PgPool, record: Record, id: &str) -> anyhow::Result<Value> {
    let mut conn = pool.acquire().await?;
    let found = match record {
        Record::User => {
            let user = UserId::parse(id).context("not a user id")?;
            admin::user(&mut conn, &user).await?
        }
        Record::Connection => {
            let id = id.parse().context("not a connection id (a UUID)")?;
            admin::connection(&mut conn, id).await?
        }
        Record::Calendar => {
            let id = id.parse().context("not a calendar id (a UUID)")?;
            let calendar = admin::calendar(&mut conn, id).await?;
            calendar.map(with_known_zone)
        }
    };
    match found {
        Some(found) => Ok(found),
        None => bail!("there is no {record} {id}"),
    }
}

/// Adds whether the calendar's time zone is known. If it is not, its days are those of UTC.
fn with_known_zone(mut calendar: Value) -> Value {
    let is_known = calendar["time_zone"].as_str().and_then(Zone::named).is_some();
    calendar["time_zone_known"] = is_known.into();
    calendar
}

/// For people: one line per field, nested fields indented.
pub fn text(value: &Value) -> String {
    let mut text = String::new();
    write(value, 0, &mut text);
    text
}

fn write(value: &Value, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    let fields = match value {
        Value::Object(fields) => fields,
        other => {
            let _ = writeln!(text, "{indent}{}", plain(other));
            return;
        }
    };
    for (name, value) in fields {
        match value {
            Value::Object(_) => {
                let _ = writeln!(text, "{indent}{name}:");
                write(value, depth + 1, text);
            }
            Value::Array(items) if items.iter().any(Value::is_object) => {
                let _ = writeln!(text, "{indent}{name}:");
                for item in items {
                    let _ = writeln!(text, "{indent}  -");
                    write(item, depth + 2, text);
                }
            }
            Value::Array(items) => {
                let items: Vec<_> = items.iter().map(plain).collect();
                let items = if items.is_empty() {
                    "none".to_owned()
                } else {
                    items.join(" ")
                };
                let _ = writeln!(text, "{indent}{name}: {items}");
            }
            _ => {
                let _ = writeln!(text, "{indent}{name}: {}", plain(value));
            }
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_has_one_line_per_field() {
        let value = json!({
            "user": "alice", "grant_ended_at": null, "scopes": ["openid", "email"], "none": [],
            "stream": { "seq": 4 }, "channels": [{ "id": "c", "attempts": 0 }],
        });
        insta::assert_snapshot!(text(&value), @"
        user: alice
        grant_ended_at: -
        scopes: openid email
        none: none
        stream:
          seq: 4
        channels:
          -
            id: c
            attempts: 0
        ");
    }
}
