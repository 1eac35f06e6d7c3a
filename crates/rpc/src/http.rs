//! Requests and responses without a framework.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use percent_encoding::percent_decode_str;
use serde::Serialize;

use crate::RpcError;

/// The parts of an HTTP request that the protocols read.
#[derive(Debug)]
pub struct Request {
    /// In capitals.
    pub method: String,
    /// Relative to the mount point, without a leading slash, still percent-encoded.
    pub path: String,
    /// Without the question mark, still percent-encoded.
    pub query: String,
    pub content_type: Option<String>,
    /// `trpc-accept`, or else `accept`.
    pub accept: Option<String>,
    /// `x-orpc-batch`.
    pub orpc_batch: Option<String>,
    /// The whole body, or the error of reading it. Empty for a request that is refused.
    pub body: Result<Bytes, RpcError>,
}

impl Request {
    /// The first query parameter of that name.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }
}

pub struct Response {
    pub status: u16,
    /// In lower case.
    pub headers: Vec<(&'static str, String)>,
    pub body: Body,
    /// A part of the body is a secret, so it must not be compressed.
    pub is_secret: bool,
}

impl Response {
    /// An answer without a body.
    pub(crate) const fn empty() -> Self {
        Self {
            status: 204,
            headers: Vec::new(),
            body: Body::Empty,
            is_secret: false,
        }
    }

    /// With `is_secret`, proxies are asked not to compress it either (RFC 9111, 5.2.2.6).
    pub(crate) fn secret(mut self, is_secret: bool) -> Self {
        self.is_secret = is_secret;
        if is_secret {
            for (_, value) in self
                .headers
                .iter_mut()
                .filter(|(name, _)| *name == "cache-control")
            {
                "no-store, no-transform".clone_into(value);
            }
        }
        self
    }

    /// Adds the headers that handlers set.
    pub(crate) fn with(mut self, outgoing: &ResponseHeaders) -> Self {
        self.headers.extend(outgoing.take());
        self
    }
}

pub enum Body {
    Empty,
    Full(Bytes),
    /// Sent part by part.
    Stream(BoxStream<'static, Bytes>),
}

/// Headers that handlers add to the response, such as a cookie. Clones share the list.
#[derive(Debug, Clone, Default)]
pub struct ResponseHeaders(Arc<Mutex<Vec<(&'static str, String)>>>);

impl ResponseHeaders {
    pub fn add(&self, name: &'static str, value: String) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((name, value));
    }

    pub(crate) fn take(&self) -> Vec<(&'static str, String)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// JSON of a type of this crate. It cannot fail: keys are strings and numbers are finite.
pub(crate) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// As `decodeURIComponent`: an escape that is not two hex digits, or bytes that are not UTF-8, are an error.
pub(crate) fn decode_component(text: &str) -> Option<Cow<'_, str>> {
    let bytes = text.as_bytes();
    let valid = bytes.iter().enumerate().all(|(at, &byte)| {
        byte != b'%'
            || bytes
                .get(at + 1..at + 3)
                .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if valid {
        percent_decode_str(text).decode_utf8().ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_escapes_of_utf8_are_decoded() {
        assert_eq!(decode_component("a%2Cb%C3%A4").as_deref(), Some("a,bä"));
        for wrong in ["%", "%z", "%zz", "a%2", "%ff", "%C3x"] {
            assert_eq!(decode_component(wrong), None, "{wrong}");
        }
    }
}
