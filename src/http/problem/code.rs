//! The closed table of problem codes: what clients may match on, and what people read to fix it.

use axum::http::StatusCode;

macro_rules! codes {
    ($($variant:ident, $code:literal, $status:literal, $title:literal, $fix:literal;)*) => {
        /// Every kind of problem that the server answers with. Clients match on [`Code::as_str`] (also the last
        /// part of the problem's `type`), never on a title or detail.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $(#[doc = $title] $variant,)* }

        impl Code {
            /// All codes, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name on the wire: lower case letters and `_`. Never changes, never is given another meaning.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// One sentence, the same for every occurrence (RFC 9457 section 3.1.3).
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// How to fix it, shown on the page that the problem's `type` resolves to.
            pub const fn fix(self) -> &'static str {
                match self { $(Self::$variant => $fix,)* }
            }

            const fn number(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }
        }
    };
}

// One line a code: variant, name on the wire, status, title, how to fix it.
codes! {
    MalformedRequest, "malformed_request", 400, "the request cannot be read",
        "Send a request as the API description says. A header, the path or the framing of the body is broken.";
    InvalidJson, "invalid_json", 400, "the body is not JSON",
        "Send one JSON text in UTF-8 (RFC 8259), nothing after it. `detail` names the line and column where reading stopped.";
    InvalidQuery, "invalid_query", 400, "the query string breaks a rule",
        "Each entry of `errors` names a parameter by its pointer. Unknown and repeated parameters are refused.";
    InvalidPath, "invalid_path", 400, "a part of the path is not of its kind",
        "Each entry of `errors` names a part of the path. Ids are a prefix such as `wrk_` and 26 lower case characters.";
    InvalidHeader, "invalid_header", 400, "a header breaks a rule",
        "`detail` names the header and its rule.";
    InvalidCursor, "invalid_cursor", 400, "the cursor is not one of this list",
        "Pass `next` of the previous page, unchanged, with the same filters; or leave `cursor` out to begin again.";
    IdempotencyKeyRequired, "idempotency_key_required", 400, "the header `Idempotency-Key` is missing",
        "Send a fresh key with each new act, 1 to 255 visible ASCII characters (a UUID serves well), and the same key when you repeat the same act.";
    Unauthenticated, "unauthenticated", 401, "credentials are missing",
        "Send `Authorization: Bearer kyo_live_…` with an API key of your organization.";
    InvalidCredentials, "invalid_credentials", 401, "the credentials are not valid",
        "The key is unknown, expired, revoked or mistyped. Ask your organization for a live key.";
    CodeRequired, "code_required", 401, "a code of your second factor is needed",
        "Send the six digits that your device shows as `code` (as `second_factor` after single sign-on), or one of your codes for a day without it.";
    RoleRequired, "role_required", 403, "your organization does not have the role for this",
        "The API description states with `x-access` which roles may call each operation.";
    ScopeRequired, "scope_required", 403, "the key does not have the scope for this",
        "Create a key with the scope that `detail` names. A key holds only the scopes it was given.";
    SecondFactorRequired, "second_factor_required", 403, "a second factor is needed for this",
        "Set one up with `POST /v1/second-factor`, or sign in again with a code of it. The registrar's people need one, and whoever approves, makes a key that may, or no longer asks for a second person.";
    NotVerified, "not_verified", 403, "your organization may not act",
        "It is not verified yet, or it is suspended. `GET /v1/me` says which. Ask the registrar.";
    NotAllowed, "not_allowed", 403, "you may not do this",
        "`detail` and `errors` say who may. Your organization may see the thing, and not do this with it.";
    NotFound, "not_found", 404, "there is nothing here that you may see",
        "Check the path and the id. What does not exist and what you may not see are answered alike.";
    MethodNotAllowed, "method_not_allowed", 405, "the path has no such method",
        "The header `Allow` lists the methods of this path.";
    RequestTimeout, "request_timeout", 408, "the request took too long to arrive",
        "Send the whole request at once. Repeat a write with the same `Idempotency-Key`.";
    Conflict, "conflict", 409, "the state of things does not allow this",
        "`detail` says what stands in the way. Read the current state, then decide again.";
    IdempotencyInProgress, "idempotency_in_progress", 409, "a request with this key is still being worked on",
        "Wait a moment, then repeat the request with the same key and the same body.";
    PreconditionFailed, "precondition_failed", 412, "it has changed since you read it",
        "Read it again, take the new `ETag`, look at what changed, then repeat with the new `If-Match`.";
    BodyTooLarge, "body_too_large", 413, "the body is larger than this operation reads",
        "`detail` states the limit in bytes. Send smaller parts; large batches go as NDJSON.";
    UnsupportedMediaType, "unsupported_media_type", 415, "the body is not of a type that this operation reads",
        "Send `Content-Type: application/json` (UTF-8), without a `Content-Encoding`.";
    InvalidBody, "invalid_body", 422, "the body breaks a rule",
        "Each entry of `errors` names a place in the body by its JSON pointer (RFC 6901) and says what is wrong there. Mend all, then repeat.";
    IdempotencyKeyReused, "idempotency_key_reused", 422, "this key was used for another request",
        "A key belongs to one request for 30 days. Use a fresh key for another path or body.";
    Refused, "refused", 422, "a rule of the registry refuses this act",
        "`detail` and `errors` name the rule and what it rests on. Nothing was recorded.";
    PreconditionRequired, "precondition_required", 428, "the header `If-Match` is missing",
        "Read the current state and send its `ETag` as `If-Match`, so that no change of another is overwritten unseen.";
    TooManyRequests, "too_many_requests", 429, "too many requests",
        "Wait as many seconds as `Retry-After` says.";
    Internal, "internal", 500, "the server failed",
        "Nothing in your request needs to change. Report the `request_id` to the operator; repeat a write only with the same `Idempotency-Key`. This is not permission.";
    Unavailable, "unavailable", 503, "the service cannot answer now",
        "Wait as many seconds as `Retry-After` says, then repeat. This is not permission.";
    TimedOut, "timed_out", 503, "the answer took too long",
        "Ask for less at once, or repeat after `Retry-After` seconds. A write may have been recorded: repeat it with the same `Idempotency-Key`. This is not permission.";
    NotCaughtUp, "not_caught_up", 503, "this node has not read the log that far",
        "Repeat after `Retry-After` seconds, or leave `at_least` out to read what this node has.";
}

impl Code {
    /// The HTTP status that every problem of this code has.
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.number()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The code of this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == name)
    }

    /// The code for a status that came without one, from the HTTP library or a middleware.
    pub fn for_status(status: StatusCode) -> Self {
        match status {
            StatusCode::UNAUTHORIZED => Self::Unauthenticated,
            StatusCode::FORBIDDEN => Self::RoleRequired,
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::REQUEST_TIMEOUT => Self::RequestTimeout,
            StatusCode::CONFLICT => Self::Conflict,
            StatusCode::PRECONDITION_FAILED => Self::PreconditionFailed,
            StatusCode::PAYLOAD_TOO_LARGE => Self::BodyTooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            StatusCode::UNPROCESSABLE_ENTITY => Self::InvalidBody,
            StatusCode::TOO_MANY_REQUESTS => Self::TooManyRequests,
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => Self::Unavailable,
            other if other.is_client_error() => Self::MalformedRequest,
            _ => Self::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_code_is_an_error_with_a_plain_unique_name_and_a_way_out() {
        let mut seen = HashSet::new();
        for code in Code::ALL {
            assert!(seen.insert(code.as_str()), "`{}` twice", code.as_str());
            assert!(code.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", code.as_str());
            assert_eq!(code.status().as_u16(), code.number());
            assert!(code.status().is_client_error() || code.status().is_server_error());
            assert!(code.fix().ends_with('.') && !code.title().ends_with('.'), "{}", code.as_str());
            assert_eq!(Code::from_name(code.as_str()), Some(*code));
        }
        assert_eq!(Code::from_name("nothing"), None);
    }
}
