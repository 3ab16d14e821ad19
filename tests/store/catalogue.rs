//! What people browse is listed in the same order, page by page, on both databases.

use kyodaku::store::catalogue::{self, HistoryLine, Model, Org, Title, Work};
use kyodaku::store::{Db, Engine};

use crate::world::{START_MS, World, both};

fn work(id: &str, index: u64) -> Work {
    Work {
        work: id.to_owned(),
        kind: "anime".to_owned(),
        title: Some(format!("題 {id}")),
        title_lang: Some("ja".to_owned()),
        reading: None,
        registrant: "org_a".to_owned(),
        state: "active".to_owned(),
        registered_idx: index,
        registered_ms: START_MS,
        updated_idx: index,
    }
}

fn title(id: &str, text: &str, key: &str) -> Title {
    Title {
        work: id.to_owned(),
        text: text.to_owned(),
        lang: Some("ja".to_owned()),
        reading: None,
        search_key: key.to_owned(),
    }
}

// Upper case, underscores and kana: an order by language would differ from one machine to the next.
const IDS: [&str; 5] = ["wrk_B", "wrk_Z", "wrk__", "wrk_a", "wrk_あ"];

both!(works_are_listed_by_party_in_pages, async |world: World| {
    let db = world.db().await;
    let mut tx = db.begin().await.unwrap();
    for (index, id) in (10..).zip(IDS) {
        catalogue::put_work(&mut tx, &work(id, index)).await.unwrap();
        catalogue::put_party(&mut tx, "org_a", id, "registrant", index).await.unwrap();
        catalogue::put_party(&mut tx, "org_a", id, "holder", index).await.unwrap();
    }
    catalogue::put_party(&mut tx, "org_b", IDS[3], "holder", 20).await.unwrap();
    catalogue::remove_party(&mut tx, "org_a", IDS[3], "holder").await.unwrap();
    let changed =
        Work { title: None, registrant: "org_b".to_owned(), registered_idx: 99, ..work(IDS[1], 30) };
    catalogue::put_work(&mut tx, &changed).await.unwrap();
    catalogue::set_work_state(&mut tx, IDS[1], "withdrawn", 31).await.unwrap();
    tx.commit().await.unwrap();

    let kept = Work { title: None, state: "withdrawn".to_owned(), updated_idx: 31, ..work(IDS[1], 11) };
    assert_eq!(catalogue::work(&db, IDS[1]).await.unwrap(), Some(kept), "the first registration stays");
    assert_eq!(catalogue::work(&db, "wrk_none").await.unwrap(), None);
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = catalogue::party_works(&db, "org_a", after.as_deref(), 2).await.unwrap();
        after = page.last().map(|work| work.work.clone());
        seen.extend(page.iter().map(|work| work.work.clone()));
        if page.len() < 2 {
            break;
        }
    }
    assert_eq!(seen, IDS);
    assert_eq!(catalogue::party_works(&db, "org_b", None, 10).await.unwrap().len(), 1);
    assert_eq!(catalogue::works(&db, Some(IDS[2]), 10).await.unwrap().len(), 2);
    let parties =
        [("org_a", "registrant"), ("org_b", "holder")].map(|(org, as_)| (org.to_owned(), as_.to_owned()));
    assert_eq!(catalogue::parties(&db, IDS[3]).await.unwrap(), parties);
});

both!(titles_are_replaced_and_found_by_their_beginning, async |world: World| {
    let db = world.db().await;
    let mut tx = db.begin().await.unwrap();
    for id in &IDS[..2] {
        catalogue::put_work(&mut tx, &work(id, 1)).await.unwrap();
    }
    let night = title(IDS[0], "夜の庭", "夜の庭");
    let second = title(IDS[0], "Night Garden", "night garden");
    let same = title(IDS[1], "夜の庭", "夜の庭");
    catalogue::put_titles(&mut tx, IDS[0], &[title(IDS[0], "Old", "old")]).await.unwrap();
    catalogue::put_titles(&mut tx, IDS[0], &[night.clone(), second.clone()]).await.unwrap();
    catalogue::put_titles(&mut tx, IDS[1], std::slice::from_ref(&same)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(catalogue::titles(&db, IDS[0]).await.unwrap(), [night.clone(), second]);
    assert_eq!(catalogue::find_titles(&db, "夜", None, 10).await.unwrap(), [night.clone(), same.clone()]);
    let rest = catalogue::find_titles(&db, "夜", Some((&night.search_key, &night.work)), 10).await.unwrap();
    assert_eq!(rest, [same]);
    assert_eq!(catalogue::find_titles(&db, "old", None, 10).await.unwrap(), []);
});

both!(histories_are_read_from_the_newest, async |world: World| {
    let db = world.db().await;
    let line = |index| HistoryLine {
        subject: IDS[0].to_owned(),
        index,
        kind: "grant.recorded".to_owned(),
        at_ms: START_MS,
        party: "org_a".to_owned(),
    };
    let mut tx = db.begin().await.unwrap();
    for index in [3, 5, 9, 9] {
        catalogue::put_history(&mut tx, &line(index)).await.unwrap();
    }
    catalogue::put_meta(&mut tx, "node", "one").await.unwrap();
    catalogue::put_meta(&mut tx, "node", "two").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(catalogue::history(&db, IDS[0], None, 2).await.unwrap(), [line(9), line(5)]);
    assert_eq!(catalogue::history(&db, IDS[0], Some(5), 2).await.unwrap(), [line(3)]);
    assert_eq!(catalogue::party_history(&db, "org_a", Some(9), 9).await.unwrap(), [line(5), line(3)]);
    // However much else happened since.
    assert_eq!(catalogue::described(&db, IDS[0]).await.unwrap(), None);
    let mut tx = db.begin().await.unwrap();
    for (index, kind) in [(1, "work.registered"), (2, "work.amended"), (2_000, "assertions.confirmed")] {
        let line = HistoryLine { kind: kind.to_owned(), ..line(index) };
        catalogue::put_history(&mut tx, &line).await.unwrap();
    }
    let lines: Vec<_> = (10..1_000).map(line).collect();
    catalogue::put_all_history(&mut tx, &lines).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(catalogue::described(&db, IDS[0]).await.unwrap(), Some(2));
    assert_eq!(catalogue::meta(&db, "node").await.unwrap().as_deref(), Some("two"));
    assert_eq!(catalogue::meta(&db, "none").await.unwrap(), None);
});

both!(organizations_and_models_are_listed, async |world: World| {
    let db = world.db().await;
    let org = |id: &str, state: &str| Org {
        org: id.to_owned(),
        name: Some("Aozora Works".to_owned()),
        roles: "rights_holder".to_owned(),
        state: state.to_owned(),
        registered_idx: 1,
        registered_ms: START_MS,
        updated_idx: 1,
    };
    let model = |id: &str, developer: &str| Model {
        model: id.to_owned(),
        developer: developer.to_owned(),
        name: None,
        state: "registered".to_owned(),
        registered_idx: 2,
        registered_ms: START_MS,
        updated_idx: 2,
    };
    let mut tx = db.begin().await.unwrap();
    for (id, state) in [("org_a", "verified"), ("org_b", "pending"), ("org_c", "pending")] {
        catalogue::put_org(&mut tx, &org(id, state)).await.unwrap();
    }
    catalogue::set_org_state(&mut tx, "org_c", "verified", 7).await.unwrap();
    for (id, developer) in [("mdl_1", "org_b"), ("mdl_2", "org_c"), ("mdl_3", "org_b")] {
        catalogue::put_model(&mut tx, &model(id, developer)).await.unwrap();
    }
    tx.commit().await.unwrap();
    let ids = |orgs: Vec<Org>| orgs.into_iter().map(|org| org.org).collect::<Vec<_>>();
    assert_eq!(ids(catalogue::orgs(&db, None, Some("org_a"), 10).await.unwrap()), ["org_b", "org_c"]);
    assert_eq!(ids(catalogue::orgs(&db, Some("verified"), None, 10).await.unwrap()), ["org_a", "org_c"]);
    assert_eq!(catalogue::org(&db, "org_c").await.unwrap().unwrap().updated_idx, 7);
    assert_eq!(catalogue::models(&db, "org_b", Some("mdl_1"), 10).await.unwrap(), [model("mdl_3", "org_b")]);
    let mut tx = db.begin().await.unwrap();
    catalogue::set_model_state(&mut tx, "mdl_2", "withdrawn", 8).await.unwrap();
    tx.commit().await.unwrap();
    let withdrawn = Model { state: "withdrawn".to_owned(), updated_idx: 8, ..model("mdl_2", "org_c") };
    assert_eq!(catalogue::model(&db, "mdl_2").await.unwrap(), Some(withdrawn));
});

// Written in another order, in the other kind of database too.
both!(two_catalogues_are_compared_row_by_row, async |world: World| {
    async fn fill(db: &Db, ids: &[&str]) {
        let mut tx = db.begin().await.unwrap();
        for id in ids {
            catalogue::put_work(&mut tx, &work(id, 1)).await.unwrap();
            catalogue::put_titles(&mut tx, id, &[title(id, "夜の庭", "夜の庭")]).await.unwrap();
            catalogue::put_party(&mut tx, "org_a", id, "holder", 1).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
    let other_world = World::new(Engine::Sqlite).await;
    let (db, other) = (world.db().await, other_world.db().await);
    fill(&db, &IDS).await;
    let mut reversed = IDS;
    reversed.reverse();
    fill(&other, &reversed).await;
    assert_eq!(catalogue::compare(&db, &other).await.unwrap(), []);

    let mut tx = other.begin().await.unwrap();
    catalogue::put_work(&mut tx, &Work { title: None, ..work(IDS[2], 1) }).await.unwrap();
    catalogue::remove_party(&mut tx, "org_a", IDS[4], "holder").await.unwrap();
    tx.commit().await.unwrap();
    let differences = catalogue::compare(&db, &other).await.unwrap();
    let [works, parties] = differences.as_slice() else { panic!("{differences:?}") };
    assert_eq!((works.table, parties.table), ("catalog_works", "catalog_party_works"));
    assert!(works.here.as_ref().unwrap().contains(IDS[2]), "{works:?}");
    assert!(works.there.as_ref().unwrap().contains("title: None"), "{works:?}");
    assert_eq!(parties.there, None);

    let mut tx = other.begin().await.unwrap();
    catalogue::clear(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(catalogue::compare(&db, &other).await.unwrap().len(), 3);
    fill(&other, &IDS).await;
    assert_eq!(catalogue::compare(&db, &other).await.unwrap(), []);
});
