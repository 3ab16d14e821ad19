//! Receipts for JOSE libraries.

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use kyodaku::log::merkle::{Hash, leaf_hash};
use kyodaku::log::receipt::signed::{self, JwsError, key_id};
use serde_json::{Value, json};

use super::Answered;
use crate::world::actors::Actor;
use crate::world::{World, both};

async fn jws(it: &Answered, by: &Actor) -> String {
    let answer = by.get(&it.path("receipt.jws")).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["content-type"]),
        (200, &"application/jose".parse().unwrap())
    );
    String::from_utf8(answer.body.to_vec()).unwrap()
}

pub(super) async fn public_keys(it: &Answered) -> Vec<[u8; 32]> {
    let set: Value = it.scene.stage.nobody.get("/receipts/jwks").await.json();
    let key = |key: &Value| {
        BASE64URL_NOPAD.decode(key["x"].as_str().unwrap().as_bytes()).unwrap().try_into().unwrap()
    };
    set["keys"].as_array().unwrap().iter().map(key).collect()
}

/// As another library reads it.
fn by_jsonwebtoken(jws: &str, key: &[u8; 32]) -> Value {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    jsonwebtoken::decode::<Value>(jws, &DecodingKey::from_ed_der(key), &validation).unwrap().claims
}

both!(an_ordinary_library_reads_a_signed_receipt, async |world: World| {
    let it = Answered::open(&world).await;
    let (text, keys) = (jws(&it, &it.scene.developer).await, public_keys(&it).await);
    let header = jsonwebtoken::decode_header(&text).unwrap();
    assert_eq!((header.typ.as_deref(), header.kid), (Some(signed::TYP), Some(key_id(&keys[0]))));
    let claims = by_jsonwebtoken(&text, &keys[0]);
    assert_eq!(claims["sub"], json!(it.scene.developer.org));
    assert_eq!(claims["jti"], it.told["check"]);
    assert_eq!(claims["journal"]["origin"], it.told["journal"]["origin"]);
    assert_eq!(claims["entry"]["log_size"], it.told["log_size"]);
    let statement = signed::verify(&text, &keys).unwrap();
    let entry = statement.entry.unwrap();
    assert_eq!(statement.journal.leaf, leaf_hash(entry.get().as_bytes()));
    assert_eq!(entry.get(), it.receipt(&it.auditor).await.0.journal.entry);
    // It says the same to whoever sees all of it.
    assert_eq!(jws(&it, &it.auditor).await, text);
});

both!(a_holder_has_a_signed_word_of_what_was_asked_about_its_works, async |world: World| {
    let it = Answered::open(&world).await;
    let (text, keys) = (jws(&it, &it.scene.holder).await, public_keys(&it).await);
    let statement = signed::verify(&text, &keys).unwrap();
    assert!(statement.entry.is_none());
    let works = statement.works.unwrap();
    // It holds all that the check matched, so it is told what was answered.
    assert_eq!(works.iter().filter(|row| row.permitted == Some(true)).count(), 1);
    assert_eq!((works.len(), works.iter().filter(|row| row.permitted == Some(false)).count()), (2, 1));
    let claims = by_jsonwebtoken(&text, &keys[0]);
    let leaf: Hash = claims["journal"]["leaf"].as_str().unwrap().parse().unwrap();
    assert_eq!(leaf, leaf_hash(it.receipt(&it.auditor).await.0.journal.entry.as_bytes()));
});

both!(what_no_key_of_receipts_signed_is_no_receipt, async |world: World| {
    let it = Answered::open(&world).await;
    let (text, keys) = (jws(&it, &it.scene.developer).await, public_keys(&it).await);
    signed::verify(&text, &keys).unwrap();
    let (header, rest) = text.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    let own: Value = serde_json::from_slice(&BASE64URL_NOPAD.decode(header.as_bytes()).unwrap()).unwrap();
    let with = |name: &str, value: Value| {
        let mut header = own.clone();
        header[name] = value;
        let header = BASE64URL_NOPAD.encode(&serde_json::to_vec(&header).unwrap());
        signed::verify(&format!("{header}.{payload}.{signature}"), &keys).unwrap_err()
    };
    for alg in ["none", "HS256", "ES256", "Ed25519"] {
        assert!(matches!(with("alg", json!(alg)), JwsError::Header(_)), "{alg}");
    }
    assert!(matches!(with("crit", json!(["b64"])), JwsError::Header(_)));
    assert!(matches!(with("jwk", json!({})), JwsError::Header(_)));
    assert_eq!(with("typ", json!("at+jwt")), JwsError::Signature);
    assert_eq!(with("kid", json!("0011223344556677")), JwsError::NoKey("0011223344556677".to_owned()));
    // The public key as a secret of HMAC.
    let hmac = jsonwebtoken::encode(
        &jsonwebtoken::Header { kid: Some(key_id(&keys[0])), ..jsonwebtoken::Header::default() },
        &by_jsonwebtoken(&text, &keys[0]),
        &jsonwebtoken::EncodingKey::from_secret(&keys[0]),
    );
    assert!(matches!(signed::verify(&hmac.unwrap(), &keys), Err(JwsError::Header(_))));
    // An access token of the same registry, each part alone, and every byte altered.
    for bad in [
        String::new(),
        "..".to_owned(),
        format!("{header}.{payload}."),
        format!("{header}.{payload}"),
        format!("{text}="),
    ] {
        signed::verify(&bad, &keys).unwrap_err();
    }
    for at in 0..text.len() {
        let mut altered = text.clone().into_bytes();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        // The last character of base64 may hold bits that say nothing; the reader refuses those.
        signed::verify(&altered, &keys).expect_err(&altered);
    }
    assert_eq!(signed::verify(&text, &[]).unwrap_err(), JwsError::NoKey(key_id(&keys[0])));
});

both!(what_a_statement_says_is_what_its_entry_says, async |world: World| {
    let it = Answered::open(&world).await;
    let (text, keys) = (jws(&it, &it.scene.developer).await, public_keys(&it).await);
    let signer = signed::ReceiptSigner::from_seed(&[7; 32]);
    let with = |alter: &dyn Fn(&mut signed::Statement)| {
        let mut statement = signed::verify(&text, &keys).unwrap();
        alter(&mut statement);
        signed::verify(&signer.sign(signed::TYP, &statement).unwrap(), &[signer.public()])
    };
    assert!(with(&|_| ()).is_ok());
    let names = |alter: &dyn Fn(&mut signed::Statement), part: &str| {
        let refused = with(alter).unwrap_err();
        assert!(refused.to_string().contains(part), "{refused}");
    };
    names(&|it| it.iss = "other.example/log".to_owned(), "the issuer");
    names(&|it| it.journal.origin = "other.example/log/checks/a".to_owned(), "the issuer");
    names(&|it| it.journal.leaf = leaf_hash(b"x"), "the leaf hash");
    names(&|it| it.jti = "chk_01h455vb4pex5vsknk084sn02q".to_owned(), "the check");
    names(&|statement| statement.sub = it.scene.competitor.org.parse().unwrap(), "the developer");
    names(&|it| it.iat += 1, "the moment");
    names(&|it| it.works = Some(Vec::new()), "its members");
    names(&|it| it.entry = None, "its members");
});

both!(what_is_stated_of_own_works_is_as_a_registry_states_it, async |world: World| {
    let it = Answered::open(&world).await;
    let (text, keys) = (jws(&it, &it.scene.holder).await, public_keys(&it).await);
    let signer = signed::ReceiptSigner::from_seed(&[7; 32]);
    let stated = signed::verify(&text, &keys).unwrap();
    let with = |alter: &dyn Fn(&mut signed::Statement)| {
        let mut statement = stated.clone();
        alter(&mut statement);
        signed::verify(&signer.sign(signed::WORKS_TYP, &statement).unwrap(), &[signer.public()])
    };
    assert!(with(&|_| ()).is_ok());
    let names = |alter: &dyn Fn(&mut signed::Statement), part: &str| {
        let refused = with(alter).unwrap_err();
        assert!(refused.to_string().contains(part), "{refused}");
    };
    names(&|it| it.iss = "other.example/log".to_owned(), "the issuer");
    names(&|it| it.jti = "chk_x".to_owned(), "the check");
    names(&|it| it.works.as_mut().unwrap().clear(), "the list of works");
    names(&|it| it.works.as_mut().unwrap().reverse(), "the list of works");
    names(&|it| it.works.as_mut().unwrap()[0].uses.clear(), "the uses of a work");
    names(&|it| it.works.as_mut().unwrap()[0].permitted = None, "what was answered about a work");
    names(&|it| it.works = None, "its members");
    // As told of a check of which something else is recorded.
    let recorded = it.receipt(&it.auditor).await.0.journal;
    let is_of = |statement: &signed::Statement, entry: &str| {
        let mut statement = statement.clone();
        statement.journal.leaf = leaf_hash(entry.as_bytes());
        statement.is_of_entry(&recorded.origin, recorded.index, entry)
    };
    assert_eq!(is_of(&stated, &recorded.entry), Ok(()));
    let none = recorded.entry.replace("\"permitted\":1", "\"permitted\":0");
    assert_ne!(none, recorded.entry);
    assert_eq!(is_of(&stated, &none), Err("what was answered about a work"));
    let all = recorded.entry.replace("\"permitted\":1", "\"permitted\":3");
    assert_eq!(is_of(&stated, &all), Err("what was answered about a work"));
});
