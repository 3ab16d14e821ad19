//! The pages that a problem's `type` resolves to.

use std::fmt::Write;

use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use super::extract::ValidPath;
use super::problem::{Code, Problem};

/// `GET /problems`: all codes.
pub(super) async fn list() -> Response {
    let mut rows = String::new();
    for code in Code::ALL {
        let (name, status, title) = (code.as_str(), code.status().as_u16(), code.title());
        // Writing to a string does not fail.
        let _ = writeln!(
            rows,
            "<li><a href=\"/problems/{name}\"><code>{name}</code></a> ({status}): {title}</li>"
        );
    }
    html("Problems", &format!("<ul>\n{rows}</ul>\n"))
}

/// `GET /problems/{code}`: what it means and how to fix it.
pub(super) async fn page(ValidPath(name): ValidPath<String>) -> Result<Response, Problem> {
    let code = Code::from_name(&name).ok_or_else(Problem::not_found)?;
    let (status, title, fix) = (code.status(), code.title(), code.fix());
    let body = format!(
        "<p>Status {status}: {title}.</p>\n<h2>How to fix it</h2>\n<p>{fix}</p>\n<p><a href=\"/problems\">All \
         problems</a></p>\n"
    );
    Ok(html(code.as_str(), &body))
}

/// A page of our own words only: nothing that a caller sent is ever put in it.
fn html(title: &str, body: &str) -> Response {
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title} - Kyodaku</title>\
         <meta name=\"viewport\" content=\"width=device-width\"></head>\n<body><main>\n<h1>{title}</h1>\n{body}</main>\
         </body>\n</html>\n"
    );
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600")),
    ];
    (headers, page).into_response()
}
