//! The story: what happens in each scene, and what is asked at its end. All names are invented.

use crate::domain::explain::Lang;

/// A text in both languages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Both {
    pub(super) en: &'static str,
    pub(super) ja: &'static str,
}

impl Both {
    pub(super) const fn told(self, lang: Lang) -> &'static str {
        match lang {
            Lang::En => self.en,
            Lang::Ja => self.ja,
        }
    }
}

/// Who asks for what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    /// The developer, by its name in the notes.
    pub(super) who: &'static str,
    /// The address that is asked for.
    pub(super) url: &'static str,
}

/// A scene.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene {
    /// Its name in the notes.
    pub(super) name: &'static str,
    pub(super) title: Both,
    pub(super) told: Both,
    pub(super) ask: Ask,
}

/// The organizations: name in the notes, name, role.
pub(super) const ORGS: &[(&str, &str, &str)] = &[
    ("sakura", "Sakura Frame（桜フレーム）", "rights_holder"),
    ("hoshikuzu", "Hoshikuzu Press（星屑出版）", "rights_holder"),
    ("tsukimi", "Tsukimi Film（月見フィルム）", "rights_holder"),
    ("kazaguruma", "Kazaguruma Music（風車音楽）", "rights_holder"),
    ("minato", "Minato Broadcasting（みなと放送）", "rights_holder"),
    ("toro", "Toro Writers（灯籠文芸）", "rights_holder"),
    ("lantern", "Lantern Authors' Association（灯籠作家協会）", "association"),
    ("nimbus", "Nimbus Lab", "ai_developer"),
    ("kumo", "Kumo Systems", "ai_developer"),
    ("review", "Office of Review（監査室）", "auditor"),
];

/// The members of the production committee.
pub(super) const COMMITTEE: [&str; 5] = ["sakura", "hoshikuzu", "tsukimi", "kazaguruma", "minato"];

pub(super) const ANIME: &str = "https://hoshikuzu.example/animation";
pub(super) const MUSIC: &str = "https://kazaguruma.example/night-train";
pub(super) const NOVEL: &str = "https://toro.example/garden";

/// A work: its name in the notes, kind, title, English title, address, who registers it, its layers.
#[derive(Clone, Copy, Debug)]
pub(super) struct WorkTold {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    pub(super) title: &'static str,
    pub(super) english: &'static str,
    pub(super) url: &'static str,
    pub(super) holders: &'static [&'static str],
    pub(super) layers: &'static [&'static str],
    pub(super) part_of: &'static [&'static str],
}

pub(super) const WORKS: &[WorkTold] = &[
    WorkTold {
        name: "franchise",
        kind: "franchise",
        title: "星屑の図書館",
        english: "The Library of Stardust",
        url: "https://hoshikuzu.example/",
        holders: &["hoshikuzu"],
        layers: &[],
        part_of: &[],
    },
    WorkTold {
        name: "manga",
        kind: "comic",
        title: "星屑の図書館（漫画）",
        english: "The Library of Stardust (manga)",
        url: "https://hoshikuzu.example/manga",
        holders: &["hoshikuzu"],
        layers: &[],
        part_of: &["franchise"],
    },
    WorkTold {
        name: "character",
        kind: "character",
        title: "司書アカリ",
        english: "Akari the librarian",
        url: "https://hoshikuzu.example/akari",
        holders: &["hoshikuzu"],
        layers: &[],
        part_of: &["franchise"],
    },
    WorkTold {
        name: "music",
        kind: "music",
        title: "夜汽車の歌",
        english: "Song of the Night Train",
        url: MUSIC,
        holders: &["kazaguruma"],
        layers: &[],
        part_of: &[],
    },
    WorkTold {
        name: "anime",
        kind: "audiovisual",
        title: "星屑の図書館 THE ANIMATION",
        english: "The Library of Stardust: The Animation",
        url: ANIME,
        holders: &COMMITTEE,
        layers: &["manga", "character", "music"],
        part_of: &[],
    },
    WorkTold {
        name: "novel",
        kind: "text",
        title: "灯籠の庭",
        english: "The Garden of Lanterns",
        url: NOVEL,
        holders: &["toro"],
        layers: &[],
        part_of: &[],
    },
];

/// The opt-outs of the second scene, by form.
pub(super) const OPT_OUTS: [&str; 4] = ["robots_txt", "tdmrep", "aipref", "notice"];

pub(super) const SCENES: &[Scene] = &[
    Scene {
        name: "unknown",
        title: Both { en: "Nothing is on record", ja: "記録がない" },
        told: Both {
            en: "Nimbus Lab asks before use. Nobody has registered this address: that is not permission.",
            ja: "Nimbus Lab は利用の前に照会します。このアドレスは誰も登録していません。記録がないことは許諾ではありません。",
        },
        ask: Ask { who: "nimbus", url: "https://nobody.example/picture" },
    },
    Scene {
        name: "registered",
        title: Both {
            en: "Registered and confirmed, and nobody has granted",
            ja: "登録・確認済み、許諾なし",
        },
        told: Both {
            en: "An animation of a production committee of five is on record, with the manga, the character and the music \
                 that it incorporates; the registrar, with two persons, has confirmed who holds what.",
            ja: "5社の製作委員会によるアニメが、取り込まれている漫画・キャラクター・音楽とともに登録され、登録機関の2名が権利者を確認しました。",
        },
        ask: Ask { who: "nimbus", url: ANIME },
    },
    Scene {
        name: "opted_out",
        title: Both {
            en: "Opted out: refused, for the same reason",
            ja: "オプトアウトあり：同じ理由で不許諾",
        },
        told: Both {
            en: "Opt-outs are recorded: robots.txt, TDMRep, AIPREF, a letter. They are noted as evidence and change no verdict.",
            ja: "robots.txt、TDMRep、AIPREF、書面によるオプトアウトが記録されました。証拠として注記されますが、判定は変わりません。",
        },
        ask: Ask { who: "nimbus", url: ANIME },
    },
    Scene {
        name: "withdrawn",
        title: Both {
            en: "The opt-outs are withdrawn: still refused", ja: "オプトアウトの撤回：なお不許諾"
        },
        told: Both {
            en: "All of them are taken back. The absence of an opt-out is not consent.",
            ja: "すべて撤回されました。オプトアウトがないことは許諾ではありません。",
        },
        ask: Ask { who: "nimbus", url: ANIME },
    },
    Scene {
        name: "half",
        title: Both { en: "Four of five have granted", ja: "5社のうち4社が許諾" },
        told: Both {
            en: "Four members of the committee grant Nimbus Lab training on the animation. Every holder must.",
            ja: "委員会の4社が Nimbus Lab に学習を許諾しました。すべての権利者の許諾が必要です。",
        },
        ask: Ask { who: "nimbus", url: ANIME },
    },
    Scene {
        name: "layer",
        title: Both {
            en: "All five have granted, one layer has not",
            ja: "5社すべてが許諾、取り込まれた音楽は未許諾",
        },
        told: Both {
            en: "The fifth member grants too, and the publisher grants the manga and the character. The music in it is not granted.",
            ja: "5社目も許諾し、出版社が漫画とキャラクターを許諾しました。音楽はまだ許諾されていません。",
        },
        ask: Ask { who: "nimbus", url: ANIME },
    },
    Scene {
        name: "granted",
        title: Both { en: "Granted whole: permitted", ja: "すべて許諾：許諾あり" },
        told: Both {
            en: "The music is granted, but only as a layer of this animation.",
            ja: "音楽が、このアニメの構成要素としてのみ許諾されました。",
        },
        ask: Ask { who: "nimbus", url: ANIME },
    },
    Scene {
        name: "alone",
        title: Both { en: "The music alone is still refused", ja: "音楽単体はなお不許諾" },
        told: Both {
            en: "What is granted as a layer does not count by itself.",
            ja: "構成要素としての許諾は、単体の利用には及びません。",
        },
        ask: Ask { who: "nimbus", url: MUSIC },
    },
    Scene {
        name: "competitor",
        title: Both { en: "Another developer is not covered", ja: "別の事業者には及ばない" },
        told: Both {
            en: "Kumo Systems asks for the same animation. It is told that it has no grant, and not who has one.",
            ja: "Kumo Systems が同じアニメを照会します。許諾がないことだけが伝えられ、誰が許諾を得ているかは伝えられません。",
        },
        ask: Ask { who: "kumo", url: ANIME },
    },
    Scene {
        name: "agent",
        title: Both { en: "An association grants for a member", ja: "協会が会員のために許諾" },
        told: Both {
            en: "The Lantern Authors' Association has a mandate of Toro Writers, and grants their novel to Kumo Systems.",
            ja: "灯籠作家協会が、灯籠文芸の委任にもとづき、小説を Kumo Systems に許諾しました。",
        },
        ask: Ask { who: "kumo", url: NOVEL },
    },
    Scene {
        name: "revoked",
        title: Both {
            en: "One member revokes: refused at once", ja: "1社が撤回：ただちに不許諾"
        },
        told: Both {
            en: "Tsukimi Film revokes, as its grant allows. From the next question on the animation is refused.",
            ja: "月見フィルムが、許諾の条件に従って撤回しました。次の照会から不許諾となります。",
        },
        ask: Ask { who: "nimbus", url: ANIME },
    },
];
