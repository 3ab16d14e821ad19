//! `kyodaku explain`: why, as of when, in words, and never a permission.

use serde_json::{Value, json};

use super::fake::{Fake, reply};
use super::import::served;
use super::serve::ask;
use super::{kyodaku, said};
use crate::world::works::{grant, id, registration};
use crate::world::{World, both};

both!(an_answer_is_explained_as_of_any_size, async |world: World| {
    let mut world = world;
    let (stage, server) = served(&mut world).await;
    let (holder, developer) = (stage.holder("Hoshikuzu Press").await, stage.developer("Nimbus Lab").await);
    let auditor = stage.auditor().await;
    let mut body = registration("星屑", &[&holder]);
    body["keys"] = json!([{ "type": "url", "value": "https://hoshikuzu.example/a" }]);
    let work = stage.confirmed(&holder, &body).await;
    let granted = id(&holder.post("/v1/grants", &grant(&work.work)).await, "grant");
    let size = stage.log_size().await;
    holder.post(&format!("/v1/grants/{granted}/revoke"), &json!({ "from": "on_record" })).await;
    let words = ["explain", "--use", "train.finetune", "https://hoshikuzu.example/a"];

    let now = ask(&server, &developer.key, &words);
    assert_eq!(now.code, 0, "{}{}", now.out, now.err);
    assert!(now.out.contains("train.finetune: not permitted\n  revoked wrk_"), "{}", now.out);
    assert!(
        now.out.contains(&format!(", ask {}", holder.org)) && now.out.contains("  1. R1: "),
        "{}",
        now.out
    );
    assert!(now.err.contains("never a permission"), "{}", now.err);

    let then = ask(&server, &developer.key, &[&words[..], &["--as-of-size", &size.to_string()]].concat());
    assert!(then.out.contains("train.finetune: permitted\n"), "{}", then.out);
    assert!(
        then.out.starts_with(&format!("as of {size} entries, at "))
            && then.err.contains("never a permission"),
        "{}",
        then.out
    );
    let asked = ask(
        &server,
        &auditor.key,
        &[&words[..], &["--developer", &developer.org, "--lang", "ja", "--at", "2020-01-01T00:00:00Z"]]
            .concat(),
    );
    assert!(asked.code == 0 && asked.out.contains("not_yet_effective"), "{}{}", asked.out, asked.err);
    assert!(asked.out.contains("許諾"), "{}", asked.out);
    let raw = ask(&server, &developer.key, &[&words[..], &["--json"]].concat());
    assert_eq!(serde_json::from_str::<Value>(&raw.out).unwrap()["hypothetical"], true);

    // What does not say that it is an explanation is not shown as one.
    let unmarked = raw.out.replace("\"hypothetical\":true", "\"hypothetical\":false");
    let fake = Fake::new(move |_, stream| reply(stream, "200 OK", "application/json", &unmarked));
    let said_of =
        said(kyodaku().args(words).args(["--url", &fake.url, "--api-key", "kyo_live_x"]).output().unwrap());
    assert_eq!((said_of.code, said_of.out.as_str()), (1, ""), "{}", said_of.err);

    let beyond = ask(&server, &developer.key, &[&words[..], &["--as-of-size", "999999"]].concat());
    assert_eq!((beyond.code, beyond.out.as_str()), (1, ""), "{}", beyond.err);
    assert!(beyond.err.contains("/as_of/log_size"), "{}", beyond.err);
    assert_eq!(ask(&server, &developer.key, &["explain", "--use", "train.finetune", "nonsense"]).code, 2);
    let gone = server.url.clone();
    drop(server);
    let silent =
        said(kyodaku().args(words).args(["--url", &gone, "--api-key", &developer.key]).output().unwrap());
    assert_eq!((silent.code, silent.out.as_str()), (69, ""), "{}", silent.err);
});

both!(what_changed_is_told_by_command, async |world: World| {
    let mut world = world;
    let (stage, server) = served(&mut world).await;
    let (holder, developer) = (stage.holder("Hoshikuzu Press").await, stage.developer("Nimbus Lab").await);
    let mut body = registration("星屑", &[&holder]);
    body["keys"] = json!([{ "type": "url", "value": "https://hoshikuzu.example/a" }]);
    let work = stage.confirmed(&holder, &body).await;
    let size = stage.log_size().await.to_string();
    holder.post("/v1/grants", &grant(&work.work)).await;
    let words = ["compare", "--use", "train.finetune", "https://hoshikuzu.example/a", "--before-size", &size];
    let told = ask(&server, &developer.key, &words);
    assert_eq!(told.code, 0, "{}{}", told.out, told.err);
    assert!(told.out.contains("train.finetune: not permitted before, permitted after\n"), "{}", told.out);
    assert!(told.out.contains(&format!(": {} recorded a grant. *\n", holder.org)), "{}", told.out);
    assert!(told.err.contains("never a permission"), "{}", told.err);
    let ja = ask(&server, &developer.key, &[&words[..], &["--lang", "ja"]].concat());
    assert!(ja.out.contains("許諾を記録しました"), "{}", ja.out);
    let none = ask(&server, &developer.key, &[&words[..4], &["--before", "2099-01-01T00:00:00Z"]].concat());
    assert_eq!(none.code, 1, "{}{}", none.out, none.err);
    assert_eq!(ask(&server, &developer.key, &words[..4]).code, 2);
});
