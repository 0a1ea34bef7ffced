//! Proving who we are, in ssh's order: certificates, an agent's keys that the configuration names, key files, the
//! agent's other keys, a password. A key is shown first and used only when the server wants it, so that nobody is
//! asked for a passphrase in vain. What was tried and what was not, and why, is told when nothing helps.

use std::{future::Future, time::Duration};

use chaos_core::error::{Error, ErrorKind, Result};
use russh::{
    MethodKind, MethodSet,
    client::{AuthResult, KeyboardInteractiveAuthResponse},
    keys::{Algorithm, HashAlg},
};
use tokio::time::{Instant, sleep_until};

use crate::{
    hops::{Link, broken, login_name, patience},
    keys::{Candidate, Signing, candidates},
    route::Hop,
    secrets::Secrets,
};

/// OpenSSH ends a login after 6 failures (`MaxAuthTries`). With a password at hand, the last one is left for it.
const KEYS_BEFORE_PASSWORD: usize = 5;

/// Logs in to a host whose key is trusted.
///
/// # Errors
/// `Denied` with what was tried; `Unreachable` when the connection breaks.
pub(crate) async fn login(link: &mut Link, hop: &Hop, is_target: bool, secrets: &Secrets) -> Result<()> {
    Login { link, hop, is_target, secrets, tried: Vec::new(), skipped: Vec::new(), methods: None, rsa: None }
        .run()
        .await
}

struct Login<'a> {
    link: &'a mut Link,
    hop: &'a Hop,
    is_target: bool,
    secrets: &'a Secrets,
    tried: Vec<String>,
    skipped: Vec<String>,
    /// What the server would take, once it said so.
    methods: Option<MethodSet>,
    /// Which hash RSA keys sign with, once asked; the inner `None`: none that is safe.
    rsa: Option<Option<HashAlg>>,
}

/// How one attempt went.
enum Went {
    In,
    /// The server wants something else or something more.
    On,
}

impl Login<'_> {
    async fn run(mut self) -> Result<()> {
        let binding = self.link.handle.agent_session_binding();
        let (candidates, skipped) = candidates(self.hop, binding, self.secrets).await;
        self.skipped = skipped;
        let mut left = if self.hop.password { KEYS_BEFORE_PASSWORD } else { usize::MAX };
        for candidate in candidates {
            if !self.takes(MethodKind::PublicKey) {
                break;
            }
            if left == 0 {
                self.skipped.push(format!("{}: the last attempt is the password's", candidate.name));
                continue;
            }
            left -= 1;
            if let Went::In = self.key(candidate).await? {
                return Ok(());
            }
        }
        if self.methods.is_none() {
            // Nothing was tried: this asks which methods there are, and some hosts let everybody in.
            let asked = self.link.handle.authenticate_none(self.hop.user.clone());
            let result = limited(patience(self.hop), self.secrets, asked).await?;
            if let Went::In = self.took(result.map_err(lost)?)? {
                return Ok(());
            }
        }
        if self.hop.password
            && let Went::In = self.password().await?
        {
            return Ok(());
        }
        Err(self.denied())
    }

    fn takes(&self, method: MethodKind) -> bool {
        self.methods.as_ref().is_none_or(|methods| methods.contains(&method))
    }

    async fn key(&mut self, candidate: Candidate) -> Result<Went> {
        let is_rsa = matches!(candidate.public.algorithm(), Algorithm::Rsa { .. });
        let hash = if is_rsa { self.rsa_hash().await? } else { None };
        if is_rsa && hash.is_none() {
            self.skipped.push(format!("{}: the server takes RSA only with SHA-1, which is no proof", candidate.name));
            return Ok(Went::On);
        }
        let Candidate { name, public, certificate, proof } = candidate;
        let mut signing = Signing { proof, secrets: self.secrets.clone() };
        let user = self.hop.user.clone();
        let result = match certificate {
            Some(certificate) => {
                let asked = self.link.handle.authenticate_certificate_with(user, certificate, hash, &mut signing);
                limited(patience(self.hop), self.secrets, asked).await?
            }
            None => {
                let asked = self.link.handle.authenticate_publickey_with(user, public, hash, &mut signing);
                limited(patience(self.hop), self.secrets, asked).await?
            }
        };
        match result {
            Ok(result) => {
                self.tried.push(name);
                self.took(result)
            }
            // The server would have taken it; another key may do.
            Err(why) => {
                self.skipped.push(format!("{name}: {}", why.0));
                Ok(Went::On)
            }
        }
    }

    async fn rsa_hash(&mut self) -> Result<Option<HashAlg>> {
        if let Some(known) = self.rsa {
            return Ok(known);
        }
        let said = self.link.handle.best_supported_rsa_hash().await.map_err(lost)?;
        // A server that does not say is likely to take the stronger one.
        let hash = said.unwrap_or(Some(HashAlg::Sha512));
        self.rsa = Some(hash);
        Ok(hash)
    }

    fn took(&mut self, result: AuthResult) -> Result<Went> {
        match result {
            AuthResult::Success => Ok(Went::In),
            AuthResult::Failure { remaining_methods, partial_success } => {
                if partial_success && let Some(last) = self.tried.last_mut() {
                    last.push_str(" (accepted, and the server wants more)");
                }
                if self.link.handle.is_closed() {
                    return Err(self.ended());
                }
                self.methods = Some(remaining_methods);
                Ok(Went::On)
            }
        }
    }

    async fn password(&mut self) -> Result<Went> {
        if !self.takes(MethodKind::Password) && !self.takes(MethodKind::KeyboardInteractive) {
            return Ok(Went::On);
        }
        let login = login_name(self.hop);
        let Some(password) = self.secrets.password(&login, self.is_target).await else {
            self.skipped.push("password: none was given".into());
            return Ok(Went::On);
        };
        let went = if self.takes(MethodKind::Password) {
            let asked = self.link.handle.authenticate_password(self.hop.user.clone(), password.expose());
            let result = limited(patience(self.hop), self.secrets, asked).await?.map_err(lost)?;
            self.tried.push("password".into());
            self.took(result)?
        } else {
            self.keyboard_interactive(password.expose()).await?
        };
        if let Went::In = went {
            self.secrets.keep_password(&login, password);
        }
        Ok(went)
    }

    /// Answers the one question that a server without the `password` method puts instead.
    async fn keyboard_interactive(&mut self, password: &str) -> Result<Went> {
        const ROUNDS: usize = 4;
        let limit = patience(self.hop);
        let started = self.link.handle.authenticate_keyboard_interactive_start(self.hop.user.clone(), None);
        let mut response = limited(limit, self.secrets, started).await?.map_err(lost)?;
        self.tried.push("keyboard-interactive".into());
        let mut answered = false;
        for _ in 0..ROUNDS {
            let answers = match response {
                KeyboardInteractiveAuthResponse::Success => return Ok(Went::In),
                KeyboardInteractiveAuthResponse::Failure { remaining_methods, partial_success } => {
                    return self.took(AuthResult::Failure { remaining_methods, partial_success });
                }
                KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => match &prompts[..] {
                    [] => Vec::new(),
                    [one] if !one.echo && !answered => {
                        answered = true;
                        vec![password.to_owned()]
                    }
                    _ => {
                        self.skipped.push(
                            "keyboard-interactive: the server asks for more than a password, which needs a person; \
                             use a key"
                                .into(),
                        );
                        return Ok(Went::On);
                    }
                },
            };
            let answer = self.link.handle.authenticate_keyboard_interactive_respond(answers);
            response = limited(limit, self.secrets, answer).await?.map_err(lost)?;
        }
        Ok(Went::On)
    }

    /// The server ended the connection during the login.
    fn ended(&self) -> Error {
        let why = self.link.lost.why().unwrap_or_default();
        if why.contains("Too many authentication failures") {
            let message = format!(
                "the server ends a login after too many keys, and none of the first {} was the right one: name the \
                 right key (IdentityFile) and no others (IdentitiesOnly yes)",
                self.tried.len()
            );
            return self.explain(Error::new(ErrorKind::Denied, message));
        }
        let broke = broken("the connection broke during the login", &self.link.lost);
        self.explain(Error::new(ErrorKind::Unreachable, broke))
    }

    fn denied(&self) -> Error {
        let methods = self
            .methods
            .as_ref()
            .map_or_else(String::new, |methods| methods.iter().map(<&str>::from).collect::<Vec<_>>().join(", "));
        let takes = if methods.is_empty() { "nothing that we know".to_owned() } else { methods };
        let message = format!("permission denied for user {}: the server takes {takes}", self.hop.user);
        self.explain(Error::new(ErrorKind::Denied, message))
    }

    fn explain(&self, e: Error) -> Error {
        let nothing = || "nothing, as there was no key and no password".to_owned();
        let tried = if self.tried.is_empty() { nothing() } else { self.tried.join("; ") };
        let mut e = e.with("tried", tried);
        if !self.skipped.is_empty() {
            e = e.with("passed over", self.skipped.join("; "));
        }
        match self.link.lost.banner() {
            Some(banner) => e.with("banner", banner),
            None => e,
        }
    }
}

fn lost(e: russh::Error) -> Error {
    Error::new(ErrorKind::Unreachable, "the connection broke during the login").because(e)
}

/// `what` within `limit`, not counting the time that a person needs to answer.
async fn limited<T>(limit: Duration, secrets: &Secrets, what: impl Future<Output = T>) -> Result<T> {
    tokio::pin!(what);
    let mut until = Instant::now() + limit;
    loop {
        tokio::select! {
            done = &mut what => return Ok(done),
            () = sleep_until(until) => {
                if !secrets.is_asking() {
                    let message = format!("the server did not answer within {} s during the login", limit.as_secs_f32());
                    return Err(Error::new(ErrorKind::Unreachable, message));
                }
                until = Instant::now() + limit;
            }
        }
    }
}
