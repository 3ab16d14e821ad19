//! People and their keys.
//!
//! That a person stands for an organization is in the log; how the person is called and which keys there are is not.
//! Rows that belong to an act are written in the transaction that appends it, so the two never drift apart.

use serde::Serialize;

use super::answer::{Answer, keep, moment};
use super::authority::{Actor, PersonRole, Proof, Roles, Scope, Scopes, State, Verified, submission};
use super::credential::Secret;
use super::failure::Failure;
use super::four_eyes::refuse_alone;
use super::lasting::{refuse_approver, refuse_token};
use super::node::Registry;
use super::oauth::jwk::PublicKey;
use super::sequencer::{Once, SubmitError, Submitted};
use crate::domain::act::{PersonAdded, PersonRemoved};
use crate::domain::admit::{Refusal, code};
use crate::domain::ids::{KeyId, OrgId, PersonId};
use crate::store::accounts::{ApiKey, Person};
use crate::store::logins::Login;
use crate::store::proposals::{self, ProposalState};
use crate::store::sessions::{self, Ended};
use crate::store::{
    StoreError, Tx, accounts as tables, idempotency, identities, logins, registrations, second_factors,
};

/// How long a key lives, at most and when nothing else is said, in days.
pub const MAX_KEY_DAYS: u16 = 365;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// A change of the tables of people, keys and proposals that comes about with a recorded command.
#[derive(Clone, Debug)]
pub enum AccountChange {
    /// A person is added.
    AddPerson(Person),
    /// Nobody stands, or ever stood, for the organization: only then may the registrar add somebody.
    NobodyYet(OrgId),
    /// A person gets a key.
    AddKey(ApiKey, [u8; 32]),
    /// An organization has entered itself: its first person signs in with the address to which the token was mailed.
    Enter {
        /// SHA-256 of the token.
        token_hash: [u8; 32],
        /// How the person signs in.
        login: Login,
    },
    /// A person is removed, with all keys and sessions, and cannot sign in any more.
    RemovePerson {
        /// From where.
        org: OrgId,
        /// Who.
        person: PersonId,
    },
    /// The sessions of an organization's people end.
    EndSessions(OrgId),
    /// A proposal is carried out.
    Approve {
        /// Its id.
        proposal: String,
        /// The second person.
        by: PersonId,
    },
}

/// Why the command can't be carried out, as far as these tables know; what it rests on can't change until the
/// transaction ends.
pub(super) async fn refusal(
    tx: &mut Tx,
    changes: &[AccountChange],
    now_ms: i64,
) -> Result<Option<Refusal>, StoreError> {
    for change in changes {
        if let AccountChange::Approve { proposal, by } = change
            && !proposals::hold(tx, proposal, &by.to_string(), now_ms).await?
        {
            let detail = format!("`{proposal}` does not wait for you: it is decided, over, or your own");
            return Ok(Some(Refusal { code: NOT_WAITING, ..Refusal::of_command(detail) }));
        }
        if let AccountChange::Enter { token_hash, login } = change
            && !registrations::can_be_taken(tx, token_hash, &login.email, now_ms).await?
        {
            let detail =
                "the token is spent, or somebody signs in with the address: ask for another one, or sign in";
            return Ok(Some(Refusal { code: NOT_WAITING, ..Refusal::of_command(detail.to_owned()) }));
        }
        if let AccountChange::NobodyYet(org) = change
            && tables::had_people(tx, &org.to_string()).await?
        {
            let detail = "somebody stands for the organization already, or did: one of its admins adds others, or who \
                          runs the registry (`kyodaku admin restore-access`)";
            return Ok(Some(Refusal { code: code::UNAUTHORIZED, ..Refusal::of_command(detail.to_owned()) }));
        }
    }
    Ok(None)
}

/// The code of a refusal: the proposal does not wait for this person.
pub const NOT_WAITING: &str = "not_waiting";

/// Writes the changes.
pub(super) async fn write(
    tx: &mut Tx,
    changes: &[AccountChange],
    answer: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    for change in changes {
        match change {
            AccountChange::AddPerson(person) => tables::insert_person(tx, person).await?,
            AccountChange::NobodyYet(_) => {}
            AccountChange::AddKey(key, hash) => tables::insert_key(tx, key, hash).await?,
            AccountChange::RemovePerson { org, person } => {
                let person = person.to_string();
                tables::remove_person(tx, &org.to_string(), &person, now_ms).await?;
                logins::delete(tx, &person, now_ms).await?;
                second_factors::delete(tx, &person).await?;
                identities::delete_of_person(tx, &person).await?;
                sessions::end_of_person(tx, &person, None, Ended::Removed, now_ms).await?;
            }
            AccountChange::Enter { token_hash, login } => {
                let is_taken = registrations::take(tx, token_hash, &login.email, now_ms).await?;
                let Login { person, email, password, .. } = login;
                if !is_taken || !logins::put(tx, person, email, password, now_ms).await? {
                    return Err(StoreError::Conflict("the token was spent meanwhile".to_owned()));
                }
            }
            AccountChange::EndSessions(org) => {
                sessions::end_of_org(tx, &org.to_string(), Ended::Suspended, now_ms).await?;
            }
            AccountChange::Approve { proposal, by } => {
                let (by, state) = (by.to_string(), ProposalState::Approved);
                if !proposals::decide(tx, proposal, &by, state, Some(answer), now_ms).await? {
                    return Err(StoreError::Conflict(format!("`{proposal}` was decided meanwhile")));
                }
            }
        }
    }
    Ok(())
}

/// What a new key shall be.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What its owner calls it.
    pub label: String,
    /// What it may be used for; everything that the organization's roles allow when nothing is said.
    pub scopes: Option<Vec<Scope>>,
    /// How many days it lives, 1 to [`MAX_KEY_DAYS`].
    pub days: u16,
    /// A key of the owner's own, with which it signs to get tokens; there is no secret then.
    pub public_key: Option<PublicKey>,
}

/// A key that was made just now. The secret can't be shown again.
#[derive(Clone, Debug)]
pub struct MadeKey {
    /// Its id.
    pub id: KeyId,
    /// The key itself, unless its owner has a key of its own.
    pub secret: Option<Secret>,
    row: ApiKey,
    hash: [u8; 32],
}

impl MadeKey {
    pub(super) fn change(&self) -> AccountChange {
        AccountChange::AddKey(self.row.clone(), self.hash)
    }

    /// Whether it may approve, as the second person.
    pub(super) fn may_approve(&self) -> bool {
        Scopes::from_stored(&self.row.scopes).holds(Scope::Approve)
    }
}

/// A key as lists show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyView {
    /// Its id.
    pub key: String,
    /// Whose.
    pub person: String,
    /// The organization.
    pub organization: String,
    /// What its owner calls it.
    pub label: String,
    /// The first characters of the secret.
    pub prefix: String,
    /// What it may be used for.
    pub scopes: Vec<&'static str>,
    /// When it was made.
    pub created: String,
    /// From when on it is refused.
    pub expires: Option<String>,
    /// When it was last used, to the minute.
    pub last_used: Option<String>,
    /// When it was revoked.
    pub revoked: Option<String>,
    /// The key with which its owner signs, where there is no secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_key: Option<PublicKey>,
}

impl From<&ApiKey> for KeyView {
    fn from(row: &ApiKey) -> Self {
        Self {
            key: row.id.clone(),
            person: row.person.clone(),
            organization: row.org.clone(),
            label: row.label.clone(),
            prefix: row.prefix.clone(),
            scopes: Scopes::from_stored(&row.scopes).iter().map(Scope::as_str).collect(),
            created: moment(row.created_ms),
            expires: row.expires_ms.map(moment),
            last_used: row.last_used_ms.map(moment),
            revoked: row.revoked_ms.map(moment),
            public_key: row.public_key.as_deref().and_then(PublicKey::from_stored),
        }
    }
}

impl MadeKey {
    /// As lists show it.
    pub fn view(&self) -> KeyView {
        KeyView::from(&self.row)
    }
}

/// What a new person shall be.
#[derive(Clone, Debug)]
pub struct NewPerson {
    /// What colleagues call the person.
    pub label: String,
    /// What the person may do within the organization.
    pub role: PersonRole,
    /// A first key.
    pub key: Option<NewKey>,
}

/// A person who was added just now, with the rows.
pub(super) struct MadePerson {
    pub(super) person: PersonId,
    pub(super) key: Option<MadeKey>,
    row: Person,
}

impl MadePerson {
    pub(super) fn changes(&self) -> Vec<AccountChange> {
        let person = AccountChange::AddPerson(self.row.clone());
        std::iter::once(person).chain(self.key.as_ref().map(MadeKey::change)).collect()
    }
}

/// Makes the rows of a person, with a key that has at most these scopes.
pub(super) fn make_person(
    registry: &Registry,
    org: OrgId,
    givable: Scopes,
    new: &NewPerson,
) -> Result<MadePerson, Failure> {
    let person = PersonId::new(registry.clock().new_uuid());
    let givable = givable.and(new.role.scopes());
    let key = new.key.as_ref().map(|key| make_key(registry, org, person, givable, key, "/key"));
    let row = Person {
        person: person.to_string(),
        org: org.to_string(),
        label: new.label.clone(),
        role: new.role.as_str().to_owned(),
        created_ms: registry.clock().now_ms(),
        removed_ms: None,
    };
    Ok(MadePerson { person, key: key.transpose()?, row })
}

/// Makes a key, within what may be given.
pub(super) fn make_key(
    registry: &Registry,
    org: OrgId,
    person: PersonId,
    givable: Scopes,
    new: &NewKey,
    at: &'static str,
) -> Result<MadeKey, Failure> {
    let scopes = match &new.scopes {
        None => givable,
        Some(scopes) => scopes.iter().copied().collect(),
    };
    if let Some(scope) = scopes.iter().find(|scope| !givable.holds(*scope)) {
        let detail = format!("the scope `{}` can't be given here: leave it out", scope.as_str());
        return Err(Failure::fault(at, "scope_not_givable", detail));
    }
    if scopes == Scopes::default() || !(1..=MAX_KEY_DAYS).contains(&new.days) {
        let detail = format!("a key needs a scope, and lives 1 to {MAX_KEY_DAYS} days");
        return Err(Failure::fault(at, "invalid_value", detail));
    }
    let (id, created_ms) = (KeyId::new(registry.clock().new_uuid()), registry.clock().now_ms());
    let secret = new.public_key.is_none().then(|| Secret::of(registry.realm()));
    let (prefix, hash) = match (&secret, &new.public_key) {
        (Some(secret), _) => (secret.shown().to_owned(), secret.hash()),
        (None, Some(own)) => (own.shown(), own.hash_of(id)),
        (None, None) => return Err(Failure::Unavailable("a key without a secret".to_owned())),
    };
    let row = ApiKey {
        id: id.to_string(),
        org: org.to_string(),
        person: person.to_string(),
        prefix,
        scopes: scopes.to_stored(),
        label: new.label.clone(),
        created_ms,
        expires_ms: Some(created_ms.saturating_add(i64::from(new.days) * DAY_MS)),
        last_used_ms: None,
        revoked_ms: None,
        public_key: new.public_key.as_ref().map(|own| own.bytes().to_vec()),
    };
    Ok(MadeKey { id, secret, row, hash })
}

/// The answer to [`add_person`].
#[derive(Clone, Debug, Serialize)]
struct PersonAnswer {
    person: PersonId,
    organization: OrgId,
    key: Option<KeyView>,
}

/// Whether the caller manages this organization: an admin of its own, or the registrar.
pub(super) fn manages(actor: &Actor, org: OrgId) -> Result<(), Failure> {
    match actor.org() == org {
        true if actor.is_admin() => Ok(()),
        true => Err(Failure::Forbidden("only an admin of your organization may do this".to_owned())),
        false if actor.roles().meets(Roles::REGISTRAR) => Ok(()),
        false => Err(Failure::NotFound),
    }
}

/// The roles of an organization that is known.
async fn roles_of(registry: &Registry, org: OrgId) -> Result<Roles, Failure> {
    let known = registry.read(|now| State::of(now, org)).await?;
    known.map(|(_, roles)| roles).ok_or(Failure::NotFound)
}

/// Adds a person to the caller's own organization, or as the registrar to any. The key, if one was asked for, is to be
/// shown now: a repetition gets the same answer without it.
pub async fn add_person(
    registry: &Registry,
    by: &Verified,
    org: Option<OrgId>,
    new: &NewPerson,
    once: Once,
) -> Result<(Submitted, Option<MadeKey>), Failure> {
    refuse_token(by.actor(), "adds no people")?;
    let org = org.unwrap_or(by.actor().org());
    manages(by.actor(), org)?;
    refuse_alone(registry, by.actor(), org).await?;
    let roles = roles_of(registry, org).await?;
    // Nobody gives what its own key does not have. To the first person of another organization the registrar gives all.
    let own = org == by.actor().org();
    let givable = if own { by.actor().scopes() } else { Scopes::of_roles(roles) };
    let made = make_person(registry, org, givable, new)?;
    refuse_approver(by.actor(), made.key.as_ref())?;
    let fields =
        PersonAnswer { person: made.person, organization: org, key: made.key.as_ref().map(MadeKey::view) };
    let answer = Answer::created(format!("/v1/people/{}", made.person), &fields);
    let acts = vec![(PersonAdded { person: made.person, org }.into(), None)];
    let mut submission = submission(by, None, acts, Some(once), answer.body());
    submission.accounts = made.changes();
    if !own {
        // Whoever adds a person can act as the organization: the registrar lets in the first one, and nobody after that.
        submission.accounts.insert(0, AccountChange::NobodyYet(org));
    }
    let submitted = registry.submit(submission).await?;
    let key = made.key.filter(|_| submitted.recorded.is_some());
    Ok((submitted, key))
}

/// Removes a person, whose keys end with it. Whoever manages the organization may, and nobody removes itself: an
/// organization would be left without anybody who can add another.
pub async fn remove_person(
    registry: &Registry,
    by: &Verified,
    person: PersonId,
) -> Result<Submitted, Failure> {
    let row = tables::person(registry.db(), &person.to_string()).await?;
    let row = row.filter(|row| row.removed_ms.is_none()).ok_or(Failure::NotFound)?;
    let org: OrgId = row.org.parse().map_err(|_| Failure::NotFound)?;
    manages(by.actor(), org)?;
    if by.actor().person() == person {
        return Err(Failure::Conflict(
            "nobody removes itself: ask another admin, or the registrar".to_owned(),
        ));
    }
    let answer = Answer::done(&serde_json::json!({ "person": person, "organization": org }));
    let acts = vec![(PersonRemoved { person, org }.into(), None)];
    let mut submission = submission(by, None, acts, None, answer.body());
    submission.accounts = vec![AccountChange::RemovePerson { org, person }];
    Ok(registry.submit(submission).await?)
}

/// Makes a key for the caller, or as an admin for a colleague. Nobody gives what its own key does not have, and nobody of the
/// registrar makes keys for others, colleagues neither: whoever saw one could act in their name. The key is to be shown now: a
/// repetition gets the same answer without it.
///
/// # Errors
/// [`Failure::SecondFactor`] for a key that may approve, in a session that began without a second factor.
pub async fn create_key(
    registry: &Registry,
    by: &Verified,
    person: Option<PersonId>,
    new: &NewKey,
    once: Once,
) -> Result<(Submitted, Option<MadeKey>), Failure> {
    let actor = by.actor();
    refuse_token(actor, "makes no keys")?;
    let person = person.unwrap_or(actor.person());
    if person != actor.person() {
        let row = tables::person(registry.db(), &person.to_string()).await?;
        let colleague = row.is_some_and(|row| row.org == actor.org().to_string() && row.removed_ms.is_none());
        if !colleague {
            return Err(Failure::NotFound);
        }
        manages(actor, actor.org())?;
        refuse_alone(registry, actor, actor.org()).await?;
    }
    let made = make_key(registry, actor.org(), person, actor.scopes(), new, "/scopes")?;
    refuse_approver(actor, Some(&made))?;
    store_key(registry, actor.org(), made, once).await
}

/// Writes a key down, once. The key is to be shown now: a repetition gets the same answer without it.
pub(super) async fn store_key(
    registry: &Registry,
    org: OrgId,
    made: MadeKey,
    once: Once,
) -> Result<(Submitted, Option<MadeKey>), Failure> {
    let body = keep(Some(format!("/v1/keys/{}", made.id)), None, &serde_json::json!({ "key": made.view() }));
    let answer = once.answered(201, body, registry.clock().now_ms());
    let (db, row, hash) = (registry.db().clone(), made.row.clone(), made.hash);
    let submitted = detached(async move {
        let mut tx = db.begin().await?;
        if let Some(before) = before(&mut tx, org, &once, answer.at_ms).await? {
            return Ok(before);
        }
        tables::insert_key(&mut tx, &row, &hash).await?;
        idempotency::insert(&mut tx, &org.to_string(), &once.key, &answer).await?;
        tx.commit().await?;
        Ok(Ok(Submitted { recorded: None, status: answer.status, body: answer.response }))
    })
    .await??;
    let fresh = submitted.body.contains(&made.id.to_string());
    Ok((submitted, fresh.then_some(made)))
}

/// The answer that the same request got before, or that its key belongs to another one.
pub(super) async fn before(
    tx: &mut Tx,
    org: OrgId,
    once: &Once,
    now_ms: i64,
) -> Result<Option<Result<Submitted, SubmitError>>, StoreError> {
    let found = idempotency::find_in(tx, &org.to_string(), &once.key, now_ms).await?;
    Ok(found.map(|before| {
        if before.operation == once.operation && before.body_digest == once.digest {
            Ok(Submitted { recorded: None, status: before.status, body: before.response })
        } else {
            Err(SubmitError::KeyReused)
        }
    }))
}

/// Revokes a key, at once: of the caller itself, of a colleague as an admin, of anyone as the registrar. Revoking a
/// revoked key changes nothing.
pub async fn revoke_key(registry: &Registry, by: &Verified, id: KeyId) -> Result<KeyView, Failure> {
    let (actor, db) = (by.actor(), registry.db().clone());
    let id = id.to_string();
    let row = tables::key(&db, &id).await?.ok_or(Failure::NotFound)?;
    let org: OrgId = row.org.parse().map_err(|_| Failure::NotFound)?;
    if row.person != actor.person().to_string() {
        manages(actor, org)?;
    }
    let now_ms = registry.clock().now_ms();
    let (write_db, write_id) = (db.clone(), id.clone());
    detached(async move {
        let mut tx = write_db.begin().await?;
        tables::revoke_key(&mut tx, &row.org, &write_id, now_ms).await?;
        tx.commit().await
    })
    .await?;
    let row = tables::key(&db, &id).await?.ok_or(Failure::NotFound)?;
    Ok(KeyView::from(&row))
}

/// The keys of an organization, dead ones too, by id: all of them for whoever manages it, otherwise the caller's own.
pub async fn keys(
    registry: &Registry,
    by: &Verified,
    org: Option<OrgId>,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<KeyView>, Failure> {
    let actor = by.actor();
    let org = org.unwrap_or(actor.org());
    let id = org.to_string();
    let rows = if org == actor.org() && !actor.is_admin() {
        tables::keys_of_person(registry.db(), &actor.person().to_string(), after, limit).await?
    } else {
        manages(actor, org)?;
        tables::keys(registry.db(), &id, after, limit).await?
    };
    Ok(rows.iter().map(KeyView::from).collect())
}

/// Runs a write to its end even when the caller goes away: a cancelled one could lose what others wrote.
pub(super) async fn detached<T: Send + 'static>(
    write: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::spawn(write).await {
        Ok(done) => Ok(done?),
        Err(error) => Err(Failure::Unavailable(error.to_string())),
    }
}
