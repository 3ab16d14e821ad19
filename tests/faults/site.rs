//! Where a server lives: its database and data folder, with the commands that are run there.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cli::serve::Server;
use crate::cli::{Said, kyodaku, run};
use crate::world::World;

/// A database and a data folder, of one node.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) database_url: String,
    pub(super) data: PathBuf,
    pub(super) node: String,
}

impl Site {
    /// The first node of a world.
    pub(super) fn of(world: &World) -> Self {
        Self::new(&world.url, &world.folder.path().join("data"), "main")
    }

    pub(super) fn new(database_url: &str, data: &Path, node: &str) -> Self {
        Self { database_url: database_url.to_owned(), data: data.to_owned(), node: node.to_owned() }
    }

    /// Everything on SQLite in one folder.
    pub(super) fn embedded(folder: &Path) -> Self {
        let data = folder.join("data");
        let database = format!("sqlite:{}", data.join("kyodaku.db").display());
        Self::new(&database, &data, "main")
    }

    /// A second node on the same database, with a folder of its own and copies of the keys.
    pub(super) fn beside(&self, node: &str) -> Self {
        let data = self.data.with_file_name(format!("data-{node}"));
        std::fs::create_dir_all(&data).unwrap();
        for file in std::fs::read_dir(&self.data).unwrap().flatten() {
            if file.file_name().to_string_lossy().ends_with(".key") {
                std::fs::copy(file.path(), data.join(file.file_name())).unwrap();
            }
        }
        Self::new(&self.database_url, &data, node)
    }

    fn flags(&self) -> Vec<String> {
        let data = self.data.to_str().unwrap();
        ["--database-url", &self.database_url, "--data-dir", data, "--origin", "kyodaku.example/log"]
            .map(ToOwned::to_owned)
            .into_iter()
            .chain(["--node".to_owned(), self.node.clone()])
            .collect()
    }

    /// `kyodaku serve` here.
    pub(super) fn serve(&self) -> Command {
        self.serve_under(kyodaku())
    }

    /// `kyodaku serve` here, begun by another command that takes it as its arguments.
    pub(super) fn serve_under(&self, mut command: Command) -> Command {
        // The upkeep stays out of what is counted; rates are another matter.
        let quiet = [("SEAL_INTERVAL_S", "86400"), ("REQUESTS_PER_MINUTE", "0")];
        command.envs(quiet.map(|(name, value)| (format!("KYODAKU_{name}"), value)));
        command.arg("serve").args(["--listen", "127.0.0.1:0"]).args(self.flags());
        command
    }

    /// A running server.
    pub(super) fn start(&self) -> Server {
        Server::start(&mut self.serve())
    }

    /// What a server says that does not come to serve here.
    pub(super) fn refusal(&self) -> String {
        let mut child = self.serve().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        for line in BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok) {
            said.push_str(&line);
            said.push('\n');
            if line.contains("listening on") {
                child.kill().unwrap();
                panic!("it serves:\n{said}");
            }
        }
        assert_eq!(child.wait().unwrap().code(), Some(1), "{said}");
        said
    }

    /// A command with the flags of this place.
    pub(super) fn run(&self, words: &[&str]) -> Said {
        run(words.iter().map(ToString::to_string).chain(self.flags()))
    }

    /// Log, tiles, checkpoints, payloads, seals, index and catalogue agree.
    pub(super) fn verify(&self) {
        let said = self.run(&["rebuild", "--check"]);
        assert_eq!(said.code, 0, "{}{}", said.out, said.err);
        assert!(said.out.contains("everything stored is what the log says"), "{}", said.out);
    }
}
