//! The files of the built page.

use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

use super::answer::Answer;

/// Shown in place of a page that has not been built.
const NOT_BUILT: &str =
    "The page is not built: `cargo xtask up` builds it, and so does `npm ci && npm run build` in web/.";

/// The file at `path` below `folder`, for the page of `origin`; `/` is `index.html`.
pub fn answer(folder: &Path, path: &str, origin: &str) -> Answer {
    if path == "/" && !folder.join("index.html").is_file() {
        return Answer::text("503 Service Unavailable", NOT_BUILT);
    }
    let found = file(folder, path).and_then(|file| Some((content_type(&file), std::fs::read(file).ok()?)));
    let Some((content_type, bytes)) = found else {
        return Answer::text("404 Not Found", "Not found");
    };
    Answer::status("200 OK")
        .with("Cache-Control", caching(path))
        .with("Content-Security-Policy", policy(origin))
        // Not `no-referrer`, under which a browser calls the origin of some requests null.
        .with("Referrer-Policy", "same-origin")
        .with_body(content_type, bytes)
}

/// None unless it is a plain file inside of `folder`, however the path is written and wherever links lead.
fn file(folder: &Path, path: &str) -> Option<PathBuf> {
    let path = percent_decode_str(path).decode_utf8().ok()?;
    let relative = match &*path {
        "/" => "index.html",
        path => path.strip_prefix('/')?,
    };
    let plain = |segment: &str| {
        // Hidden files, `.` and `..` all begin with a dot.
        !segment.is_empty() && !segment.starts_with('.') && !segment.contains(['\\', '\0'])
    };
    if !relative.split('/').all(plain) {
        return None;
    }
    let folder = folder.canonicalize().ok()?;
    let file = folder.join(relative).canonicalize().ok()?;
    (file.starts_with(&folder) && file.is_file()).then_some(file)
}

/// Vite names files in `assets` by their content. The others may change with the next build.
fn caching(path: &str) -> &'static str {
    if path.starts_with("/assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    }
}

/// Scripts come from files of ours only; scripts may set styles, as calendars do for positions and colours.
fn policy(origin: &str) -> String {
    let sockets = origin.replacen("http", "ws", 1);
    format!(
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; \
         connect-src 'self' {sockets}; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
}

fn content_type(file: &Path) -> &'static str {
    let extension = file.extension().and_then(|it| it.to_str()).unwrap_or_default();
    match extension {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}
