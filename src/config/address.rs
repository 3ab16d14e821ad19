//! Addresses of databases and of mail servers: shown without their passwords, and with no parameter that nobody reads.

/// The parameters in an address of PostgreSQL that the driver reads; it warns of another one, with its value, and goes on
/// without: a mistyped `sslmode` would be no TLS.
const PARAMETERS: [&str; 18] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];
/// That of the address of a mail server.
const OF_MAIL: &str = "tls";
const PASSWORD: &str = "password";

fn is_known(parameter: &str) -> bool {
    PARAMETERS.contains(&parameter) || parameter.starts_with("options[") && parameter.ends_with(']')
}

/// The address as people may see it: what stands before its last `@`, from the first `:` on, is `***`, and so is the value of every
/// parameter that is a password, or that is not known.
pub fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return "***".to_owned() };
    let Some((user, host)) = rest.rsplit_once('@') else {
        return format!("{scheme}://{}", without_name(rest));
    };
    // Whatever parts an address otherwise may stand in a password.
    let user = match user.split_once(':') {
        Some((name, _)) => format!("{}:***", hidden(name)),
        None => hidden(user),
    };
    format!("{scheme}://{user}@{}", hidden(host))
}

/// What nobody's name stands before: a host, or an address that was cut off in its password.
fn without_name(rest: &str) -> String {
    let host = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    match host.split_once(':') {
        Some((name, port)) if !host.starts_with('[') && !port.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{name}:***")
        }
        _ => hidden(rest),
    }
}

fn hidden(text: &str) -> String {
    let hide = |part: &str| {
        let end = if part.ends_with(['?', '&']) { part.len() - 1 } else { part.len() };
        let (pair, end) = part.split_at(end);
        match pair.split_once('=') {
            Some((name, _)) if name == PASSWORD || !(is_known(name) || name == OF_MAIL) => {
                format!("{name}=***{end}")
            }
            _ => part.to_owned(),
        }
    };
    text.split_inclusive(['?', '&']).map(hide).collect()
}

/// Refuses an address of PostgreSQL that is none, or that has a parameter which nobody reads; no word of a password is in what is
/// said.
pub(super) fn refuse_unread(text: &str) -> Result<(), String> {
    let url =
        url::Url::parse(text).map_err(|error| format!("expected `postgres://USER@HOST/NAME`: {error}"))?;
    if url.query().is_some_and(|query| query.contains('@')) {
        return Err(
            "in a name or password `?` is written `%3F`, and in a parameter `@` is written `%40`".to_owned()
        );
    }
    let Some((name, _)) = url.query_pairs().find(|(name, _)| !is_known(name)) else { return Ok(()) };
    // It could be the rest of something else.
    let is_name =
        name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_lowercase() || b"_-".contains(&byte));
    let name = if is_name { &name } else { "…" };
    Err(format!("the parameter `{name}` is not known: leave it out"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown_wherever_it_stands_and_whatever_it_holds() {
        for (text, shown) in [
            ("postgres://ann:hunter2@h/x", "postgres://ann:***@h/x"),
            ("postgres://ann:hun?ter2@h:1/x", "postgres://ann:***@h:1/x"),
            ("postgres://ann:hun@ter2@h/x?sslmode=require", "postgres://ann:***@h/x?sslmode=require"),
            ("postgres://ann:h/u?n&t#er2@h/x", "postgres://ann:***@h/x"),
            ("postgres://ann@h/x?password=hunter2&host=/run", "postgres://ann@h/x?password=***&host=/run"),
            ("postgres://h/x?user=a@b&password=hunter2", "postgres://h/x?user=a@b&password=***"),
            ("postgres://h:5432/x?pasword=hunter2", "postgres://h:5432/x?pasword=***"),
            ("postgres://h:5432/x?options[a]=b&dbname=y", "postgres://h:5432/x?options[a]=b&dbname=y"),
            ("postgres://[::1]:5432/x", "postgres://[::1]:5432/x"),
            ("postgres://ann:hunter2", "postgres://ann:***"),
            ("postgres://ann:hunt/er2", "postgres://ann:***"),
            ("postgres:ann:hunter2@h", "***"),
            ("smtp://ann:hun?ter2@mail.example?tls=required", "smtp://ann:***@mail.example?tls=required"),
        ] {
            assert_eq!(without_password(text), shown, "{text}");
        }
    }

    #[test]
    fn a_parameter_that_nobody_reads_is_refused_by_its_name_alone() {
        for known in ["", "?sslmode=require", "?host=/run/a&user=ann&password=hunter2", "?options[a]=b"] {
            assert_eq!(refuse_unread(&format!("postgres://ann@h/x{known}")), Ok(()));
        }
        for (text, told) in [
            ("postgres://ann@h/x?sslmod=hunter2", "`sslmod`"),
            ("postgres://ann@h/x?hunter2=hunter2", "`…`"),
            ("postgres://ann:1?hunter2@h/x", "`%3F`"),
            ("postgres://ann:hun?ter2@h/x", "expected `postgres://"),
        ] {
            let refused = refuse_unread(text).unwrap_err();
            assert!(
                refused.contains(told) && !refused.contains("hunter2") && !refused.contains("ter2"),
                "{refused}"
            );
        }
    }
}
