//! `/demo/…`: the users whom the page can sign in as. An application has its own session instead.

use std::sync::{PoisonError, RwLock};

use anyhow::Result;
use percent_encoding::percent_decode_str;
use serde_json::json;

use super::answer::Answer;

type Sign = Box<dyn Fn(&str) -> Result<String> + Send + Sync>;

/// The users of the demo, and a function that signs their tokens.
pub struct Demo {
    users: RwLock<Vec<String>>,
    /// The emulated Google, for the browser; absent with real Google.
    emulator_url: Option<String>,
    sign: Sign,
}

impl Demo {
    /// `sign` returns the token of one of `users`, as the host application would.
    pub fn new(
        users: &[impl AsRef<str>],
        emulator_url: Option<String>,
        sign: impl Fn(&str) -> Result<String> + Send + Sync + 'static,
    ) -> Self {
        let users = users.iter().map(|user| user.as_ref().to_owned()).collect();
        Self {
            users: RwLock::new(users),
            emulator_url,
            sign: Box::new(sign),
        }
    }

    pub fn admit(&self, user: &str) {
        let mut users = self.users.write().unwrap_or_else(PoisonError::into_inner);
        if !users.iter().any(|known| known == user) {
            users.push(user.to_owned());
        }
    }

    /// None for a path that is not the demo's.
    pub fn answer(&self, path: &str, query: &str, origin: &str) -> Option<Answer> {
        match path {
            "/demo/session" => Some(self.session(origin)),
            "/demo/token" => Some(self.token(query)),
            _ => None,
        }
    }

    fn session(&self, origin: &str) -> Answer {
        let users = self.users.read().unwrap_or_else(PoisonError::into_inner).clone();
        let session = json!({
            "users": users,
            "emulatorUrl": self.emulator_url,
            "wsUrl": format!("{}/connection/websocket", origin.replacen("http", "ws", 1)),
            "apiUrl": origin,
        });
        Answer::json("200 OK", &session)
    }

    fn token(&self, query: &str) -> Answer {
        let user = query.split('&').find_map(|pair| pair.strip_prefix("user="));
        let user = percent_decode_str(user.unwrap_or_default()).decode_utf8_lossy();
        let users = self.users.read().unwrap_or_else(PoisonError::into_inner).clone();
        if !users.iter().any(|known| *known == user) {
            let error = format!("The users are {}", users.join(", "));
            return Answer::json("404 Not Found", &json!({ "error": error }));
        }
        match (self.sign)(&user) {
            Ok(token) => Answer::json("200 OK", &json!({ "token": token })),
            Err(error) => Answer::json(
                "500 Internal Server Error",
                &json!({ "error": format!("{error:#}") }),
            ),
        }
    }
}
