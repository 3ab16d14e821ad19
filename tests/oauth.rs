//! Programs sign in, with a secret or a key of their own, and are told what their tokens are.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{Method, Request};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use ed25519_dalek::{Signer, SigningKey};
use kyodaku::http::{App, routes};
use kyodaku::registry::Registry;
use serde_json::{Value, json};

use crate::world::actors::{Actor, Stage, fresh_key};
use crate::world::client::{Answer, Client};
use crate::world::people::{PASSWORD, identity_of};
use crate::world::{World, both};

const ISSUER: &str = "http://127.0.0.1:8080";
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

async fn post(client: &Client, path: &str, basic: Option<&str>, form: &[(&str, &str)]) -> Answer {
    let request = Request::builder().method(Method::POST).uri(path);
    let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let request = match basic {
        Some(pair) => request.header(AUTHORIZATION, format!("Basic {}", BASE64.encode(pair.as_bytes()))),
        None => request,
    };
    client.send(request.body(Body::from(serde_urlencoded::to_string(form).unwrap())).unwrap()).await
}

/// The pair in the header, the form, and the error.
type Case<'a> = (Option<String>, Vec<(&'a str, &'a str)>, &'a str);
/// What is done to a header and to claims, at this second.
type Change = fn(&mut Value, &mut Value, i64);

/// A program of a developer: the id and the secret of a key with these scopes.
async fn program(actor: &Actor, scopes: &[&str]) -> (String, String) {
    let made: Value = actor.post("/v1/keys", &json!({ "label": "program", "scopes": scopes })).await.json();
    let text = |name: &str| made["key"][name].as_str().unwrap().to_owned();
    (text("key"), text("secret"))
}

async fn token(stage: &Stage, (id, secret): &(String, String), scope: Option<&str>) -> Answer {
    let mut form = vec![("grant_type", "client_credentials")];
    form.extend(scope.map(|scope| ("scope", scope)));
    post(&stage.nobody, "/oauth/token", Some(&format!("{id}:{secret}")), &form).await
}

fn access(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json::<Value>()["access_token"].as_str().unwrap().to_owned()
}

async fn scopes_of(client: &Client) -> Value {
    client.get("/v1/me").await.json::<Value>()["scopes"].clone()
}

both!(a_program_gets_a_token_with_no_more_than_its_key_has, async |world: World| {
    let stage = world.stage().await;
    let developer = stage.developer("Kagami Labs").await;
    let program = program(&developer, &["read", "check"]).await;
    let all = token(&stage, &program, None).await;
    assert_eq!(
        (all.json::<Value>()["scope"].clone(), all.json::<Value>()["expires_in"].clone()),
        (json!("read check"), json!(600))
    );
    assert_eq!(all.headers["cache-control"], "no-store");
    assert_eq!(scopes_of(&stage.nobody.with_key(&access(&all))).await, json!(["read", "check"]));
    let read = stage.nobody.with_key(&access(&token(&stage, &program, Some("read")).await));
    assert_eq!(scopes_of(&read).await, json!(["read"]));
    let me: Value = read.get("/v1/me").await.json();
    assert_eq!((&me["key"], &me["organization"]), (&json!(program.0), &json!(developer.org)));
    // A token gives no token, and no key with more than it has.
    let wider =
        read.json("POST", "/v1/keys", &json!({ "label": "wider" }), &[("idempotency-key", "k")]).await;
    assert_eq!(wider.problem(), "scope_required");
    for bad in ["works:write", "read organization", "nothing", "read  check"] {
        let refused = token(&stage, &program, Some(bad)).await;
        assert_eq!((refused.status.as_u16(), refused.problem()), (400, "invalid_scope".to_owned()), "{bad}");
    }
    // Some libraries encode more than others.
    let encoded = program.0.replace('_', "%5F") + ":" + &program.1.replace('_', "%5f");
    let form = [("grant_type", "client_credentials")];
    assert_eq!(post(&stage.nobody, "/oauth/token", Some(&encoded), &form).await.status, 200);
    // By fields in place of the header.
    let form =
        [("grant_type", "client_credentials"), ("client_id", &program.0), ("client_secret", &program.1)];
    assert_eq!(post(&stage.nobody, "/oauth/token", None, &form).await.status, 200);
    // Ten minutes, and not one more.
    stage.clock().advance(Duration::from_mins(10));
    assert_eq!(read.get("/v1/me").await.status, 401);
});

both!(a_token_ends_with_its_key_its_organization_and_when_it_is_revoked, async |world: World| {
    let stage = world.stage().await;
    let developer = stage.developer("Kagami Labs").await;
    let key = program(&developer, &["read", "check"]).await;
    let tokens = [access(&token(&stage, &key, None).await), access(&token(&stage, &key, None).await)];
    let clients = tokens.clone().map(|token| stage.nobody.with_key(&token));
    // Another node has seen both, and remembers that their signatures are good.
    let other = Registry::open(world.settings("b"), stage.clock().clone()).await.unwrap();
    let other = Client::new(routes::router(&App::new(other), routes::table()));
    let there = tokens.clone().map(|token| other.with_key(&token));
    for client in clients.iter().chain(&there) {
        assert_eq!(client.get("/v1/me").await.status, 200);
    }
    let pair = format!("{}:{}", key.0, key.1);
    for _ in 0..2 {
        let revoked = post(&stage.nobody, "/oauth/revoke", Some(&pair), &[("token", &tokens[0])]).await;
        assert_eq!(revoked.status, 200, "{revoked:?}");
    }
    for client in [&clients[0], &there[0]] {
        assert_eq!(client.get("/v1/me").await.problem(), "invalid_credentials");
    }
    assert_eq!(post(&stage.nobody, "/oauth/revoke", Some(&pair), &[("token", "no token")]).await.status, 200);
    // Suspended, it may nothing; when its key is revoked, nobody is asking.
    assert_eq!(clients[1].get("/v1/works").await.status, 200);
    stage.state(&developer, "suspend").await;
    assert_eq!(there[1].get("/v1/works").await.problem(), "not_verified");
    let gone = stage.registrar.delete(&format!("/v1/keys/{}", key.0)).await;
    assert_eq!(gone.status, 200, "{gone:?}");
    for client in [&clients[1], &there[1]] {
        assert_eq!(client.get("/v1/me").await.status, 401);
    }
    assert_eq!(token(&stage, &key, None).await.problem(), "invalid_client");
});

both!(a_token_is_told_to_its_own_organization_alone, async |world: World| {
    let stage = world.stage().await;
    let (one, other) = (stage.developer("Kagami Labs").await, stage.developer("Kumo Trading").await);
    let (mine, theirs) = (program(&one, &["read"]).await, program(&other, &["read"]).await);
    let issued = access(&token(&stage, &mine, None).await);
    let ask = async |(id, secret): &(String, String), token: &str| -> Value {
        let pair = format!("{id}:{secret}");
        post(&stage.nobody, "/oauth/introspect", Some(&pair), &[("token", token)]).await.json()
    };
    let told = ask(&mine, &issued).await;
    assert_eq!(
        (&told["active"], &told["scope"], &told["client_id"], &told["sub"], &told["iss"]),
        (&json!(true), &json!("read"), &json!(mine.0), &json!(mine.0), &json!(ISSUER))
    );
    assert_eq!(ask(&theirs, &issued).await, json!({ "active": false }));
    assert_eq!(ask(&mine, "nonsense").await, json!({ "active": false }));
    // Nor does another end it.
    let pair = format!("{}:{}", theirs.0, theirs.1);
    let refused = post(&stage.nobody, "/oauth/revoke", Some(&pair), &[("token", &issued)]).await;
    assert_eq!(refused.problem(), "unauthorized_client");
    assert_eq!(ask(&mine, &issued).await["active"], json!(true));
});

both!(who_does_not_prove_itself_gets_nothing, async |world: World| {
    let stage = world.stage().await;
    let (one, other) = (stage.developer("Kagami Labs").await, stage.developer("Kumo Trading").await);
    let (mine, theirs) = (program(&one, &["read"]).await, program(&other, &["read"]).await);
    let grant = ("grant_type", "client_credentials");
    let cases: [Case<'_>; 9] = [
        (None, vec![grant], "invalid_client"),
        (Some(format!("{}:{}", mine.0, theirs.1)), vec![grant], "invalid_client"),
        (Some(format!("{}:kyo_live_nonsense", mine.0)), vec![grant], "invalid_client"),
        (Some("nonsense".to_owned()), vec![grant], "invalid_client"),
        (Some(format!("{}:{}", mine.0, mine.1)), vec![grant, ("client_secret", &mine.1)], "invalid_request"),
        (Some(format!("{}:{}", mine.0, mine.1)), vec![grant, ("client_id", &theirs.0)], "invalid_request"),
        (Some(format!("{}:{}", mine.0, mine.1)), vec![grant, grant], "invalid_request"),
        (Some(format!("{}:{}", mine.0, mine.1)), vec![], "invalid_request"),
        (Some(format!("{}:{}", mine.0, mine.1)), vec![("grant_type", "password")], "unsupported_grant_type"),
    ];
    for (basic, form, error) in cases {
        let refused = post(&stage.nobody, "/oauth/token", basic.as_deref(), &form).await;
        assert_eq!(refused.problem(), error, "{form:?}");
        assert_eq!(refused.status == 401, error == "invalid_client");
        assert_eq!(refused.headers.contains_key(WWW_AUTHENTICATE), error == "invalid_client");
    }
    // JSON is no form.
    let refused = stage.nobody.json("POST", "/oauth/token", &json!({ "grant_type": "x" }), &[]).await;
    assert_eq!(refused.status, 415);
});

/// A program with a key of its own.
struct Signing {
    id: String,
    key: SigningKey,
    now_s: i64,
}

impl Signing {
    async fn new(stage: &Stage, actor: &Actor, seed: u8) -> Self {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let made = actor.post("/v1/keys", &registration(&key)).await;
        assert_eq!(made.status, 201, "{made:?}");
        let told: Value = made.json();
        assert_eq!(told["key"]["secret"], Value::Null);
        let id = told["key"]["key"].as_str().unwrap().to_owned();
        Self { id, key, now_s: stage.clock().now_ms() / 1_000 }
    }

    /// A statement, after this was done to its header and its claims.
    fn statement(&self, change: impl FnOnce(&mut Value, &mut Value)) -> String {
        let mut header = json!({ "alg": "EdDSA", "typ": "JWT" });
        let mut claims = json!({
            "iss": self.id, "sub": self.id, "aud": ISSUER, "exp": self.now_s + 60, "iat": self.now_s,
            "jti": "one of its kind", "more": "is passed over",
        });
        change(&mut header, &mut claims);
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let signed = format!("{}.{}", part(&header), part(&claims));
        format!("{signed}.{}", BASE64URL_NOPAD.encode(&self.key.sign(signed.as_bytes()).to_bytes()))
    }

    async fn token(&self, stage: &Stage, statement: &str) -> Answer {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", JWT_BEARER),
            ("client_assertion", statement),
        ];
        post(&stage.nobody, "/oauth/token", None, &form).await
    }
}

fn registration(key: &SigningKey) -> Value {
    let x = BASE64URL_NOPAD.encode(key.verifying_key().as_bytes());
    json!({ "label": "signing", "scopes": ["read"], "public_key": { "kty": "OKP", "crv": "Ed25519", "x": x } })
}

both!(a_program_with_a_key_of_its_own_signs_once_for_each_token, async |world: World| {
    let stage = world.stage().await;
    let developer = stage.developer("Kagami Labs").await;
    let signing = Signing::new(&stage, &developer, 1).await;
    let statement = signing.statement(|_, _| {});
    let issued = signing.token(&stage, &statement).await;
    assert_eq!(scopes_of(&stage.nobody.with_key(&access(&issued))).await, json!(["read"]));
    assert_eq!(signing.token(&stage, &statement).await.problem(), "invalid_client", "shown twice");
    let again = signing.statement(|_, claims| {
        claims["jti"] = json!("another");
        claims["aud"] = json!(format!("{ISSUER}/oauth/token"));
    });
    assert_eq!(signing.token(&stage, &again).await.status, 200);
    let both = signing.statement(|_, claims| {
        claims["jti"] = json!("both names");
        claims["aud"] = json!([ISSUER, format!("{ISSUER}/oauth/token")]);
    });
    assert_eq!(signing.token(&stage, &both).await.status, 200);

    let changes: [(&str, Change); 12] = [
        ("none", |header, _, _| header["alg"] = json!("none")),
        ("hmac", |header, _, _| header["alg"] = json!("HS256")),
        ("crit", |header, _, _| header["crit"] = json!(["exp"])),
        ("iss", |_, claims, _| claims["iss"] = json!("key_01h455vb4pex5vsknk084sn02q")),
        ("aud", |_, claims, _| claims["aud"] = json!("https://other.example")),
        ("aud list", |_, claims, _| claims["aud"] = json!([ISSUER, "https://other.example"])),
        ("no aud", |_, claims, _| _ = claims.as_object_mut().unwrap().remove("aud")),
        ("over", |_, claims, now| claims["exp"] = json!(now)),
        ("long", |_, claims, now| claims["exp"] = json!(now + 7_200)),
        ("early", |_, claims, now| claims["nbf"] = json!(now + 60)),
        ("no jti", |_, claims, _| _ = claims.as_object_mut().unwrap().remove("jti")),
        ("empty jti", |_, claims, _| claims["jti"] = json!("")),
    ];
    for (what, change) in changes {
        let statement = signing.statement(|header, claims| {
            claims["jti"] = json!(what);
            change(header, claims, signing.now_s);
        });
        assert_eq!(signing.token(&stage, &statement).await.problem(), "invalid_client", "{what}");
    }
    // Another's signature under this one's name, and its own name as another client.
    let stranger =
        Signing { id: signing.id.clone(), key: SigningKey::from_bytes(&[9; 32]), now_s: signing.now_s };
    let forged = stranger.statement(|_, claims| claims["jti"] = json!("forged"));
    assert_eq!(signing.token(&stage, &forged).await.problem(), "invalid_client");
    let secret = program(&stage.developer("Kumo Trading").await, &["read"]).await;
    let of_secret = Signing { id: secret.0, key: SigningKey::from_bytes(&[0; 32]), now_s: signing.now_s };
    let statement = of_secret.statement(|_, _| {});
    assert_eq!(signing.token(&stage, &statement).await.problem(), "invalid_client");

    // The public key is no secret: whoever knows it is nobody.
    let x = BASE64URL_NOPAD.encode(signing.key.verifying_key().as_bytes());
    let form = [("grant_type", "client_credentials"), ("client_id", &signing.id), ("client_secret", &x)];
    assert_eq!(post(&stage.nobody, "/oauth/token", None, &form).await.problem(), "invalid_client");
    // Another registers it too, and can't sign with it; its private half never.
    let other = stage.developer("Kumo Trading").await;
    let same = other.post("/v1/keys", &registration(&signing.key)).await;
    assert_eq!(same.status, 201, "{same:?}");
    let mut leaked = registration(&SigningKey::from_bytes(&[2; 32]));
    leaked["public_key"]["d"] = json!("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
    let refused = other.post("/v1/keys", &leaked).await;
    assert_eq!((refused.status.as_u16(), refused.problem()), (422, "invalid_body".to_owned()));
    assert!(!String::from_utf8_lossy(&refused.body).contains("nWGxne"));
});

both!(what_is_said_of_the_endpoints_is_so, async |world: World| {
    let stage = world.stage().await;
    let told: Value = stage.nobody.get("/.well-known/oauth-authorization-server").await.json();
    assert_eq!(
        (&told["issuer"], &told["token_endpoint"]),
        (&json!(ISSUER), &json!(format!("{ISSUER}/oauth/token")))
    );
    let keys: Value = stage.nobody.get("/oauth/jwks").await.json();
    // Any library can verify a token with them.
    let developer = stage.developer("Kagami Labs").await;
    let token = access(&token(&stage, &program(&developer, &["read"]).await, None).await);
    let parts: Vec<&str> = token.split('.').collect();
    let header: Value =
        serde_json::from_slice(&BASE64URL_NOPAD.decode(parts[0].as_bytes()).unwrap()).unwrap();
    let key = &keys["keys"][0];
    assert_eq!((&header["kid"], &header["typ"]), (&key["kid"], &json!("at+jwt")));
    let x: [u8; 32] =
        BASE64URL_NOPAD.decode(key["x"].as_str().unwrap().as_bytes()).unwrap().try_into().unwrap();
    let public = ed25519_dalek::VerifyingKey::from_bytes(&x).unwrap();
    let signature = BASE64URL_NOPAD.decode(parts[2].as_bytes()).unwrap();
    let signature = ed25519_dalek::Signature::from_slice(&signature).unwrap();
    public.verify_strict(format!("{}.{}", parts[0], parts[1]).as_bytes(), &signature).unwrap();
});

both!(that_a_token_was_issued_is_on_the_trail_of_whose_program_it_is, async |world: World| {
    let stage = world.stage().await;
    let developer = stage.developer("Kagami Labs").await;
    let key = program(&developer, &["read"]).await;
    access(&token(&stage, &key, None).await);
    let page: Value = developer.get("/v1/security-events").await.json();
    let issued = page["items"].as_array().unwrap().iter().find(|event| event["operation"] == "issueToken");
    let issued = issued.unwrap_or_else(|| panic!("{page}"));
    assert_eq!(
        (&issued["status"], &issued["person"], &issued["credential"]),
        (&json!(200), &json!(developer.person), &json!(key.0))
    );
});

both!(a_token_leaves_nothing_behind_that_outlives_it, async |world: World| {
    let stage = world.stage().await;
    let (admin, other) = (stage.developer("Kagami Labs").await, stage.developer("Kumo Trading").await);
    let puppet = json!({ "label": "puppet", "role": "admin" });
    let added: Value = admin.post("/v1/people", &puppet).await.json();
    let invite = |person: &Value| format!("/v1/people/{}/invitations", person.as_str().unwrap());
    let (own, theirs) = (invite(&json!(admin.person)), invite(&added["person"]));
    let key = program(&admin, &["read", "permissions:write", "check", "organization", "approve"]).await;
    let removed = format!("/v1/identities/{}", identity_of(&stage, &admin).await);
    let email = json!({ "email": "x@kumo.example" });
    let linked = json!({ "sign_in": format!("kyo_signin_{}", "0".repeat(32)), "state": "q3v", "code": "c0de",
        "password": PASSWORD });
    let contractor = json!({ "organization": other.org });
    let policy = async |client: &Client, second_person: bool| {
        client.json("PUT", "/v1/policy", &json!({ "second_person": second_person }), &[]).await
    };
    // Everything that lets somebody in, or speak for the organization, when the token is over.
    let left = [
        ("POST", "/v1/keys", json!({ "label": "longer" })),
        ("POST", "/v1/keys", json!({ "label": "longer", "person": added["person"] })),
        ("POST", "/v1/keys", registration(&SigningKey::from_bytes(&[3; 32]))),
        ("POST", "/v1/people", puppet),
        ("POST", "/v1/people", json!({ "label": "puppet", "role": "admin", "key": { "label": "puppet" } })),
        ("POST", own.as_str(), email.clone()),
        ("POST", theirs.as_str(), email.clone()),
        ("POST", "/v1/contractors", contractor.clone()),
        ("PUT", "/v1/password", json!({ "current": PASSWORD, "new": PASSWORD })),
        ("POST", "/v1/second-factor", json!({ "password": PASSWORD })),
        ("POST", "/v1/second-factor/confirm", json!({ "code": "287082" })),
        ("POST", "/v1/second-factor/remove", json!({ "password": PASSWORD, "code": "287082" })),
        ("POST", "/v1/identities", linked),
        ("DELETE", removed.as_str(), json!({})),
    ];
    for scope in [None, Some("organization")] {
        let client = stage.nobody.with_key(&access(&token(&stage, &key, scope).await));
        for (method, path, body) in &left {
            let refused = client.json(method, path, body, &[("idempotency-key", &fresh_key())]).await;
            assert_eq!(
                (refused.status.as_u16(), refused.problem()),
                (403, "not_allowed".to_owned()),
                "{path}"
            );
        }
        assert_eq!(policy(&client, false).await.problem(), "not_allowed");
    }
    // With the key itself it is done, as far as a key may at all.
    for (path, body, status) in
        [(&*own, &email, 202), (&theirs, &email, 202), ("/v1/contractors", &contractor, 201)]
    {
        assert_eq!(admin.post(path, body).await.status, status, "{path}");
    }
    assert_eq!(policy(&admin.client, true).await.status, 200);
    let client = stage.nobody.with_key(&access(&token(&stage, &key, None).await));
    assert_eq!(policy(&client, false).await.problem(), "not_allowed");
    assert_eq!(admin.get("/v1/policy").await.json::<Value>()["off_asked_by"], Value::Null);
    // Nor does the registrar's bring in the first person of another.
    let key = program(&stage.registrar, &["read", "register", "organization"]).await;
    let client = stage.nobody.with_key(&access(&token(&stage, &key, None).await));
    let register = async |person: Option<Value>| {
        let mut body = json!({ "name": "Tsukimi Film", "roles": ["rights_holder"] });
        if let Some(person) = person {
            body["person"] = person;
        }
        client.json("POST", "/v1/organizations", &body, &[("idempotency-key", &fresh_key())]).await
    };
    let first = json!({ "label": "first", "key": { "label": "first" } });
    assert_eq!(register(Some(first)).await.problem(), "not_allowed");
    let registered: Value = register(None).await.json();
    let puppet = json!({ "organization": registered["organization"], "label": "first", "role": "admin" });
    let added = client.json("POST", "/v1/people", &puppet, &[("idempotency-key", &fresh_key())]).await;
    assert_eq!(added.problem(), "not_allowed");
    assert_eq!(stage.registrar.post("/v1/people", &puppet).await.status, 201);
});

both!(a_token_for_something_else_sees_no_sessions, async |world: World| {
    let stage = world.stage().await;
    let admin = stage.holder("Hoshikuzu Press").await;
    let key = program(&admin, &["read", "organization"]).await;
    // Whoever reads the mail may all that the person may: nor does a key for a part of it lead there.
    let part = stage.nobody.with_key(&key.1);
    let path = format!("/v1/people/{}/invitations", admin.person);
    let email = json!({ "email": "x@kumo.example" });
    let invited = part.json("POST", &path, &email, &[("idempotency-key", "k")]).await;
    assert_eq!(invited.problem(), "not_allowed");
    // Nor does it look at sessions, or end them, when it is for something else.
    let reader = stage.nobody.with_key(&access(&token(&stage, &key, Some("read")).await));
    assert_eq!(reader.get("/v1/sessions").await.problem(), "not_allowed");
    let session = crate::world::people::session_of(&stage, &admin).await;
    let request = reader.request(Method::DELETE, &format!("/v1/sessions/{session}"));
    assert_eq!(reader.send(request.body(Body::empty()).unwrap()).await.problem(), "not_allowed");
});
