//! What is done with bytes from outside, one function for each kind, and what must hold whatever they are.
//!
//! `cargo fuzz run NAME` looks for bytes that break it (`fuzz/README.md`); `tests/hostile/parsers.rs` includes this very file and runs
//! the same functions on the seeds and on some thousand mutations of them.

use std::str::FromStr;
use std::sync::OnceLock;
use std::time::Duration;

use axum::body::{Body, Bytes};
use kyodaku::clock::Clock;
use kyodaku::domain::entry::Entry;
use kyodaku::domain::ids::{self, Id, Kind, OrgId};
use kyodaku::domain::key::{Key, Sha256, SubjectKey};
use kyodaku::domain::uses::Use;
use kyodaku::http::checks::lines::{Line, Lines, MAX_LINE};
use kyodaku::http::etag::Etag;
use kyodaku::http::extract::body::parse;
use kyodaku::http::page::{cursor, read_cursor};
use kyodaku::http::subject::item;
use kyodaku::http::text::{Label, Note, Title};
use kyodaku::http::wire::{Begin, End, EvidenceIn, KeyIn, Notice, Plain, Reasoned, TitleIn, moment_ms};
use kyodaku::log::canonical::to_canonical;
use kyodaku::log::checkpoint::{Checkpoint, CheckpointSigner, VerifierKey, claimed};
use kyodaku::log::evidence::{Evidence, Trust, pack, unpack};
use kyodaku::log::merkle::{Hash, leaf_hash, root_of};
use kyodaku::log::proof::{ItemTree, verify_consistency, verify_inclusion};
use kyodaku::log::tile::{TilePath, decode_bundle, encode_bundle};
use kyodaku::registry::checks::{Context, MAX_REFERENCE};
use kyodaku::registry::credential::{CHARS, Secret};
use kyodaku::registry::oauth::jwk::PublicKey;
use kyodaku::registry::offline::{Folder, GivenKey, Piece, read_list};
use kyodaku::registry::sign_in::token::{Bearer, Tokens};

/// What reads bytes of anybody's.
pub type Target = fn(&[u8]);

/// Every function, by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("api_key", api_key),
    ("bundle", bundle),
    ("checkpoint", checkpoint),
    ("cursor", cursors),
    ("entry", entry),
    ("id", id),
    ("identifier", identifier),
    ("item", items),
    ("jwk", jwk),
    ("lines", lines),
    ("logs", logs),
    ("proof", proof),
    ("text", text),
    ("tile", tile),
    ("token", token),
    ("url", url),
    ("wire", wire),
];

fn utf8(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// API keys: one that is read is told back as it is, and no other key is like it.
pub fn api_key(bytes: &[u8]) {
    let Ok(key) = Secret::read(utf8(bytes)) else { return };
    assert_eq!(key.expose().as_bytes(), bytes);
    assert_eq!(bytes.len(), CHARS);
    assert!(key.expose().starts_with(key.shown()) && key.shown().len() < 16);
    assert!(!format!("{key:?}").contains(key.expose()));
    for at in 0..bytes.len() {
        let mut other = bytes.to_vec();
        other[at] ^= 1;
        assert!(Secret::read(utf8(&other)).is_err(), "a letter changed at {at} is not seen");
    }
}

/// What must hold of every key that was read.
fn is_sound(key: &Key) {
    assert!(key.is_normal(), "{key:?}");
    let json = serde_json::to_string(key).expect("a key is JSON");
    assert_eq!(&serde_json::from_str::<Key>(&json).expect("its own JSON"), key);
    assert!(!key.to_string().chars().any(char::is_control), "{key:?}");
    for prefix in key.covering_prefixes() {
        assert!(prefix.is_normal() && prefix.is_location(), "{prefix:?} covers {key:?}");
    }
}

/// Web addresses: the normal form is its own normal form, names no credentials and covers itself.
pub fn url(bytes: &[u8]) {
    let text = utf8(bytes);
    if let Ok(key) = Key::url(text) {
        is_sound(&key);
        let Key::Url { value } = &key else { panic!("{key:?} is no address") };
        assert_eq!(Key::url(value).as_ref(), Ok(&key), "of {text:?}");
        assert!(value.starts_with("http://") || value.starts_with("https://"), "{value}");
        assert!(value.is_ascii() && !value.contains('#'), "{value}");
        let host = key.host().unwrap_or_else(|| panic!("{value} has no host"));
        assert!(!host.is_empty() && !host.contains(['@', '/']), "{value}");
        let authority = value.split('/').nth(2).unwrap_or_default();
        assert!(!authority.contains('@'), "{value} names credentials");
    }
    if let Ok(key) = Key::url_prefix(text) {
        is_sound(&key);
        let Key::UrlPrefix { value } = &key else { panic!("{key:?} is no prefix") };
        assert_eq!(Key::url_prefix(value).as_ref(), Ok(&key), "of {text:?}");
        assert!(!value.ends_with('/'), "{value}");
        let below = Key::url(&format!("{value}/x")).expect("an address below it");
        assert!(below.covering_prefixes().contains(&key), "{value} does not cover what is below it");
        // `http://0.0.0.0x` is another way to write `http://0.0.0.0`.
        let beside =
            Key::url(&format!("{value}x")).ok().filter(|beside| Key::url(value).as_ref() != Ok(beside));
        if let Some(beside) = beside {
            assert!(!beside.covering_prefixes().contains(&key), "{value} covers what is beside it");
        }
    }
}

/// Identifiers, hashes and ISCC units: two fields with a line end between.
pub fn identifier(bytes: &[u8]) {
    let (first, second) = utf8(bytes).split_once('\n').unwrap_or_default();
    if let Ok(key) = Key::identifier(first, second) {
        is_sound(&key);
        let Key::Id { scheme, value } = &key else { panic!("{key:?} is no identifier") };
        assert_eq!((scheme.as_str(), Key::identifier(scheme, value)), (first, Ok(key.clone())));
    }
    if let Ok(key) = Key::iscc(first, second) {
        is_sound(&key);
    }
    if let Ok(hash) = first.parse::<Sha256>() {
        assert_eq!(hash.to_string(), first);
        is_sound(&Key::sha256(hash));
    }
}

fn one_id<K: Kind>(text: &str) -> bool {
    let Ok(id) = text.parse::<Id<K>>() else { return false };
    assert_eq!(id.to_string(), text);
    assert_eq!(serde_json::to_string(&id).expect("an id is JSON"), format!("\"{text}\""));
    true
}

/// Ids: one text is an id of one kind at most, in one form.
pub fn id(bytes: &[u8]) {
    let text = utf8(bytes);
    let kinds = [
        one_id::<ids::OrgKind>(text),
        one_id::<ids::PersonKind>(text),
        one_id::<ids::WorkKind>(text),
        one_id::<ids::GrantKind>(text),
        one_id::<ids::KeyKind>(text),
        one_id::<ids::SessionKind>(text),
    ];
    assert!(kinds.into_iter().filter(|read| *read).count() <= 1, "{text}");
}

/// Entries of the log: what is read is written the same again.
pub fn entry(bytes: &[u8]) {
    let Ok(entry) = serde_json::from_slice::<Entry>(bytes) else { return };
    let Ok(written) = to_canonical(&entry) else { return };
    let again: Entry = serde_json::from_slice(&written).expect("what was written is read");
    assert_eq!(again, entry);
    assert_eq!(to_canonical(&again).expect("it was written before"), written);
}

fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
    })
}

/// Lines of a body: the same, however the body is cut. The first byte says how.
pub fn lines(bytes: &[u8]) {
    let Some((cut, body)) = bytes.split_first() else { return };
    let is_blank = |line: &&[u8]| line.trim_ascii().is_empty();
    let expected: Vec<_> = body
        .split(|byte| *byte == b'\n')
        .filter(|line| line.len() > MAX_LINE || !is_blank(line))
        .map(
            |line| {
                if line.len() > MAX_LINE { Line::TooLong } else { Line::Text(Bytes::copy_from_slice(line)) }
            },
        )
        .collect();
    let frames: Vec<_> = body.chunks(usize::from(*cut).max(1)).map(Bytes::copy_from_slice).collect();
    let frames = frames.into_iter().map(Ok::<_, std::convert::Infallible>);
    let mut lines = Lines::new(Body::from_stream(futures_util::stream::iter(frames)), Duration::from_mins(1));
    let mut found = Vec::new();
    while let Some(line) = runtime().block_on(lines.next()).unwrap_or_else(|_| panic!("the body ends")) {
        found.push(line);
    }
    assert_eq!(found, expected);
}

/// Items of a check: what can be asked has keys in their normal form, everything else says why not.
pub fn items(bytes: &[u8]) {
    let developer: OrgId = "org_01h455vb4pex5vsknk084sn02q".parse().expect("an id");
    let context = Context { uses: vec![Use::Search], model: None, territory: None, with_parts: false };
    let item = item(bytes, developer, &context);
    assert!(item.reference.is_none_or(|reference| reference.chars().count() <= MAX_REFERENCE));
    match item.question {
        Err(why) => assert!(!why.is_empty()),
        Ok(question) => {
            assert_eq!(question.developer, developer);
            assert!(!question.uses.is_empty() && !question.subject.is_empty());
            for subject in &question.subject {
                if let SubjectKey::Key(key) = subject {
                    is_sound(key);
                }
            }
        }
    }
}

/// Public keys of programs: what is read is told back, and its private half never is.
pub fn jwk(bytes: &[u8]) {
    let Ok(key) = serde_json::from_slice::<PublicKey>(bytes) else { return };
    let told = serde_json::to_string(&key).expect("a key is JSON");
    assert!(!told.contains("\"d\""), "{told}");
    assert_eq!(serde_json::from_str::<PublicKey>(&told).expect("its own JSON"), key);
    assert_eq!(PublicKey::from_stored(key.bytes()).as_ref(), Some(&key));
}

/// A log's key, and a checkpoint that it signed.
fn signed() -> &'static (CheckpointSigner, String) {
    static SIGNED: OnceLock<(CheckpointSigner, String)> = OnceLock::new();
    SIGNED.get_or_init(|| {
        let signer = CheckpointSigner::from_seed("fuzz.example/log", &[7; 32]).expect("a key");
        let leaves = [leaf_hash(b"one"), leaf_hash(b"two")];
        let mut checkpoint =
            Checkpoint::new("fuzz.example/log", ItemTree::from_leaves(leaves.to_vec()).head());
        checkpoint.extensions.push("more".to_owned());
        let note = signer.sign(&checkpoint).expect("a checkpoint");
        (signer, note)
    })
}

/// Checkpoints and verifier keys: what is believed bears a signature of the key over exactly these bytes.
pub fn checkpoint(bytes: &[u8]) {
    is_rightly_believed(bytes);
    if let [at, letter, rest @ ..] = bytes {
        let (signer, note) = signed();
        assert!(Checkpoint::parse_and_verify(note.as_bytes(), signer.verifier_key()).is_ok());
        let mut other = note.as_bytes().to_vec();
        let at = usize::from(*at) * note.len() / 256;
        other[at] = *letter;
        for other in [&other, &[&note.as_bytes()[..at], rest].concat(), &[note.as_bytes(), rest].concat()] {
            is_rightly_believed(other);
        }
    }
    if let Ok(key) = VerifierKey::from_str(utf8(bytes)) {
        assert_eq!(key.to_string().as_bytes(), bytes);
    }
}

fn is_rightly_believed(bytes: &[u8]) {
    let (signer, _) = signed();
    let Ok(read) = Checkpoint::parse_and_verify(bytes, signer.verifier_key()) else { return };
    let note = signer.sign(&read).expect("what was read can be signed");
    // Ed25519 has one signature for a text and a key; what else may stand there are signatures of others.
    let (text, line) = note.split_once("\n\n").expect("a note has a blank line");
    assert!(
        utf8(bytes).starts_with(&format!("{text}\n\n")) && utf8(bytes).contains(line.trim_end()),
        "{read:?}"
    );
}

/// Paths of tiles and bundles of entries: what is read is written the same.
pub fn tile(bytes: &[u8]) {
    if let Ok(path) = TilePath::from_str(utf8(bytes)) {
        assert_eq!(path.to_string().as_bytes(), bytes);
    }
    if let Ok(entries) = decode_bundle(bytes) {
        assert_eq!(encode_bundle(&entries).expect("no more than was read"), bytes);
    }
}

/// Lists of logs, of a server or a folder: what is read names folders below the one it lies in, and nothing else. Keys with the
/// size after which they sign, and checkpoints that nobody has verified, are read or refused.
pub fn logs(bytes: &[u8]) {
    if let Ok(told) = read_list(bytes) {
        let folder = Folder::new("exported");
        for log in &told {
            let path = folder.path(&log.log, Piece::Newest);
            let names: Vec<_> = path.iter().map(|name| name.to_str().expect("text")).collect();
            assert!(matches!(names[..], ["exported", _, "checkpoint"]), "{path:?}");
            assert!(!names.contains(&"..") && !names.contains(&"."), "{path:?}");
            assert!(log.keys().iter().all(|(key, _)| key.name() == log.origin), "{log:?}");
        }
        assert_eq!(told.first().map(|log| log.log.to_string()).as_deref(), Some("acts"));
    }
    if let Ok(given) = GivenKey::from_str(utf8(bytes)) {
        assert!(utf8(bytes).starts_with(given.name()));
    }
    if let Ok(checkpoint) = claimed(bytes) {
        assert!(utf8(bytes).starts_with(&checkpoint.to_text().expect("it was read")));
    }
}

/// Proofs: the right one verifies, and none that was changed does. The bytes say which leaf, and what is changed.
pub fn proof(bytes: &[u8]) {
    let [size, at, old, rest @ ..] = bytes else { return };
    let size = u64::from(*size) % 64 + 1;
    let (at, old) = (u64::from(*at) % size, u64::from(*old) % (size + 1));
    let leaves: Vec<_> = (0..size).map(|leaf| leaf_hash(&leaf.to_be_bytes())).collect();
    let tree = ItemTree::from_leaves(leaves.clone());
    let (head, path) = (tree.head(), tree.path(at).expect("a leaf of the tree"));
    assert_eq!(head.root, root_of(&leaves));
    let leaf = leaves[usize::try_from(at).expect("small")];
    assert_eq!(verify_inclusion(head, at, leaf, &path), Ok(()));
    let changed = changed(&path, rest);
    if changed != path {
        assert!(verify_inclusion(head, at, leaf, &changed).is_err());
    }
    for other in 0..size {
        assert_eq!(verify_inclusion(head, other, leaf, &path).is_ok(), other == at);
    }
    // Bytes of a stranger as a proof that one log goes on another.
    let before = ItemTree::from_leaves(leaves[..usize::try_from(old).expect("small")].to_vec()).head();
    let stranger: Vec<_> =
        rest.chunks_exact(32).map(|chunk| Hash::try_from(chunk).expect("32 bytes")).collect();
    if verify_consistency(before, head, &stranger).is_ok() {
        assert!(old == 0 || old == size || stranger.iter().all(|hash| is_of(&leaves, *hash)), "{stranger:?}");
    }
}

/// The archive of an evidence bundle: what is read of it is packed and read the same again; nothing that was made up is proved.
pub fn bundle(bytes: &[u8]) {
    let Ok(files) = unpack(bytes) else { return };
    let listed: Vec<_> = files.clone().into_iter().collect();
    assert_eq!(unpack(&pack(&listed).expect("no more than was read")).expect("what was packed"), files);
    if let Ok(written) = Evidence::read(files) {
        assert!(!written.evidence.verify(&Trust::default()).faults.is_empty(), "no log signed it");
    }
}

/// The proof with one byte changed, two hashes swapped, or one more or less of them.
fn changed(path: &[Hash], how: &[u8]) -> Vec<Hash> {
    let mut path = path.to_vec();
    let [kind, at, bits, ..] = how else { return path };
    let at = usize::from(*at);
    match kind % 4 {
        0 if !path.is_empty() => {
            let hash = at / 32 % path.len();
            path[hash].0[at % 32] ^= bits;
        }
        1 if !path.is_empty() => {
            let length = path.len();
            path.swap(at % length, usize::from(*bits) % length);
        }
        2 => drop(path.pop()),
        _ => path.push(leaf_hash(how)),
    }
    path
}

/// Whether a hash is that of a run of leaves, as all in a right proof are.
fn is_of(leaves: &[Hash], hash: Hash) -> bool {
    (0..leaves.len()).any(|from| (from..leaves.len()).any(|to| root_of(&leaves[from..=to]) == hash))
}

/// Texts of people: what is taken is in its normal form, is not too long, and holds nothing that misleads.
pub fn text(bytes: &[u8]) {
    let text = utf8(bytes);
    let read = [
        Title::new(text).map(|it| (it.into_string(), Title::MAX_CHARS, false)),
        Label::new(text).map(|it| (it.into_string(), Label::MAX_CHARS, false)),
        Note::new(text).map(|it| (it.into_string(), Note::MAX_CHARS, true)),
    ];
    for (kept, most, lines) in read.into_iter().flatten() {
        assert!(kept.chars().count() <= most && !kept.trim().is_empty(), "{kept:?}");
        let is_bad = |c: char| c.is_control() && !(lines && matches!(c, '\n' | '\t'));
        assert!(
            !kept
                .chars()
                .any(|c| is_bad(c) || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')),
            "{kept:?}"
        );
        assert_eq!(Note::new(&kept).map(Note::into_string).as_ref(), Ok(&kept));
    }
    // The same by way of JSON.
    let json = serde_json::to_string(text).expect("a text is JSON");
    let title = Title::new(text).map(Title::into_string).ok();
    assert_eq!(serde_json::from_str::<Title>(&json).map(Title::into_string).ok(), title);
}

/// Access tokens: one that was not issued as it is, is none. The registry's key is known here, and so are good tokens.
pub fn token(bytes: &[u8]) {
    let (tokens, issued) = issued();
    for good in issued {
        assert!(tokens.read(good, NOW_MS).is_some(), "{good} is good");
    }
    let text = utf8(bytes);
    if let Some(good) = tokens.read(text, NOW_MS) {
        assert!(issued.iter().any(|it| it == text), "{text} was not issued, and is {good:?}");
    }
    // A good one with one letter changed, or another text after a part of it.
    if let [which, at, letter, rest @ ..] = bytes {
        let good = &issued[usize::from(*which) % issued.len()];
        let at = usize::from(*at) * good.len() / 256;
        let mut other = good.as_bytes().to_vec();
        other[at] = *letter;
        for other in
            [utf8(&other), &format!("{}{}", &good[..at], utf8(rest)), &format!("{good}{}", utf8(rest))]
        {
            assert!(other == good || tokens.read(other, NOW_MS).is_none(), "{other} was not issued");
        }
    }
}

/// The moment of [`token`].
const NOW_MS: i64 = 1_761_523_200_000;

/// The registry's tokens, and two that it issued: to a person, and to a program.
fn issued() -> &'static (Tokens, [String; 2]) {
    static ISSUED: OnceLock<(Tokens, [String; 2])> = OnceLock::new();
    ISSUED.get_or_init(|| {
        let tokens = Tokens::new("https://fuzz.example", &[7; 32], None).expect("a key");
        let clock = Clock::manual(NOW_MS);
        let org: OrgId = Id::new(clock.new_uuid());
        let bearers = [
            Bearer::Session(Id::new(clock.new_uuid()), Id::new(clock.new_uuid())),
            Bearer::Client(Id::new(clock.new_uuid()), "read check".to_owned()),
        ];
        let good = bearers.map(|bearer| tokens.issue(&clock, &bearer, org, i64::MAX).expect("a token").0);
        (tokens, good)
    })
}

/// Cursors and entity tags: none but what was given out.
pub fn cursors(bytes: &[u8]) {
    let text = utf8(bytes);
    if let Ok((number, name)) = read_cursor::<(u64, String)>("listWorks", text) {
        let again =
            cursor("listWorks", (number, &name)).unwrap_or_else(|_| panic!("a cursor of what was read"));
        assert_eq!(read_cursor::<(u64, String)>("listWorks", &again).ok(), Some((number, name)));
        assert!(read_cursor::<(u64, String)>("listGrants", text).is_err());
    }
    if let Some(entry) = Etag::entry_of(text) {
        assert_eq!(Etag::of_entry(entry).as_str(), text);
    }
}

/// Bodies: read or refused with places, and moments, terms and notices in one form.
pub fn wire(bytes: &[u8]) {
    if let Ok(key) = parse::<KeyIn>(bytes) {
        is_sound(&key.normal().expect("it was validated"));
    }
    drop(parse::<TitleIn>(bytes));
    drop(parse::<EvidenceIn>(bytes));
    drop(parse::<Plain>(bytes));
    drop(parse::<Reasoned>(bytes));
    drop(serde_json::from_slice::<Begin>(bytes));
    drop(serde_json::from_slice::<End>(bytes));
    drop(serde_json::from_slice::<Notice>(bytes));
    if let Ok(moment) = moment_ms(utf8(bytes)) {
        assert!(moment >= 0);
    }
}
