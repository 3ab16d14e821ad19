//! Finding works by the beginning of a title, which never decides anything.

use serde_json::{Value, json};

use crate::world::actors::Actor;
use crate::world::works::registration;
use crate::world::{World, both};

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The titles that were found, and the works, over pages of `limit`.
async fn search(who: &Actor, title: &str, limit: u16) -> Vec<(String, String)> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let uri = format!("/v1/works?limit={limit}&title={}{cursor}", encoded(title));
        let answer = who.get(&uri).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let page: Value = answer.json();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= usize::from(limit), "{page}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        found.extend(items.iter().map(|item| (text(&item["found"]), text(&item["work"]))));
        let Some(next) = page["next"].as_str() else { return found };
        cursor = format!("&cursor={next}");
    }
}

async fn titles(who: &Actor, title: &str) -> Vec<String> {
    search(who, title, 50).await.into_iter().map(|(found, _)| found).collect()
}

both!(a_title_is_found_by_its_beginning_however_wide_it_is_written, async |world: World| {
    let stage = world.stage().await;
    let (holder, reader) = (stage.holder("Hoshikuzu Press").await, stage.developer("Kasane Labs").await);
    let written = [
        "ホシクズの図書館",
        "ﾎｼｸｽﾞの庭",
        "ＳＴＡＲ　ＤＵＳＴ",
        "Star   Dust II",
        "star map",
        "㍿星屑",
        "か\u{3099}く",
        "100% 星",
    ];
    for (number, title) in written.iter().enumerate() {
        let mut body = registration(&format!("work {number}"), &[&holder]);
        body["titles"] = json!([{ "text": title, "lang": "ja" }]);
        stage.registered_work(&holder, &body).await;
    }
    // The order is that of the folded forms: code point by code point, whatever the database's language.
    for (asked, expected) in [
        ("ホシクズ", &["ホシクズの図書館", "ﾎｼｸｽﾞの庭"][..]),
        ("ﾎｼｸｽﾞ", &["ホシクズの図書館", "ﾎｼｸｽﾞの庭"]),
        ("ホシクス\u{3099}の", &["ホシクズの図書館", "ﾎｼｸｽﾞの庭"]),
        ("\u{3000}ﾎｼ", &["ホシクズの図書館", "ﾎｼｸｽﾞの庭"]),
        ("ｓｔａｒ", &["ＳＴＡＲ　ＤＵＳＴ", "Star   Dust II", "star map"]),
        ("STAR DUST", &["ＳＴＡＲ　ＤＵＳＴ", "Star   Dust II"]),
        ("star dust ii", &["Star   Dust II"]),
        ("株式会社", &["㍿星屑"]),
        ("が", &["がく"]),
        ("100%", &["100% 星"]),
        // The beginning alone, and no pattern.
        ("図書館", &[]),
        ("dust", &[]),
        ("か", &[]),
        ("%", &[]),
        ("_", &[]),
        ("s_ar", &[]),
        ("Star*", &[]),
    ] {
        assert_eq!(titles(&reader, asked).await, expected, "{asked}");
    }
});

both!(every_title_is_found_as_it_stands_now, async |world: World| {
    let stage = world.stage().await;
    let (holder, reader) = (stage.holder("Hoshikuzu Press").await, stage.auditor().await);
    let mut body = registration("星屑", &[&holder]);
    body["titles"] = json!([
        { "text": "星屑の図書館", "lang": "ja" },
        { "text": "The Library of Stardust", "lang": "en" },
    ]);
    let work = stage.registered_work(&holder, &body).await.work;
    let page: Value = reader.get("/v1/works?title=the%20library").await.json();
    assert_eq!(
        (&page["items"][0]["title"], &page["items"][0]["found"], &page["items"][0]["state"]),
        (&json!("星屑の図書館"), &json!("The Library of Stardust"), &json!("registered"))
    );
    let amended = json!({ "kind": "comic", "titles": [{ "text": "月の図書館", "lang": "ja" }] });
    let path = format!("/v1/works/{work}");
    assert_eq!(holder.send("PATCH", &path, &amended, &[("if-match", "*")]).await.status, 200);
    assert!(titles(&reader, "The Library").await.is_empty() && titles(&reader, "星屑").await.is_empty());
    assert_eq!(titles(&reader, "月の").await, ["月の図書館"]);
    // What was withdrawn is still found, and says so; and a title that is found permits nothing.
    holder.post(&format!("{path}/withdraw"), &json!({})).await;
    let page: Value = reader.get(&format!("/v1/works?title={}", encoded("月の"))).await.json();
    assert_eq!(page["items"][0]["state"], "withdrawn");
    assert_eq!(stage.unverified().await.get("/v1/works?title=x").await.problem(), "not_verified");
});

both!(what_is_found_comes_in_pages_each_once_and_in_order, async |world: World| {
    let stage = world.stage().await;
    let (holder, reader) = (stage.holder("Hoshikuzu Press").await, stage.developer("Kasane Labs").await);
    let mut expected = Vec::new();
    for (number, title) in ["星", "星屑", "星屑", "ﾎｼ", "星屑", "星影", "星屑 2"].iter().enumerate()
    {
        let mut body = registration(&format!("work {number}"), &[&holder]);
        body["titles"] = json!([{ "text": title, "lang": "ja" }, { "text": title, "lang": "en" }]);
        let work = stage.registered_work(&holder, &body).await.work;
        expected.push(((*title).to_owned(), work));
    }
    expected.retain(|(title, _)| title.starts_with('星'));
    expected.sort();
    for limit in [1, 2, 3, 50] {
        let mut found = search(&reader, "星", limit).await;
        // A work that bears one title twice may be listed twice on one page.
        found.dedup();
        assert_eq!(found, expected, "{limit} a page");
    }
    let page: Value = reader.get(&format!("/v1/works?limit=1&title={}", encoded("星"))).await.json();
    let cursor = page["next"].as_str().unwrap();
    for other in [format!("/v1/works?title=x&cursor={cursor}"), format!("/v1/works?cursor={cursor}")] {
        assert_eq!(reader.get(&other).await.problem(), "invalid_cursor");
    }
});

both!(the_longest_titles_are_found_too, async |world: World| {
    let stage = world.stage().await;
    let (holder, reader) = (stage.holder("Hoshikuzu Press").await, stage.developer("Kasane Labs").await);
    // Squared words: each becomes several letters when it is folded, and no two neighbours are alike.
    let squared: Vec<char> = ('\u{3300}'..='\u{3357}').collect();
    let mut long = (0..500_usize).map(|at| squared[(at * at + at / 7) % squared.len()]).collect::<String>();
    let mut works = Vec::new();
    for number in 0..3 {
        let mut body = registration(&format!("work {number}"), &[&holder]);
        body["titles"] = json!([{ "text": long, "lang": "ja" }]);
        works.push(stage.registered_work(&holder, &body).await.work);
    }
    works.sort();
    let found: Vec<_> = search(&reader, &long, 1).await.into_iter().map(|(_, work)| work).collect();
    assert_eq!(found, works);
    long.truncate(30);
    assert_eq!(search(&reader, &long, 2).await.len(), 3);
    let quoted = "\"\\".repeat(250);
    let mut body = registration("quoted", &[&holder]);
    body["titles"] = json!([{ "text": quoted, "lang": "ja" }]);
    for number in 0..2 {
        body["keys"][0]["value"] = json!(number.to_string());
        stage.registered_work(&holder, &body).await;
    }
    assert_eq!(search(&reader, &quoted, 1).await.len(), 2);
});
