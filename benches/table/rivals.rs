//! What else could be asked: two policy engines and two databases, each with the same works and the same questions, and in the
//! form that serves it best.
//!
//! Each knows of a work only what its verdict rests on in this table: for whom every holder has granted it, whether
//! anybody denies it, and its layers. There is no term, no model, no territory, no claim and no history in them, no reason
//! comes with their answers, and nothing is journaled. A verdict must be the same all the same.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityUid, PolicySet, Request, RestrictedExpression,
};
use kyodaku::domain::key::SubjectKey;
use kyodaku::domain::question::Question;
use sqlx::{Connection, PgConnection};

use super::world::{Facts, World};
use super::{cpu_seconds, cpu_seconds_of, row};

/// How many works and questions the policy engines get: they hold a kilobyte and more of each work.
const ENGINE_WORKS: u64 = 50_000;
const ENGINE_QUESTIONS: usize = 50_000;
/// How many questions the databases get, and how many at once where they get many.
const TABLE_QUESTIONS: usize = 100_000;
const TOGETHER: usize = 1_000;

/// The figures of all of them, beside so many verdicts a second of ours.
pub(super) fn figures(world: &World, questions: &[Question], ours: f64) {
    let all = Rival { world, ours, questions: &questions[..TABLE_QUESTIONS] };
    let few = World::of(ENGINE_WORKS);
    let fewer = few.questions(ENGINE_QUESTIONS);
    let engine = Rival { world: &few, ours, questions: &fewer };
    engine.cedar();
    engine.regorus();
    all.sqlite();
    if let Ok(url) = std::env::var("RIVAL_DATABASE_URL") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(all.postgres(&url));
    }
}

struct Rival<'a> {
    world: &'a World,
    ours: f64,
    questions: &'a [Question],
}

/// The text under which a rival knows a key.
fn name(key: &SubjectKey) -> String {
    match key {
        SubjectKey::Work(key) => key.id.to_string(),
        SubjectKey::Key(key) => key.to_string(),
    }
}

impl Rival<'_> {
    fn told(&self, what: &str, seconds: f64, permitted: usize) {
        let rate = self.questions.len() as f64 / seconds;
        row(&format!("{what}: verdicts a second"), &format!("{rate:.0}"));
        row(&format!("verdicts here by those of {what}"), &format!("{:.1}", self.ours / rate));
        assert_eq!(permitted, self.world.permitted(self.questions), "{what} comes to the same verdicts");
    }

    /// All works by every key of theirs.
    fn named(&self) -> impl Iterator<Item = (String, Facts)> {
        (0..self.world.works.len()).flat_map(|number| {
            let facts = self.world.facts(number);
            self.world.keys(number).map(move |key| (name(&key), facts.clone()))
        })
    }

    fn cedar(&self) {
        let uid = |kind: &str, id: &str| {
            EntityUid::from_type_name_and_id(kind.parse().expect("a name"), id.parse().expect("an id"))
        };
        let developer = uid("Developer", &self.world.developer.to_string());
        let set = |is: bool| {
            let one = is.then(|| RestrictedExpression::new_entity_uid(developer.clone()));
            RestrictedExpression::new_set(one)
        };
        let entity = |(name, facts): (String, Facts)| {
            let layers = facts.layers.iter().all(|layer| *layer);
            let attributes = [
                ("granted".to_owned(), set(facts.granted)),
                ("layers_granted".to_owned(), set(layers)),
                ("denied".to_owned(), RestrictedExpression::new_bool(facts.denied)),
            ];
            Entity::new(uid("Work", &name), HashMap::from(attributes), HashSet::new()).expect("an entity")
        };
        let entities = Entities::from_entities(self.named().map(entity), None).expect("entities");
        let policies = PolicySet::from_str(
            "permit(principal, action == Action::\"train.generative\", resource) when { \
               resource.granted.contains(principal) && resource.layers_granted.contains(principal) }; \
             forbid(principal, action, resource) when { resource.denied };",
        );
        let (policies, authorizer) = (policies.expect("policies"), Authorizer::new());
        let action = uid("Action", "train.generative");
        // Names are parsed before: whoever holds works in this form holds their names so too.
        let asked: Vec<_> = self.questions.iter().map(|it| uid("Work", &name(&it.subject[0]))).collect();
        let begun = cpu_seconds();
        let permits = |work: EntityUid| {
            let request = Request::new(developer.clone(), action.clone(), work, Context::empty(), None);
            let request = request.expect("a request");
            authorizer.is_authorized(&request, &policies, &entities).decision() == Decision::Allow
        };
        let permitted = asked.into_iter().filter(|work| permits(work.clone())).count();
        self.told("cedar-policy", cpu_seconds() - begun, permitted);
    }

    fn regorus(&self) {
        let mut engine = regorus::Engine::new();
        let policy = "package registry\n\
            default allow := false\n\
            allow if {\n\
              work := data.works[input.key]\n\
              not work.denied\n\
              work.granted[input.developer]\n\
              every layer in work.layers { layer }\n\
            }";
        engine.add_policy("registry.rego".to_owned(), policy.to_owned()).expect("a policy");
        let developer = self.world.developer.to_string();
        let work = |facts: &Facts| {
            let granted =
                if facts.granted { serde_json::json!({ &developer: true }) } else { serde_json::json!({}) };
            serde_json::json!({ "granted": granted, "denied": facts.denied, "layers": facts.layers })
        };
        let works: serde_json::Map<_, _> = self.named().map(|(name, facts)| (name, work(&facts))).collect();
        let data = serde_json::json!({ "works": works }).to_string();
        engine.add_data(regorus::Value::from_json_str(&data).expect("data")).expect("data");
        let input = |question: &Question| {
            let json = serde_json::json!({ "key": name(&question.subject[0]), "developer": &developer });
            regorus::Value::from_json_str(&json.to_string()).expect("an input")
        };
        let asked: Vec<_> = self.questions.iter().map(input).collect();
        let begun = cpu_seconds();
        let mut permitted = 0;
        for input in asked {
            engine.set_input(input);
            let answer = engine.eval_rule("data.registry.allow".to_owned()).expect("an answer");
            permitted += usize::from(answer == regorus::Value::Bool(true));
        }
        self.told("regorus", cpu_seconds() - begun, permitted);
    }

    fn sqlite(&self) {
        let mut db = rusqlite::Connection::open_in_memory().expect("a database");
        let tables = "CREATE TABLE works (key TEXT PRIMARY KEY, granted INTEGER, denied INTEGER, layers INTEGER) WITHOUT ROWID";
        db.execute_batch(tables).expect("tables");
        let filling = db.transaction().expect("a transaction");
        {
            let mut insert =
                filling.prepare("INSERT INTO works VALUES (?1, ?2, ?3, ?4)").expect("a statement");
            for (name, facts) in self.named() {
                let layers = facts.layers.iter().all(|layer| *layer);
                insert.execute((name, facts.granted, facts.denied, layers)).expect("a row");
            }
        }
        filling.commit().expect("it is there");
        let asked: Vec<_> = self.questions.iter().map(|it| name(&it.subject[0])).collect();
        let text = "SELECT granted AND layers AND NOT denied FROM works WHERE key = ?1";
        let mut select = db.prepare(text).expect("a statement");
        let begun = cpu_seconds();
        let permits = |key: &&String| {
            let mut rows = select.query([key.as_str()]).expect("rows");
            rows.next().expect("a row or none").is_some_and(|row| row.get(0).expect("a number"))
        };
        let permitted = asked.iter().filter(permits).count();
        self.told("SQLite, in memory, prepared", cpu_seconds() - begun, permitted);
    }

    async fn postgres(&self, url: &str) {
        let mut db = PgConnection::connect(url).await.expect("an empty database");
        let table = "CREATE TABLE works (key TEXT, granted BOOLEAN, denied BOOLEAN, layers BOOLEAN)";
        sqlx::query(table).execute(&mut db).await.expect("a table");
        let all: Vec<_> = self.named().collect();
        for some in all.chunks(10_000) {
            let insert =
                "INSERT INTO works SELECT * FROM unnest($1::text[], $2::bool[], $3::bool[], $4::bool[])";
            let column = |of: fn(&Facts) -> bool| some.iter().map(|(_, facts)| of(facts)).collect::<Vec<_>>();
            sqlx::query(insert)
                .bind(some.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>())
                .bind(column(|facts| facts.granted))
                .bind(column(|facts| facts.denied))
                .bind(column(|facts| facts.layers.iter().all(|layer| *layer)))
                .execute(&mut db)
                .await
                .expect("rows");
        }
        sqlx::query("ALTER TABLE works ADD PRIMARY KEY (key)").execute(&mut db).await.expect("a key");
        sqlx::query("VACUUM ANALYZE works").execute(&mut db).await.expect("statistics");
        let process: i32 =
            sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut db).await.expect("a process");
        // Both sides are needed for an answer.
        let spent = || cpu_seconds() + cpu_seconds_of(process);
        let asked: Vec<_> = self.questions.iter().map(|it| name(&it.subject[0])).collect();

        let (begun, mut permitted) = (spent(), 0);
        for key in &asked {
            let text = "SELECT granted AND layers AND NOT denied FROM works WHERE key = $1";
            let found: Option<bool> =
                sqlx::query_scalar(text).bind(key).fetch_optional(&mut db).await.expect("an answer");
            permitted += usize::from(found == Some(true));
        }
        self.told("PostgreSQL, one by one, prepared", spent() - begun, permitted);

        let (begun, mut permitted) = (spent(), 0);
        for keys in asked.chunks(TOGETHER) {
            let text = "SELECT count(*) FROM unnest($1::text[]) AS asked (key) JOIN works USING (key) \
                WHERE granted AND layers AND NOT denied";
            let found: i64 = sqlx::query_scalar(text).bind(keys).fetch_one(&mut db).await.expect("an answer");
            permitted += found as usize;
        }
        self.told("PostgreSQL, 1,000 by `unnest`", spent() - begun, permitted);
        db.close().await.expect("it ends");
    }
}
