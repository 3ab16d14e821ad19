use data_encoding::BASE64;
use ed25519_dalek::{Signature, SigningKey, Verifier};
use kyodaku::log::checkpoint::{
    Checkpoint, CheckpointError, CheckpointSigner, Cosigner, CosignerKey, KeyError, VerifierKey,
};
use kyodaku::log::merkle::{TreeHead, leaf_hash};
use sha2::{Digest, Sha256};

const NAME: &str = "witness.example/w1";
const SEED: [u8; 32] = [0x77; 32];

fn note() -> String {
    let signer = CheckpointSigner::from_seed("log.example/acts", &[0x5a; 32]).unwrap();
    let head = TreeHead { size: 7, root: leaf_hash(b"root") };
    signer
        .sign(&Checkpoint {
            extensions: vec!["window 7".into()],
            ..Checkpoint::new("log.example/acts", head)
        })
        .unwrap()
}

fn cosigner() -> Cosigner {
    Cosigner::from_seed(NAME, &SEED).unwrap()
}

fn find(lines: &str) -> Result<(String, u64), CheckpointError> {
    cosigner().public().find(note().as_bytes(), lines)
}

/// Byte for byte as C2SP `tlog-cosignature` says, by another crate's signatures.
#[test]
fn a_cosignature_is_what_the_specification_says() {
    let line = cosigner().cosign(note().as_bytes(), 1_679_315_147).unwrap();
    let encoded = line.strip_prefix("\u{2014} witness.example/w1 ").unwrap().strip_suffix('\n').unwrap();
    let bytes = BASE64.decode(encoded.as_bytes()).unwrap();
    let key = SigningKey::from_bytes(&SEED).verifying_key();
    let id = Sha256::digest([NAME.as_bytes(), b"\n\x04", key.as_bytes()].concat());
    assert_eq!((bytes[..4].to_vec(), bytes.len()), (id[..4].to_vec(), 4 + 8 + 64));
    assert_eq!(bytes[4..12], 1_679_315_147_u64.to_be_bytes());
    let root = BASE64.encode(&leaf_hash(b"root").0);
    let message = format!("cosignature/v1\ntime 1679315147\nlog.example/acts\n7\n{root}\nwindow 7\n");
    key.verify(message.as_bytes(), &Signature::from_slice(&bytes[12..]).unwrap()).unwrap();
    assert_eq!(find(&line), Ok((line, 1_679_315_147)));
}

#[test]
fn lines_of_others_are_ignored_and_false_ones_are_not() {
    let good = cosigner().cosign(note().as_bytes(), 5).unwrap();
    let other =
        Cosigner::from_seed("witness.example/w2", &[1; 32]).unwrap().cosign(note().as_bytes(), 5).unwrap();
    assert_eq!(find(&format!("{other}{good}")), Ok((good.clone(), 5)));
    assert_eq!(find(&other), Err(CheckpointError::Unsigned));
    // Of our name with another key, and the log's own type of signature with this key.
    let namesake = Cosigner::from_seed(NAME, &[1; 32]).unwrap().cosign(note().as_bytes(), 5).unwrap();
    assert_eq!(find(&namesake), Err(CheckpointError::Unsigned));
    let as_log = CheckpointSigner::from_seed(NAME, &SEED).unwrap();
    assert_ne!(
        as_log.verifier_key().id().to_be_bytes()[..],
        BASE64.decode(good.rsplit_once(' ').unwrap().1.trim_end().as_bytes()).unwrap()[..4]
    );
    let elsewhere = note().replace("\n7\n", "\n8\n");
    let false_one = cosigner().cosign(elsewhere.as_bytes(), 5).unwrap();
    assert_eq!(find(&false_one), Err(CheckpointError::Signature));
    assert_eq!(find(&format!("{good}{false_one}")), Err(CheckpointError::Signature));
    for time in [0, u64::MAX, 1 << 63] {
        let timeless = cosigner().cosign(note().as_bytes(), time).unwrap();
        assert_eq!(find(&timeless), Err(CheckpointError::Signature), "{time}");
    }
    for bad in ["", "x\n", good.trim_end(), &format!("\n{good}"), &format!("{good}\n"), &good.repeat(101)] {
        assert!(matches!(find(bad), Err(CheckpointError::Malformed(_))), "{bad:.100}");
    }
}

#[test]
fn every_altered_bit_of_a_cosignature_is_noticed() {
    let line = cosigner().cosign(note().as_bytes(), 5).unwrap().into_bytes();
    for at in 0..line.len() {
        for bit in [0x01, 0x04, 0x20] {
            let mut altered = line.clone();
            altered[at] ^= bit;
            let Ok(text) = String::from_utf8(altered) else { continue };
            assert!(find(&text).is_err(), "byte {at}");
        }
    }
}

#[test]
fn the_key_of_a_witness_is_not_that_of_a_log() {
    let key = cosigner().public().to_string();
    assert_eq!(key.parse::<CosignerKey>().as_ref(), Ok(cosigner().public()));
    assert_eq!(key.parse::<VerifierKey>(), Err(KeyError::Type(1)));
    let log = CheckpointSigner::from_seed(NAME, &SEED).unwrap().verifier_key().to_string();
    assert_eq!(log.parse::<CosignerKey>(), Err(KeyError::Type(4)));
    let (first, last) = key.split_at(NAME.len() + 1);
    let altered = format!("{first}{}{}", if last.starts_with('0') { '1' } else { '0' }, &last[1..]);
    assert_eq!(altered.parse::<CosignerKey>(), Err(KeyError::Id));
    let shown = format!("{:?}", cosigner());
    assert!(shown.contains(NAME) && !shown.contains(&BASE64.encode(&SEED)) && !shown.contains("119, 119"));
}
