//! Acts that change no verdict: opt-outs, offers, requests, notices, declarations, documents, inquiries, upkeep.

use kyodaku::domain::act::{
    Act, Answer, DeclarationCorrected, DeclarationMade, DocumentFiled, InquiryClosed, InquiryOpened,
    JournalSealed, KeyRotated, LogContinued, NoticeAnswered, NoticeClosed, NoticeServed, OfferAccepted,
    OfferPublished, OfferWithdrawn, PayloadErased, PersonAdded, PersonRemoved, RequestAnswered,
    RequestLapsed, RequestMade, RequestWithdrawn, ReservationForm, ReservationRecorded, ReservationWithdrawn,
    ReservedSubject, Revocable, Signal, SigningKeyUse,
};
use kyodaku::domain::ids::{OrgId, PersonKind};
use kyodaku::domain::key::Sha256;
use kyodaku::domain::scope::{From, Scope, Until};

use super::Teller;
use super::deeds::{USES, holders_of};

impl Teller {
    /// Some that change no verdict, by those who could do them.
    pub(crate) fn idle_acts(&mut self) {
        let acts = match self.rng.below(3) {
            0 => self.opt_out().into_iter().collect(),
            1 => self.offer_and_request().unwrap_or_default(),
            _ => self.upkeep().unwrap_or_default(),
        };
        for (party, act) in acts {
            self.now_ms += 1;
            self.play(party, None, vec![act]);
        }
        self.under_another_name();
    }

    /// Seldom, the key of the log is lost, and the log goes on under another name.
    fn under_another_name(&mut self) {
        let size = self.history.index.size();
        let Some((_, from)) =
            self.history.index.latest().origins().last().filter(|_| size.is_multiple_of(16))
        else {
            return;
        };
        let (from, origin) = (from.to_owned(), format!("registry.example/acts-{size}"));
        self.now_ms += 1;
        let root = Sha256::of(b"root");
        let act = LogContinued { from, origin, size, root, gives_up: size.is_multiple_of(32) };
        self.play(self.cast.installation, None, vec![act.into()]);
    }

    fn opt_out(&mut self) -> Option<(OrgId, Act)> {
        let facts = self.history.facts();
        let known: Vec<_> = facts.reservations.iter().map(|(id, one)| (*id, one.recorder)).collect();
        if let Some((reservation, recorder)) = self.rng.pick(&known).filter(|_| self.rng.percent(30)) {
            return Some((recorder, ReservationWithdrawn { reservation }.into()));
        }
        let work = self.a_work()?;
        let key = self.key();
        let of_work = self.rng.percent(50);
        let forms = [ReservationForm::RobotsTxt, ReservationForm::Cawg, ReservationForm::Rsl];
        let act = ReservationRecorded {
            reservation: self.id(),
            subject: if of_work { ReservedSubject::Work(work) } else { ReservedSubject::Key(key) },
            form: self.rng.pick(&forms)?,
            signal: self.rng.pick(&[Signal::Reserve, Signal::Allow, Signal::Unclear])?,
            uses: Scope::Any,
            evidence: None,
        };
        let everybody = self.cast.all();
        Some((self.rng.pick(&everybody)?, act.into()))
    }

    fn offer_and_request(&mut self) -> Option<Vec<(OrgId, Act)>> {
        let work = self.a_work()?;
        let holder = holders_of(&self.history.facts(), work).first().copied()?;
        let developers = self.cast.developers.clone();
        let developer = self.rng.pick(&developers)?;
        let (offer, request, works) = (self.id(), self.id(), vec![work]);
        let (from, until) = (From::OnRecord, Until::Open);
        let published = OfferPublished {
            offer,
            works: works.clone(),
            uses: Scope::Any,
            developers: Scope::Any,
            territories: Scope::Any,
            from,
            until,
            revocable: Revocable::NoticeMs(0),
            conditions: vec![],
            terms: None,
        };
        let made = RequestMade {
            request,
            works,
            uses: Scope::only([USES[0]])?,
            models: Scope::Any,
            territories: Scope::Any,
            from,
            until,
            answer_by_ms: self.now() + 4,
        };
        let mut acts: Vec<(OrgId, Act)> = vec![
            (holder, published.into()),
            (developer, made.into()),
            (developer, OfferAccepted { offer, models: Scope::Any }.into()),
        ];
        if self.rng.percent(50) {
            acts.push((holder, RequestAnswered { request, answer: Answer::Granted }.into()));
            acts.push((developer, RequestWithdrawn { request }.into()));
        }
        acts.push((holder, OfferWithdrawn { offer }.into()));
        acts.push((self.cast.installation, RequestLapsed { request }.into()));
        Some(acts)
    }

    fn upkeep(&mut self) -> Option<Vec<(OrgId, Act)>> {
        let work = self.a_work()?;
        let facts = self.history.facts();
        let holder = holders_of(&facts, work).first().copied()?;
        let developers = self.cast.developers.clone();
        let developer = self.rng.pick(&developers)?;
        let models = facts.models.iter().filter(|(_, (owner, _))| *owner == developer);
        let models: Vec<_> = models.map(|(model, _)| *model).collect();
        let model = self.rng.pick(&models)?;
        let (notice, declaration, inquiry) = (self.id(), self.id(), self.id());
        let (manifest, uses) = (Sha256::of(b"list"), Scope::Any);
        let served = NoticeServed { notice, to: developer, works: vec![work], uses: uses.clone() };
        let declared = DeclarationMade { declaration, model, uses, manifest, items: 3 };
        let opened = InquiryOpened {
            inquiry,
            auditor: self.cast.auditor,
            works: Scope::Any,
            parties: Scope::Any,
            from: From::OnRecord,
            until: Until::Open,
            expires_ms: self.now() + 1_000,
        };
        let person = self.id();
        let verifier = |number: u128| format!("registry.example/acts+{number:08x}+AQ==");
        let rotated = KeyRotated {
            key_use: SigningKeyUse::ActLog,
            old: verifier(self.id::<PersonKind>().uuid().as_u128()),
            new: verifier(self.id::<PersonKind>().uuid().as_u128()),
        };
        let sealed = JournalSealed { journal: "registry.example/checks".into(), size: 1, root: manifest };
        Some(vec![
            (holder, served.into()),
            (developer, NoticeAnswered { notice }.into()),
            (holder, NoticeClosed { notice }.into()),
            (developer, declared.into()),
            (developer, DeclarationCorrected { declaration, manifest, items: 4 }.into()),
            (holder, DocumentFiled { document: self.id(), digest: manifest, entry: 0 }.into()),
            (self.cast.registrar, opened.into()),
            (self.cast.registrar, InquiryClosed { inquiry }.into()),
            (holder, PersonAdded { person, org: holder }.into()),
            (holder, PersonRemoved { person, org: holder }.into()),
            (self.cast.registrar, rotated.into()),
            (self.cast.registrar, PayloadErased { entry: 2 }.into()),
            (self.cast.installation, sealed.into()),
        ])
    }
}
