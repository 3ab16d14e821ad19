//! What a client knows: the one checker that every fault is held against.
//!
//! A ledger has *lines*, each a work whose grants are recorded and revoked in turn. Before anything is sent it is in
//! doubt; a 2xx answer settles it. Of a line that nothing is in doubt of, every answer is known. After a fault:
//!
//! - what was acknowledged is in the log, where its answer said, once; repeated with its key it is answered the same;
//! - what is in doubt can be sent again with its key, and is then recorded once;
//! - a check permits exactly what stands, and never what was acknowledged to be revoked;
//! - every check that was answered is in the journal, where its answer said;
//! - nothing else is in the log.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use kyodaku::clock::Clock;
use kyodaku::store::heads::{self, ACTS};
use kyodaku::store::{Db, entries};
use serde_json::{Value, json};

use super::door::{Door, Heard};
use super::site::Site;
use crate::world::actors::fresh_key;
use crate::world::works::{grant, registration_of};

/// Something that was sent.
#[derive(Clone, Debug)]
struct Sent {
    once: String,
    path: String,
    body: Value,
    /// The grant that it takes back; none when it gives one.
    revokes: Option<String>,
    at_ms: i64,
}

/// Something that was acknowledged.
#[derive(Clone, Debug)]
struct Acknowledged {
    sent: Sent,
    status: u16,
    body: String,
    at_ms: i64,
}

/// A check that was answered: which entry of which journal it is.
#[derive(Clone, Debug)]
struct Answered {
    origin: String,
    entry: u64,
    check: String,
    at_ms: i64,
}

/// A work, and what is known of its grants.
#[derive(Clone, Debug)]
struct Line {
    work: String,
    /// The grant that stands, if nothing is in doubt.
    stands: Option<String>,
    doubt: Option<Sent>,
    /// Changes whenever anything is sent or answered.
    version: u64,
    acknowledged: Vec<Acknowledged>,
}

/// The keys of those who act.
#[derive(Clone, Debug)]
struct Keys {
    holder: String,
    developer: String,
}

/// What a client knows.
pub(super) struct Ledger {
    pub(super) door: Door,
    keys: Keys,
    lines: Vec<Mutex<Line>>,
    answered: Mutex<Vec<Answered>>,
    acknowledged: AtomicUsize,
    refused: AtomicUsize,
    clock: Clock,
}

/// How something that was sent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// 2xx.
    Acknowledged,
    /// 503: it may be recorded or not.
    Refused,
    /// No answer: it may be recorded or not.
    Silence,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// A person of the registrar, by the command.
fn registrar(site: &Site, label: &str) -> String {
    let said = site.run(&["admin", "create-registrar", "--name", "Kyodaku Office", "--person", label]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    text(&serde_json::from_str::<Value>(&said.out).unwrap()["key"])
}

impl Ledger {
    /// A holder, a developer and `lines` confirmed works without grants, on the server that runs at `url` on `site`.
    pub(super) async fn open(site: &Site, url: &str, lines: usize) -> Self {
        let door = Door::new();
        door.leads_to(&[url]);
        let (first, second) = (registrar(site, "first"), registrar(site, "second"));
        let (org, holder) = verified(&door, &first, "Hoshikuzu Press", "rights_holder").await;
        let (_, developer) = verified(&door, &first, "Kasane Labs", "ai_developer").await;
        let (mut works, mut holdings, mut bindings) = (Vec::new(), Vec::new(), Vec::new());
        for line in 0..lines {
            let body = registration_of(&format!("line {line}"), &[&org]);
            let made = door.post(0, &holder, "/v1/works", &body, &fresh_key()).await.json(201);
            holdings.extend(made["holdings"].as_array().unwrap().iter().map(|it| text(&it["holding"])));
            bindings.extend(made["bindings"].as_array().unwrap().iter().map(|it| text(&it["binding"])));
            works.push(text(&made["work"]));
        }
        let evidence = json!({ "text": "seen" });
        let body = json!({ "holdings": holdings, "bindings": bindings, "evidence": evidence });
        let asked = door.post(0, &first, "/v1/assertions/confirm", &body, &fresh_key()).await.json(202);
        let approve = format!("/v1/proposals/{}/approve", text(&asked["proposal"]));
        door.post(0, &second, &approve, &json!({}), &fresh_key()).await.json(200);
        let line = |work| Line { work, stands: None, doubt: None, version: 0, acknowledged: Vec::new() };
        Self {
            door,
            keys: Keys { holder, developer },
            lines: works.into_iter().map(|work| Mutex::new(line(work))).collect(),
            answered: Mutex::default(),
            acknowledged: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
            clock: Clock::system(),
        }
    }

    /// How many lines there are.
    pub(super) fn lines(&self) -> usize {
        self.lines.len()
    }

    /// How many acts were acknowledged so far.
    pub(super) fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::SeqCst)
    }

    /// How many answers were errors so far.
    pub(super) fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }

    /// How many acts are in doubt.
    pub(super) fn doubts(&self) -> usize {
        self.lines.iter().filter(|line| line.lock().unwrap().doubt.is_some()).count()
    }

    /// How many checks were answered so far.
    pub(super) fn answered(&self) -> usize {
        self.answered.lock().unwrap().len()
    }

    /// What is in doubt, or else the next thing: a grant where none stands, else its revocation.
    fn next(&self, line: usize) -> Sent {
        let mut line = self.lines[line].lock().unwrap();
        line.version += 1;
        if let Some(doubt) = &line.doubt {
            return doubt.clone();
        }
        let (path, body) = match &line.stands {
            None => ("/v1/grants".to_owned(), grant(&line.work)),
            Some(grant) => (format!("/v1/grants/{grant}/revoke"), json!({ "from": "on_record" })),
        };
        let at_ms = self.clock.now_ms();
        let sent = Sent { once: fresh_key(), path, body, revokes: line.stands.clone(), at_ms };
        line.doubt = Some(sent.clone());
        sent
    }

    /// Sends the next thing of a line, or again what is in doubt.
    ///
    /// # Panics
    /// When it is answered otherwise than 2xx or 503.
    pub(super) async fn step(&self, turn: usize, line: usize) -> Outcome {
        let sent = self.next(line);
        let heard = self.door.post(turn, &self.keys.holder, &sent.path, &sent.body, &sent.once).await;
        match heard {
            Heard::Answer(status @ (200 | 201), body) => {
                self.settle(line, sent, status, body);
                Outcome::Acknowledged
            }
            Heard::Answer(503, _) => {
                self.refused.fetch_add(1, Ordering::SeqCst);
                Outcome::Refused
            }
            Heard::Nothing(_) => Outcome::Silence,
            other @ Heard::Answer(..) => panic!("{sent:?} was answered {other:?}"),
        }
    }

    fn settle(&self, line: usize, sent: Sent, status: u16, body: String) {
        let told: Value = serde_json::from_str(&body).unwrap();
        let grant = text(&told["grant"]);
        let mut line = self.lines[line].lock().unwrap();
        line.stands = if sent.revokes.is_some() { None } else { Some(grant) };
        line.doubt = None;
        line.version += 1;
        line.acknowledged.push(Acknowledged { sent, status, body, at_ms: self.clock.now_ms() });
        self.acknowledged.fetch_add(1, Ordering::SeqCst);
    }

    fn known(&self) -> Vec<(u64, Option<bool>)> {
        let known = |line: &Mutex<Line>| {
            let line = line.lock().unwrap();
            (line.version, line.doubt.is_none().then_some(line.stands.is_some()))
        };
        self.lines.iter().map(known).collect()
    }

    /// Asks about all works at once, and holds each answer against what was known before and after.
    ///
    /// # Panics
    /// When a verdict differs from what was known all the while, or an error is answered with anything but 503.
    pub(super) async fn ask(&self, turn: usize) -> Outcome {
        let before = self.known();
        let items: Vec<_> =
            self.lines.iter().map(|line| json!({ "work": line.lock().unwrap().work })).collect();
        let body = json!({ "context": { "uses": ["train.finetune"] }, "items": items });
        let heard = self.door.post(turn, &self.keys.developer, "/v1/checks", &body, "").await;
        let answer = match heard {
            Heard::Answer(200, body) => serde_json::from_str::<Value>(&body).unwrap(),
            Heard::Answer(503, body) => {
                assert!(!body.contains("verdict"), "{body}");
                self.refused.fetch_add(1, Ordering::SeqCst);
                return Outcome::Refused;
            }
            Heard::Nothing(_) => return Outcome::Silence,
            other @ Heard::Answer(..) => panic!("a check was answered {other:?}"),
        };
        let after = self.known();
        let items = answer["items"].as_array().unwrap();
        assert_eq!(items.len(), self.lines.len());
        for (at, item) in items.iter().enumerate() {
            let permitted = item["verdict"] == "permitted";
            if let (true, Some(stands)) = (before[at] == after[at], before[at].1) {
                assert_eq!(permitted, stands, "{item} where {:?} is known", self.lines[at].lock().unwrap());
            }
        }
        self.answered.lock().unwrap().push(Answered {
            origin: text(&answer["journal"]["origin"]),
            entry: answer["journal"]["entry"].as_u64().unwrap(),
            check: text(&answer["check"]),
            at_ms: self.clock.now_ms(),
        });
        Outcome::Acknowledged
    }

    /// Reads the record of a work.
    pub(super) async fn read_a_work(&self) -> Heard {
        let work = self.lines[0].lock().unwrap().work.clone();
        self.door.get(&self.keys.holder, &format!("/v1/works/{work}")).await
    }

    /// After a fault: sends again what is in doubt until nothing is, repeats what was acknowledged since the line's
    /// `from`, and asks about everything.
    pub(super) async fn recover(&self, from: &[usize]) {
        for line in 0..self.lines.len() {
            if self.lines[line].lock().unwrap().doubt.is_some() {
                assert_eq!(self.step(0, line).await, Outcome::Acknowledged, "sent again after the fault");
            }
            let skipped = from.get(line).copied().unwrap_or_default();
            let done: Vec<_> = self.lines[line].lock().unwrap().acknowledged[skipped..].to_vec();
            for Acknowledged { sent, status, body, .. } in done {
                let again = self.door.post(0, &self.keys.holder, &sent.path, &sent.body, &sent.once).await;
                assert_eq!(again, Heard::Answer(status, body), "{sent:?} repeated");
            }
        }
        assert_eq!(self.ask(0).await, Outcome::Acknowledged, "asked after the fault");
    }

    /// How many acts of each line were acknowledged: where [`Ledger::recover`] may begin the next time.
    pub(super) fn marks(&self) -> Vec<usize> {
        self.lines.iter().map(|line| line.lock().unwrap().acknowledged.len()).collect()
    }

    /// Everything acknowledged and answered is in the logs of this database, where its answer said, once; and while
    /// nothing is in doubt, no other grant or revocation is.
    pub(super) async fn is_in(&self, database_url: &str) {
        let db = Db::connect_sized(database_url, 1).await.unwrap();
        let log = read_all(&db, ACTS).await;
        let mut recorded: HashMap<(String, bool), Vec<u64>> = HashMap::new();
        for (index, entry) in (0..).zip(&log) {
            let is_revoked = match entry["act"]["type"].as_str() {
                Some("grant.recorded") => false,
                Some("grant.revoked") => true,
                _ => continue,
            };
            recorded.entry((text(&entry["act"]["grant"]), is_revoked)).or_default().push(index);
        }
        let mut doubts = 0;
        for line in &self.lines {
            let line = line.lock().unwrap();
            doubts += usize::from(line.doubt.is_some());
            for done in &line.acknowledged {
                let told: Value = serde_json::from_str(&done.body).unwrap();
                let key = (text(&told["grant"]), done.sent.revokes.is_some());
                let places = recorded.remove(&key);
                let expected = told["recorded"]["first_entry"].as_u64();
                assert_eq!(places, expected.map(|entry| vec![entry]), "{done:?}");
            }
        }
        assert!(recorded.len() <= doubts, "in the log and never acknowledged: {recorded:?}");
        self.checks_are_in(&db).await;
        db.close().await;
    }

    async fn checks_are_in(&self, db: &Db) {
        let answered = self.answered.lock().unwrap().clone();
        let mut journals: HashMap<String, Vec<Value>> = HashMap::new();
        for check in answered {
            let log = check.origin.trim_start_matches("kyodaku.example/log/").to_owned();
            if !journals.contains_key(&log) {
                journals.insert(log.clone(), read_all(db, &log).await);
            }
            let entry = journals[&log].get(usize::try_from(check.entry).unwrap());
            let entry = entry.unwrap_or_else(|| panic!("{check:?} is not in the journal"));
            assert_eq!((&entry["type"], &entry["check"]), (&json!("check"), &json!(check.check)));
        }
    }

    /// Counts on no check that was answered since: its one sync may have been under way.
    pub(super) fn forget_checks_since(&self, ms: i64) {
        self.answered.lock().unwrap().retain(|check| check.at_ms < ms);
    }

    /// What a client would know at this moment, with its own door.
    pub(super) fn as_of(&self, ms: i64) -> Self {
        let door = Door::new();
        let lines = self.lines.iter().map(|line| Mutex::new(line.lock().unwrap().as_of(ms))).collect();
        let known = |check: &&Answered| check.at_ms < ms;
        let answered = self.answered.lock().unwrap().iter().filter(known).cloned().collect();
        Self {
            door,
            keys: self.keys.clone(),
            lines,
            answered: Mutex::new(answered),
            acknowledged: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
            clock: self.clock.clone(),
        }
    }
}

impl Line {
    /// Times are whole milliseconds, cut off: what was acknowledged in the same one counts as in doubt.
    fn as_of(&self, ms: i64) -> Self {
        let mut line = Self {
            work: self.work.clone(),
            stands: None,
            doubt: self.doubt.clone().filter(|sent| sent.at_ms <= ms),
            version: 0,
            acknowledged: Vec::new(),
        };
        for done in &self.acknowledged {
            if done.at_ms < ms {
                let told: Value = serde_json::from_str(&done.body).unwrap();
                line.stands = if done.sent.revokes.is_some() { None } else { Some(text(&told["grant"])) };
                line.acknowledged.push(done.clone());
            } else if done.sent.at_ms <= ms {
                line.doubt = Some(done.sent.clone());
                break;
            }
        }
        line
    }
}

async fn read_all(db: &Db, log: &str) -> Vec<Value> {
    let size = heads::read_tree(db, log).await.unwrap().map_or(0, |head| head.size);
    let stored = entries::read(db, log, 0..size).await.unwrap();
    stored.iter().map(|entry| serde_json::from_slice(&entry.bytes).unwrap()).collect()
}

/// An organization with a key, verified by the registrar.
async fn verified(door: &Door, registrar: &str, name: &str, role: &str) -> (String, String) {
    let person = json!({ "label": "first", "key": { "label": "own" } });
    let body = json!({ "name": name, "roles": [role], "person": person });
    let told = door.post(0, registrar, "/v1/organizations", &body, &fresh_key()).await.json(201);
    let org = text(&told["organization"]);
    let verify = format!("/v1/organizations/{org}/verify");
    door.post(0, registrar, &verify, &json!({ "note": "seen" }), &fresh_key()).await.json(200);
    (org, text(&told["key"]["secret"]))
}
