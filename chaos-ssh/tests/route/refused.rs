//! What only `ssh` can tell: our own reader refuses it, with file, line and what to do.

use chaos_core::error::ErrorKind;

use crate::Place;

#[tokio::test]
async fn what_only_ssh_can_tell() {
    for (config, line, remedy) in [
        ("Host web\n Port 1\nMatch exec true\n User x\n", 3, "install the OpenSSH client"),
        ("Match host web exec \"true\"\n", 1, "install the OpenSSH client"),
        ("Match final\n", 1, "install the OpenSSH client"),
        ("Match final host other\n", 1, "install the OpenSSH client"),
        ("Match !final host other\n", 1, "install the OpenSSH client"),
        ("Match canonical\n", 1, "install the OpenSSH client"),
        ("Match tagged x\n", 1, "install the OpenSSH client"),
        ("Match localnetwork 10.0.0.0/8\n", 1, "install the OpenSSH client"),
        ("\nSomethingNew yes\n", 2, "install the OpenSSH client"),
        ("Match user x all\n", 1, "can't be combined"),
        ("Include /a/[^b]/c\n", 1, "name the files"),
        ("CanonicalizeHostname yes\n", 1, "HostName"),
        ("CanonicalizeHostname always\n", 1, "HostName"),
        ("ProxyCommand nc %h %p\n", 1, "ProxyJump"),
        ("KnownHostsCommand /bin/x %H\n", 1, "known_hosts file"),
        ("BindAddress 10.0.0.1\n", 1, "routing table"),
        ("BindInterface eth0\n", 1, "routing table"),
        ("Include ~nobody-of-this-name/x\n", 1, "no user"),
        ("Include /a/**/b\n", 1, "**"),
        ("Port 1\nPort \u{0}\n", 2, "not UTF-8 text"),
    ] {
        let place = Place::new(config);
        let error = place.own("web").await.expect_err(config);
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        let at = format!("{}:{line}: ", place.path("config").display());
        assert!(error.to_string().starts_with(&at), "{config}: {error}");
        assert!(error.to_string().contains(remedy), "{config}: {error}");
    }
}

#[tokio::test]
async fn what_does_not_apply_is_not_refused() {
    let place = Place::new(
        "Host other\n SomethingNew yes\n ProxyCommand nc %h %p\n Port nonsense\n Include {dir}/missing-too\n\
         Match host other exec \"touch {dir}/ran\"\n User x\nHost web\n Port 9\n",
    );
    assert_eq!(place.own("web").await.unwrap().hops[0].port, 9);
    assert!(place.own("other").await.is_err());
    assert!(!place.path("ran").exists());
}

#[tokio::test]
async fn an_error_in_an_included_file_names_that_file() {
    let place = Place::new("Include {dir}/a\n");
    place.write("a", "Port 1\n\nNope x\n");
    let error = place.own("web").await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}:3: nope: ", place.path("a").display())), "{error}");
}

#[tokio::test]
async fn hostile_files_are_errors() {
    let place = Place::new("");
    for bytes in [&b"Port \xff\n"[..], b"\xff\xfe\x00\n", b"\"Port\" 5\n", b"=\n", b"Host \"\n", b"IdentityFile /%\n"] {
        std::fs::write(place.path("config"), bytes).unwrap();
        assert!(place.own("web").await.is_err(), "{bytes:?}");
    }
    std::fs::write(place.path("config"), "# x\n".repeat(400_000)).unwrap();
    assert!(place.own("web").await.unwrap_err().to_string().contains("1 MiB"));
    std::fs::remove_file(place.path("config")).unwrap();
    std::fs::create_dir(place.path("config")).unwrap();
    assert!(place.own("web").await.unwrap_err().to_string().contains("directory"));
}
