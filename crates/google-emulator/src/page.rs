//! The page at `/`: an account's calendars to look at and edit by hand, with the API everyone else uses.
//!
//! Plain files, compiled in. The content security policy allows nothing but these files and the emulator itself, so an
//! event's text cannot become anything more than text.

use std::future::ready;

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpResponse, web};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Path, media type and content.
const FILES: [(&str, &str, &str); 14] = [
    (
        "/",
        "text/html; charset=utf-8",
        include_str!("../page/index.html"),
    ),
    (
        "/page/style.css",
        "text/css; charset=utf-8",
        include_str!("../page/style.css"),
    ),
    (
        "/page/icon.svg",
        "image/svg+xml",
        include_str!("../page/icon.svg"),
    ),
    ("/page/agenda.js", SCRIPT, include_str!("../page/agenda.js")),
    ("/page/api.js", SCRIPT, include_str!("../page/api.js")),
    ("/page/app.js", SCRIPT, include_str!("../page/app.js")),
    ("/page/dom.js", SCRIPT, include_str!("../page/dom.js")),
    ("/page/drag.js", SCRIPT, include_str!("../page/drag.js")),
    ("/page/editor.js", SCRIPT, include_str!("../page/editor.js")),
    ("/page/model.js", SCRIPT, include_str!("../page/model.js")),
    ("/page/panel.js", SCRIPT, include_str!("../page/panel.js")),
    ("/page/save.js", SCRIPT, include_str!("../page/save.js")),
    ("/page/week.js", SCRIPT, include_str!("../page/week.js")),
    ("/page/when.js", SCRIPT, include_str!("../page/when.js")),
];

/// Adds the page's routes to a server.
pub fn configure(server: &mut web::ServiceConfig) {
    for (path, media_type, content) in FILES {
        let page = web::resource(path).route(web::get().to(move || ready(file(media_type, content))));
        server.service(page.route(web::head().to(move || ready(file(media_type, content)))));
    }
}

fn file(media_type: &'static str, content: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(media_type)
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn every_file_the_page_asks_for_is_served() {
        let app = actix_web::test::init_service(actix_web::App::new().configure(configure)).await;
        let served = FILES.map(|(path, ..)| path);
        for (path, media_type, content) in FILES {
            let request = actix_web::test::TestRequest::get().uri(path).to_request();
            let response = actix_web::test::call_service(&app, request).await;
            assert!(response.status().is_success(), "{path}");
            let header = |name| response.headers().get(name).unwrap().to_str().unwrap();
            assert_eq!(header("content-type"), media_type);
            assert_eq!(header("content-security-policy"), POLICY);
            for name in content
                .split("from \"./")
                .skip(1)
                .filter_map(|rest| rest.split('"').next())
            {
                let import = format!("/page/{name}");
                assert!(served.contains(&import.as_str()), "{path} imports {import}");
            }
        }
    }

    #[test]
    fn nothing_the_page_shows_is_parsed_as_markup() {
        for (path, _, content) in FILES {
            for sink in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "DOMParser",
            ] {
                assert!(!content.contains(sink), "{path} uses {sink}");
            }
        }
    }
}
