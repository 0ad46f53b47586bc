//! TLS through rustls: roots that are trusted, and what PostgreSQL's `sslmode` means.

use crate::error::{Error, Result};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tokio_postgres_rustls::MakeRustlsConnect;

/// Certificates of a site's own authority; Mozilla's are used where there are none.
#[derive(Clone, Debug, Default)]
pub struct Roots(Vec<CertificateDer<'static>>);

impl Roots {
    /// Reads a PEM file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or holds no certificate.
    pub fn of_file(path: &Path) -> Result<Roots> {
        let place = path.display().to_string();
        let text = fs::read(path).map_err(|e| Error::usage(&place, e.to_string()))?;
        let read: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        match read {
            Ok(all) if !all.is_empty() => Ok(Roots(all)),
            Ok(_) => Err(Error::usage(place, "holds no PEM certificate")),
            Err(e) => Err(Error::usage(place, format!("not a PEM file of certificates: {e}"))),
        }
    }

    /// What the HTTP client trusts.
    pub fn for_http(&self) -> ureq::tls::RootCerts {
        let certificates: Vec<_> =
            self.0.iter().map(|c| ureq::tls::Certificate::from_der(c).to_owned()).collect();
        match certificates.is_empty() {
            true => ureq::tls::RootCerts::WebPki,
            false => ureq::tls::RootCerts::new_with_certs(&certificates),
        }
    }

    /// TLS for PostgreSQL. As libpq has it, `prefer` and `require` encrypt without asking who the
    /// server is, unless a site's own authority is given; `verify-ca` and `verify-full` ask, both
    /// for the name too.
    ///
    /// # Errors
    ///
    /// When a certificate of the authority is none that can be trusted.
    pub fn for_postgres(&self, verify: bool) -> Result<MakeRustlsConnect> {
        let provider = ring::default_provider();
        if verify && self.0.is_empty() {
            // Refused only where one is installed already, which is as good.
            let _ = provider.install_default();
            return Ok(MakeRustlsConnect::with_webpki_roots());
        }
        let fail = |e: rustls::Error| Error::usage("TLS", e.to_string());
        let provider = Arc::new(provider);
        let builder = ClientConfig::builder_with_provider(provider.clone());
        let builder = builder.with_safe_default_protocol_versions().map_err(fail)?;
        if self.0.is_empty() {
            let any = Arc::new(AnyServer(provider));
            let builder = builder.dangerous().with_custom_certificate_verifier(any);
            return Ok(MakeRustlsConnect::new(builder.with_no_client_auth()));
        }
        let mut roots = RootCertStore::empty();
        for certificate in &self.0 {
            roots.add(certificate.clone()).map_err(fail)?;
        }
        let config = builder.with_root_certificates(roots).with_no_client_auth();
        Ok(MakeRustlsConnect::new(config))
    }
}

/// Accepts every certificate; the signatures of the handshake are checked all the same.
#[derive(Debug)]
struct AnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
