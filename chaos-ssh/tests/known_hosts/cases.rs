//! The table: every way that we know of in which a file can speak of a host, well-formed or not.

use crate::{
    case::{Case, Revoked},
    rig::Rig,
};

const ED_CERT: &str = "ssh-ed25519-cert-v01@openssh.com";

pub(crate) fn all(rig: &Rig) -> Vec<Case> {
    let mut cases = Vec::new();
    for (group, some) in [
        ("names", names()),
        ("alias", alias()),
        ("hosts", hosts(rig)),
        ("lines", lines()),
        ("markers", markers()),
        ("keys", keys()),
        ("files", files()),
        ("revoked files", revoked_files()),
        ("certificates", certificates()),
        ("at random", at_random()),
        ("port 22", if rig.has_port_22 { port_22() } else { Vec::new() }),
    ] {
        cases.extend(some.into_iter().map(|mut case| {
            case.name = format!("{group}: {}", case.name);
            case
        }));
    }
    cases
}

/// Each list of names with the host's key, with another, and revoking the host's.
fn with_names(list: &str, base: &Case) -> [Case; 3] {
    let named = |what: &str, text: String| {
        let mut case = base.clone().user(text);
        case.name = format!("{list} {what}");
        case
    };
    [
        named("its key", format!("{list} {{ed}}\n")),
        named("another key", format!("{list} {{oed}}\n")),
        named("revokes it", format!("@revoked {list} {{ed}}\n{{h}} {{ed}}\n")),
    ]
}

fn names() -> Vec<Case> {
    let lists = [
        "{h}",
        "[127.0.0.1]:22",
        "[127.0.0.1]",
        "127.0.0.1:{port}",
        "x,{h}",
        "{h},x",
        ",{h}",
        "{h},",
        "x,,{h}",
        "{h},{h}",
        "*",
        "**",
        "?*",
        "*?",
        "?",
        "[127.0.0.*]:{port}",
        "[127.0.0.?]:{port}",
        "[127.0.0.??]:{port}",
        "[*]:{port}",
        "[*]:*",
        "*:{port}",
        "*:22",
        "*0.0.1*",
        "{h}*",
        "{h}?",
        "!{h}",
        "!{h},*",
        "*,!{h}",
        "{h},!*",
        "!*,{h}",
        "!x,*",
        "*,!x",
        "!!{h},*",
        "!",
        "!,{h}",
        "{h},!",
        "!?*,{h}",
        "*,![127.0.0.*]:*",
        "{hash:h}",
        "{hash:other.example}",
        "{hash:h},x",
        "{h},{hash:h}",
        "!{hash:h}",
        "|1|AAAA|BBBB",
        "|1||",
        "|1|",
        "|",
        "|2|AAAAAAAAAAAAAAAAAAAAAAAAAAA=|AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "{a*1022},{h}",
        "{a*1023},{h}",
        "{h},{a*1023}",
        "!{a*1022},{h}",
        "!{a*1023},{h}",
        "\"{h}\"",
        "\\{h}",
        "{h}\r",
        "\u{feff}{h}",
        "é,{h}",
        "[127.0.0.1]:0{port}",
    ];
    let mut cases: Vec<_> = lists.iter().flat_map(|list| with_names(list, &Case::new(""))).collect();
    // A list that names the host without its port revokes a key on all ports; `ssh` warns of it and goes on.
    for list in ["127.0.0.1", "127.0.0.*", "127.*", "*.1", "127.0.0.1,!x", "!{h},127.0.0.1", "{hash:127.0.0.1}"] {
        let [right, other, _] = with_names(list, &Case::new(""));
        cases.extend([right, other]);
        cases.push(
            Case::new(format!("{list} revokes it on every port")).user(format!("@revoked {list} {{ed}}\n")).stricter(),
        );
    }
    // The list as a whole counts for the name with the port first, and for the bare one then.
    cases.extend(with_names("*,!127.0.0.1", &Case::new("")));
    let [right, other, _] = with_names("!127.0.0.1,*", &Case::new(""));
    cases.extend([right, other]);
    cases
}

fn alias() -> Vec<Case> {
    let base = Case::new("").alias("Box.Example");
    let mut cases = Vec::new();
    for list in [
        "box.example",
        "Box.Example",
        "BOX.EXAMPLE",
        "*.example",
        "*.Example",
        "b?x.example",
        "[box.example]:{port}",
        "[127.0.0.1]:{port}",
        "127.0.0.1",
        "!box.example,*",
        "*,!BOX.*",
        "*,!127.0.0.1",
        "{hash:box.example}",
        "{hash:Box.Example}",
    ] {
        let mut own = with_names(list, &base).to_vec();
        for case in &mut own {
            case.name = format!("Box.Example: {}", case.name);
        }
        cases.extend(own);
    }
    for alias in ["[box]:2222", "box,other", "::1", "127.0.0.1", "a@b", "box.", "x_y", "é"] {
        for text in ["{h} {ed}\n", "{h} {oed}\n", "x {ed}\n"] {
            let case = Case::new(format!("{alias}: {}", text.trim_end())).alias(alias).user(text);
            cases.push(if alias.contains(',') { case.stricter() } else { case });
        }
    }
    cases.push(Case::new("* would be noted for everybody").alias("*").user("x {oed}\n").stricter());
    cases.push(Case::new("a?b would be noted for others").alias("a?b").user("x {oed}\n").stricter());
    cases
}

fn hosts(rig: &Rig) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut with = |host: &'static str, lists: &[&str]| {
        for list in lists {
            for key in ["{ed}", "{oed}"] {
                cases.push(Case::new(format!("{host} by {list} {key}")).host(host).user(format!("{list} {key}\n")));
            }
        }
    };
    with("localhost", &["[localhost]:{port}", "localhost", "[LOCALHOST]:{port}", "{hash:h}"]);
    with("LocalHost", &["[localhost]:{port}", "{h}", "local*"]);
    with("127.1", &["[127.0.0.1]:{port}", "[127.1]:{port}", "127.1"]);
    with("0x7f.1", &["[127.0.0.1]:{port}", "127.0.0.1"]);
    if rig.has_ipv6 {
        with("::1", &["[::1]:{port}", "::1", "[::1]", "[0:0:0:0:0:0:0:1]:{port}", "::*", "[*:*]:{port}", "{hash:h}"]);
        with("0:0:0:0:0:0:0:1", &["[::1]:{port}", "[0:0:0:0:0:0:0:1]:{port}", "::1"]);
    }
    for list in ["weird", "[weird]:{port}", "[127.0.0.1]:{port}", "127.0.0.1"] {
        let case = Case::new(format!("HostName by {list}")).host("weird").host_name("127.0.0.1");
        cases.push(case.user(format!("{list} {{ed}}\n")));
    }
    cases
}

fn lines() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut with = |name: &str, text: &[u8]| {
        cases.push(Case::new(name).user(text));
        // The same line must not hide what stands around it.
        let around = [b"{h} {oec}\n", text, b"\n{h} {oed}\n"].concat();
        cases.push(Case::new(format!("{name}, between others")).user(around));
    };
    with("nothing", b"");
    with("a line feed", b"\n");
    with("blanks", b" \t \n\t\n");
    with("a comment", b"# {h} {ed}\n#{h} {ed}\n");
    with("a comment behind blanks", b" \t# {h} {ed}\n");
    with("a key after comments", b"# one\n\n   \n{h} {ed}\n");
    with("leading blanks", b"  \t{h} {ed}\n");
    with("tabs", b"{h}\t{tab:ed}\n");
    with("many tabs", b"{h}\t\t{tab:ed}\tx\n");
    with("many blanks", b"{h}  \t  {ed}  \t\n");
    with("a comment behind the key", b"{h} {ed} root@box # really\n");
    with("CRLF", b"{h} {ed}\r\n");
    with("CRLF all over", b"# x\r\n\r\n{h} {ed}\r\nx {oed}\r\n");
    with("CR alone", b"# x\r{h} {ed}\r");
    with("no line feed at the end", b"{h} {ed}");
    with("no line feed behind another host", b"x {oed}");
    with("a vertical tab for a blank", b"{h}\x0b{ed}\n");
    with("a form feed at the end", b"{h} {ed}\x0c\n");
    with("a name alone", b"{h}\n");
    with("a name and a blank", b"{h} \n");
    with("a name and a comment", b"{h} # {ed}\n");
    with("a kind without a key", b"{h} ssh-ed25519\n");
    with("a kind and a blank", b"{h} ssh-ed25519 \n");
    with("no base64", b"{h} ssh-ed25519 !!!!\n");
    with("base64 cut short", b"{h} ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI\n");
    with("a blob cut short", b"{h} ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==\n");
    with("base64 and more of it", b"{h} {ed}AAAA\n");
    with("base64 and padding", b"{h} {ed}=\n");
    with("base64 and rubbish", b"{h} {ed}?\n");
    with("an empty blob", b"{h} ssh-ed25519 ====\n");
    with("only a blob", b"{h} AAAAC3NzaC1lZDI1NTE5AAAAI\n");
    with("an unknown kind", b"{h} ssh-what AAAAC3NzaC1lZDI1NTE5AAAAI\n");
    with("an ssh1 key", b"{h} 1024 35 1234567890123456789012345678901234567890\n");
    with("a kind in capitals", b"{h} SSH-ED25519 AAAAC3NzaC1lZDI1NTE5AAAAI\n");
    with("a bad line first", b"{h} ssh-ed25519 !!\n{h} {ed}\n");
    with("a bad line behind", b"{h} {ed}\n{h} ssh-ed25519 !!\n");
    with("a huge comment", b"#{x*1000000}\n{h} {ed}\n");
    with("huge names", b"{x,*500000}{h} {ed}\n");
    with("a huge comment behind the key", b"{h} {ed} {x*1000000}\n");
    with("a huge key", b"{h} ssh-ed25519 {A*1000000}\n{h} {ed}\n");
    with("invalid UTF-8", b"\xff\xfe {ed}\n{h} {ed} \xff\xfe\n");
    with("invalid UTF-8 in the names", b"\xff\xfe,{h} {ed}\n");
    with("invalid UTF-8 in the key", b"{h} {ed}\xff\n");
    with("NUL first", b"\0{h} {ed}\n");
    with("NUL behind the names", b"{h}\0{ed}\n");
    with("NUL and a blank behind the names", b"{h}\0 {ed}\n");
    with("a blank and NUL behind the names", b"{h} \0{ed}\n");
    with("NUL within the names", b"x\0,{h} {ed}\n");
    with("NUL behind the key", b"{h} {ed}\0what\n");
    with("NUL within the key", b"{h} ssh-ed25519\0 AAAA\n");
    with("a byte order mark", b"\xef\xbb\xbf{h} {ed}\n");
    with("options", b"cert-authority {h} {ed}\n");
    cases
}

fn markers() -> Vec<Case> {
    let mut cases = Vec::new();
    for text in [
        "@revoked {h} {ed}\n",
        "@revoked  \t {h} {ed}\n",
        "@revoked {h} {oed}\n",
        "@revoked {h} {oed}\n{h} {ed}\n",
        "@revoked {h} {ed}\n{h} {ed}\n",
        "{h} {ed}\n@revoked {h} {ed}\n",
        "@revoked * {ed}\n{h} {ed}\n",
        "@revoked x {ed}\n{h} {ed}\n",
        "@revoked *,!{h} {ed}\n{h} {ed}\n",
        "@revoked {hash:h} {ed}\n{h} {ed}\n",
        "@revoked {h} {ed}\n{h} {oed}\n",
        "@revoked {h} ssh-ed25519 !!\n{h} {ed}\n",
        "@revoked {h} {ec}\n{h} {ed}\n",
        "@revoked {h}\n{h} {ed}\n",
        "@revoked\n{h} {ed}\n",
        "@Revoked {h} {ed}\n{h} {ed}\n",
        "@REVOKED {h} {ed}\n",
        "@revoked\t{h} {ed}\n{h} {ed}\n",
        "@revoked\t{h}\t{tab:ed}\n{h} {ed}\n",
        "@cert-authority\t{h}\t{tab:ed}\n",
        "@revoked{h} {ed}\n{h} {ed}\n",
        "@revokedx {h} {ed}\n{h} {ed}\n",
        " @revoked {h} {ed}\n{h} {ed}\n",
        "@ revoked {h} {ed}\n{h} {ed}\n",
        "@ {h} {ed}\n",
        "@unknown {h} {ed}\n",
        "@unknown {h} {oed}\n",
        "@{x*40} {h} {ed}\n",
        "@revoked @revoked {h} {ed}\n{h} {ed}\n",
        "@revoked @cert-authority {h} {ed}\n{h} {ed}\n",
        "@revoked\0 {h} {ed}\n{h} {ed}\n",
        "@revoked \0{h} {ed}\n{h} {ed}\n",
        "#@revoked {h} {ed}\n{h} {ed}\n",
        "@cert-authority {h} {ed}\n",
        "@cert-authority {h} {ca}\n",
        "@cert-authority * {ca}\n{h} {ed}\n",
        "@cert-authority * {ca}\n{h} {oed}\n",
        "@cert-authority {h} {oed}\n",
        "@cert-authority\t{h} {ed}\n{h} {oed}\n",
        "{h} @revoked {ed}\n",
    ] {
        cases.push(Case::new(text.trim_end()).user(text));
    }
    cases
}

fn keys() -> Vec<Case> {
    let mut cases = Vec::new();
    for text in [
        "{h} {oed}\n{h} {ed}\n",
        "{h} {ed}\n{h} {oed}\n",
        "{h} {oed}\n{h} {oec}\n",
        "{h} {oec}\n",
        "{h} {ec}\n",
        "{h} {ec}\n{h} {rsa}\n",
        "{h} {ec}\n{h} {rsa}\n{h} {ed}\n",
        "{h} {orsa}\n{h} {oec}\n{h} {ed}\n",
        "x {ed}\n",
        "{h} {oed}\n127.0.0.1 {ed}\n",
        "127.0.0.1 {oed}\n{h} {ed}\n",
        "127.0.0.1 {ec}\n",
        "127.0.0.1 {oed}\n127.0.0.1 {ed}\n",
        "@revoked 127.0.0.1 {oed}\n",
        "@revoked 127.0.0.1 {ed}\n{h} {ed}\n",
        "{h} {valid-ed-cert}\n",
        "{h} {valid-ed-cert}\n{h} {ed}\n",
        "@revoked {h} {valid-ed-cert}\n{h} {ed}\n",
    ] {
        for algorithm in ["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512"] {
            cases.push(Case::new(format!("{} with {algorithm}", text.trim_end())).algorithm(algorithm).user(text));
        }
    }
    cases.push(Case::new("rsa-sha2-256").algorithm("rsa-sha2-256").user("{h} {rsa}\n"));
    cases.push(Case::new("rsa-sha2-256 changed").algorithm("rsa-sha2-256").user("{h} {orsa}\n"));
    cases
}

fn files() -> Vec<Case> {
    let right = "{h} {ed}\n";
    let wrong = "{h} {oed}\n";
    let revoked = "@revoked {h} {ed}\n";
    let other = "x {oed}\n";
    let mut cases = vec![
        Case::new("none there").user_missing(),
        Case::new("user's only").user(right),
        Case::new("global only").user_missing().global(right),
        Case::new("global changed").user_missing().global(wrong),
        Case::new("second user's").user(other).user(right),
        Case::new("second is missing").user(right).user_missing(),
        Case::new("first is missing").user_missing().user(right),
        Case::new("no user's files").global(other),
        Case::new("no user's files, known").global(right),
    ];
    for (a, first) in [("right", right), ("wrong", wrong), ("revoked", revoked), ("other", other)] {
        for (b, second) in [("right", right), ("wrong", wrong), ("revoked", revoked), ("other", other)] {
            cases.push(Case::new(format!("user {a}, global {b}")).user(first).global(second));
            cases.push(Case::new(format!("user {a}, second user {b}")).user(first).user(second));
        }
    }
    let mut dir = Case::new("a directory is no empty file").user("").user(right).stricter();
    dir.is_dir = true;
    cases.push(dir);
    cases
}

fn revoked_files() -> Vec<Case> {
    let known = |name: &str, revoked: Revoked| Case::new(name).user("{h} {ed}\n").revoked(revoked);
    let signed = |name: &str, revoked: Revoked| {
        Case::new(name).server("valid").algorithm(ED_CERT).user("@cert-authority {h} {ca}\n").revoked(revoked)
    };
    let list = |text: &str| Revoked::List(text.as_bytes().to_vec());
    let krl = |text: &str| Revoked::Krl(text.as_bytes().to_vec(), None);
    let krl_ca = |text: &str| Revoked::Krl(text.as_bytes().to_vec(), Some("ca.pub".into()));
    let krl_oca = |text: &str| Revoked::Krl(text.as_bytes().to_vec(), Some("oca.pub".into()));
    let mut cases = vec![
        known("missing", Revoked::Missing),
        known("empty", list("")),
        known("a list with it", list("{oed}\n{ed}\n")),
        known("a list without it", list("# some\n\n{oed} x\n{oec}\n")),
        known("a list with a certificate of it", list("{valid-ed-cert}\n")),
        known("a list with a bad line", list("what\n{oed}\n")),
        known("a list with a bad line behind it", list("{ed}\nwhat\n")).stricter(),
        known("a list with CRLF", list("{oed}\r\n{ed}\r\n")),
        known("a list with an empty CRLF line", list("\r\n{oed}\r\n")),
        known("a list with blanks", list("  \t{oed}\n")),
        known("a list without a line feed", list("{ed}")),
        known("a list as known_hosts", list("{h} {oed}\n")),
        known("a list beginning like a revocation list", list("SSHKRL\n")),
        known("a damaged revocation list", Revoked::List(b"SSHKRL\n\0\0\0\0\x01what".to_vec())),
        known("a revocation list of the future", Revoked::List(b"SSHKRL\n\0\0\0\0\x02what".to_vec())),
        known("an empty revocation list", krl("")),
        known("a revocation list with it", krl("{ed}\n")),
        known("a revocation list without it", krl("{oed}\n{orsa}\n")),
        known("by its SHA-1", krl("sha1: {ed}\n")),
        known("by another's SHA-1", krl("sha1: {oed}\n")),
        known("by its SHA-256", krl("sha256: {ed}\n")),
        known("by another's SHA-256", krl("sha256: {oed}\nsha1: {oec}\n")),
        known("serial numbers don't touch plain keys", krl_ca("serial: 77\nid: valid\n")),
    ];
    cases.extend([
        signed("a certificate, nothing", list("")),
        signed("a certificate, its key", list("{ed}\n")),
        signed("a certificate, its authority", list("{ca}\n")),
        signed("a certificate, itself", list("{valid-ed-cert}\n")),
        signed("a certificate, another authority", list("{oca}\n")),
        signed("a certificate, its key's SHA-256", krl("sha256: {ed}\n")),
        signed("a certificate, its authority's SHA-256", krl("sha256: {ca}\n")),
        signed("a certificate, its authority's SHA-1", krl("sha1: {ca}\n")),
        signed("a certificate, its authority in a revocation list", krl("{ca}\n")),
        signed("its serial number", krl_ca("serial: 77\n")),
        signed("another serial number", krl_ca("serial: 78\n")),
        signed("serial numbers around", krl_ca("serial: 70-80\n")),
        signed("a long range", krl_ca("serial: 1-100000\n")),
        signed("a range beside", krl_ca("serial: 78-100000\n")),
        signed(
            "many serial numbers with it",
            krl_ca("serial: 71\nserial: 73\nserial: 75\nserial: 77\nserial: 79\nserial: 82\n"),
        ),
        signed(
            "many serial numbers without it",
            krl_ca("serial: 71\nserial: 73\nserial: 75\nserial: 76\nserial: 78\nserial: 82\n"),
        ),
        signed("serial numbers far apart", krl_ca("serial: 1\nserial: 77\nserial: 18446744073709551615\n")),
        signed("its id", krl_ca("id: valid\n")),
        signed("another id", krl_ca("id: Valid\n")),
        signed("its serial number by another authority", krl_oca("serial: 77\nid: valid\n")),
        signed("itself in a revocation list", krl_ca("{valid-ed-cert}\n")),
        signed("another certificate in a revocation list", krl_ca("{expired-ed-cert}\n")),
    ]);
    cases
}

fn certificates() -> Vec<Case> {
    let mut cases = Vec::new();
    for server in ["valid", "expired", "early", "elsewhere", "user", "critical", "anyone", "sha1", "rsaca"] {
        let ca = if matches!(server, "sha1" | "rsaca") { "{carsa}" } else { "{ca}" };
        for text in [
            "x {oed}\n",
            "@cert-authority {h} CA\n",
            "@cert-authority * CA\n",
            "@cert-authority 127.0.0.1 CA\n",
            "@cert-authority {h} {oca}\n",
            "@cert-authority {h} CA\n{h} {ed}\n",
            "@cert-authority {h} CA\n{h} {oed}\n",
            "@cert-authority {h} CA\n@revoked {h} CA\n",
            "@revoked * CA\n@cert-authority {h} CA\n{h} {ed}\n",
            "@cert-authority {h} CA\n@revoked {h} {ed}\n",
            "{h} {ed}\n",
        ] {
            let text = text.replace("CA", ca);
            cases
                .push(Case::new(format!("{server}: {}", text.trim_end())).server(server).algorithm(ED_CERT).user(text));
        }
    }
    for text in [
        "{h} {ca}\n",
        "{h} {oed}\n",
        "@cert-authority {h} {ed}\n",
        "@cert-authority {h} {valid-ed-cert}\n",
        "@cert-authority x {ca}\n",
        "@cert-authority *,!{h} {ca}\n",
        "@cert-authority {hash:h} {ca}\n",
        "@cert-authority\t{h} {ca}\n",
        "@cert-authority {h} {oca}\n@cert-authority {h} {ca}\n",
        "@revoked x {ca}\n@cert-authority {h} {ca}\n",
        "@revoked {h} {oca}\n@cert-authority {h} {ca}\n",
        "{h} {oed}\n@cert-authority 127.0.0.1 {ca}\n",
        "127.0.0.1 {ed}\n@cert-authority {h} {oca}\n",
        "@cert-authority 127.0.0.1 {ca}\n@revoked {h} {ed}\n",
        "{h} {valid-ed-cert}\n",
        "@revoked {h} {valid-ed-cert}\n@cert-authority {h} {ca}\n",
    ] {
        cases.push(Case::new(format!("valid: {}", text.trim_end())).server("valid").algorithm(ED_CERT).user(text));
    }
    let plain = Case::new("a plain key from a host with an authority").server("valid");
    cases.push(plain.user("@cert-authority {h} {ca}\n"));
    let global = Case::new("an authority in the global file").server("valid").algorithm(ED_CERT);
    cases.push(global.user_missing().global("@cert-authority * {ca}\n"));
    for (alias, server) in
        [("box.example", "valid"), ("BOX.example", "valid"), ("nobody", "valid"), ("nobody", "anyone")]
    {
        let case = Case::new(format!("as {alias} by {server}")).server(server).algorithm(ED_CERT).alias(alias);
        cases.push(case.user("@cert-authority * {ca}\n"));
    }
    let upper = Case::new("a name in capitals").server("valid").algorithm(ED_CERT).host("LOCALHOST");
    cases.push(upper.user("@cert-authority *localhost* {ca}\n"));
    for algorithm in [
        "rsa-sha2-512-cert-v01@openssh.com",
        "rsa-sha2-256-cert-v01@openssh.com",
        "ecdsa-sha2-nistp256-cert-v01@openssh.com",
    ] {
        for text in ["@cert-authority * {ca}\n", "@cert-authority * {oca}\n", "{h} {rsa}\n"] {
            let case = Case::new(format!("{algorithm}: {}", text.trim_end())).server("mixed").algorithm(algorithm);
            cases.push(case.user(text));
        }
    }
    // Revoked for the bare name: `ssh` warns and then takes the key as new.
    for text in ["@cert-authority {h} {oca}\n@revoked 127.0.0.1 {ca}\n", "@revoked 127.0.0.1 {ed}\n"] {
        let case = Case::new(format!("valid: {}", text.trim_end())).server("valid").algorithm(ED_CERT);
        cases.push(case.user(text).stricter());
    }
    cases
}

fn port_22() -> Vec<Case> {
    let mut cases = Vec::new();
    for list in ["127.66.0.22", "[127.66.0.22]:22", "[127.66.0.22]", "127.66.*", "127.66.0.22,!127.*", "{hash:h}"] {
        let base = Case::new("").server("valid").host("127.66.0.22").port_22();
        cases.extend(with_names(list, &base));
        let signed = base.algorithm(ED_CERT).user(format!("@cert-authority {list} {{ca}}\n"));
        cases.push(Case { name: format!("{list} by an authority"), ..signed });
    }
    cases
}

/// Lines from parts that files are made of, put together at random; the same ones each time.
fn at_random() -> Vec<Case> {
    const PARTS: [&str; 40] = [
        "{h}",
        "{h}",
        "{h}",
        "127.0.0.1",
        "*",
        "!",
        "!*",
        ",",
        ",",
        "?",
        "[127.0.0.1]:*",
        "{hash:h}",
        "|1|",
        "x",
        " ",
        " ",
        " ",
        "  ",
        "\t",
        " {ed}",
        " {ed}",
        " {ed}",
        " {oed}",
        " {oed}",
        " {ec}",
        " {rsa}",
        " {tab:ed}",
        " {ca}",
        " {valid-ed-cert}",
        "ssh-ed25519 ",
        " ssh-rsa",
        "#",
        "@revoked ",
        "@revoked ",
        "@cert-authority ",
        "@",
        "\r",
        "\0",
        "=",
        "AAAA",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % n as u64) as usize
    };
    let mut cases = Vec::new();
    for n in 0..120 {
        let mut text = String::new();
        for _ in 0..=below(4) {
            for _ in 0..=below(6) {
                text += PARTS[below(PARTS.len())];
            }
            text += "\n";
        }
        let case = Case::new(format!("{n} {text:?}")).server("valid");
        cases.push(if n % 3 == 0 { case.algorithm(ED_CERT) } else { case }.user(text));
    }
    cases
}
