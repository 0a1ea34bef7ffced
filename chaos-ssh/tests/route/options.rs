//! What a caller says beside the configuration, and homes.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};

use chaos_core::error::ErrorKind;
use chaos_ssh::route::{ConfigFile, NewHosts, Options, Reader, Route};

use crate::{Place, ssh, without_old_keys};

const PIN: &str = "SHA256:uNiVztksCsDhcc0u9e8BrrV8xMtBiAQDDZZrzHVUNSM";

#[tokio::test]
async fn what_is_said_concerns_the_target_and_goes_first() {
    let place = Place::new("IdentityFile /configured\nHost web\n ProxyJump gate\nHost *\n UserKnownHostsFile /kh\n");
    place.write("key", "");
    let mut found = Vec::new();
    for reader in [Reader::Own, Reader::Ssh(ssh())] {
        let options = Options {
            identity_files: vec![place.path("key")],
            pinned: vec![PIN.to_owned()],
            new_hosts: Some(NewHosts::Accept),
            user_known_hosts: vec!["/mine".into()],
            connect_timeout: Some(Duration::from_secs(3)),
            ..place.options(reader)
        };
        found.push(Route::find_with(&"web".parse().unwrap(), &options).await.unwrap());
    }
    assert_eq!(found[0], found[1]);
    let [gate, web] = found[0].hops.as_slice() else { panic!("{found:?}") };
    assert_eq!(web.identity_files, [place.path("key"), PathBuf::from("/configured")]);
    assert!(web.identities_only && !gate.identities_only);
    assert_eq!((web.new_hosts, gate.new_hosts), (NewHosts::Accept, NewHosts::Refuse));
    assert_eq!((web.pinned.as_slice(), gate.pinned.len()), (&[PIN.to_owned()][..], 0));
    assert_eq!(web.user_known_hosts, [PathBuf::from("/mine")]);
    assert_eq!(gate.user_known_hosts, [PathBuf::from("/kh")]);
    assert_eq!((web.connect_timeout.as_secs(), gate.connect_timeout.as_secs()), (3, 15));
}

#[tokio::test]
async fn a_named_key_replaces_the_default_ones() {
    let place = Place::new("");
    place.write("key", "");
    for reader in [Reader::Own, Reader::Ssh(ssh())] {
        let options = Options { identity_files: vec![place.path("key")], ..place.options(reader) };
        let route = Route::find_with(&"web".parse().unwrap(), &options).await.unwrap();
        assert_eq!(route.hops[0].identity_files, [place.path("key")]);
    }
}

#[tokio::test]
async fn a_malformed_option_is_refused_before_anything_is_read() {
    let place = Place::new("");
    for pin in ["", "SHA256:", "MD5:aa:bb", "SHA256:short", &PIN[7..], &format!("{PIN}=x")] {
        let options = Options { pinned: vec![pin.to_owned()], ..place.options(Reader::Own) };
        let error = Route::find_with(&"web".parse().unwrap(), &options).await.expect_err(pin);
        assert!(error.to_string().contains("ssh-keygen"), "{error}");
    }
    let options = Options { identity_files: vec![place.path("no-key")], ..place.options(Reader::Own) };
    let error = Route::find_with(&"web".parse().unwrap(), &options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(error.to_string().contains("no-key"), "{error}");
}

#[tokio::test]
async fn a_home_without_ssh_has_the_defaults() {
    let home = tempfile::tempdir().unwrap();
    let options = Options { home: Some(home.path().to_owned()), ..Options::default() };
    let hop = Route::find_with(&"web".parse().unwrap(), &options).await.unwrap().hops.remove(0);
    assert_eq!(hop.user_known_hosts, ["known_hosts", "known_hosts2"].map(|f| home.path().join(".ssh").join(f)));
    assert_eq!(hop.identity_files[0], home.path().join(".ssh/id_rsa"));
    assert_eq!((hop.host.as_str(), hop.port), ("web", 22));
    assert!(!home.path().join(".ssh").exists(), "nothing is made there");
}

#[tokio::test]
async fn a_home_has_its_own_configuration_and_includes() {
    let place = Place::new("");
    place.write(".ssh/config", "Include conf.d/*\nHost web\n HostName real\n");
    place.write(".ssh/conf.d/1", "Host web\n Port 9\n IdentityFile ~/k\n");
    let options = Options { home: Some(place.dir().to_owned()), ..Options::default() };
    let target = "web".parse().unwrap();
    let hop = Route::find_with(&target, &options).await.unwrap().hops.remove(0);
    assert_eq!((hop.host.as_str(), hop.port), ("real", 9));
    assert_eq!(hop.identity_files, [place.path("k")]);
    fs::set_permissions(place.path(".ssh/config"), fs::Permissions::from_mode(0o666)).unwrap();
    let error = Route::find_with(&target, &options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
}

#[tokio::test]
async fn the_machines_configuration_and_none_at_all() {
    let target = "web.example.com".parse().unwrap();
    for config in [ConfigFile::Default, ConfigFile::None] {
        let find = async |reader| {
            let options = Options { config: config.clone(), reader, ..Options::default() };
            Route::find_with(&target, &options).await.unwrap()
        };
        let own = find(Reader::Own).await;
        assert_eq!(own, without_old_keys(find(Reader::Ssh(ssh())).await), "{config:?}");
        assert_eq!(own, without_old_keys(find(Reader::Auto).await), "{config:?}");
    }
    assert_eq!(Route::find(&target).await.unwrap().hops.len(), 1);
}
