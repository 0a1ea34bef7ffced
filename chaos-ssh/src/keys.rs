//! Which keys there are to try: those of files, those that an agent holds, and their certificates; and how each
//! signs. A file's key is opened only when a server wants its signature.

use std::{
    collections::HashSet,
    fmt,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use chaos_core::error::{Error, ErrorKind, Result};
use russh::{
    Signer,
    keys::{
        self, Algorithm, Certificate, HashAlg, PrivateKey, PublicKey,
        agent::{AgentIdentity, AgentSessionBinding, client::AgentClient},
        signature::Signer as _,
        ssh_key::{Signature, private::KeypairData},
    },
};
use tokio::{net::UnixStream, sync::Mutex, time::timeout};

use crate::{
    hops::printable,
    route::{Hop, KeyAgent},
    secrets::Secrets,
    short_scalar,
};

/// How long an agent may take to list its keys.
const AGENT_LISTS: Duration = Duration::from_secs(10);

/// A key to try.
pub(crate) struct Candidate {
    /// For messages.
    pub name: String,
    pub public: PublicKey,
    pub certificate: Option<Certificate>,
    pub proof: Proof,
}

/// Who signs.
#[derive(Clone)]
pub(crate) enum Proof {
    /// An agent, with this identity.
    Agent(Arc<Mutex<AgentClient<UnixStream>>>, Box<AgentIdentity>),
    /// The key of a file.
    File(PathBuf),
}

/// Signs when a server asks for it.
pub(crate) struct Signing {
    pub proof: Proof,
    pub secrets: Secrets,
}

/// Why there is no signature.
pub(crate) struct Unsigned(pub Error);

impl fmt::Debug for Unsigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<russh::SendError> for Unsigned {
    fn from(e: russh::SendError) -> Self {
        Self(Error::new(ErrorKind::Unreachable, "the connection broke during the login").because(e))
    }
}

impl Signer for Signing {
    type Error = Unsigned;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        hash: Option<HashAlg>,
        data: Vec<u8>,
    ) -> Result<Vec<u8>, Unsigned> {
        match &self.proof {
            Proof::Agent(agent, identity) => {
                let signed = agent.lock().await.sign_request(identity, hash, data).await;
                signed.map_err(|e| Unsigned(Error::new(ErrorKind::Denied, "the agent did not sign").because(e)))
            }
            Proof::File(path) => {
                let key = open(path, &self.secrets).await.map_err(Unsigned)?;
                sign(&key, hash, data).map_err(Unsigned)
            }
        }
    }
}

/// `data`, and the signature over it as an SSH string.
fn sign(key: &PrivateKey, hash: Option<HashAlg>, mut data: Vec<u8>) -> Result<Vec<u8>> {
    let bad = |e: &dyn fmt::Display| Error::new(ErrorKind::InvalidInput, format!("the key cannot sign: {e}"));
    let signature: Signature = match key.key_data() {
        KeypairData::Rsa(pair) => (pair, hash).try_sign(&data).map_err(|e| bad(&e))?,
        pair => pair.try_sign(&data).map_err(|e| bad(&e))?,
    };
    let bytes = Vec::<u8>::try_from(signature).map_err(|e| bad(&e))?;
    let length = u32::try_from(bytes.len()).expect("a signature is short");
    data.extend_from_slice(&length.to_be_bytes());
    data.extend_from_slice(&bytes);
    Ok(data)
}

/// All keys to try with `hop`, in order, and which are passed over and why.
pub(crate) async fn candidates(
    hop: &Hop,
    binding: Option<&AgentSessionBinding>,
    secrets: &Secrets,
) -> (Vec<Candidate>, Vec<String>) {
    let mut skipped = Vec::new();
    let mut agent = match agent(hop, binding).await {
        Ok(agent) => agent,
        Err(e) => {
            skipped.push(format!("agent: {e}"));
            None
        }
    };
    let mut files = Vec::new();
    for path in &hop.identity_files {
        match public_of(path, secrets).await {
            Ok(Some(public)) => files.push((path, public)),
            Ok(None) => {}
            Err(e) => skipped.push(format!("{}: {e}", path.display())),
        }
    }
    let held = agent.as_mut().map_or_else(Vec::new, |(_, held)| std::mem::take(held));
    let agent = agent.map(|(client, _)| client);
    let named = |public: &PublicKey| files.iter().any(|(_, file)| file.key_data() == public.key_data());
    let by_agent = |identity: &AgentIdentity| {
        let public = identity.public_key().into_owned();
        let certificate = match identity {
            AgentIdentity::Certificate { certificate, .. } => Some(certificate.clone()),
            AgentIdentity::PublicKey { .. } => None,
        };
        let name = format!("agent key {} {}", printable(identity.comment(), 60), fingerprint(&public));
        agent.clone().map(|agent| Candidate {
            name,
            public,
            certificate,
            proof: Proof::Agent(agent, Box::new(identity.clone())),
        })
    };
    let signer = |public: &PublicKey| -> Option<Proof> {
        let file = files.iter().find(|(path, file)| file.key_data() == public.key_data() && path.exists());
        let held = held
            .iter()
            .find(|i| matches!(i, AgentIdentity::PublicKey { key, .. } if key.key_data() == public.key_data()));
        match (held, file, &agent) {
            (Some(identity), _, Some(agent)) => Some(Proof::Agent(agent.clone(), Box::new(identity.clone()))),
            (_, Some((path, _)), _) => Some(Proof::File((*path).clone())),
            _ => None,
        }
    };

    let mut all = Vec::new();
    for (path, required) in certificate_files(hop) {
        match certificate(&path, required) {
            Ok(Some(certificate)) => {
                let public = PublicKey::new(certificate.public_key().clone(), "");
                match signer(&public) {
                    Some(proof) => all.push(Candidate {
                        name: format!("certificate {}", path.display()),
                        public,
                        certificate: Some(certificate),
                        proof,
                    }),
                    None if required => {
                        skipped.push(format!("{}: there is no key to this certificate", path.display()));
                    }
                    None => {}
                }
            }
            Ok(None) => {}
            Err(e) => skipped.push(format!("{}: {e}", path.display())),
        }
    }
    let (ours, others): (Vec<_>, Vec<_>) = held.iter().partition(|identity| named(&identity.public_key()));
    all.extend(ours.iter().filter_map(|identity| by_agent(identity)));
    let in_agent: HashSet<String> = ours.iter().map(|identity| fingerprint(&identity.public_key())).collect();
    for (path, public) in &files {
        if in_agent.contains(&fingerprint(public)) {
            continue;
        }
        if matches!(public.algorithm(), Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256) {
            skipped.push(format!("{}: a hardware key signs only through an agent (ssh-add)", path.display()));
        } else if path.exists() {
            let name = format!("{} {}", path.display(), fingerprint(public));
            all.push(Candidate {
                name,
                public: public.clone(),
                certificate: None,
                proof: Proof::File((*path).clone()),
            });
        }
    }
    if hop.identities_only {
        let others = others.len();
        if others > 0 {
            skipped.push(format!("{others} other keys of the agent: only named keys are used (IdentitiesOnly)"));
        }
    } else {
        all.extend(others.iter().filter_map(|identity| by_agent(identity)));
    }
    (all, skipped)
}

fn fingerprint(public: &PublicKey) -> String {
    public.fingerprint(HashAlg::Sha256).to_string()
}

type Agent = (Arc<Mutex<AgentClient<UnixStream>>>, Vec<AgentIdentity>);

async fn agent(hop: &Hop, binding: Option<&AgentSessionBinding>) -> Result<Option<Agent>> {
    let KeyAgent::Socket(socket) = &hop.agent else {
        return Ok(None);
    };
    let gone = |e: keys::Error| {
        Error::new(ErrorKind::Unreachable, "no agent answers").with("socket", socket.display()).because(e)
    };
    let listed = async {
        let mut client = AgentClient::connect_uds(socket).await?;
        if let Some(binding) = binding {
            // Agents before OpenSSH 8.9 don't know it, and need it for nothing.
            let _ = client.bind_session(binding, false).await;
        }
        let held = client.request_identities().await?;
        Ok((Arc::new(Mutex::new(client)), held))
    };
    match timeout(AGENT_LISTS, listed).await {
        Ok(Ok(agent)) => Ok(Some(agent)),
        Ok(Err(e)) => Err(gone(e)),
        Err(_) => Err(Error::new(ErrorKind::Unreachable, "the agent does not answer").with("socket", socket.display())),
    }
}

/// `KEY-cert.pub` beside each key, then those that were asked for, which should exist.
fn certificate_files(hop: &Hop) -> Vec<(PathBuf, bool)> {
    let beside = hop.identity_files.iter().map(|key| (with_suffix(key, "-cert.pub"), false));
    let mut seen = HashSet::new();
    let all = hop.certificate_files.iter().map(|file| (file.clone(), true)).chain(beside);
    all.filter(|(path, _)| seen.insert(path.clone())).collect()
}

fn certificate(path: &Path, required: bool) -> Result<Option<Certificate>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && !required => return Ok(None),
        Err(e) => return Err(Error::storage("read the certificate", path, e)),
    };
    let certificate = Certificate::from_openssh(text.trim())
        .map_err(|e| Error::new(ErrorKind::InvalidInput, "this is no certificate").because(e))?;
    Ok(Some(certificate))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The public key of a key file: of itself where that shows it, of `KEY.pub`, or of what a passphrase opens. `None`
/// when there is no such file.
async fn public_of(path: &Path, secrets: &Secrets) -> Result<Option<PublicKey>> {
    if let Some(key) = secrets.key(path) {
        return Ok(Some(key.public_key().clone()));
    }
    let beside = || keys::load_public_key(with_suffix(path, ".pub")).ok();
    if !path.exists() {
        // A public key alone names one that an agent holds; so does a .pub file given as the identity.
        return Ok(beside());
    }
    let text = read_private(path)?;
    if text.starts_with("ssh-") || text.starts_with("ecdsa-") || text.starts_with("sk-") {
        return Ok(keys::load_public_key(path).ok());
    }
    if let Ok(key) = PrivateKey::from_openssh(&*text) {
        return Ok(Some(key.public_key().clone()));
    }
    match beside() {
        Some(public) => Ok(Some(public)),
        None => Ok(Some(open(path, secrets).await?.public_key().clone())),
    }
}

fn read_private(path: &Path) -> Result<zeroize::Zeroizing<String>> {
    let cannot = |e| Error::storage("read the key", path, e);
    let meta = std::fs::metadata(path).map_err(cannot)?;
    if !meta.is_file() {
        return Err(Error::new(ErrorKind::InvalidInput, "this is no file"));
    }
    let text = zeroize::Zeroizing::new(std::fs::read_to_string(path).map_err(cannot)?);
    let is_public = text.starts_with("ssh-") || text.starts_with("ecdsa-") || text.starts_with("sk-");
    if !is_public && meta.uid() == rustix::process::getuid().as_raw() && meta.mode() & 0o077 != 0 {
        let message =
            format!("others can read it (mode {:04o}), so it is no secret; chmod 600 it", meta.mode() & 0o7777);
        return Err(Error::new(ErrorKind::Denied, message));
    }
    Ok(text)
}

/// Opens a key file, with a passphrase where it needs one.
async fn open(path: &Path, secrets: &Secrets) -> Result<Arc<PrivateKey>> {
    if let Some(key) = secrets.key(path) {
        return Ok(key);
    }
    let text = read_private(path)?;
    let opened = match decode(&text, None) {
        Err(e) if needs_passphrase(&e, &text) => {
            let Some(passphrase) = secrets.passphrase(path).await else {
                return Err(Error::new(
                    ErrorKind::Denied,
                    "it is encrypted, and no passphrase was given; an agent can hold it (ssh-add)",
                ));
            };
            // The key's own derivation takes a good part of a second.
            let task = tokio::task::spawn_blocking(move || decode(&text, Some(passphrase.expose())));
            task.await.map_err(|e| Error::new(ErrorKind::Internal, "opening the key failed").because(e))?.map_err(|e| {
                Error::new(ErrorKind::Denied, "the passphrase does not open it, or it is damaged").because(e)
            })
        }
        opened => opened
            .map_err(|e| Error::new(ErrorKind::InvalidInput, "this is no private key that we can read").because(e)),
    };
    let key = Arc::new(opened?);
    secrets.keep_key(path, key.clone());
    Ok(key)
}

fn decode(text: &str, passphrase: Option<&str>) -> std::result::Result<PrivateKey, keys::Error> {
    keys::decode_secret_key(text, passphrase).or_else(|e| {
        let key = short_scalar::may_be_why(&e).then(|| short_scalar::read(text, passphrase));
        key.flatten().ok_or(e)
    })
}

fn needs_passphrase(e: &keys::Error, text: &str) -> bool {
    matches!(e, keys::Error::KeyIsEncrypted) || text.contains("ENCRYPTED")
}
