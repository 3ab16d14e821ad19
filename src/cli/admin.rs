//! `kyodaku admin`: what only the one who runs the machine, or the registrar, can do.

mod confirm;
mod erase;

use clap::Subcommand;
use serde::{Deserialize, Serialize};

use super::client::{ClientArgs, NoAnswer, Server};
use super::settings::{SettingsArgs, clock, registry_settings};
use super::{Exit, Failure, Outcome, output};
use crate::clock::Clock;
use crate::domain::act::Role;
use crate::domain::ids::{OrgId, PersonId};
use crate::registry::Registry;
use crate::registry::bootstrap::{self, create_registrar};

const UNSHOWN: &str = "the key was made and could not be shown: revoke it, and make another";

/// Make the first registrar, enter and verify organizations, confirm what they assert
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    CreateRegistrar(CreateRegistrar),
    RemoveRegistrar(RemoveRegistrar),
    RestoreAccess(RestoreAccess),
    AddOrganization(AddOrganization),
    Verify(Verify),
    CreateKey(CreateKey),
    Invite(Invite),
    Queue(confirm::Queue),
    Confirm(confirm::Confirm),
    Proposals(confirm::Proposals),
    Approve(confirm::Approve),
    Erase(erase::Erase),
}

/// Make the registrar, or add a person to it, directly in the database; prints the key once
///
/// Run it where the server runs, also while it runs. Confirming needs two people, so run it twice, once for each.
#[derive(Debug, clap::Args)]
struct CreateRegistrar {
    /// The name of the registrar's organization; not used when there is one
    #[arg(long, default_value = "Registrar")]
    name: String,
    /// What colleagues call the person
    #[arg(long)]
    person: String,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Remove a person of the registrar, with all keys and sessions, directly in the database
///
/// Nobody of the registrar can do so. Run it where the server runs, also while it runs. The log shows it.
#[derive(Debug, clap::Args)]
struct RemoveRegistrar {
    /// The person
    person: PersonId,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Add an admin to an organization, directly in the database; prints the key once
///
/// For one that nobody can act for any more, or where nobody may bring in another person alone. Run it where the server runs. The log shows it. Remove the people who should no longer act.
#[derive(Debug, clap::Args)]
struct RestoreAccess {
    /// The organization
    organization: OrgId,
    /// What colleagues call the person
    #[arg(long)]
    person: String,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Enter an organization (as the registrar); with `--person`, also its first person and key, printed once
#[derive(Debug, clap::Args)]
struct AddOrganization {
    /// Its name
    name: String,
    /// What it is here for; may be repeated
    #[arg(long = "role", required = true, value_parser = role)]
    roles: Vec<Role>,
    /// What colleagues call its first person
    #[arg(long)]
    person: Option<String>,
    /// Verify it too, with this note of what evidence was seen
    #[arg(long, value_name = "NOTE")]
    verify: Option<String>,
    #[command(flatten)]
    client: ClientArgs,
}

/// Verify an organization (as the registrar)
#[derive(Debug, clap::Args)]
struct Verify {
    /// The organization
    organization: OrgId,
    /// What evidence was seen
    #[arg(long)]
    note: String,
    #[command(flatten)]
    client: ClientArgs,
}

/// Make another key for a person of your own organization; prints it once
#[derive(Debug, clap::Args)]
struct CreateKey {
    /// The person
    person: PersonId,
    /// What the key is for
    #[arg(long)]
    label: String,
    /// For how many days
    #[arg(long)]
    days: Option<u32>,
    #[command(flatten)]
    client: ClientArgs,
}

/// Mail a person an invitation to set a password: yourself, a colleague as an admin, or as the registrar the first person of an
/// organization that nobody has access to yet
#[derive(Debug, clap::Args)]
struct Invite {
    /// The person
    person: PersonId,
    /// To where
    email: String,
    #[command(flatten)]
    client: ClientArgs,
}

fn role(text: &str) -> Result<Role, String> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(|_| {
        "expected `rights_holder`, `association`, `ai_developer`, `auditor`, `investigator` or `registrar`".to_owned()
    })
}

pub(super) async fn run(args: Args) -> Outcome {
    match args.command {
        Command::CreateRegistrar(args) => registrar(args).await,
        Command::RemoveRegistrar(args) => remove_registrar(args).await,
        Command::RestoreAccess(args) => restore_access(args).await,
        Command::AddOrganization(args) => add_organization(args).await,
        Command::Verify(args) => {
            let server = Server::new(&args.client)?;
            verify(&server, args.organization, &args.note).await?;
            output::say("it is verified");
            Ok(Exit::Done)
        }
        Command::CreateKey(args) => create_key(args).await,
        Command::Invite(args) => invite(args).await,
        Command::Queue(args) => confirm::queue(args).await,
        Command::Confirm(args) => confirm::confirm(args).await,
        Command::Proposals(args) => confirm::proposals(args).await,
        Command::Approve(args) => confirm::approve(args).await,
        Command::Erase(args) => erase::erase(args).await,
    }
}

/// What is printed of a new key: the only place where it is ever shown.
#[derive(Serialize)]
struct Made {
    organization: OrgId,
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<PersonId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

fn print(made: &Made) -> Outcome {
    let is_shown =
        output::line(serde_json::to_string(made).map_err(|error| Failure::new(error.to_string()))?);
    if made.key.is_some() && !is_shown {
        return Err(Failure::new(UNSHOWN));
    }
    if made.key.is_some() {
        output::say("keep the key: it is shown only here, and only its hash is stored");
    }
    Ok(Exit::Done)
}

async fn registrar(args: CreateRegistrar) -> Outcome {
    let CreateRegistrar { name, person, settings } = args;
    made(
        &in_the_database(&settings, async |registry| create_registrar(registry, &name, &person).await)
            .await?,
    )
}

async fn restore_access(args: RestoreAccess) -> Outcome {
    let RestoreAccess { organization, person, settings } = args;
    let restore =
        async |registry: &Registry| bootstrap::restore_access(registry, organization, &person).await;
    made(&in_the_database(&settings, restore).await?)
}

async fn remove_registrar(args: RemoveRegistrar) -> Outcome {
    let remove = async |registry: &Registry| bootstrap::remove_registrar(registry, args.person).await;
    in_the_database(&args.settings, remove).await?;
    output::say("the person is removed, with all keys and sessions");
    Ok(Exit::Done)
}

/// Does something where the server runs, also while it runs.
async fn in_the_database<T>(
    settings: &SettingsArgs,
    act: impl AsyncFnOnce(&Registry) -> Result<T, crate::registry::Failure>,
) -> Result<T, Failure> {
    let config = settings.load()?;
    let registry = Registry::open(registry_settings(&config), clock(&config)?).await;
    let registry = registry.map_err(|error| Failure::new(error.to_string()))?;
    let done = act(&registry).await;
    registry.db().close().await;
    done.map_err(|error| Failure::new(error.to_string()))
}

fn made(access: &bootstrap::NewAccess) -> Outcome {
    let key = Some(access.secret.expose().to_owned());
    print(&Made { organization: access.org, person: Some(access.person), key })
}

/// A fresh idempotency key: a person who calls twice means two things.
fn once() -> String {
    Clock::system().new_uuid().to_string()
}

#[derive(Serialize)]
struct NewOrganization<'a> {
    name: &'a str,
    roles: &'a [Role],
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<NewPerson<'a>>,
}

#[derive(Serialize)]
struct NewPerson<'a> {
    label: &'a str,
    key: NewKey<'a>,
}

#[derive(Serialize)]
struct NewKey<'a> {
    label: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<PersonId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in_days: Option<u32>,
}

#[derive(Deserialize)]
struct Registered {
    organization: OrgId,
    #[serde(default)]
    person: Option<PersonId>,
    #[serde(default)]
    key: Option<Issued>,
}

#[derive(Deserialize)]
struct Issued {
    #[serde(default)]
    secret: Option<String>,
}

async fn add_organization(args: AddOrganization) -> Outcome {
    let server = Server::new(&args.client)?;
    let person = args.person.as_deref();
    let person = person.map(|label| NewPerson {
        label,
        key: NewKey { label: "first key", person: None, expires_in_days: None },
    });
    let body = NewOrganization { name: &args.name, roles: &args.roles, person };
    let made: Registered =
        server.post("/v1/organizations", &body, Some(&once())).await.map_err(NoAnswer::told)?;
    let key = made.key.and_then(|key| key.secret);
    // The key first: it is shown only now, whatever becomes of the rest.
    let printed = print(&Made { organization: made.organization, person: made.person, key });
    if let Some(note) = &args.verify {
        verify(&server, made.organization, note).await?;
    }
    printed
}

#[derive(Serialize)]
struct Note<'a> {
    note: &'a str,
}

async fn verify(server: &Server, organization: OrgId, note: &str) -> Result<(), Failure> {
    let path = format!("/v1/organizations/{organization}/verify");
    let _: serde::de::IgnoredAny =
        server.post(&path, &Note { note }, Some(&once())).await.map_err(NoAnswer::told)?;
    Ok(())
}

#[derive(Deserialize)]
struct KeyMade {
    key: Issued,
}

async fn create_key(args: CreateKey) -> Outcome {
    let server = Server::new(&args.client)?;
    let body = NewKey { label: &args.label, person: Some(args.person), expires_in_days: args.days };
    let made: KeyMade = server.post("/v1/keys", &body, Some(&once())).await.map_err(NoAnswer::told)?;
    let secret = made.key.secret;
    let secret = secret.ok_or_else(|| Failure::new("the server made the key and did not show it"))?;
    if output::line(secret) { Ok(Exit::Done) } else { Err(Failure::new(UNSHOWN)) }
}

#[derive(Serialize)]
struct Invitation<'a> {
    email: &'a str,
}

#[derive(Deserialize)]
struct Invited {
    expires: String,
}

async fn invite(args: Invite) -> Outcome {
    let server = Server::new(&args.client)?;
    let path = format!("/v1/people/{}/invitations", args.person);
    let body = Invitation { email: &args.email };
    let invited: Invited = server.post(&path, &body, Some(&once())).await.map_err(NoAnswer::told)?;
    output::say(format!("the invitation is on its way, and good until {}", invited.expires));
    Ok(Exit::Done)
}
