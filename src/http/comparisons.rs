//! Comparisons: what changed for an item between two moments, and by whose act.

use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::app::App;
use super::checks::NoQuery;
use super::checks::answer::{Words, in_words};
use super::explanations::item_of;
use super::explanations::{PastWire, past, question};
use super::extract::body::{read, read_json};
use super::extract::{AtLeast, ValidQuery};
use super::gate::{Access, Scope};
use super::language::Language;
use super::problem::{Code, Problem};
use super::reply::Reply;
use super::routes::{KIB, Route};
use super::subject::ContextWire;
use crate::domain::decision::Verdict;
use crate::domain::explain::{self, acts::act_words};
use crate::domain::ids::{OrgId, WorkId};
use crate::domain::question::Question;
use crate::domain::uses::Use;
use crate::registry::answer::moment;
use crate::registry::authority::{Proof, Verified};
use crate::registry::checks::Codes;
use crate::registry::comparisons::{self, ActBetween, Comparison};
use crate::registry::explanations::{Explanation, Past};

pub(super) fn routes() -> Vec<Route> {
    let route = Route::post("/v1/comparisons", "compare", Access::Any(Scope::Read), compare);
    vec![route.body_bytes(256 * KIB)]
}

/// The question as in a check, for whom, and the two sides.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked<'a> {
    context: ContextWire,
    #[serde(borrow)]
    item: &'a RawValue,
    #[serde(default, deserialize_with = "super::wire::given")]
    developer: Option<OrgId>,
    before: PastWire,
    #[serde(default, deserialize_with = "super::wire::given")]
    after: Option<PastWire>,
}

impl Asked<'_> {
    /// The question and the two sides; everything that is wrong at once.
    fn read(self, developer: OrgId) -> Result<(Question, [Past; 2]), Problem> {
        let mut faults = Vec::new();
        let question = question(self.context, self.item, developer, &mut faults);
        let before = past(Some(&self.before), "/before/moment").map_err(|fault| faults.push(fault));
        let after = past(self.after.as_ref(), "/after/moment").map_err(|fault| faults.push(fault));
        match (question, before, after) {
            (Some(question), Ok(before), Ok(after)) if faults.is_empty() => Ok((question, [before, after])),
            _ => Err(Problem::invalid(Code::InvalidBody, faults)),
        }
    }
}

#[derive(Serialize)]
struct Compared {
    hypothetical: bool,
    view: &'static str,
    developer: OrgId,
    before: Side,
    after: Side,
    changed: Vec<ChangedUse>,
    acts: Vec<ActTold>,
    more_acts: bool,
    words: Vec<Words>,
}

#[derive(Serialize)]
struct Side {
    log_size: u64,
    at: String,
    rule_version: u32,
    item: Box<RawValue>,
}

#[derive(Serialize)]
struct ChangedUse {
    r#use: Use,
    before: Verdict,
    after: Verdict,
    by_time_alone: bool,
}

#[derive(Serialize)]
struct ActTold {
    entry: u64,
    recorded: String,
    r#type: &'static str,
    party: OrgId,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_behalf_of: Option<OrgId>,
    works: Vec<WorkId>,
    cited: bool,
    text: String,
}

/// `POST /v1/comparisons`.
async fn compare(
    State(app): State<App>,
    by: Verified,
    _at_least: AtLeast,
    _query: ValidQuery<NoQuery>,
    language: Language,
    request: Request,
) -> Result<Reply, Problem> {
    let (parts, body) = request.into_parts();
    let bytes = read_json(&parts, body).await?;
    let asked: Asked<'_> = read(&bytes)?;
    let developer = asked.developer.unwrap_or_else(|| by.actor().org());
    let (question, sides) = asked.read(developer)?;
    let compared = comparisons::compare(app.registry(), &by, question, sides).await?;
    let (name, value) = language.header();
    Ok(Reply::ok(&told(&compared, developer, language)?)?.header(name, value))
}

fn told(compared: &Comparison, developer: OrgId, language: Language) -> Result<Compared, Problem> {
    let Comparison { before, after, changed, acts, more_acts } = compared;
    let changed = changed.iter().map(|it| ChangedUse {
        r#use: it.r#use,
        before: it.before,
        after: it.after,
        by_time_alone: it.by_time_alone,
    });
    Ok(Compared {
        hypothetical: true,
        view: super::explanations::view_name(after.viewer),
        developer,
        before: side(before)?,
        after: side(after)?,
        changed: changed.collect(),
        acts: acts.iter().map(|act| act_told(act, language)).collect(),
        more_acts: *more_acts,
        words: in_words(&Codes::of([&before.decision, &after.decision]), language.0),
    })
}

fn side(it: &Explanation) -> Result<Side, Problem> {
    Ok(Side {
        log_size: it.log_size,
        at: moment(it.moment_ms),
        rule_version: it.rule_version,
        item: item_of(it)?,
    })
}

fn act_told(it: &ActBetween, language: Language) -> ActTold {
    ActTold {
        entry: it.index,
        recorded: moment(it.entry.at_ms),
        r#type: it.entry.act.code(),
        party: it.entry.party,
        on_behalf_of: it.entry.on_behalf_of,
        works: it.works.clone(),
        cited: it.is_cited,
        text: act_words(&it.entry, language.0, &explain::Ids),
    }
}
