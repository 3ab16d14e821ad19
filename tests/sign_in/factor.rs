//! Second factors: set up, asked for, good once, taken off.

use std::time::Duration;

use data_encoding::BASE32_NOPAD;
use kyodaku::store::{logins, second_factors, sessions};
use serde_json::{Value, json};

use crate::world::actors::Stage;
use crate::world::client::Answer;
use crate::world::people::{PASSWORD, SignedIn, session_in};
use crate::world::{World, both};

const HANAKO: &str = "hanako@hoshikuzu.example";

/// What a device shows that was given this secret.
pub(crate) fn device(stage: &Stage, secret: &str) -> String {
    let secret = BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    let totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
    totp.generate((stage.clock().now_ms() / 1_000).unsigned_abs()).to_string()
}

async fn post(who: &SignedIn, what: &str, body: Value) -> Answer {
    who.client.json("POST", &format!("/v1/second-factor{what}"), &body, &[]).await
}

async fn sign_in(stage: &Stage, email: &str, code: &str) -> Answer {
    let body = json!({ "email": email, "password": PASSWORD, "code": code });
    stage.nobody.json("POST", "/v1/sessions", &body, &[]).await
}

/// Sets a second factor up: its secret, and the codes for a day without the device.
pub(crate) async fn set_up(stage: &Stage, who: &SignedIn) -> (String, Vec<String>) {
    let offered: Value = post(who, "", json!({ "password": PASSWORD })).await.json();
    let secret = offered["secret"].as_str().unwrap().to_owned();
    assert!(offered["address"].as_str().unwrap().contains(&secret));
    let confirmed = post(who, "/confirm", json!({ "code": device(stage, &secret) })).await;
    assert_eq!(confirmed.status, 200, "{confirmed:?}");
    let codes = confirmed.json::<Value>()["recovery_codes"].as_array().unwrap().clone();
    (secret, codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect())
}

both!(a_code_is_asked_for_once_it_is_set_up_and_each_is_good_once, async |world: World| {
    let stage = world.stage().await;
    let admin = stage.holder("Hoshikuzu Press").await;
    stage.invited(&admin, "editor", HANAKO).await;
    let (hanako, other) = (stage.signed_in(HANAKO).await, stage.signed_in(HANAKO).await);
    let wrong: Value = post(&hanako, "", json!({ "password": "wrong" })).await.json();
    assert_eq!(wrong["errors"][0]["code"], "wrong_password");
    assert_eq!(post(&hanako, "/confirm", json!({ "code": "000000" })).await.problem(), "conflict");
    // Offered and not confirmed, it is asked for from nobody, and the next offer takes its place.
    let unused: Value = post(&hanako, "", json!({ "password": PASSWORD })).await.json();
    assert_eq!(stage.sign_in(HANAKO, PASSWORD).await.status, 201);
    let (secret, codes) = set_up(&stage, &hanako).await;
    assert_ne!(unused["secret"], json!(secret));
    assert_eq!(codes.len(), 10);
    assert_eq!(hanako.client.get("/v1/me").await.status, 200);
    assert_eq!(other.client.get("/v1/me").await.problem(), "invalid_credentials");
    assert_eq!(post(&hanako, "", json!({ "password": PASSWORD })).await.problem(), "conflict");

    let missing = stage.sign_in(HANAKO, PASSWORD).await;
    assert_eq!((missing.status.as_u16(), missing.problem()), (401, "code_required".to_owned()));
    assert_eq!(stage.sign_in(HANAKO, "wrong").await.problem(), "invalid_credentials");
    // The code that confirmed it is spent, and so is that of the step before.
    let now = device(&stage, &secret);
    assert_eq!(sign_in(&stage, HANAKO, &now).await.problem(), "invalid_credentials");
    stage.clock().advance(Duration::from_secs(30));
    let next = device(&stage, &secret);
    assert_eq!(sign_in(&stage, HANAKO, &next).await.status, 201);
    assert_eq!(sign_in(&stage, HANAKO, &next).await.problem(), "invalid_credentials");
    assert_eq!(sign_in(&stage, HANAKO, &now).await.problem(), "invalid_credentials");

    // Five tries at codes, from wherever; then those for a day without the device.
    let refused = sign_in(&stage, HANAKO, "123456").await;
    assert_eq!(refused.problem(), "too_many_requests");
    stage.clock().advance(Duration::from_mins(1));
    assert_eq!(sign_in(&stage, HANAKO, &codes[0]).await.status, 201);
    assert_eq!(sign_in(&stage, HANAKO, &codes[0]).await.problem(), "invalid_credentials");
    stage.clock().advance(Duration::from_hours(1));
    assert_eq!(sign_in(&stage, HANAKO, &codes[1].replace('-', "").to_uppercase()).await.status, 201);

    // Another password by mail takes no second factor off.
    let forget = json!({ "email": HANAKO });
    assert_eq!(stage.nobody.json("POST", "/v1/password-resets", &forget, &[]).await.status, 202);
    let token = stage.mailed_token(HANAKO).await;
    assert_eq!(stage.set_password(&token, PASSWORD).await.status, 200);
    assert_eq!(stage.sign_in(HANAKO, PASSWORD).await.problem(), "code_required");
});

both!(no_session_that_begins_meanwhile_goes_without_it, async |world: World| {
    let stage = world.stage().await;
    let admin = stage.holder("Hoshikuzu Press").await;
    let person = stage.invited(&admin, "editor", HANAKO).await;
    let db = stage.registry.db();
    let login = logins::of_person(db, &person).await.unwrap().unwrap();
    // A sign-in that found no second factor waits for the login, which whoever confirms one holds.
    let mut tx = db.begin().await.unwrap();
    assert!(logins::hold(&mut tx, &person, &login.password).await.unwrap());
    let waiting = tokio::spawn({
        let stage = stage.clone();
        async move { stage.sign_in(HANAKO, PASSWORD).await }
    });
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!waiting.is_finished());
    let now_ms = stage.clock().now_ms();
    assert!(second_factors::put(&mut tx, &person, b"sealed", now_ms).await.unwrap());
    assert!(second_factors::confirm(&mut tx, &person, b"sealed", 1, &[], now_ms).await.unwrap());
    tx.commit().await.unwrap();
    let refused = waiting.await.unwrap();
    assert_eq!((refused.status.as_u16(), refused.problem()), (401, "code_required".to_owned()));
});

both!(whoever_confirms_one_waits_for_who_signs_in, async |world: World| {
    let stage = world.stage().await;
    let admin = stage.holder("Hoshikuzu Press").await;
    let person = stage.invited(&admin, "editor", HANAKO).await;
    let hanako = stage.signed_in(HANAKO).await;
    let offered: Value = post(&hanako, "", json!({ "password": PASSWORD })).await.json();
    let code = device(&stage, offered["secret"].as_str().unwrap());
    let db = stage.registry.db();
    let login = logins::of_person(db, &person).await.unwrap().unwrap();
    let mut tx = db.begin().await.unwrap();
    assert!(logins::hold(&mut tx, &person, &login.password).await.unwrap());
    let confirming = tokio::spawn({
        let hanako = hanako.clone();
        async move { post(&hanako, "/confirm", json!({ "code": code })).await }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!confirming.is_finished());
    // The session that begins meanwhile is there before it, and ends with it.
    let other = session_in(&mut tx, &stage, &person, &admin.org).await;
    tx.commit().await.unwrap();
    assert_eq!(confirming.await.unwrap().status, 200);
    assert!(sessions::live(db, &other, stage.clock().now_ms()).await.unwrap().is_none());
    assert!(sessions::live(db, &hanako.session, stage.clock().now_ms()).await.unwrap().is_some());
});

both!(of_two_who_use_a_code_at_once_one_gets_in, async |world: World| {
    let stage = world.stage().await;
    let admin = stage.holder("Hoshikuzu Press").await;
    stage.invited(&admin, "editor", HANAKO).await;
    let (secret, _) = set_up(&stage, &stage.signed_in(HANAKO).await).await;
    stage.clock().advance(Duration::from_hours(1));
    let code = device(&stage, &secret);
    let answers = futures_util::future::join_all((0..4).map(|_| sign_in(&stage, HANAKO, &code))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "{answers:?}");
});

both!(the_registrars_people_do_nothing_by_password_alone, async |world: World| {
    let stage = world.stage().await;
    let registrar = &stage.registrar;
    let email = "clerk@registry.example";
    let invite = format!("/v1/people/{}/invitations", registrar.person);
    assert_eq!(registrar.post(&invite, &json!({ "email": email })).await.status, 202);
    let token = stage.mailed_token(email).await;
    assert_eq!(stage.set_password(&token, PASSWORD).await.status, 200);
    let clerk = stage.signed_in(email).await;
    assert_eq!(clerk.client.get("/v1/me").await.status, 200);
    assert_eq!(clerk.client.get("/v1/queue").await.problem(), "second_factor_required");
    assert_eq!(clerk.client.get("/v1/works").await.problem(), "second_factor_required");
    let (secret, codes) = set_up(&stage, &clerk).await;
    assert_eq!(clerk.client.get("/v1/queue").await.status, 200);
    stage.clock().advance(Duration::from_hours(1));
    let again = SignedIn::of(&stage, &sign_in(&stage, email, &device(&stage, &secret)).await.json());
    assert_eq!(again.client.get("/v1/queue").await.status, 200);
    // It stays so when the session is refreshed, and ends with the second factor.
    let again = SignedIn::of(&stage, &stage.refresh(&again.refresh).await.json());
    assert_eq!(again.client.get("/v1/queue").await.status, 200);
    let take_off = async |password: &str, code: &str| {
        post(&again, "/remove", json!({ "password": password, "code": code })).await
    };
    let wrong: Value = take_off("wrong", &codes[0]).await.json();
    assert_eq!(wrong["errors"][0]["pointer"], "/password");
    let wrong: Value = take_off(PASSWORD, "000000").await.json();
    assert_eq!(wrong["errors"][0]["pointer"], "/code");
    assert_eq!(take_off(PASSWORD, &codes[0]).await.status, 204);
    assert_eq!(again.client.get("/v1/queue").await.problem(), "second_factor_required");
    assert_eq!(take_off(PASSWORD, &codes[1]).await.problem(), "conflict");
    // A key stands for itself.
    assert_eq!(registrar.get("/v1/queue").await.status, 200);
});

both!(a_stolen_database_holds_no_secret_of_a_device, async |world: World| {
    let stage = world.stage().await;
    let admin = stage.holder("Hoshikuzu Press").await;
    let person = stage.invited(&admin, "editor", HANAKO).await;
    let (secret, codes) = set_up(&stage, &stage.signed_in(HANAKO).await).await;
    let kept = second_factors::of_person(stage.registry.db(), &person).await.unwrap().unwrap();
    let plain = BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    assert!(!kept.secret.windows(plain.len()).any(|window| window == plain));
    assert!(!codes.is_empty());
});
