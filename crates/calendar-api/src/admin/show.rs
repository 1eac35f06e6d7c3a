//! `users show`, `connections show`, `calendars show`: how something is kept, for support.

use std::fmt::{self, Write as _};

use anyhow::{Context as _, bail};
use common::ids::UserId;
use serde_json::Value;
use sqlx::PgPool;
use store::admin;

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    User,
    Connection,
    Calendar,
}

/// All that support may see of it. `Err` when there is none of this id.
pub async fn show(pool: &PgPool, shown: Shown, id: &str) -> anyhow::Result<Value> {
    let mut conn = pool.acquire().await?;
    let found = match shown {
        Shown::User => {
            let user = UserId::parse(id).context("not the id of a user")?;
            admin::user(&mut conn, &user).await?
        }
        Shown::Connection => {
            let id = id
                .parse()
                .context("not the id of a connection, which is a UUID")?;
            admin::connection(&mut conn, id).await?
        }
        Shown::Calendar => {
            let id = id.parse().context("not the id of a calendar, which is a UUID")?;
            admin::calendar(&mut conn, id).await?
        }
    };
    match found {
        Some(found) => Ok(found),
        None => bail!("there is no {shown} {id}"),
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::Connection => "connection",
            Self::Calendar => "calendar",
        })
    }
}

/// For people: a line a field, what is in it indented.
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
    fn what_is_shown_reads_from_top_to_bottom() {
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
