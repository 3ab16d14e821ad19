//! How fast logs are verified offline: an exported act log of admitted acts, on one thread.

use std::path::Path;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use data_encoding::BASE64;
use kyodaku::domain::act::{
    Act, AssertionsConfirmed, Binding, Covers, GrantRecorded, Holding, LogOpened, OrgRegistered, OrgVerified,
    PersonAdded, Revocable, Role, RulesActivated, WorkKind, WorkRegistered,
};
use kyodaku::domain::command::{Command, Proposed, record};
use kyodaku::domain::entry::{Entry, Salt};
use kyodaku::domain::ids::{Id, Kind, OrgId, PersonId};
use kyodaku::domain::index::Index;
use kyodaku::domain::key::{Key, Sha256};
use kyodaku::domain::scope::{From, Scope, Until};
use kyodaku::domain::uses::Use;
use kyodaku::log::canonical::to_canonical;
use kyodaku::log::checkpoint::{Checkpoint, CheckpointSigner};
use kyodaku::log::merkle::{Hash, leaf_hash};
use kyodaku::log::tile::{TileBuilder, TilePath, TileRef, encode_bundle};
use kyodaku::registry::offline::{Asked, Folder, LIST, Report, verify};
use serde_json::json;

use super::world::{AT_MS, Numbers};
use super::{cpu_seconds, resident_bytes, row};

const ORIGIN: &str = "bench.example/log";

/// A log that is made by the rules.
struct Made {
    index: Index,
    numbers: Numbers,
    entries: Vec<Vec<u8>>,
}

impl Made {
    fn id<K: Kind>(&mut self) -> Id<K> {
        Id::new(uuid::Uuid::from_u64_pair(self.numbers.next(), self.numbers.next()))
    }

    fn record(&mut self, party: OrgId, by: &[PersonId], acts: Vec<Act>) {
        let acts = acts.into_iter().map(|act| Proposed { act, payload: None }).collect();
        let command = Command { party, on_behalf_of: None, by: by.to_vec(), acts };
        let numbers = &mut self.numbers;
        let salt = || Salt(uuid::Uuid::from_u64_pair(numbers.next(), numbers.next()).into_bytes());
        let recorded = record(&mut self.index, &command, AT_MS, salt).expect("it is admitted");
        self.index.keep();
        self.entries.extend(recorded.iter().map(|entry| to_canonical(entry).expect("it is written")));
    }

    fn member(&mut self, role: Role, persons: usize) -> (OrgId, Vec<PersonId>, Vec<Act>) {
        let org = self.id();
        let persons: Vec<PersonId> = (0..persons).map(|_| self.id()).collect();
        let mut acts: Vec<Act> =
            vec![OrgRegistered { org, roles: vec![role] }.into(), OrgVerified { org, evidence: None }.into()];
        acts.extend(persons.iter().map(|person| Act::from(PersonAdded { person: *person, org })));
        (org, persons, acts)
    }

    /// So many works, each registered, confirmed and granted: three entries a work.
    fn of(works: u64) -> Self {
        let mut made = Self { index: Index::new(), numbers: Numbers::new(7), entries: Vec::new() };
        let registry: OrgId = made.id();
        let opened = LogOpened { origin: ORIGIN.to_owned(), registry, continues: None };
        made.record(registry, &[], vec![opened.into(), RulesActivated { version: 1 }.into()]);
        let (registrar, office, acts) = made.member(Role::Registrar, 2);
        made.record(registry, &[], acts);
        let (holder, persons, acts) = made.member(Role::RightsHolder, 1);
        made.record(registrar, &office, acts);
        for number in 0..works {
            let (work, holding, binding, grant) = (made.id(), made.id(), made.id(), made.id());
            let key = Key::identifier("catalogue", &format!("work {number}")).expect("a key");
            let registered = WorkRegistered {
                work,
                kind: WorkKind::Comic,
                holders: vec![Holding { holding, holder }],
                roster_complete: true,
                layers: Vec::new(),
                layers_complete: true,
                part_of: Vec::new(),
                bindings: vec![Binding { binding, key }],
            };
            made.record(holder, &persons, vec![registered.into()]);
            let evidence = Sha256::of(b"seen");
            let confirmed =
                AssertionsConfirmed { holdings: vec![holding], bindings: vec![binding], evidence };
            made.record(registrar, &office, vec![confirmed.into()]);
            let granted = GrantRecorded {
                grant,
                work,
                covers: Covers::Work,
                as_layer_of: Scope::Any,
                by_location: false,
                uses: Scope::Only(vec![Use::TrainGenerative]),
                developers: Scope::Any,
                models: Scope::Any,
                territories: Scope::Any,
                from: From::OnRecord,
                until: Until::Open,
                revocable: Revocable::NoticeMs(0),
                conditions: Vec::new(),
                terms: None,
                request: None,
            };
            made.record(holder, &persons, vec![granted.into()]);
        }
        made
    }

    /// Writes it as it would be exported.
    fn write(&self, folder: &Path) {
        let put = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
            std::fs::write(path, bytes).expect("it can be written");
        };
        let mut tree = TileBuilder::new();
        let leaves: Vec<Hash> = self.entries.iter().map(|entry| leaf_hash(entry)).collect();
        for write in tree.append(&leaves) {
            let tile = TileRef { id: write.id, width: write.width() };
            put(&format!("acts/{tile}"), &write.data);
        }
        for (index, entries) in (0..).zip(self.entries.chunks(256)) {
            let path = TilePath::Entries { index, width: entries.len() as u16 };
            put(&format!("acts/{path}"), &encode_bundle(entries).expect("a bundle"));
        }
        let signer = CheckpointSigner::from_seed(ORIGIN, &[7; 32]).expect("a key");
        let note = signer.sign(&Checkpoint::new(ORIGIN, tree.head())).expect("it is signed");
        put("acts/checkpoint", note.as_bytes());
        put(&format!("acts/checkpoints/{}", tree.size()), note.as_bytes());
        let key = json!({ "verifier_key": signer.verifier_key().to_string(), "first_size": 0, "first": "" });
        let root = BASE64.encode(tree.head().root.as_ref());
        let told = json!({
            "log": "acts", "origin": ORIGIN, "prefix": "/logs/acts", "size": tree.size(), "root": root, "keys": [key],
        });
        put(LIST, json!({ "items": [told], "next": null }).to_string().as_bytes());
    }
}

fn timed(folder: &Path, only_hashes: bool) -> (f64, Report) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let asked = Asked {
        keys: Vec::new(),
        witnesses: Vec::new(),
        witnesses_needed: 0,
        needs_entries: true,
        only_hashes,
        most: 1,
        teller: None,
    };
    let begun = cpu_seconds();
    let report = runtime.block_on(verify(&Folder::new(folder), &asked, &|_, _| ())).expect("it can be read");
    let seconds = cpu_seconds() - begun;
    assert_eq!(report.findings.kept(), [], "everything holds");
    (seconds, report)
}

/// How fast entries are written as RFC 8785 says, beside another program that does.
fn canonical(entries: &[Vec<u8>]) {
    let entries: Vec<Entry> =
        entries.iter().map(|entry| serde_json::from_slice(entry).expect("an entry")).collect();
    let rate = |write: &dyn Fn(&Entry) -> Vec<u8>| {
        let begun = cpu_seconds();
        let bytes: usize = entries.iter().map(|entry| write(entry).len()).sum();
        assert!(bytes > 0);
        entries.len() as f64 / (cpu_seconds() - begun)
    };
    let ours = rate(&|entry| to_canonical(entry).expect("it is written"));
    let theirs = rate(&|entry| serde_json_canonicalizer::to_vec(entry).expect("it is written"));
    row("offline: entries written canonically a second", &format!("{ours:.0}"));
    row("the same by serde_json_canonicalizer", &format!("{:.2}", ours / theirs));
}

/// Figures of a log with so many works.
pub(crate) fn figures(works: u64) {
    let made = Made::of(works);
    let folder = tempfile::tempdir().expect("a folder");
    made.write(folder.path());
    let entries = made.entries.len() as f64;
    let bytes: usize = made.entries.iter().map(Vec::len).sum();
    row("offline: entries, of so many bytes each", &format!("{entries:.0} / {:.0}", bytes as f64 / entries));
    // Another program's tree over the same entries, which are in memory already.
    let begun = cpu_seconds();
    let mut tree = MemoryBackedTree::<sha2::Sha256, Vec<u8>>::new();
    made.entries.iter().for_each(|entry| tree.push(entry.clone()));
    let root = tree.root();
    let theirs = entries / (cpu_seconds() - begun);
    row("offline: ct-merkle, entries in memory hashed to a root a second", &format!("{theirs:.0}"));
    canonical(&made.entries);
    drop(made);
    drop(tree);
    let before = resident_bytes();
    let (seconds, report) = timed(folder.path(), true);
    assert_eq!(
        report.logs[0].root,
        Hash(<[u8; 32]>::try_from(root.as_bytes().as_slice()).expect("32 bytes")).to_string()
    );
    row("offline: entries hashed a second, tiles compared", &format!("{:.0}", entries / seconds));
    row("the same by ct-merkle", &format!("{:.2}", entries / seconds / theirs));
    let grown = resident_bytes().saturating_sub(before);
    row("offline: MiB that it needed", &format!("{:.1}", grown as f64 / f64::from(1 << 20)));
    let (seconds, _) = timed(folder.path(), false);
    row("offline: entries replayed a second, everything verified", &format!("{:.0}", entries / seconds));
    row("the same by ct-merkle, which only hashes", &format!("{:.2}", entries / seconds / theirs));
}
