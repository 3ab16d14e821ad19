//! `kyodaku import`: a catalogue becomes registered works. Whatever ends it, the next run goes on where it ended.

mod cell;
mod dates;
mod mapping;
mod reading;
mod registration;
pub(super) mod results;
mod rows;
mod send;

use std::collections::HashMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::client::{ClientArgs, NoAnswer, Server};
use super::{Exit, Failure, Outcome, output};
use crate::domain::ids::{OrgId, WorkId};
use mapping::{Fault, Mapped, Mapping};
use registration::{Described, Registration, Shared};
use results::{Heading, Results, RowResult};
use rows::{Format, Row, Rows};
use send::{BYTES, ROWS, Ready, send};

/// What to do about a row that is recorded otherwise.
const OTHERWISE: &str = "amend that work, or declare and link on it, instead";

/// How columns get their meaning, told by `--help`.
const MAPPINGS: &str = "\
Columns:
  A CSV file whose headings are `title`, `lang`, `kind` and, as wanted, `reading`, `published`, `url`, `url_prefix`,
  `sha256`, `reference` and `id:SCHEME` is understood as it is. For any other file, and for lines of JSON, a mapping
  says which column means what (in lines of JSON: the name of a member, or with a leading `/` a JSON pointer):

    reference = \"no\"                # the row's own id: with it a row is known again
    url = [\"site\"]
    [title]
    text = \"name\"
    lang_is = \"ja\"                  # or lang = \"language\", a column
    reading = \"yomi\"
    [[more_titles]]
    by_language = \"titles\"          # a member such as {\"en\": [\"…\"]}; or again text, lang, reading
    [kind]
    from = \"genre\"
    values = { manga = \"comic\", tv = \"audiovisual\" }
    is = \"other\"                    # for every other value
    [published]
    from = \"date\"
    offset = \"+09:00\"               # where dates are written as instants: whose day it is
    [ids]
    isan = \"isan\"";

/// Register the works of a catalogue: lines of JSON, or a CSV file
///
/// Each row becomes one work, recorded or refused by itself. What became of each row stands in the results file; run
/// the same command again after anything that went wrong, and every row is registered once. Rows that were refused are
/// told with all that is wrong in them: mend them in the file, and run it again.
#[derive(Debug, clap::Args)]
#[command(after_long_help = MAPPINGS)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct Args {
    /// The catalogue; `-` reads standard input
    file: PathBuf,
    /// How it is written; told by the ending of its name where that is `.csv` or `.ndjson`
    #[arg(long)]
    format: Option<Format>,
    /// Which column means what (TOML)
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Who holds every work of it; may be repeated. Your own organization where none is named
    #[arg(long = "holder", value_name = "ORG")]
    holders: Vec<OrgId>,
    /// For whom you act, with its mandate
    #[arg(long, value_name = "ORG")]
    on_behalf_of: Option<OrgId>,
    /// Declare that those are all the holders of every work of it
    #[arg(long)]
    roster_complete: bool,
    /// Declare that no work of it incorporates another
    #[arg(long)]
    no_layers: bool,
    /// What every work of it is part of; may be repeated
    #[arg(long = "part-of", value_name = "WORK")]
    part_of: Vec<WorkId>,
    /// What the references are numbers of, where several catalogues number their rows alike
    #[arg(long, value_name = "NAME", default_value = "catalogue")]
    source: String,
    /// What became of each row; the catalogue's name with `.imported.ndjson` where it is not said
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    /// Read everything, tell every mistake, show the first works, and send nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the sum as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    client: ClientArgs,
}

/// What became of all rows.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Total {
    rows: u64,
    recorded: u64,
    /// By an earlier run, or by an earlier row that says the same under the same reference.
    already: u64,
    refused: u64,
}

/// The sum, as it is printed with `--json`.
#[derive(Serialize)]
struct Summary<'a> {
    #[serde(flatten)]
    total: &'a Total,
    results: String,
}

pub(super) async fn run(args: Args) -> Outcome {
    let bar = progress_bar();
    let mut rows = Rows::open(&args.file, args.format, &bar)?;
    let mapping = mapping_of(&args, &rows)?;
    if args.dry_run {
        return dry_run(&args, &mut rows, &mapping, &bar);
    }
    let server = Server::new(&args.client)?;
    let path = results_path(&args)?;
    let me: Me = server.get("/v1/me").await.map_err(NoAnswer::told)?;
    let heading = Heading {
        server: server.base().to_owned(),
        organization: me.organization,
        on_behalf_of: args.on_behalf_of,
        source: args.source.clone(),
    };
    let mut import = Import {
        shared: shared(&args, me.organization),
        source: args.source,
        unmet: Unmet::of(&mapping),
        mapping,
        results: Results::open(&path, &heading)?,
        seen: HashMap::new(),
        total: Total::default(),
        bar,
        server,
    };
    let ended = import.all(&mut rows).await;
    import.bar.finish_and_clear();
    import.unmet.tell();
    import.total.tell(&path);
    if args.json {
        let summary = Summary { total: &import.total, results: path.display().to_string() };
        output::line(serde_json::to_string(&summary).map_err(|error| Failure::new(error.to_string()))?);
    }
    if let Err(failure) = ended {
        let message = match failure.code {
            69 => format!("{}; run it again: what is recorded is not recorded twice", failure.message),
            _ => failure.message,
        };
        return Err(Failure { message, ..failure });
    }
    Ok(if import.total.refused == 0 { Exit::Done } else { Exit::Partly })
}

fn mapping_of(args: &Args, rows: &Rows) -> Result<Mapping, Failure> {
    let mapping = match (&args.mapping, rows.headings()) {
        (Some(path), _) => Mapping::read(path)?,
        (None, Some(headings)) => Mapping::of_headings(headings)?,
        (None, None) => {
            return Err(Failure::usage(
                "lines of JSON need a mapping that says what each member means: `--mapping FILE` (see `--help`)",
            ));
        }
    };
    if let Some(headings) = rows.headings() {
        let missing: Vec<&String> =
            mapping.places().into_iter().filter(|place| !headings.contains(place)).collect();
        if !missing.is_empty() {
            let (missing, headings) = (listed(&missing), listed(headings));
            return Err(Failure::usage(format!("there is no column {missing}: the file has {headings}")));
        }
    }
    Ok(mapping)
}

fn listed(names: &[impl AsRef<str>]) -> String {
    let names = names.iter().map(|name| format!("`{}`", output::plain(name.as_ref())));
    names.collect::<Vec<_>>().join(", ")
}

/// The places of a mapping that no row had so far: a name that is mistyped must not pass for one that is always empty.
struct Unmet(Vec<String>);

impl Unmet {
    fn of(mapping: &Mapping) -> Self {
        Self(mapping.places().into_iter().cloned().collect())
    }

    fn meet(&mut self, row: &Row) {
        if let Ok(cells) = &row.cells {
            self.0.retain(|place| cells.at(place).is_none());
        }
    }

    fn tell(&self) {
        if !self.0.is_empty() {
            output::warning(format_args!("no row has {}: is the mapping right?", listed(&self.0)));
        }
    }
}

fn results_path(args: &Args) -> Result<PathBuf, Failure> {
    if let Some(path) = &args.results {
        let whole = |path: &Path| path.canonicalize().ok();
        if whole(path).is_some_and(|path| Some(path) == whole(&args.file)) {
            return Err(Failure::usage("`--results` names the catalogue itself: name another file"));
        }
        return Ok(path.clone());
    }
    if args.file == Path::new("-") {
        return Err(Failure::usage(
            "say with `--results FILE` where it is to be noted what became of each row",
        ));
    }
    let mut name = args.file.clone().into_os_string();
    name.push(".imported.ndjson");
    Ok(name.into())
}

#[derive(Deserialize)]
struct Me {
    organization: OrgId,
}

/// What holds for every row. Who asks, or for whom, is the holder where none is named.
fn shared(args: &Args, own: OrgId) -> Shared {
    let own = args.on_behalf_of.unwrap_or(own);
    Shared {
        on_behalf_of: args.on_behalf_of,
        holders: if args.holders.is_empty() { vec![own] } else { args.holders.clone() },
        roster_complete: args.roster_complete,
        layers: [],
        layers_complete: args.no_layers,
        part_of: args.part_of.clone(),
    }
}

/// How many works a dry run shows.
const SHOWN: u64 = 3;

fn dry_run(args: &Args, rows: &mut Rows, mapping: &Mapping, bar: &ProgressBar) -> Outcome {
    let (mut total, mut shown, mut unmet) = (Total::default(), 0, Unmet::of(mapping));
    while let Some(row) = rows.next()? {
        total.rows += 1;
        unmet.meet(&row);
        match map(mapping, &row) {
            Ok(Mapped { described, .. }) if shown < SHOWN => {
                shown += 1;
                let text =
                    serde_json::to_string(&described).map_err(|error| Failure::new(error.to_string()))?;
                bar.suspend(|| output::line(text));
            }
            Ok(_) => {}
            Err(faults) => {
                total.refused += 1;
                bar.suspend(|| tell(row.line, &faults));
            }
        }
    }
    bar.finish_and_clear();
    unmet.tell();
    let declared = match (args.roster_complete, args.no_layers) {
        (true, true) => "",
        _ => {
            "; without `--roster-complete` and `--no-layers` nothing can be permitted until each is declared"
        }
    };
    let good = total.rows - total.refused;
    output::say(format_args!("{} rows: {good} can be sent, {} can't{declared}", total.rows, total.refused));
    Ok(if total.refused == 0 { Exit::Done } else { Exit::Partly })
}

/// The work of a row, or in words all that is wrong with it.
fn map(mapping: &Mapping, row: &Row) -> Result<Mapped, Vec<String>> {
    let cells = row.cells.as_ref().map_err(|why| vec![why.clone()])?;
    let in_words = |fault: Fault| format!("`{}`: {}", fault.place, fault.why);
    mapping.apply(cells).map_err(|faults| faults.into_iter().map(in_words).collect())
}

fn tell(line: u64, errors: &[String]) {
    for error in errors {
        output::say(format_args!("line {line}: {}", output::plain(error)));
    }
}

/// An import under way.
struct Import {
    server: Server,
    shared: Shared,
    source: String,
    mapping: Mapping,
    unmet: Unmet,
    results: Results,
    /// How often each work without a reference was there, so that equal rows are told apart.
    seen: HashMap<[u8; 32], u64>,
    total: Total,
    bar: ProgressBar,
}

impl Import {
    async fn all(&mut self, rows: &mut Rows) -> Result<(), Failure> {
        let (mut waiting, mut bytes) = (Vec::<Ready>::new(), 0);
        while let Some(row) = rows.next()? {
            self.total.rows += 1;
            self.unmet.meet(&row);
            let Some(ready) = self.ready(&row)? else { continue };
            // What became of an earlier row with this key must be known first.
            let is_waiting = waiting.iter().any(|other| other.row.key == ready.row.key);
            if is_waiting || waiting.len() >= ROWS || bytes + ready.json.len() > BYTES {
                self.send(std::mem::take(&mut waiting)).await?;
                bytes = 0;
            }
            if let Some(ready) = self.unless_recorded(ready)? {
                bytes += ready.json.len();
                waiting.push(ready);
            }
        }
        self.send(waiting).await
    }

    /// The row, unless one with its key is recorded: the same one, which is counted, or another, which is refused.
    fn unless_recorded(&mut self, ready: Ready) -> Result<Option<Ready>, Failure> {
        let key = ready.row.key.as_deref().unwrap_or_default();
        let Some(recorded) = self.results.recorded(key) else { return Ok(Some(ready)) };
        if recorded.digest == ready.row.digest {
            self.total.already += 1;
            return Ok(None);
        }
        let line = recorded.line;
        let errors = vec![match ready.row.reference {
            Some(_) => {
                format!("line {line} has the same reference and is imported, with other content: {OTHERWISE}")
            }
            None => format!(
                "it is imported (line {line}) with other holders, declarations or wholes: {OTHERWISE}"
            ),
        }];
        self.note(&[RowResult { errors, ..ready.row }])?;
        Ok(None)
    }

    /// The row as it is sent; none when it can't be read, which is told.
    fn ready(&mut self, row: &Row) -> Result<Option<Ready>, Failure> {
        let known = RowResult { line: row.line, ..RowResult::default() };
        match map(&self.mapping, row) {
            Ok(Mapped { reference, described }) => {
                let failed = |error: serde_json::Error| Failure::new(error.to_string());
                let key = self.key(reference.as_deref(), &described).map_err(failed)?;
                let registration = Registration { shared: &self.shared, described: &described };
                Ready::new(RowResult { reference, ..known }, &key, &registration).map(Some).map_err(failed)
            }
            Err(errors) => {
                self.note(&[RowResult { errors, ..known }])?;
                Ok(None)
            }
        }
    }

    /// The same row has the same key in every run, whatever the flags: by its reference, or else by its content, and for
    /// equal rows by which of them it is.
    fn key(&mut self, reference: Option<&str>, described: &Described) -> serde_json::Result<String> {
        let mut hasher = Sha256::new();
        hasher.update(&self.source);
        if let Some(reference) = reference {
            hasher.update(b"\0reference\0");
            hasher.update(reference);
        } else {
            let content: [u8; 32] = Sha256::digest(serde_json::to_vec(described)?).into();
            let times = self.seen.entry(content).or_default();
            *times += 1;
            hasher.update(b"\0content\0");
            hasher.update(content);
            hasher.update(times.to_be_bytes());
        }
        let digest: [u8; 32] = hasher.finalize().into();
        Ok(format!("import-{}", HEXLOWER.encode(&digest)))
    }

    async fn send(&mut self, rows: Vec<Ready>) -> Result<(), Failure> {
        if rows.is_empty() {
            return Ok(());
        }
        let (results, ended) = send(&self.server, rows).await;
        self.note(&results)?;
        ended.map_err(NoAnswer::told)
    }

    /// Counts results, tells what was refused, and writes all down.
    fn note(&mut self, results: &[RowResult]) -> Result<(), Failure> {
        for result in results {
            if result.work.is_some() {
                self.total.recorded += 1;
            } else {
                self.total.refused += 1;
                self.bar.suspend(|| tell(result.line, &result.errors));
            }
        }
        self.results.add(results)
    }
}

impl Total {
    fn tell(&self, results: &Path) {
        let Self { rows, recorded, already, refused } = self;
        let results = results.display();
        output::say(format_args!(
            "{rows} rows: {recorded} recorded, {already} recorded before, {refused} refused; what became of each \
             stands in `{results}`"
        ));
    }
}

fn progress_bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::no_length();
    let form = "{bar:30} {bytes} of {total_bytes}, {elapsed}, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(form) {
        bar.set_style(style);
    }
    bar
}
