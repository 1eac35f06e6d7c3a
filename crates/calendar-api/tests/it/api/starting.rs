//! Start-up errors.

use super::*;

impl Api {
    /// The error of a start with the same environment and these changes.
    async fn fails_with(&self, changes: &[(&str, &str)]) -> String {
        let mut vars = self.vars.clone();
        vars.extend(
            changes
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.to_owned())),
        );
        let config: Config = common::config::from_vars(vars).unwrap();
        let Err(error) = Application::build(config).await else {
            panic!("started with {changes:?}")
        };
        let line = format!("{error:#}");
        assert!(!line.contains('\n'), "{line}");
        line
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn start_up_errors_are_one_line(pool: PgPool) {
    let api = Api::start(pool.clone()).await;
    let taken = api.base.trim_start_matches("http://").to_owned();
    let line = api.fails_with(&[("LISTEN_ADDR", &taken)]).await;
    assert!(
        line.starts_with(&format!("LISTEN_ADDR: cannot listen on {taken}: ")),
        "{line}"
    );
    let line = api
        .fails_with(&[("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")])
        .await;
    assert!(line.contains("DATABASE_URL"), "{line}");
    let line = api
        .fails_with(&[("CENTRIFUGO_API_URL", "http://127.0.0.1:1/api")])
        .await;
    assert!(
        line.starts_with("CENTRIFUGO_API_URL: request to Centrifugo failed"),
        "{line}"
    );
    let line = api
        .fails_with(&[("AUTH_JWKS_URL", "https://app.example/jwks")])
        .await;
    assert!(
        line.starts_with("AUTH_JWKS_URL and AUTH_HS256_SECRET are both set"),
        "{line}"
    );
    // A key with the id of one in use and other bytes.
    let line = api
        .fails_with(&[("TOKEN_KEYS", "1:/+7dzLuqmYh3ZlVEMyIRAA/x4tPEtaaXiHlqW0w9LjA=")])
        .await;
    assert!(line.contains("TOKEN_KEYS"), "{line}");

    sqlx::query("delete from _sqlx_migrations where version = (select max(version) from _sqlx_migrations)")
        .execute(&pool)
        .await
        .unwrap();
    let line = api.fails_with(&[]).await;
    assert!(line.contains("run `calendar-api migrate`"), "{line}");
    let readyz = api.http.get(format!("{}/readyz", api.base)).send().await.unwrap();
    assert_eq!(readyz.status(), 503);
}
