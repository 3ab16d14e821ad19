//! `kyodaku verify`: what was signed, verified by somebody who trusts nobody.

mod bundle;
mod decision;
pub(super) mod log;
mod receipt;
mod signed;

use super::Outcome;

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

pub(super) async fn run(args: Args) -> Outcome {
    match args.what {
        What::Receipt(args) => receipt::run(&args),
        What::Bundle(args) => bundle::run(args).await,
        What::Decision(args) => decision::run(args).await,
        What::Log(args) => log::run(args).await,
    }
}
