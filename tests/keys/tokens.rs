//! Access tokens over a rotation of the key that signs them.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, Request};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ed25519_dalek::{Signer, SigningKey};
use kyodaku::registry::keys::{self, KeyName};
use serde_json::{Value, json};

use super::{again, proof};
use crate::world::actors::{Actor, Stage};
use crate::world::{World, both};

async fn token(stage: &Stage, program: &(String, String)) -> Option<String> {
    let form =
        [("grant_type", "client_credentials"), ("client_id", &program.0), ("client_secret", &program.1)];
    let request = Request::builder().method(Method::POST).uri("/oauth/token");
    let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let body = Body::from(serde_urlencoded::to_string(form).unwrap());
    let answer = stage.nobody.send(request.body(body).unwrap()).await;
    (answer.status == 200).then(|| answer.json::<Value>()["access_token"].as_str().unwrap().to_owned())
}

async fn status(stage: &Stage, token: &str) -> u16 {
    stage.nobody.with_key(token).get("/v1/me").await.status.as_u16()
}

fn header(token: &str) -> Value {
    serde_json::from_slice(&BASE64URL_NOPAD.decode(token.split('.').next().unwrap().as_bytes()).unwrap())
        .unwrap()
}

/// The token with other times, signed by this key.
fn forged(token: &str, seed: &[u8; 32], iat_s: i64) -> String {
    let mut parts = token.split('.');
    let header = parts.next().unwrap();
    let claims = BASE64URL_NOPAD.decode(parts.next().unwrap().as_bytes()).unwrap();
    let mut claims: Value = serde_json::from_slice(&claims).unwrap();
    claims["iat"] = json!(iat_s);
    claims["nbf"] = json!(iat_s);
    claims["exp"] = json!(iat_s + 600);
    let signed = format!("{header}.{}", BASE64URL_NOPAD.encode(claims.to_string().as_bytes()));
    let signature = SigningKey::from_bytes(seed).sign(signed.as_bytes());
    format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature.to_bytes()))
}

async fn program(developer: &Actor) -> (String, String) {
    let made: Value = developer.post("/v1/keys", &json!({ "label": "program" })).await.json();
    let text = |name: &str| made["key"][name].as_str().unwrap().to_owned();
    (text("key"), text("secret"))
}

async fn kids(stage: &Stage) -> Vec<Value> {
    let jwks = stage.nobody.get("/oauth/jwks").await.json::<Value>();
    jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect()
}

both!(tokens_by_the_old_key_are_honoured_until_they_are_over_and_no_longer, async |world: World| {
    let stage = world.stage().await;
    let developer = stage.developer("Kasane Labs").await;
    let program = program(&developer).await;
    let first = token(&stage, &program).await.unwrap();
    let old = header(&first)["kid"].clone();
    let seed = std::fs::read_to_string(world.settings("a").data_dir.join("token.key")).unwrap();
    let seed: [u8; 32] = HEXLOWER.decode(seed.trim_end().as_bytes()).unwrap().try_into().unwrap();
    assert_eq!(kids(&stage).await, std::slice::from_ref(&old));

    // It is published by a node that was not started again, too; and signs nothing yet.
    keys::prepare(&world.settings("a"), stage.registry.db(), &world.clock, KeyName::Token).await.unwrap();
    let published = kids(&stage).await;
    assert_eq!((published.len(), &published[0]), (2, &old));
    let new = published[1].clone();
    let unready = stage.clone();
    let stage = again(&world, stage).await;
    assert_eq!(kids(&stage).await, published);
    assert_eq!(header(&token(&stage, &program).await.unwrap())["kid"], old);
    assert_eq!(status(&stage, &first).await, 200);

    world.clock.advance(Duration::from_mins(1));
    let last = token(&stage, &program).await.unwrap();
    let by = proof(&stage.registry, &stage.registrar.key).await;
    keys::rotate(&stage.registry, &by, KeyName::Token).await.unwrap();
    let rotated_s = world.clock.now_ms() / 1_000;
    let after = token(&stage, &program).await.unwrap();
    assert_eq!(header(&after)["kid"], new);
    for good in [&first, &last, &after] {
        assert_eq!(status(&stage, good).await, 200);
    }
    // Whoever lacks the new key gives no token, and honours those of the old one.
    assert_eq!((unready.log_size().await > 0, token(&unready, &program).await), (true, None));
    assert_eq!(status(&unready, &last).await, 200);
    // A thief of the old key dates as he likes, and gets no further.
    world.clock.advance(Duration::from_secs(30));
    assert_eq!(status(&stage, &forged(&last, &seed, rotated_s)).await, 200);
    assert_eq!(status(&stage, &forged(&last, &seed, rotated_s + 30)).await, 401);
    assert_eq!(kids(&stage).await, [new.clone(), old.clone()]);
    let stage = again(&world, stage).await;
    assert_eq!(kids(&stage).await, [new.clone(), old]);
    assert_eq!(status(&stage, &last).await, 200);
    world.clock.advance(Duration::from_secs(569));
    assert_eq!(status(&stage, &last).await, 200, "one second is left");
    world.clock.advance(Duration::from_secs(1));
    assert_eq!((status(&stage, &last).await, status(&stage, &after).await), (401, 401));
    assert_eq!(kids(&stage).await, [new]);
    assert_eq!(status(&stage, &forged(&last, &seed, rotated_s + 600)).await, 401);
    assert!(token(&stage, &program).await.is_some());
});

both!(a_key_that_was_taken_away_or_only_prepared_speaks_for_nobody, async |world: World| {
    let stage = world.stage().await;
    let developer = stage.developer("Kasane Labs").await;
    let program = program(&developer).await;
    let data = world.settings("a").data_dir;
    keys::prepare(&world.settings("a"), stage.registry.db(), &world.clock, KeyName::Token).await.unwrap();
    let stage = again(&world, stage).await;
    // Whoever has the prepared key: its name is published already.
    let first = token(&stage, &program).await.unwrap();
    let next = std::fs::read_to_string(data.join("token.next.key")).unwrap();
    let next: [u8; 32] = HEXLOWER.decode(next.trim_end().as_bytes()).unwrap().try_into().unwrap();
    let kid = kids(&stage).await.into_iter().find(|kid| *kid != header(&first)["kid"]).unwrap();
    let header_of_next = json!({ "alg": "EdDSA", "kid": kid, "typ": "at+jwt" }).to_string();
    let (_, claims) = first.split_once('.').unwrap();
    let named = format!("{}.{claims}", BASE64URL_NOPAD.encode(header_of_next.as_bytes()));
    let claims = BASE64URL_NOPAD.decode(claims.split('.').next().unwrap().as_bytes()).unwrap();
    let iat_s = serde_json::from_slice::<Value>(&claims).unwrap()["iat"].as_i64().unwrap();
    let stolen = forged(&named, &next, iat_s);
    assert_eq!((status(&stage, &first).await, status(&stage, &stolen).await), (200, 401));
    // Once an act began it, it speaks.
    let by = proof(&stage.registry, &stage.registrar.key).await;
    keys::rotate(&stage.registry, &by, KeyName::Token).await.unwrap();
    assert_eq!(status(&stage, &stolen).await, 200);
    // It leaked, and was taken away: what it signed is void, though an act began it and none ended it.
    std::fs::remove_file(data.join("token.key")).unwrap();
    let stage = again(&world, stage).await;
    assert_eq!(status(&stage, &stolen).await, 401);
    let fresh = token(&stage, &program).await.unwrap();
    assert_eq!(status(&stage, &fresh).await, 200);
});
