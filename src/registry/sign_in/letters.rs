//! What is mailed to people who set a password, in Japanese and English.

use crate::registry::mail::Mail;
use crate::store::logins::Purpose;

/// The mail with a token. `service` is how the registry calls itself, `organization` who invites.
pub(super) fn letter(
    purpose: Purpose,
    to: &str,
    service: &str,
    organization: &str,
    token: &str,
    until: &str,
) -> Mail {
    let (subject, ja, en) = match purpose {
        Purpose::Invitation => (
            "許諾登録簿への招待 / Invitation to the registry",
            format!("「{organization}」から {service} に招待されました。"),
            format!("“{organization}” invites you to {service}."),
        ),
        Purpose::Reset => (
            "パスワードの再設定 / Setting another password",
            format!(
                "{service} のパスワードの再設定が求められました。お心当たりがなければ、何もする必要はありません。"
            ),
            format!(
                "Somebody, you we hope, asked to set another password at {service}. If it was not you, do nothing."
            ),
        ),
    };
    let text = format!(
        "{ja}\n次の符号でパスワードを設定できます（{until} まで、一度だけ）。\n\n\
         {en}\nWith this token you can set your password (until {until}, once).\n\n    {token}\n\n\
         POST {service}/v1/passwords  {{\"token\": \"…\", \"password\": \"…\"}}\n"
    );
    Mail { to: to.to_owned(), subject: subject.to_owned(), text }
}
