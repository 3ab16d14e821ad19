//! The published `schemathesis` reads `openapi.yaml` and sends what it makes of it to the real program, as everybody who may call:
//! no answer may be one that is not described, or a failure of the server. `KYODAKU_EXAMPLES` says how much it makes up for
//! each operation.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use kyodaku::clock::Clock;
use serde_json::{Value, json};

use super::remote::Remote;
use crate::world::contract::Contract;
use crate::world::people::PASSWORD;
use crate::world::python::installed;
use crate::world::samples::Samples;
use crate::world::{World, both};

fn programs() -> PathBuf {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
    PROGRAMS.get_or_init(|| installed("schemathesis", "4.32.5")).clone()
}

const EMAIL: &str = "mori@hoshikuzu.example";

/// What is held against each answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
    response_schema_conformance,unsupported_method,allow_header_conformance";

/// How lines are sent, which the package does not know by itself.
const HOOKS: &str = r#"
import json
import schemathesis

@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    if isinstance(value, bytes):
        return value
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode(errors="surrogatepass")
"#;

/// Who asks, and with what.
struct Caller {
    who: &'static str,
    key: Option<String>,
}

/// Whether an operation with this access is one of somebody's.
type IsTheirs = fn(&str) -> bool;

/// Who looks most closely at which operations, by who may call them: together they do so at all, each once.
#[rustfmt::skip]
const CLOSELY_BY: &[(&str, IsTheirs)] = &[
    ("nobody", |access| access == "public"),
    ("a person who signed in", |access| access == "own"),
    ("a rights holder", |access| access == "any" || access.contains("rights_holder")),
    ("a developer", |access| access == "ai_developer"),
    ("an auditor", |access| access.starts_with("auditor")),
    ("the registrar", |access| access == "registrar"),
];

/// Everything but the closer look at each operation.
const BROADLY: &str = "examples,fuzzing";
/// All that can be told from the schemas alone.
const CLOSELY: &str = "coverage";

/// One of each thing, and those who ask, made before the server starts.
async fn prepare(world: &mut World) -> Vec<Caller> {
    // The server's clock is the real one.
    world.clock = Clock::system();
    let stage = world.stage().await;
    let samples = Samples::new(&stage).await;
    let (developer, auditor) = (stage.developer("Kasane Labs").await, stage.auditor().await);
    stage.invited(&samples.victim, "admin", EMAIL).await;
    // With the ids of things that are there, in place of those of the examples.
    let mut description = samples.body(Contract::shared().doc());
    without_at_least(&mut description);
    std::fs::write(world.folder.path().join("openapi.json"), description.to_string()).unwrap();
    std::fs::write(world.folder.path().join("lines.py"), HOOKS).unwrap();
    stage.registry.db().close().await;
    let with = |who, key: &str| Caller { who, key: Some(key.to_owned()) };
    vec![
        Caller { who: "nobody", key: None },
        with("a rights holder", &samples.victim.key),
        with("a developer", &developer.key),
        with("an auditor", &auditor.key),
        with("the registrar", &stage.registrar.key),
    ]
}

/// Takes out the parameter that makes a node wait for what is not recorded yet: an answer 503 is right then.
fn without_at_least(node: &mut Value) {
    match node {
        Value::Object(members) => {
            if let Some(Value::Array(parameters)) = members.get_mut("parameters") {
                parameters.retain(|it| it["$ref"] != "#/components/parameters/AtLeast");
            }
            members.values_mut().for_each(without_at_least);
        }
        Value::Array(items) => items.iter_mut().for_each(without_at_least),
        _ => {}
    }
}

fn ask(url: &str, world: &World, caller: &Caller, phases: &str) -> Command {
    let examples = std::env::var("KYODAKU_EXAMPLES").unwrap_or_else(|_| "1".to_owned());
    let mut command = Command::new(programs().join("schemathesis"));
    command.arg("run").arg(world.folder.path().join("openapi.json")).args(["--url", url, "--checks", CHECKS]);
    command.args(["--phases", phases, "--max-examples", &examples, "--seed", "1"]);
    command.args(["--generation-database", "none", "--suppress-health-check", "all", "--warnings", "off"]);
    command.args(["--continue-on-failure", "--no-shrink", "--no-color", "--request-timeout", "60"]);
    if let Some(key) = &caller.key {
        command.args(["-H", &format!("Authorization: Bearer {key}")]);
    }
    if phases == CLOSELY && std::env::var_os("KYODAKU_EXAMPLES").is_none() {
        let (_, closely) = CLOSELY_BY.iter().find(|(who, _)| *who == caller.who).expect("somebody known");
        let operations = Contract::shared().operations();
        let mut ids: Vec<_> =
            operations.iter().filter(|it| closely(&it.access)).map(|it| it.id.as_str()).collect();
        // One whose role nothing is for alone looks at what it is itself.
        if ids.is_empty() {
            ids.push("getMe");
        }
        command.args(ids.iter().flat_map(|id| ["--include-operation-id", id]));
    }
    command.current_dir(world.folder.path()).stdin(Stdio::null());
    command.env("SCHEMATHESIS_HOOKS", "lines.py").env("PYTHONPATH", world.folder.path());
    command
}

#[test]
fn every_operation_is_looked_at_closely_by_one() {
    for operation in Contract::shared().operations() {
        let callers = CLOSELY_BY.iter().filter(|(_, closely)| closely(&operation.access));
        assert_eq!(callers.count(), 1, "{operation:?}");
    }
}

both!(no_answer_is_undocumented_and_nothing_fails, async |mut world: World| {
    tokio::task::spawn_blocking(programs).await.expect("the package is installed");
    let mut callers = prepare(&mut world).await;
    let mut remote = Remote::start(&world, &[("requests_per_minute", "0"), ("node", "a")]).await;
    // A session has ten minutes, and is begun here.
    let body = json!({ "email": EMAIL, "password": PASSWORD });
    let session = remote.done("POST", "/v1/sessions", None, &body).await;
    callers.insert(
        0,
        Caller {
            who: "a person who signed in",
            key: Some(session["access_token"].as_str().unwrap().to_owned()),
        },
    );
    let mut faults = Vec::new();
    for caller in &callers {
        for phases in [BROADLY, CLOSELY] {
            let mut command = ask(&remote.url, &world, caller, phases);
            let done = tokio::task::spawn_blocking(move || command.output()).await.unwrap().expect("it runs");
            let said = String::from_utf8_lossy(&done.stdout).into_owned();
            if !done.status.success() {
                faults.push(format!(
                    "asked by {}:\n{said}{}",
                    caller.who,
                    String::from_utf8_lossy(&done.stderr)
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    remote.stop();
});
