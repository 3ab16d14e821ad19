use data_encoding::BASE64;
use kyodaku::log::checkpoint::{Checkpoint, CheckpointError, CheckpointSigner};
use kyodaku::log::merkle::{Hash, leaf_hash};
use kyodaku::log::proof::{ItemTree, ProofFile, ProofFileError};
use proptest::prelude::*;

use super::{entry, leaves};

const ORIGIN: &str = "log.example/acts";

fn signer() -> CheckpointSigner {
    CheckpointSigner::from_seed(ORIGIN, &[0x5a; 32]).unwrap()
}

fn file(index: u64, size: u64) -> ProofFile {
    let tree = ItemTree::from_leaves(leaves(size));
    let checkpoint = signer().sign(&Checkpoint::new(ORIGIN, tree.head())).unwrap();
    ProofFile { extra: None, index, hashes: tree.path(index).unwrap(), checkpoint }
}

fn verified(file: &ProofFile, index: u64) -> Result<u64, ProofFileError> {
    file.verify(signer().verifier_key(), leaf_hash(&entry(index))).map(|checkpoint| checkpoint.size)
}

#[test]
fn a_file_has_the_published_form_and_is_read_back() {
    let whole = file(3, 6);
    let [one, two, three] = whole.hashes[..] else { panic!("{whole:?}") };
    let line = |hash: Hash| BASE64.encode(&hash.0);
    let written = format!(
        "c2sp.org/tlog-proof@v1\nindex 3\n{}\n{}\n{}\n\n{}",
        line(one),
        line(two),
        line(three),
        whole.checkpoint
    );
    assert_eq!(whole.to_string(), written);
    assert_eq!(written.parse(), Ok(whole.clone()));
    assert_eq!(verified(&whole, 3), Ok(6));
    let extra = ProofFile { extra: Some(b"beside".to_vec()), ..whole };
    assert!(extra.to_string().starts_with("c2sp.org/tlog-proof@v1\nextra YmVzaWRl\nindex 3\n"));
    assert_eq!(extra.to_string().parse(), Ok(extra.clone()));
    assert_eq!(verified(&extra, 3), Ok(6));
    // A log of one entry has a proof without hashes.
    let alone = file(0, 1);
    assert_eq!(alone.to_string().parse(), Ok(alone.clone()));
    assert_eq!(verified(&alone, 0), Ok(1));
}

#[test]
fn a_file_proves_its_own_entry_in_its_own_log_and_nothing_else() {
    let whole = file(3, 6);
    assert!(matches!(verified(&whole, 4), Err(ProofFileError::Proof(_))));
    let elsewhere = ProofFile { index: 2, ..whole.clone() };
    assert!(matches!(verified(&elsewhere, 3), Err(ProofFileError::Proof(_))));
    let another = ProofFile { checkpoint: file(3, 7).checkpoint, ..whole.clone() };
    assert!(matches!(verified(&another, 3), Err(ProofFileError::Proof(_))));
    let other = CheckpointSigner::from_seed(ORIGIN, &[1; 32]).unwrap();
    let refused = whole.verify(other.verifier_key(), leaf_hash(&entry(3)));
    assert_eq!(refused, Err(ProofFileError::Checkpoint(CheckpointError::Unsigned)));
}

#[test]
fn every_altered_byte_of_a_file_is_noticed() {
    let text = file(3, 6).to_string().into_bytes();
    for at in 0..text.len() {
        for bit in [0x01, 0x04, 0x20] {
            let mut altered = text.clone();
            altered[at] ^= bit;
            let read = std::str::from_utf8(&altered).ok().and_then(|text| text.parse::<ProofFile>().ok());
            assert!(read.is_none_or(|file| verified(&file, 3).is_err()), "byte {at}");
        }
    }
}

#[test]
fn what_is_not_exactly_a_file_is_refused() {
    let good = file(3, 6).to_string();
    let hash = BASE64.encode(&[7; 32]);
    let many = format!("{hash}\n").repeat(64);
    for bad in [
        String::new(),
        good.replace("@v1", "@v2"),
        good.replace('\n', "\r\n"),
        good.replace("index 3", "index 03"),
        good.replace("index 3", "index +3"),
        good.replace("index 3", "index"),
        good.replace("index 3\n", ""),
        good.replace("index 3", "extra !\nindex 3"),
        good.replace("index 3", "extra YQ==\nextra YQ==\nindex 3"),
        good.replace("index 3", "index 3\nindex 3"),
        good.replace("index 3\n", &format!("index 3\n{many}")),
        good.replace("index 3", "index 18446744073709551616"),
        good.replacen("=\n", "\n", 1),
        format!("c2sp.org/tlog-proof@v1\nindex 3\n{hash}"),
        format!("{good}{}", "x".repeat(2_000_000)),
    ] {
        assert!(matches!(bad.parse::<ProofFile>(), Err(ProofFileError::Form(_))), "{bad:.200}");
    }
}

proptest! {
    #[test]
    fn the_reader_never_panics(
        text in "(c2sp[.]org/tlog-proof@v1\n)?(extra [A-Za-z]{0,8}={0,2}\n)?(index [0-9]{0,20}\n)?([A-Za-z0-9+/]{43}=\n){0,3}\n?.{0,40}",
    ) {
        if let Ok(file) = text.parse::<ProofFile>() {
            prop_assert_eq!(file.to_string(), text);
            prop_assert!(verified(&file, 0).is_err());
        }
    }
}
