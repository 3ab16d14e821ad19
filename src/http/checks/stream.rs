//! Checks by lines: the first line is the context, each other line an item; answered in chunks, each chunk one check.
//!
//! Lines of the answer, in order: for each chunk `{"check":{…}}` and then one `{"item":{…}}` for each of its items; at
//! the end `{"end":{…}}`. When something fails after the answer began, `{"error":{…}}` is the last line and no end
//! follows: without the end, what was not answered is not permitted.
//!
//! The answer drives the reading: a chunk is read only when the one before has left. A client reads while it sends.

use std::collections::VecDeque;

use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde::Serialize;

use super::answer::Head;
use super::lines::{IDLE, Line, Lines, MAX_LINE, MEDIA_TYPE};
use crate::domain::ids::{CheckId, OrgId};
use crate::http::app::App;
use crate::http::envelope::RequestId;
use crate::http::extract::body::{read, require_type};
use crate::http::language::Language;
use crate::http::problem::{Code, Problem};
use crate::http::room::{Held, Room};
use crate::http::subject::{ContextWire, item, unreadable};
use crate::registry::authority::Asker;
use crate::registry::checks::{Checked, Context};
use crate::registry::streams::{Arrived, Broken, CheckStream, Totals};

/// About how many bytes leave at once.
const FRAME: usize = 65_536;

pub(super) async fn answer(
    app: App,
    by: Asker,
    language: Language,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    require_type(&parts.headers, MEDIA_TYPE, |essence| essence == MEDIA_TYPE)?;
    let request_id = parts.extensions.get::<RequestId>().map(|id| id.as_str().to_owned());
    let mut lines = Lines::new(body, IDLE);
    let context = first_line(&mut lines).await?;
    let developer = by.developer();
    let source = items(lines, developer, context.clone());
    let checks = CheckStream::new(app.registry().clone(), by, context, source.boxed());
    let room = app.room().clone();
    let answering = Answering {
        checks,
        language,
        request_id,
        frames: VecDeque::new(),
        held: room.part(),
        room,
        ended: false,
    };
    let body = Body::from_stream(stream::unfold(answering, Answering::step));
    let mut response = body.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    let (name, value) = language.header();
    response.headers_mut().insert(name, value);
    Ok(response)
}

async fn first_line(lines: &mut Lines) -> Result<Context, Problem> {
    match lines.next().await? {
        Some(Line::Text(text)) => {
            let wire: ContextWire = read(&text)?;
            let fault = wire.fault("").map(|fault| Problem::invalid(Code::InvalidBody, vec![fault]));
            fault.map_or_else(|| Ok(wire.context()), Err)
        }
        Some(Line::TooLong) => Err(Problem::new(Code::BodyTooLarge).detail(too_long())),
        None => {
            Err(Problem::new(Code::InvalidJson).detail("the first line must be the context, there is none"))
        }
    }
}

fn too_long() -> String {
    format!("a line has at most {MAX_LINE} bytes")
}

/// The items of the lines; ends after the first error.
fn items(
    lines: Lines,
    developer: OrgId,
    context: Context,
) -> impl futures_util::Stream<Item = Result<Arrived, Problem>> + Send {
    stream::unfold((Some(lines), context), move |(lines, context)| async move {
        let mut lines = lines?;
        match lines.next().await {
            Ok(None) => None,
            Ok(Some(Line::Text(text))) => {
                let arrived = (item(&text, developer, &context), text.len());
                Some((Ok(arrived), (Some(lines), context)))
            }
            Ok(Some(Line::TooLong)) => Some((Ok((unreadable(too_long()), 0)), (Some(lines), context))),
            Err(problem) => Some((Err(problem), (None, context))),
        }
    })
}

/// An answer that is under way.
struct Answering {
    checks: CheckStream<Problem>,
    language: Language,
    request_id: Option<String>,
    frames: VecDeque<Bytes>,
    /// The room of the chunk that is leaving.
    held: Held,
    room: Room,
    ended: bool,
}

impl Answering {
    async fn step(mut self) -> Option<(Result<Bytes, std::convert::Infallible>, Self)> {
        while self.frames.is_empty() && !self.ended {
            match self.checks.next().await {
                Some(Ok(checked)) => self.leave(frames(&checked, self.language)),
                Some(Err(broken)) => self.end(&Last::Error { error: self.problem(broken) }),
                None if self.checks.totals().items == 0 => {
                    let none = Problem::new(Code::InvalidBody).detail("there is no item after the context");
                    self.end(&Last::Error { error: self.problem(Broken::Source(none)) });
                }
                None => self.end(&Last::End { end: End::of(self.checks.totals()) }),
            }
        }
        let frame = self.frames.pop_front()?;
        Some((Ok(frame), self))
    }

    /// Lets a chunk leave, if there is room for it.
    fn leave(&mut self, frames: VecDeque<Bytes>) {
        let mut held = self.room.part();
        match held.grow_to(frames.iter().map(Bytes::len).sum()) {
            Ok(()) => (self.frames, self.held) = (frames, held),
            Err(problem) => self.end(&Last::Error { error: self.problem(Broken::Source(problem)) }),
        }
    }

    fn problem(&self, broken: Broken<Problem>) -> Box<serde_json::value::RawValue> {
        let problem = match broken {
            Broken::Source(problem) => problem,
            Broken::Check(error) => error.into(),
            Broken::Ended(failure) => failure.into(),
        };
        let json = problem.json(self.request_id.as_deref());
        serde_json::value::RawValue::from_string(json).unwrap_or_default()
    }

    fn end(&mut self, last: &Last) {
        self.ended = true;
        let mut line = serde_json::to_vec(last).unwrap_or_default();
        line.push(b'\n');
        self.frames.push_back(line.into());
    }
}

/// The last line.
#[derive(Serialize)]
#[serde(untagged)]
enum Last {
    End { end: End },
    Error { error: Box<serde_json::value::RawValue> },
}

#[derive(Serialize)]
struct End {
    items: u64,
    permitted: u64,
    not_permitted: u64,
    checks: Vec<CheckId>,
}

impl End {
    fn of(totals: &Totals) -> Self {
        Self {
            items: totals.items,
            permitted: totals.permitted,
            not_permitted: totals.items - totals.permitted,
            checks: totals.checks.clone(),
        }
    }
}

#[derive(Serialize)]
struct ChunkLine<'a> {
    check: Head<'a>,
}

/// The lines of one chunk.
fn frames(checked: &Checked, language: Language) -> VecDeque<Bytes> {
    let mut frames = VecDeque::new();
    let mut frame = serde_json::to_vec(&ChunkLine { check: Head::of(checked, language) }).unwrap_or_default();
    frame.push(b'\n');
    for item in &checked.items {
        frame.extend_from_slice(b"{\"item\":");
        frame.extend_from_slice(checked.json_of(item));
        frame.extend_from_slice(b"}\n");
        if frame.len() >= FRAME {
            frames.push_back(std::mem::replace(&mut frame, Vec::with_capacity(FRAME + 4_096)).into());
        }
    }
    frames.push_back(frame.into());
    frames
}
