//! TLS in the process, by rustls: the certificate and its key from two PEM files, which are looked at again and again.
//!
//! A certificate lives for weeks and a server for longer. What renews it replaces the files; the server takes them up at
//! the next look, without a restart and without an end to what runs. New files that can't be used are told in the log once,
//! and the old ones stay.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;

use crate::domain::key::Sha256;

/// Why TLS can't be spoken with these files, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read.
    #[error("the file of the setting `{setting}`, `{}`, can't be read: {error}; mend the path, or the rights of the file", path.display())]
    File {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// There is no certificate in the file.
    #[error(
        "the file of the setting `tls_cert`, `{}`, holds no certificate that can be read: it takes PEM, the server's own certificate \
         first, then those between it and its root", .0.display()
    )]
    Certificate(PathBuf),
    /// There is no key in the file.
    #[error(
        "the file of the setting `tls_key`, `{}`, holds no private key that can be read: it takes PEM, and no passphrase",
        .0.display()
    )]
    Key(PathBuf),
    /// The two are not of each other.
    #[error(
        "the certificate of `tls_cert`, `{}`, and the key of `tls_key`, `{}`, can't be used together: {why}; take both from one renewal",
        cert.display(), key.display()
    )]
    Pair {
        /// The file of the certificate.
        cert: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What is wrong.
        why: rustls::Error,
    },
    /// What is there can't speak any version of TLS.
    #[error("TLS can't be spoken: {0}")]
    Protocol(rustls::Error),
}

/// TLS with the certificate that stands in the files; clones share it.
#[derive(Clone)]
pub struct Tls(Arc<Shared>);

struct Shared {
    acceptor: TlsAcceptor,
    current: Arc<Current>,
    files: Files,
    /// What was read last, whether or not it could be used, so that nothing is told twice.
    last: Mutex<[u8; 32]>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.0.files).finish_non_exhaustive()
    }
}

impl Tls {
    /// TLS 1.2 and 1.3, HTTP/2 before HTTP/1.1, with the certificate and the key of these files.
    ///
    /// # Errors
    /// [`TlsError`], which says what to do.
    pub fn open(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let files = Files { cert: cert.to_owned(), key: key.to_owned() };
        let pems = files.read()?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let current = Arc::new(Current {
            certified: RwLock::new(Arc::new(files.certified(&pems, &provider)?)),
            provider: Arc::clone(&provider),
        });
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Protocol)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as _);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let last = Mutex::new(pems.digest());
        Ok(Self(Arc::new(Shared { acceptor, current, files, last })))
    }

    /// Looks at the files every so often, for ever, and takes up what is new.
    pub async fn keep_fresh(self, every: Duration) {
        let mut looks = interval(every);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        looks.tick().await;
        loop {
            looks.tick().await;
            let tls = self.clone();
            let looked = tokio::task::spawn_blocking(move || tls.look()).await;
            match looked {
                Ok(Ok(true)) => {
                    tracing::info!(target: "kyodaku::http", "the renewed certificate is taken up");
                }
                Ok(Ok(false)) => {}
                Ok(Err(error)) => {
                    tracing::error!(target: "kyodaku::http", %error, "the certificate is not renewed, the old one stays");
                }
                Err(error) => {
                    tracing::error!(target: "kyodaku::http", %error, "the certificate was not looked at");
                }
            }
        }
    }

    /// Looks at the files once, and says whether there was something new that is taken up. What can't be used is an error the
    /// first time only.
    fn look(&self) -> Result<bool, TlsError> {
        let Shared { current, files, last, .. } = &*self.0;
        let read = files.read();
        let digest = read.as_ref().map_or([0; 32], Pems::digest);
        {
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            if *last == digest {
                return Ok(false);
            }
            *last = digest;
        }
        let certified = Arc::new(files.certified(&read?, &current.provider)?);
        let mut place = current.certified.write().unwrap_or_else(PoisonError::into_inner);
        let is_new = place.cert != certified.cert;
        *place = certified;
        Ok(is_new)
    }

    /// The stream within, once both have shaken hands; none if that fails or takes longer than `limit`.
    pub(super) async fn handshake(&self, stream: TcpStream, limit: Duration) -> Option<TlsStream<TcpStream>> {
        match timeout(limit, self.0.acceptor.accept(stream)).await {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(error)) => {
                tracing::debug!(target: "kyodaku::http", %error, "a handshake failed");
                None
            }
            Err(_) => None,
        }
    }
}

#[derive(Debug)]
struct Files {
    cert: PathBuf,
    key: PathBuf,
}

/// The two files as they were read.
struct Pems {
    cert: Vec<u8>,
    key: Vec<u8>,
}

impl Pems {
    fn digest(&self) -> [u8; 32] {
        let parts = [Sha256::of(&self.cert).0, Sha256::of(&self.key).0];
        Sha256::of(parts.as_flattened()).0
    }
}

impl Files {
    fn read(&self) -> Result<Pems, TlsError> {
        let read = |setting, path: &PathBuf| {
            std::fs::read(path).map_err(|error| TlsError::File { setting, path: path.clone(), error })
        };
        Ok(Pems { cert: read("tls_cert", &self.cert)?, key: read("tls_key", &self.key)? })
    }

    fn certified(&self, pems: &Pems, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pems.cert).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        let chain = chain.ok_or_else(|| TlsError::Certificate(self.cert.clone()))?;
        let key = PrivateKeyDer::from_pem_slice(&pems.key).map_err(|_| TlsError::Key(self.key.clone()))?;
        CertifiedKey::from_der(chain, key, provider).map_err(|why| TlsError::Pair {
            cert: self.cert.clone(),
            key: self.key.clone(),
            why,
        })
    }
}

/// The certificate that is shown to whoever connects now.
#[derive(Debug)]
struct Current {
    certified: RwLock<Arc<CertifiedKey>>,
    provider: Arc<CryptoProvider>,
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.certified.read().unwrap_or_else(PoisonError::into_inner)))
    }
}
