//! Google's way back (a query, and the cookie in a second line), and where the browser goes then.

use actix_web::http::header::HeaderValue;
use actix_web::test::TestRequest;
use actix_web::web;
use calendar_api::config::Origin;
use calendar_api::connect::{CALLBACK_PATH, CallbackQuery, ReturnTo, callback};
use percent_encoding::percent_decode_str;

use crate::Target;
use crate::fixture::{APP, block_on};

pub const CALLBACK: Target = Target {
    name: "oauth_callback",
    run: come_back,
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

/// No state is known here: whatever comes, the browser ends on the application's page, told in one of our own words.
fn come_back(data: &[u8]) {
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
    let word = location.strip_prefix(b"https://app.example/?calwire=error&calwire_reason=");
    assert!(
        matches!(word, Some(b"invalid_state" | b"internal")),
        "{}",
        String::from_utf8_lossy(location)
    );
    assert!(response.headers().get("set-cookie").is_none());
}

/// What is taken leads to the application, also for whoever decodes it once more.
fn return_to(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(page) = ReturnTo::parse(text) else { return };
    let Ok(origin) = APP.parse::<Origin>() else { return };
    let url = page.below(&origin);
    assert_eq!(url.origin().ascii_serialization(), APP, "{text:?}");
    // It is kept, but for characters that an address has escaped.
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
