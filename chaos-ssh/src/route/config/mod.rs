//! Our own reader of ssh_config(5), for where no `ssh` is installed. It reads what it knows as OpenSSH does, and
//! refuses what it does not know and what applies to the host: a trust setting that is passed over in silence is
//! worse than an error.

mod address;
mod criteria;
mod include;
mod keywords;
mod pattern;
mod words;

use std::{
    fs,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use chaos_core::error::{Error, ErrorKind, Result};

use self::criteria::Verdict;
use super::{
    ConfigFile, Question,
    local::Local,
    settings::Settings,
    tokens::{Tokens, host_name, tilde},
};

/// The machine's configuration, and where its relative `Include`s begin.
const SYSTEM_DIR: &str = "/etc/ssh";
/// How deep files may include files; OpenSSH's limit.
const MAX_DEPTH: usize = 16;
/// How many files are read in all: a few that include each other twice would be read 2^16 times.
const MAX_FILES: usize = 1000;
/// More than any configuration has.
const MAX_SIZE: u64 = 1 << 20;

/// What the files say of the host that is asked for.
pub(super) fn read(question: &Question, config: &ConfigFile, local: &Local) -> Result<Settings> {
    let destination = &question.destination;
    let given = Settings::given(destination.user.clone(), destination.port, question.jump.clone(), question.keys_given);
    let mut walk = Walk { local, host: &destination.host, settings: given, ignored: None, files: 0 };
    match config {
        ConfigFile::None => {}
        ConfigFile::Only(file) if file.as_os_str().eq_ignore_ascii_case("none") => {}
        ConfigFile::Only(file) => {
            if !walk.file(file, Origin { user: true, checked: false }, 0)? {
                return Err(Error::storage("read the ssh configuration", file, io::ErrorKind::NotFound.into()));
            }
        }
        ConfigFile::Default => {
            walk.file(&user_file(local), Origin { user: true, checked: true }, 0)?;
            walk.file(&Path::new(SYSTEM_DIR).join("ssh_config"), Origin { user: false, checked: false }, 0)?;
        }
    }
    let mut settings = walk.settings;
    expand(&mut settings, &destination.host, local).map_err(|what| {
        Error::new(ErrorKind::InvalidInput, format!("the ssh configuration {what}")).with("host", destination)
    })?;
    Ok(settings)
}

/// Whether the user's file can be read, where it exists. `ssh` goes on without one that it can't read, and so without
/// what the user said there of trust.
pub(super) fn check_readable(local: &Local) -> Result<()> {
    let file = user_file(local);
    match fs::File::open(&file) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::storage("read the ssh configuration", &file, e)),
        _ => Ok(()),
    }
}

fn user_file(local: &Local) -> PathBuf {
    local.home.join(".ssh/config")
}

/// Expands what `ssh -G` prints expanded.
fn expand(settings: &mut Settings, typed: &str, local: &Local) -> Result<(), String> {
    let host = settings.host_name.as_deref().map_or_else(|| Ok(typed.to_owned()), |name| host_name(name, typed));
    let host = host.map_err(|what| format!("gives a HostName that can't be used: {what}"))?;
    let host = address::usual(&host);
    let user = settings.user.as_deref().unwrap_or(&local.user);
    let key_name = settings.host_key_alias.as_deref().unwrap_or(&host);
    let tokens = Tokens { local, typed, host: &host, key_name, port: settings.port.unwrap_or(22), user };
    let path = |keyword, text: &str| {
        let path = tokens.path(text).map_err(|what| format!("gives {keyword} that can't be used: {what}"))?;
        path.into_os_string().into_string().map_err(|_| format!("gives {keyword} that is not UTF-8"))
    };
    let agent = settings.identity_agent.as_deref().map(|text| path("an IdentityAgent", text)).transpose()?;
    let known_hosts = settings
        .user_known_hosts
        .as_ref()
        .map(|files| files.iter().map(|file| path("a UserKnownHostsFile", file)).collect::<Result<Vec<_>, String>>());
    let known_hosts = known_hosts.transpose()?;
    settings.host_name = Some(host);
    settings.identity_agent = agent;
    settings.user_known_hosts = known_hosts;
    Ok(())
}

/// Where a file comes from.
#[derive(Debug, Clone, Copy)]
struct Origin {
    /// From the user, whose relative `Include`s begin in `~/.ssh`; else from the machine.
    user: bool,
    /// Whether nobody else may be able to write it.
    checked: bool,
}

/// Where a line stands.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    file: &'a Path,
    line: usize,
}

impl Place<'_> {
    fn error(&self, what: impl std::fmt::Display) -> Error {
        Error::new(ErrorKind::InvalidInput, format!("{}:{}: {what}", self.file.display(), self.line))
    }
}

/// One reading of all files for one host.
struct Walk<'a> {
    local: &'a Local,
    /// As it was typed.
    host: &'a str,
    settings: Settings,
    /// `IgnoreUnknown`.
    ignored: Option<String>,
    files: usize,
}

impl Walk<'_> {
    /// Reads `path`; `false` when it does not exist.
    fn file(&mut self, path: &Path, origin: Origin, depth: usize) -> Result<bool> {
        self.files += 1;
        if depth > MAX_DEPTH || self.files > MAX_FILES {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                format!(
                    "Include goes deeper than {MAX_DEPTH} files or over more than {MAX_FILES}: \
                     look whether a file includes itself"
                ),
            )
            .with("path", path.display()));
        }
        let Some(bytes) = open(path, origin)? else { return Ok(false) };
        // A Host or Match in an included file ends with that file.
        let mut applies = true;
        for (line, bytes) in bytes.split(|&b| b == b'\n').enumerate() {
            let place = Place { file: path, line: line + 1 };
            self.line(bytes, place, origin, &mut applies, depth)?;
        }
        Ok(true)
    }

    fn line(&mut self, bytes: &[u8], place: Place<'_>, origin: Origin, applies: &mut bool, depth: usize) -> Result<()> {
        let trimmed = bytes.trim_ascii();
        if trimmed.is_empty() || trimmed[0] == b'#' {
            return Ok(());
        }
        let text = std::str::from_utf8(trimmed).ok().filter(|text| !text.contains('\0'));
        let text = text.ok_or_else(|| place.error("this line is not UTF-8 text"))?;
        let (keyword, rest) = words::keyword(text).map_err(|what| place.error(what))?;
        match keyword.as_str() {
            "host" => {
                let patterns = words::split(rest).map_err(|what| place.error(what))?;
                *applies = pattern::host_line(&patterns, self.host).map_err(|what| place.error(what))?;
            }
            "match" => {
                *applies = match self.matches(rest).map_err(|what| place.error(what))? {
                    Verdict::Yes => true,
                    Verdict::No => false,
                    Verdict::Unknown(criterion) => {
                        return Err(place.error(format!(
                            "`Match {criterion}` can only be told by ssh itself: install the OpenSSH client, or write \
                             this block with Host, or with Match host, originalhost, user, localuser"
                        )));
                    }
                };
            }
            // As with ssh, what is wrong with a line that does not apply is for another host to be told; a typing
            // error there harms nobody.
            _ if !*applies => {}
            "include" => {
                let patterns = words::split(rest).map_err(|what| place.error(what))?;
                for pattern in &patterns {
                    self.include(pattern, place, origin, depth)?;
                }
            }
            _ => self.setting(&keyword, rest, place)?,
        }
        Ok(())
    }

    fn matches(&self, rest: &str) -> Result<Verdict, String> {
        let host = match &self.settings.host_name {
            Some(name) => host_name(name, self.host)?,
            None => self.host.to_owned(),
        };
        criteria::judge(
            rest,
            &criteria::Facts {
                host: &host,
                original_host: self.host,
                user: self.settings.user.as_deref().unwrap_or(&self.local.user),
                local_user: &self.local.user,
            },
        )
    }

    fn setting(&mut self, keyword: &str, rest: &str, place: Place<'_>) -> Result<()> {
        let at = |what: String| place.error(format!("{keyword}: {what}"));
        let words = match keyword {
            // These take the line as it stands.
            "proxycommand" | "knownhostscommand" => vec![rest.to_owned()],
            "proxyjump" => vec![rest.split('#').next().unwrap_or_default().trim_end().to_owned()],
            _ => words::split(rest).map_err(at)?,
        };
        if keyword == "ignoreunknown" {
            self.ignored.get_or_insert(words.join(","));
            return Ok(());
        }
        if keywords::PASSED_OVER.contains(&keyword) || self.settings.take(keyword, &words).map_err(at)? {
            return Ok(());
        }
        if keyword == "canonicalizehostname" {
            if words.iter().any(|word| word.eq_ignore_ascii_case("no") || word.eq_ignore_ascii_case("false")) {
                return Ok(());
            }
            return Err(at("names are made canonical only by ssh itself: install the OpenSSH client, or write the \
                           full name as HostName"
                .to_owned()));
        }
        if self.ignored.as_ref().is_some_and(|list| pattern::list(&list.to_ascii_lowercase(), keyword)) {
            return Ok(());
        }
        Err(at("this keyword is not known here, and may decide whom to trust: install the OpenSSH client, which then \
                reads the configuration, or set `IgnoreUnknown` for it"
            .to_owned()))
    }

    fn include(&mut self, pattern: &str, place: Place<'_>, origin: Origin, depth: usize) -> Result<()> {
        let full = if pattern.starts_with('/') {
            pattern.to_owned()
        } else if origin.user {
            let pattern = if pattern.starts_with('~') { pattern } else { &format!("~/.ssh/{pattern}") };
            tilde(pattern, self.local).map_err(|what| place.error(format!("include: {what}")))?
        } else if pattern.starts_with('~') {
            return Err(place.error("include: `~` can't stand in the machine's configuration: write the whole path"));
        } else {
            format!("{SYSTEM_DIR}/{pattern}")
        };
        if include::NOT_HERE.iter().any(|part| full.contains(part)) {
            return Err(place.error("include: `\\`, `**` and `[^` can't be used in a pattern here: name the files"));
        }
        let found = include::find(&full).map_err(|e| place.error(format!("include: cannot look for files: {e}")))?;
        for path in found {
            self.file(&path, Origin { checked: true, ..origin }, depth + 1)?;
        }
        Ok(())
    }
}

/// The file's bytes; `None` when it does not exist.
fn open(path: &Path, origin: Origin) -> Result<Option<Vec<u8>>> {
    let failed = |e| Error::storage("read the ssh configuration", path, e);
    // A pipe would hold up the opening itself. Only /dev/null and its like are read beside files.
    match fs::metadata(path) {
        Ok(at) if at.file_type().is_dir() => return Err(failed(io::ErrorKind::IsADirectory.into())),
        Ok(at) if at.is_file() || std::os::unix::fs::FileTypeExt::is_char_device(&at.file_type()) => {}
        Ok(_) => return Err(failed(io::Error::other("neither a file nor a device"))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(e)),
    }
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(e)),
    };
    let meta = file.metadata().map_err(failed)?;
    let mine = [0, nix::unistd::Uid::current().as_raw()].contains(&meta.uid());
    if origin.checked && (!mine || meta.mode() & 0o022 != 0) {
        return Err(Error::new(
            ErrorKind::Denied,
            "others can write this ssh configuration: chown it to you and `chmod go-w` it",
        )
        .with("path", path.display()));
    }
    let mut bytes = Vec::new();
    file.take(MAX_SIZE + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_SIZE {
        return Err(failed(io::Error::other("more than 1 MiB")));
    }
    Ok(Some(bytes))
}
