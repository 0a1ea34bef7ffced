//! Files that are put on a target: whole, or not at all.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use chaos_core::error::ErrorKind;

use crate::support::{Server, directory, is_root, skip, text};

/// A server with SFTP, and one without.
fn servers() -> Option<[Server; 2]> {
    let without = Server::openssh("Subsystem sftp /bin/false")?;
    Some([Server::openssh("")?, without])
}

fn names(dir: &Path) -> Vec<String> {
    fs::read_dir(dir).unwrap().flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_written_whole_and_replaced_whole() {
    let Some(servers) = servers() else { return };
    for server in servers {
        let ssh = server.connect().await;
        let dir = directory();
        let path = dir.path().join("it's a file\n");
        let place = path.to_str().unwrap();
        let bytes: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
        ssh.put(place, b"before", 0o600).await.unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(fs::read(&path).unwrap(), b"before");
        ssh.put(place, &bytes, 0o751).await.unwrap_or_else(|e| panic!("{e}"));
        assert!(fs::read(&path).unwrap() == bytes);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o751);
        ssh.put(place, b"", 0o644).await.unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(fs::read(&path).unwrap(), b"");
        assert_eq!(names(dir.path()).len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_way_is_told() {
    let Some(servers) = servers() else { return };
    for server in servers {
        let ssh = server.connect().await;
        let dir = directory();
        let absent = dir.path().join("absent/file");
        let e = ssh.put(absent.to_str().unwrap(), b"x", 0o644).await.unwrap_err();
        assert_eq!(e.kind(), ErrorKind::NotFound, "{e}");
        fs::create_dir(dir.path().join("there")).unwrap();
        let e = ssh.put(dir.path().join("there").to_str().unwrap(), b"x", 0o644).await.unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Storage, "{e}");
        assert_eq!(names(dir.path()), ["there"]);
        let e = ssh.put("relative", b"x", 0o644).await.unwrap_err();
        assert_eq!(e.kind(), ErrorKind::InvalidInput, "{e}");
    }
}

/// A small file system of its own, until it is dropped.
struct Small(tempfile::TempDir);

impl Small {
    fn new() -> Option<Self> {
        if !is_root() {
            skip("a file system can only be mounted by root");
            return None;
        }
        let dir = directory();
        text(Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"]).arg(dir.path()));
        Some(Self(dir))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_leaves_what_was_there() {
    let Some(servers) = servers() else { return };
    for server in servers {
        let Some(small) = Small::new() else { return };
        let ssh = server.connect().await;
        let path = small.0.path().join("file");
        fs::write(&path, "before").unwrap();
        let e = ssh.put(path.to_str().unwrap(), &vec![7; 2 << 20], 0o644).await.unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Storage, "{e}");
        assert!(e.to_string().contains("disk is full"), "{e}");
        assert_eq!(fs::read(&path).unwrap(), b"before");
        assert_eq!(names(small.0.path()), ["file"]);
    }
}
