//! Settings: four layers, each over the one before, and no key that nobody knows.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use super::{kyodaku, said};

fn in_folder(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = kyodaku();
    command.current_dir(folder).args(arguments);
    command
}

#[test]
fn each_layer_is_over_the_one_before_and_print_says_which() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("kyodaku.toml"),
        "listen = '127.0.0.1:1111'\nstreams = 7\ngrace_s = 5\norigin = \"registry.example/log\"\n",
    )
    .unwrap();
    let print =
        in_folder(folder.path(), &["config", "print", "--set", "grace_s=9", "--data-dir", "else where"])
            .env("KYODAKU_LISTEN", "127.0.0.1:2222")
            .env("KYODAKU_GRACE_S", "6")
            .output();
    let print = said(print.unwrap());
    assert_eq!(print.code, 0, "{}", print.err);
    for line in [
        "listen = \"127.0.0.1:2222\" # environment",
        "streams = 7 # file",
        "grace_s = 9 # flag",
        "origin = \"registry.example/log\" # file",
        "node = \"main\" # default",
        "data_dir = \"else where\" # flag",
        "database_url = \"sqlite:else where/kyodaku.db\" # default",
        "connections = 4096 # default",
        "connections_per_network = 256 # default",
    ] {
        assert!(print.out.contains(line), "`{line}` is not in\n{}", print.out);
    }

    // What is printed is a file that says the same.
    let again = folder.path().join("again.toml");
    std::fs::write(&again, &print.out).unwrap();
    let twice =
        said(in_folder(folder.path(), &["config", "print", "--config", "again.toml"]).output().unwrap());
    let values = |text: &str| {
        text.lines()
            .filter(|l| !l.starts_with('#'))
            .map(|l| l.split(" # ").next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(values(&twice.out), values(&print.out));
}

#[test]
fn every_default_is_shown_and_read_back_as_itself() {
    let folder = tempfile::tempdir().unwrap();
    let json = said(in_folder(folder.path(), &["config", "print", "--json"]).output().unwrap());
    let lines: Vec<serde_json::Value> = serde_json::from_str(&json.out).unwrap();
    let keys: Vec<&str> = lines.iter().map(|line| line["key"].as_str().unwrap()).collect();
    assert_eq!(keys, kyodaku::config::KEYS);
    for line in &lines {
        assert_eq!(line["source"], "default");
        assert!(
            !line["help"].as_str().unwrap().is_empty() && !line["value"].as_str().unwrap().is_empty(),
            "{line}"
        );
    }
}

#[test]
fn an_unknown_key_is_refused_wherever_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let refuse = |command: &mut Command, place: &str, near: &str| {
        let said = said(command.output().unwrap());
        assert_eq!(said.code, 2, "{}{}", said.out, said.err);
        assert!(said.err.contains(place) && said.err.contains(near), "{}", said.err);
    };
    refuse(
        &mut in_folder(folder.path(), &["config", "check", "--set", "lisen=x"]),
        "flag",
        "did you mean `listen`",
    );
    refuse(
        in_folder(folder.path(), &["config", "check"]).env("KYODAKU_RECHECK_MAX", "5"),
        "environment",
        "did you mean `recheck_max_s`",
    );
    std::fs::write(folder.path().join("kyodaku.toml"), "conections = 5\n").unwrap();
    refuse(&mut in_folder(folder.path(), &["config", "check"]), "file", "did you mean `connections`");
    std::fs::write(folder.path().join("kyodaku.toml"), "xyzzyxyzzy = 5\n").unwrap();
    let far = said(in_folder(folder.path(), &["config", "check"]).output().unwrap());
    assert!(far.code == 2 && !far.err.contains("did you mean"), "{}", far.err);
}

#[test]
fn a_wrong_value_is_refused_with_what_would_be_right() {
    let folder = tempfile::tempdir().unwrap();
    for (setting, right) in [
        ("streams=0", "from 1 to 4096"),
        ("streams=-1", "from 1 to 4096"),
        ("streams=7.5", "from 1 to 4096"),
        ("listen=localhost", "ADDRESS:PORT"),
        ("database_url=mysql://ann:hunter2@h/x", "sqlite:PATH"),
        ("log_format=xml", "`text` or `json`"),
        ("node=a b", "lower-case"),
        ("origin=https://x", "without its scheme"),
        ("data_dir=", "a path"),
    ] {
        let said = said(in_folder(folder.path(), &["config", "check", "--set", setting]).output().unwrap());
        assert_eq!(said.code, 2, "{setting}: {}", said.err);
        assert!(said.err.contains(right), "{setting}: {}", said.err);
        assert!(!said.err.contains("hunter2"), "{}", said.err);
    }
    let toml = folder.path().join("kyodaku.toml");
    for (text, told) in [
        ("listen = \n", "line 1"),
        ("[listen]\naddress = 'x'\n", "`listen` is a table"),
        ("streams = 1.5\n", "`streams` is a float"),
        ("streams = 1\nstreams = 2\n", "duplicate key"),
    ] {
        std::fs::write(&toml, text).unwrap();
        let said = said(in_folder(folder.path(), &["config", "check"]).output().unwrap());
        assert_eq!(said.code, 2, "{text}: {}", said.err);
        assert!(said.err.contains(told), "{text}: {}", said.err);
    }
    let missing =
        said(in_folder(folder.path(), &["config", "check", "--config", "none.toml"]).output().unwrap());
    assert!(missing.code == 2 && missing.err.contains("none.toml"), "{}", missing.err);
}

#[test]
fn passwords_are_not_shown_and_other_names_of_the_environment_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let print = in_folder(folder.path(), &["config", "print"])
        .env("KYODAKU_DATABASE_URL", "postgres://ann:hunter2@db.example/kyodaku")
        .env("KYODAKU_API_KEY", "kyo_live_secret")
        .env("KYODAKU_URL", "http://127.0.0.1:1")
        .env("KYODAKU_SERVICE_HOST", "10.0.0.1")
        .env("KYODAKU_PORT_8080_TCP", "tcp://10.0.0.1:8080")
        .output();
    let print = said(print.unwrap());
    assert_eq!(print.code, 0, "{}", print.err);
    assert!(print.out.contains("database_url = \"postgres://ann:***@db.example/kyodaku\" # environment"));
    assert!(!print.out.contains("hunter2") && !print.out.contains("kyo_live"), "{}", print.out);

    let check = in_folder(folder.path(), &["config", "check", "--listen", "0.0.0.0:80"]).output();
    let check = said(check.unwrap());
    assert_eq!((check.code, check.out.as_str()), (0, ""));
    assert!(check.err.contains("`origin` is the default") && check.err.contains("TLS"), "{}", check.err);
}

#[test]
fn tls_takes_both_files_or_neither_and_then_nothing_travels_in_the_clear() {
    let folder = tempfile::tempdir().unwrap();
    let check = |arguments: &[&str]| {
        let words: Vec<&str> =
            ["config", "check", "--listen", "0.0.0.0:443"].iter().chain(arguments).copied().collect();
        said(in_folder(folder.path(), &words).output().unwrap())
    };
    for (one, other) in [("tls_cert", "tls_key"), ("tls_key", "tls_cert")] {
        let said = check(&["--set", &format!("{one}=a.pem"), "--set", &format!("{other}=")]);
        assert_eq!(said.code, 2, "{}", said.err);
        assert!(said.err.contains(&format!("`{other}`")) && said.err.contains("or neither"), "{}", said.err);
    }
    let both = ["--set", "tls_cert=a.pem", "--set", "tls_key=b.pem"];
    let said_of_both = check(&both);
    assert!(said_of_both.code == 0 && !said_of_both.err.contains("in the clear"), "{}", said_of_both.err);
    assert!(check(&[]).err.contains("in the clear"));
    let print = said(in_folder(folder.path(), &["config", "print"]).args(both).output().unwrap());
    for line in ["public_url = \"https://127.0.0.1:8080\" # default", "tls_key = \"b.pem\" # flag"] {
        assert!(print.out.contains(line), "{}", print.out);
    }
}

#[test]
fn single_sign_on_takes_all_of_its_settings_or_none_and_its_secret_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let all = [
        ("KYODAKU_OIDC_ISSUER", "https://accounts.example/"),
        ("KYODAKU_OIDC_CLIENT_ID", "kyodaku"),
        ("KYODAKU_OIDC_CLIENT_SECRET", "hunter2"),
    ];
    for (left_out, _) in all {
        let stated = all.into_iter().filter(|(name, _)| *name != left_out);
        let said = said(in_folder(folder.path(), &["config", "check"]).envs(stated).output().unwrap());
        let key = left_out.strip_prefix("KYODAKU_").unwrap().to_lowercase();
        assert_eq!(said.code, 2, "{left_out}: {}", said.err);
        assert!(said.err.contains(&format!("`{key}`")) && !said.err.contains("hunter2"), "{}", said.err);
    }
    for bad in [
        "http://accounts.example",
        "accounts.example",
        "https://a@accounts.example",
        "https://accounts.example?x",
    ] {
        let mut check = in_folder(folder.path(), &["config", "check"]);
        let said = said(check.envs(all).env("KYODAKU_OIDC_ISSUER", bad).output().unwrap());
        assert!(
            said.code == 2 && said.err.contains("such as `https://accounts.example`"),
            "{bad}: {}",
            said.err
        );
    }
    let print = said(in_folder(folder.path(), &["config", "print"]).envs(all).output().unwrap());
    for line in [
        "oidc_issuer = \"https://accounts.example/\" # environment",
        "oidc_client_secret = \"***\" # environment",
        "oidc_redirect_url = \"http://127.0.0.1:8080/sign-in\" # default",
    ] {
        assert!(print.out.contains(line), "`{line}` is not in\n{}", print.out);
    }
    assert!(!print.out.contains("hunter2"), "{}", print.out);
}

#[test]
fn a_collector_is_refused_by_a_program_that_was_built_without() {
    let folder = tempfile::tempdir().unwrap();
    let check = |url: &str| {
        let setting = format!("otlp_endpoint={url}");
        said(in_folder(folder.path(), &["config", "check", "--set", &setting]).output().unwrap())
    };
    let stated = check("http://127.0.0.1:4318/");
    if cfg!(feature = "opentelemetry") {
        assert_eq!(stated.code, 0, "{}", stated.err);
    } else {
        assert_eq!(stated.code, 2, "{}", stated.err);
        assert!(stated.err.contains("--features opentelemetry"), "{}", stated.err);
    }
    assert_eq!(check("").code, 0);
    for bad in ["http://ann:hunter2@127.0.0.1", "grpc://127.0.0.1", "127.0.0.1:4317"] {
        let said = check(bad);
        assert!(said.code == 2 && !said.err.contains("hunter2"), "{bad}: {}", said.err);
    }
}

#[test]
fn what_a_server_would_refuse_the_check_refuses_all_of_it_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = [
        ("KYODAKU_WITNESSES", "w1 https://witness.example"),
        ("KYODAKU_LOG_FILTER", "kyodaku=loudly"),
        ("KYODAKU_MAIL_URL", "smtp://"),
        ("KYODAKU_MAIL_FROM", "nobody"),
    ];
    let key = |name: &str| format!("`{}`", name.strip_prefix("KYODAKU_").unwrap().to_lowercase());
    for (name, value) in wrong {
        let check = said(in_folder(folder.path(), &["config", "check"]).env(name, value).output().unwrap());
        assert_eq!(check.code, 2, "{name}: {}", check.err);
        assert!(check.err.contains(&key(name)) && !check.err.contains("can be used"), "{}", check.err);
        let mut serve = in_folder(folder.path(), &["serve", "--listen", "127.0.0.1:0"]);
        let serve = said(serve.env(name, value).output().unwrap());
        assert!(serve.code == 1 || serve.code == 2, "{name}: {}", serve.err);
    }
    let check = said(in_folder(folder.path(), &["config", "check"]).envs(wrong).output().unwrap());
    assert!(check.code == 2 && wrong.iter().all(|(name, _)| check.err.contains(&key(name))), "{}", check.err);
    // Nothing is opened: a folder of mail is not made.
    let fresh = tempfile::tempdir().unwrap();
    assert_eq!(said(in_folder(fresh.path(), &["config", "check"]).output().unwrap()).code, 0);
    assert_eq!(std::fs::read_dir(fresh.path()).unwrap().count(), 0);
}

#[test]
fn whoever_is_reached_elsewhere_states_where() {
    let folder = tempfile::tempdir().unwrap();
    let is_warned = |settings: &[(&str, &str)]| {
        let check = in_folder(folder.path(), &["config", "check"]).envs(settings.iter().copied()).output();
        let check = said(check.unwrap());
        assert_eq!(check.code, 0, "{}", check.err);
        check.err.contains("`public_url` is the default")
    };
    let (proxies, listen) = (("KYODAKU_PROXIES", "192.0.2.1"), ("KYODAKU_LISTEN", "0.0.0.0:8080"));
    let stated = ("KYODAKU_PUBLIC_URL", "https://registry.example");
    assert!(is_warned(&[proxies]) && is_warned(&[listen]));
    assert!(!is_warned(&[]) && !is_warned(&[proxies, stated]) && !is_warned(&[listen, stated]));
}

#[test]
fn a_value_of_the_environment_that_is_no_text_is_refused_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let with = |name: &str| {
        let mut check = in_folder(folder.path(), &["config", "check"]);
        said(check.env(name, OsStr::from_bytes(b"registry.example/\xff")).output().unwrap())
    };
    let refused = with("KYODAKU_DATA_DIR");
    assert_eq!(refused.code, 2, "{}", refused.err);
    assert!(refused.err.contains("`KYODAKU_DATA_DIR`") && refused.err.contains("UTF-8"), "{}", refused.err);
    assert_eq!(with("KYODAKU_SERVICE_HOST").code, 0);
    assert_eq!(with("OTHER").code, 0);
}

#[test]
fn no_word_of_a_password_is_said_of_an_address_that_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (url, told) in [
        ("postgres://ann@h/x?sslmod=hunter2", "`sslmod`"),
        ("postgres://ann:hun?ter2@h/x", "postgres://ann:***@h/x"),
        ("postgres://ann:1?hunter2@h/x", "%3F"),
    ] {
        for key in ["KYODAKU_DATABASE_URL", "KYODAKU_SANDBOX_URL"] {
            for command in ["config check", "serve --listen 127.0.0.1:0"] {
                let words: Vec<&str> = command.split(' ').collect();
                let said = said(in_folder(folder.path(), &words).env(key, url).output().unwrap());
                assert_eq!(said.code, 2, "{url}: {}", said.err);
                assert!(said.err.contains(told) && !said.err.contains("ter2"), "{url}: {}", said.err);
            }
        }
    }
}
