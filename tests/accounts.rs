//! Organizations, people, keys and models, through the face for machines.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use kyodaku::registry::bootstrap::restore_access;
use serde_json::{Value, json};

use crate::world::actors::fresh_key;
use crate::world::{World, both};

both!(a_registrar_is_made_once_and_gets_a_second_person, async |world: World| {
    let stage = world.stage().await;
    assert_eq!(stage.registrar.org, stage.second.org);
    assert_ne!(stage.registrar.person, stage.second.person);
    // The log began with two entries; three made the registrar, one added the second person.
    assert_eq!(stage.log_size().await, 6);
    let me: Value = stage.registrar.get("/v1/me").await.json();
    assert_eq!(me["roles"], json!(["registrar"]));
    assert_eq!(
        me["scopes"],
        json!(["read", "works:write", "register", "organization", "approve", "inquire"])
    );
    assert_eq!((&me["state"], &me["role"]), (&json!("verified"), &json!("admin")));
});

both!(an_organization_acts_once_it_is_verified_and_not_while_suspended, async |world: World| {
    let stage = world.stage().await;
    let labs = stage.registered("Kasane Labs", &["ai_developer"]).await;
    let me: Value = labs.get("/v1/me").await.json();
    assert_eq!((&me["organization"], &me["state"]), (&json!(labs.org), &json!("registered")));
    assert_eq!(labs.post("/v1/models", &json!({ "name": "Kasane 1" })).await.problem(), "not_verified");
    assert_eq!(labs.get("/v1/organizations").await.problem(), "not_verified");

    stage.state(&labs, "verify").await;
    let model = labs.model("Kasane 1").await;
    stage.state(&labs, "suspend").await;
    assert_eq!(labs.get("/v1/me").await.json::<Value>()["state"], "suspended");
    assert_eq!(labs.post("/v1/models", &json!({ "name": "Kasane 2" })).await.problem(), "not_verified");
    stage.state(&labs, "reinstate").await;
    let retired = labs.post(&format!("/v1/models/{model}/retire"), &json!({})).await;
    assert_eq!(retired.status, 200, "{retired:?}");
    assert_eq!(labs.get(&format!("/v1/models/{model}")).await.json::<Value>()["state"], "retired");

    let again = format!("/v1/organizations/{}/verify", labs.org);
    let again = stage.registrar.post(&again, &json!({ "note": "again" })).await;
    assert_eq!((again.status.as_u16(), again.problem()), (422, "refused".to_owned()));
});

both!(a_secret_is_shown_once_and_the_rest_of_the_answer_again, async |world: World| {
    let stage = world.stage().await;
    let key = fresh_key();
    let person = json!({ "label": "Sato", "key": { "label": "first" } });
    let body = json!({ "name": "Hoshikuzu Press", "roles": ["rights_holder"], "person": person });
    let first = stage.registrar.post_once("/v1/organizations", &body, &key).await;
    let size = stage.log_size().await;
    let again = stage.registrar.post_once("/v1/organizations", &body, &key).await;
    assert_eq!((first.status, again.status), (again.status, first.status));
    assert_eq!(first.headers["location"], again.headers["location"]);
    assert_eq!(first.headers["etag"], again.headers["etag"]);
    let (mut told, repeated): (Value, Value) = (first.json(), again.json());
    let secret = told["key"].as_object_mut().unwrap().remove("secret").expect("shown at first");
    assert_eq!(told, repeated);
    assert_eq!(stage.log_size().await, size);
    let other = json!({ "name": "Another", "roles": ["rights_holder"] });
    let reused = stage.registrar.post_once("/v1/organizations", &other, &key).await;
    assert_eq!(reused.problem(), "idempotency_key_reused");

    let verify = format!("/v1/organizations/{}/verify", told["organization"].as_str().unwrap());
    assert_eq!(stage.registrar.post(&verify, &json!({ "note": "seen" })).await.status, 200);
    let holder = stage.nobody.with_key(secret.as_str().unwrap());
    let made = holder.json("POST", "/v1/keys", &json!({ "label": "b" }), &[("idempotency-key", "one")]).await;
    let same = holder.json("POST", "/v1/keys", &json!({ "label": "b" }), &[("idempotency-key", "one")]).await;
    assert_eq!((made.status.as_u16(), same.status.as_u16()), (201, 201));
    let (made, same): (Value, Value) = (made.json(), same.json());
    assert_eq!(made["key"]["key"], same["key"]["key"]);
    assert!(made["key"]["secret"].is_string() && same["key"].get("secret").is_none());
    // No secret stands in any list.
    let listed = holder.get("/v1/keys").await;
    let text = String::from_utf8(listed.body.to_vec()).unwrap();
    assert_eq!(listed.json::<Value>()["items"].as_array().unwrap().len(), 2);
    assert!(!text.contains("secret") && !text.contains(secret.as_str().unwrap()), "{text}");
});

both!(no_read_that_many_share_lets_a_revoked_key_in, async |world: World| {
    let stage = world.stage().await;
    let holder = stage.holder("Hoshikuzu Press").await;
    for _ in 0..5 {
        let reader = holder.with_scopes(&["read", "organization"]).await;
        let listed: Value = reader.get("/v1/keys").await.json();
        let is_it = |key: &&Value| key["label"] == "other" && key["revoked"].is_null();
        let id = listed["items"].as_array().unwrap().iter().find(is_it).unwrap()["key"].clone();
        let is_over = AtomicBool::new(false);
        let ask = async || {
            loop {
                // What is asked once the revocation was acknowledged must see it; before that, it may or may not.
                let late = is_over.load(Ordering::SeqCst);
                let answer = reader.get("/v1/me").await;
                if late {
                    return answer.problem();
                }
            }
        };
        let revoke = async {
            let revoked = holder.delete(&format!("/v1/keys/{}", id.as_str().unwrap())).await;
            is_over.store(true, Ordering::SeqCst);
            assert_eq!(revoked.status, 200, "{revoked:?}");
        };
        let (told, ()) = futures_util::join!(join_all((0..16).map(|_| ask())), revoke);
        assert!(told.iter().all(|problem| problem == "invalid_credentials"), "{told:?}");
    }
});

both!(keys_are_few_narrow_short_lived_and_end_at_once, async |world: World| {
    let stage = world.stage().await;
    let holder = stage.holder("Hoshikuzu Press").await;
    let reader = holder.with_scopes(&["read", "organization"]).await;
    let third = holder.post("/v1/keys", &json!({ "label": "third" })).await;
    assert_eq!((third.status.as_u16(), third.problem()), (409, "conflict".to_owned()));
    // Nobody gives what its own key does not have, nor what the roles have no use for.
    for (who, scope) in [(&reader, "works:write"), (&holder, "check"), (&holder, "register")] {
        let wider = who.post("/v1/keys", &json!({ "label": "wider", "scopes": [scope] })).await;
        assert_eq!((wider.status.as_u16(), wider.problem()), (422, "invalid_body".to_owned()), "{scope}");
    }
    let listed: Value = reader.get("/v1/keys").await.json();
    let other = listed["items"].as_array().unwrap().iter().find(|key| key["label"] == "other").unwrap();
    let id = other["key"].as_str().unwrap();
    let revoked: Value = holder.delete(&format!("/v1/keys/{id}")).await.json();
    assert_eq!(revoked["revoked"], "2025-10-27T00:00:00Z");
    assert_eq!(reader.get("/v1/me").await.problem(), "invalid_credentials");
    assert_eq!(holder.delete(&format!("/v1/keys/{id}")).await.json::<Value>()["revoked"], revoked["revoked"]);

    let short = json!({ "label": "short", "expires_in_days": 1 });
    let short: Value = holder.post("/v1/keys", &short).await.json();
    assert_eq!(short["key"]["expires"], "2025-10-28T00:00:00Z");
    let short = stage.nobody.with_key(short["key"]["secret"].as_str().unwrap());
    stage.clock().advance(std::time::Duration::from_secs(24 * 3600 - 1));
    assert_eq!(short.get("/v1/me").await.status, 200);
    stage.clock().advance(std::time::Duration::from_secs(1));
    assert_eq!(short.get("/v1/me").await.problem(), "invalid_credentials");
    for bad in [json!({ "label": "x", "expires_in_days": 366 }), json!({ "label": "x", "scopes": [] })] {
        assert_eq!(holder.post("/v1/keys", &bad).await.problem(), "invalid_body");
    }
});

both!(people_come_and_go_with_their_keys, async |world: World| {
    let stage = world.stage().await;
    let admin = stage.holder("Hoshikuzu Press").await;
    let body = json!({ "label": "Tanaka", "role": "editor", "key": { "label": "laptop" } });
    let added: Value = admin.post("/v1/people", &body).await.json();
    let tanaka = stage.nobody.with_key(added["key"]["secret"].as_str().unwrap());
    let me: Value = tanaka.get("/v1/me").await.json();
    assert_eq!((&me["person"], &me["role"]), (&added["person"], &json!("editor")));

    // A member manages itself alone.
    let more = json!({ "label": "x", "role": "admin" });
    let refused = tanaka.json("POST", "/v1/people", &more, &[("idempotency-key", "k")]).await;
    assert_eq!((refused.status.as_u16(), refused.problem()), (403, "not_allowed".to_owned()));
    assert_eq!(tanaka.get("/v1/keys").await.json::<Value>()["items"].as_array().unwrap().len(), 1);
    assert_eq!(admin.get("/v1/keys").await.json::<Value>()["items"].as_array().unwrap().len(), 2);

    let path = format!("/v1/people/{}", added["person"].as_str().unwrap());
    let stranger = stage.stranger().await;
    assert_eq!(stranger.delete(&path).await.status, 404);
    assert_eq!(admin.delete(&format!("/v1/people/{}", admin.person)).await.problem(), "conflict");
    assert_eq!(admin.delete(&path).await.status, 200);
    assert_eq!(tanaka.get("/v1/me").await.problem(), "invalid_credentials");
    assert_eq!(admin.delete(&path).await.status, 404);

    // The registrar lets nobody into an organization that has people: whoever is in can act as it. Who runs the machine can.
    let rescue =
        json!({ "organization": admin.org, "label": "Ito", "role": "admin", "key": { "label": "new" } });
    let refused = stage.registrar.post("/v1/people", &rescue).await;
    assert_eq!((refused.status.as_u16(), refused.problem()), (403, "not_allowed".to_owned()));
    let invite = format!("/v1/people/{}/invitations", admin.person);
    let invited = stage.registrar.post(&invite, &json!({ "email": "registrar@registry.example" })).await;
    assert_eq!(invited.problem(), "not_allowed");
    assert_eq!(stranger.post("/v1/people", &rescue).await.status, 404);
    let restored = restore_access(&stage.registry, admin.org.parse().unwrap(), "Ito").await.unwrap();
    let ito = stage.nobody.with_key(restored.secret.expose());
    assert_eq!(ito.get("/v1/me").await.json::<Value>()["organization"], admin.org);
});

both!(the_registrar_opens_the_door_to_nobody_but_the_first, async |world: World| {
    let stage = world.stage().await;
    let email = json!({ "email": "registrar@registry.example" });
    let invite =
        async |person: &str| stage.registrar.post(&format!("/v1/people/{person}/invitations"), &email).await;
    // The only person, who has a key: whoever reads the mail would act as the holder.
    let holder = stage.holder("Hoshikuzu Press").await;
    assert_eq!(invite(&holder.person).await.problem(), "not_allowed");
    // One that nobody has access to yet.
    let body = json!({ "name": "Tsukimi Film", "roles": ["rights_holder"], "person": { "label": "first" } });
    let made: Value = stage.registrar.post("/v1/organizations", &body).await.json();
    assert_eq!(invite(made["person"].as_str().unwrap()).await.status, 202);
    // Nor does one of the registrar become its own second.
    assert_eq!(invite(&stage.second.person).await.problem(), "not_allowed");
    let key = json!({ "person": stage.second.person, "label": "theirs" });
    assert_eq!(stage.registrar.post("/v1/keys", &key).await.problem(), "not_allowed");
    let puppet = json!({ "label": "puppet", "role": "admin", "key": { "label": "puppet" } });
    assert_eq!(stage.registrar.post("/v1/people", &puppet).await.problem(), "not_allowed");
    assert_eq!(invite(&stage.registrar.person).await.status, 202);
});

both!(a_key_gives_nobody_more_than_it_has, async |world: World| {
    let stage = world.stage().await;
    let admin = stage.holder("Hoshikuzu Press").await;
    let narrow = admin.with_scopes(&["organization"]).await;
    let person = json!({ "label": "Tanaka", "role": "editor", "key": { "label": "laptop" } });
    let added: Value = narrow.post("/v1/people", &person).await.json();
    assert_eq!(added["key"]["scopes"], json!(["organization"]));
    let wider =
        json!({ "label": "x", "role": "admin", "key": { "label": "y", "scopes": ["permissions:write"] } });
    let refused: Value = narrow.post("/v1/people", &wider).await.json();
    assert_eq!(refused["errors"][0]["code"], "scope_not_givable");
});

both!(who_sees_which_organizations_and_models, async |world: World| {
    let stage = world.stage().await;
    let (holder, hidden) = (stage.holder("Hoshikuzu Press").await, stage.unverified().await);
    let auditor = stage.auditor().await;
    let ids = async |who: &crate::world::actors::Actor, uri: &str| {
        let page: Value = who.get(uri).await.json();
        page["items"].as_array().unwrap().iter().map(|org| org["organization"].clone()).collect::<Vec<_>>()
    };
    assert!(!ids(&holder, "/v1/organizations?state=registered").await.contains(&json!(hidden.org)));
    assert_eq!(ids(&auditor, "/v1/organizations?state=registered").await, [json!(hidden.org)]);
    let path = format!("/v1/organizations/{}", hidden.org);
    assert_eq!(holder.get(&path).await.status, 404);
    assert_eq!(auditor.get(&path).await.status, 200);
    let first: Value = auditor.get("/v1/organizations?limit=2").await.json();
    let next = first["next"].as_str().unwrap();
    let rest: Value = auditor.get(&format!("/v1/organizations?limit=2&cursor={next}")).await.json();
    assert_eq!(rest["items"].as_array().unwrap().len(), 2);
    assert_eq!(rest["next"], Value::Null);
    assert_eq!(
        auditor.get(&format!("/v1/organizations?state=verified&cursor={next}")).await.problem(),
        "invalid_cursor"
    );

    let labs = stage.developer("Kasane Labs").await;
    let model = labs.model("Kasane 1").await;
    let seen: Value = holder.get(&format!("/v1/models?developer={}", labs.org)).await.json();
    assert_eq!(seen["items"][0]["model"], json!(model));
    let retire = format!("/v1/models/{model}/retire");
    assert_eq!(stage.developer("Others").await.post(&retire, &json!({})).await.status, 404);
});

both!(the_use_of_a_key_is_noted_to_the_minute, async |world: World| {
    let stage = world.stage().await;
    let holder = stage.holder("Hoshikuzu Press").await;
    holder.get("/v1/me").await;
    // The note is written beside the answer; a later read shows it.
    let noted = async {
        while holder.get("/v1/keys").await.json::<Value>()["items"][0]["last_used"] != "2025-10-27T00:00:00Z"
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), noted).await.expect("the use is noted");
});
