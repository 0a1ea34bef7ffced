//! What `~`, `%h` and `${NAME}` stand for in a configuration (ssh_config(5), "TOKENS", "ENVIRONMENT VARIABLES").

use std::path::PathBuf;

use super::local::Local;

/// What the tokens stand for, for one host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tokens<'a> {
    pub(super) local: &'a Local,
    /// `%n`: as it was typed.
    pub(super) typed: &'a str,
    /// `%h`: what is connected to.
    pub(super) host: &'a str,
    /// `%k`: under which name its key is looked up.
    pub(super) key_name: &'a str,
    pub(super) port: u16,
    /// `%r`: who logs in.
    pub(super) user: &'a str,
}

impl Tokens<'_> {
    /// A path in which all of them may stand. The error is a fragment that says what is wrong with it.
    pub(super) fn path(&self, text: &str) -> Result<PathBuf, String> {
        self.text(&tilde(text, self.local)?).map(PathBuf::from)
    }

    /// `%x` and `${NAME}`; what they stand for is not looked at again.
    fn text(&self, text: &str) -> Result<String, String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(['%', '$']) {
            out.push_str(&rest[..at]);
            let sign = &rest[at..];
            if let Some(name) = sign.strip_prefix("${") {
                let (name, after) = name.split_once('}').ok_or_else(|| format!("${{ without }} in {text}"))?;
                out.push_str(&environment(name)?);
                rest = after;
            } else if let Some(after) = sign.strip_prefix('$') {
                out.push('$');
                rest = after;
            } else {
                let token = sign[1..].chars().next().ok_or_else(|| format!("a single % at the end of {text}"))?;
                out.push_str(&self.value(token).ok_or_else(|| unknown(token, text))?);
                rest = &sign[1 + token.len_utf8()..];
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    /// Not `%C` and `%j`: what they stand for changed between versions of OpenSSH.
    fn value(&self, token: char) -> Option<String> {
        let local = self.local;
        Some(match token {
            '%' => "%".to_owned(),
            'd' => local.home.to_str()?.to_owned(),
            'h' => self.host.to_owned(),
            'i' => local.uid.to_string(),
            'k' => self.key_name.to_owned(),
            'L' => local.machine.split('.').next()?.to_owned(),
            'l' => local.machine.clone(),
            'n' => self.typed.to_owned(),
            'p' => self.port.to_string(),
            'r' => self.user.to_owned(),
            'u' => local.user.clone(),
            _ => return None,
        })
    }
}

/// `HostName`, where only `%h` and `%%` may stand.
pub(super) fn host_name(text: &str, typed: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '%' { chars.next() } else { None }) {
            ('%', Some('h')) => out.push_str(typed),
            ('%', Some('%')) => out.push('%'),
            ('%', Some(token)) => return Err(unknown(token, text)),
            ('%', None) => return Err(format!("a single % at the end of {text}")),
            (c, _) => out.push(c),
        }
    }
    Ok(out)
}

/// `~`, `~/…` and `~NAME/…` at the beginning.
pub(super) fn tilde(text: &str, local: &Local) -> Result<String, String> {
    let Some(rest) = text.strip_prefix('~') else { return Ok(text.to_owned()) };
    let (name, below) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let home = match name {
        "" => local.home.clone(),
        _ => Local::home_of(name).ok_or_else(|| format!("no user {name}, of whom {text} speaks"))?,
    };
    let home = home.to_str().ok_or_else(|| format!("the home in {text} is not UTF-8"))?;
    // A home may end in a slash (`/`), and what is below may begin with several.
    Ok(format!("{}{below}", if below.is_empty() { home } else { home.trim_end_matches('/') }))
}

/// The variable `name`; one that is not set is an error, as in `ssh`, so that a path never loses a part.
fn environment(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|_| format!("the environment variable {name} is not set, or not UTF-8"))
}

fn unknown(token: char, text: &str) -> String {
    format!("%{token} in {text} can't be told here: write the value itself")
}
