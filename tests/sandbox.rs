//! The sandbox: nothing in it is real, nothing of it is good elsewhere, and its works always answer the same.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, Request};
use kyodaku::http::App;
use kyodaku::http::sandbox::faces;
use kyodaku::registry::sandbox;
use kyodaku::registry::sandbox::magic::{UNAVAILABLE, WORKS, address, content, work};
use serde_json::{Value, json};

use crate::world::actors::{Actor, Stage, fresh_key};
use crate::world::client::{Answer, Client};
use crate::world::{World, both};

/// A stage whose node has a sandbox, on a database of the same kind.
async fn stage(world: &World, beside: &World) -> Stage {
    stage_of(world, beside, 1_024).await
}

/// The same, where the sandbox may have so many MiB.
async fn stage_of(world: &World, beside: &World, most_mib: u64) -> Stage {
    let mut stage = world.stage().await;
    let settings = stage.registry.settings().clone();
    let sandbox = sandbox::open(&settings, &beside.url, world.clock.clone()).await.unwrap();
    stage.router = faces(&App::new(stage.registry.clone()).beside(sandbox, most_mib));
    stage.nobody = Client::new(stage.router.clone());
    for actor in [&mut stage.registrar, &mut stage.second] {
        actor.client = stage.nobody.with_key(&actor.key);
    }
    stage
}

async fn test_key(stage: &Stage, actor: &Actor) -> (Value, Client) {
    let made = actor.post("/v1/test-keys", &json!({ "label": "trying" })).await;
    assert_eq!(made.status, 201, "{made:?}");
    let key = made.json::<Value>()["key"].clone();
    let secret = key["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("kyo_test_"), "{secret}");
    (key, stage.nobody.with_key(&secret))
}

async fn ask(client: &Client, uses: &[&str], items: Value) -> Answer {
    let body = json!({ "context": { "uses": uses }, "items": items });
    client.json("POST", "/v1/checks", &body, &[]).await
}

fn first_reason(item: &Value) -> Value {
    match &item["verdict"] {
        verdict if verdict == "permitted" => json!("granted"),
        _ => item["uses"][0]["reasons"][0]["code"].clone(),
    }
}

both!(its_works_always_answer_the_same, async |world: World| {
    let beside = World::new(world.engine).await;
    let stage = stage(&world, &beside).await;
    let developer = stage.developer("Kasane Labs").await;
    let (_, client) = test_key(&stage, &developer).await;
    // The grant that has ended ends ten seconds after the sandbox was made.
    stage.clock().advance(std::time::Duration::from_secs(10));
    let by_address: Vec<Value> = WORKS.iter().map(|magic| json!({ "url": address(magic.name) })).collect();
    let by_content: Vec<Value> = WORKS.iter().map(|magic| json!({ "sha256": content(magic.name) })).collect();
    let by_id: Vec<Value> = WORKS.iter().map(|magic| json!({ "work": work(magic.name).unwrap() })).collect();
    for items in [by_address, by_content, by_id] {
        let answer = ask(&client, &["train.generative"], items.into()).await;
        assert_eq!(answer.headers["kyodaku-sandbox"], "true");
        let told: Value = answer.json();
        let reasons: Vec<Value> = told["items"].as_array().unwrap().iter().map(first_reason).collect();
        assert_eq!(reasons, WORKS.map(|magic| json!(magic.answer)));
        assert!(told["journal"]["origin"].as_str().unwrap().contains("/sandbox/checks/"), "{told}");
    }
    let search = ask(&client, &["search"], json!([{ "url": address("search-only") }])).await;
    assert_eq!(search.json::<Value>()["items"][0]["verdict"], "permitted");
    let opted_out = ask(&client, &["search"], json!([{ "url": address("opted-out") }])).await;
    assert_eq!(opted_out.json::<Value>()["items"][0]["notes"][0]["code"], "opt_out_recorded");
    let unknown = ask(&client, &["search"], json!([{ "url": address("unknown") }])).await;
    assert_eq!(first_reason(&unknown.json::<Value>()["items"][0]), "not_registered");
    // An outage on demand: the whole check has no answer.
    let both = json!([{ "url": address("granted") }, { "url": address(UNAVAILABLE) }]);
    let outage = ask(&client, &["search"], both.clone()).await;
    assert_eq!(outage.status, 503);
    assert!(outage.headers.contains_key("retry-after"));
    // The real registry knows nothing of all that.
    let real = ask(&developer.client, &["train.generative"], both).await;
    assert!(!real.headers.contains_key("kyodaku-sandbox"));
    for item in real.json::<Value>()["items"].as_array().unwrap() {
        assert_eq!(first_reason(item), "not_registered");
    }
    // It is made once.
    let settings = stage.registry.settings().clone();
    let again = sandbox::open(&settings, &beside.url, world.clock.clone()).await.unwrap();
    let size = again.head().await.unwrap().0.size();
    let once_more = sandbox::open(&settings, &beside.url, world.clock.clone()).await.unwrap();
    assert_eq!(once_more.head().await.unwrap().0.size(), size);
});

both!(what_is_done_in_it_is_done_nowhere_else, async |world: World| {
    let beside = World::new(world.engine).await;
    let stage = stage(&world, &beside).await;
    // Whoever is not verified yet may try all the same.
    let holder = stage.unverified().await;
    assert_eq!(holder.get("/v1/works").await.problem(), "not_verified");
    let (key, client) = test_key(&stage, &holder).await;
    let size = stage.log_size().await;
    let me: Value = client.get("/v1/me").await.json();
    assert_eq!((&me["organization"], &me["person"]), (&json!(holder.org), &json!(holder.person)));
    assert_eq!((&me["state"], &me["key"]), (&json!("verified"), &key["key"]));
    let registration = crate::world::works::registration("Hoshikuzu", &[&holder]);
    let made = client.json("POST", "/v1/works", &registration, &[("idempotency-key", &fresh_key())]).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(stage.log_size().await, size);
    let path = format!("/v1/works/{}", made.json::<Value>()["work"].as_str().unwrap());
    assert_eq!(client.get(&path).await.status, 200);
    assert_eq!(stage.registrar.get(&path).await.status, 404);
    // Nobody learns there who else tries, and nothing leaves it: no mail, and no look at a host.
    let seen: Value = client.get("/v1/organizations").await.json();
    assert!(!seen.to_string().contains("Mikakunin"), "{seen}");
    let colleague = json!({ "label": "colleague", "role": "editor" });
    let colleague = client.json("POST", "/v1/people", &colleague, &[("idempotency-key", "person")]).await;
    let invitation =
        format!("/v1/people/{}/invitations", colleague.json::<Value>()["person"].as_str().unwrap());
    let mail = json!({ "email": "somebody@elsewhere.example" });
    let invited = client.json("POST", &invitation, &mail, &[("idempotency-key", "mail")]).await;
    assert_eq!(invited.status, 202, "{invited:?}");
    assert!(!world.folder.path().join("data/sandbox/mail").exists());
    // A person has two keys at a time.
    let (_, second) = test_key(&stage, &holder).await;
    assert_eq!(second.get(&path).await.status, 200);
    let third = holder.post("/v1/test-keys", &json!({ "label": "third" })).await;
    assert_eq!((third.status.as_u16(), third.problem()), (409, "conflict".to_owned()));
    // The sandbox makes no keys of the real registry, and has no sandbox of its own.
    let inner =
        client.json("POST", "/v1/test-keys", &json!({ "label": "x" }), &[("idempotency-key", "k")]).await;
    assert_eq!(inner.status, 404);
    let wide = json!({ "label": "wide", "scopes": ["register"] });
    let refused = holder.post("/v1/test-keys", &wide).await;
    assert_eq!(refused.json::<Value>()["errors"][0]["pointer"], "/scopes");
    // A repetition gets the answer without the secret.
    let other = stage.developer("Kasane Labs").await;
    let once = fresh_key();
    let first: Value = other.post_once("/v1/test-keys", &json!({ "label": "a" }), &once).await.json();
    let again: Value = other.post_once("/v1/test-keys", &json!({ "label": "a" }), &once).await.json();
    assert_eq!((&again["key"]["key"], again["key"].get("secret")), (&first["key"]["key"], None));
});

both!(who_is_out_of_the_real_registry_is_out_of_the_sandbox, async |world: World| {
    let beside = World::new(world.engine).await;
    let stage = stage(&world, &beside).await;
    let holder = stage.holder("Hoshikuzu Press").await;
    let added = holder
        .post("/v1/people", &json!({ "label": "second", "role": "editor", "key": { "label": "k" } }))
        .await;
    assert_eq!(added.status, 201, "{added:?}");
    let added: Value = added.json();
    let second = Actor {
        org: holder.org.clone(),
        person: added["person"].as_str().unwrap().to_owned(),
        key: added["key"]["secret"].as_str().unwrap().to_owned(),
        client: stage.nobody.with_key(added["key"]["secret"].as_str().unwrap()),
    };
    let (_, of_holder) = test_key(&stage, &holder).await;
    let (_, of_second) = test_key(&stage, &second).await;
    for client in [&of_holder, &of_second] {
        assert_eq!(client.get("/v1/works").await.status, 200);
    }
    assert_eq!(holder.delete(&format!("/v1/people/{}", second.person)).await.status, 200);
    for uri in ["/v1/me", "/v1/works"] {
        let gone = of_second.get(uri).await;
        assert_eq!((gone.status.as_u16(), gone.problem()), (401, "invalid_credentials".to_owned()));
        assert_eq!(gone.headers["kyodaku-sandbox"], "true");
    }
    assert_eq!(of_holder.get("/v1/works").await.status, 200);
    stage.state(&holder, "suspend").await;
    let suspended = of_holder.get("/v1/works").await;
    assert_eq!((suspended.status.as_u16(), suspended.problem()), (403, "not_verified".to_owned()));
    stage.state(&holder, "reinstate").await;
    assert_eq!(of_holder.get("/v1/works").await.status, 200);
});

both!(a_full_sandbox_takes_nothing_more_and_the_real_registry_goes_on, async |world: World| {
    let beside = World::new(world.engine).await;
    let stage = stage_of(&world, &beside, 0).await;
    let holder = stage.holder("Hoshikuzu Press").await;
    let (key, client) = test_key(&stage, &holder).await;
    let registration = crate::world::works::registration("星屑", &[&holder]);
    let trying = Actor { client, ..holder.clone() };
    let full = trying.post("/v1/works", &registration).await;
    assert_eq!((full.status.as_u16(), full.problem()), (503, "unavailable".to_owned()));
    assert!(full.json::<Value>()["detail"].as_str().unwrap().contains("full"), "{full:?}");
    assert_eq!(full.headers["retry-after"], "3600");
    // What is there can be read, and a key ended.
    assert_eq!(trying.get("/v1/works").await.status, 200);
    assert_eq!(holder.post("/v1/works", &registration).await.status, 201);
    let gone = trying.delete(&format!("/v1/keys/{}", key["key"].as_str().unwrap())).await;
    assert!(gone.status.is_success(), "{gone:?}");
});

both!(a_key_or_token_of_one_registry_is_nothing_in_the_other, async |world: World| {
    let beside = World::new(world.engine).await;
    let stage = stage(&world, &beside).await;
    let developer = stage.developer("Kasane Labs").await;
    let (key, client) = test_key(&stage, &developer).await;
    // Without a sandbox, a key of one is nobody's; without the real registry, so is a real one.
    let alone = Client::new(kyodaku::http::routes::router(
        &App::new(stage.registry.clone()),
        kyodaku::http::routes::table(),
    ));
    let secret = key["secret"].as_str().unwrap();
    assert_eq!(alone.with_key(secret).get("/v1/me").await.problem(), "invalid_credentials");
    assert_eq!(
        alone
            .with_key(&developer.key)
            .json("POST", "/v1/test-keys", &json!({ "label": "x" }), &[("idempotency-key", "k")])
            .await
            .status,
        404
    );
    // Tokens too: each is good where its key is.
    let token = async |id: &str, secret: &str| {
        let form = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
        let request = Request::builder().method(Method::POST).uri("/oauth/token");
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let body = Body::from(serde_urlencoded::to_string(form).unwrap());
        stage.nobody.send(request.body(body).unwrap()).await
    };
    let issued = token(key["key"].as_str().unwrap(), secret).await;
    assert_eq!(issued.status, 200, "{issued:?}");
    let test = issued.json::<Value>()["access_token"].as_str().unwrap().to_owned();
    let own: Value = developer.get("/v1/me").await.json();
    let real = token(own["key"].as_str().unwrap(), &developer.key).await.json::<Value>()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    for (token, is_test) in [(&test, true), (&real, false)] {
        let answer = stage.nobody.with_key(token).get("/v1/me").await;
        assert_eq!((answer.status.as_u16(), answer.headers.contains_key("kyodaku-sandbox")), (200, is_test));
    }
    assert_eq!(alone.with_key(&test).get("/v1/me").await.status, 401);
    // A token makes no key, which would outlive it.
    let longer = json!({ "label": "longer" });
    let program = stage.nobody.with_key(&real);
    let longer = program.json("POST", "/v1/test-keys", &longer, &[("idempotency-key", "l")]).await;
    assert_eq!(longer.problem(), "not_allowed");
    // Nobody's header makes a real token one of the sandbox, or the other way round.
    let (header, rest) = test.split_once('.').unwrap();
    let (real_header, real_rest) = real.split_once('.').unwrap();
    for forged in [format!("{real_header}.{rest}"), format!("{header}.{real_rest}")] {
        assert_eq!(stage.nobody.with_key(&forged).get("/v1/me").await.status, 401);
    }
    assert_eq!(client.get("/v1/me").await.status, 200);
});

both!(no_cache_takes_its_logs_for_those_of_the_real_one, async |world: World| {
    let beside = World::new(world.engine).await;
    let stage = stage(&world, &beside).await;
    let developer = stage.developer("Kasane Labs").await;
    let (_, client) = test_key(&stage, &developer).await;
    let tile = "/logs/acts/tile/0/000.p/1";
    let (real, test) = (stage.nobody.get(tile).await, client.get(tile).await);
    assert_eq!((real.status.as_u16(), test.status.as_u16()), (200, 200));
    assert_ne!(real.body, test.body);
    assert_eq!(real.headers["cache-control"], "public, max-age=31536000, immutable");
    assert_eq!(test.headers["cache-control"], "no-store");
    for answer in [real, test] {
        assert_eq!(answer.headers["vary"], "authorization");
    }
});
