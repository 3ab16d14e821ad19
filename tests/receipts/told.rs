//! Who is told what.

use kyodaku::domain::ids::Id;
use kyodaku::log::receipt::{Expected, Receipt, answers};
use serde_json::{Value, json};

use super::{Answered, page};
use crate::checks::scene::{training, url};
use crate::world::works::registration;
use crate::world::{World, both};

both!(a_receipt_proves_the_answer_without_the_registry, async |world: World| {
    let it = Answered::open(&world).await;
    let (receipt, _) = it.receipt(&it.scene.developer).await;
    let verified = it.verify(&receipt).unwrap();
    assert_eq!(verified.sealed, None, "not sealed yet");
    let record = &verified.record;
    assert_eq!(record.developer.to_string(), it.scene.developer.org);
    assert_eq!((record.items.size, record.permitted, record.rule_version), (3, 1, 1));
    assert_eq!(json!(record.log.size), it.told["log_size"]);
    let recheck: jiff::Timestamp = it.told["recheck_by"].as_str().unwrap().parse().unwrap();
    assert_eq!(record.recheck_by_ms, Some(recheck.as_millisecond()));
    // The grant names the developer, so it is shown; and the whole answer is what was bound.
    assert!(receipt.basis[0].entry.as_ref().unwrap().contains("\"grant.recorded\""));
    let answer = Some(it.kept());
    let expected = Expected {
        check: Some(receipt.check),
        developer: Some(it.scene.developer.org.parse().unwrap()),
        answer,
    };
    receipt.verify(&it.keys, &expected).unwrap();
    // Written anew by another program it is the same answer.
    let pretty = serde_json::to_vec_pretty(&it.told).unwrap();
    assert_eq!(answers(&pretty).unwrap(), answers(&it.answer).unwrap());
    // Sealed, it proves more, and shows any item alone.
    let whole = it.whole().await;
    let verified = it.verify(&whole).unwrap();
    let (seal, _) = verified.sealed.unwrap();
    assert!(seal >= record.log.size && verified.newest.size > seal);
    let again = Receipt::read(&serde_json::to_vec(&whole).unwrap()).unwrap();
    assert_eq!(again, whole);
});

both!(a_receipt_is_for_who_asked_and_for_who_may_see_all, async |world: World| {
    let it = Answered::open(&world).await;
    let scene = &it.scene;
    for by in [&scene.developer, &it.auditor, &scene.stage.registrar] {
        it.verify(&it.receipt(by).await.0).unwrap();
    }
    // The holder of one of the works, another developer, and whoever has nothing to do with it.
    let stranger = scene.stage.holder("Tanin Press").await;
    for by in [&scene.holder, &scene.competitor, &stranger] {
        assert_eq!(by.get(&it.path("receipt")).await.status, 404);
    }
    for by in [&scene.competitor, &stranger] {
        for rest in ["receipt.jws", "works"] {
            assert_eq!(by.get(&it.path(rest)).await.status, 404, "{rest}");
        }
    }
    // A key that may read, and not as an auditor, sees no more than anybody.
    let narrow = json!({ "label": "narrow", "scopes": ["read"] });
    let narrow: Value = it.auditor.post("/v1/keys", &narrow).await.json();
    let narrow = it.auditor.client.with_key(narrow["key"]["secret"].as_str().unwrap());
    for rest in ["receipt", "receipt.jws", "works"] {
        assert_eq!(narrow.get(&it.path(rest)).await.status, 404, "{rest}");
    }
    let unknown: Id<kyodaku::domain::ids::CheckKind> = scene.id();
    assert_eq!(it.auditor.get(&format!("/v1/checks/{unknown}/receipt")).await.status, 404);
    // What is an auditor's to see of another's is on the trail.
    let trail: Value = scene.stage.registrar.get("/v1/security-events").await.json();
    let operations: Vec<_> =
        trail["items"].as_array().unwrap().iter().map(|it| it["operation"].clone()).collect();
    assert!(operations.contains(&json!("getReceipt")), "{operations:?}");
});

both!(a_contractor_and_its_developer_have_the_same_receipt, async |world: World| {
    let it = Answered::open(&world).await;
    let contractor = it.scene.stage.developer("Shitauke Works").await;
    it.scene.developer.post("/v1/contractors", &json!({ "organization": contractor.org })).await;
    let body = json!({ "context": training(), "items": [{ "url": page(1) }] });
    let header = [("kyodaku-on-behalf-of", it.scene.developer.org.as_str())];
    let asked: Value = contractor.client.json("POST", "/v1/checks", &body, &header).await.json();
    let path = format!("/v1/checks/{}/receipt", asked["check"].as_str().unwrap());
    let (theirs, ours) = (contractor.get(&path).await, it.scene.developer.get(&path).await);
    assert_eq!(theirs.body, ours.body);
    let record = it.verify(&Receipt::read(&theirs.body).unwrap()).unwrap().record;
    assert_eq!(record.asked_by.unwrap().to_string(), contractor.org);
    let listed: Value = contractor.get("/v1/checks?asked_for_others=true").await.json();
    assert_eq!(listed["items"][0]["check"], asked["check"]);
    let own: Value = contractor.get("/v1/checks").await.json();
    assert_eq!(own["items"], json!([]));
});

both!(an_entry_of_others_is_proved_and_not_shown, async |world: World| {
    let it = Answered::open(&world).await;
    // The registration of the work names its holder alone.
    let (_, others) = (it.grant(), it.grant() - 2);
    let path = it.path(&format!("receipt?basis={others},{}", it.grant()));
    let receipt = Receipt::read(&it.scene.developer.get(&path).await.body).unwrap();
    assert_eq!((receipt.basis[0].entry.as_ref(), receipt.basis[1].entry.is_some()), (None, true));
    it.verify(&receipt).unwrap();
    let whole = Receipt::read(&it.auditor.get(&path).await.body).unwrap();
    assert!(whole.basis[0].entry.is_some());
    it.verify(&whole).unwrap();
    // What the log did not have then is refused, and so is what is no list of entries.
    let beyond = it.told["log_size"].as_u64().unwrap();
    it.scene.work(&[url(&page(8))]).await;
    let refused = it.scene.developer.get(&it.path(&format!("receipt?basis={beyond}"))).await;
    assert_eq!((refused.status.as_u16(), refused.problem()), (404, "not_found".to_owned()));
    assert!(refused.json::<Value>()["detail"].as_str().unwrap().contains("when this was answered"));
    let many = vec!["1"; 101].join(",");
    for bad in ["", "1,", "a", "-1", "+1", "1%20", "18446744073709551616", &many] {
        let refused = it.scene.developer.get(&it.path(&format!("receipt?basis={bad}"))).await;
        assert_eq!(refused.status, 400, "{bad}");
    }
});

both!(a_holder_is_told_of_its_own_works_alone, async |world: World| {
    let it = Answered::open(&world).await;
    let scene = &it.scene;
    let other = scene.stage.holder("Betsu Press").await;
    let theirs = scene.work_of(&other, &[url("https://betsu.example/1")]).await;
    let items = json!([{ "url": page(1) }, { "url": page(2) }, { "url": "https://betsu.example/1" }]);
    let told = scene.check(items).await;
    let path = format!("/v1/checks/{}/works", told["check"].as_str().unwrap());
    let all: Value = scene.developer.get(&path).await.json();
    assert_eq!(all["items"].as_array().unwrap().len(), 3);
    assert_eq!(it.auditor.get(&path).await.json::<Value>(), all);
    let own: Value = other.get(&path).await.json();
    let line = json!({ "work": theirs, "uses": ["train.generative"] });
    assert_eq!((&own["items"], &own["next"]), (&json!([line]), &Value::Null));
    // Whether an item of several holders was permitted would tell of their licences.
    let jws = other.get(&path.replace("works", "receipt.jws")).await;
    let statement = kyodaku::log::receipt::signed::verify(
        std::str::from_utf8(&jws.body).unwrap(),
        &crate::receipts::signed::public_keys(&it).await,
    );
    assert_eq!(statement.unwrap().works.unwrap()[0].permitted, None);
    let two: Value = scene.holder.get(&path).await.json();
    assert_eq!(two["items"].as_array().unwrap().len(), 2);
    // Page by page it is the same.
    let (mut pages, mut next) = (Vec::new(), format!("{path}?limit=1"));
    loop {
        let page: Value = scene.developer.get(&next).await.json();
        pages.extend(page["items"].as_array().unwrap().clone());
        let Some(cursor) = page["next"].as_str() else { break };
        next = format!("{path}?limit=1&cursor={cursor}");
    }
    assert_eq!(json!(pages), all["items"]);
    // Who only asserts what it holds is told nothing.
    let claimant = scene.stage.holder("Jisho Press").await;
    let mut asserted = registration("申立て", &[&claimant]);
    asserted["keys"] = json!([{ "type": "url", "value": "https://jisho.example/1" }]);
    let asserted = claimant.post("/v1/works", &asserted).await;
    assert_eq!(asserted.status, 201);
    let told = scene.check(json!([{ "url": "https://jisho.example/1" }])).await;
    let path = format!("/v1/checks/{}/works", told["check"].as_str().unwrap());
    let works: Value = scene.developer.get(&path).await.json();
    assert_eq!(works["items"][0]["work"], asserted.json::<Value>()["work"]);
    assert_eq!(claimant.get(&path).await.status, 404);
});

both!(checks_are_listed_to_those_whose_they_are, async |world: World| {
    let it = Answered::open(&world).await;
    let scene = &it.scene;
    let listed: Value = scene.developer.get("/v1/checks?limit=1").await.json();
    let first = &listed["items"][0];
    assert_eq!(
        (&first["check"], &first["items"], &first["permitted"]),
        (&it.told["check"], &json!(3), &json!(1))
    );
    assert_eq!(first["at"], it.told["at"]);
    let next = format!("/v1/checks?limit=1&cursor={}", listed["next"].as_str().unwrap());
    let second: Value = scene.developer.get(&next).await.json();
    assert_eq!((second["items"].as_array().unwrap().len(), &second["next"]), (1, &Value::Null));
    assert_ne!(second["items"][0]["check"], first["check"]);
    assert_eq!(scene.competitor.get("/v1/checks").await.json::<Value>()["items"], json!([]));
    let of = format!("/v1/checks?developer={}", scene.developer.org);
    for by in [&scene.developer, &it.auditor, &scene.stage.registrar] {
        assert_eq!(by.get(&of).await.json::<Value>()["items"].as_array().unwrap().len(), 2);
    }
    for by in [&scene.competitor, &scene.holder] {
        assert_eq!(by.get(&of).await.status, 404);
    }
    let both = format!("{of}&asked_for_others=true");
    assert_eq!(scene.developer.get(&both).await.status, 400);
    assert_eq!(it.auditor.get("/v1/checks").await.json::<Value>()["items"].as_array().unwrap().len(), 2);
});
