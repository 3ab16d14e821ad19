//! `openapi.yaml` as a judge: every response that a test receives is held against it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock};

use jsonschema::Validator;
use serde_json::{Map, Value, json};

const METHODS: [&str; 7] = ["get", "head", "post", "put", "patch", "delete", "options"];

/// The API description, read once.
pub(crate) struct Contract {
    doc: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// What an operation and a route have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Operation {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) access: String,
    pub(crate) scope: Option<String>,
}

/// A request made of the examples in the description.
#[derive(Clone, Debug)]
pub(crate) struct ExampleRequest {
    pub(crate) operation: Operation,
    /// The name of the body's example, for messages.
    pub(crate) name: String,
    /// With path and required query parameters filled in.
    pub(crate) uri: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<(String, Value)>,
}

/// An example of this media type as it is sent.
pub(crate) fn written(media_type: &str, example: &Value) -> String {
    match example {
        // The example of lines is a text.
        Value::String(lines) if media_type.contains("ndjson") => lines.clone(),
        Value::Object(fields) if media_type.contains("urlencoded") => {
            let pairs = fields.iter().map(|(name, value)| (name, value.as_str().expect("a text")));
            serde_urlencoded::to_string(pairs.collect::<Vec<_>>()).expect("a form")
        }
        other => other.to_string(),
    }
}

impl Contract {
    /// The description at the root of the repository.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Contract> = OnceLock::new();
        SHARED.get_or_init(|| Self::read(include_str!("../../openapi.yaml")))
    }

    /// A description from its text.
    pub(crate) fn read(yaml: &str) -> Self {
        let doc: Value = serde_saphyr::from_str(yaml).expect("openapi.yaml is YAML");
        Self { doc, validators: Mutex::default() }
    }

    /// The whole document.
    pub(crate) fn doc(&self) -> &Value {
        &self.doc
    }

    /// Every operation.
    pub(crate) fn operations(&self) -> BTreeSet<Operation> {
        self.each_operation().into_iter().map(|(operation, _)| operation).collect()
    }

    /// An operation as it is described.
    pub(crate) fn described(&self, operation: &Operation) -> &Value {
        &self.doc["paths"][&operation.path][operation.method.to_lowercase()]
    }

    /// The parameters of an operation, those of its path among them.
    pub(crate) fn parameters(&self, operation: &Operation) -> Vec<&Value> {
        let shared = self.doc["paths"][&operation.path].get("parameters");
        let lists = [shared, self.described(operation).get("parameters")];
        lists.into_iter().flatten().filter_map(Value::as_array).flatten().map(|it| self.resolve(it)).collect()
    }

    /// The schema of the bodies that an operation takes in this media type.
    pub(crate) fn body_schema(&self, operation: &Operation, media_type: &str) -> &Value {
        let body = self.resolve(&self.described(operation)["requestBody"]);
        &body["content"][media_type]["schema"]
    }

    fn each_operation(&self) -> Vec<(Operation, &Value)> {
        let mut found = Vec::new();
        for (path, item) in self.doc["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("a path item") {
                if !METHODS.contains(&method.as_str()) {
                    continue;
                }
                let text = |name: &str| operation[name].as_str().map(str::to_owned);
                let named = Operation {
                    method: method.to_uppercase(),
                    path: path.clone(),
                    id: text("operationId").unwrap_or_else(|| panic!("{method} {path}: no operationId")),
                    access: text("x-access").unwrap_or_else(|| panic!("{method} {path}: no x-access")),
                    scope: text("x-scope"),
                };
                found.push((named, operation));
            }
        }
        found
    }

    /// The path template that a path matches; literal segments win over parameters. A parameter may be empty, but not at
    /// the end. The last one of a path with `x-rest` takes all that is left of it.
    pub(crate) fn template_of(&self, path: &str) -> Option<&str> {
        let segments: Vec<_> = path.split('/').collect();
        let last = segments.len() - 1;
        let matching = self.doc["paths"].as_object()?.iter().filter_map(|(template, item)| {
            let parts: Vec<_> = template.split('/').collect();
            let is_long = item.get("x-rest").is_some() && segments.len() > parts.len();
            let fits = (parts.len() == segments.len() || is_long)
                && parts.iter().zip(&segments).enumerate().all(|(at, (part, segment))| {
                    part == segment || (part.starts_with('{') && !(at == last && segment.is_empty()))
                });
            fits.then_some(template)
        });
        matching.min_by_key(|template| template.matches('{').count()).map(String::as_str)
    }

    /// Holds a response against the description: an undocumented status or content type, or a body that does not
    /// validate, is an error. `template` is the path as it stands in the description.
    pub(crate) fn check_response(
        &self,
        method: &str,
        template: Option<&str>,
        status: u16,
        content_type: Option<&str>,
        body: &[u8],
    ) -> Result<(), String> {
        let head = method == "HEAD";
        let method = if head { "get" } else { &method.to_lowercase() };
        let operation = template.and_then(|template| self.doc["paths"][template].get(method));
        let (place, response) = match (template, operation) {
            (None, _) => ("NotFound".to_owned(), (status == 404).then(|| self.shared_response("NotFound"))),
            (Some(_), None) => (
                "MethodNotAllowed".to_owned(),
                (status == 405).then(|| self.shared_response("MethodNotAllowed")),
            ),
            (Some(template), Some(operation)) => {
                (format!("{method} {template} {status}"), operation["responses"].get(status.to_string()))
            }
        };
        let response =
            self.resolve(response.ok_or_else(|| format!("{place}: status {status} is not documented"))?);
        let Some(content) = response.get("content").and_then(Value::as_object) else {
            return if body.is_empty() {
                Ok(())
            } else {
                Err(format!("{place}: a body, none is documented"))
            };
        };
        let essence = content_type.unwrap_or("").split(';').next().unwrap_or("").trim();
        let Some(media) = content.get(essence) else {
            return Err(format!("{place}: content type `{essence}` is not documented"));
        };
        let key = format!("{place} {essence}");
        if head {
            return if body.is_empty() { Ok(()) } else { Err(format!("{key}: a body in answer to HEAD")) };
        }
        let schema = media.get("schema").ok_or_else(|| format!("{key}: no schema"))?;
        self.check_body(&key, schema, essence, body)
    }

    /// The schema of a line-oriented type describes one line.
    fn check_body(&self, key: &str, schema: &Value, essence: &str, body: &[u8]) -> Result<(), String> {
        let read =
            |text: &[u8]| serde_json::from_slice(text).map_err(|error| format!("{key}: not JSON: {error}"));
        if essence == "application/x-ndjson" {
            let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            return lines.map(read).try_for_each(|line| self.validate(key, schema, &line?));
        }
        if essence.ends_with("json") {
            return self.validate(key, schema, &read(body)?);
        }
        if ["application/octet-stream", "application/zip"].contains(&essence) {
            // A character for each byte, so that lengths are those of the bytes.
            let bytes: String = body.iter().copied().map(char::from).collect();
            return self.validate(key, schema, &Value::String(bytes));
        }
        let text = String::from_utf8(body.to_vec()).map_err(|_| format!("{key}: not UTF-8"))?;
        self.validate(key, schema, &Value::String(text))
    }

    fn shared_response(&self, name: &str) -> &Value {
        &self.doc["components"]["responses"][name]
    }

    /// Follows a local `$ref`.
    fn resolve<'a>(&'a self, node: &'a Value) -> &'a Value {
        match node.get("$ref").and_then(Value::as_str) {
            None => node,
            Some(place) => {
                let pointer = place.strip_prefix('#').unwrap_or_else(|| panic!("`{place}` is not local"));
                self.resolve(self.doc.pointer(pointer).unwrap_or_else(|| panic!("`{place}` leads nowhere")))
            }
        }
    }

    /// Validates a value against a schema of the document; `key` names the schema for the cache and for messages.
    pub(crate) fn validate(&self, key: &str, schema: &Value, value: &Value) -> Result<(), String> {
        let validator = self.validator(key, schema)?;
        let errors: Vec<_> =
            validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        if errors.is_empty() { Ok(()) } else { Err(format!("{key}: {}", errors.join("; "))) }
    }

    fn validator(&self, key: &str, schema: &Value) -> Result<Arc<Validator>, String> {
        // The text of the schema too: two places may share a name in messages.
        let id = format!("{key} {schema}");
        if let Some(known) = self.validators.lock().expect("no panic while locked").get(&id) {
            return Ok(Arc::clone(known));
        }
        // With the components beside it, `#/components/schemas/…` resolves.
        let whole =
            json!({ "components": { "schemas": self.doc["components"]["schemas"] }, "allOf": [schema] });
        let built = jsonschema::draft202012::options()
            .should_validate_formats(true)
            .build(&whole)
            .map_err(|error| format!("{key}: the schema is broken: {error}"))?;
        let built = Arc::new(built);
        self.validators.lock().expect("no panic while locked").insert(id, Arc::clone(&built));
        Ok(built)
    }

    /// Every example with the schema it must satisfy: of bodies, parameters and schemas.
    pub(crate) fn examples(&self) -> Vec<(String, &Value, Value)> {
        let mut found = Vec::new();
        self.collect_examples("", &self.doc, &mut found);
        found
    }

    fn collect_examples<'a>(
        &'a self,
        place: &str,
        node: &'a Value,
        found: &mut Vec<(String, &'a Value, Value)>,
    ) {
        match node {
            Value::Object(map) => {
                self.own_examples(place, node, map, found);
                for (name, inner) in map {
                    // What stands in an example is data, even when it looks like a schema.
                    if !matches!(name.as_str(), "example" | "examples" | "enum" | "const" | "default") {
                        self.collect_examples(&format!("{place}/{name}"), inner, found);
                    }
                }
            }
            Value::Array(items) => {
                for (index, inner) in items.iter().enumerate() {
                    self.collect_examples(&format!("{place}/{index}"), inner, found);
                }
            }
            _ => {}
        }
    }

    fn own_examples<'a>(
        &'a self,
        place: &str,
        node: &'a Value,
        map: &'a Map<String, Value>,
        found: &mut Vec<(String, &'a Value, Value)>,
    ) {
        // A media type or parameter has a `schema` beside its examples; a schema is one itself.
        let schema = map.get("schema").unwrap_or(node);
        if let Some(example) = map.get("example") {
            found.push((format!("{place}/example"), schema, example.clone()));
        }
        match map.get("examples") {
            Some(Value::Object(named)) => {
                for (name, example) in named {
                    let value = self.resolve(example)["value"].clone();
                    found.push((format!("{place}/examples/{name}"), schema, value));
                }
            }
            Some(Value::Array(values)) => {
                for (index, value) in values.iter().enumerate() {
                    found.push((format!("{place}/examples/{index}"), schema, value.clone()));
                }
            }
            _ => {}
        }
    }

    /// One request for each example of a request body, or one for an operation without a body.
    pub(crate) fn example_requests(&self) -> Vec<ExampleRequest> {
        let mut requests = Vec::new();
        for (operation, node) in self.each_operation() {
            let (uri, headers) = self.example_parameters(&operation);
            let make = |name: &str, body| ExampleRequest {
                operation: operation.clone(),
                name: name.to_owned(),
                uri: uri.clone(),
                headers: headers.clone(),
                body,
            };
            let content = node.get("requestBody").map(|body| &self.resolve(body)["content"]);
            let Some(content) = content.and_then(Value::as_object) else {
                requests.push(make("", None));
                continue;
            };
            for (media_type, media) in content {
                let mut bodies = Vec::new();
                self.own_examples("", media, media.as_object().expect("a media type"), &mut bodies);
                assert!(!bodies.is_empty(), "{}: `{media_type}` has no example", operation.id);
                let of_type =
                    bodies.into_iter().map(|(name, _, body)| make(&name, Some((media_type.clone(), body))));
                requests.extend(of_type);
            }
        }
        requests
    }

    fn example_parameters(&self, operation: &Operation) -> (String, Vec<(String, String)>) {
        let (mut uri, mut query, mut headers) = (operation.path.clone(), Vec::new(), Vec::new());
        for parameter in self.parameters(operation) {
            let name = parameter["name"].as_str().expect("a name");
            let required = parameter["required"].as_bool().unwrap_or(false);
            let example = match &parameter["example"] {
                Value::Null if required => panic!("{}: `{name}` has no example", operation.id),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            match (parameter["in"].as_str(), required) {
                (Some("path"), _) => uri = uri.replace(&format!("{{{name}}}"), &example),
                (Some("query"), true) => query.push(format!("{name}={example}")),
                (Some("header"), true) => headers.push((name.to_owned(), example)),
                _ => {}
            }
        }
        if !query.is_empty() {
            uri = format!("{uri}?{}", query.join("&"));
        }
        (uri, headers)
    }
}
