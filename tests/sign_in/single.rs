//! Single sign-on: who gets in, and who does not.

use std::time::Duration;

use kyodaku::http::{App, routes};
use serde_json::{Value, json};

use super::factor::{device, set_up};
use super::fake::{Answers, Fake, Signed};
use crate::world::actors::{Actor, Stage};
use crate::world::client::{Answer, Client};
use crate::world::people::{PASSWORD, SignedIn};
use crate::world::{World, both};

const HANAKO: &str = "hanako@hoshikuzu.example";

/// A registry with a provider, and a person of an organization.
struct Scene {
    stage: Stage,
    admin: Actor,
    person: String,
    fake: Fake,
}

/// What a program has that began to sign somebody in who came back.
#[derive(Clone)]
struct Back {
    sign_in: String,
    state: String,
    code: String,
}

impl Scene {
    async fn open(world: &World) -> Self {
        let stage = world.stage().await;
        let admin = stage.holder("Hoshikuzu Press").await;
        let person = stage.invited(&admin, "editor", HANAKO).await;
        let fake = Fake::new(stage.clock(), &HANAKO.to_uppercase()).await;
        assert!(stage.registry.sign_in_through(fake.settings()).unwrap());
        Self { stage, admin, person, fake }
    }

    async fn begin(&self) -> Answer {
        // Nobody is kept waiting for having begun before.
        self.stage.clock().advance(Duration::from_secs(10));
        self.stage.nobody.json("POST", "/v1/sign-ins", &json!({}), &[]).await
    }

    /// Begins, and lets the person sign in there.
    async fn go(&self) -> Back {
        let begun = self.begin().await;
        assert_eq!(begun.status, 201, "{begun:?}");
        let begun: Value = begun.json();
        let (state, code) = self.fake.visit(begun["url"].as_str().unwrap());
        Back { sign_in: begun["sign_in"].as_str().unwrap().to_owned(), state, code }
    }

    async fn end(&self, back: &Back, factor: Option<&str>) -> Answer {
        let mut body = json!({ "sign_in": back.sign_in, "state": back.state, "code": back.code });
        if let Some(factor) = factor {
            body["second_factor"] = json!(factor);
        }
        let headers = [("user-agent", "story/1")];
        self.stage.nobody.json("POST", "/v1/sign-ins/complete", &body, &headers).await
    }

    /// The whole way.
    async fn sign_in(&self) -> Answer {
        self.end(&self.go().await, None).await
    }

    async fn signed_in(&self) -> SignedIn {
        let answer = self.sign_in().await;
        assert_eq!(answer.status, 201, "{answer:?}");
        SignedIn::of(&self.stage, &answer.json())
    }

    /// What the trail holds of an operation, as status and person, the oldest first.
    async fn trail(&self, operation: &str) -> Vec<(i64, Option<String>)> {
        // What is noted when there is time waits for what is recorded.
        drop(self.stage.signed_in(HANAKO).await);
        let seen: Value = self.stage.registrar.get("/v1/security-events?limit=200").await.json();
        let of =
            seen["items"].as_array().unwrap().iter().rev().filter(|event| event["operation"] == operation);
        of.map(|event| (event["status"].as_i64().unwrap(), event["person"].as_str().map(str::to_owned)))
            .collect()
    }
}

/// What is the same for everybody who is not let in.
fn without_id(answer: &Answer) -> (u16, Value) {
    let mut body: Value = answer.json();
    body.as_object_mut().unwrap().remove("request_id");
    (answer.status.as_u16(), body)
}

async fn identities(who: &SignedIn) -> Vec<Value> {
    who.client.get("/v1/identities").await.json::<Value>()["items"].as_array().unwrap().clone()
}

both!(whoever_the_provider_knows_signs_in_as_with_the_password, async |world: World| {
    let scene = Scene::open(&world).await;
    let by_password = scene.stage.signed_in(HANAKO).await;
    assert!(identities(&by_password).await.is_empty());
    let hanako = scene.signed_in().await;
    assert_eq!(hanako.person, scene.person);
    let me: Value = hanako.client.get("/v1/me").await.json();
    assert_eq!((&me["role"], &me["session"]), (&json!("editor"), &json!(hanako.session)));
    let listed: Value = hanako.client.get("/v1/sessions").await.json();
    assert_eq!(listed["items"][1]["client"], "story/1");
    let refreshed = SignedIn::of(&scene.stage, &scene.stage.refresh(&hanako.refresh).await.json());
    assert_eq!(refreshed.session, hanako.session);
    let linked = identities(&hanako).await;
    assert_eq!((linked.len(), &linked[0]["subject"]), (1, &json!("hanako")));
    assert_eq!(linked[0]["email"], json!(HANAKO.to_uppercase()));
    // From now on it is the subject that counts, whatever its address is, or whether there is one.
    for email in [json!({}), json!({ "email": "other@x.example", "email_verified": false })] {
        scene.fake.plan().email = email;
        assert_eq!(scene.signed_in().await.person, scene.person);
    }
    let again = identities(&hanako).await;
    assert_eq!((again.len(), &again[0]["identity"]), (1, &linked[0]["identity"]));
    assert_ne!(again[0]["last_used"], linked[0]["last_used"]);
    // What it says of itself was asked for once, and of the person nothing that does not matter.
    let asked = scene.fake.plan().asked.clone();
    assert!(!asked.contains(&"more".to_owned()), "{asked:?}");
    assert_eq!(asked.iter().filter(|path| *path == "discovery").count(), 1, "{asked:?}");
    assert_eq!(asked.iter().filter(|path| *path == "keys").count(), 1, "{asked:?}");
    assert_eq!(scene.trail("completeSignIn").await, vec![(201, Some(scene.person.clone())); 3]);
    let list_by_key = scene.admin.get("/v1/identities").await;
    assert_eq!(list_by_key.json::<Value>()["items"], json!([]));
});

both!(a_sign_in_ends_once_and_for_whoever_began_it, async |world: World| {
    let scene = Scene::open(&world).await;
    let (one, other) = (scene.go().await, scene.go().await);
    let over = async |back: Back| {
        let refused = scene.end(&back, None).await;
        assert_eq!((refused.status.as_u16(), refused.problem()), (401, "invalid_credentials".to_owned()));
    };
    // Another's state, another's secret, none at all: nothing is spent by it.
    over(Back { state: other.state.clone(), ..one.clone() }).await;
    over(Back { sign_in: other.sign_in.clone(), ..one.clone() }).await;
    over(Back { sign_in: format!("kyo_signin_{}", "0".repeat(32)), ..one.clone() }).await;
    over(Back { sign_in: "nonsense".to_owned(), ..one.clone() }).await;
    assert_eq!(scene.end(&one, None).await.status, 201);
    over(one).await;
    // A code is not good for what another began: its verifier is another's. Then that is spent.
    let third = scene.go().await;
    over(Back { code: third.code, ..other.clone() }).await;
    over(other).await;
    // Of two at once one gets in.
    let both = scene.go().await;
    let answers = futures_util::future::join_all((0..4).map(|_| scene.end(&both, None))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "{answers:?}");
    let late = scene.go().await;
    scene.stage.clock().advance(Duration::from_mins(10));
    over(late).await;
    assert!(scene.stage.registry.purge_sign_ins().await.unwrap() >= 1);
});

both!(no_token_is_believed_that_is_not_good_in_every_way, async |world: World| {
    type Change = fn(&mut Value, &mut Value);
    let changes: [(&str, Signed, Change); 24] = [
        ("not signed", Signed::Not, |_, _| {}),
        ("signed with the secret", Signed::WithTheSecret, |_, _| {}),
        ("signed by another", Signed::ByAnother, |_, _| {}),
        ("said to be HS256", Signed::Well, |head, _| head["alg"] = json!("HS256")),
        ("said to be RS256", Signed::Well, |head, _| head["alg"] = json!("RS256")),
        ("crit", Signed::Well, |head, _| head["crit"] = json!(["exp"])),
        ("an access token", Signed::Well, |head, _| head["typ"] = json!("at+jwt")),
        ("nonce", Signed::Well, |_, claims| claims["nonce"] = json!("another")),
        ("no nonce", Signed::Well, |_, claims| _ = claims.as_object_mut().unwrap().remove("nonce")),
        ("iss", Signed::Well, |_, claims| claims["iss"] = json!("https://other.example")),
        ("iss with a slash", Signed::Well, |_, claims| {
            claims["iss"] = json!(format!("{}/", claims["iss"].as_str().unwrap()));
        }),
        ("no iss", Signed::Well, |_, claims| _ = claims.as_object_mut().unwrap().remove("iss")),
        ("aud", Signed::Well, |_, claims| claims["aud"] = json!("other")),
        ("no aud", Signed::Well, |_, claims| _ = claims.as_object_mut().unwrap().remove("aud")),
        ("aud empty", Signed::Well, |_, claims| claims["aud"] = json!([])),
        ("aud and others", Signed::Well, |_, claims| {
            claims["aud"] = json!([claims["aud"], "other"]);
            claims["azp"] = json!("kyodaku at work");
        }),
        ("azp", Signed::Well, |_, claims| claims["azp"] = json!("other")),
        ("exp", Signed::Well, |_, claims| claims["exp"] = json!(claims["iat"].as_i64().unwrap())),
        ("no exp", Signed::Well, |_, claims| _ = claims.as_object_mut().unwrap().remove("exp")),
        ("iat in a while", Signed::Well, |_, claims| {
            claims["iat"] = json!(claims["iat"].as_i64().unwrap() + 120);
        }),
        ("iat long ago", Signed::Well, |_, claims| {
            claims["iat"] = json!(claims["iat"].as_i64().unwrap() - 3_600);
        }),
        ("no sub", Signed::Well, |_, claims| _ = claims.as_object_mut().unwrap().remove("sub")),
        ("sub empty", Signed::Well, |_, claims| claims["sub"] = json!("")),
        ("sub with a control character", Signed::Well, |_, claims| claims["sub"] = json!("hana\u{0}ko")),
    ];
    let scene = Scene::open(&world).await;
    for (what, signed, change) in changes {
        {
            let mut plan = scene.fake.plan();
            (plan.signed, plan.change) = (signed, change);
        }
        let refused = scene.sign_in().await;
        let told = (refused.status.as_u16(), refused.headers.contains_key("retry-after"));
        // What can't be read at all is no answer of a provider.
        assert!(told == (401, false) || told == (503, true), "{what}: {refused:?}");
        assert!(!String::from_utf8_lossy(&refused.body).contains("hanako"), "{refused:?}");
    }
    let hanako = scene.stage.signed_in(HANAKO).await;
    assert!(identities(&hanako).await.is_empty());
    // The same with nothing changed, to see that it was those.
    {
        let mut plan = scene.fake.plan();
        plan.signed = Signed::Well;
        plan.change = |_, _| {};
    }
    scene.signed_in().await;
    // And what may be there is no fault.
    scene.fake.plan().change = |_, claims| {
        claims["azp"] = json!("kyodaku at work");
        claims["aud"] = json!(["kyodaku at work"]);
        claims["groups"] = json!(["admins"]);
    };
    scene.signed_in().await;
});

both!(who_is_not_known_not_verified_suspended_or_removed_is_answered_alike, async |world: World| {
    let scene = Scene::open(&world).await;
    let refuse = async |subject: &str, email: Value| {
        {
            let mut plan = scene.fake.plan();
            (plan.subject, plan.email) = (subject.to_owned(), email);
        }
        let refused = scene.sign_in().await;
        assert_eq!(refused.status, 401, "{refused:?}");
        without_id(&refused)
    };
    let verified = |email: &str| json!({ "email": email, "email_verified": true });
    let unknown = refuse("stranger", verified("stranger@x.example")).await;
    for email in [
        json!({ "email": HANAKO }),
        json!({ "email": HANAKO, "email_verified": false }),
        json!({ "email_verified": true }),
        // Its lower case is hers.
        verified("hana\u{212A}o@hoshikuzu.example"),
        verified(""),
        verified(&format!("{HANAKO}\u{0}")),
        verified(&format!(" {HANAKO}")),
    ] {
        assert_eq!(refuse("stranger", email.clone()).await, unknown, "{email}");
    }
    let taro = "taro@hoshikuzu.example";
    let person = scene.stage.invited(&scene.admin, "editor", taro).await;
    scene.fake.plan().subject = "taro".to_owned();
    scene.fake.plan().email = verified(taro);
    assert_eq!(scene.signed_in().await.person, person);
    // Another who gets the address there later is not Taro.
    assert_eq!(refuse("other", verified(taro)).await, unknown);
    assert_eq!(scene.admin.delete(&format!("/v1/people/{person}")).await.status, 200);
    assert_eq!(refuse("taro", verified(taro)).await, unknown);

    scene.stage.state(&scene.admin, "suspend").await;
    assert_eq!(refuse("hanako", verified(HANAKO)).await, unknown);
    let trail = scene.trail("completeSignIn").await;
    assert!(trail.contains(&(401, Some(scene.person.clone()))), "{trail:?}");
    scene.stage.state(&scene.admin, "reinstate").await;
    assert_eq!(scene.signed_in().await.person, scene.person);
});

both!(an_address_may_be_told_where_the_provider_is_asked_for_more, async |world: World| {
    let scene = Scene::open(&world).await;
    scene.fake.plan().email = json!({});
    for told in [
        json!({}),
        json!({ "email": HANAKO }),
        json!({ "sub": "other", "email": HANAKO, "email_verified": true }),
    ] {
        scene.fake.plan().told_elsewhere = told.clone();
        let refused = scene.sign_in().await;
        assert_eq!(refused.problem(), "invalid_credentials", "{told}: {refused:?}");
    }
    scene.fake.plan().told_elsewhere = json!({ "email": HANAKO, "email_verified": true });
    assert_eq!(scene.signed_in().await.person, scene.person);
});

both!(the_second_factor_is_asked_for_all_the_same, async |world: World| {
    let scene = Scene::open(&world).await;
    let (stage, by_password) = (&scene.stage, scene.stage.signed_in(HANAKO).await);
    let (secret, codes) = set_up(stage, &by_password).await;
    let back = scene.go().await;
    let missing = scene.end(&back, None).await;
    assert_eq!((missing.status.as_u16(), missing.problem()), (401, "code_required".to_owned()));
    assert!(identities(&by_password).await.is_empty());
    stage.clock().advance(Duration::from_mins(5));
    assert_eq!(scene.end(&back, Some("000000")).await.problem(), "invalid_credentials");
    let other_state = Back { state: "other".to_owned(), ..back.clone() };
    assert_eq!(scene.end(&other_state, Some(&codes[0])).await.problem(), "invalid_credentials");
    let code = device(stage, &secret);
    let answer = scene.end(&back, Some(&code)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let signed_in = SignedIn::of(stage, &answer.json());
    assert_eq!(signed_in.person, scene.person);
    assert_eq!(identities(&by_password).await.len(), 1);
    assert_eq!(scene.end(&back, Some(&codes[0])).await.problem(), "invalid_credentials");
    // At once, where the program asks for it before.
    let back = scene.go().await;
    assert_eq!(scene.end(&back, Some(&codes[1])).await.status, 201);
    // What was waited for is over with its time, and is not let in who was suspended meanwhile.
    let (late, suspended) = (scene.go().await, scene.go().await);
    for back in [&late, &suspended] {
        assert_eq!(scene.end(back, None).await.problem(), "code_required");
    }
    stage.state(&scene.admin, "suspend").await;
    assert_eq!(scene.end(&suspended, Some(&codes[2])).await.problem(), "invalid_credentials");
    stage.state(&scene.admin, "reinstate").await;
    stage.clock().advance(Duration::from_mins(10));
    assert_eq!(scene.end(&late, Some(&codes[3])).await.problem(), "invalid_credentials");
});

both!(a_provider_that_is_down_disturbs_nobody_else, async |world: World| {
    let scene = Scene::open(&world).await;
    let down = async || {
        let answer = scene.begin().await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (503, "unavailable".to_owned()));
        assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
    };
    for answers in [Answers::With(500), Answers::With(404), Answers::Elsewhere, Answers::Endlessly] {
        scene.fake.plan().answers = answers;
        down().await;
        scene.stage.signed_in(HANAKO).await;
    }
    // It is left alone for a moment, however many ask.
    scene.fake.plan().answers = Answers::Well;
    let asked = scene.fake.plan().asked.len();
    scene.stage.clock().advance(Duration::from_secs(3));
    let again = scene.stage.nobody.json("POST", "/v1/sign-ins", &json!({}), &[]).await;
    assert_eq!((again.status.as_u16(), scene.fake.plan().asked.len()), (503, asked));
    let back = scene.go().await;
    scene.fake.plan().answers = Answers::With(500);
    let late = scene.end(&back, None).await;
    assert_eq!((late.status.as_u16(), late.headers.contains_key("retry-after")), (503, true));
    scene.fake.plan().answers = Answers::Well;
    scene.signed_in().await;
    // One that never answers keeps the others waiting for one answer, not for one each.
    scene.stage.clock().advance(Duration::from_hours(1));
    scene.fake.plan().answers = Answers::Never;
    let begun = kyodaku::clock::stopwatch();
    let body = json!({});
    let begin = || scene.stage.nobody.json("POST", "/v1/sign-ins", &body, &[]);
    let answers = futures_util::future::join_all((0..8).map(|_| begin())).await;
    assert!(answers.iter().all(|answer| answer.status == 503));
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
});

both!(new_keys_of_the_provider_are_taken_up, async |world: World| {
    let scene = Scene::open(&world).await;
    scene.signed_in().await;
    scene.fake.plan().key = 2;
    scene.stage.clock().advance(Duration::from_mins(1));
    scene.signed_in().await;
    // Not for each token that is badly signed.
    let asked = scene.fake.plan().asked.len();
    scene.fake.plan().signed = Signed::ByAnother;
    assert_eq!(scene.sign_in().await.status, 401);
    let asked = scene.fake.plan().asked[asked..].to_vec();
    assert_eq!(asked, ["token"]);
});

both!(an_identity_that_is_removed_comes_back_by_the_password_alone, async |world: World| {
    let scene = Scene::open(&world).await;
    let (stage, one, other) = (&scene.stage, scene.signed_in().await, scene.signed_in().await);
    let id = identities(&one).await[0]["identity"].as_str().unwrap().to_owned();
    let remove = async |who: &SignedIn, id: &str| {
        who.client.json("DELETE", &format!("/v1/identities/{id}"), &json!({}), &[]).await
    };
    let taro = "taro@hoshikuzu.example";
    stage.invited(&scene.admin, "editor", taro).await;
    let taro = stage.signed_in(taro).await;
    assert_eq!(remove(&taro, &id).await.problem(), "not_found");
    assert_eq!(remove(&one, &id).await.status, 204);
    assert_eq!(remove(&one, &id).await.problem(), "not_found");
    assert!(identities(&one).await.is_empty());
    assert_eq!(one.client.get("/v1/me").await.status, 200);
    assert_eq!(other.client.get("/v1/me").await.problem(), "invalid_credentials");
    assert_eq!(scene.sign_in().await.problem(), "invalid_credentials");
    scene.fake.plan().subject = "hanako's other account".to_owned();
    assert_eq!(scene.sign_in().await.problem(), "invalid_credentials");

    let link = async |who: &SignedIn, password: &str| {
        let back = scene.go().await;
        let body =
            json!({ "sign_in": back.sign_in, "state": back.state, "code": back.code, "password": password });
        who.client.json("POST", "/v1/identities", &body, &[]).await
    };
    let wrong: Value = link(&one, "wrong").await.json();
    assert_eq!(wrong["errors"][0]["pointer"], "/password");
    let linked = link(&one, PASSWORD).await;
    assert_eq!(
        (linked.status.as_u16(), &linked.json::<Value>()["subject"]),
        (201, &json!("hanako's other account"))
    );
    assert_eq!(scene.signed_in().await.person, scene.person);
    // One a person, and one person an account.
    assert_eq!(link(&one, PASSWORD).await.problem(), "conflict");
    assert_eq!(link(&taro, PASSWORD).await.problem(), "conflict");
    scene.fake.plan().subject = "taro".to_owned();
    assert_eq!(link(&taro, PASSWORD).await.status, 201);
    assert_eq!(scene.signed_in().await.person, taro.person);
});

both!(a_password_that_is_set_by_mail_ends_what_a_thief_linked, async |world: World| {
    let scene = Scene::open(&world).await;
    let stage = &scene.stage;
    let plan = |subject: &str, email: &str| {
        let mut plan = scene.fake.plan();
        plan.subject = subject.to_owned();
        plan.email = json!({ "email": email, "email_verified": true });
    };
    // Whoever has the password links an account of its own.
    let thief = stage.signed_in(HANAKO).await;
    plan("thief", "thief@elsewhere.example");
    let back = scene.go().await;
    let body =
        json!({ "sign_in": back.sign_in, "state": back.state, "code": back.code, "password": PASSWORD });
    let linked = thief.client.json("POST", "/v1/identities", &body, &[]).await;
    assert_eq!(linked.status, 201, "{linked:?}");
    assert_eq!(scene.signed_in().await.person, scene.person);
    let reset = async || {
        let forget = json!({ "email": HANAKO });
        assert_eq!(stage.nobody.json("POST", "/v1/password-resets", &forget, &[]).await.status, 202);
        let token = stage.mailed_token(HANAKO).await;
        assert_eq!(stage.set_password(&token, PASSWORD).await.status, 200);
    };
    reset().await;
    assert_eq!(scene.sign_in().await.problem(), "invalid_credentials");
    assert_eq!(scene.trail("removeIdentity").await, [(204, Some(scene.person.clone()))]);
    // The account with her address is hers again; once she has removed it, no reset brings it back.
    plan("hanako", HANAKO);
    let hanako = scene.signed_in().await;
    assert_eq!(hanako.person, scene.person);
    let path = format!("/v1/identities/{}", identities(&hanako).await[0]["identity"].as_str().unwrap());
    assert_eq!(hanako.client.json("DELETE", &path, &json!({}), &[]).await.status, 204);
    reset().await;
    assert_eq!(scene.sign_in().await.problem(), "invalid_credentials");
});

both!(so_many_may_begin_and_no_more, async |world: World| {
    let scene = Scene::open(&world).await;
    let begin =
        async || scene.stage.nobody.json("POST", "/v1/sign-ins", &json!({}), &[]).await.status.as_u16();
    let mut begun = 0;
    while begin().await == 201 {
        begun += 1;
    }
    assert!((40..=60).contains(&begun), "{begun}");
    assert_eq!(begin().await, 429);
    // A day of it leaves no more behind than ten minutes.
    scene.stage.clock().advance(Duration::from_mins(10));
    assert_eq!(begin().await, 201);
    let over = scene.stage.clock().now_ms() + 600_000;
    let mut tx = scene.stage.registry.db().begin().await.unwrap();
    assert_eq!(kyodaku::store::sign_ins::purge(&mut tx, over).await.unwrap(), 1);
});

both!(one_network_does_not_use_up_the_sign_ins_of_all, async |world: World| {
    let scene = Scene::open(&world).await;
    let app = App::new(scene.stage.registry.clone()).behind(&[std::net::Ipv4Addr::LOCALHOST.into()]);
    let client = Client::new(routes::router(&app, routes::table()));
    let begin = async |from: String| {
        client.json("POST", "/v1/sign-ins", &json!({}), &[("x-forwarded-for", &from)]).await.status.as_u16()
    };
    for number in 0..60 {
        assert_eq!(begin(format!("2001:db8:1:{number}::1")).await, 201, "{number}");
    }
    assert_eq!(begin("2001:db8:1:60::1".to_owned()).await, 429);
    assert_eq!(begin("2001:db8:2::1".to_owned()).await, 201);
});

#[tokio::test]
async fn a_provider_in_the_clear_is_none() {
    let world = World::new(kyodaku::store::Engine::Sqlite).await;
    let stage = world.stage().await;
    let fake = Fake::new(stage.clock(), HANAKO).await;
    for issuer in ["http://accounts.example", "ftp://localhost/", "accounts.example", ""] {
        let settings =
            kyodaku::registry::sign_in::ProviderSettings { issuer: issuer.to_owned(), ..fake.settings() };
        assert!(stage.registry.sign_in_through(settings.clone()).is_err(), "{issuer}");
        assert!(!format!("{settings:?}").contains("secret"));
    }
}
