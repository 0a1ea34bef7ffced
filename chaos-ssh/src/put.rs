//! Files for the target: written beside their place under another name and then renamed, so that they are there whole
//! or not at all. By SFTP; where the server has none, by a command's standard input.

use std::{sync::Arc, time::Duration};

use chaos_core::{
    clock::Clock,
    error::{Error, ErrorKind, Result},
    model::{AgentName, Ask, Command, End},
    transport::{Output, Request},
};
use russh::ChannelMsg;
use russh_sftp::{
    client::{RawSftpSession, error::Error as SftpError},
    protocol::{FileAttributes, OpenFlags, Packet, StatusCode},
};
use tokio::time::timeout;

use crate::{
    connection::Connection,
    exec::{self, Job, NotStarted},
    nonce::nonce,
};

/// For each request of SFTP, in seconds; and for a server to start it.
const SFTP_SECONDS: u64 = 60;
/// A file by standard input may take this long.
const BY_STDIN: Duration = Duration::from_secs(600);
/// As much as every server takes in one packet.
const PIECE: usize = 32 << 10;

/// Writes all of `$1`, with mode `$2` and size `$3`, from standard input.
const SCRIPT: &str = r#"umask 077
temporary=$1.$4
if [ -d "$1" ]; then echo "Is a directory" >&2; exit 1; fi
trap 'rm -f -- "$temporary"' EXIT
cat >"$temporary" && [ "$(wc -c <"$temporary")" -eq "$3" ] && chmod -- "$2" "$temporary" && mv -f -- "$temporary" "$1""#;

pub(crate) async fn put(
    connection: &Arc<Connection>,
    path: &str,
    bytes: &[u8],
    mode: u32,
    clock: &Arc<dyn Clock>,
) -> Result<()> {
    if !path.starts_with('/') || path.ends_with('/') || path.contains('\0') {
        return Err(Error::new(ErrorKind::InvalidInput, "a file's path begins with / and ends with a name"));
    }
    match by_sftp(connection, path, bytes, mode).await? {
        Some(written) => written,
        None => by_stdin(connection, path, bytes, mode, clock).await,
    }
}

/// `None` when the server has no SFTP.
async fn by_sftp(connection: &Connection, path: &str, bytes: &[u8], mode: u32) -> Result<Option<Result<()>>> {
    let started = timeout(Duration::from_secs(SFTP_SECONDS), async {
        let (mut channel, slot) = connection.session().await?;
        if channel.request_subsystem(true, "sftp").await.is_err() {
            return Err(connection.lost());
        }
        loop {
            match channel.wait().await {
                Some(ChannelMsg::Success) => break,
                Some(ChannelMsg::Failure | ChannelMsg::Close) => {
                    let _ = channel.close().await;
                    return Ok(None);
                }
                Some(_) => {}
                None => return Err(connection.lost()),
            }
        }
        let sftp = RawSftpSession::new(channel.into_stream());
        sftp.set_timeout(SFTP_SECONDS);
        // A server that is configured and not installed starts, and ends at once.
        Ok(sftp.init().await.is_ok().then_some((sftp, slot)))
    });
    let started = started.await.map_err(|_| connection.busy())?;
    let Some((sftp, _slot)) = started? else {
        return Ok(None);
    };
    let temporary = format!("{path}.{}", nonce());
    let written = write(&sftp, path, &temporary, bytes, mode).await;
    if written.is_err() {
        let _ = sftp.remove(&temporary).await;
    }
    let _ = sftp.close_session();
    Ok(Some(written))
}

async fn write(sftp: &RawSftpSession, path: &str, temporary: &str, bytes: &[u8], mode: u32) -> Result<()> {
    let private = FileAttributes { permissions: Some(0o600), ..FileAttributes::empty() };
    let flags = OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::EXCLUDE;
    let handle = sftp.open(temporary, flags, private).await.map_err(|e| said("create the file", &e))?.handle;
    let mut result = Ok(());
    for (n, piece) in bytes.chunks(PIECE).enumerate() {
        if let Err(e) = sftp.write(&handle, (n * PIECE) as u64, piece.to_vec()).await {
            let full = sftp.statvfs(parent(path)).await.is_ok_and(|fs| fs.blocks_avail == 0);
            result = Err(if full { disk_full() } else { said("write the file", &e) });
            break;
        }
    }
    // Some file systems tell only now that there was no room.
    let closed = sftp.close(&handle).await;
    result?;
    closed.map_err(|e| said("write the file", &e))?;
    let wanted = FileAttributes { permissions: Some(mode & 0o7777), ..FileAttributes::empty() };
    sftp.setstat(temporary, wanted).await.map_err(|e| said("set the file's mode", &e))?;
    rename(sftp, temporary, path).await
}

/// Puts the file into its place, in one step where the server can (OpenSSH's extension); SFTP's own rename refuses to
/// replace a file.
async fn rename(sftp: &RawSftpSession, from: &str, to: &str) -> Result<()> {
    let mut names = Vec::new();
    for name in [from, to] {
        names.extend_from_slice(&u32::try_from(name.len()).unwrap_or(u32::MAX).to_be_bytes());
        names.extend_from_slice(name.as_bytes());
    }
    let failed = |e: &SftpError| said("put the file into its place", e);
    match sftp.extended("posix-rename@openssh.com", names).await {
        Ok(Packet::Status(status)) if status.status_code == StatusCode::Ok => Ok(()),
        Ok(Packet::Status(status)) if status.status_code == StatusCode::OpUnsupported => {
            sftp.rename(from, to).await.map(drop).map_err(|e| failed(&e))
        }
        Ok(Packet::Status(status)) => Err(failed(&SftpError::Status(status))),
        Ok(_) => Err(failed(&SftpError::UnexpectedPacket)),
        Err(SftpError::Status(status)) if status.status_code == StatusCode::OpUnsupported => {
            sftp.rename(from, to).await.map(drop).map_err(|e| failed(&e))
        }
        Err(e) => Err(failed(&e)),
    }
}

fn parent(path: &str) -> String {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/".into(),
        Some((parent, _)) => parent.into(),
    }
}

fn disk_full() -> Error {
    Error::new(ErrorKind::Storage, "the target's disk is full: nothing was written")
}

fn said(action: &str, e: &SftpError) -> Error {
    let kind = match e {
        SftpError::Status(status) => match status.status_code {
            StatusCode::NoSuchFile => ErrorKind::NotFound,
            StatusCode::PermissionDenied => ErrorKind::Denied,
            StatusCode::NoConnection | StatusCode::ConnectionLost => ErrorKind::Unreachable,
            _ => ErrorKind::Storage,
        },
        SftpError::Timeout | SftpError::IO(_) => ErrorKind::Unreachable,
        _ => ErrorKind::Storage,
    };
    // What the server says is data.
    let why = crate::hops::printable(&e.to_string(), 200);
    Error::new(kind, format!("the target did not {action}: {why}"))
}

async fn by_stdin(
    connection: &Arc<Connection>,
    path: &str,
    bytes: &[u8],
    mode: u32,
    clock: &Arc<dyn Clock>,
) -> Result<()> {
    let (mode, size, nonce) = (format!("{:o}", mode & 0o7777), bytes.len().to_string(), nonce());
    let command = Command::new(["sh", "-c", SCRIPT, "sh", path, &mode, &size, &nonce]);
    let ask = Ask::Run(command.clone());
    let request = Request { agent: AgentName::new("put"), ask, within: BY_STDIN, max_bytes: 64 << 10 };
    let job = Job::new(connection, &command, bytes.to_vec())?;
    let started = exec::run(connection.clone(), job, &request, clock.clone()).await;
    let reply = started.map_err(|(NotStarted::Unsent(e) | NotStarted::Sent(e))| e)?;
    let Output { stderr, end, .. } = reply.output(64 << 10).await;
    match end {
        End::Exited(0) => Ok(()),
        End::Failed(e) => Err(e),
        _ => Err(complaint(&String::from_utf8_lossy(&stderr))),
    }
}

fn complaint(stderr: &str) -> Error {
    let first = stderr.lines().find(|line| !line.trim().is_empty()).unwrap_or("it was cut short");
    let said = |kind| {
        let why = crate::hops::printable(first, 200);
        Error::new(kind, format!("the target did not write the file: {why}"))
    };
    if stderr.contains("No space left on device") {
        disk_full()
    } else if stderr.contains("Permission denied") || stderr.contains("Read-only file system") {
        said(ErrorKind::Denied)
    } else if stderr.contains("No such file") || stderr.contains("nonexistent") {
        said(ErrorKind::NotFound)
    } else {
        said(ErrorKind::Storage)
    }
}
