//! Acts in words, Japanese and English: who did what.

use super::{Lang, Names};
use crate::domain::act::Act;
use crate::domain::entry::Entry;

/// Who did what, in a sentence.
pub fn act_words(entry: &Entry, lang: Lang, names: &dyn Names) -> String {
    let party = names.org(entry.party, lang);
    let principal = entry.on_behalf_of.map(|org| names.org(org, lang));
    let (ja, en) = told(&entry.act);
    match (lang, principal) {
        (Lang::Ja, None) => format!("{party} が{ja}。"),
        (Lang::Ja, Some(principal)) => format!("{party} が {principal} のために{ja}。"),
        (Lang::En, None) => format!("{party} {en}."),
        (Lang::En, Some(principal)) => format!("{party}, for {principal}, {en}."),
    }
}

/// What was done, without who did it.
#[rustfmt::skip]
const fn told(act: &Act) -> (&'static str, &'static str) {
    match act {
        Act::LogOpened(_) => ("記録簿を開始しました", "began the log"),
        Act::SettingsChanged(_) => ("登録簿の設定を変更しました", "changed the settings of the registry"),
        Act::RulesActivated(_) => ("新しい版の規則を発効させました", "put a version of the rules into force"),
        Act::OrgRegistered(_) => ("組織を登録しました", "entered an organization"),
        Act::OrgVerified(_) => ("組織を確認しました", "verified an organization"),
        Act::OrgSuspended(_) => ("組織を停止しました", "suspended an organization"),
        Act::OrgReinstated(_) => ("組織の停止を解除しました", "reinstated an organization"),
        Act::PersonAdded(_) => ("担当者を加えました", "added a person"),
        Act::PersonRemoved(_) => ("担当者を外しました", "removed a person"),
        Act::ModelRegistered(_) => ("モデルを登録しました", "registered a model"),
        Act::ModelRetired(_) => ("モデルを廃止しました", "retired a model"),
        Act::MembershipOffered(_) => ("加盟を申し出ました", "offered a membership"),
        Act::MembershipAccepted(_) => ("加盟を受け入れました", "accepted a membership"),
        Act::MembershipEnded(_) => ("加盟を終了しました", "ended a membership"),
        Act::MandateGiven(_) => ("委任しました", "gave a mandate"),
        Act::MandateEnded(_) => ("委任を終了しました", "ended a mandate"),
        Act::WorkRegistered(_) => ("作品を登録しました", "registered the work"),
        Act::WorkAmended(_) => ("作品の記載を改めました", "amended the description of the work"),
        Act::WorkWithdrawn(_) => ("作品を取り下げました", "withdrew the work"),
        Act::WorksMerged(_) => ("重複する作品を一つにまとめました", "merged two works into one"),
        Act::HoldingAsserted(_) => ("権利の保有を申し立てました", "asserted a holding"),
        Act::HoldingRelinquished(_) => ("権利の保有を放棄しました", "relinquished a holding"),
        Act::BindingAsserted(_) => ("識別子の結び付けを申し立てました", "tied a key to the work"),
        Act::BindingRemoved(_) => ("識別子の結び付けを外しました", "removed a key from the work"),
        Act::AssertionsConfirmed(_) => ("申立てを確認しました", "confirmed what was asserted"),
        Act::AssertionsRejected(_) => ("申立てを退けました", "rejected what was asserted"),
        Act::ControlProved(_) => ("サイトの管理者であることを証明しました", "proved control of a site"),
        Act::TransferOffered(_) => ("権利の譲渡を申し出ました", "offered a transfer of a holding"),
        Act::TransferAccepted(_) => ("権利の譲渡を受け入れました", "accepted a transfer of a holding"),
        Act::TransferWithdrawn(_) => ("権利の譲渡の申出を取り下げました", "withdrew an offer of a transfer"),
        Act::RosterDeclared(_) => ("権利者の一覧が全部であると宣言しました", "declared the list of holders complete"),
        Act::RosterSameAsParent(_) => ("権利者は上位の作品と同じであるとしました", "declared the holders to be those of the whole"),
        Act::LayersDeclared(_) => ("取り込んだ作品の一覧が全部であると宣言しました", "declared the list of incorporated works complete"),
        Act::LayerLinked(_) => ("取り込んだ作品を加えました", "added an incorporated work"),
        Act::PartLinked(_) => ("作品を別の作品の一部としました", "linked the work as a part of another"),
        Act::PartAccepted(_) => ("作品の一部であることを受け入れました", "accepted a work as a part"),
        Act::LinkRemoved(_) => ("作品のつながりを外しました", "removed a link between works"),
        Act::ClaimMade(_) => ("権利を主張しました", "made a claim"),
        Act::ClaimWithdrawn(_) => ("権利の主張を取り下げました", "withdrew a claim"),
        Act::DisputeOpened(_) => ("紛争として受け付けました", "opened a dispute"),
        Act::DisputeSettled(_) => ("紛争を解決しました", "settled a dispute"),
        Act::GrantRecorded(_) => ("許諾を記録しました", "recorded a grant"),
        Act::GrantRevoked(_) => ("許諾を撤回しました", "revoked a grant"),
        Act::DenialRecorded(_) => ("拒否を記録しました", "recorded a denial"),
        Act::DenialWithdrawn(_) => ("拒否を取り下げました（許諾ではありません）", "withdrew a denial, which is not permission"),
        Act::ReservationRecorded(_) => ("オプトアウト等の留保を記録しました（許諾には影響しません）", "recorded a reservation, which changes no answer"),
        Act::ReservationWithdrawn(_) => ("留保を取り下げました（許諾ではありません）", "withdrew a reservation, which is not permission"),
        Act::OfferPublished(_) => ("許諾の条件を公開しました（許諾ではありません）", "published an offer, which is not permission"),
        Act::OfferWithdrawn(_) => ("公開した条件を取り下げました", "withdrew an offer"),
        Act::OfferAccepted(_) => ("公開された条件を受け入れました", "accepted an offer"),
        Act::RequestMade(_) => ("許諾を求めました（許諾ではありません）", "made a request, which is not permission"),
        Act::RequestAnswered(_) => ("求めに回答しました", "answered a request"),
        Act::RequestWithdrawn(_) => ("求めを取り下げました", "withdrew a request"),
        Act::RequestLapsed(_) => ("回答のない求めの期限が過ぎました（許諾ではありません）", "let a request lapse, which is not permission"),
        Act::NoticeServed(_) => ("通知を送りました", "served a notice"),
        Act::NoticeAnswered(_) => ("通知に回答しました", "answered a notice"),
        Act::NoticeClosed(_) => ("通知を終結しました", "closed a notice"),
        Act::DeclarationMade(_) => ("利用を申告しました", "declared a use"),
        Act::DeclarationCorrected(_) => ("利用の申告を訂正しました", "corrected a declaration"),
        Act::DocumentFiled(_) => ("書面を提出しました", "filed a document"),
        Act::InquiryOpened(_) => ("調査を開始しました", "opened an inquiry"),
        Act::InquiryClosed(_) => ("調査を終了しました", "closed an inquiry"),
        Act::PayloadErased(_) => ("記載を消去しました（証明には影響しません）", "erased a payload, which leaves every proof intact"),
        Act::KeyRotated(_) => ("署名の鍵を替えました", "replaced a signing key"),
        Act::JournalSealed(_) => ("照会の記録を封印しました", "sealed a journal of checks"),
        Act::LogContinued(_) => ("記録簿を新しい名称と鍵で引き継ぎました", "continued the log under another name and key"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::examples::all as examples;
    use crate::domain::explain::Ids;

    #[test]
    fn every_act_has_its_own_words_in_both_languages() {
        let mut said = std::collections::HashSet::new();
        for entry in examples() {
            for lang in Lang::ALL {
                let text = act_words(&entry, *lang, &Ids);
                assert!(text.contains(&entry.party.to_string()), "{text}");
            }
            said.insert(told(&entry.act));
        }
        let codes: std::collections::HashSet<_> = examples().iter().map(|entry| entry.act.code()).collect();
        assert_eq!(said.len(), codes.len());
    }
}
