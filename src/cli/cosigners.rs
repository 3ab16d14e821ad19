//! Which witnesses must have cosigned a log, as flags.

use super::Failure;
use crate::log::checkpoint::CosignerKey;

/// The witnesses whose cosignatures count.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct CosignerArgs {
    /// The public key of a witness, `name+id+base64`, from the witness itself; as often as there are witnesses
    #[arg(long = "witness", value_name = "KEY")]
    witnesses: Vec<CosignerKey>,
    /// How many of the witnesses must have cosigned; all of them, where it is not said
    #[arg(long, value_name = "NUMBER")]
    witnesses_needed: Option<usize>,
}

/// Witnesses, each once, and how many of them are needed.
#[derive(Clone, Debug)]
pub(super) struct Quorum {
    pub(super) witnesses: Vec<CosignerKey>,
    pub(super) needed: usize,
}

impl CosignerArgs {
    /// What is asked for.
    pub(super) fn quorum(&self) -> Result<Quorum, Failure> {
        let mut witnesses: Vec<CosignerKey> = Vec::new();
        for key in &self.witnesses {
            // One witness is one, however often it is named.
            if !witnesses.contains(key) {
                witnesses.push(key.clone());
            }
        }
        let needed = self.witnesses_needed.unwrap_or(witnesses.len());
        if needed > witnesses.len() {
            let given = witnesses.len();
            return Err(Failure::usage(format!(
                "`--witnesses-needed {needed}` can't be met: {given} witnesses are named with `--witness`"
            )));
        }
        Ok(Quorum { witnesses, needed })
    }
}
