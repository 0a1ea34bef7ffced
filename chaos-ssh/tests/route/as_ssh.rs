//! The same files and hosts for both readers.

use std::{fs, os::unix::fs::symlink, time::Duration};

use chaos_ssh::route::NewHosts;

use crate::Place;

/// What is compared: why, the configuration, the targets.
type Case = (&'static str, &'static str, &'static [&'static str]);

const CASES: &[Case] = &[
    ("nothing configured", "", &["web", "Web", "bob@web:2222", "::1", "bob@[::1]:2222", "fe80::1%eth0", "10.0.0.1"]),
    (
        "addresses in every form",
        "Host six\n HostName FE80:0::A\nHost nine\n HostName 010.1\n",
        &[
            "FE80:0::A",
            "FE80::A%lo",
            "::FFFF:1.2.3.4",
            "010.0.0.1",
            "0X7f.1",
            "127.1",
            "1.2.3",
            "1.2",
            "2130706433",
            "256.1.1.1",
            "1.2.3.256",
            "1.2.3.4.5",
            "1.2.3.",
            "08.1",
            "0x",
            "0xg",
            "4294967296",
            "face",
            "Dead.Beef",
            "six",
            "nine",
            "2001:DB8:0:0:1:0:0:1",
        ],
    ),
    ("comments and blanks", "\n  # Port 1\n\t\nHost web # Port 2\n  User bob # x\n#Port 3\n", &["web", "db"]),
    ("a # within a word is no comment", "User bob#x\nIdentityFile /k#1\n", &["web"]),
    ("first wins", "Host web\n Port 1\nHost *\n Port 2\n User x\nHost web\n User y\n Port 3\n", &["web", "db"]),
    ("global lines before any Host", "Port 7\nUser a\nHost web\n User b\n Port 8\n", &["web"]),
    (
        "wildcards",
        "Host w*b\n Port 1\nHost ?b\n Port 2\nHost *.example.com\n Port 3\n",
        &["web", "wb", "db", "xdb", "a.example.com", "example.com"],
    ),
    ("many stars", "Host *a*a*a*a*a*b\n Port 1\n", &["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", "aaaaaaaab"]),
    (
        "negation",
        "Host *.x !bad.x\n Port 1\nHost !web\n Port 2\nHost !db * \n User q\n",
        &["a.x", "bad.x", "web", "db"],
    ),
    ("negation first, and after a match", "Host !a *\n Port 1\nHost * !b\n User u\n", &["a", "b", "c"]),
    ("several hosts", "Host a b \"c\" 'd'\n Port 9\n", &["a", "b", "c", "d", "e"]),
    ("no list with commas in Host", "Host a,b\n Port 9\n", &["a", "b"]),
    ("Host tells upper from lower case", "Host Web\n Port 9\n", &["web", "Web", "WEB"]),
    ("keywords in any case", "HOST web\n pOrT 9\n USER Bob\n IDENTITYFILE /K\n", &["web"]),
    ("with =", "Host=web\n Port=9\n User = bob\nHost = db\n Port  =  8\n User= \"a b\"\n", &["web", "db"]),
    ("quotes", "User \"a b\"\nIdentityFile \"/a b/c\"\nIdentityFile '/it s'\nIdentityFile /x'y z'w\n", &["web"]),
    (
        "escapes",
        "IdentityFile /a\\ b\nIdentityFile \"/a\\\"b\"\nIdentityFile \"/a\\ b\"\nIdentityFile /a\\\\b\nIdentityFile /a\\nb\n",
        &["web"],
    ),
    ("carriage returns", "Host web\r\n Port 9\r\n User bob\r\n", &["web"]),
    ("form feed at the end", "Port 9\x0c\nUser bob\x0c \n", &["web"]),
    ("no newline at the end", "Host web\n Port 9", &["web"]),
    ("tabs", "Host\tweb\tdb\n\tPort\t9\n", &["web", "db"]),
    ("HostName", "Host web\n HostName Web.Example.COM\nHost v6\n HostName ::1\n", &["web", "v6", "DB"]),
    ("HostName with tokens", "HostName %h.x.%%y%h\n", &["web", "WEB"]),
    (
        "files add up, once each",
        "IdentityFile /a\nHost web\n IdentityFile ~/b\n IdentityFile /a\n IdentityFile none\nHost *\n IdentityFile /c\n CertificateFile /d\n CertificateFile ~/e-%h\n",
        &["web", "db"],
    ),
    ("no keys", "IdentityFile none\n", &["web"]),
    (
        "tokens of paths",
        "Host web\n HostName real\n Port 77\n User bob\n HostKeyAlias Ali\nHost *\n IdentityFile ~/%d/%h/%i/%k/%L/%l/%n/%p/%r/%u/%%/x\n CertificateFile %h-%r\n RevokedHostKeys ~/%h/%k\n UserKnownHostsFile ~/kh-%h-%k-%r-%p /g/%%-%n\n IdentityAgent ~/agent-%h-%r\n",
        &["web", "db", "kim@db:5"],
    ),
    (
        "what a token stands for is not expanded again",
        "Host *\n HostName %%h\n IdentityFile /%h/${HOME}x$HOME\n UserKnownHostsFile /%h\n",
        &["web"],
    ),
    (
        "variables of the environment",
        "IdentityFile ${HOME}/k\nUserKnownHostsFile ${HOME}/kh\nCertificateFile /c/${PATH}\nIdentityAgent ${HOME}/a\n",
        &["web"],
    ),
    (
        "~ of a user",
        "UserKnownHostsFile ~root/kh ~/kh2\nIdentityFile ~root/k\nGlobalKnownHostsFile ~root/g ~/h\nIdentityAgent ~root/a\n",
        &["web"],
    ),
    (
        "known_hosts files with blanks",
        "UserKnownHostsFile \"/a b/c  d\" /e\nGlobalKnownHostsFile \"/f g\" ~/h\n",
        &["web"],
    ),
    ("no known_hosts files", "UserKnownHostsFile none\nGlobalKnownHostsFile none\n", &["web"]),
    ("the first known_hosts line wins whole", "UserKnownHostsFile /a\nUserKnownHostsFile /b /c\n", &["web"]),
    (
        "strict",
        "Host a\n StrictHostKeyChecking yes\nHost b\n StrictHostKeyChecking no\nHost c\n StrictHostKeyChecking OFF\nHost d\n StrictHostKeyChecking accept-new\nHost e\n StrictHostKeyChecking ask\n",
        &["a", "b", "c", "d", "e", "f"],
    ),
    ("trust", "HostKeyAlias \"An Alias\"\nRevokedHostKeys \"/r v\"\nHashKnownHosts YES\n", &["web"]),
    ("revoked none", "RevokedHostKeys NONE\n", &["web"]),
    (
        "times",
        "Host a\n ConnectTimeout 90\n ServerAliveInterval 1m\nHost b\n ConnectTimeout 1h2M3s\n ServerAliveInterval 1w1d\nHost c\n ConnectTimeout none\n ServerAliveInterval 0\nHost d\n ConnectTimeout 0\n ServerAliveInterval none\nHost *\n ServerAliveCountMax 7\n",
        &["a", "b", "c", "d", "e"],
    ),
    (
        "logins",
        "Host a\n PubkeyAuthentication no\nHost b\n PasswordAuthentication no\nHost c\n PreferredAuthentications password\nHost d\n PreferredAuthentications publickey,keyboard-interactive\nHost e\n BatchMode yes\n ServerAliveInterval 9\nHost f\n PubkeyAuthentication unbound\n IdentitiesOnly yes\n",
        &["a", "b", "c", "d", "e", "f"],
    ),
    (
        "agents",
        "Host a\n IdentityAgent none\nHost b\n IdentityAgent /s/k\nHost c\n IdentityAgent SSH_AUTH_SOCK\nHost d\n IdentityAgent $HOME\nHost e\n IdentityAgent $NOT_SET_ANYWHERE\nHost f\n IdentityAgent \"/a b\"\n",
        &["a", "b", "c", "d", "e", "f"],
    ),
    ("Match all", "Match all\n Port 5\n", &["web"]),
    ("Match !all", "Match !all\n Port 5\nMatch all # x\n User y\n", &["web"]),
    (
        "a Match body is not the Host's before it",
        "Host web\n User a\nMatch host other\n Port 5\n User b\n IdentityFile /other\n",
        &["web", "other", "db"],
    ),
    (
        "a Host body is not the Match's before it",
        "Match user nobody-here\n Port 5\nHost web\n User a\n",
        &["web", "db"],
    ),
    (
        "Match host looks at HostName, originalhost at what was typed",
        "Host web\n HostName Real.x\nMatch host real.x\n Port 5\nMatch originalhost web\n User o\nMatch host web\n IdentityFile /no\n",
        &["web", "real.x", "WEB"],
    ),
    (
        "Match host before HostName",
        "Match host web\n Port 5\nHost web\n HostName real\nMatch host web\n User u\n",
        &["web"],
    ),
    (
        "Match lists and wildcards, in any case",
        "Match host \"*.x,!bad.x,Y\"\n Port 5\nMatch originalhost A.*,?b\n User u\n",
        &["a.x", "bad.x", "y", "Y", "A.X", "bb"],
    ),
    ("Match negated", "Match !host web\n Port 5\nMatch host * !originalhost db\n User u\n", &["web", "db", "x"]),
    (
        "Match user sees the user so far",
        "Match user bob\n Port 5\nHost web\n User bob\nMatch user bob\n IdentityFile /b\nMatch user BOB\n IdentityFile /no\n",
        &["web", "bob@web", "amy@web"],
    ),
    ("Match localuser", "Match localuser root,nobody\n Port 5\nMatch localuser !root,*\n User u\n", &["web"]),
    (
        "Match with several criteria, = and case",
        "MATCH Host=web USER=bob\n Port 5\nMatch host web user amy # host x\n Port 6\n",
        &["bob@web", "amy@web", "web"],
    ),
    (
        "Match that fails before it would ask a command",
        "Match host other exec \"touch {dir}/ran\"\n Port 5\nMatch host web\n User x\n",
        &["web"],
    ),
    (
        "ProxyJump none, and the choice with ProxyCommand",
        "Host a\n ProxyJump none\nHost b\n ProxyCommand none\nHost c\n ProxyJump j\nHost *\n ProxyCommand none\n ProxyJump k\n",
        &["a", "b", "c", "d"],
    ),
    (
        "ProxyCommand none ends the choice",
        "Host a\n ProxyJump none\n ProxyCommand none\nHost b\n ProxyCommand none\nHost *\n ProxyCommand nc\n",
        &["a", "b"],
    ),
    ("ProxyCommand after ProxyJump", "Host web\n ProxyJump j\nHost web\n ProxyCommand nc %h %p\n", &["web"]),
    ("ProxyJump with a comment", "Host web\n ProxyJump j #k\nHost db\n ProxyJump=u@j:2200#k\n", &["web", "db"]),
    (
        "what is passed over",
        "ForwardAgent yes\nCompression yes\nLogLevel DEBUG\nSendEnv LANG LC_*\nSetEnv A=b\nControlMaster auto\nControlPath ~/.c-%C\nControlPersist 10m\nVisualHostKey yes\nAddKeysToAgent yes\nRequestTTY no\nCiphers aes256-ctr\nLocalForward 8080 localhost:80\nUpdateHostKeys no\nCanonicalizeHostname no\nGSSAPIAuthentication yes\nProtocol 2\nTCPKeepAlive no\nIPQoS none\nRekeyLimit 1G 1h\nKnownHostsCommand none\nTunnel no\nAddressFamily inet\nPort 9\n",
        &["web"],
    ),
    ("IgnoreUnknown", "IgnoreUnknown Use*,!x,Secret\nUseKeychain yes\nsecret a b\nPort 9\n", &["web"]),
];

#[tokio::test]
async fn our_reader_says_what_ssh_says() {
    let mut hosts = 0;
    for (why, config, targets) in CASES {
        let place = Place::new(config);
        for target in *targets {
            eprintln!("{why}: {target}");
            place.both(target).await;
            hosts += 1;
        }
        assert!(!place.path("ran").exists(), "a command of the configuration ran");
    }
    assert!(hosts >= 100, "{hosts}");
    eprintln!("{} configurations, {hosts} hosts", CASES.len());
}

#[tokio::test]
async fn included_files_are_read_as_ssh_reads_them() {
    let place = Place::new(
        "Host web\n Include {dir}/a {dir}/missing {dir}/d/*.conf\n Port 2\nInclude {dir}/only-for-web\nHost *\n User z\n",
    );
    place.write("a", "Host other\n Port 3\nHost web\n IdentityFile /a\n Include {dir}/b\n User from-a\n");
    place.write("b", "IdentityFile /b\nMatch host nobody\n IdentityFile /never\n");
    place.write("only-for-web", "ConnectTimeout 5\n");
    place.write("d/2.conf", "IdentityFile /two\nHost nothing\n");
    place.write("d/1.conf", "IdentityFile /one\n");
    place.write("d/.hidden.conf", "IdentityFile /hidden\n");
    place.write("d/sub/3.conf", "IdentityFile /three\n");
    for target in ["web", "other", "db"] {
        place.both(target).await;
    }
    let hop = place.own("web").await.unwrap().hops.remove(0);
    let files: Vec<_> = hop.identity_files.iter().map(|f| f.to_str().unwrap()).collect();
    assert_eq!(files, ["/a", "/b", "/one", "/two"]);
    assert_eq!((hop.port, hop.user.as_str()), (2, "from-a"), "after an Include the block around it goes on");
}

#[tokio::test]
async fn patterns_of_include() {
    for pattern in ["{dir}/d/[ab].c", "{dir}/d/?.c", "{dir}/*/a.c", "{dir}/d/[!a].c", "\"{dir}/d d/x\"", "{dir}/d/.h*"]
    {
        let place = Place::new(&format!("Include {pattern}\n"));
        for name in ["d/a.c", "d/b.c", "d/ab.c", "e/a.c", "d d/x", "d/.hc"] {
            place.write(name, &format!("IdentityFile /{}\n", name.replace(' ', "")));
        }
        let route = place.both("web").await;
        assert!(!route.hops[0].identity_files[0].to_str().unwrap().contains("id_rsa"), "{pattern} found something");
    }
}

#[tokio::test]
async fn both_refuse_what_ssh_calls_wrong() {
    for config in [
        "Foo bar\n",
        "Port 0\n",
        "Port 70000\n",
        "Port 22#x\n",
        "Port\n",
        "Port 1 2\n",
        "User \"a\n",
        "User \"\"\n",
        "HostName a b\n",
        "HostName %n\n",
        "HostName %\n",
        "StrictHostKeyChecking maybe\n",
        "HashKnownHosts 1\n",
        "ConnectTimeout 5x\n",
        "ConnectTimeout -1\n",
        "ConnectTimeout m\n",
        "ServerAliveInterval 99999999999\n",
        "ServerAliveCountMax 5x\n",
        "UserKnownHostsFile /a none\n",
        "UserKnownHostsFile ${NOT_SET_ANYWHERE}/x\n",
        "UserKnownHostsFile /%z\n",
        "UserKnownHostsFile ~nobody-of-this-name/x\n",
        "IdentityAgent ${NOT_SET_ANYWHERE}\n",
        "RevokedHostKeys /a /b\n",
        "Match\n",
        "Match user\n",
        "Match all user x\n",
        "Match # x\n",
        "Host\n",
        "Host \"\"\n",
        "Include\n",
        "ProxyJump a:0\n",
        "ProxyJump a,,b\n",
        "ProxyJump a b\n",
        "ProxyJump http://a\n",
        "IdentityFile /a${NOT_SET_ANYWHERE}\n",
        "IdentityFile /%z\n",
        "BindAddress 127.0.0.1\n",
        "ProxyCommand nc %h %p\n",
        "ProxyJump none\nProxyCommand nc %h %p\n",
        "KnownHostsCommand /bin/true\n",
    ] {
        let place = Place::new(config);
        for (who, answer) in [("our reader", place.own("web").await), ("ssh", place.ssh("web").await)] {
            let error = answer.expect_err(&format!("{who} accepts {config}"));
            assert_eq!(error.kind(), chaos_core::error::ErrorKind::InvalidInput, "{who}: {error}");
        }
    }
}

#[tokio::test]
async fn a_file_that_includes_itself_ends() {
    let place = Place::new("Include {dir}/config\n");
    let error = place.own("web").await.unwrap_err().to_string();
    assert!(error.contains("includes itself"), "{error}");
    assert!(place.ssh("web").await.is_err());
    // Two that include each other twice would be read 2^16 times.
    let place = Place::new("Include {dir}/b {dir}/b\n");
    place.write("b", "Include {dir}/config {dir}/config\n");
    assert!(place.own("web").await.is_err());
}

#[tokio::test]
async fn an_included_file_that_others_can_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new("Include {dir}/a\n");
    place.write("a", "Port 9\n");
    fs::set_permissions(place.path("a"), fs::Permissions::from_mode(0o666)).unwrap();
    let error = place.own("web").await.unwrap_err().to_string();
    assert!(error.contains("chmod go-w"), "{error}");
    let error = place.ssh("web").await.unwrap_err().to_string();
    assert!(error.contains("Bad owner or permissions"), "{error}");
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_is_an_error_for_both() {
    let place = Place::new("");
    fs::remove_file(place.path("config")).unwrap();
    for missing in [place.own("web").await, place.ssh("web").await] {
        assert!(missing.unwrap_err().to_string().contains("config"));
    }
    // A link to itself can't be opened by root either.
    symlink(place.path("config"), place.path("config")).unwrap();
    for unreadable in [place.own("web").await, place.ssh("web").await] {
        assert!(unreadable.unwrap_err().to_string().contains("config"));
    }
}

#[tokio::test]
async fn keys_are_verified_whatever_is_configured() {
    let place = Place::new("StrictHostKeyChecking off\nNoHostAuthenticationForLocalhost yes\nConnectTimeout 0\n");
    let hop = place.both("localhost").await.hops.remove(0);
    assert_eq!(hop.new_hosts, NewHosts::Accept);
    assert!(!hop.user_known_hosts.is_empty());
    assert_eq!(hop.connect_timeout, Duration::from_secs(15));
    assert_eq!(hop.alive_interval, Duration::ZERO);
}
