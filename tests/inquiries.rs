//! Inquiries: what an investigator may read, and nothing beyond it; and what auditors see of the desk beside the log.

mod commands;
mod evidence;

use std::time::Duration;

use kyodaku::domain::act::{NoticeServed, RequestMade};
use kyodaku::domain::ids::{NoticeId, RequestId, WorkId};
use kyodaku::domain::scope::{From, Scope, Until};
use kyodaku::domain::uses::Use;
use serde_json::{Value, json};

use crate::checks::scene::{Scene as Checks, catalogue};
use crate::world::actors::Actor;
use crate::world::works::registration;
use crate::world::{World, both};

/// Two works that are granted and asked about, and somebody who investigates.
struct Scene {
    of: Checks,
    investigator: Actor,
    works: [WorkId; 2],
    checks: [String; 2],
}

impl Scene {
    async fn open(world: &World) -> Self {
        let of = Checks::open(world).await;
        let investigator = of.stage.verified("Chosa Office", &["investigator"]).await;
        let works = [of.work(&[catalogue("1")]).await, of.work(&[catalogue("2")]).await];
        for work in works {
            of.grant(work).await;
        }
        let [one, two] = works.map(|work| json!([{ "work": work }]));
        let first = of.check(one).await;
        // Ids of one moment are in no order.
        of.stage.clock().advance(Duration::from_secs(1));
        let checks = [first, of.check(two).await];
        let checks = checks.map(|answer| answer["check"].as_str().unwrap().to_owned());
        Self { of, investigator, works, checks }
    }

    fn terms(&self) -> Value {
        json!({
            "auditor": self.investigator.org, "reason": "Complaint 12 of 2026", "works": { "only": [self.works[0]] },
            "parties": "any", "from": "2025-01-01T00:00:00Z", "until": "open", "expires": "2026-01-01T00:00:00Z",
        })
    }

    /// An inquiry of the registrar for the investigator, with these terms instead.
    async fn inquiry(&self, other: &Value) -> String {
        let mut terms = self.terms();
        terms.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
        opened(&self.of.stage.registrar, &terms).await
    }
}

async fn opened(by: &Actor, terms: &Value) -> String {
    let answer = by.post("/v1/inquiries", terms).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json::<Value>()["inquiry"].as_str().unwrap().to_owned()
}

/// All items of a list, page by page.
async fn all(by: &Actor, uri: &str) -> Vec<Value> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let sign = if uri.contains('?') { '&' } else { '?' };
        let page = by.get(&format!("{uri}{sign}limit=2{cursor}")).await;
        assert_eq!(page.status, 200, "{uri}: {page:?}");
        let page: Value = page.json();
        found.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else { return found };
        cursor = format!("&cursor={next}");
    }
}

fn each<'a>(items: &'a [Value], field: &str) -> Vec<&'a str> {
    items.iter().map(|item| item[field].as_str().unwrap()).collect()
}

both!(an_investigator_reads_what_an_inquiry_lays_open_and_nothing_beyond, async |world: World| {
    let scene = Scene::open(&world).await;
    let (by, [one, two]) = (&scene.investigator, &scene.works);
    let [of_one, of_two] = &scene.checks;
    // Without an inquiry there is nothing.
    assert_eq!(by.get("/v1/log").await.status, 403);
    assert_eq!(all(by, "/v1/checks").await, Vec::<Value>::new());
    assert_eq!(by.get(&format!("/v1/checks/{of_one}/receipt")).await.status, 404);
    assert_eq!(by.get(&format!("/v1/checks?developer={}", scene.of.developer.org)).await.status, 404);
    assert_eq!(by.get("/logs/acts/tile/entries/000.p/1").await.status, 403);

    let id = scene.inquiry(&json!({})).await;
    let entries = all(by, &format!("/v1/log?inquiry={id}")).await;
    let told = ["work.registered", "assertions.confirmed", "grant.recorded"];
    assert_eq!(each(&entries, "type"), told);
    assert!(entries.iter().all(|it| it["works"] == json!([one])), "{entries:?}");
    let grant = &entries[2]["index"];
    assert_eq!(all(by, &format!("/v1/log?inquiry={id}&work={two}")).await, Vec::<Value>::new());
    assert_eq!(all(by, &format!("/v1/log?inquiry={id}&type=grant.recorded")).await.len(), 1);

    let checks = all(by, &format!("/v1/checks?inquiry={id}")).await;
    assert_eq!(each(&checks, "check"), [of_one]);
    assert_eq!(all(by, &format!("/v1/checks?inquiry={id}&work={two}")).await, Vec::<Value>::new());
    let receipt = by.get(&format!("/v1/checks/{of_one}/receipt?inquiry={id}&basis={grant},0")).await;
    assert_eq!(receipt.status, 200, "{receipt:?}");
    let receipt: Value = receipt.json();
    assert_eq!(receipt["basis"][0].get("entry"), None, "what is not laid open is told by its hash alone");
    assert!(receipt["basis"][1]["entry"].as_str().unwrap().contains("grant.recorded"));
    let works: Value = by.get(&format!("/v1/checks/{of_one}/works?inquiry={id}")).await.json();
    assert_eq!(works["items"], json!([{ "work": one, "uses": ["train.generative"], "permitted": true }]));
    let grants: Value = by.get(&format!("/v1/checks/{of_one}/grants?inquiry={id}")).await.json();
    assert_eq!(grants["items"], json!([{ "work": one, "uses": ["train.generative"], "rests_on": [grant] }]));
    for part in ["receipt", "works", "grants"] {
        let uri = format!("/v1/checks/{of_two}/{part}?inquiry={id}");
        assert_eq!(by.get(&uri).await.status, 404, "{uri}");
        // Nor is it open once the inquiry is not named.
        assert_eq!(by.get(&format!("/v1/checks/{of_one}/{part}")).await.status, 404, "{part}");
    }
});

both!(an_inquiry_is_bound_by_parties_and_time, async |world: World| {
    let scene = Scene::open(&world).await;
    let by = &scene.investigator;
    let any = json!({ "works": "any", "parties": { "only": [scene.of.competitor.org] } });
    let id = scene.inquiry(&any).await;
    let named = all(by, &format!("/v1/log?inquiry={id}")).await;
    assert!(each(&named, "type").contains(&"org.verified"), "{named:?}");
    assert!(!each(&named, "type").contains(&"grant.recorded"), "{named:?}");
    assert_eq!(all(by, &format!("/v1/checks?inquiry={id}")).await, Vec::<Value>::new());
    let other = format!("/v1/log?inquiry={id}&party={}", scene.of.developer.org);
    assert_eq!(all(by, &other).await, Vec::<Value>::new());
    let [one, _] = &scene.checks;
    assert_eq!(by.get(&format!("/v1/checks/{one}/receipt?inquiry={id}")).await.status, 404);

    // Its end is outside of its time, its beginning inside.
    scene.of.stage.clock().advance(Duration::from_hours(1));
    let later = scene.of.check(json!([{ "work": scene.works[0] }])).await;
    let at = later["at"].as_str().unwrap();
    let before = scene.inquiry(&json!({ "works": "any", "until": at })).await;
    let since = scene.inquiry(&json!({ "works": "any", "from": at })).await;
    let checks = async |id: &str| all(by, &format!("/v1/checks?inquiry={id}")).await;
    assert_eq!(each(&checks(&before).await, "check"), [&*scene.checks[1], &*scene.checks[0]]);
    assert_eq!(each(&checks(&since).await, "check"), [later["check"].as_str().unwrap()]);
    let uri = format!("/v1/checks/{}/receipt?inquiry={since}", scene.checks[0]);
    assert_eq!(by.get(&uri).await.status, 404);
    let opened = all(by, &format!("/v1/log?inquiry={since}")).await;
    assert!(opened.iter().all(|it| it["recorded"].as_str().unwrap() >= at), "{opened:?}");
    assert_eq!(all(by, &format!("/v1/log?inquiry={before}&since={at}")).await, Vec::<Value>::new());
});

both!(an_inquiry_ends, async |world: World| {
    let scene = Scene::open(&world).await;
    let (by, registrar) = (&scene.investigator, &scene.of.stage.registrar);
    let (closed, expired) = (scene.inquiry(&json!({})).await, scene.inquiry(&json!({})).await);
    let reads = async |id: &str| by.get(&format!("/v1/log?inquiry={id}")).await.status;
    assert_eq!([reads(&closed).await, reads(&expired).await], [200, 200]);
    let close = format!("/v1/inquiries/{closed}/close");
    assert_eq!(registrar.post(&close, &json!({})).await.status, 200);
    assert_eq!([reads(&closed).await, reads(&expired).await], [403, 200]);
    assert_eq!(registrar.post(&close, &json!({})).await.status, 422);
    let view: Value = by.get(&format!("/v1/inquiries/{closed}")).await.json();
    assert_eq!((&view["state"], view["closed"].is_string()), (&json!("closed"), true));
    let late = json!({ "works": "any", "expires": "2025-10-28T00:00:00Z" });
    let late = scene.inquiry(&late).await;
    scene.of.stage.clock().advance(Duration::from_hours(24));
    assert_eq!([reads(&expired).await, reads(&late).await], [200, 403]);
    let view: Value = by.get(&format!("/v1/inquiries/{late}")).await.json();
    assert_eq!(view["state"], "expired");
    // Whoever inquires may end it too; a suspension ends the reading at once.
    scene.of.stage.state(by, "suspend").await;
    assert_eq!(reads(&expired).await, 403);
    scene.of.stage.state(by, "reinstate").await;
    assert_eq!(by.post(&format!("/v1/inquiries/{expired}/close"), &json!({})).await.status, 200);
    assert_eq!(reads(&expired).await, 403);
});

both!(an_inquiry_is_its_auditors_and_told_to_nobody_it_looks_into, async |world: World| {
    let scene = Scene::open(&world).await;
    let stage = &scene.of.stage;
    let other = stage.verified("Betsu Office", &["investigator"]).await;
    let auditor = stage.auditor().await;
    let id = scene.inquiry(&json!({})).await;
    let uri = format!("/v1/inquiries/{id}");
    let view: Value = scene.investigator.get(&uri).await.json();
    assert_eq!((&view["reason"], &view["state"]), (&json!("Complaint 12 of 2026"), &json!("open")));
    assert_eq!(view["opened_by"], json!(stage.registrar.org));
    for knows in [&scene.investigator, &auditor, &stage.registrar] {
        assert_eq!(knows.get(&uri).await.status, 200);
        assert_eq!(all(knows, "/v1/inquiries").await.len(), 1);
    }
    for by in [&other, &scene.of.holder, &scene.of.developer] {
        assert_eq!(by.get(&uri).await.status, 404);
        assert_eq!(all(by, "/v1/inquiries").await, Vec::<Value>::new());
        let entries: Vec<Value> = all(by, "/v1/entries").await;
        assert!(!json!(entries).to_string().contains("inquiry.opened"), "{entries:?}");
    }
    assert_eq!(other.get(&format!("/v1/log?inquiry={id}")).await.status, 404);
    assert_eq!(other.post(&format!("{uri}/close"), &json!({})).await.status, 403);
    // An auditor reads all, and under no inquiry of another's.
    assert_eq!(auditor.get(&format!("/v1/log?inquiry={id}")).await.status, 403);
    assert_eq!(scene.of.developer.get(&format!("/v1/checks?inquiry={id}")).await.status, 403);
    assert_eq!(stage.registrar.get(&format!("/v1/checks?inquiry={id}")).await.status, 403);

    // An auditor opens one for itself alone; an investigator none.
    let mut terms = scene.terms();
    assert_eq!(auditor.post("/v1/inquiries", &terms).await.status, 403);
    assert_eq!(scene.investigator.post("/v1/inquiries", &terms).await.status, 403);
    terms.as_object_mut().unwrap().remove("auditor");
    let own = opened(&auditor, &terms).await;
    // What others inquire into is not told to who inquires.
    for (by, id) in [(&auditor, &own), (&scene.investigator, &id)] {
        let read = all(by, &format!("/v1/log?inquiry={id}")).await;
        assert_eq!(each(&read, "type"), ["work.registered", "assertions.confirmed", "grant.recorded"]);
    }
    let reader = auditor.with_scopes(&["read", "audit"]).await;
    assert_eq!(reader.post("/v1/inquiries", &terms).await.status, 403);
});

both!(nobody_learns_of_an_inquiry_by_what_is_beside_it, async |world: World| {
    let scene = Scene::open(&world).await;
    let stage = &scene.of.stage;
    // The state of a work is that of what happened to it, and not of who looks into it.
    let work = format!("/v1/works/{}", scene.works[0]);
    let before = scene.of.holder.get(&work).await;
    let id = scene.inquiry(&json!({ "parties": "any" })).await;
    let other = stage.verified("Betsu Office", &["investigator"]).await;
    scene.inquiry(&json!({ "auditor": other.org, "works": "any" })).await;
    let after = scene.of.holder.get(&work).await;
    assert_eq!(after.headers["etag"], before.headers["etag"]);
    let [before, after]: [Value; 2] = [before.json(), after.json()];
    assert_eq!(before["entry"], after["entry"]);
    // Nor do pages end where something is not told.
    let any = scene.inquiry(&json!({ "works": "any" })).await;
    let org = &other.org;
    for query in ["type=inquiry.opened".to_owned(), format!("party={org}&type=inquiry.opened")] {
        let page = scene.investigator.get(&format!("/v1/log?inquiry={any}&limit=1&{query}")).await;
        assert_eq!(page.json::<Value>(), json!({ "items": [], "next": null }), "{query}");
    }
    let by_one = async |query: &str| {
        let (mut pages, mut cursor) = (0, String::new());
        loop {
            let uri = format!("/v1/log?inquiry={any}&limit=1{query}{cursor}");
            let page: Value = scene.investigator.get(&uri).await.json();
            assert_eq!(page["items"].as_array().unwrap().len(), 1, "{page}");
            pages += 1;
            let Some(next) = page["next"].as_str() else { return pages };
            cursor = format!("&cursor={next}");
        }
    };
    assert_eq!(by_one(&format!("&party={org}")).await, 2, "it was registered and verified");
    assert_eq!(by_one(&format!("&work={}", scene.works[0])).await, 3);
    // A place among checks that are not told is sealed.
    for _ in 0..110 {
        scene.of.check(json!([{ "work": scene.works[1] }])).await;
    }
    let page: Value = scene.investigator.get(&format!("/v1/checks?inquiry={id}")).await.json();
    assert_eq!(page["items"], json!([]));
    let cursor = page["next"].as_str().unwrap();
    let inside = data_encoding::BASE64URL_NOPAD.decode(cursor.as_bytes()).unwrap();
    assert!(!String::from_utf8_lossy(&inside).contains("chk_"));
    assert_eq!(
        each(&all(&scene.investigator, &format!("/v1/checks?inquiry={id}")).await, "check"),
        [&scene.checks[0]]
    );
    let others = scene.investigator.get(&format!("/v1/checks?inquiry={any}&cursor={cursor}")).await;
    assert_eq!(others.status, 400);
});

both!(a_developer_that_investigates_reads_under_an_inquiry_what_that_lays_open, async |world: World| {
    let scene = Scene::open(&world).await;
    let both = scene.of.stage.verified("Ryotei Office", &["ai_developer", "investigator"]).await;
    let asked = json!({ "context": { "uses": ["search"] }, "items": [{ "work": scene.works[1] }] });
    assert_eq!(both.post("/v1/checks", &asked).await.status, 200);
    let id = scene.inquiry(&json!({ "auditor": both.org })).await;
    assert_eq!(each(&all(&both, &format!("/v1/checks?inquiry={id}")).await, "check"), [&scene.checks[0]]);
    assert_eq!(all(&both, "/v1/checks").await.len(), 1, "its own it reads as any developer");
});

both!(what_is_refused_under_an_inquiry_is_on_the_trail_too, async |world: World| {
    let scene = Scene::open(&world).await;
    let id = scene.inquiry(&json!({})).await;
    let close = format!("/v1/inquiries/{id}/close");
    assert_eq!(scene.of.stage.registrar.post(&close, &json!({})).await.status, 200);
    assert_eq!(scene.investigator.get(&format!("/v1/log?inquiry={id}")).await.status, 403);
    assert_eq!(scene.investigator.get(&format!("/v1/inquiries/{id}/evidence")).await.status, 403);
    // Refusals are written when there is time.
    let mut found = Vec::new();
    for _ in 0..200 {
        let trail = all(&scene.of.stage.registrar, "/v1/security-events").await;
        let refused = |it: &&Value| it["status"] == 403 && it["inquiry"] == json!(id);
        found = trail.iter().filter(refused).map(|it| it["operation"].clone()).collect();
        if found.len() == 2 {
            return;
        }
    }
    panic!("{found:?}");
});

both!(what_is_wrong_with_an_inquiry_is_told_at_once, async |world: World| {
    let scene = Scene::open(&world).await;
    let registrar = &scene.of.stage.registrar;
    let size = scene.of.stage.log_size().await;
    let mut terms = scene.terms();
    for (name, value) in [
        ("auditor", json!(scene.of.holder.org)),
        ("works", json!({ "only": [WorkId::new(scene.of.stage.clock().new_uuid())] })),
        ("until", json!("2024-01-01T00:00:00Z")),
        ("expires", json!("2024-01-01T00:00:00Z")),
    ] {
        terms[name] = value;
    }
    let answer = registrar.post("/v1/inquiries", &terms).await;
    assert_eq!(answer.status, 422, "{answer:?}");
    let problem: Value = answer.json();
    let told: Vec<_> = each(problem["errors"].as_array().unwrap(), "pointer");
    for pointer in ["/auditor", "/works/only/0", "/expires"] {
        assert!(told.contains(&pointer), "{pointer}: {problem}");
    }
    for (field, value) in [
        ("reason", json!("")),
        ("reason", json!("a\u{0}b")),
        ("expires", json!("open")),
        ("from", json!("yesterday")),
        ("parties", json!({ "only": [] })),
        ("works", json!(null)),
    ] {
        let mut terms = scene.terms();
        terms[field] = value;
        let answer = registrar.post("/v1/inquiries", &terms).await;
        assert!([400, 422].contains(&answer.status.as_u16()), "{field}: {answer:?}");
    }
    assert_eq!(scene.of.stage.log_size().await, size);
    for uri in ["/v1/log?inquiry=1", "/v1/checks?since=x", "/v1/unanswered?party=1"] {
        assert_eq!(scene.investigator.get(uri).await.status, 400, "{uri}");
    }
});

both!(each_read_under_an_inquiry_is_on_the_trail, async |world: World| {
    let scene = Scene::open(&world).await;
    let by = &scene.investigator;
    let id = scene.inquiry(&json!({})).await;
    let check = &scene.checks[0];
    for uri in [
        format!("/v1/log?inquiry={id}"),
        format!("/v1/checks?inquiry={id}"),
        format!("/v1/checks/{check}/receipt?inquiry={id}"),
        format!("/v1/checks/{check}/works?inquiry={id}"),
        format!("/v1/checks/{check}/grants?inquiry={id}"),
        format!("/v1/unanswered?inquiry={id}"),
    ] {
        assert_eq!(by.get(&uri).await.status, 200, "{uri}");
    }
    let trail = all(&scene.of.stage.registrar, &format!("/v1/security-events?organization={}", by.org)).await;
    let mut under: Vec<_> = trail.iter().filter(|it| it["inquiry"] == json!(id)).collect();
    under.sort_by_key(|it| it["operation"].to_string());
    let operations: Vec<_> = under.iter().map(|it| it["operation"].as_str().unwrap()).collect();
    let expected = [
        "getReceipt",
        "listCheckedGrants",
        "listCheckedWorks",
        "listChecks",
        "listUnanswered",
        "lookThroughLog",
    ];
    assert_eq!(operations, expected, "{trail:?}");
    assert!(under.iter().all(|it| it["person"] == json!(by.person)));
});

both!(auditors_see_what_waits_for_an_answer, async |world: World| {
    let scene = Scene::open(&world).await;
    let of = &scene.of;
    let auditor = of.stage.auditor().await;
    let unsure = of.stage.registered_work(&of.holder, &registration("星屑", &[&of.holder])).await;
    let developer = of.developer.org.parse().unwrap();
    let request = RequestMade {
        request: RequestId::new(of.stage.clock().new_uuid()),
        works: vec![scene.works[0]],
        uses: Scope::Only(vec![Use::Search]),
        models: Scope::Any,
        territories: Scope::Any,
        from: From::OnRecord,
        until: Until::Open,
        answer_by_ms: of.stage.clock().now_ms() + 60_000,
    };
    let notice = NoticeServed {
        notice: NoticeId::new(of.stage.clock().new_uuid()),
        to: developer,
        works: vec![scene.works[1], scene.works[0]],
        uses: Scope::Any,
    };
    let (request_id, notice_id) = (request.request, notice.notice);
    of.submit(&[&of.developer], vec![request.into()]).await;
    of.submit(&[&of.holder], vec![notice.into()]).await;

    let waiting = all(&auditor, "/v1/unanswered").await;
    assert!(each(&waiting, "type").starts_with(&["holding"]), "{waiting:?}");
    let [.., asked, served] = &waiting[..] else { panic!("{waiting:?}") };
    assert_eq!((&asked["type"], &asked["request"]), (&json!("request"), &json!(request_id)));
    assert_eq!(asked["by"]["name"], "Kasane Labs");
    assert_eq!((&served["type"], &served["notice"]), (&json!("notice"), &json!(notice_id)));
    assert_eq!(
        (&served["by"]["name"], &served["to"]["name"]),
        (&json!("Hoshikuzu Press"), &json!("Kasane Labs"))
    );
    let of_work = all(&auditor, &format!("/v1/unanswered?work={}", unsure.work)).await;
    assert!(!of_work.is_empty() && of_work.len() < waiting.len());
    let of_developer = all(&auditor, &format!("/v1/unanswered?party={}", of.developer.org)).await;
    assert_eq!(each(&of_developer, "type"), ["request", "notice"]);

    // The registrar's queue holds what waits for the registrar.
    let queue = all(&of.stage.registrar, "/v1/queue").await;
    assert_eq!(queue.len(), waiting.len() - 2);
    assert_eq!(of.stage.registrar.get("/v1/unanswered").await.status, 403);
    // An inquiry bounds it.
    assert_eq!(scene.investigator.get("/v1/unanswered").await.status, 403);
    let id = scene.inquiry(&json!({})).await;
    let open = all(&scene.investigator, &format!("/v1/unanswered?inquiry={id}")).await;
    assert_eq!(each(&open, "type"), ["request", "notice"]);
    assert!(open.iter().all(|it| it["work"]["work"] == json!(scene.works[0])), "{open:?}");
    let narrow = json!({ "parties": { "only": [of.competitor.org] } });
    let id = scene.inquiry(&narrow).await;
    assert_eq!(all(&scene.investigator, &format!("/v1/unanswered?inquiry={id}")).await, Vec::<Value>::new());
    let later = scene.inquiry(&json!({ "from": "2025-12-01T00:00:00Z" })).await;
    assert_eq!(
        all(&scene.investigator, &format!("/v1/unanswered?inquiry={later}")).await,
        Vec::<Value>::new()
    );
});

both!(checks_are_looked_through_by_work_and_time, async |world: World| {
    let scene = Scene::open(&world).await;
    let auditor = scene.of.stage.auditor().await;
    let [one, two] = scene.checks.each_ref().map(String::as_str);
    scene.of.stage.clock().advance(Duration::from_hours(2));
    let both = scene.of.check(json!([{ "work": scene.works[0] }, { "work": scene.works[1] }])).await;
    let (both, at) = (both["check"].as_str().unwrap(), both["at"].as_str().unwrap());
    for by in [&auditor, &scene.of.developer, &scene.of.stage.registrar] {
        let found = async |query: &str| {
            let found = all(by, &format!("/v1/checks?{query}")).await;
            each(&found, "check").into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(found("").await, [both, two, one]);
        assert_eq!(found(&format!("work={}", scene.works[0])).await, [both, one]);
        assert_eq!(found(&format!("work={}", scene.works[1])).await, [both, two]);
        assert_eq!(found(&format!("since={at}")).await, [both]);
        assert_eq!(found(&format!("until={at}")).await, [two, one]);
        assert_eq!(found(&format!("until={at}&work={}", scene.works[0])).await, [one]);
        assert_eq!(found("since=2099-01-01T00:00:00Z").await, Vec::<String>::new());
        assert_eq!(found("until=2000-01-01T00:00:00Z").await, Vec::<String>::new());
    }
    assert_eq!(all(&scene.of.competitor, "/v1/checks").await, Vec::<Value>::new());
    // What is permitted rests on grants; what is not rests on none.
    let denied = scene.of.ask(json!({ "uses": ["search"] }), json!([{ "work": scene.works[0] }])).await;
    let denied: Value = denied.json();
    let uri = format!("/v1/checks/{}/grants", denied["check"].as_str().unwrap());
    assert_eq!(all(&auditor, &uri).await, Vec::<Value>::new());
    let rests = all(&scene.of.developer, &format!("/v1/checks/{both}/grants")).await;
    assert_eq!(rests.len(), 2);
    assert_eq!(scene.of.competitor.get(&format!("/v1/checks/{both}/grants")).await.status, 404);
});
