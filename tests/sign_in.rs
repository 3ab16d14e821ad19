//! People are invited, sign in, stay signed in, and stop.

pub(crate) mod factor;
mod fake;
mod provider;
mod registration;
mod single;

use std::time::Duration;

use kyodaku::registry::sign_in::token::LIFE_S;
use serde_json::{Value, json};

use crate::world::people::{PASSWORD, SignedIn, mails, session_of};
use crate::world::{World, both};

const HANAKO: &str = "Hanako@hoshikuzu.example";

both!(an_invited_person_signs_in_and_does_what_the_role_allows, async |world: World| {
    let stage = world.stage().await;
    let admin = stage.holder("Hoshikuzu Press").await;
    let person = stage.invited(&admin, "editor", HANAKO).await;
    // However the address is written.
    let hanako = stage.signed_in("hanako@HOSHIKUZU.example").await;
    assert_eq!(hanako.person, person);
    let me: Value = hanako.client.get("/v1/me").await.json();
    assert_eq!(
        (&me["role"], &me["key"], &me["session"]),
        (&json!("editor"), &json!(null), &json!(hanako.session))
    );
    assert_eq!(me["scopes"], json!(["read", "works:write", "permissions:write", "organization", "approve"]));
    let body = crate::world::works::registration("星屑", &[&admin]);
    let headers = [("idempotency-key", "by-session")];
    let made = hanako.client.json("POST", "/v1/works", &body, &headers).await;
    assert_eq!(made.status, 201, "{made:?}");
    // The person stands in the log, the address nowhere in it.
    let entries = kyodaku::store::entries::read(
        stage.registry.db(),
        kyodaku::store::heads::ACTS,
        0..stage.log_size().await,
    )
    .await
    .unwrap();
    let text: String =
        entries.iter().map(|entry| String::from_utf8_lossy(&entry.bytes).into_owned()).collect();
    assert!(text.contains(&person) && !text.to_lowercase().contains("hanako"), "{text}");

    let viewer = stage.invited(&admin, "viewer", "viewer@hoshikuzu.example").await;
    let viewer_in = stage.signed_in("viewer@hoshikuzu.example").await;
    assert_eq!(viewer_in.client.get("/v1/me").await.json::<Value>()["scopes"], json!(["read"]));
    assert_eq!(viewer_in.client.get("/v1/works").await.status, 200);
    let refused = viewer_in.client.json("POST", "/v1/works", &body, &[("idempotency-key", "viewer")]).await;
    assert_eq!(refused.problem(), "scope_required");
    // Nor has a viewer's key more than the viewer.
    let wider = json!({ "person": viewer, "label": "wider", "scopes": ["works:write"] });
    let key: Value = admin.post("/v1/keys", &wider).await.json();
    let wider = stage.nobody.with_key(key["key"]["secret"].as_str().unwrap());
    assert_eq!(wider.get("/v1/me").await.json::<Value>()["scopes"], json!([]));
});

both!(an_invitation_is_for_whom_it_was_mailed_to_and_good_once, async |world: World| {
    let stage = world.stage().await;
    let (admin, other) = (stage.holder("Hoshikuzu Press").await, stage.holder("Tsukimi").await);
    let added: Value = admin.post("/v1/people", &json!({ "label": "Hanako", "role": "editor" })).await.json();
    let person = added["person"].as_str().unwrap();
    let path = format!("/v1/people/{person}/invitations");
    let body = json!({ "email": HANAKO });
    assert_eq!(other.post(&path, &body).await.problem(), "not_found");
    for bad in ["", "hanako", "a@b@c", "hanako@example.com\r\nBcc: x@y.example", "はなこ @例.example"] {
        let refused = admin.post(&path, &json!({ "email": bad })).await;
        assert_eq!(refused.status, 422, "{bad} {refused:?}");
        assert_eq!(refused.problem(), "invalid_body", "{bad}");
    }
    let first = admin.post_once(&path, &body, "invite").await;
    assert_eq!(first.status, 202, "{first:?}");
    let token = stage.mailed_token(HANAKO).await;
    // Repeated, it is answered and not mailed again; asked again, the first token is void.
    assert_eq!(admin.post_once(&path, &body, "invite").await.body, first.body);
    assert_eq!(admin.post(&path, &body).await.status, 202);
    let second = stage.mailed_token(HANAKO).await;
    assert!(mails(&stage.registry).is_empty());
    assert_eq!(stage.set_password(&token, PASSWORD).await.problem(), "invalid_credentials");
    // What is not good enough does not spend it.
    for bad in ["short", "passwordpassword1", "hoshikuzu press hoshikuzu"] {
        let refused = stage.set_password(&second, bad).await;
        assert_eq!((refused.status.as_u16(), refused.problem()), (422, "invalid_body".to_owned()), "{bad}");
        assert!(!String::from_utf8_lossy(&refused.body).contains(bad));
    }
    stage.clock().advance(Duration::from_hours(7 * 24));
    assert_eq!(stage.set_password(&second, PASSWORD).await.problem(), "invalid_credentials");
    assert_eq!(admin.post(&path, &body).await.status, 202);
    let third = stage.mailed_token(HANAKO).await;
    assert_eq!(stage.set_password(&third, PASSWORD).await.status, 200);
    assert_eq!(stage.set_password(&third, PASSWORD).await.problem(), "invalid_credentials");
    assert_eq!(admin.post(&path, &body).await.problem(), "conflict");
    // Nobody else gets to sign in with an address that is in use.
    let added: Value = other.post("/v1/people", &json!({ "label": "x", "role": "editor" })).await.json();
    let path = format!("/v1/people/{}/invitations", added["person"].as_str().unwrap());
    assert_eq!(other.post(&path, &json!({ "email": HANAKO.to_uppercase() })).await.status, 202);
    let token = stage.mailed_token(&HANAKO.to_uppercase()).await;
    assert_eq!(stage.set_password(&token, PASSWORD).await.problem(), "conflict");
});

both!(a_wrong_password_and_an_unknown_address_are_answered_alike, async |world: World| {
    let stage = world.stage().await;
    let admin = stage.holder("Hoshikuzu Press").await;
    stage.invited(&admin, "editor", HANAKO).await;
    let without_id = |answer: &crate::world::client::Answer| {
        let mut body: Value = answer.json();
        body.as_object_mut().unwrap().remove("request_id");
        (answer.status, body)
    };
    let wrong = stage.sign_in(HANAKO, "correct staple kiosk umbrellas").await;
    let unknown = stage.sign_in("nobody@hoshikuzu.example", PASSWORD).await;
    assert_eq!(without_id(&wrong), without_id(&unknown));
    assert_eq!((wrong.status.as_u16(), wrong.problem()), (401, "invalid_credentials".to_owned()));
    let long = "長".repeat(1_024);
    assert_eq!(stage.sign_in(HANAKO, &long).await.problem(), "invalid_credentials");
    // Ten tries at once; nine more have the right password or not, it makes no difference to the count.
    for _ in 0..8 {
        assert_eq!(stage.sign_in(HANAKO, "wrong").await.status, 401);
    }
    let refused = stage.sign_in(HANAKO, PASSWORD).await;
    assert_eq!((refused.status.as_u16(), refused.problem()), (429, "too_many_requests".to_owned()));
    assert_eq!(refused.headers["retry-after"], "31");
    stage.clock().advance(Duration::from_secs(30));
    assert_eq!(stage.sign_in(HANAKO, PASSWORD).await.status, 201);
});

both!(a_session_lives_by_its_refresh_tokens_each_good_once, async |world: World| {
    let stage = world.stage().await;
    let admin = stage.holder("Hoshikuzu Press").await;
    stage.invited(&admin, "editor", HANAKO).await;
    let first = stage.signed_in(HANAKO).await;
    stage.clock().advance(Duration::from_secs(LIFE_S.unsigned_abs() - 1));
    assert_eq!(first.client.get("/v1/me").await.status, 200);
    stage.clock().advance(Duration::from_secs(1));
    assert_eq!(first.client.get("/v1/me").await.problem(), "invalid_credentials");
    let second = SignedIn::of(&stage, &stage.refresh(&first.refresh).await.json());
    assert_eq!((&second.session, &second.person), (&first.session, &first.person));
    assert_eq!(second.client.get("/v1/me").await.status, 200);
    // The thief comes second: what the owner has ends too.
    let other = stage.signed_in(HANAKO).await;
    assert_eq!(stage.refresh(&first.refresh).await.problem(), "invalid_credentials");
    assert_eq!(second.client.get("/v1/me").await.problem(), "invalid_credentials");
    assert_eq!(stage.refresh(&second.refresh).await.problem(), "invalid_credentials");
    // Another sign-in is another family.
    let mut last = SignedIn::of(&stage, &stage.refresh(&other.refresh).await.json());
    // It is over after 14 days without use, and after 90 in any case.
    for _ in 0..6 {
        stage.clock().advance(Duration::from_hours(13 * 24));
        last = SignedIn::of(&stage, &stage.refresh(&last.refresh).await.json());
    }
    stage.clock().advance(Duration::from_hours(12 * 24));
    assert_eq!(stage.refresh(&last.refresh).await.problem(), "invalid_credentials");
    let idle = stage.signed_in(HANAKO).await;
    stage.clock().advance(Duration::from_hours(14 * 24));
    assert_eq!(stage.refresh(&idle.refresh).await.problem(), "invalid_credentials");
    for bad in ["", "kyo_refresh_", &format!("kyo_refresh_{}", "0".repeat(64))] {
        let refused = stage.refresh(bad).await;
        assert!(matches!(refused.problem().as_str(), "invalid_credentials" | "invalid_body"), "{bad}");
    }
    stage.clock().advance(Duration::from_hours(31 * 24));
    assert!(stage.registry.purge_sign_ins().await.unwrap() >= 3);
});

both!(of_two_who_refresh_at_once_one_goes_on_at_most, async |world: World| {
    let stage = world.stage().await;
    let admin = stage.holder("Hoshikuzu Press").await;
    stage.invited(&admin, "editor", HANAKO).await;
    let session = stage.signed_in(HANAKO).await;
    let tries = (0..8).map(|_| stage.refresh(&session.refresh));
    let answers = futures_util::future::join_all(tries).await;
    let good: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(good.len(), 1, "{answers:?}");
    // All others showed a spent one, so the session is over.
    let last = SignedIn::of(&stage, &good[0].json());
    assert_eq!(last.client.get("/v1/me").await.problem(), "invalid_credentials");
});

both!(sessions_are_listed_and_end_at_once, async |world: World| {
    let stage = world.stage().await;
    let admin = stage.holder("Hoshikuzu Press").await;
    stage.invited(&admin, "editor", HANAKO).await;
    let one = stage.signed_in(HANAKO).await;
    stage.clock().advance(Duration::from_secs(1));
    let two = stage.signed_in(HANAKO).await;
    let listed: Value = one.client.get("/v1/sessions").await.json();
    let current: Vec<_> = listed["items"].as_array().unwrap().iter().map(|item| &item["current"]).collect();
    assert_eq!(current, [&json!(true), &json!(false)]);
    assert_eq!(listed["items"][0]["client"], "story/1");
    // Another's session is none of the caller's, whoever asks.
    let others = session_of(&stage, &admin).await;
    let end = async |who: &SignedIn, session: &str| {
        who.client.json("DELETE", &format!("/v1/sessions/{session}"), &json!({}), &[]).await
    };
    assert_eq!(end(&one, &others).await.problem(), "not_found");
    assert_eq!(end(&one, &two.session).await.status, 204);
    assert_eq!(end(&one, &two.session).await.status, 204);
    assert_eq!(two.client.get("/v1/me").await.problem(), "invalid_credentials");
    assert_eq!(stage.refresh(&two.refresh).await.problem(), "invalid_credentials");
    assert_eq!(one.client.get("/v1/sessions").await.json::<Value>()["items"].as_array().unwrap().len(), 1);
    // The 21st ends the one that was used the longest ago.
    for _ in 0..20 {
        stage.clock().advance(Duration::from_secs(30));
        stage.signed_in(HANAKO).await;
    }
    assert_eq!(one.client.get("/v1/me").await.problem(), "invalid_credentials");
});

both!(a_changed_password_ends_other_sessions_and_what_was_mailed, async |world: World| {
    let stage = world.stage().await;
    let admin = stage.holder("Hoshikuzu Press").await;
    stage.invited(&admin, "admin", HANAKO).await;
    let (one, two) = (stage.signed_in(HANAKO).await, stage.signed_in(HANAKO).await);
    let forget = json!({ "email": HANAKO });
    assert_eq!(stage.nobody.json("POST", "/v1/password-resets", &forget, &[]).await.status, 202);
    let token = stage.mailed_token(HANAKO).await;
    let change = async |current: &str, new: &str| {
        one.client.json("PUT", "/v1/password", &json!({ "current": current, "new": new }), &[]).await
    };
    let new = "seven lanterns over a quiet harbour";
    let wrong: Value = change("wrong", new).await.json();
    assert_eq!(
        (&wrong["errors"][0]["pointer"], &wrong["errors"][0]["code"]),
        (&json!("/current"), &json!("wrong_password"))
    );
    let weak: Value = change(PASSWORD, "hanako@hoshikuzu.example").await.json();
    assert_eq!(
        (&weak["errors"][0]["pointer"], &weak["errors"][0]["code"]),
        (&json!("/new"), &json!("guessable"))
    );
    assert_eq!(change(PASSWORD, new).await.status, 204);
    assert_eq!(one.client.get("/v1/me").await.status, 200);
    assert_eq!(two.client.get("/v1/me").await.problem(), "invalid_credentials");
    assert_eq!(stage.set_password(&token, PASSWORD).await.problem(), "invalid_credentials");
    assert_eq!(stage.sign_in(HANAKO, PASSWORD).await.status, 401);
    assert_eq!(stage.sign_in(HANAKO, new).await.status, 201);
    // A key that was stolen does not become a password.
    let by_key = admin.send("PUT", "/v1/password", &json!({ "current": new, "new": PASSWORD }), &[]).await;
    assert_eq!(by_key.problem(), "not_allowed");
});

both!(a_forgotten_password_is_reset_by_mail_and_the_answer_tells_nothing, async |world: World| {
    let stage = world.stage().await;
    let admin = stage.holder("Hoshikuzu Press").await;
    stage.invited(&admin, "editor", HANAKO).await;
    let session = stage.signed_in(HANAKO).await;
    let forget = async |email: &str| {
        stage.nobody.json("POST", "/v1/password-resets", &json!({ "email": email }), &[]).await
    };
    let (known, unknown) =
        (forget("HANAKO@hoshikuzu.example").await, forget("nobody@hoshikuzu.example").await);
    assert_eq!((known.status, &known.body), (unknown.status, &unknown.body));
    let token = stage.mailed_token(HANAKO).await;
    // Whoever asks in her name neither voids her token nor floods her mailbox.
    for _ in 0..5 {
        assert_eq!(forget(HANAKO).await.status, 202);
    }
    stage.mailed_token(HANAKO).await;
    stage.mailed_token(HANAKO).await;
    let new = "seven lanterns over a quiet harbour";
    assert_eq!(stage.set_password(&token, new).await.status, 200);
    assert_eq!(session.client.get("/v1/me").await.problem(), "invalid_credentials");
    assert_eq!(stage.sign_in(HANAKO, new).await.status, 201);
    assert!(mails(&stage.registry).is_empty());
    stage.clock().advance(Duration::from_hours(1));
    assert_eq!(forget(HANAKO).await.status, 202);
    let token = stage.mailed_token(HANAKO).await;
    stage.clock().advance(Duration::from_hours(1));
    assert_eq!(stage.set_password(&token, PASSWORD).await.problem(), "invalid_credentials");
});

both!(removal_and_suspension_end_what_people_have, async |world: World| {
    let stage = world.stage().await;
    let admin = stage.holder("Hoshikuzu Press").await;
    let person = stage.invited(&admin, "editor", HANAKO).await;
    stage.invited(&admin, "editor", "taro@hoshikuzu.example").await;
    let (hanako, taro) = (stage.signed_in(HANAKO).await, stage.signed_in("taro@hoshikuzu.example").await);
    let forget = json!({ "email": HANAKO });
    assert_eq!(stage.nobody.json("POST", "/v1/password-resets", &forget, &[]).await.status, 202);
    let token = stage.mailed_token(HANAKO).await;
    assert_eq!(admin.delete(&format!("/v1/people/{person}")).await.status, 200);
    assert_eq!(hanako.client.get("/v1/me").await.problem(), "invalid_credentials");
    assert_eq!(stage.refresh(&hanako.refresh).await.problem(), "invalid_credentials");
    assert_eq!(stage.sign_in(HANAKO, PASSWORD).await.status, 401);
    assert_eq!(stage.set_password(&token, PASSWORD).await.problem(), "invalid_credentials");
    // The address is free again.
    stage.invited(&admin, "editor", HANAKO).await;

    stage.state(&admin, "suspend").await;
    assert_eq!(taro.client.get("/v1/me").await.problem(), "invalid_credentials");
    assert_eq!(stage.refresh(&taro.refresh).await.problem(), "invalid_credentials");
    let again = stage.signed_in("taro@hoshikuzu.example").await;
    assert_eq!(again.client.get("/v1/me").await.json::<Value>()["state"], "suspended");
    assert_eq!(again.client.get("/v1/works").await.problem(), "not_verified");
});
