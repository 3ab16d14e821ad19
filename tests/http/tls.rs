//! TLS in the process: who is trusted, who is cut off, and how a certificate is renewed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kyodaku::http::gate::Access;
use kyodaku::http::routes::Route;
use kyodaku::http::server::tls::{Tls, TlsError};
use kyodaku::http::server::{Front, Limits, serve_behind};
use kyodaku::http::{Problem, Reply};
use reqwest::{Certificate, Client};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::node::Node;
use super::server::{LONG, SHORT, get, get_over_http_2, until_closed};
use crate::world::authority::Authority;

struct Running {
    address: SocketAddr,
    authority: Authority,
    tls: Tls,
    _folder: TempDir,
    _serving: JoinSet<()>,
}

async fn start(limits: Limits) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    authority.renew();
    let tls = Tls::open(&authority.cert(), &authority.key()).unwrap();
    let quick = async || -> Result<Reply, Problem> { Reply::ok(&"quick") };
    let router = Node::new().await.router(vec![Route::get("/quick", "quick", Access::Public, quick)]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut serving = JoinSet::new();
    let front = Front { tls: Some(tls.clone()), ..Front::default() };
    serving.spawn(async move {
        serve_behind(listener, front, router, limits, std::future::pending()).await;
    });
    Running { address, authority, tls, _folder: folder, _serving: serving }
}

fn client(root: &str) -> Client {
    let root = Certificate::from_pem(root.as_bytes()).unwrap();
    Client::builder().tls_certs_only([root]).timeout(LONG).no_proxy().build().unwrap()
}

impl Running {
    async fn ask(&self) -> reqwest::Result<String> {
        let url = format!("https://localhost:{}/quick", self.address.port());
        client(&self.authority.root()).get(url).send().await?.error_for_status()?.text().await
    }

    /// A stream of a client that trusts the root and speaks these protocols.
    async fn connect(&self, alpn: &[&[u8]]) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.root().as_bytes()).unwrap()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    /// The certificate that the server shows now.
    async fn shown(&self) -> CertificateDer<'static> {
        let stream = self.connect(&[]).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
    }
}

#[tokio::test]
async fn whoever_trusts_the_root_is_answered_and_nobody_else_asks() {
    let running = start(Limits::default()).await;
    assert_eq!(running.ask().await.unwrap(), "\"quick\"");
    let elsewhere = tempfile::tempdir().unwrap();
    let other = Authority::new(elsewhere.path());
    let url = format!("https://localhost:{}/quick", running.address.port());
    let refused = client(&other.root()).get(url).send().await.unwrap_err();
    assert!(refused.is_connect(), "{refused:?}");
    // In the clear nothing is answered.
    let mut plain = TcpStream::connect(running.address).await.unwrap();
    plain.write_all(&get("/quick")).await.unwrap();
    let answer = until_closed(&mut plain).await;
    assert!(!answer.contains("quick"), "{answer}");
}

#[tokio::test]
async fn both_versions_of_http_are_agreed_on() {
    let running = start(Limits::default()).await;
    let agreed = async |alpn: &[&[u8]]| {
        let stream = running.connect(alpn).await.unwrap();
        stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec)
    };
    assert_eq!(agreed(&[b"http/1.1", b"h2"]).await.as_deref(), Some(&b"h2"[..]));
    assert_eq!(agreed(&[b"http/1.1"]).await.as_deref(), Some(&b"http/1.1"[..]));
    assert_eq!(agreed(&[]).await, None);
    assert!(running.connect(&[b"smtp"]).await.is_err());
    for (alpn, request) in [(&b"h2"[..], get_over_http_2()), (b"http/1.1", get("/quick"))] {
        let mut stream = running.connect(&[alpn]).await.unwrap();
        stream.write_all(&request).await.unwrap();
        let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
        while !String::from_utf8_lossy(&answer).contains("\"quick\"") {
            let read = tokio::time::timeout(LONG, stream.read(&mut piece)).await.unwrap().unwrap();
            assert_ne!(read, 0, "{}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&piece[..read]);
        }
    }
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_cut() {
    let running = start(Limits { header_read: SHORT, connections: 1, ..Limits::default() }).await;
    // Silent; the head of a record that never comes; a record without its rest.
    for half in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"] {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream.write_all(half).await.unwrap();
        until_closed(&mut stream).await;
    }
    // And one that shook hands and then says nothing.
    let mut stream = running.connect(&[]).await.unwrap();
    let mut rest = Vec::new();
    drop(tokio::time::timeout(LONG, stream.read_to_end(&mut rest)).await.expect("it is cut"));
    // Each of them gave its place back: there is only one.
    assert_eq!(running.ask().await.unwrap(), "\"quick\"");
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_up_and_a_broken_one_is_not() {
    let running = start(Limits::default()).await;
    let mut renewing = JoinSet::new();
    renewing.spawn(running.tls.clone().keep_fresh(Duration::from_millis(10)));
    let until_new = async |old: &CertificateDer<'static>| {
        for _ in 0..1_000 {
            let shown = running.shown().await;
            if shown != *old {
                return shown;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the renewed certificate is not taken up");
    };
    let first = running.shown().await;
    running.authority.renew();
    let second = until_new(&first).await;

    // Half a file, a key of another certificate, and no file at all.
    let (cert, key) = (running.authority.cert(), running.authority.key());
    let breaking: [&dyn Fn(); 3] = [
        &|| std::fs::write(&cert, "-----BEGIN CERTIFICATE-----\nMIIB").unwrap(),
        &|| std::fs::write(&key, running.authority.sign().1).unwrap(),
        &|| std::fs::remove_file(&cert).unwrap(),
    ];
    for breaks in breaking {
        breaks();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(running.shown().await, second);
        assert_eq!(running.ask().await.unwrap(), "\"quick\"");
    }
    running.authority.renew();
    until_new(&second).await;
}

#[test]
fn files_that_cannot_be_used_are_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let refused = || match Tls::open(&authority.cert(), &authority.key()) {
        Ok(_) => panic!("these files can't be used"),
        Err(error) => (error.to_string(), error),
    };
    let (told, error) = refused();
    assert!(matches!(error, TlsError::File { setting: "tls_cert", .. }), "{told}");
    assert!(told.contains("cert.pem") && told.contains("mend the path"), "{told}");
    authority.renew();
    let (other, key) = authority.sign();
    std::fs::write(authority.cert(), &other).unwrap();
    let (told, error) = refused();
    assert!(matches!(error, TlsError::Pair { .. }) && told.contains("from one renewal"), "{told}");
    for not_key in [other.as_str(), "", &key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY")] {
        std::fs::write(authority.key(), not_key).unwrap();
        let (told, error) = refused();
        assert!(matches!(error, TlsError::Key(_)) && told.contains("no passphrase"), "{told}");
        assert!(!told.contains("BEGIN"), "{told}");
    }
    for not_cert in [key.as_str(), "", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
        std::fs::write(authority.cert(), not_cert).unwrap();
        let (told, error) = refused();
        assert!(matches!(error, TlsError::Certificate(_)) && told.contains("`tls_cert`"), "{told}");
    }
}
