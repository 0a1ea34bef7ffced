//! What is secret in a login: passwords and passphrases, where they come from, and the keys they have opened. Nothing
//! here is ever printed, and what is dropped is wiped.

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use russh::keys::PrivateKey;
use zeroize::Zeroizing;

/// A password or a passphrase. It has no text form, and its memory is wiped when it is dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes `text`, without its last line end.
    #[must_use]
    pub fn new(text: String) -> Self {
        let mut text = Zeroizing::new(text);
        let kept = text.strip_suffix('\n').map_or(text.len(), |rest| rest.strip_suffix('\r').unwrap_or(rest).len());
        text.truncate(kept);
        Self(text)
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What a person is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Question {
    /// The passphrase of a private key.
    Passphrase {
        /// The key's file.
        key: PathBuf,
    },
    /// A user's password on a host.
    Password {
        /// `user@host:port`.
        login: String,
    },
}

/// Answers a [`Question`]; `None` when there is no answer. It may block: it runs on a thread of its own.
pub type Asker = dyn Fn(&Question) -> Option<Secret> + Send + Sync;

/// Where secrets come from. Clones share what was learnt, so that nobody is asked twice.
#[derive(Clone, Default)]
pub struct Secrets(Arc<Inner>);

#[derive(Default)]
struct Inner {
    password: Option<Secret>,
    ask: Option<Arc<Asker>>,
    /// How many questions are being put right now; time limits wait for a person.
    asking: AtomicUsize,
    passwords: Mutex<HashMap<String, Secret>>,
    keys: Mutex<HashMap<PathBuf, Arc<PrivateKey>>>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

impl Secrets {
    /// No password, and nobody to ask: keys that are not encrypted, and an agent's.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// With `password` for the target itself (never for a jump host on the way), and `ask` for everything else.
    #[must_use]
    pub fn new(password: Option<Secret>, ask: Option<Arc<Asker>>) -> Self {
        Self(Arc::new(Inner { password, ask, ..Inner::default() }))
    }

    /// Whether a person is being asked right now.
    pub(crate) fn is_asking(&self) -> bool {
        self.0.asking.load(Ordering::Acquire) > 0
    }

    /// The password for `login`. A jump host never gets the target's.
    pub(crate) async fn password(&self, login: &str, is_target: bool) -> Option<Secret> {
        let known = self.0.passwords.lock().expect("no panic while held").get(login).cloned();
        let given = || self.0.password.clone().filter(|_| is_target);
        match known.or_else(given) {
            Some(password) => Some(password),
            None => self.ask(Question::Password { login: login.to_owned() }).await,
        }
    }

    /// Keeps a password that was accepted, for the next connection.
    pub(crate) fn keep_password(&self, login: &str, password: Secret) {
        self.0.passwords.lock().expect("no panic while held").insert(login.to_owned(), password);
    }

    /// The passphrase of a key.
    pub(crate) async fn passphrase(&self, key: &Path) -> Option<Secret> {
        self.ask(Question::Passphrase { key: key.to_owned() }).await
    }

    /// A key that was opened before.
    pub(crate) fn key(&self, path: &Path) -> Option<Arc<PrivateKey>> {
        self.0.keys.lock().expect("no panic while held").get(path).cloned()
    }

    /// Keeps an opened key, for the next connection.
    pub(crate) fn keep_key(&self, path: &Path, key: Arc<PrivateKey>) {
        self.0.keys.lock().expect("no panic while held").insert(path.to_owned(), key);
    }

    async fn ask(&self, question: Question) -> Option<Secret> {
        let ask = self.0.ask.clone()?;
        let _asking = Asking::new(self.0.clone());
        tokio::task::spawn_blocking(move || ask(&question)).await.ok().flatten()
    }
}

struct Asking(Arc<Inner>);

impl Asking {
    fn new(inner: Arc<Inner>) -> Self {
        inner.asking.fetch_add(1, Ordering::AcqRel);
        Self(inner)
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.asking.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_no_text_form_and_no_line_end() {
        let secret = Secret::new("hunter2\r\n".into());
        assert_eq!(secret.expose(), "hunter2");
        assert!(!format!("{secret:?} {:?}", Secrets::new(Some(secret.clone()), None)).contains("hunter2"));
        assert_eq!(Secret::new("two\n\n".into()).expose(), "two\n");
    }
}
