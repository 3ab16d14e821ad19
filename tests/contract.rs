//! `openapi.yaml` and the table of routes say the same, and every example in the description is true.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use kyodaku::http::problem::Code;
use kyodaku::http::routes;
use serde_json::Value;

use crate::http::node::Node;
use crate::world::client::Client;
use crate::world::contract::{Contract, Operation, written};

#[test]
fn the_description_and_the_table_hold_the_same_operations() {
    let described = Contract::shared().operations();
    let served: BTreeSet<_> = routes::table()
        .into_iter()
        .map(|route| Operation {
            method: route.method.to_string(),
            path: route.described_path(),
            id: route.operation_id.to_owned(),
            access: route.access.to_string(),
            scope: route.access.scope().map(|scope| scope.as_str().to_owned()),
        })
        .collect();
    let undescribed: Vec<_> = served.difference(&described).collect();
    let unserved: Vec<_> = described.difference(&served).collect();
    assert!(
        undescribed.is_empty() && unserved.is_empty(),
        "only served: {undescribed:#?}\nonly described: {unserved:#?}"
    );
}

/// The page of all operations, made of the table and of the summaries in the description.
fn page_of_operations() -> String {
    let doc = Contract::shared().doc();
    let mut page = "# Operations\n\n\
        Every operation of the API: who may call it, and the scope that the key must hold. `public` takes no key, `own` any \
        live key or session, `any` one of\nany verified organization; otherwise the organization has one of these roles. The whole \
        contract is `openapi.yaml`.\n\n\
        Made from the table of routes by `KYODAKU_BLESS=1 cargo test --locked -- contract::the_page`; not written by hand.\n\n\
        | method | path | operation | access | scope | what |\n|---|---|---|---|---|---|\n"
        .to_owned();
    let mut routes = routes::table();
    routes.sort_by_key(|route| (route.path, route.method.to_string()));
    for route in routes {
        let path = route.described_path();
        let summary = &doc["paths"][&path][route.method.as_str().to_lowercase()]["summary"];
        let scope = route.access.scope().map_or(String::new(), |scope| format!("`{}`", scope.as_str()));
        let access = route.access.to_string().replace('|', ", ");
        writeln!(
            page,
            "| {} | `{}` | `{}` | {access} | {scope} | {} |",
            route.method,
            path,
            route.operation_id,
            summary.as_str().unwrap_or_default(),
        )
        .unwrap();
    }
    page
}

#[test]
fn the_page_of_operations_is_made_from_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md");
    let expected = page_of_operations();
    if std::env::var_os("KYODAKU_BLESS").is_some() {
        std::fs::write(path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    let differs = found.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
    assert!(
        found == expected,
        "docs/operations.md is not that of the table (first difference: {differs:#?}): run the tests with KYODAKU_BLESS=1"
    );
}

/// Public operations whose credentials stand in the body.
const IN_BODY: [&str; 8] = [
    "signIn",
    "completeSignIn",
    "refreshSession",
    "setPassword",
    "completeRegistration",
    "issueToken",
    "revokeToken",
    "introspectToken",
];
/// Public operations that there are only where the settings say so.
const BY_SETTINGS: [&str; 1] = ["beginSignIn"];

#[test]
fn an_operation_takes_credentials_unless_it_is_public() {
    let doc = Contract::shared().doc();
    assert_eq!(doc["security"], serde_json::json!([{ "apiKey": [] }, { "session": [] }]));
    for operation in Contract::shared().operations() {
        let node = &doc["paths"][&operation.path][operation.method.to_lowercase()];
        let public = node.get("security").is_some_and(|security| security == &serde_json::json!([]));
        assert_eq!(public, operation.access == "public", "{operation:?}");
        let in_body = IN_BODY.contains(&operation.id.as_str());
        for (status, expected) in [("401", !public || in_body), ("403", !public)] {
            assert_eq!(node["responses"].get(status).is_some(), expected, "{operation:?} and {status}");
        }
    }
}

#[test]
fn the_problem_codes_are_those_of_the_table() {
    let doc = Contract::shared().doc();
    let described: Vec<_> = doc["components"]["schemas"]["ProblemCode"]["enum"]
        .as_array()
        .unwrap()
        .iter()
        .map(|code| code.as_str().unwrap())
        .collect();
    let served: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(described, served);
}

#[test]
fn every_example_validates() {
    let contract = Contract::shared();
    let examples = contract.examples();
    assert!(examples.len() >= 8, "{}", examples.len());
    let faults: Vec<_> = examples
        .into_iter()
        .filter_map(|(place, schema, value)| contract.validate(&place, schema, &value).err())
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_schema_and_reference_in_the_description_is_sound() {
    fn references<'a>(node: &'a Value, found: &mut BTreeSet<&'a str>) {
        match node {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str));
                map.values().for_each(|inner| references(inner, found));
            }
            Value::Array(items) => items.iter().for_each(|inner| references(inner, found)),
            _ => {}
        }
    }
    let contract = Contract::shared();
    let mut found = BTreeSet::new();
    references(contract.doc(), &mut found);
    for reference in found {
        assert!(contract.doc().pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference}");
    }
    for (name, schema) in contract.doc()["components"]["schemas"].as_object().unwrap() {
        // Any value will do: a broken schema is an error of another kind.
        if let Err(fault) = contract.validate(name, schema, &Value::Null) {
            assert!(!fault.contains("the schema is broken"), "{fault}");
        }
    }
}

#[tokio::test]
async fn every_request_example_is_answered_as_documented() {
    let client = Client::new(Node::new().await.router(routes::table()));
    for example in Contract::shared().example_requests() {
        let mut request =
            axum::http::Request::builder().method(example.operation.method.as_str()).uri(&example.uri);
        for (name, value) in &example.headers {
            request = request.header(name, value);
        }
        let request = match &example.body {
            Some((media_type, body)) => {
                request.header(CONTENT_TYPE, media_type).body(Body::from(written(media_type, body)))
            }
            None => request.body(Body::empty()),
        };
        // The client fails on an undocumented answer.
        let answer = client.send(request.unwrap()).await;
        if IN_BODY.contains(&example.operation.id.as_str()) {
            assert_eq!(answer.status, 401, "{} with another's credentials", example.operation.id);
        } else if BY_SETTINGS.contains(&example.operation.id.as_str()) {
            assert_eq!(answer.status, 404, "{} without the setting", example.operation.id);
        } else if example.operation.access == "public" {
            assert!(
                answer.status.is_success(),
                "{} {}: {}",
                example.operation.id,
                example.name,
                answer.status
            );
        } else {
            assert_eq!(answer.status, 401, "{} without a key", example.operation.id);
        }
    }
}

/// The judge itself is judged: each kind of departure is found.
#[test]
fn an_undocumented_response_is_refused() {
    let contract = Contract::shared();
    let json = Some("application/json; charset=utf-8");
    let check = |method, template, status, content_type, body: &str| {
        contract.check_response(method, template, status, content_type, body.as_bytes())
    };
    let good = r#"{"status":"alive"}"#;
    assert_eq!(check("GET", Some("/healthz"), 200, json, good), Ok(()));
    assert!(check("GET", Some("/healthz"), 202, json, good).unwrap_err().contains("not documented"));
    assert!(
        check("GET", Some("/healthz"), 200, Some("text/html"), good).unwrap_err().contains("content type")
    );
    assert!(check("GET", Some("/healthz"), 200, json, "{}").unwrap_err().contains("required"));
    assert!(check("GET", Some("/healthz"), 200, json, r#"{"status":"alive","x":1}"#).is_err());
    assert!(check("GET", Some("/healthz"), 200, json, "{").unwrap_err().contains("not JSON"));
    assert!(check("POST", Some("/healthz"), 200, json, good).is_err());
    assert!(check("GET", None, 200, json, good).is_err());
    let named = contract.template_of("/problems/not_found");
    assert_eq!(named, Some("/problems/{code}"));
    assert_eq!(
        (contract.template_of("/problems"), contract.template_of("/problems/a/b")),
        (Some("/problems"), None)
    );
}
