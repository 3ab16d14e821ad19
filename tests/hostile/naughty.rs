//! Texts that break careless programs: each is refused with a reason, or stored and told back byte for byte.

use serde_json::{Value, json};
use unicode_normalization::UnicodeNormalization;

use crate::world::actors::{Actor, Stage};
use crate::world::beside::lent;
use crate::world::client::Answer;
use crate::world::works::registration;
use crate::world::{World, both};

/// Texts that people may write.
const KEPT: &[&str] = &[
    // What other languages take for nothing, true or a number.
    "null",
    "NULL",
    "undefined",
    "nil",
    "None",
    "NaN",
    "Infinity",
    "-Infinity",
    "true",
    "false",
    "TRUE",
    "0",
    "-0",
    "00",
    "1e309",
    "1.0",
    "0x1F",
    "1,000",
    "1_000",
    "٣٤٥",
    "１２３",
    "½",
    "9007199254740993",
    "[object Object]",
    "{}",
    "[]",
    "()",
    "''",
    "\"\"",
    // What ends a text, or begins something else, in another language.
    "'",
    "\"",
    "`",
    "\\",
    "\\\\",
    "\\n",
    "\\u0000",
    "%00",
    "%",
    "%s%n%x",
    "{0}",
    "{{7*7}}",
    "${7*7}",
    "#{7*7}",
    "<%= 7*7 %>",
    "$(id)",
    "`id`",
    "; ls -la",
    "| cat",
    "&& true",
    "$HOME",
    "%PATH%",
    "~root",
    "!!",
    "*",
    "?",
    "--help",
    "-rf",
    "--",
    "'; DROP TABLE entries; --",
    "' OR '1'='1",
    "\" OR \"\"=\"",
    "1; SELECT pg_sleep(10)",
    "') UNION SELECT 1 --",
    "LIKE '%'",
    "_%",
    "\\%",
    "$1",
    "?1",
    ":name",
    "E'\\x00'",
    "/* */ 1",
    "x' AND 1=CAST('a' AS int) --",
    // Markup and scripts.
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "\"><b>",
    "</title>",
    "<!--",
    "-->",
    "]]>",
    "<![CDATA[x]]>",
    "&lt;",
    "&amp;amp;",
    "&#0;",
    "javascript:alert(1)",
    "data:text/html,x",
    "<?xml version=\"1.0\"?>",
    "<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]>",
    "[x](javascript:alert(1))",
    "=1+1",
    "+1",
    "-1",
    "@SUM(1)",
    "=cmd|' /C calc'!A0",
    // Places, protocols and log lines.
    "../../../etc/passwd",
    "..\\..\\windows",
    "/dev/null",
    "CON",
    "NUL",
    "file:///etc/passwd",
    "http://169.254.169.254/",
    "${jndi:ldap://x.example/a}",
    "() { :;}; echo",
    "GET / HTTP/1.1",
    "Set-Cookie: a=b",
    "level=ERROR forged",
    "{\"level\":\"ERROR\"}",
    "wrk_01h455vb4pex5vsknk084sn02q",
    "kyo_live_",
    // One's own script, several at once, and letters that are more than one.
    "星屑の図書館",
    "ｱｲｳｴｵ",
    "㍿星屑",
    "㌔㍉",
    "𠮷野家",
    "葛󠄀城",
    "辻󠄁",
    "髙﨑",
    "ヴ",
    "〆切",
    "々",
    "ー",
    "〜～",
    "「『』」",
    "許諾とライセンス № 7",
    "한국어",
    "繁體與简体",
    "Ελληνικά",
    "Кириллица",
    "ՀԱՅԵՐԵՆ",
    "ქართული",
    "हिन्दी",
    "தமிழ்",
    "ไทยที่",
    "မြန်မာ",
    "አማርኛ",
    "ᚠᚢᚦ",
    "𐍈",
    "𝕿𝖍𝖊",
    "Å",
    "Ω",
    "ﬁ",
    "ß",
    "ẞ",
    "İstanbul",
    "ıIiİ",
    "ǆ",
    "ŉ",
    "Ǉ",
    "Ṩ",
    "ὖ",
    "עברית",
    "العربية",
    "فارسی‌ها",
    "בְּרֵאשִׁית",
    "לֹא and no",
    "Zalgo: z̷̢͝a̴̛l̸g̵o̶",
    // Letters beyond the first plane, and what is joined of several.
    "😀",
    "👩‍🚀",
    "👨‍👩‍👧‍👦",
    "🏴󠁧󠁢󠁳󠁣󠁴󠁿",
    "🇯🇵",
    "🇯",
    "👍🏽",
    "❤️",
    "☠︎",
    "1️⃣",
    "👩‍❤️‍💋‍👨",
    "\u{10FFFD}",
    "\u{E000}",
    "\u{F8FF}",
    // What is hardly seen, and what only looks like something else.
    "a\u{200B}b",
    "a\u{200C}b",
    "a\u{200D}b",
    "a\u{2060}b",
    "a\u{00AD}b",
    "a\u{00A0}b",
    "a\u{3000}b",
    "\u{3164}",
    "a\u{FFFD}b",
    "a\u{FFFC}b",
    "a\u{034F}b",
    "\u{0301}",
    "раураl",
    "Ｋｙｏｄａｋｕ",
    "ⓚ",
    "a\u{180E}b",
    "\u{2800}",
    " leads",
    "trails ",
    "  two  between  ",
];

/// Texts that nobody may write, on one line or at all.
const REFUSED: &[&str] = &[
    "",
    " ",
    "\u{3000}\u{3000}",
    "\u{00A0}",
    "a\0b",
    "\0",
    "a\u{1}b",
    "a\u{7}b",
    "a\u{8}b",
    "a\u{B}b",
    "a\u{C}b",
    "a\rb",
    "a\u{1B}[31mb",
    "a\u{7F}b",
    "a\u{80}b",
    "a\u{85}b",
    "a\u{9F}b",
    "a\u{061C}b",
    "a\u{200E}b",
    "a\u{200F}b",
    "a\u{2028}b",
    "a\u{2029}b",
    "a\u{202A}b",
    "a\u{202B}b",
    "a\u{202C}b",
    "a\u{202D}b",
    "a\u{202E}b",
    "a\u{2066}b",
    "a\u{2067}b",
    "a\u{2068}b",
    "a\u{2069}b",
    "\u{FEFF}a",
    "a\u{FDD0}b",
    "a\u{FFFE}b",
    "a\u{FFFF}b",
    "a\u{1FFFF}b",
    "a\u{10FFFF}b",
];

/// The places in which one text stands, and how it is told back.
struct Places<'a> {
    stage: &'a Stage,
    holder: Actor,
    developer: Actor,
}

impl Places<'_> {
    async fn title(&self, text: &str) -> Answer {
        let mut body = registration("by its titles", &[&self.holder]);
        body["keys"] = json!([]);
        body["titles"] = json!([{ "text": text, "lang": "ja", "reading": text }]);
        self.holder.post("/v1/works", &body).await
    }

    async fn note(&self, text: &str) -> Answer {
        self.stage
            .registrar
            .post(&format!("/v1/organizations/{}/verify", self.developer.org), &json!({ "note": text }))
            .await
    }

    /// A title and its reading, as the record of the work tells them, and as a search does.
    async fn title_is_told(&self, text: &str) {
        let expected: String = text.nfc().collect();
        let made = self.title(text).await;
        assert_eq!(made.status, 201, "{text:?}: {made:?}");
        let work = made.json::<Value>()["work"].as_str().unwrap().to_owned();
        let told: Value = self.developer.get(&format!("/v1/works/{work}")).await.json();
        let title = &told["titles"][0];
        assert_eq!((&title["text"], &title["reading"]), (&json!(expected), &json!(expected)), "{text:?}");
        let asked: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let found = self.developer.get(&format!("/v1/works?limit=200&title={asked}")).await;
        assert_eq!(found.status, 200, "{text:?}: {found:?}");
        let found: Value = found.json();
        let mut items = found["items"].as_array().unwrap().iter();
        assert!(items.any(|item| item["work"] == work && item["found"] == expected), "{text:?} in {found}");
    }

    /// The names of a model, an organization, and a key.
    async fn names_are_told(&self, text: &str) {
        let expected: String = text.nfc().collect();
        let model = self.developer.model(text).await;
        let told: Value = self.developer.get(&format!("/v1/models/{model}")).await.json();
        assert_eq!(told["name"], expected, "{text:?}");
        let named = self.stage.registered(text, &["auditor"]).await;
        let told: Value = self.stage.registrar.get(&format!("/v1/organizations/{}", named.org)).await.json();
        assert_eq!(told["name"], expected, "{text:?}");
        let made = self.holder.post("/v1/keys", &json!({ "label": text, "scopes": ["read"] })).await;
        assert_eq!(made.status, 201, "{text:?}: {made:?}");
        let key = made.json::<Value>()["key"]["key"].clone();
        let told: Value = self.holder.get("/v1/keys?limit=200").await.json();
        let kept = told["items"].as_array().unwrap().iter().find(|item| item["key"] == key);
        assert_eq!(kept.expect("the key")["label"], expected, "{text:?}");
        // A person has two at most.
        assert_eq!(self.holder.delete(&format!("/v1/keys/{}", key.as_str().unwrap())).await.status, 200);
    }

    /// A note, as it is kept beside the log.
    async fn note_is_kept(&self, text: &str) {
        let expected: String = text.nfc().collect();
        let claim = self.stage.stranger().await;
        let path = format!("/v1/organizations/{}/suspend", claim.org);
        let answer = self.stage.registrar.post(&path, &json!({ "note": text })).await;
        assert_eq!(answer.status, 200, "{text:?}: {answer:?}");
        let kept = last_payload(self.stage).await;
        assert!(holds(&kept, &expected), "{text:?} in {kept}");
    }
}

/// What is kept beside the log for its last entry that has something.
async fn last_payload(stage: &Stage) -> Value {
    let text = "SELECT body FROM payloads ORDER BY idx DESC LIMIT 1";
    let body: String =
        lent!(stage.registry.db(), conn => sqlx::query_scalar(text).fetch_one(&mut conn).await.unwrap());
    serde_json::from_str(&body).unwrap()
}

fn holds(value: &Value, text: &str) -> bool {
    match value {
        Value::String(it) => it == text,
        Value::Array(items) => items.iter().any(|it| holds(it, text)),
        Value::Object(members) => members.values().any(|it| holds(it, text)),
        _ => false,
    }
}

both!(every_text_is_told_back_as_it_was, async |world: World| {
    let stage = world.stage().await;
    let (holder, developer) = (stage.holder("Hoshikuzu Press").await, stage.developer("Kasane Labs").await);
    let places = Places { stage: &stage, holder, developer };
    assert!(KEPT.len() >= 150, "{}", KEPT.len());
    for text in KEPT {
        places.title_is_told(text).await;
        places.names_are_told(text).await;
    }
    for text in KEPT.iter().copied().chain(["two\nlines", "a\tb", "\n a \n"]).step_by(7) {
        places.note_is_kept(text).await;
    }
});

both!(every_text_that_is_not_taken_is_refused_with_a_reason, async |world: World| {
    let stage = world.stage().await;
    let (holder, developer) = (stage.holder("Hoshikuzu Press").await, stage.developer("Kasane Labs").await);
    let places = Places { stage: &stage, holder, developer };
    let size = stage.log_size().await;
    for text in REFUSED {
        let answers = [
            (places.title(text).await, "/titles/0/text"),
            (places.developer.post("/v1/models", &json!({ "name": text })).await, "/name"),
            (places.holder.post("/v1/keys", &json!({ "label": text, "scopes": ["read"] })).await, "/label"),
            (places.note(text).await, "/note"),
        ];
        for (answer, place) in answers {
            assert_eq!(answer.status, 422, "{text:?} at {place}: {answer:?}");
            let told: Value = answer.json();
            let errors = told["errors"].as_array().unwrap();
            let why = errors
                .iter()
                .find(|error| error["pointer"] == place)
                .unwrap_or_else(|| panic!("{place} in {told}"));
            let detail = why["detail"].as_str().unwrap();
            assert!(detail.contains("must not"), "{text:?} at {place}: {detail}");
            // What is refused is named by its number, and not repeated.
            assert!(
                text.trim().is_empty() || !String::from_utf8_lossy(&answer.body).contains(text),
                "{text:?}: {answer:?}"
            );
        }
    }
    assert_eq!(stage.log_size().await, size);
});
