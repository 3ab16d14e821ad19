//! Why an act is refused: the closed list of codes. People read the detail; programs read these.

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        $($(#[$doc])* pub const $name: &str = $code;)*

        /// Every code, in the order of declaration.
        pub const ALL: &[&str] = &[$($name),*];
    };
}

codes! {
    /// The command as a whole can't be read: no acts, too many, or time that went backwards.
    INVALID = "invalid";
    /// The rules that would admit it are not active, or do not know it.
    NOT_UNDER_THESE_RULES = "not_under_these_rules";
    /// An id that names nothing here, or nothing of the right kind.
    UNKNOWN = "unknown";
    /// A new id that is in use.
    ID_TAKEN = "id_taken";
    /// An organization that is not verified.
    NOT_VERIFIED = "not_verified";
    /// An organization that is suspended.
    SUSPENDED = "suspended";
    /// `by` has not the right number of persons, or one twice.
    BAD_PERSONS = "bad_persons";
    /// A person who does not stand for the party.
    NOT_ITS_PERSON = "not_its_person";
    /// The party may not record this act, or not about this thing.
    UNAUTHORIZED = "unauthorized";
    /// The act can't be recorded on behalf of another.
    NOT_BY_AGENT = "not_by_agent";
    /// No mandate or membership in force gives the party this power over every work named.
    NO_POWER = "no_power";
    /// An organization named in the act has not the role that this needs.
    WRONG_ROLE = "wrong_role";
    /// A work that was merged into another.
    MERGED_AWAY = "merged_away";
    /// A work that is withdrawn.
    WITHDRAWN = "withdrawn";
    /// A thing that no longer stands: ended, rejected, removed, settled, closed.
    ENDED = "ended";
    /// It is so already.
    ALREADY = "already";
    /// A list that may not be empty.
    EMPTY = "empty";
    /// Something that stands twice.
    DUPLICATE = "duplicate";
    /// A list that is not sorted.
    NOT_SORTED = "not_sorted";
    /// Over a limit.
    TOO_MANY = "too_many";
    /// A list that does not hold exactly what it must.
    NOT_EXACT = "not_exact";
    /// A key that is not in normal form.
    NOT_NORMAL = "not_normal";
    /// A value outside its bounds.
    OUT_OF_BOUNDS = "out_of_bounds";
    /// A term that begins too early or does not end after it begins.
    BAD_TERM = "bad_term";
    /// A thing that would be tied, given or merged to itself.
    ITSELF = "itself";
    /// A link or a merge that would close a circle.
    CYCLE = "cycle";
    /// The other thing does not belong to this one.
    MISMATCH = "mismatch";
    /// A grant that its own terms do not let be revoked.
    IRREVOCABLE = "irrevocable";
    /// Sooner than the terms allow.
    TOO_SOON = "too_soon";
    /// Everything else is fine, and a second person of the party must agree.
    SECOND_PERSON_REQUIRED = "second_person_required";
}
