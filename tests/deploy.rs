//! What the files for systemd and for containers name is there.

use std::ffi::OsString;
use std::path::Path;

use kyodaku::config::Config;

const UNIT: &str = include_str!("../deploy/kyodaku.service");
const DOCKERFILE: &str = include_str!("../deploy/Dockerfile");

/// Every `KYODAKU_…=value` in a text.
fn stated(text: &str) -> Vec<(String, OsString)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let words = lines.flat_map(str::split_ascii_whitespace).filter_map(|word| {
        let word = word.strip_prefix("Environment=").unwrap_or(word);
        word.starts_with("KYODAKU_").then(|| word.split_once('=').expect("a value"))
    });
    words.map(|(name, value)| (name.to_owned(), value.into())).collect()
}

#[test]
fn every_setting_in_the_files_is_one() {
    for text in [UNIT, DOCKERFILE] {
        let settings = stated(text);
        assert!(settings.len() >= 2, "{settings:?}");
        let config = Config::load(None, settings, []).unwrap();
        assert_eq!(config.data_dir, Path::new("/var/lib/kyodaku"));
    }
}

#[test]
fn the_settings_on_the_page_for_the_person_on_call_are_settings() {
    let page = include_str!("../docs/operating.md");
    let blocks: Vec<&str> =
        page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!blocks.is_empty());
    let folder = tempfile::tempdir().unwrap();
    for block in blocks {
        let file = folder.path().join("kyodaku.toml");
        std::fs::write(&file, block).unwrap();
        let secret = ("KYODAKU_OIDC_CLIENT_SECRET".to_owned(), "a secret".into());
        let environment = block.contains("oidc_").then_some(secret);
        let config = Config::load(Some(&file), environment, []).unwrap();
        assert_eq!(config.warnings().len(), 1, "of the origin alone: {:?}", config.warnings());
    }
}

#[test]
fn the_unit_starts_what_there_is_and_waits_long_enough_for_its_end() {
    let start = UNIT.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/kyodaku ")).unwrap();
    let words: Vec<_> = start.split(' ').collect();
    assert_eq!(words[..2], ["serve", "--config"]);
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_kyodaku")).args(["serve", "--help"]).output();
    assert!(String::from_utf8(help.unwrap().stdout).unwrap().contains("--config"));
    let stop: u64 =
        UNIT.lines().find_map(|line| line.strip_prefix("TimeoutStopSec=")).unwrap().parse().unwrap();
    assert!(stop > 2 * Config::load(None, [], []).unwrap().grace_s);
}

#[test]
fn the_image_is_built_from_what_there_is_with_the_compiler_that_is_needed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let copied = DOCKERFILE.lines().filter_map(|line| line.strip_prefix("COPY "));
    for line in copied.filter(|line| !line.starts_with("--from")) {
        let words: Vec<_> = line.split(' ').collect();
        for source in &words[..words.len() - 1] {
            assert!(root.join(source).exists(), "{source}");
        }
    }
    let version = concat!("FROM rust:", env!("CARGO_PKG_RUST_VERSION"), "-");
    assert!(DOCKERFILE.contains(version), "{version}");
    // What the program has in it while it is built is copied too.
    for needed in ["migrations", "build.rs", "src", "Cargo.lock"] {
        assert!(DOCKERFILE.contains(needed), "{needed}");
    }
}
