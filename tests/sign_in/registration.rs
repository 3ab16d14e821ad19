//! Organizations enter themselves: only with an address that is theirs, and to do nothing yet.

use std::time::Duration;

use kyodaku::http::{App, routes};
use serde_json::{Value, json};

use crate::world::client::{Answer, Client};
use crate::world::people::{PASSWORD, mails};
use crate::world::{World, both};

const HANAKO: &str = "hanako@sakura.example";

async fn request(client: &Client, roles: &[&str], email: &str) -> Answer {
    let body = json!({ "name": "Sakura Frame", "roles": roles, "email": email });
    client.json("POST", "/v1/registrations", &body, &[]).await
}

async fn complete(client: &Client, token: &str, password: &str) -> Answer {
    let body = json!({ "token": token, "password": password });
    client.json("POST", "/v1/registrations/complete", &body, &[]).await
}

both!(an_organization_enters_itself_and_does_nothing_before_it_is_verified, async |world: World| {
    let stage = world.stage().await;
    let size = stage.log_size().await;
    let asked = request(&stage.nobody, &["rights_holder", "ai_developer"], HANAKO).await;
    assert_eq!((asked.status.as_u16(), asked.json::<Value>()), (202, json!({})));
    let token = stage.mailed_token(HANAKO).await;
    assert_eq!(stage.log_size().await, size, "an address that nobody has proved is in no log");
    // A bad password does not spend it, nor is it another kind of token.
    for bad in ["short", "sakura frame sakura frame"] {
        assert_eq!(
            complete(&stage.nobody, &token, bad).await.json::<Value>()["errors"][0]["pointer"],
            "/password"
        );
    }
    let other_door = json!({ "token": token, "password": PASSWORD });
    assert_eq!(stage.nobody.json("POST", "/v1/passwords", &other_door, &[]).await.status, 401);
    let done = complete(&stage.nobody, &token, PASSWORD).await;
    assert_eq!(done.status, 201, "{done:?}");
    let (org, person) =
        (done.json::<Value>()["organization"].clone(), done.json::<Value>()["person"].clone());
    assert_eq!(complete(&stage.nobody, &token, PASSWORD).await.problem(), "invalid_credentials");
    let hanako = stage.signed_in(HANAKO).await;
    let me: Value = hanako.client.get("/v1/me").await.json();
    assert_eq!(
        (&me["organization"], &me["person"], &me["state"], &me["role"]),
        (&org, &person, &json!("registered"), &json!("admin"))
    );
    assert_eq!(hanako.client.get("/v1/works").await.problem(), "not_verified");
    // The registrar verifies it, and from then on it may what its roles may.
    let path = format!("/v1/organizations/{}/verify", org.as_str().unwrap());
    assert_eq!(stage.registrar.post(&path, &json!({ "note": "seen" })).await.status, 200);
    assert_eq!(hanako.client.get("/v1/works").await.status, 200);
    // The log does not know the address.
    let entries = kyodaku::store::entries::read(
        stage.registry.db(),
        kyodaku::store::heads::ACTS,
        0..stage.log_size().await,
    )
    .await
    .unwrap();
    assert!(entries.iter().all(|entry| !String::from_utf8_lossy(&entry.bytes).contains("hanako")));
});

both!(whoever_asks_is_told_nothing_of_others_and_floods_nobody, async |world: World| {
    let stage = world.stage().await;
    let admin = stage.holder("Hoshikuzu Press").await;
    stage.invited(&admin, "admin", HANAKO).await;
    let before = mails(&stage.registry).len();
    let known = request(&stage.nobody, &["association"], "Hanako@Sakura.example").await;
    let unknown = request(&stage.nobody, &["association"], "taro@sakura.example").await;
    assert_eq!((known.status, known.json::<Value>()), (unknown.status, unknown.json::<Value>()));
    let token = stage.mailed_token("taro@sakura.example").await;
    // Who signs in already is told so, without a token.
    let told = async || loop {
        let mails = mails(&stage.registry);
        if mails.len() > before {
            return mails.last().unwrap().1.clone();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let letter = told().await;
    assert!(letter.contains("To: Hanako@Sakura.example") && !letter.contains("kyo_mail_"), "{letter}");
    // Nothing that whoever asks has written.
    assert!(!letter.replace("=\r\n", "").contains("Sakura Frame"), "{letter}");
    // Three letters at most are on their way to one address, known or not. Of two that are asked for at the same moment one may do.
    let to_hanako = || {
        let mails = mails(&stage.registry);
        mails.iter().filter(|(_, mail)| mail.to_lowercase().contains("to: hanako@sakura.example")).count()
    };
    let mut tokens = vec![token];
    for letters in 2..=5 {
        for address in [HANAKO, "taro@sakura.example"] {
            assert_eq!(request(&stage.nobody, &["association"], address).await.status, 202);
        }
        if letters <= 3 {
            tokens.push(stage.mailed_token("taro@sakura.example").await);
            let told = async {
                while to_hanako() < letters {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            tokio::time::timeout(Duration::from_mins(1), told).await.expect("she is told");
        }
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(to_hanako(), 3);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!mails(&stage.registry).iter().any(|(_, mail)| mail.contains("To: taro")));
    // The first that comes back counts, the others are void with it; at once, one of them does.
    let (one, other) = tokio::join!(
        complete(&stage.nobody, &tokens[0], PASSWORD),
        complete(&stage.nobody, &tokens[1], PASSWORD)
    );
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert!(statuses[0] == 201 && [401, 409, 422].contains(&statuses[1]), "{one:?} {other:?}");
    assert_eq!(complete(&stage.nobody, &tokens[2], PASSWORD).await.status, 401);
    // Roles that one does not give oneself, and roles twice.
    for roles in
        [&["registrar"][..], &["auditor"], &["association", "auditor"], &["association", "association"]]
    {
        let refused = request(&stage.nobody, roles, "jiro@sakura.example").await;
        assert_eq!(
            (refused.status.as_u16(), refused.json::<Value>()["errors"][0]["pointer"].clone()),
            (422, json!("/roles")),
            "{roles:?}"
        );
    }
});

both!(one_network_does_not_use_up_the_registrations_of_all, async |world: World| {
    let stage = world.stage().await;
    let proxy = std::net::Ipv4Addr::LOCALHOST.into();
    let app = App::new(stage.registry.clone()).behind(&[proxy]);
    let client = Client::new(routes::router(&app, routes::table()));
    let ask = async |from: &str, email: String| {
        let body = json!({ "name": "Sakura Frame", "roles": ["association"], "email": email });
        let answer = client.json("POST", "/v1/registrations", &body, &[("x-forwarded-for", from)]).await;
        assert_eq!((answer.status.as_u16(), answer.json::<Value>()), (202, json!({})));
    };
    let before = mails(&stage.registry).len();
    // One IPv4 address, and two networks of one customer: each is answered as ever.
    for number in 0..25 {
        ask("203.0.113.7", format!("four{number}@sakura.example")).await;
        ask(&format!("2001:db8:1:{}::1", number % 2), format!("six{number}@sakura.example")).await;
    }
    ask("203.0.113.8", "other@sakura.example".to_owned()).await;
    stage.mailed_token("other@sakura.example").await;
    let sent = async |most: usize| {
        let enough = async {
            while mails(&stage.registry).len() < before + most {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), enough).await.expect("they are mailed");
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(mails(&stage.registry).len(), before + most);
    };
    sent(40).await;
    stage.clock().advance(Duration::from_hours(24));
    ask("2001:db8:1:7::1", "tomorrow@sakura.example".to_owned()).await;
    sent(41).await;
});

both!(a_registration_is_over_after_a_day_and_where_the_registrar_alone_enters, async |world: World| {
    let stage = world.stage().await;
    assert_eq!(request(&stage.nobody, &["association"], HANAKO).await.status, 202);
    let token = stage.mailed_token(HANAKO).await;
    let closed = Client::new(routes::router(&App::new(stage.registry.clone()).open(false), routes::table()));
    assert_eq!(request(&closed, &["association"], HANAKO).await.status, 404);
    assert_eq!(complete(&closed, &token, PASSWORD).await.status, 404);
    stage.clock().advance(Duration::from_hours(24));
    assert_eq!(complete(&stage.nobody, &token, PASSWORD).await.status, 401);
    // What is over is deleted, address and all.
    stage.registry.purge_sign_ins().await.unwrap();
    let mut tx = stage.registry.db().snapshot().await.unwrap();
    let table = kyodaku::store::archive::TABLES.iter().find(|table| table.name == "registrations").unwrap();
    assert_eq!(kyodaku::store::archive::contents(table, &mut tx).await.unwrap().rows, 0);
});
