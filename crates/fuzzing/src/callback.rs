//! The OAuth callback (a query, and the cookie in a second line), and the page that the browser returns to.

use actix_web::http::header::HeaderValue;
use actix_web::test::TestRequest;
use actix_web::web;
use calendar_api::connect::{CALLBACK_PATH, CallbackQuery, ReturnTo, callback};
use calendar_api::origin::Origin;
use percent_encoding::percent_decode_str;

use crate::Target;
use crate::fixture::{APP, block_on};

pub const CALLBACK: Target = Target {
    name: "oauth_callback",
    run: oauth_callback,
    words: &[
        "state=",
        "&code=",
        "&error=access_denied",
        "%0d%0aSet-Cookie:%20a=b",
        "&state=",
        "[]=",
        "\n",
        "__Host-calwire_connect=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ],
};

pub const RETURN_TO: Target = Target {
    name: "return_to",
    run: return_to,
    words: &[
        "/",
        "//",
        "\\",
        "..",
        "%2f",
        "%5c",
        "%2e",
        "https:",
        "@evil.example",
        "?",
        "#",
        "\t",
        "\r\n",
        "\u{ff0f}",
    ],
};

/// The database knows no state: for any input, the browser is sent to the application's page with a reason of ours.
fn oauth_callback(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (query, cookie) = text.split_once('\n').unwrap_or((&text, ""));
    let mut request = TestRequest::with_uri(CALLBACK_PATH);
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        request = request.insert_header(("cookie", cookie));
    }
    let request = request.to_http_request();
    let query = web::Query::<CallbackQuery>::from_query(query).map_err(Into::into);
    let response =
        block_on(async |fixture| callback(web::Data::from(fixture.state.clone()), request, query).await);
    assert_eq!(response.status(), 303);
    let location = response
        .headers()
        .get("location")
        .map(HeaderValue::as_bytes)
        .unwrap_or_default();
    let reason = location.strip_prefix(b"https://app.example/?calwire=error&calwire_reason=");
    assert!(
        matches!(reason, Some(b"invalid_state" | b"other_browser" | b"internal")),
        "{}",
        String::from_utf8_lossy(location)
    );
    assert!(response.headers().get("set-cookie").is_none());
}

/// An accepted path leads to the application, even if it is decoded once more.
fn return_to(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(page) = ReturnTo::parse(text) else { return };
    let Ok(origin) = APP.parse::<Origin>() else { return };
    let url = page.below(&origin);
    assert_eq!(url.origin().ascii_serialization(), APP, "{text:?}");
    // It is unchanged, except for characters that a URL escapes.
    let plain = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
    assert_eq!(plain(url.as_str()), plain(&format!("{APP}{text}")));
    let decoded = percent_decode_str(text).decode_utf8_lossy();
    if let Ok(again) = url.join(&decoded) {
        assert_eq!(
            again.origin().ascii_serialization(),
            APP,
            "{text:?} decoded once more"
        );
    }
}
