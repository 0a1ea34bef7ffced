//! What a person may type, and what nobody may.

use chaos_core::error::ErrorKind;
use chaos_ssh::destination::Destination;

fn parts(text: &str) -> (Option<String>, String, Option<u16>) {
    let Destination { user, host, port } = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
    (user, host, port)
}

#[test]
fn all_forms() {
    for (text, user, host, port) in [
        ("web", None, "web", None),
        ("Web.Example.com", None, "Web.Example.com", None),
        ("bob@web", Some("bob"), "web", None),
        ("web:2222", None, "web", Some(2222)),
        ("bob@web:65535", Some("bob"), "web", Some(65535)),
        ("10.0.0.1:1", None, "10.0.0.1", Some(1)),
        ("::1", None, "::1", None),
        ("[::1]", None, "::1", None),
        ("[::1]:22", None, "::1", Some(22)),
        ("bob@[2001:db8::1]:22", Some("bob"), "2001:db8::1", Some(22)),
        ("bob@fe80::1%eth0", Some("bob"), "fe80::1%eth0", None),
        ("bob@example.com@web", Some("bob@example.com"), "web", None),
        ("DOMAIN\\bob@web", Some("DOMAIN\\bob"), "web", None),
        ("svc$@web", Some("svc$"), "web", None),
        ("ssh://web", None, "web", None),
        ("SSH://web/", None, "web", None),
        ("ssh://bob@web:2222/", Some("bob"), "web", Some(2222)),
        ("ssh://bob%40example.com@[::1]:22", Some("bob@example.com"), "::1", Some(22)),
        ("ssh://a%5Cb@web", Some("a\\b"), "web", None),
        ("ssh://m%C3%BCller@web", Some("müller"), "web", None),
        ("my_alias-1", None, "my_alias-1", None),
        ("café", None, "café", None),
    ] {
        assert_eq!(parts(text), (user.map(str::to_owned), host.to_owned(), port), "{text}");
        let destination: Destination = text.parse().unwrap();
        assert_eq!(destination.to_string().parse::<Destination>().unwrap(), destination, "its text reads back");
    }
}

#[test]
fn what_is_refused_and_why() {
    for (text, why) in [
        ("", "names no host"),
        ("bob@", "names no host"),
        (":22", "names no host"),
        ("ssh://", "names no host"),
        ("ssh:///", "names no host"),
        ("ssh://bob@:22", "names no host"),
        ("-oProxyCommand=touch /tmp/x", "begins with -"),
        ("bob@-F/etc/passwd", "begins with -"),
        ("ssh://-oProxyCommand=x", "begins with -"),
        ("-l@web", "begins with -"),
        ("ssh://%2Doops@web", "begins with -"),
        ("@web", "login name is empty"),
        ("ssh://@web", "login name is empty"),
        ("we b", "blank"),
        (" web", "blank"),
        ("web\n", "blank"),
        ("web\0", "blank"),
        ("web\u{1b}[2J", "blank"),
        ("web\u{202e}moc", "blank"),
        ("web\u{a0}", "blank"),
        ("bo b@web", "blank"),
        ("ssh://bo%20b@web", "blank"),
        ("ssh://bo%00b@web", "blank"),
        ("ssh://bo%0ab@web", "blank"),
        ("$(id)", "character"),
        ("`id`", "character"),
        ("web;id", "character"),
        ("a,b", "character"),
        ("web|id", "character"),
        ("a'b@web", "character"),
        ("bob\\@web", "character"),
        ("web/path", "character"),
        ("web:0", "1 to 65535"),
        ("web:65536", "1 to 65535"),
        ("web:+22", "1 to 65535"),
        ("web:-1", "1 to 65535"),
        ("web:", "1 to 65535"),
        ("web:ssh", "1 to 65535"),
        ("web:22:23", "1 to 65535"),
        ("web:99999999999999999999", "1 to 65535"),
        ("[::1", "[ without ]"),
        ("[::1]22", "only :PORT"),
        ("[web]:22", "only an IPv6"),
        ("[]:22", "only an IPv6"),
        ("[fe80::1%]:22", "only an IPv6"),
        ("ssh://web/path", "names a host only"),
        ("ssh://web//", "names a host only"),
        ("ssh://web?x", "names a host only"),
        ("ssh://web#x", "names a host only"),
        ("http://web", "not ssh"),
        ("sftp://web", "not ssh"),
        ("://web", "not ssh"),
        ("ssh://a%zz@web", "hexadecimal"),
        ("ssh://a%4@web", "hexadecimal"),
        ("ssh://a%ff@web", "UTF-8"),
        ("ssh://bob;fingerprint=x@web", "character"),
    ] {
        let error = text.parse::<Destination>().expect_err(text);
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text}");
        assert!(error.to_string().contains(why), "{text:?}: {error}");
    }
}

#[test]
fn a_password_is_refused_and_never_repeated() {
    for text in [
        "ssh://bob:hunter2@web",
        "ssh://bob:hunter2@web:22/",
        "ssh://bob:hunter2@@web",
        "ssh://:hunter2@web",
        "bob:hunter2@web",
        "bob:hun@ter2hunter2@web",
        "ssh://bob%3Ahunter2@web",
        "ssh://bob:hunter2@",
    ] {
        let error = text.parse::<Destination>().expect_err(text).to_string();
        assert!(error.contains("password") && !error.contains("hunter2"), "{text}: {error}");
    }
    // Whatever else is wrong, it is not repeated either.
    for text in
        ["ssh://bob:hun/hunter2@web", "web:hunter2", "bob:hunter2", "http://bob:hunter2@web", "ssh://b:hunter2@/x"]
    {
        let error = text.parse::<Destination>().expect_err(text);
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{text}: {error}");
    }
}
