//! The tRPC v11 and oRPC v1 HTTP protocols over one table of procedures.
//!
//! A [`Router`] is the table: a dotted path, query or mutation, an input and an output type, an async function. Two
//! protocols serve it, [`trpc`] to an unchanged `@trpc/client` (v11: `httpLink`, `httpBatchLink`,
//! `httpBatchStreamLink`, `methodOverride`) and [`orpc`] to an unchanged `@orpc/client` (1.x: POST, GET, batch plugin).
//! Both are free of any framework, from [`http::Request`] to [`http::Response`]; [`actix`] mounts them.
//!
//! ```
//! # use rpc::{Router, RpcError}; use serde::{Deserialize, Serialize}; use ts_rs::TS;
//! #[derive(Deserialize, TS)]
//! #[serde(deny_unknown_fields)]
//! struct Add { left: i32, right: i32 }
//! #[derive(Serialize, TS)]
//! struct Sum { sum: i32 }
//!
//! async fn add(_user: String, input: Add) -> Result<Sum, RpcError> {
//!     Ok(Sum { sum: input.left + input.right })
//! }
//!
//! let router = Router::<String>::new().query("math.add", add);
//! assert_eq!(router.procedures().next().unwrap().path, "math.add");
//! ```
//!
//! [`typescript`] generates the types of both clients from the table.
//!
//! A caller who is not authenticated, or over a limit, is refused before the body is read.
//!
//! Every response has an envelope that the clients can read (401, 404, 405, 408, 413, 415, 429 and 500 included),
//! `cache-control: no-store`, and no text of an internal error, also when a handler panics or times out.
//!
//! An answer of 1 KB or more is compressed if the client accepts zstd or gzip, and a streamed one part by part, unless one of
//! its procedures is marked as [`secret`](Router::secret).
//!
//! Not supported: subscriptions, data transformers, form data, and oRPC 2 (whose errors cannot share a body with oRPC 1's).

pub mod actix;
mod compression;
mod error;
pub mod http;
mod input;
pub mod orpc;
mod procedure;
mod router;
pub mod trpc;
pub mod typescript;

pub use error::{Code, Issue, RpcError};
pub use procedure::{Kind, Procedure, Signature};
pub use router::Router;

/// The most calls that one request may carry.
pub const MAX_BATCH: usize = 20;
/// The longest path below a mount, in bytes: that of a batch of the longest procedures, with room to spare.
const PATH_MAX_LEN: usize = 4 * 1024;
