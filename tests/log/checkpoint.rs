use data_encoding::BASE64;
use kyodaku::log::checkpoint::{Checkpoint, CheckpointError, CheckpointSigner, KeyError, VerifierKey};
use kyodaku::log::merkle::{EMPTY_ROOT, Hash, MAX_SIZE, TreeHead, leaf_hash};
use proptest::prelude::*;
use signed_note::{Note, StandardSigner, StandardVerifier, VerifierList};

const ORIGIN: &str = "log.example/acts";
const SEED: [u8; 32] = [0x5a; 32];

/// A key that others published, and a note signed with it.
const THEIR_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

fn signer() -> CheckpointSigner {
    CheckpointSigner::from_seed(ORIGIN, &SEED).unwrap()
}

fn checkpoint() -> Checkpoint {
    Checkpoint::new(ORIGIN, TreeHead { size: 923_748, root: leaf_hash(b"root") })
}

fn read(note: &str) -> Result<Checkpoint, CheckpointError> {
    Checkpoint::parse_and_verify(note.as_bytes(), signer().verifier_key())
}

/// `signed_note`'s signer with the same kind of key.
fn their_signer(name: &str, seed: &[u8; 32]) -> StandardSigner {
    let ours = CheckpointSigner::from_seed(name, seed).unwrap();
    let secret = BASE64.encode(&[&[1][..], seed].concat());
    StandardSigner::new(&format!("PRIVATE+KEY+{name}+{:08x}+{secret}", ours.verifier_key().id())).unwrap()
}

/// Any text signed with our key by `signed_note`: what a form our own signer refuses would look like.
fn signed(text: &str) -> String {
    let mut note = Note::new(text.as_bytes(), &[]).unwrap();
    note.add_sigs(&[&their_signer(ORIGIN, &SEED)]).unwrap();
    String::from_utf8(note.to_bytes()).unwrap()
}

#[test]
fn a_checkpoint_has_the_published_form_and_is_read_back() {
    let root = BASE64.encode(&leaf_hash(b"root").0);
    let note = signer().sign(&checkpoint()).unwrap();
    let signature = note.strip_prefix(&format!("{ORIGIN}\n923748\n{root}\n\n\u{2014} {ORIGIN} ")).unwrap();
    assert_eq!(BASE64.decode(signature.trim_end().as_bytes()).unwrap().len(), 4 + 64);
    assert_eq!(read(&note), Ok(checkpoint()));
    assert_eq!(checkpoint().head().size, 923_748);

    let extended = Checkpoint { extensions: vec!["one".into(), "\u{2014} two 許".into()], ..checkpoint() };
    assert_eq!(read(&signer().sign(&extended).unwrap()), Ok(extended));
    let empty = Checkpoint::new(ORIGIN, TreeHead::EMPTY);
    assert_eq!(read(&signer().sign(&empty).unwrap()), Ok(empty));
}

#[test]
fn other_readers_accept_our_checkpoints() {
    let extended = Checkpoint { extensions: vec!["window 7".into()], ..checkpoint() };
    let bytes = signer().sign(&extended).unwrap();
    let key = StandardVerifier::new(&signer().verifier_key().to_string()).unwrap();
    let note = Note::from_bytes(bytes.as_bytes()).unwrap();
    let (verified, unverified) = note.verify(&VerifierList::new(vec![Box::new(key)])).unwrap();
    assert_eq!((verified.len(), unverified.len()), (1, 0));
    let theirs = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
    assert_eq!(theirs.origin(), ORIGIN);
    assert_eq!(theirs.size(), extended.size);
    assert_eq!(theirs.hash().0, extended.root.0);
    assert_eq!(theirs.extension(), "window 7\n");
}

#[test]
fn checkpoints_signed_by_another_implementation_are_accepted() {
    // Ed25519 is deterministic: the same key and text give the same note.
    let text = checkpoint().to_text().unwrap();
    assert_eq!(signed(&text), signer().sign(&checkpoint()).unwrap());
    assert_eq!(read(&signed(&text)), Ok(checkpoint()));
}

#[test]
fn other_signatures_are_ignored_and_ours_must_all_verify() {
    let text = checkpoint().to_text().unwrap();
    let mut note = Note::new(text.as_bytes(), &[]).unwrap();
    let witness = their_signer("witness.example/w1", &[7; 32]);
    note.add_sigs(&[&witness]).unwrap();
    let witnessed = String::from_utf8(note.to_bytes()).unwrap();
    assert_eq!(read(&witnessed), Err(CheckpointError::Unsigned));
    let lines = |note: &str| note.rsplit_once("\n\n").unwrap().1.to_owned();
    let ours = lines(&signer().sign(&checkpoint()).unwrap());
    assert_eq!(read(&format!("{witnessed}{ours}")), Ok(checkpoint()));
    assert_eq!(read(&format!("{text}\n{ours}{}", lines(&witnessed))), Ok(checkpoint()));
    assert_eq!(read(&format!("{text}\n{ours}{ours}")), Ok(checkpoint()));

    // Unknown types and lengths of others are none of our business, but a line must be a line.
    let unknown = BASE64.encode(&[9; 40]);
    assert_eq!(read(&format!("{text}\n\u{2014} x {unknown}\n{ours}")), Ok(checkpoint()));
    for bad in
        ["x", "\u{2014} x", "\u{2014} x AAAA", "\u{2014} x+y AAAAAAA=", "\u{2014}  AAAAAAA=", "- x AAAAAAA="]
    {
        assert!(
            matches!(read(&format!("{text}\n{bad}\n{ours}")), Err(CheckpointError::Malformed(_))),
            "{bad}"
        );
    }

    let other = Checkpoint { size: 1, ..checkpoint() };
    let forged = lines(&signer().sign(&other).unwrap());
    assert_eq!(read(&format!("{text}\n{forged}")), Err(CheckpointError::Signature));
    assert_eq!(read(&format!("{text}\n{ours}{forged}")), Err(CheckpointError::Signature));
    let hundred = format!("\u{2014} x {unknown}\n").repeat(99);
    assert_eq!(read(&format!("{text}\n{hundred}{ours}")), Ok(checkpoint()));
    assert!(read(&format!("{text}\n\u{2014} x {unknown}\n{hundred}{ours}")).is_err());
}

#[test]
fn every_altered_byte_is_noticed() {
    let note = signer().sign(&checkpoint()).unwrap().into_bytes();
    for at in 0..note.len() {
        for bit in [0x01, 0x04, 0x20] {
            let mut altered = note.clone();
            altered[at] ^= bit;
            assert!(Checkpoint::parse_and_verify(&altered, signer().verifier_key()).is_err(), "byte {at}");
        }
        assert!(Checkpoint::parse_and_verify(&note[..at], signer().verifier_key()).is_err(), "cut at {at}");
    }
}

#[test]
fn forms_that_are_not_a_checkpoint_are_refused_although_signed() {
    let root = BASE64.encode(&leaf_hash(b"root").0);
    assert!(read(&signed(&format!("{ORIGIN}\n{MAX_SIZE}\n{root}\n"))).is_ok());
    for size in [
        "",
        "01",
        "00",
        "+1",
        "-1",
        " 1",
        "1 ",
        "1e3",
        "0x1",
        "９",
        "9007199254740993",
        "18446744073709551616",
    ] {
        assert!(malformed(&format!("{ORIGIN}\n{size}\n{root}\n")), "{size}");
    }
    let wrong_tail = format!("{}F=", root.strip_suffix("=").map(|r| &r[..r.len() - 1]).unwrap());
    // Two padded texts that make 32 bytes together.
    let [one, other] = [&[1; 29][..], &[2; 3]].map(|bytes| BASE64.encode(bytes));
    let two = one + &other;
    assert!(two.len() == 44 && BASE64.decode(two.as_bytes()).is_ok_and(|bytes| bytes.len() == 32));
    for root in
        ["", "AAAA", &root[..43], &format!("{root}AAAA"), &format!(" {root}"), &wrong_tail, &two, &hex_root()]
    {
        assert!(malformed(&format!("{ORIGIN}\n1\n{root}\n")), "{root}");
    }
    assert!(malformed(&format!("{ORIGIN}\n0\n{root}\n")), "an empty log has one root");
    assert!(malformed(&format!("{ORIGIN}\n1\n{root}\n\nmore\n")), "an empty extension");
    assert!(malformed(&format!("{ORIGIN}\n1\n")));
    assert!(malformed("\n"));
    let elsewhere = format!("log.example/other\n1\n{root}\n");
    assert_eq!(read(&signed(&elsewhere)), Err(CheckpointError::Origin));

    let note = signer().sign(&checkpoint()).unwrap();
    for wrong in
        [note.trim_end().to_owned(), format!("{note}\n"), format!("{note}x"), note.replace('\n', "\r\n")]
    {
        assert!(matches!(read(&wrong), Err(CheckpointError::Malformed(_))), "{wrong}");
    }
    let huge = format!("{ORIGIN}\n1\n{root}\n{}\n", "x".repeat(1_000_000));
    assert!(matches!(read(&format!("{huge}\nx")), Err(CheckpointError::Malformed(_))));
}

fn malformed(text: &str) -> bool {
    matches!(read(&signed(text)), Err(CheckpointError::Malformed(_)))
}

fn hex_root() -> String {
    leaf_hash(b"root").to_string()
}

#[test]
fn nothing_is_signed_that_could_not_be_read() {
    let root = leaf_hash(b"root");
    let head = TreeHead { size: 1, root };
    let with =
        |extension: &str| Checkpoint { extensions: vec![extension.into()], ..Checkpoint::new(ORIGIN, head) };
    for wrong in [with(""), with("a\nb"), with("a\n"), with("tab\t"), with(&"x".repeat(1_000_000))] {
        assert!(signer().sign(&wrong).is_err());
    }
    assert!(signer().sign(&Checkpoint::new(ORIGIN, TreeHead { size: MAX_SIZE + 1, root })).is_err());
    assert!(signer().sign(&Checkpoint::new(ORIGIN, TreeHead { size: 0, root })).is_err());
    assert!(signer().sign(&Checkpoint::new(ORIGIN, TreeHead { size: 0, root: EMPTY_ROOT })).is_ok());
    assert_eq!(signer().sign(&Checkpoint::new("log.example", head)), Err(CheckpointError::Origin));
}

#[test]
fn verifier_keys_are_read_as_others_write_them() {
    let key: VerifierKey = THEIR_KEY.parse().unwrap();
    assert_eq!((key.name(), key.id()), ("PeterNeumann", 0xc74f_20a3));
    assert_eq!(key.to_string(), THEIR_KEY);
    assert_eq!(VerifierKey::new("PeterNeumann", key.public_bytes()), Ok(key));
    assert_eq!(signer().verifier_key().to_string().parse(), Ok(signer().verifier_key().clone()));

    let wrong = |text: &str| text.parse::<VerifierKey>().unwrap_err();
    assert_eq!(wrong("PeterNeumann+c74f20a3"), KeyError::Form);
    assert_eq!(wrong(&THEIR_KEY.replace("c74f20a3", "C74F20A3")), KeyError::Form);
    assert_eq!(wrong(&THEIR_KEY.replace("c74f20a3", "c74f20")), KeyError::Form);
    assert_eq!(wrong(&THEIR_KEY.replace("c74f20a3", "c74f20a4")), KeyError::Id);
    assert_eq!(wrong(&THEIR_KEY.replace("Peter", "Pieter")), KeyError::Id);
    assert_eq!(wrong(&THEIR_KEY.replace("+AR", "+BB")), KeyError::Type(1));
    assert_eq!(wrong(&THEIR_KEY[..THEIR_KEY.len() - 4]), KeyError::Form);
    assert_eq!(wrong(&format!("{THEIR_KEY}=")), KeyError::Form);
    assert_eq!(wrong(&THEIR_KEY.replace("PeterNeumann", "")), KeyError::Name);
    assert_eq!(wrong(&THEIR_KEY.replace("PeterNeumann", "Peter Neumann")), KeyError::Name);
    assert_eq!(wrong(&THEIR_KEY.replace("PeterNeumann", "Peter\u{3000}Neumann")), KeyError::Name);
    assert_eq!(CheckpointSigner::from_seed("a+b", &SEED).unwrap_err(), KeyError::Name);
    // The identity point verifies anything.
    let mut identity = [0; 32];
    identity[0] = 1;
    assert_eq!(VerifierKey::new("x", &identity), Err(KeyError::Point));
}

#[test]
fn the_secret_does_not_show() {
    let shown = format!("{:?} {:#?}", signer(), signer());
    assert!(shown.contains(ORIGIN));
    for secret in [format!("{SEED:?}"), Hash(SEED).to_string(), BASE64.encode(&SEED), "90, 90".to_owned()] {
        assert!(!shown.contains(&secret), "{shown}");
    }
}

proptest! {
    #[test]
    fn the_parser_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Checkpoint::parse_and_verify(&bytes, signer().verifier_key()).is_err());
    }

    #[test]
    fn the_parser_never_panics_on_what_looks_right(
        text in "([a-z+ .\n]|log[.]example/acts\n|[0-9]{1,20}\n|[A-Za-z0-9+/]{43}=\n){0,8}",
        lines in "(\u{2014} log[.]example/acts [A-Za-z0-9+/]{0,92}={0,2}\n|\u{2014} |\n){0,3}",
    ) {
        let note = format!("{text}\n{lines}");
        prop_assert!(Checkpoint::parse_and_verify(note.as_bytes(), signer().verifier_key()).is_err());
    }

    #[test]
    fn what_is_signed_is_read_back(size in 1..=MAX_SIZE, root in any::<[u8; 32]>(), extensions in proptest::collection::vec("[^\\x00-\\x1f]{1,20}", 0..4)) {
        let checkpoint = Checkpoint { origin: ORIGIN.into(), size, root: Hash(root), extensions };
        prop_assert_eq!(read(&signer().sign(&checkpoint).unwrap()), Ok(checkpoint));
    }

    /// Whatever `signed_note` and `tlog_tiles` refuse, we refuse; the reverse need not hold.
    #[test]
    fn no_signed_text_is_believed_that_others_refuse(
        text in "(log[.]example/acts\n)?(0|0?[1-9][0-9]{0,19})\n([A-Za-z0-9+/]{42}[AEIM]=|[A-Za-z0-9+/]{43}=)\n(\n|x\n){0,2}",
    ) {
        if read(&signed(&text)).is_ok() {
            prop_assert!(tlog_tiles::Checkpoint::from_bytes(text.as_bytes()).is_ok());
        }
    }
}
