//! Lines of a body that has no end: read as they come, none held but the one that is being read.

use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;

use crate::http::problem::{Code, Problem};

/// JSON texts, one a line.
pub const MEDIA_TYPE: &str = "application/x-ndjson";
/// The longest line, in bytes without its end.
pub const MAX_LINE: usize = 65_536;
/// How long nothing may arrive while something is awaited.
pub const IDLE: Duration = Duration::from_secs(30);

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Its bytes, without the end of the line.
    Text(Bytes),
    /// It is longer than [`MAX_LINE`]; it was passed over.
    TooLong,
}

/// Reads lines off a body. Blank lines are passed over; the last one needs no end.
pub struct Lines {
    body: Body,
    buffer: BytesMut,
    /// How much of the buffer holds no end of a line.
    searched: usize,
    /// Whether the line that is being read is too long already.
    skipping: bool,
    ended: bool,
    idle: Duration,
}

impl Lines {
    /// The lines of a body that falls silent for at most `idle`.
    pub fn new(body: Body, idle: Duration) -> Self {
        Self { idle, body, buffer: BytesMut::new(), searched: 0, skipping: false, ended: false }
    }

    /// The next line; none after the last. What comes after an error is unknown: do not read on.
    pub async fn next(&mut self) -> Result<Option<Line>, Problem> {
        loop {
            if let Some(line) = self.take() {
                match line {
                    Line::Text(text) if text.trim_ascii().is_empty() => {}
                    line => return Ok(Some(line)),
                }
                continue;
            }
            if self.ended {
                return Ok(None);
            }
            self.fill().await?;
        }
    }

    /// A line that is in the buffer whole.
    fn take(&mut self) -> Option<Line> {
        let unseen = self.buffer.get(self.searched..).unwrap_or_default();
        if let Some(at) = unseen.iter().position(|byte| *byte == b'\n') {
            let line = self.buffer.split_to(self.searched + at);
            self.buffer.advance(1);
            return Some(self.finish(line));
        }
        self.searched = self.buffer.len();
        if self.searched > MAX_LINE {
            self.skipping = true;
        }
        if self.skipping {
            self.buffer.clear();
            self.searched = 0;
        }
        if self.ended && (self.skipping || !self.buffer.is_empty()) {
            let line = self.buffer.split();
            return Some(self.finish(line));
        }
        None
    }

    fn finish(&mut self, line: BytesMut) -> Line {
        self.searched = 0;
        let too_long = std::mem::take(&mut self.skipping) || line.len() > MAX_LINE;
        if too_long { Line::TooLong } else { Line::Text(line.freeze()) }
    }

    async fn fill(&mut self) -> Result<(), Problem> {
        match tokio::time::timeout(self.idle, self.body.frame()).await {
            Err(_) => Err(Problem::new(Code::RequestTimeout)
                .detail(format!("nothing arrived for {} seconds", self.idle.as_secs()))
                .header(CONNECTION, HeaderValue::from_static("close"))),
            Ok(Some(Err(_))) => Err(Problem::new(Code::MalformedRequest).detail("the body broke off")),
            Ok(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    self.buffer.extend_from_slice(&data);
                }
                Ok(())
            }
            Ok(None) => {
                self.ended = true;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;

    async fn lines_of(frames: Vec<Vec<u8>>) -> Vec<String> {
        let frames = frames.into_iter().map(|frame| Ok::<_, std::io::Error>(Bytes::from(frame)));
        let mut lines = Lines::new(Body::from_stream(stream::iter(frames)), IDLE);
        let mut found = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            found.push(match line {
                Line::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
                Line::TooLong => "too long".to_owned(),
            });
        }
        found
    }

    #[tokio::test]
    async fn lines_are_the_same_however_the_body_is_cut() {
        let body = b"one\n\n two \r\n \t\nthree".to_vec();
        let expected = ["one", " two \r", "three"];
        assert_eq!(lines_of(vec![body.clone()]).await, expected);
        assert_eq!(lines_of(body.iter().map(|byte| vec![*byte]).collect()).await, expected);
        assert!(lines_of(vec![b"\n\n".to_vec()]).await.is_empty());
        assert!(lines_of(Vec::new()).await.is_empty());
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_one_line_and_its_neighbours_stand() {
        let longest = "x".repeat(MAX_LINE);
        let body = format!("a\n{longest}\n{longest}x\nb\n{longest}{longest}");
        let expected = ["a", &longest, "too long", "b", "too long"];
        assert_eq!(lines_of(vec![body.clone().into_bytes()]).await, expected);
        let frames = body.as_bytes().chunks(1_000).map(<[u8]>::to_vec).collect();
        assert_eq!(lines_of(frames).await, expected);
    }

    #[tokio::test]
    async fn a_sender_that_falls_silent_is_left() {
        let silent = stream::pending::<Result<Bytes, std::io::Error>>();
        let problem =
            Lines::new(Body::from_stream(silent), Duration::from_millis(1)).next().await.unwrap_err();
        assert_eq!(problem.code(), Code::RequestTimeout);
    }
}
