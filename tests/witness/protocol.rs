//! `add-checkpoint` and the retrieval of checkpoints, answer by answer as C2SP `tlog-witness` has them.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use data_encoding::{BASE64, HEXLOWER};
use kyodaku::http::witness::{limits, router};
use kyodaku::log::checkpoint::{Checkpoint, CheckpointSigner};
use kyodaku::log::digest::sha256;
use kyodaku::log::merkle::{Hash, TreeHead, leaf_hash};
use kyodaku::log::proof::{consistency_tiles, prove_consistency};
use kyodaku::log::tile::{TileBuilder, TileSet, TileWrite};
use kyodaku::registry::witness::MAX_REQUEST_BYTES;
use kyodaku::store::witnessed;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::ServiceExt;

use super::{cosigner, witness};
use crate::world::{START_MS, World, both};

const ORIGIN: &str = "log.example/acts";

/// A log whose entries bear this mark: another mark, another history.
struct Log {
    signer: CheckpointSigner,
    mark: &'static str,
}

impl Log {
    fn new(mark: &'static str) -> Self {
        Self { signer: CheckpointSigner::from_seed(ORIGIN, &[0x5a; 32]).unwrap(), mark }
    }

    fn tree(&self, size: u64) -> (TreeHead, Vec<TileWrite>) {
        let leaves: Vec<Hash> =
            (0..size).map(|at| leaf_hash(format!("{} {at}", self.mark).as_bytes())).collect();
        let mut builder = TileBuilder::new();
        let writes = builder.append(&leaves);
        (builder.head(), writes)
    }

    fn note(&self, size: u64) -> String {
        self.signer.sign(&Checkpoint::new(ORIGIN, self.tree(size).0)).unwrap()
    }

    fn proof(&self, old: u64, new: u64) -> String {
        let mut tiles = TileSet::new();
        for write in self.tree(new).1 {
            tiles.insert(write.id, write.data);
        }
        assert!(consistency_tiles(old, new).is_ok());
        let proof = prove_consistency(&tiles, old, new).unwrap();
        let lines: Vec<String> = proof.iter().map(|hash| BASE64.encode(&hash.0) + "\n").collect();
        lines.concat()
    }

    fn request(&self, old: u64, new: u64) -> String {
        format!("old {old}\n{}\n{}", self.proof(old, new), self.note(new))
    }
}

/// An answer: status, content type, body.
async fn post(router: &Router, body: impl Into<Body>) -> (StatusCode, String, String) {
    send(router, Request::post("/add-checkpoint").body(body.into()).unwrap()).await
}

async fn send(router: &Router, request: Request<Body>) -> (StatusCode, String, String) {
    let answer = router.clone().oneshot(request).await.unwrap();
    let kind = answer.headers().get("content-type").map_or("", |kind| kind.to_str().unwrap()).to_owned();
    let status = answer.status();
    let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    (status, kind, String::from_utf8(body.to_vec()).unwrap())
}

/// A router of a witness of [`Log`], on a database of the world.
async fn opened(world: &World) -> Router {
    let keys = [Log::new("").signer.verifier_key().clone()];
    router(witness(world.db().await, keys, world.clock.clone()))
}

both!(a_log_that_grows_is_cosigned_and_told, async |world: World| {
    let (router, log) = (opened(&world).await, Log::new("a"));
    let path = format!("/{}/checkpoint", HEXLOWER.encode(sha256(ORIGIN.as_bytes()).as_bytes()));
    let told = async || send(&router, Request::get(&path).body(Body::empty()).unwrap()).await;
    assert_eq!(told().await.0, 404);
    let mut old = 0;
    // The same size once more is cosigned once more.
    for new in [0, 0, 3, 3, 8, 300] {
        let (status, kind, line) = post(&router, log.request(old, new)).await;
        assert_eq!(
            (status.as_u16(), kind.as_str()),
            (200, "text/plain; charset=utf-8"),
            "{old} to {new}: {line}"
        );
        let found = cosigner().public().find(log.note(new).as_bytes(), &line).unwrap();
        assert_eq!(found, (line.clone(), u64::try_from(START_MS / 1_000).unwrap()));
        assert_eq!(told().await.2, format!("{}{line}", log.note(new)));
        old = new;
    }
    let elsewhere = format!("/{}/checkpoint", "0".repeat(64));
    assert_eq!(send(&router, Request::get(elsewhere).body(Body::empty()).unwrap()).await.0, 404);
    assert_eq!(send(&router, Request::get("/add-checkpoint").body(Body::empty()).unwrap()).await.0, 405);
});

both!(each_reason_not_to_cosign_has_its_answer, async |world: World| {
    let (router, log, other) = (opened(&world).await, Log::new("a"), Log::new("b"));
    assert_eq!(post(&router, log.request(0, 5)).await.0, 200);
    let stranger = CheckpointSigner::from_seed("log.example/other", &[1; 32]).unwrap();
    let unknown = stranger.sign(&Checkpoint::new("log.example/other", log.tree(6).0)).unwrap();
    let forger = CheckpointSigner::from_seed(ORIGIN, &[1; 32]).unwrap();
    let forged = forger.sign(&Checkpoint::new(ORIGIN, log.tree(6).0)).unwrap();
    let good = log.note(6);
    let altered = good.replacen("\n6\n", "\n7\n", 1);
    let lines = |note: &str| note.split_once("\n\n").unwrap().1.to_owned();
    let with_false = format!("{good}{}", lines(&log.note(7)));
    let with_other = format!("{good}{}", lines(&unknown));
    let proof = log.proof(5, 6);
    let cases = [
        ("unknown origin", format!("old 5\n{proof}\n{unknown}"), 404),
        ("another key of that name", format!("old 5\n{proof}\n{forged}"), 403),
        ("altered after it was signed", format!("old 5\n{proof}\n{altered}"), 403),
        ("one of two signatures is false", format!("old 5\n{proof}\n{with_false}"), 403),
        ("an old size beyond the new one", format!("old 7\n\n{good}"), 400),
        ("a smaller old size", log.request(4, 6), 409),
        ("no old size", log.request(0, 6), 409),
        ("a larger old size", log.request(6, 6), 409),
        ("a smaller new size", format!("old 3\n\n{}", log.note(3)), 409),
        ("no proof", format!("old 5\n\n{good}"), 422),
        ("the proof of another log", format!("old 5\n{}\n{good}", other.proof(5, 6)), 422),
        ("another history", format!("old 5\n{}\n{}", other.proof(5, 6), other.note(6)), 422),
        ("another history of that size", format!("old 5\n\n{}", other.note(5)), 422),
        ("a proof that is not needed", format!("old 5\n{proof}\n{}", log.note(5)), 422),
        ("a line too many", format!("old 5\n{proof}{}\n\n{good}", BASE64.encode(&[0; 32])), 422),
        ("nothing", String::new(), 400),
        ("no empty line", format!("old 5\n{proof}"), 400),
        ("no old line", format!("{proof}\n{good}"), 400),
        ("an old size with a zero before it", format!("old 05\n{proof}\n{good}"), 400),
        ("an old size with a sign", format!("old +5\n{proof}\n{good}"), 400),
        ("an old size with a blank", format!("old  5\n{proof}\n{good}"), 400),
        ("an old size beyond 2^53", format!("old 9007199254740993\n{proof}\n{good}"), 400),
        ("a proof of other letters", format!("old 5\n!\n\n{good}"), 400),
        ("a proof of other lengths", format!("old 5\nAAAA\n\n{good}"), 400),
        ("64 lines", format!("old 5\n{}\n{good}", format!("{}\n", BASE64.encode(&[0; 32])).repeat(64)), 400),
        ("no signature", format!("old 5\n{proof}\n{ORIGIN}\n6\n"), 400),
        ("carriage returns", log.request(5, 6).replace('\n', "\r\n"), 400),
        ("a last line that does not end", log.request(5, 6).trim_end().to_owned(), 400),
    ];
    for (what, body, expected) in cases {
        let (status, kind, answer) = post(&router, body).await;
        assert_eq!(status.as_u16(), expected, "{what}: {answer}");
        if expected == 409 {
            assert_eq!((kind.as_str(), answer.as_str()), ("text/x.tlog.size", "5\n"), "{what}");
        } else {
            assert!(!answer.contains('\u{2014}'), "{what}: {answer}");
        }
    }
    assert_eq!(post(&router, vec![0xff; 100]).await.0, 400);
    assert_eq!(post(&router, vec![b'x'; 1 << 20]).await.0, 413);
    // Signatures of others are no reason, and nothing of all that moved the state.
    assert_eq!(post(&router, format!("old 5\n{proof}\n{with_other}")).await.0, 200);
    let kept = witnessed::read(&world.db().await, ORIGIN).await.unwrap().unwrap();
    assert_eq!(kept.tree.size, 6);
    assert!(!kept.note.contains("log.example/other"), "what others signed is not passed on: {}", kept.note);
});

/// The longest request that the protocol needs: a whole proof, and a checkpoint with a hundred signatures by keys with long names.
fn longest(log: &Log) -> String {
    let proof = format!("{}\n", BASE64.encode(&[0; 32])).repeat(63);
    let mut note = log.note(6);
    for number in 0..99 {
        let name = format!("witness-{number:02}.transparency.example/a-long-name");
        let other = CheckpointSigner::from_seed(&name, &[1; 32]).unwrap();
        let signed = other.sign(&Checkpoint::new(name, log.tree(6).0)).unwrap();
        note.push_str(signed.split_once("\n\n").unwrap().1);
    }
    format!("old 9007199254740992\n{proof}\n{note}")
}

both!(no_more_is_held_for_anybody_than_a_request_can_need, async |world: World| {
    let (router, log) = (opened(&world).await, Log::new("a"));
    assert!(MAX_REQUEST_BYTES * usize::try_from(limits().streams).unwrap() < 128 * 1024);
    let longest = longest(&log);
    let (status, _, answer) = post(&router, longest.clone()).await;
    assert_eq!((status.as_u16(), answer.as_str()), (400, "the old size is beyond that of the checkpoint\n"));
    let fits = longest.clone() + &"x".repeat(MAX_REQUEST_BYTES - longest.len());
    assert_eq!(post(&router, fits.clone()).await.0, 400);
    assert_eq!(post(&router, fits + "x").await.0, 413);
    // One that says that it is longer is answered before anything of it comes, and one that never ends as soon as it is too long.
    let url = crate::witness::serve(router).await;
    let address = url.strip_prefix("http://").unwrap();
    let head = "POST /add-checkpoint HTTP/1.1\r\nHost: a\r\n";
    let part = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    for rest in [
        format!("Content-Length: {}\r\n\r\n", 256 * 1024),
        format!("Transfer-Encoding: chunked\r\n\r\n{part}{part}"),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("{head}{rest}").as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 413");
    }
});

both!(of_two_keys_of_a_log_either_is_enough_and_neither_may_be_false, async |world: World| {
    let log = Log::new("a");
    let second = CheckpointSigner::from_seed(ORIGIN, &[0x33; 32]).unwrap();
    let keys = [log.signer.verifier_key().clone(), second.verifier_key().clone()];
    let router = router(witness(world.db().await, keys, world.clock.clone()));
    let by_second = |size| second.sign(&Checkpoint::new(ORIGIN, log.tree(size).0)).unwrap();
    let lines = |note: &str| note.split_once("\n\n").unwrap().1.to_owned();
    let with_false = format!("{}{}", log.note(5), lines(&by_second(6)));
    assert_eq!(post(&router, format!("old 0\n\n{with_false}")).await.0, 403);
    assert_eq!(post(&router, format!("old 0\n\n{}", by_second(5))).await.0, 200);
    let both = format!("{}{}", log.note(6), lines(&by_second(6)));
    assert_eq!(post(&router, format!("old 5\n{}\n{both}", log.proof(5, 6))).await.0, 200);
    assert_eq!(post(&router, log.request(6, 8)).await.0, 200);
});

/// `signed_note` signs what our own signer refuses: a checkpoint of nothing with the root of something.
#[test]
fn the_empty_log_has_one_root() {
    crate::world::run(kyodaku::store::Engine::Sqlite, async |world: World| {
        let log = Log::new("a");
        let secret = BASE64.encode(&[&[1_u8][..], &[0x5a; 32]].concat());
        let id = log.signer.verifier_key().id();
        let key =
            signed_note::StandardSigner::new(&format!("PRIVATE+KEY+{ORIGIN}+{id:08x}+{secret}")).unwrap();
        let text = format!("{ORIGIN}\n0\n{}\n", BASE64.encode(&[7; 32]));
        let mut note = signed_note::Note::new(text.as_bytes(), &[]).unwrap();
        note.add_sigs(&[&key]).unwrap();
        let note = String::from_utf8(note.to_bytes()).unwrap();
        let router = opened(&world).await;
        assert_eq!(post(&router, format!("old 0\n\n{note}")).await.0, 422);
        assert_eq!(post(&router, log.request(0, 0)).await.0, 200);
    });
}

both!(of_two_histories_at_once_exactly_one_is_cosigned, async |world: World| {
    let (one, other) = (Log::new("a"), Log::new("b"));
    for begun in [0, 4] {
        for round in 0..8 {
            let size = 10 + round;
            let world = World::new(world.engine).await;
            // Two processes with one state.
            let (left, right) = (opened(&world).await, opened(&world).await);
            if begun > 0 {
                // A past that both histories share: nothing differs before the next entry.
                assert_eq!(post(&left, one.request(0, begun)).await.0, 200);
                let again = post(&right, one.request(begun, begun)).await;
                assert_eq!(again.0, 200);
            }
            let rival = if begun > 0 { one.request(begun, size + 1) } else { other.request(0, size) };
            let (a, b) = tokio::join!(
                tokio::spawn({
                    let body = one.request(begun, size);
                    async move { post(&left, body).await }
                }),
                tokio::spawn(async move { post(&right, rival).await }),
            );
            let (a, b) = (a.unwrap(), b.unwrap());
            let mut statuses = [a.0.as_u16(), b.0.as_u16()];
            statuses.sort_unstable();
            assert_eq!(statuses, [200, 409], "{a:?} {b:?}");
            let kept = witnessed::read(&world.db().await, ORIGIN).await.unwrap().unwrap();
            let won = if a.0 == 200 {
                one.tree(size).0
            } else if begun > 0 {
                one.tree(size + 1).0
            } else {
                other.tree(size).0
            };
            assert_eq!(kept.tree, won);
            let lost = if a.0 == 409 { a } else { b };
            assert_eq!(lost.2, format!("{}\n", won.size));
        }
    }
});
