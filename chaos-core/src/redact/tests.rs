use proptest::prelude::*;

use super::*;

fn check(text: &str, want: &str) {
    assert_eq!(redact(text), want, "{text}");
    assert_eq!(redact(want), want, "again: {text}");
}

#[test]
fn values_of_secret_names_go_and_the_rest_stays() {
    check("login user=bob password=hunter2 ip=10.0.0.1", "login user=bob password=[redacted] ip=10.0.0.1");
    check("DB_PASSWORD=x! PGPASSWORD='a b' run", "DB_PASSWORD=[redacted] PGPASSWORD='[redacted]' run");
    check(r#"{"user":"a","password":"s\"e;c","n":1}"#, r#"{"user":"a","password":"[redacted]","n":1}"#);
    check(r#"{"MESSAGE":"{\"token\":\"abc\",\"n\":1}"}"#, r#"{"MESSAGE":"{\"token\":\"[redacted]\",\"n\":1}"}"#);
    check("app --password hunter2 --verbose", "app --password [redacted] --verbose");
    check("app --api-key=abc123 -v", "app --api-key=[redacted] -v");
    check("GET /x?api_key=abc&n=1 200", "GET /x?api_key=[redacted]&n=1 200");
    check("aws_secret_access_key = abc/DEF+1", "aws_secret_access_key = [redacted]");
    check("passwd: hunter2", "passwd: [redacted]");
    check("Server=db;Pwd=abc;Port=1", "Server=db;Pwd=[redacted];Port=1");
}

#[test]
fn a_name_in_place_of_a_value_does_not_hide_the_value_after_it() {
    check("run --api-key token: hunter2 -v", "run --api-key [redacted] [redacted] -v");
    check("run --api-key \"token\":\"hunter2\" -v", "run --api-key \"[redacted]\":\"[redacted]\" -v");
    check("password: token = 'hunter 2' -v", "password: [redacted] = '[redacted]' -v");
    check("run --token --secret hunter2 x", "run --token [redacted] [redacted] x");
    check("Authorization: secret= hunter2 x", "Authorization: [redacted] [redacted] x");
    check("send bearer password= hunter2 x", "send bearer [redacted] [redacted] x");
    check("token=abc= next", "token=[redacted] next");
}

#[test]
fn headers_and_userinfo_lose_their_credentials() {
    check("Authorization: Bearer abc.def", "Authorization: Bearer [redacted]");
    check("-H 'Authorization: Basic dTpw' http://h", "-H 'Authorization: Basic [redacted]' http://h");
    check("upstream sent bearer abcDEF123456", "upstream sent bearer [redacted]");
    check("Cookie: sid=1; theme=dark", "Cookie: [redacted]");
    check("postgres://app:p%40ss@db:5432/x failed", "postgres://app:[redacted]@db:5432/x failed");
    check("redis://:pw@cache:6379", "redis://:[redacted]@cache:6379");
}

#[test]
fn tokens_are_known_by_their_form() {
    check("key AKIAIOSFODNN7EXAMPLE used", "key [redacted] used");
    check("clone ghp_0123456789abcdefghijABCDEFGHIJ012345", "clone [redacted]");
    check("glpat-abcdefghij0123456789", "[redacted]");
    check("xoxb-123456789012-abcdefghij", "[redacted]");
    check(
        "POST https://hooks.slack.com/services/T000/B000/XXXX ok",
        "POST https://hooks.slack.com/services/[redacted] ok",
    );
    check("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_d end", "jwt [redacted] end");
    check(
        r"k=-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY----- x",
        "k=-----BEGIN RSA PRIVATE KEY-----[redacted]-----END RSA PRIVATE KEY----- x",
    );
}

#[test]
fn ordinary_text_is_not_touched() {
    for text in [
        "cpu  1234 5678 9012 3456 0 0 12 0 0 0",
        "sudo: root : TTY=pts/0 ; PWD=/root ; USER=root ; COMMAND=/bin/ls",
        "passwd[812]: pam_unix(passwd:chauthtok): password changed for bob",
        "cat: /etc/passwd: Permission denied",
        "sshd[1]: Failed password for invalid user admin from 1.2.3.4 port 22 ssh2",
        "Started systemd-ask-password-console.path - Dispatch Password Requests.",
        "Basic functionality works; bearer authentication is off",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "at https://example.org/a@b and user@host:/path",
        "{\"password\":null,\"token\":\"\"}",
        "max_tokens=512 tokens: 3",
        "Ünïcödé ok",
    ] {
        assert!(matches!(redact(text), Cow::Borrowed(_)) || redact(text) == text, "{text} -> {}", redact(text));
    }
}

#[test]
fn a_key_over_several_lines_goes_and_the_log_after_it_stays() {
    let mut redactor = Redactor::new();
    let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
    let lines = [
        "writing key".to_owned(),
        "-----BEGIN PRIVATE KEY-----\n".into(),
        format!("{body}\n"),
        format!("host app[1]: {body}"),
        format!("{{\"MESSAGE\":\"{body}\"}}"),
        "abCD==".into(),
        "-----END PRIVATE KEY-----".into(),
        "done with this".into(),
    ];
    let out: Vec<String> =
        lines.iter().map(|l| String::from_utf8(redactor.line(l.as_bytes()).into_owned()).unwrap()).collect();
    assert_eq!(
        out,
        [
            "writing key",
            "-----BEGIN PRIVATE KEY-----\n",
            "[redacted]\n",
            "host app[1]: [redacted]",
            "{\"MESSAGE\":\"[redacted]\"}",
            "[redacted]",
            "-----END PRIVATE KEY-----",
            "done with this"
        ]
    );
}

#[test]
fn a_key_that_never_ends_does_not_swallow_the_log() {
    let mut redactor = Redactor::new();
    redactor.line(b"-----BEGIN PRIVATE KEY-----");
    for _ in 0..20 {
        redactor.line(b"service is up (ok)");
    }
    assert_eq!(&*redactor.line(b"disk is full"), b"disk is full");
}

#[test]
fn bytes_that_are_no_text_pass_as_they_are() {
    let mut redactor = Redactor::new();
    assert_eq!(&*redactor.line(b"\xff\xfe password=\xc3\x28x \x00 z"), b"\xff\xfe password=[redacted] \x00 z");
    assert!(matches!(redactor.line(b"\xff\x00\xfe"), Cow::Borrowed(_)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn redacting_twice_is_redacting_once(
        parts in prop::collection::vec(prop_oneof![
            "[ -~]{0,12}",
            "\\PC{0,6}",
            prop::sample::select(vec![
                "password", "=", ":", "\"", "\\\"", "'", "token", "secret", "Authorization", ": ", "Bearer ", "Basic ",
                "://", "a:b@", "[redacted]", "redacted", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----",
                "eyJhbGciOiJI.eyJzdWIi.x", "--password ", "cookie", "=>", " ", ";", ",", "AKIAIOSFODNN7EXAMPLE", "\\",
                "hooks.slack.com/services/", "api_key", "pwd", "/", "]", "digest ",
            ]).prop_map(str::to_owned),
        ], 0..12)
    ) {
        let text = parts.concat();
        let once = redact(&text).into_owned();
        let twice = redact(&once);
        prop_assert_eq!(&twice, &once);
    }

    #[test]
    fn any_bytes_go_through_the_line_filter(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..20)) {
        let mut redactor = Redactor::new();
        for line in &lines {
            let _ = redactor.line(line);
        }
    }
}
