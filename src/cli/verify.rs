//! `kyodaku verify`: what was signed, verified by somebody who trusts nobody.

mod bundle;
mod decision;
pub(super) mod log;
mod receipt;
mod signed;

use super::{Exit, Failure, Outcome, UNAVAILABLE, output};

/// Verify what a registry signed, offline
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Receipt(receipt::Args),
    Bundle(bundle::Args),
    Decision(decision::Args),
    Log(log::Args),
}

/// What came of several files: each is judged, and what does not hold weighs more than what can't be read.
#[derive(Default)]
struct Tally {
    is_broken: bool,
    is_unread: bool,
}

impl Tally {
    /// One was judged.
    const fn judged(&mut self, holds: bool) {
        self.is_broken |= !holds;
    }

    /// One could not be read, which is said; the others still can.
    ///
    /// # Errors
    /// When it is something else than that.
    fn unread(&mut self, failure: Failure) -> Result<(), Failure> {
        if failure.code != UNAVAILABLE {
            return Err(failure);
        }
        output::error(&failure.message);
        self.is_unread = true;
        Ok(())
    }

    const fn end(self) -> Exit {
        match self {
            Self { is_broken: true, .. } => Exit::DoesNotHold,
            Self { is_unread: true, .. } => Exit::Unread,
            _ => Exit::Done,
        }
    }
}

pub(super) async fn run(args: Args) -> Outcome {
    match args.what {
        What::Receipt(args) => receipt::run(&args),
        What::Bundle(args) => bundle::run(args).await,
        What::Decision(args) => decision::run(args).await,
        What::Log(args) => log::run(args).await,
    }
}
