//! Many users in one database, as copies of one.

use std::fmt::Write as _;

use anyhow::{Result, ensure};
use sqlx::{AssertSqlSafe, Executor, PgPool};

/// The tables with the rows of a user that a read needs, each after those it refers to. One that the schema does not have is
/// skipped.
const TABLES: [&str; 7] = [
    "connections",
    "calendars",
    "sync_state",
    "user_stream",
    "events",
    "occurrences",
    "instances",
];
/// Users copied by one statement.
const CHUNK: u64 = 100;

/// Copies the rows of the user `{prefix}1` for the users from `{prefix}2` to `{prefix}{users}`.
pub async fn copy(pool: &PgPool, prefix: &str, users: u64) -> Result<()> {
    let mut statements = Vec::new();
    for table in TABLES {
        let columns = columns(pool, table).await?;
        if !columns.is_empty() {
            statements.push(statement(table, &columns));
        }
    }
    for first in (2..=users).step_by(usize::try_from(CHUNK)?) {
        let last = (first + CHUNK - 1).min(users);
        eprintln!("copying users {first} to {last} of {users}");
        for statement in &statements {
            let copied = sqlx::query(AssertSqlSafe(statement.as_str()))
                .bind(prefix)
                .bind(i64::try_from(first)?)
                .bind(i64::try_from(last)?)
                .execute(pool)
                .await?;
            ensure!(copied.rows_affected() > 0, "no row is copied by {statement}");
        }
    }
    pool.execute("vacuum analyze").await?;
    pool.execute("checkpoint").await?;
    Ok(())
}

/// The columns of a table and their types.
async fn columns(pool: &PgPool, table: &str) -> Result<Vec<(String, String)>> {
    let columns = sqlx::query_as(
        "select column_name::text, data_type::text from information_schema.columns
         where table_schema = 'public' and table_name = $1 and is_generated = 'NEVER' order by ordinal_position",
    )
    .bind(table)
    .fetch_all(pool)
    .await?;
    Ok(columns)
}

/// `$1`: the prefix, `$2` and `$3`: the first and the last number. Each UUID becomes another one, in all tables the same.
fn statement(table: &str, columns: &[(String, String)]) -> String {
    let (mut names, mut values) = (String::new(), String::new());
    for (name, data_type) in columns {
        let comma = if names.is_empty() { "" } else { ", " };
        let _ = write!(names, r#"{comma}"{name}""#);
        let _ = match (name.as_str(), data_type.as_str()) {
            ("user_id", _) => write!(values, "{comma}$1 || n"),
            (_, "uuid") => write!(values, r#"{comma}md5(t."{name}"::text || n)::uuid"#),
            _ => write!(values, r#"{comma}t."{name}""#),
        };
    }
    let rows = if columns.iter().any(|(name, _)| name == "user_id") {
        "t.user_id = $1 || '1'"
    } else {
        "t.calendar_id in (select id from calendars where user_id = $1 || '1')"
    };
    format!(
        "insert into {table} ({names}) select {values} from {table} t, generate_series($2::bigint, $3::bigint) n where {rows}"
    )
}
