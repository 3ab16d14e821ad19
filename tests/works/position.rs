//! What is on record for every use of a work, as each may see it; and who may train.

use serde_json::{Value, json};

use crate::world::works::{grant, id, registration};
use crate::world::{World, both};

both!(every_use_has_a_state_and_words_in_both_languages, async |world: World| {
    let stage = world.stage().await;
    let holder = stage.holder("Hoshikuzu Press").await;
    let developer = stage.developer("Kasane Labs").await;
    let work = stage.confirmed(&holder, &registration("星屑", &[&holder])).await.work;
    for (who, seen_as) in [
        (&developer, "developer"),
        (&holder, "all"),
        (&stage.registrar, "all"),
        (&stage.holder("Other").await, "public"),
    ] {
        let position: Value = who.get(&format!("/v1/works/{work}/position")).await.json();
        assert_eq!(position["seen_as"], seen_as);
        assert_eq!(position["work"]["titles"][0]["text"], "星屑");
        let uses = position["uses"].as_array().unwrap();
        assert_eq!(uses.len(), 12);
        for state in uses {
            assert_eq!(
                (&state["state"], &state["reasons"][0]["code"]),
                (&json!("not_permitted"), &json!("no_grant"))
            );
            assert!(state["words"]["en"].as_str().unwrap().contains("This is not permission"), "{state}");
            assert!(state["words"]["ja"].as_str().unwrap().contains("許諾ではありません"), "{state}");
            assert_eq!(state["reasons"][0]["ask"][0]["name"], "Hoshikuzu Press");
            assert!(state["words"]["en"].as_str().unwrap().contains("Ask Hoshikuzu Press"), "{state}");
        }
    }
    let unknown = format!("/v1/works/wrk_{}/position", "0".repeat(26));
    assert_eq!(developer.get(&unknown).await.status, 404);
});

both!(a_named_licence_shows_to_its_parties_alone, async |world: World| {
    let stage = world.stage().await;
    let holder = stage.holder("Hoshikuzu Press").await;
    let (developer, rival) = (stage.developer("Kasane Labs").await, stage.developer("Rival").await);
    let model = developer.model("Kasane 1").await;
    let work = stage.confirmed(&holder, &registration("星屑", &[&holder])).await.work;
    let mut body = grant(&work);
    body["developers"] = json!({ "only": [developer.org] });
    body["models"] = json!({ "only": [model] });
    body["territories"] = json!({ "only": ["JP"] });
    let recorded = holder.post("/v1/grants", &body).await;
    let granted = id(&recorded, "grant");
    let finetune = "train.finetune";
    for who in [&holder, &developer] {
        let state = stage.state_of(who, &work, finetune).await;
        assert_eq!(state["state"], "granted_to_some", "{state}");
        assert_eq!(
            state["to"],
            json!([{ "developer": developer.org, "model": model, "territory": "JP", "uses": [finetune], "grants": [granted] }])
        );
    }
    for who in [&rival, &stage.holder("Other").await] {
        let state = stage.state_of(who, &work, finetune).await;
        assert_eq!(
            (&state["state"], &state["to"], &state["reasons"][0]["code"]),
            (&json!("not_permitted"), &json!([]), &json!("no_grant"))
        );
        assert!(
            !state.to_string().contains(&developer.org) && !state.to_string().contains(&granted),
            "{state}"
        );
    }
    let entry = recorded.json::<Value>()["recorded"]["first_entry"].clone();
    holder.post("/v1/grants", &grant(&work)).await;
    let open = stage.state_of(&rival, &work, finetune).await;
    assert_eq!((&open["state"], &open["reasons"]), (&json!("granted"), &json!([])));
    assert_ne!(open["rests_on"], json!([entry]));
});

both!(who_lists_itself_as_a_holder_sees_no_licence_of_others, async |world: World| {
    let stage = world.stage().await;
    let (holder, hostile) = (stage.holder("Hoshikuzu Press").await, stage.holder("Kumo Trading").await);
    let developer = stage.developer("Kasane Labs").await;
    let work = stage.registered_work(&holder, &registration("星屑", &[&holder])).await.work;
    let mut body = grant(&work);
    body["developers"] = json!({ "only": [developer.org] });
    let granted = id(&holder.post("/v1/grants", &body).await, "grant");
    let only = json!({ "work": work, "developers": { "only": [developer.org] } });
    let denied = id(&holder.post("/v1/denials", &only).await, "denial");
    let itself = json!({ "holder": hostile.org });
    assert_eq!(hostile.post(&format!("/v1/works/{work}/holdings"), &itself).await.status, 201);
    let paths = [format!("/v1/grants/{granted}"), format!("/v1/denials/{denied}")];
    for path in &paths {
        let seen = [hostile.get(path).await.status.as_u16(), holder.get(path).await.status.as_u16()];
        assert_eq!(seen, [404, 200], "{path}");
    }
    let state = stage.state_of(&hostile, &work, "train.finetune").await;
    assert!(!state.to_string().contains(&granted) && !state.to_string().contains(&developer.org), "{state}");
    assert_eq!(
        hostile.post(&format!("/v1/works/{work}/withdraw"), &json!({})).await.problem(),
        "not_allowed"
    );
});

both!(whose_holding_was_rejected_neither_reads_nor_withdraws_what_it_registered, async |world: World| {
    let stage = world.stage().await;
    let (impostor, holder) = (stage.holder("Kumo Trading").await, stage.holder("Hoshikuzu Press").await);
    let developer = stage.developer("Kasane Labs").await;
    let made = stage.registered_work(&impostor, &registration("星屑", &[&impostor])).await;
    let (work, reject) = (
        &made.work,
        json!({ "holdings": [made.holdings[0]], "bindings": [], "evidence": { "text": "not theirs" } }),
    );
    assert_eq!(stage.both_persons("/v1/assertions/reject", &reject).await.status, 200);
    let itself = json!({ "holder": holder.org });
    assert_eq!(holder.post(&format!("/v1/works/{work}/holdings"), &itself).await.status, 201);
    let mut body = grant(work);
    body["developers"] = json!({ "only": [developer.org] });
    let granted = id(&holder.post("/v1/grants", &body).await, "grant");
    let only = json!({ "work": work, "developers": { "only": [developer.org] } });
    let denied = id(&holder.post("/v1/denials", &only).await, "denial");
    for path in [format!("/v1/grants/{granted}"), format!("/v1/denials/{denied}")] {
        let seen = [impostor.get(&path).await.status.as_u16(), holder.get(&path).await.status.as_u16()];
        assert_eq!(seen, [404, 200], "{path}");
    }
    let state = stage.state_of(&impostor, work, "train.finetune").await;
    assert!(!state.to_string().contains(&granted) && !state.to_string().contains(&developer.org), "{state}");
    let withdraw = format!("/v1/works/{work}/withdraw");
    assert_eq!(impostor.post(&withdraw, &json!({})).await.problem(), "not_allowed");
});

both!(a_holder_sees_who_may_train_on_its_works, async |world: World| {
    let stage = world.stage().await;
    let holder = stage.holder("Hoshikuzu Press").await;
    let developer = stage.developer("Kasane Labs").await;
    let mut works = Vec::new();
    for title in ["一", "二", "三"] {
        works.push(stage.confirmed(&holder, &registration(title, &[&holder])).await.work);
    }
    let mut named = grant(&works[0]);
    named["developers"] = json!({ "only": [developer.org] });
    named["uses"] = json!({ "only": ["train.generative", "search"] });
    let named = id(&holder.post("/v1/grants", &named).await, "grant");
    holder.post("/v1/grants", &grant(&works[1])).await;
    let first: Value = holder.get("/v1/who-may-train?limit=2").await.json();
    assert_eq!(
        first["items"][0]["developers"],
        json!([{ "developer": developer.org, "model": null, "territory": null, "uses": ["train.generative"], "grants": [named] }])
    );
    assert_eq!(
        (&first["items"][0]["open_to_any"], &first["items"][1]["open_to_any"]),
        (&json!([]), &json!(["train.finetune"]))
    );
    assert_eq!(first["items"][0]["title"], "一");
    assert_eq!(first["developers"], json!([{ "organization": developer.org, "name": "Kasane Labs" }]));
    let rest: Value = holder
        .get(&format!("/v1/who-may-train?limit=2&cursor={}", first["next"].as_str().unwrap()))
        .await
        .json();
    assert_eq!((rest["items"].as_array().unwrap().len(), rest["next"].is_null()), (1, true));
    assert_eq!((&rest["items"][0]["work"], &rest["items"][0]["open_to_any"]), (&json!(works[2]), &json!([])));
    // A refusal closes what a grant had opened.
    holder.post("/v1/denials", &json!({ "work": works[1] })).await;
    let closed: Value = holder.get("/v1/who-may-train").await.json();
    assert_eq!(closed["items"][1]["open_to_any"], json!([]));
});

both!(nobody_probes_anothers_licences_through_a_work_of_its_own, async |world: World| {
    let stage = world.stage().await;
    let (holder, prober) = (stage.holder("Hoshikuzu Press").await, stage.holder("Kumo Trading").await);
    let (licensed, other) = (stage.developer("Kasane Labs").await, stage.developer("Nimbus Lab").await);
    let secret = stage.confirmed(&holder, &registration("星屑", &[&holder])).await.work;
    let mut licence = grant(&secret);
    licence["developers"] = json!({ "only": [licensed.org] });
    let licence = id(&holder.post("/v1/grants", &licence).await, "grant");
    let mut host = registration("おとり", &[&prober]);
    host["layers"] = json!([secret]);
    let unconfirmed = stage.registered_work(&prober, &host).await.work;
    let confirmed = stage.confirmed(&prober, &host).await.work;
    let told = async |work: &str| {
        let position = prober.get(&format!("/v1/works/{work}/position")).await;
        String::from_utf8(position.body.to_vec()).unwrap()
    };
    for work in [&unconfirmed, &confirmed] {
        let position = told(work).await;
        for word in ["developer_not_covered", "use_not_covered", licence.as_str(), licensed.org.as_str()] {
            assert!(!position.contains(word), "{word}: {position}");
        }
    }
    for (developer, work) in
        [(&licensed, &unconfirmed), (&other, &unconfirmed), (&licensed, &confirmed), (&other, &confirmed)]
    {
        let mut terms = grant(work);
        terms["developers"] = json!({ "only": [developer.org] });
        terms["uses"] = json!({ "only": ["ground"] });
        let simulated = prober.post("/v1/simulations/grant", &terms).await;
        if work == &unconfirmed {
            assert_eq!(simulated.problem(), "not_allowed");
            continue;
        }
        let body = String::from_utf8(simulated.body.to_vec()).unwrap();
        assert!(body.contains("no_grant") && !body.contains("not_covered"), "{body}");
    }
    // Also where all is permitted, whose grant on the layer it rests on is not told.
    let mut own = grant(&confirmed);
    own["developers"] = json!({ "only": [licensed.org] });
    let own = id(&prober.post("/v1/grants", &own).await, "grant");
    let who = prober.get("/v1/who-may-train").await;
    for told in [told(&confirmed).await, String::from_utf8(who.body.to_vec()).unwrap()] {
        assert!(told.contains(&own) && !told.contains(&licence), "{told}");
    }
    // To the holder of what is incorporated it is all its own.
    assert!(
        holder
            .get(&format!("/v1/works/{secret}/position"))
            .await
            .json::<Value>()
            .to_string()
            .contains(&licence)
    );
});

both!(a_developer_does_not_learn_by_any_difference_that_another_is_licensed, async |world: World| {
    let stage = world.stage().await;
    let (one, two) = (stage.holder("Hoshikuzu Press").await, stage.holder("Tsukimi Film").await);
    let (asker, other) = (stage.developer("Kasane Labs").await, stage.developer("Nimbus Lab").await);
    let body = registration("星屑", &[&one, &two]);
    let (plain, granted) = (stage.confirmed(&one, &body).await.work, stage.confirmed(&one, &body).await.work);
    for (work, is_granted) in [(&plain, false), (&granted, true)] {
        for (holder, developer) in [(&one, &asker), (&two, &other)] {
            let mut terms = grant(work);
            terms["developers"] = json!({ "only": [developer.org] });
            if holder.org == one.org || is_granted {
                assert_eq!(holder.post("/v1/grants", &terms).await.status, 201);
            }
        }
    }
    let alone = stage.confirmed(&two, &registration("一", &[&two])).await.work;
    let alone_granted = stage.confirmed(&two, &registration("二", &[&two])).await.work;
    let mut terms = grant(&alone_granted);
    terms["developers"] = json!({ "only": [other.org] });
    assert_eq!(two.post("/v1/grants", &terms).await.status, 201);
    // Ids and numbers of entries differ between any two works; what is said must not.
    let said = |value: &Value| -> Vec<String> {
        let text = value.to_string();
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let is_word =
            |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '_') || word.starts_with('R');
        words.filter(is_word).map(ToOwned::to_owned).collect()
    };
    for (one, other) in [(&plain, &granted), (&alone, &alone_granted)] {
        for path in ["/v1/checks", "/v1/explanations"] {
            let ask = async |work: &str| -> Value {
                let item = json!({ "work": work });
                let context = json!({ "uses": ["train.finetune"] });
                let body = match path {
                    "/v1/checks" => json!({ "context": context, "items": [item] }),
                    _ => json!({ "context": context, "item": item }),
                };
                let answer = asker.post(path, &body).await;
                assert_eq!(answer.status, 200, "{answer:?}");
                let told: Value = answer.json();
                if path == "/v1/checks" {
                    told["items"].clone()
                } else {
                    json!([told["item"], told["steps"]])
                }
            };
            let (one, other) = (ask(one).await, ask(other).await);
            assert_eq!(said(&one), said(&other), "{path}: {one} {other}");
        }
    }
});
