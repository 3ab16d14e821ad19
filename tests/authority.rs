//! Every operation is tried by everybody who may not: the test walks the description, so that an operation that is added
//! is tried too. One without an example, or with a parameter of which there is no sample, fails it.

use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, Request, StatusCode};
use kyodaku::registry::bootstrap::remove_registrar;
use kyodaku::registry::credential::Secret;
use serde_json::{Value, json};

use crate::world::actors::{Actor, Stage, fresh_key};
use crate::world::client::{Answer, Client};
use crate::world::contract::{Contract, ExampleRequest, written};
use crate::world::samples::Samples;
use crate::world::{World, both};

/// Operations that any organization with the role and the scope may use on things of others, and why. Everything else
/// must answer 403 or 404 to it.
const OPEN: &[(&str, &str)] = &[
    ("getOrganization", "a grantee is named by its id, so names of verified organizations are for all"),
    ("getModel", "a grant names models, so their names are for all"),
    ("listModels", "the same"),
    ("listOrganizations", "the same; lists hold only what one may see"),
    ("getPolicy", "it shows the caller's own"),
    ("changePolicy", "it changes the caller's own"),
    ("listProposals", "it lists the caller's own"),
    ("listSecurityEvents", "it lists the caller's own"),
    ("listKeys", "without `organization` it lists the caller's own"),
    ("createKey", "without `person` it makes one for the caller"),
    ("addPerson", "without `organization` it adds to the caller's own"),
    ("registerModel", "it makes one for the caller"),
    ("listMandates", "it lists the caller's own"),
    ("listContractors", "it lists the caller's own"),
    ("nameContractor", "anybody may be empowered to ask; it binds the caller alone"),
    ("listMemberships", "it lists the caller's own"),
    ("giveMandate", "anybody may be empowered; it binds the caller alone"),
    ("getSettings", "what the rules need is for all"),
    ("check", "it asks for the caller, whose answer is its own"),
    ("queryUrls", "the same"),
    ("evaluate", "a subject other than the caller is answered `false` in the answer, as the standard has it"),
    ("evaluateMany", "the same, for each evaluation"),
    ("explain", "without `developer` it asks about the caller"),
    ("compare", "the same"),
    ("listWorks", "titles are for all; without `title` it lists the caller's own"),
    ("getWork", "what a work is and who holds it is for all, so that one knows whom to ask"),
    ("getPosition", "the same; states and reasons are those that the caller may see"),
    ("registerWork", "it registers for the caller"),
    ("registerWorks", "the same"),
    ("makeClaim", "an outsider is who claims"),
    ("listGrants", "it lists what the caller is a party to"),
    ("listDenials", "it lists what concerns the caller"),
    ("listReservations", "a signal that anybody can see is for all"),
    ("getReservation", "the same"),
    ("recordReservation", "anybody may put evidence on record; it changes no verdict"),
    ("whoMayTrain", "it lists the caller's own works"),
    ("listControlChallenges", "it lists the caller's own"),
    ("listEntries", "it lists those that name the caller"),
    ("listChecks", "without `developer` it lists the caller's own"),
    ("listInquiries", "it lists those in which the caller inquires"),
    ("createControlChallenge", "it makes one for the caller"),
];

const ROLES: [&str; 6] =
    ["rights_holder", "association", "ai_developer", "auditor", "registrar", "investigator"];
const SCOPES_BUT_READ: [(&str, &[&str]); 6] = [
    ("rights_holder", &["works:write", "permissions:write", "organization", "approve"]),
    ("association", &["works:write", "permissions:write", "organization", "approve"]),
    ("ai_developer", &["permissions:write", "check", "organization", "approve"]),
    ("auditor", &["permissions:write", "audit", "organization", "approve", "inquire"]),
    ("registrar", &["works:write", "register", "organization", "approve", "inquire"]),
    ("investigator", &["permissions:write", "audit", "organization", "approve", "inquire"]),
];

/// One who may not, and what must be answered.
struct Trial {
    who: String,
    client: Client,
    expected: &'static [u16],
}

impl Trial {
    fn new(who: impl Into<String>, client: &Client, expected: &'static [u16]) -> Self {
        Self { who: who.into(), client: client.clone(), expected }
    }
}

/// Everybody who tries.
struct Cast {
    strangers: Vec<Trial>,
    /// By role: one with this role alone, one whose key can only read, one whose key can do all but read.
    by_role: Vec<(&'static str, Client, Client, Client)>,
    idle: Vec<Trial>,
    /// Has every role that one can have together, and nothing to do with the samples.
    outsider: Actor,
}

/// A verified organization of this role, with its first person's key.
async fn able(stage: &Stage, role: &str) -> Actor {
    match role {
        "registrar" => stage.registrar_person("able").await,
        role => stage.verified("Able", &[role]).await,
    }
}

async fn cast(stage: &Stage) -> Cast {
    let revoked = stage.holder("Revoked").await;
    let id: Value = revoked.get("/v1/me").await.json();
    let second = revoked.with_scopes(&["read"]).await;
    assert_eq!(revoked.delete(&format!("/v1/keys/{}", id["key"].as_str().unwrap())).await.status, 200);
    assert_eq!(second.get("/v1/me").await.status, 200);
    let expired: Value =
        stage.registrar.post("/v1/keys", &json!({ "label": "short", "expires_in_days": 1 })).await.json();
    let expired = stage.nobody.with_key(expired["key"]["secret"].as_str().unwrap());
    stage.clock().advance(std::time::Duration::from_hours(24));
    let left = stage.registrar_person("left").await;
    remove_registrar(&stage.registry, left.person.parse().unwrap()).await.unwrap();
    let nobody = &stage.nobody;
    let strangers = vec![
        Trial::new("nobody", nobody, &[401]),
        Trial::new("a malformed key", &nobody.with_key("kyo_live_nonsense"), &[401]),
        Trial::new("an unknown key", &nobody.with_key(Secret::new().expose()), &[401]),
        Trial::new("a revoked key", &revoked.client, &[401]),
        Trial::new("an expired key of the registrar", &expired, &[401]),
        Trial::new("the key of a person of the registrar who left", &left.client, &[401]),
    ];
    let mut by_role = Vec::new();
    for (role, but_read) in SCOPES_BUT_READ {
        let (one, other) = (able(stage, role).await, able(stage, role).await);
        let (only_read, but_read) = (one.with_scopes(&["read"]).await, other.with_scopes(but_read).await);
        by_role.push((role, one.client, only_read.client, but_read.client));
    }
    let idle = vec![
        Trial::new("an unverified organization", &stage.unverified().await.client, &[403]),
        Trial::new("a suspended organization", &stage.suspended().await.client, &[403]),
    ];
    Cast { strangers, by_role, idle, outsider: stage.stranger().await }
}

impl Cast {
    /// Those who may not use this operation, whatever it is used on.
    fn trials(&self, example: &ExampleRequest) -> Vec<Trial> {
        let (access, scope) = (example.operation.access.as_str(), example.operation.scope.as_deref());
        let mut trials: Vec<_> = self
            .strangers
            .iter()
            .map(|trial| Trial::new(&trial.who, &trial.client, trial.expected))
            .collect();
        if access == "own" {
            return trials;
        }
        trials.extend(self.idle.iter().map(|trial| Trial::new(&trial.who, &trial.client, trial.expected)));
        for (role, able, only_read, but_read) in &self.by_role {
            if access != "any" && !access.split('|').any(|allowed| allowed == *role) {
                trials.push(Trial::new(format!("one of the role {role}"), able, &[403]));
                continue;
            }
            let lacking = if scope == Some("read") { but_read } else { only_read };
            trials.push(Trial::new(format!("a {role} whose key lacks the scope"), lacking, &[403]));
        }
        trials
    }
}

async fn attempt(client: &Client, example: &ExampleRequest, samples: &Samples) -> Answer {
    let query = example.uri.split_once('?').map_or(String::new(), |(_, query)| format!("?{query}"));
    let uri = format!("{}{query}", samples.path(&example.operation.path));
    let method = Method::from_bytes(example.operation.method.as_bytes()).unwrap();
    let mut request: axum::http::request::Builder = client.request(method, &uri);
    for (name, value) in &example.headers {
        let fresh = fresh_key();
        let is_key = name.eq_ignore_ascii_case("idempotency-key");
        request = request.header(name, if is_key { &fresh } else { value });
    }
    let request: Request<axum::body::Body> = match &example.body {
        None => request.body(axum::body::Body::empty()),
        Some((media_type, body)) => {
            let text = written(media_type, &samples.body(body));
            request.header(CONTENT_TYPE, media_type).body(text.into())
        }
    }
    .unwrap();
    client.send(request).await
}

/// What must not change: the log, and the victim's people and keys.
async fn remembered(stage: &Stage, samples: &Samples) -> (u64, Value) {
    let keys = samples.victim.get("/v1/keys?limit=200").await.json::<Value>();
    let revoked =
        keys["items"].as_array().unwrap().iter().map(|key| (key["key"].clone(), key["revoked"].clone()));
    (stage.log_size().await, revoked.map(|(key, revoked)| json!([key, revoked])).collect())
}

both!(nobody_does_what_is_not_theirs_to_do, async |world: World| {
    let stage = world.stage().await;
    let cast = cast(&stage).await;
    let samples = Samples::new(&stage).await;
    let before = remembered(&stage, &samples).await;
    let mut tried = 0;
    for example in Contract::shared().example_requests() {
        if example.operation.access == "public" {
            continue;
        }
        let id = &example.operation.id;
        for trial in cast.trials(&example) {
            let answer = attempt(&trial.client, &example, &samples).await;
            assert!(
                trial.expected.contains(&answer.status.as_u16()),
                "{} was answered {} to `{id}`: {answer:?}",
                trial.who,
                answer.status
            );
            tried += 1;
        }
        assert_eq!(remembered(&stage, &samples).await, before, "`{id}` changed something");
    }
    assert!(tried > 200, "{tried}");
});

both!(nobody_acts_on_what_is_anothers, async |world: World| {
    let stage = world.stage().await;
    let outsider = cast(&stage).await.outsider;
    let samples = Samples::new(&stage).await;
    for example in Contract::shared().example_requests() {
        let id = example.operation.id.as_str();
        if matches!(example.operation.access.as_str(), "public" | "own")
            || OPEN.iter().any(|(open, _)| *open == id)
        {
            continue;
        }
        let before = remembered(&stage, &samples).await;
        let answer = attempt(&outsider.client, &example, &samples).await;
        assert!(
            matches!(answer.status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND),
            "a stranger was answered {} to `{id}`: {answer:?}",
            answer.status
        );
        assert_eq!(remembered(&stage, &samples).await, before, "`{id}` changed something");
    }
});

/// Examples whose form is right and which the samples, as they stand, don't allow: what is answered, and why.
const NOT_NOW: &[(&str, &str, &str)] = &[
    ("confirmAssertions", "refused", "the samples are confirmed"),
    ("withdrawClaim", "not_allowed", "the claim is another's"),
    ("verifyControlChallenge", "conflict", "no proof is published"),
    ("createTestKey", "not_found", "this registry has no sandbox"),
    ("nameContractor", "invalid_body", "the only organization in reach is the developer itself"),
    ("offerTransfer", "refused", "the only organization in reach holds it already"),
    ("acceptLink", "refused", "both sides have assented"),
    ("giveMandate", "refused", "the only organization in reach is the principal"),
    ("offerMembership", "refused", "the same"),
    ("acceptMembership", "not_allowed", "the side that offered does not accept"),
    ("reinstateOrganization", "refused", "it is not suspended"),
    ("verifyOrganization", "refused", "it is verified"),
    ("approveProposal", "not_allowed", "who proposed it does not approve it"),
    ("acceptTransfer", "not_allowed", "it was offered to another"),
    ("amendWork", "precondition_failed", "the example's tag is of another entry"),
    ("makeClaim", "not_allowed", "an outsider claims"),
    ("assertHolding", "refused", "the only organization in reach holds it"),
    ("linkLayer", "refused", "the only work in reach is the work itself"),
    ("linkPart", "refused", "the same"),
    ("mergeWork", "refused", "the same"),
    ("copyRoster", "refused", "the same"),
    ("signIn", "invalid_credentials", "nobody has the address"),
    ("refreshSession", "invalid_credentials", "nobody has the token"),
    ("setPassword", "invalid_credentials", "the same"),
    ("completeRegistration", "invalid_credentials", "the same"),
    ("issueToken", "invalid_client", "nobody has the secret"),
    ("revokeToken", "invalid_client", "the same"),
    ("introspectToken", "invalid_client", "the same"),
    ("openInquiry", "refused", "the only organization in reach is no auditor"),
    ("changePassword", "not_allowed", "an API key changes no password"),
    ("changePolicy", "conflict", "there is one admin"),
    ("offerSecondFactor", "not_allowed", "nor a second factor"),
    ("confirmSecondFactor", "not_allowed", "the same"),
    ("removeSecondFactor", "not_allowed", "the same"),
    ("beginSignIn", "not_found", "the settings name no provider"),
    ("completeSignIn", "invalid_credentials", "the same"),
    ("linkIdentity", "not_allowed", "an API key links nothing"),
    ("removeIdentity", "not_allowed", "nor removes"),
];

/// Whose example it is: the registrar's two persons, an auditor, or the one whose things the samples are.
fn rightful<'a>(
    example: &ExampleRequest,
    stage: &'a Stage,
    auditor: &'a Actor,
    samples: &'a Samples,
) -> &'a Actor {
    // The sample of a proposal is one of the registrar's.
    if example.operation.path.starts_with("/v1/proposals/") {
        return &stage.registrar;
    }
    // That of an inquiry is another auditor's.
    if example.operation.path.starts_with("/v1/inquiries/") {
        return &samples.auditor;
    }
    match example.operation.access.as_str() {
        "registrar" | "auditor|registrar" => &stage.registrar,
        "auditor" | "auditor|investigator" => auditor,
        _ => &samples.victim,
    }
}

both!(every_example_is_carried_out_for_whoever_may, async |world: World| {
    let stage = world.stage().await;
    let auditor = stage.auditor().await;
    let mut refused = Vec::new();
    let mut samples = Samples::new(&stage).await;
    for example in Contract::shared().example_requests() {
        let id = example.operation.id.as_str();
        let who = rightful(&example, &stage, &auditor, &samples);
        let size = stage.log_size().await;
        let answer = attempt(&who.client, &example, &samples).await;
        let done = match NOT_NOW.iter().find(|(other, _, _)| *other == id) {
            Some((_, code, _)) => !answer.status.is_success() && answer.problem() == *code,
            None => answer.status.is_success(),
        };
        if !done {
            let body = String::from_utf8_lossy(&answer.body);
            refused.push(format!("{id} {}: {} {body}", example.name, answer.status));
        }
        // What was done may stand in the way of the next: each act has things of its own.
        if example.operation.method != "GET" && stage.log_size().await != size {
            samples = Samples::new(&stage).await;
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    let met: Vec<_> = Contract::shared().example_requests().into_iter().map(|it| it.operation.id).collect();
    for (id, ..) in NOT_NOW {
        assert!(met.iter().any(|met| met == id), "`{id}` is no operation with an example");
    }
});

#[test]
fn what_is_open_to_all_exists_and_has_a_reason() {
    let operations = Contract::shared().operations();
    for (open, why) in OPEN {
        assert!(operations.iter().any(|operation| operation.id == *open), "`{open}` is no operation");
        assert!(!why.is_empty());
    }
    for operation in &operations {
        let known = |access: &str| matches!(access, "public" | "own" | "any") || ROLES.contains(&access);
        assert!(operation.access.split('|').all(known), "{operation:?}");
    }
}

/// What is submitted is believed, so only the registry's own functions, which take a proof of authority, submit.
#[test]
fn the_floors_above_submit_nothing_themselves() {
    fn walk(folder: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                // Checks go through `check_by`, which takes the proof of a developer.
                if [".submit(", "Submission", ".check(", "checks::Check,"].iter().any(|it| text.contains(it))
                {
                    found.push(path.display().to_string());
                }
            }
        }
    }
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for floor in ["http", "web", "cli"].map(|floor| source.join(floor)) {
        if floor.exists() {
            walk(&floor, &mut found);
        }
    }
    assert!(found.is_empty(), "{found:?}");
    walk(&source.join("registry"), &mut found);
    assert!(!found.is_empty(), "the search finds nothing at all");
}
