//! Proofs of control, with a stand-in for the internet.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use kyodaku::registry::control::lookup::{Lookup, LookupError};
use serde_json::{Value, json};

use crate::world::actors::Stage;
use crate::world::works::{id, registration};
use crate::world::{World, both};

/// An internet of a few names.
#[derive(Debug, Default)]
struct Internet {
    texts: Mutex<HashMap<String, Vec<String>>>,
    addresses: Mutex<HashMap<String, Vec<IpAddr>>>,
    files: Mutex<HashMap<String, Vec<u8>>>,
    /// What was fetched, with the address that was connected to.
    fetched: Mutex<Vec<(String, IpAddr)>>,
}

type Looked<'a, T> = BoxFuture<'a, Result<T, LookupError>>;

impl Lookup for Internet {
    fn txt<'a>(&'a self, name: &'a str) -> Looked<'a, Vec<String>> {
        let found = self.texts.lock().unwrap().get(name).cloned().unwrap_or_default();
        std::future::ready(Ok(found)).boxed()
    }

    fn addresses<'a>(&'a self, host: &'a str) -> Looked<'a, Vec<IpAddr>> {
        let found = self.addresses.lock().unwrap().get(host).cloned();
        std::future::ready(found.ok_or_else(|| LookupError(format!("`{host}` is unknown")))).boxed()
    }

    fn file<'a>(&'a self, host: &'a str, address: IpAddr, path: &'a str) -> Looked<'a, Vec<u8>> {
        let url = format!("https://{host}{path}");
        self.fetched.lock().unwrap().push((url.clone(), address));
        let found = self.files.lock().unwrap().get(&url).cloned();
        std::future::ready(found.ok_or_else(|| LookupError(format!("`{url}` answered 404, not 200")))).boxed()
    }
}

async fn online(world: &World) -> (Stage, Arc<Internet>) {
    let stage = world.stage().await;
    let internet = Arc::new(Internet::default());
    assert!(stage.registry.look_by(internet.clone()));
    (stage, internet)
}

both!(a_txt_record_confirms_addresses_on_the_host_and_no_others, async |world: World| {
    let (stage, internet) = online(&world).await;
    let (holder, other) = (stage.holder("Hoshikuzu Press").await, stage.holder("Tsukimi Film").await);
    let keys = json!([
        { "type": "url", "value": "https://hoshikuzu.example/a" },
        { "type": "url_prefix", "value": "http://hoshikuzu.example:8080/" },
        { "type": "url", "value": "https://www.hoshikuzu.example/a" },
        { "type": "id", "scheme": "story", "value": "hoshikuzu.example" },
    ]);
    let mut body = registration("星屑", &[&holder]);
    body["keys"] = keys.clone();
    let made = stage.registered_work(&holder, &body).await;
    let mut body = registration("偽", &[&other]);
    body["keys"] = keys;
    let fake = stage.registered_work(&other, &body).await;

    let asked = json!({ "host": "Hoshikuzu.EXAMPLE", "method": "dns" });
    let created = holder.post("/v1/control-challenges", &asked).await;
    let challenge: Value = created.json();
    let path = created.headers["location"].to_str().unwrap().to_owned();
    assert_eq!(
        (&challenge["host"], &challenge["publish_at"]),
        (&json!("hoshikuzu.example"), &json!("_kyodaku-challenge.hoshikuzu.example"))
    );
    let verify = format!("{path}/verify");
    let size = stage.log_size().await;
    let early = holder.post(&verify, &json!({})).await;
    assert_eq!((early.status.as_u16(), early.problem()), (409, "conflict".to_owned()));
    for who in [&other, &stage.stranger().await] {
        assert_eq!(who.get(&path).await.status, 404);
        assert_eq!(who.post(&verify, &json!({})).await.status, 404);
    }
    let wrong = format!("{}x", challenge["publish"].as_str().unwrap());
    let name = challenge["publish_at"].as_str().unwrap().to_owned();
    internet.texts.lock().unwrap().insert(name.clone(), vec!["v=spf1 -all".to_owned(), wrong]);
    assert_eq!(holder.post(&verify, &json!({})).await.status, 409);
    let before = stage.log_size().await;
    assert!(before > size, "others were registered meanwhile");
    let right = challenge["publish"].as_str().unwrap().to_owned();
    internet.texts.lock().unwrap().get_mut(&name).unwrap().push(right);
    let met = holder.post(&verify, &json!({})).await;
    assert_eq!(met.status, 200, "{met:?}");
    assert_eq!(met.json::<Value>()["confirmed"], json!(made.bindings[..2]));
    assert_eq!(stage.log_size().await, before + 1);
    let states = async |work: &str| {
        let view: Value = holder.get(&format!("/v1/works/{work}")).await.json();
        view["keys"].as_array().unwrap().iter().map(|key| key["state"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(states(&made.work).await, ["confirmed", "confirmed", "asserted", "asserted"]);
    assert_eq!(states(&fake.work).await, ["asserted"; 4]);
    // Once met, it is answered the same, whatever is published now.
    internet.texts.lock().unwrap().clear();
    assert_eq!(holder.post(&verify, &json!({})).await.body, met.body);
    assert_eq!(stage.log_size().await, before + 1);
    assert_eq!(holder.get(&path).await.json::<Value>()["proved_entry"], json!(before));
});

both!(a_file_is_fetched_from_the_open_internet_only, async |world: World| {
    let (stage, internet) = online(&world).await;
    let holder = stage.holder("Hoshikuzu Press").await;
    let mut body = registration("星屑", &[&holder]);
    body["keys"] = json!([{ "type": "url", "value": "https://hoshikuzu.example/a" }]);
    let made = stage.registered_work(&holder, &body).await;
    let asked = json!({ "host": "hoshikuzu.example", "method": "well_known" });
    let challenge: Value = holder.post("/v1/control-challenges", &asked).await.json();
    let url = challenge["publish_at"].as_str().unwrap().to_owned();
    assert!(url.starts_with("https://hoshikuzu.example/.well-known/kyodaku-challenge/chl_"), "{url}");
    let token = challenge["token"].as_str().unwrap();
    internet.files.lock().unwrap().insert(url.clone(), format!("{token}\n").into_bytes());
    let verify = format!("/v1/control-challenges/{}/verify", challenge["challenge"].as_str().unwrap());
    let good: IpAddr = "198.41.0.4".parse().unwrap();
    for bad in
        ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fd00::1", "64:ff9b::a00:1"]
    {
        internet
            .addresses
            .lock()
            .unwrap()
            .insert("hoshikuzu.example".to_owned(), vec![good, bad.parse().unwrap()]);
        let answer = holder.post(&verify, &json!({})).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (409, "conflict".to_owned()), "{bad}");
    }
    assert!(internet.fetched.lock().unwrap().is_empty(), "nothing was connected to");
    internet.addresses.lock().unwrap().insert("hoshikuzu.example".to_owned(), vec![good]);
    let met = holder.post(&verify, &json!({})).await;
    assert_eq!(met.json::<Value>()["confirmed"], json!(made.bindings));
    assert_eq!(*internet.fetched.lock().unwrap(), [(url, good)]);
});

both!(a_challenge_has_its_time, async |world: World| {
    let (stage, internet) = online(&world).await;
    let holder = stage.holder("Hoshikuzu Press").await;
    for bad in ["", "localhost", "127.0.0.1", "[::1]", "a.example/b", "a.example:8443", "u@a.example"] {
        let answer = holder.post("/v1/control-challenges", &json!({ "host": bad, "method": "dns" })).await;
        assert_eq!(
            (answer.problem(), answer.json::<Value>()["errors"][0]["pointer"].clone()),
            ("invalid_body".into(), json!("/host")),
            "{bad}"
        );
    }
    let mut made = Vec::new();
    for _ in 0..3 {
        let answer =
            holder.post("/v1/control-challenges", &json!({ "host": "a.example", "method": "dns" })).await;
        made.push(id(&answer, "challenge"));
    }
    let page: Value = holder.get("/v1/control-challenges?limit=2").await.json();
    let next: Value = holder
        .get(&format!("/v1/control-challenges?limit=2&cursor={}", page["next"].as_str().unwrap()))
        .await
        .json();
    assert_eq!((page["items"].as_array().unwrap().len(), next["items"].as_array().unwrap().len()), (2, 1));
    let view: Value = holder.get(&format!("/v1/control-challenges/{}", made[0])).await.json();
    let published = vec![view["publish"].as_str().unwrap().to_owned()];
    internet.texts.lock().unwrap().insert("_kyodaku-challenge.a.example".to_owned(), published);
    stage.clock().advance(std::time::Duration::from_hours(168));
    let late = holder.post(&format!("/v1/control-challenges/{}/verify", made[0]), &json!({})).await;
    assert_eq!((late.status.as_u16(), late.problem()), (409, "conflict".to_owned()));
});

both!(who_lists_itself_as_a_holder_proves_nothing_about_anothers_work, async |world: World| {
    let (stage, internet) = online(&world).await;
    let (holder, hostile) = (stage.holder("Hoshikuzu Press").await, stage.holder("Kumo Trading").await);
    let work = stage.registered_work(&holder, &registration("星屑", &[&holder])).await.work;
    let itself = json!({ "holder": hostile.org });
    assert_eq!(hostile.post(&format!("/v1/works/{work}/holdings"), &itself).await.status, 201);
    let key = json!({ "key": { "type": "url", "value": "https://kumo.example/a" } });
    let bound = hostile.post(&format!("/v1/works/{work}/bindings"), &key).await;
    assert_eq!(bound.status, 201, "{bound:?}");
    let asked = json!({ "host": "kumo.example", "method": "dns" });
    let challenge: Value = hostile.post("/v1/control-challenges", &asked).await.json();
    let text = |name: &str| challenge[name].as_str().unwrap().to_owned();
    internet.texts.lock().unwrap().insert(text("publish_at"), vec![text("publish")]);
    let verify = format!("/v1/control-challenges/{}/verify", text("challenge"));
    let size = stage.log_size().await;
    hostile.post(&verify, &json!({})).await;
    let view: Value = holder.get(&format!("/v1/works/{work}")).await.json();
    let keys = view["keys"].as_array().unwrap();
    assert!(!keys.is_empty() && keys.iter().all(|key| key["state"] == "asserted"), "{view}");
    assert_eq!(stage.log_size().await, size);
});
