//! The HTTP API: `POST <api>/publish`, `/history`, `/history_remove`, `/info`, `/disconnect`.
//!
//! Centrifugo responds to a failed command with HTTP 200 and an `error` in the body, so the status alone is not enough.

use std::time::Duration;

use common::config::SecretKey;
use common::ids::UserId;
use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use url::Url;

use crate::Error;

/// The most bytes of JSON in one publication. A recovery may send all 200 that `history_size` keeps at once, and a client
/// whose queue exceeds `client.queue_max_size` (4 MiB) is disconnected as slow.
pub const MAX_DATA_LEN: usize = 20 * 1024;

/// Centrifugo closes idle connections after 30 s. Ours are dropped well before, so that none is reused while it closes.
const POOL_IDLE: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Longer than Centrifugo waits for Redis (4 s), shorter than its write timeout (10 s).
const TIMEOUT: Duration = Duration::from_secs(7);

/// The longest part of Centrifugo's own error message that is logged, in characters.
const MESSAGE_MAX: usize = 200;

/// One message for one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publication<'a> {
    pub channel: &'a str,
    /// One JSON object, at most [`MAX_DATA_LEN`] bytes.
    pub data: &'a [u8],
    /// A second publication with the same key within five minutes is ignored and gets the first one's position.
    pub idempotency_key: &'a str,
    /// A publication whose version is not above the channel's is acknowledged and dropped. Below 2^53.
    pub version: u64,
    /// Versions of different epochs are not compared.
    pub version_epoch: &'a str,
}

/// A position in a channel's history. A broker that lost its history has another epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    #[serde(default)]
    pub offset: u64,
    #[serde(default)]
    pub epoch: String,
}

#[derive(Deserialize)]
struct History {
    #[serde(default)]
    publications: Vec<Kept>,
}

#[derive(Deserialize)]
struct Kept {
    data: Box<RawValue>,
}

/// The running nodes of the broker.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Info {
    pub nodes: Vec<Node>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Node {
    pub name: String,
    /// For example `6.9.6 OSS`.
    pub version: String,
}

/// A client of one Centrifugo. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    /// Without a slash at the end.
    api_url: String,
    api_key: SecretKey,
}

impl Client {
    /// `api_url` is the HTTP API's address on the internal port, `http://127.0.0.1:9000/api`.
    pub fn new(api_url: &Url, api_key: SecretKey) -> Result<Self, Error> {
        let http = reqwest::Client::builder()
            .pool_idle_timeout(POOL_IDLE)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            // The broker is internal, never behind the proxy of HTTP_PROXY.
            .no_proxy()
            .build()
            .map_err(|error| Error::misconfigured(describe(&error)))?;
        let api_url = api_url.as_str().trim_end_matches('/').to_owned();
        Ok(Self {
            http,
            api_url,
            api_key,
        })
    }

    /// Publishes, and returns the channel's position. A publication that Centrifugo already had counts as published. The
    /// same publication is always sent as the same bytes.
    pub async fn publish(&self, publication: Publication<'_>) -> Result<Position, Error> {
        #[derive(Serialize)]
        struct Command<'a> {
            channel: &'a str,
            data: &'a RawValue,
            idempotency_key: &'a str,
            version: u64,
            version_epoch: &'a str,
        }
        if publication.data.len() > MAX_DATA_LEN {
            let len = publication.data.len();
            return Err(Error::poison(format!(
                "its data has {len} bytes, more than {MAX_DATA_LEN}"
            )));
        }
        let data = serde_json::from_slice(publication.data)
            .map_err(|error| Error::poison(format!("its data is not JSON: {error}")))?;
        let command = Command {
            channel: publication.channel,
            data,
            idempotency_key: publication.idempotency_key,
            version: publication.version,
            version_epoch: publication.version_epoch,
        };
        self.call("publish", &command).await
    }

    /// The current position of `channel`. Read it before the snapshot it belongs to, so that the snapshot covers it.
    pub async fn history_position(&self, channel: &str) -> Result<Position, Error> {
        // Without a limit the response has no publications.
        self.call("history", &serde_json::json!({ "channel": channel }))
            .await
    }

    /// The data of the newest `limit` publications that `channel` keeps, oldest first.
    pub async fn newest(&self, channel: &str, limit: u32) -> Result<Vec<Box<RawValue>>, Error> {
        let command = serde_json::json!({ "channel": channel, "limit": limit, "reverse": true });
        let history: History = self.call("history", &command).await?;
        let newest_first = history.publications.into_iter();
        Ok(newest_first.rev().map(|kept| kept.data).collect())
    }

    /// Deletes the history of `channel`. Its position is kept, so that subscribers do not have to start over.
    pub async fn forget_history(&self, channel: &str) -> Result<(), Error> {
        let command = serde_json::json!({ "channel": channel });
        self.call::<Nothing>("history_remove", &command).await.map(|_| ())
    }

    pub async fn info(&self) -> Result<Info, Error> {
        self.call("info", &serde_json::json!({})).await
    }

    /// Closes every connection of `user` permanently: the SDK does not reconnect by itself.
    pub async fn disconnect(&self, user: &UserId) -> Result<(), Error> {
        let command = serde_json::json!({ "user": user.as_str() });
        self.call::<Nothing>("disconnect", &command).await.map(|_| ())
    }

    /// Checks the requirements of a service at startup: Centrifugo responds, accepts the API key, and keeps a history for
    /// `namespace`. The error is one line that names the problem and the setting.
    pub async fn check(&self, namespace: &str) -> Result<(), Error> {
        self.history_position(&format!("{namespace}:calwire-check"))
            .await
            .map(|_| ())
    }

    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        method: &str,
        command: &impl Serialize,
    ) -> Result<T, Error> {
        let url = format!("{}/{method}", self.api_url);
        let response = self
            .http
            .post(&url)
            .header("X-API-Key", self.api_key.expose())
            .json(command)
            .send()
            .await
            .map_err(|error| Error::transient(format!("{url}: {}", describe(&error))))?;
        let status = response.status();
        if status != StatusCode::OK {
            return Err(refused(status, &url));
        }
        let body = response
            .bytes()
            .await
            .map_err(|error| Error::transient(format!("{url}: {}", describe(&error))))?;
        reply(&body, &url)
    }
}

#[cfg(feature = "testing")]
impl Position {
    /// Parses the response to a publication from its status and body.
    pub fn of_reply(status: u16, body: &[u8]) -> Result<Self, Error> {
        match StatusCode::from_u16(status) {
            Ok(StatusCode::OK) => reply(body, "Centrifugo"),
            Ok(status) => Err(refused(status, "Centrifugo")),
            Err(_) => Err(Error::transient("Centrifugo sent an invalid status")),
        }
    }
}

fn reply<T: DeserializeOwned>(body: &[u8], url: &str) -> Result<T, Error> {
    match serde_json::from_slice(body) {
        Ok(Reply::Result(result)) => Ok(result),
        Ok(Reply::Error(failure)) => Err(failure.into()),
        Err(error) => Err(Error::transient(format!(
            "{url} sent an invalid response (line {}, column {})",
            error.line(),
            error.column()
        ))),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Reply<T> {
    Result(T),
    Error(Failure),
}

#[derive(Deserialize)]
struct Nothing {}

#[derive(Deserialize)]
struct Failure {
    code: u32,
    #[serde(default)]
    message: String,
}

impl From<Failure> for Error {
    fn from(Failure { code, message }: Failure) -> Self {
        // Logged as one line.
        let message: String = message
            .chars()
            .filter(|c| !c.is_control())
            .take(MESSAGE_MAX)
            .collect();
        match code {
            102 => Self::misconfigured(
                "it has no namespace `calendar`; start it with deploy/centrifugo.json (error 102, unknown channel)",
            ),
            108 => Self::misconfigured(
                "its namespace `calendar` keeps no history; start it with deploy/centrifugo.json (error 108, not available)",
            ),
            101 | 103 | 104 => Self::misconfigured(format!("error {code}, {message}")),
            106 | 107 | 113 => Self::poison(format!("error {code}, {message}")),
            // 100 and 111 are transient. An unknown code is retried rather than dropped.
            _ => Self::transient(format!("error {code}, {message}")),
        }
    }
}

/// A status other than 200 comes from Centrifugo's authentication or from something in between.
fn refused(status: StatusCode, url: &str) -> Error {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Error::misconfigured(
            "it rejects CENTRIFUGO_API_KEY; set it to the value of CENTRIFUGO_HTTP_API_KEY",
        ),
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => {
            Error::poison(format!("{url} responded {status}"))
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            Error::transient(format!("{url} responded {status}"))
        }
        _ if status.is_server_error() => Error::transient(format!("{url} responded {status}")),
        _ => Error::misconfigured(format!(
            "{url} responded {status}; CENTRIFUGO_API_URL must be the API on the internal port, such as http://127.0.0.1:9000/api"
        )),
    }
}

/// Describes an error in one line. reqwest has the reason (`connection refused`) in the last of its sources.
pub(crate) fn describe(error: &reqwest::Error) -> String {
    let mut causes = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    if error.is_timeout() {
        "timeout".into()
    } else {
        causes.pop().unwrap_or_else(|| error.to_string())
    }
}
