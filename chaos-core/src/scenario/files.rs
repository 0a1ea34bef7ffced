//! The scripts' files on a target: put there, compared with ours, and the mark that says that a target is fair game.

use std::{collections::BTreeMap, sync::Arc};

use sha2::{Digest, Sha256};

use super::call;
use crate::{
    error::{Error, ErrorKind, Result},
    model::Command,
    transport::Transport,
};

/// The file that marks a machine as fair game: whoever wrote it there agrees to faults being injected.
pub const FAIR_GAME: &str = "/etc/chaos-handler/allow-chaos";

/// A file of the scripts' directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScriptFile {
    /// Its name, without a directory: ASCII letters, digits, `_`, `-` and `.`.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// How a file on the target compares with ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum FileState {
    Same,
    Differs,
    Missing,
}

/// Where the scripts' directory is: as root `/opt/chaos-scripts`, else a directory of the user's own.
const DIRECTORY: &str = r#"if [ "$(id -u)" = 0 ]; then dir=/opt/chaos-scripts; else dir="${XDG_RUNTIME_DIR:-/tmp/chaos-$(id -u)}/scripts"; fi
"#;

/// Puts `files` on the target where they are not there already, letter by letter, and gives their directory:
/// `/opt/chaos-scripts` as root, else one of the user's own. Each file is replaced whole.
///
/// # Errors
/// When the target can't be reached, or the directory can't be written or belongs to somebody else.
pub async fn install(target: &Arc<dyn Transport>, files: &[ScriptFile]) -> Result<String> {
    let installer = Command { stdin: installer(files), ..Command::new(["sh", "-s"]) };
    directory(call(target, installer).await?.trim())
}

/// Compares `files` with what is on the target by SHA-256, and gives the directory and each file's state.
///
/// # Errors
/// When the target can't be reached or has no `sha256sum`.
pub async fn verify(
    target: &Arc<dyn Transport>,
    files: &[ScriptFile],
) -> Result<(String, Vec<(&'static str, FileState)>)> {
    let names: Vec<&str> = files.iter().map(|f| f.name).collect();
    let script = format!(
        r#"set -u
{DIRECTORY}printf '%s\n' "$dir"
command -v sha256sum >/dev/null || {{ echo "sha256sum is missing; install coreutils" >&2; exit 1; }}
cd "$dir" 2>/dev/null || exit 0
for name in {}; do if [ -f "$name" ]; then sha256sum "$name"; fi; done
"#,
        names.join(" ")
    );
    let said = call(target, Command { stdin: script, ..Command::new(["sh", "-s"]) }).await?;
    let (first, sums) = said.split_once('\n').unwrap_or((&said, ""));
    let there: BTreeMap<&str, &str> =
        sums.lines().filter_map(|l| l.split_once("  ").map(|(sum, name)| (name, sum))).collect();
    let state = |file: &ScriptFile| match there.get(file.name) {
        None => FileState::Missing,
        Some(sum) if *sum == hex(&Sha256::digest(whole(file.text).as_bytes())) => FileState::Same,
        Some(_) => FileState::Differs,
    };
    Ok((directory(first)?, files.iter().map(|f| (f.name, state(f))).collect()))
}

/// Whether the target is marked as fair game by [`FAIR_GAME`].
///
/// # Errors
/// When the target can't be asked.
pub async fn is_fair_game(target: &Arc<dyn Transport>) -> Result<bool> {
    let look = format!("if [ -f {FAIR_GAME} ]; then echo yes; else echo no; fi");
    Ok(call(target, Command::new(["sh", "-c", &look])).await?.trim() == "yes")
}

/// Marks the target as fair game.
///
/// # Errors
/// When the target can't be reached, or the mark can't be written: that takes root.
pub async fn mark_as_fair_game(target: &Arc<dyn Transport>) -> Result<()> {
    let script = format!(
        "set -eu; umask 022; mkdir -p \"$(dirname {FAIR_GAME})\"
if [ -f {FAIR_GAME} ]; then exit 0; fi
echo 'chaos-handler may inject faults into this machine; remove this file to forbid it' >{FAIR_GAME}"
    );
    call(target, Command::new(["sh", "-c", &script])).await.map(drop)
}

fn directory(said: &str) -> Result<String> {
    if said.starts_with('/') && !said.contains('\n') {
        Ok(said.to_owned())
    } else {
        Err(Error::new(ErrorKind::CommandFailed, "the scripts' directory can't be told")
            .with("said", said.escape_debug()))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// As a here-document leaves it: with one line end at the end.
fn whole(text: &str) -> String {
    format!("{}\n", text.trim_end_matches('\n'))
}

/// A shell script that writes the files, each beside its place and then moved there, and prints the directory.
fn installer(files: &[ScriptFile]) -> String {
    let mut script = format!(
        r#"set -eu
umask 077
{DIRECTORY}mkdir -p "$dir"
if [ -L "$dir" ] || [ ! -O "$dir" ]; then echo "$dir belongs to somebody else" >&2; exit 1; fi
if [ "$(id -u)" = 0 ]; then chmod 755 "$dir"; fi
put() {{
  if [ -f "$dir/$1" ] && [ ! -L "$dir/$1" ] && cmp -s "$dir/.$1.new" "$dir/$1"; then rm -f "$dir/.$1.new"; return; fi
  chmod "$2" "$dir/.$1.new"
  mv -f "$dir/.$1.new" "$dir/$1"
}}
"#
    );
    for ScriptFile { name, text } in files {
        // A line of the text can't be its own digest.
        let end = &hex(&Sha256::digest(text.as_bytes()))[..24];
        let mode = if text.starts_with("#!") { "755" } else { "644" };
        script.push_str(&format!("cat >\"$dir/.{name}.new\" <<'{end}'\n{}{end}\nput {name} {mode}\n", whole(text)));
    }
    script.push_str("printf '%s\\n' \"$dir\"\n");
    script
}
