//! What reads bytes from outside is given the seeds of `fuzz/`, and some thousand mutations of them. `KYODAKU_MUTATIONS` says how many
//! of each, `KYODAKU_SEED` which.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

#[path = "../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "the fuzzer calls these from a package of its own")]
mod targets;

/// What readers look for, and what they choke on.
const PIECES: &[&[u8]] = &[
    b"\0",
    b"\n",
    b"\r\n",
    b"\t",
    b" ",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"null",
    b"true",
    b"-0",
    b"1e999",
    b"9007199254740993",
    b"18446744073709551616",
    b"%00",
    b"%2f",
    b"%",
    b"//",
    b"/../",
    b"@",
    b"#",
    b"?",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    "\u{202E}".as_bytes(),
    "\u{3099}".as_bytes(),
    "\u{301}".as_bytes(),
    "長".as_bytes(),
    "👩‍🚀".as_bytes(),
    b".p/",
    b"/x",
    b"kyo_live_",
    b"wrk_",
    b"+",
    b"=",
    b"eyJ",
    b"...",
    b"\xe2\x80\x94 ",
];

/// Numbers that are the same for the same seed (`SplitMix64`).
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// Changes some bytes in one to eight ways.
fn mutated(rng: &mut Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seeds[rng.below(seeds.len())].clone();
    for _ in 0..=rng.below(8) {
        let (at, length) = (rng.below(bytes.len() + 1), rng.below(9));
        let end = (at + length).min(bytes.len());
        match rng.below(8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
            1 if at < bytes.len() => bytes[at] = rng.next() as u8,
            2 => drop(bytes.drain(at..end)),
            3 => {
                let again = bytes[at..end].to_vec();
                let times = 1 + rng.below(40);
                bytes.splice(at..at, again.repeat(times));
            }
            4 => drop(bytes.splice(at..end, PIECES[rng.below(PIECES.len())].iter().copied())),
            5 => {
                let other = &seeds[rng.below(seeds.len())];
                let from = rng.below(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            6 => bytes.truncate(at),
            _ => bytes.insert(at, rng.next() as u8),
        }
    }
    bytes
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

fn seeds_of(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "`{name}` has no seeds");
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

#[test]
fn no_bytes_break_what_reads_them() {
    let (rounds, seed) = (number("KYODAKU_MUTATIONS", 3_000), number("KYODAKU_SEED", 1));
    for (name, run) in targets::TARGETS {
        let seeds = seeds_of(name);
        let mut rng = Rng(seed);
        let mutations = (0..rounds).map(|_| mutated(&mut rng, &seeds));
        for bytes in seeds.iter().cloned().chain([Vec::new()]).chain(mutations) {
            let held = catch_unwind(|| run(&bytes));
            assert!(held.is_ok(), "`{name}` broke on \"{}\"", bytes.escape_ascii());
        }
    }
}

/// A kind of bytes that is looked at here and not by the fuzzer, or there and not here, is a mistake.
#[test]
fn every_reader_has_a_target_and_seeds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let named = |folder: &str| {
        let files = fs::read_dir(root.join(folder)).unwrap().map(|file| file.unwrap().path());
        let mut names: Vec<_> =
            files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    let here: Vec<_> = targets::TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!((named("fuzz_targets"), named("seeds")), (here.clone(), here.clone()));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    for name in here {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
    }
}
