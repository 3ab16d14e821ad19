//! R2: a list of holders counts once each of them declared it, whoever registered the work and in whatever order it lists them.

use kyodaku::domain::act::{Holding, LayersDeclared, RosterDeclared, WorkKind, WorkRegistered};
use kyodaku::domain::ids::WorkId;
use kyodaku::domain::key::{SubjectKey, WorkKey, WorkTag};
use kyodaku::domain::question::Question;
use kyodaku::domain::uses::Use;
use smallvec::smallvec;

use super::compare::{Asked, disagreement};
use super::generate::Teller;

#[test]
fn who_registers_a_work_declares_for_itself_alone() {
    for listed in [vec![1, 0], vec![0, 1], vec![0, 1, 2], vec![2, 1, 0]] {
        let mut teller = Teller::opened(47);
        let registrant = teller.cast.holders[0];
        let work: WorkId = teller.id();
        let holders = listed.iter().map(|number| teller.cast.holders[*number]).collect::<Vec<_>>();
        let registered = WorkRegistered {
            work,
            kind: WorkKind::Music,
            holders: holders.iter().map(|holder| Holding { holding: teller.id(), holder: *holder }).collect(),
            roster_complete: true,
            layers: vec![],
            layers_complete: true,
            part_of: vec![],
            bindings: vec![],
        };
        assert!(teller.play(registrant, None, vec![registered.into()]));
        teller.confirm(work);
        let permitted = |teller: &Teller| {
            let question = Question {
                developer: teller.cast.developers[0],
                model: None,
                uses: smallvec![Use::Search],
                territory: None,
                subject: smallvec![SubjectKey::Work(WorkKey { r#type: WorkTag::Work, id: work })],
                with_parts: false,
            };
            let asked = Asked { size: teller.history.size(), moment: teller.now(), question };
            assert_eq!(disagreement(&teller.history, &asked), None, "{listed:?}");
            asked.is_permitted(&teller.history.index)
        };
        for holder in &holders {
            let grant = teller.grant(work, true);
            assert!(teller.play(*holder, None, vec![grant]), "{listed:?}");
        }
        for holder in holders.iter().filter(|holder| **holder != registrant) {
            assert!(!permitted(&teller), "{listed:?}: not all have declared the lists");
            assert!(teller.play(*holder, None, vec![RosterDeclared { work }.into()]));
            assert!(!permitted(&teller), "{listed:?}: not all have declared the layers");
            assert!(teller.play(*holder, None, vec![LayersDeclared { work }.into()]));
        }
        assert!(permitted(&teller), "{listed:?}");
    }
}
