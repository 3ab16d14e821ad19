//! What an auditor looks through, as a Parquet file that another reader reads. Built with the feature `parquet` alone, with which
//! `.ci/run` runs it.

#![cfg(test)]

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use serde_json::Value;

/// A server in a process of its own; killed when it goes out of scope.
struct Server {
    child: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn kyodaku(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kyodaku"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("KYODAKU_") {
            command.env_remove(name);
        }
    }
    command.env("KYODAKU_DATA_DIR", data).env("KYODAKU_LISTEN", "127.0.0.1:0");
    command
}

fn serve(data: &Path) -> Server {
    let mut child = kyodaku(data).arg("serve").stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let told = lines.by_ref().map(Result::unwrap).find(|line| line.contains("http://127.0.0.1:"));
    let told = told.expect("the server says where it listens");
    let url = told[told.find("http://").unwrap()..].split(['"', ' ', ',']).next().unwrap().to_owned();
    // Whoever reads no further stops the server.
    std::thread::spawn(move || lines.for_each(drop));
    Server { child, url }
}

fn key(told: &Output) -> String {
    assert!(told.status.success(), "{told:?}");
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    told["key"].as_str().unwrap().to_owned()
}

#[test]
fn another_reader_reads_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("registry");
    let registrar =
        key(&kyodaku(&data).args(["admin", "create-registrar", "--person", "first"]).output().unwrap());
    let server = serve(&data);
    let ask = |key: &str, words: &[&str]| {
        let mut command = kyodaku(&data);
        command.env("KYODAKU_URL", &server.url).env("KYODAKU_API_KEY", key).args(words).output().unwrap()
    };
    let office =
        ["admin", "add-organization", "Office", "--role", "auditor", "--person", "a", "--verify", "letter"];
    let auditor = key(&ask(&registrar, &office));
    let path = folder.path().join("log.parquet");
    let words = ["log", "--parquet", path.to_str().unwrap()];
    let told = ask(&auditor, &words);
    assert!(told.status.success(), "{told:?}");
    assert!(!ask(&auditor, &words).status.success(), "it is there already");

    let lines = ask(&auditor, &["log", "--json"]);
    let lines = String::from_utf8(lines.stdout).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
    let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
    assert!(rows.len() > 4);
    assert_eq!(rows.len(), lines.len());
    for (row, line) in rows.iter().zip(&lines) {
        assert_eq!(row.get_long(0).unwrap(), line["index"].as_i64().unwrap());
        let at: jiff::Timestamp = line["recorded"].as_str().unwrap().parse().unwrap();
        assert_eq!(row.get_timestamp_millis(1).unwrap(), at.as_millisecond());
        for (column, name) in [(2, "type"), (3, "party"), (6, "text"), (7, "entry")] {
            assert_eq!(row.get_string(column).unwrap(), line[name].as_str().unwrap(), "{name}");
        }
        assert_eq!(row.get_list(5).unwrap().elements().len(), line["works"].as_array().unwrap().len());
    }
}
