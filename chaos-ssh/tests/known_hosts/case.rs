//! One case of the table: files, a server, and how it is called.

use std::path::PathBuf;

use crate::rig::{Rig, run};

/// Text with `{…}` in it: `{h}` is the host with its port, `{port}` the port, `{hash:NAME}` a hashed name (also
/// `{hash:h}`), `{a*1000}` a letter many times, and any other a key of the rig.
pub(crate) type Template = Vec<u8>;

#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) server: &'static str,
    pub(crate) algorithm: &'static str,
    /// As it is typed.
    pub(crate) host: &'static str,
    pub(crate) host_name: Option<&'static str>,
    pub(crate) alias: Option<&'static str>,
    /// Use port 22 in place of the server's own.
    pub(crate) port_22: bool,
    /// `None`: there is no such file.
    pub(crate) user: Vec<Option<Template>>,
    pub(crate) global: Vec<Option<Template>>,
    pub(crate) revoked: Option<Revoked>,
    /// We refuse on purpose where `ssh` does not, or refuse for another reason.
    pub(crate) stricter: bool,
    /// The first user file is a directory.
    pub(crate) is_dir: bool,
}

#[derive(Clone)]
pub(crate) enum Revoked {
    Missing,
    List(Template),
    /// What `ssh-keygen -k` is given, and `-s`.
    Krl(Template, Option<PathBuf>),
}

impl Case {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            server: "plain",
            algorithm: "ssh-ed25519",
            host: "127.0.0.1",
            host_name: None,
            alias: None,
            port_22: false,
            user: Vec::new(),
            global: Vec::new(),
            revoked: None,
            stricter: false,
            is_dir: false,
        }
    }

    pub(crate) fn server(mut self, server: &'static str) -> Self {
        self.server = server;
        self
    }

    pub(crate) fn algorithm(mut self, algorithm: &'static str) -> Self {
        self.algorithm = algorithm;
        self
    }

    pub(crate) fn host(mut self, host: &'static str) -> Self {
        self.host = host;
        self
    }

    pub(crate) fn host_name(mut self, name: &'static str) -> Self {
        self.host_name = Some(name);
        self
    }

    pub(crate) fn alias(mut self, alias: &'static str) -> Self {
        self.alias = Some(alias);
        self
    }

    pub(crate) fn port_22(mut self) -> Self {
        self.port_22 = true;
        self
    }

    pub(crate) fn user(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.user.push(Some(text.into()));
        self
    }

    pub(crate) fn user_missing(mut self) -> Self {
        self.user.push(None);
        self
    }

    pub(crate) fn global(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.global.push(Some(text.into()));
        self
    }

    pub(crate) fn revoked(mut self, revoked: Revoked) -> Self {
        self.revoked = Some(revoked);
        self
    }

    pub(crate) fn stricter(mut self) -> Self {
        self.stricter = true;
        self
    }

    /// The host that is connected to.
    pub(crate) fn target(&self) -> &'static str {
        self.host_name.unwrap_or(self.host)
    }

    pub(crate) fn port(&self, rig: &Rig) -> u16 {
        if self.port_22 { 22 } else { rig.port(self.server) }
    }

    /// With everything put into its files, once: hashes get another salt each time.
    pub(crate) fn filled(&self, rig: &Rig) -> Self {
        let fill = |text: &Template| self.filled_text(rig, text);
        let all = |texts: &[Option<Template>]| texts.iter().map(|text| text.as_ref().map(fill)).collect();
        let revoked = self.revoked.as_ref().map(|revoked| match revoked {
            Revoked::Missing => Revoked::Missing,
            Revoked::List(text) => Revoked::List(fill(text)),
            Revoked::Krl(text, authority) => {
                Revoked::Krl(fill(text), authority.as_ref().map(|name| rig.dir.path().join(name)))
            }
        });
        Self { user: all(&self.user), global: all(&self.global), revoked, ..self.clone() }
    }

    /// `template` with everything put in.
    pub(crate) fn filled_text(&self, rig: &Rig, template: &[u8]) -> Vec<u8> {
        let h = match (self.alias, self.port_22) {
            (Some(alias), _) => alias.to_owned(),
            (None, true) => self.target().to_owned(),
            (None, false) => format!("[{}]:{}", self.target(), self.port(rig)),
        };
        let mut out = Vec::new();
        let mut rest = template;
        while let Some(at) = rest.iter().position(|b| *b == b'{') {
            out.extend(&rest[..at]);
            let end = at + rest[at..].iter().position(|b| *b == b'}').unwrap();
            let word = std::str::from_utf8(&rest[at + 1..end]).unwrap();
            let text = match word {
                "h" => h.clone(),
                "port" => self.port(rig).to_string(),
                "hash:h" => hashed(rig, &h),
                _ if word.starts_with("hash:") => hashed(rig, &word[5..]),
                _ if word.contains('*') => {
                    let (letter, times) = word.split_once('*').unwrap();
                    letter.repeat(times.parse().unwrap())
                }
                _ => rig.keys.get(word).unwrap_or_else(|| panic!("no key {word}")).clone(),
            };
            out.extend(text.as_bytes());
            rest = &rest[end + 1..];
        }
        out.extend(rest);
        out
    }
}

/// `name` as `ssh-keygen -H` hashes it.
fn hashed(rig: &Rig, name: &str) -> String {
    let dir = tempfile::tempdir_in(rig.dir.path()).unwrap();
    let file = dir.path().join("known");
    std::fs::write(&file, format!("{name} {}\n", rig.keys["ed"])).unwrap();
    run("ssh-keygen", &["-q", "-H", "-f", file.to_str().unwrap()]);
    let text = std::fs::read_to_string(&file).unwrap();
    let field = text.split(' ').next().unwrap().to_owned();
    assert!(field.starts_with("|1|"), "{text}");
    field
}
