//! Compiled plugins are kept, and nothing that this user did not write is taken for one.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use chaos_plugins::{Grants, Host, Plugin};

use crate::{
    component::{Found, Guest},
    support::{call, host},
};

fn cached_in(dir: &Path) -> Host {
    host().with_cache(dir)
}

fn entry(dir: &Path) -> PathBuf {
    let entries: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries[0].clone()
}

fn load(dir: &Path, component: &[u8]) -> Plugin {
    cached_in(dir).load(component, &Grants::default()).unwrap()
}

#[tokio::test]
async fn a_second_load_compiles_nothing_and_does_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("plugins");
    let component = Guest::finding(&[Found::default()]).named("kept");
    let (first, second) = (load(&cache, &component), load(&cache, &component));
    assert!(!first.was_cached() && second.was_cached());
    let told = |found: Vec<chaos_core::model::Finding>| format!("{found:?}");
    assert_eq!(told(call(&first).await.unwrap()), told(call(&second).await.unwrap()));
    assert_eq!(fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn damaged_foreign_and_open_entries_are_ignored() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("plugins");
    let component = Guest::finding(&[Found::default()]).named("kept");
    load(&cache, &component);
    let path = entry(&cache);
    let good = fs::read(&path).unwrap();
    let put = |bytes: &[u8]| {
        let _ = fs::remove_file(&path);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    };
    // It works as it is, so that what follows fails for the reason that it is given.
    put(&good);
    assert!(load(&cache, &component).was_cached());

    for at in [0, 30, 90, 160, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        put(&bad);
        let plugin = load(&cache, &component);
        assert!(!plugin.was_cached(), "a flip at {at}");
        assert_eq!(call(&plugin).await.unwrap().len(), 1);
    }
    for bad in [&b""[..], &good[..good.len() - 1], &good[..100], b"chaos-plugin-cache 1\n"] {
        put(bad);
        assert!(!load(&cache, &component).was_cached());
    }
    // Of another component, whole, under this one's name.
    let other_dir = dir.path().join("other");
    load(&other_dir, &Guest::default().named("other"));
    put(&fs::read(entry(&other_dir)).unwrap());
    assert!(!load(&cache, &component).was_cached());
    // Others could have written it.
    put(&good);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    assert!(!load(&cache, &component).was_cached());
    put(&good);
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(!load(&cache, &component).was_cached());
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o700)).unwrap();
    // A link leads to what can be swapped.
    let elsewhere = dir.path().join("elsewhere");
    fs::write(&elsewhere, &good).unwrap();
    fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o600)).unwrap();
    fs::remove_file(&path).unwrap();
    symlink(&elsewhere, &path).unwrap();
    assert!(!load(&cache, &component).was_cached());
}

#[test]
fn a_cache_that_cannot_be_written_costs_nothing_but_time() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    let plugin = load(&file.join("below"), &Guest::default().named("kept"));
    assert!(!plugin.was_cached());
}
