//! The URL query, by hand and by the published package.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use kyodaku::domain::scope::Scope;
use kyodaku::domain::uses::Use;
use kyodaku::http::server::{Limits, serve};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::scene::{Scene, post, url};
use crate::world::python::installed;
use crate::world::{World, both};

const GRANTED: &str = "https://hoshikuzu.example/library/1";
const DENIED: &str = "https://hoshikuzu.example/library/2";
const QUERY: &str = "/api/v2/query/urls/";

/// One address that is granted, one that is registered and not granted.
async fn library(world: &World) -> Scene {
    let scene = Scene::open(world).await;
    let work = scene.work(&[url(GRANTED)]).await;
    scene.grant(work).await;
    scene.work(&[url(DENIED)]).await;
    scene
}

async fn query(scene: &Scene, uri: &str, body: &str) -> Vec<(String, bool)> {
    let answer = post(&scene.developer, uri, "text/plain", body.to_owned()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let told: Value = answer.json();
    let urls = told["urls"].as_array().unwrap().clone();
    urls.iter()
        .map(|one| (one["url"].as_str().unwrap().to_owned(), one["optOut"].as_bool().unwrap()))
        .collect()
}

both!(every_line_is_one_address_answered_once_in_order, async |world: World| {
    let scene = library(&world).await;
    let lines = [
        GRANTED,
        DENIED,
        "https://unknown.example/",
        "nothing",
        "",
        "javascript:alert(1)",
        GRANTED,
        "HTTPS://HOSHIKUZU.example/library/1#a",
        " ",
    ];
    let answers = query(&scene, QUERY, &lines.join("\n")).await;
    let expected: Vec<_> = lines
        .iter()
        .map(|line| ((*line).to_owned(), !line.to_ascii_lowercase().starts_with(GRANTED)))
        .collect();
    assert_eq!(answers, expected);
    assert_eq!(query(&scene, QUERY, "").await, [(String::new(), true)]);
    let answer = post(&scene.developer, QUERY, "text/plain", vec![0xff, b'\n', b'x']).await;
    assert_eq!(answer.json::<Value>()["urls"].as_array().unwrap().len(), 2);
});

both!(the_query_names_another_use_model_and_territory, async |world: World| {
    let scene = library(&world).await;
    let work = scene.work(&[url("https://hoshikuzu.example/library/3")]).await;
    let mut grant = scene.grant_to(&scene.developer, work);
    grant.uses = Scope::Only(vec![Use::Search]);
    grant.territories = Scope::Only(vec!["JP".parse().unwrap()]);
    scene.submit(&[&scene.holder], vec![grant.into()]).await;
    let ask = async |parameters: &str| {
        query(&scene, &format!("{QUERY}{parameters}"), "https://hoshikuzu.example/library/3").await[0].1
    };
    assert!(ask("").await && ask("?use=search").await && ask("?territory=JP").await);
    assert!(!ask("?use=search&territory=JP").await);
    assert!(ask("?use=search&territory=US").await);
    for bad in ["?use=train", "?territory=Japan", "?model=x", "?uses=search", "?use=search&use=ground"] {
        let answer = post(&scene.developer, &format!("{QUERY}{bad}"), "text/plain", GRANTED).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (400, "invalid_query".to_owned()), "{bad}");
    }
    let many = vec![GRANTED; 10_001].join("\n");
    assert_eq!(post(&scene.developer, QUERY, "text/plain", many).await.status, 422);
    assert_eq!(post(&scene.developer, QUERY, "application/json", "[]").await.status, 415);
});

/// The published package, installed once.
fn python() -> PathBuf {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| installed("datadiligence", "0.1.7").join("python")).clone()
}

/// Tells the package where to ask, as its users do, and prints what it answers.
const PROGRAM: &str = r#"
import asyncio, json, sys
import datadiligence as dd
from datadiligence.rules import SpawningAPI
SpawningAPI.SPAWNING_AI_API_URL = sys.argv[1]
urls = json.loads(sys.argv[2])
rule = SpawningAPI(user_agent="story", chunk_size=2)
print(json.dumps({
    "filtered": dd.filter_allowed(urls=urls),
    "rule": rule.is_allowed(urls=urls),
    "one": rule.is_allowed(url=urls[0]),
    "awaited": asyncio.run(rule.is_allowed_async(urls=urls)),
    "awaited_filter": asyncio.run(rule.filter_allowed_async(urls=urls)),
}))
"#;

both!(the_published_package_runs_unmodified, async |world: World| {
    let python = tokio::task::spawn_blocking(python).await.expect("the package is installed");
    let scene = library(&world).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(serve(listener, scene.stage.router.clone(), Limits::default(), async {
        drop(stopped.await);
    }));
    let ask = async |key: &str| {
        let urls = json!([GRANTED, DENIED, "https://unknown.example/a", GRANTED, "nothing"]).to_string();
        let mut command = Command::new(&python);
        command.args(["-c", PROGRAM, &format!("http://{address}{QUERY}"), &urls]);
        command.env_clear().env("SPAWNING_OPTS_KEY", key);
        tokio::task::spawn_blocking(move || command.output()).await.unwrap().expect("python runs")
    };

    let done = ask(&scene.developer.key).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let told: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    let expected = json!([true, false, false, true, false]);
    assert_eq!((&told["rule"], &told["awaited"], &told["one"]), (&expected, &expected, &json!([true])));
    let allowed = json!([GRANTED, GRANTED]);
    assert_eq!((&told["filtered"], &told["awaited_filter"]), (&allowed, &allowed));

    let refused = ask(&scene.holder.key).await;
    assert!(!refused.status.success(), "a key that may not ask gets an error, never an allowance");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("SpawningAIAPIError"));
    drop(stop);
    server.await.unwrap();
});
