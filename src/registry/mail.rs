//! Mail that the registry sends: by SMTP, or as files in a folder where no server is named.

use std::path::Path;
use std::sync::Arc;

use lettre::message::header::{ContentTransferEncoding, ContentType};
use lettre::message::{Body, Mailbox};
use lettre::{AsyncFileTransport, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::failure::Failure;
use super::sequencer::SubmitError;
use crate::store::private;

/// What an address of mail in a folder begins with.
pub const FOLDER: &str = "folder:";
/// The address of no mail server at all: what is sent there is gone.
pub const NOWHERE: &str = "nowhere:";
/// How many mails may be on their way at once.
const ON_THEIR_WAY: usize = 256;
/// The most characters of an address (RFC 5321 section 4.5.3.1.3, without the brackets).
pub const MAX_EMAIL_CHARS: usize = 254;

/// Why no mail can be sent.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The folder.
    #[error("the mail folder `{path}` can't be used: {source}")]
    Folder {
        /// The folder.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The server's address. It may hold a password, so it is not told.
    #[error("the address of the mail server is not one: {0}")]
    Server(lettre::transport::smtp::Error),
    /// The sender.
    #[error(
        "`{0}` can't be the sender of mail: expected an address, such as `Registry <registry@example.com>`"
    )]
    Sender(String),
}

#[derive(Clone)]
enum Way {
    Folder(AsyncFileTransport<Tokio1Executor>),
    Server(AsyncSmtpTransport<Tokio1Executor>),
    Nowhere,
}

/// Sends mail, without letting anybody wait for it.
#[derive(Clone)]
pub struct Mailer {
    way: Way,
    sender: Mailbox,
    room: Arc<Semaphore>,
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailer").finish_non_exhaustive()
    }
}

/// One mail, in plain text.
#[derive(Clone, Debug)]
pub struct Mail {
    /// To whom.
    pub to: String,
    /// The subject.
    pub subject: String,
    /// The text.
    pub text: String,
}

impl Mailer {
    /// Opens `folder:PATH`, [`NOWHERE`], or `smtp://…` and `smtps://…` in the form of the crate lettre.
    pub fn open(url: &str, sender: &str) -> Result<Self, MailError> {
        let way = if let Some(path) = url.strip_prefix(FOLDER) {
            Way::Folder(folder(Path::new(path))?)
        } else if url == NOWHERE {
            Way::Nowhere
        } else {
            Way::Server(server(url)?)
        };
        Ok(Self { way, sender: mailbox(sender)?, room: Arc::new(Semaphore::new(ON_THEIR_WAY)) })
    }

    /// What is wrong with an address and with a sender. Nothing is opened.
    pub fn faults(url: &str, sender: &str) -> [Option<MailError>; 2] {
        let is_server = !url.starts_with(FOLDER) && url != NOWHERE;
        [is_server.then(|| server(url).err()).flatten(), mailbox(sender).err()]
    }

    /// Makes a mail ready to be sent, and keeps a place for it.
    ///
    /// # Errors
    /// When too many are on their way already, or the address is none.
    pub fn prepare(&self, mail: &Mail) -> Result<Ready, Failure> {
        let room = Arc::clone(&self.room).try_acquire_owned();
        let room = room.map_err(|_| Failure::Submit(SubmitError::Busy))?;
        Ok(Ready { way: self.way.clone(), message: self.message(mail)?, room })
    }

    fn message(&self, mail: &Mail) -> Result<Message, Failure> {
        let not_one =
            || Failure::fault("/email", "invalid_value", "is not an address that mail can be sent to");
        let to = mail.to.parse().map_err(|_| not_one())?;
        // Every line stays a line: tokens can be read in a file too.
        let body = Body::new_with_encoding(mail.text.clone(), ContentTransferEncoding::QuotedPrintable);
        let body = body.map_err(|_| not_one())?;
        let message = Message::builder()
            .from(self.sender.clone())
            .to(Mailbox::new(None, to))
            .subject(mail.subject.clone())
            .header(ContentType::TEXT_PLAIN)
            .body(body);
        message.map_err(|_| not_one())
    }
}

/// A mail that can be sent.
pub struct Ready {
    way: Way,
    message: Message,
    room: OwnedSemaphorePermit,
}

impl std::fmt::Debug for Ready {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ready").finish_non_exhaustive()
    }
}

impl Ready {
    /// Sends it in a task of its own. What became of it stands in the program's log, without the address.
    pub fn send(self) {
        let Self { way, message, room } = self;
        tokio::spawn(async move {
            let sent = match way {
                Way::Folder(folder) => {
                    folder.send(message).await.map(drop).map_err(|error| error.to_string())
                }
                Way::Server(server) => {
                    server.send(message).await.map(drop).map_err(|error| error.to_string())
                }
                Way::Nowhere => Ok(()),
            };
            if let Err(error) = sent {
                tracing::error!(target: "kyodaku::mail", error, "a mail could not be sent");
            }
            drop(room);
        });
    }
}

fn server(url: &str) -> Result<AsyncSmtpTransport<Tokio1Executor>, MailError> {
    let server = AsyncSmtpTransport::<Tokio1Executor>::from_url(url).map_err(MailError::Server)?;
    Ok(server.build())
}

fn mailbox(sender: &str) -> Result<Mailbox, MailError> {
    sender.parse().map_err(|_| MailError::Sender(sender.to_owned()))
}

fn folder(path: &Path) -> Result<AsyncFileTransport<Tokio1Executor>, MailError> {
    // The mails hold links that let their reader set a password.
    private::make_folder(path)
        .map_err(|source| MailError::Folder { path: path.display().to_string(), source })?;
    Ok(AsyncFileTransport::new(path))
}
