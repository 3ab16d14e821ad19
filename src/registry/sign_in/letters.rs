//! What is mailed to people who set a password, in Japanese and English.

use crate::registry::mail::Mail;

/// What a letter is about, with the token that it holds and until when that is good.
#[derive(Clone, Copy)]
pub(super) enum Letter<'a> {
    /// Somebody of the organization invites.
    Invitation { token: &'a str, until: &'a str },
    /// Somebody forgot a password.
    Reset { token: &'a str, until: &'a str },
    /// An organization enters itself.
    Registration { token: &'a str, until: &'a str },
    /// The same, with an address that somebody signs in with: whoever asks gets no word of its own to that person.
    Known,
}

impl Letter<'_> {
    const fn subject(&self) -> &'static str {
        match self {
            Self::Invitation { .. } => "許諾登録簿への招待 / Invitation to the registry",
            Self::Reset { .. } => "パスワードの再設定 / Setting another password",
            Self::Registration { .. } | Self::Known => "許諾登録簿への登録 / Registration",
        }
    }

    /// What happened, in Japanese and in English.
    fn news(&self, service: &str, organization: &str) -> (String, String) {
        match self {
            Self::Invitation { .. } => (
                format!("「{organization}」から {service} に招待されました。"),
                format!("“{organization}” invites you to {service}."),
            ),
            Self::Reset { .. } => (
                format!(
                    "{service} のパスワードの再設定が求められました。お心当たりがなければ、何もする必要はありません。\
                     設定すると、すべてのセッションが終わり、シングルサインオンとの連携もすべて外れます。"
                ),
                format!(
                    "Somebody, you we hope, asked to set another password at {service}. If it was not you, do nothing. \
                     Setting one ends all your sessions, and unlinks you from all accounts of single sign-on."
                ),
            ),
            Self::Registration { .. } => (
                format!(
                    "{service} への「{organization}」の登録が求められました。お心当たりがなければ、何もする必要はありません。"
                ),
                format!(
                    "Somebody, you we hope, asked to register “{organization}” at {service}. If it was not you, do nothing."
                ),
            ),
            Self::Known => (
                format!(
                    "{service} への組織の登録が求められましたが、このアドレスは既に使われています。\
                     サインインするか、パスワードを再設定してください。お心当たりがなければ、何もする必要はありません。"
                ),
                format!(
                    "Somebody, you we hope, asked to register an organization at {service}. With this address somebody signs in \
                     already: sign in, or ask for another password. If it was not you, do nothing."
                ),
            ),
        }
    }

    /// The token, until when it is good, and to where it is sent with the password.
    const fn token(&self) -> Option<(&str, &str, &'static str)> {
        match self {
            Self::Invitation { token, until } | Self::Reset { token, until } => {
                Some((token, until, "/v1/passwords"))
            }
            Self::Registration { token, until } => Some((token, until, "/v1/registrations/complete")),
            Self::Known => None,
        }
    }
}

/// The mail. `service` is how the registry calls itself, `organization` the one that it is about.
pub(super) fn letter(letter: &Letter<'_>, to: &str, service: &str, organization: &str) -> Mail {
    let (ja, en) = letter.news(service, organization);
    let text = match letter.token() {
        None => format!("{ja}\n\n{en}\n"),
        Some((token, until, path)) => format!(
            "{ja}\n次の符号でパスワードを設定できます（{until} まで、一度だけ）。\n\n\
             {en}\nWith this token you can set your password (until {until}, once).\n\n    {token}\n\n\
             POST {service}{path}  {{\"token\": \"…\", \"password\": \"…\"}}\n"
        ),
    };
    Mail { to: to.to_owned(), subject: letter.subject().to_owned(), text }
}
