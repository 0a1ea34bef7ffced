//! Secrets in lines of any kind.

use chaos_core::redact::{Redactor, redact};

use super::input::Input;

/// No rule takes it for anything but the value that it is.
const SECRET: &str = "Zq7vK2mXw9Rt4";

/// What is redacted stays so, line ends stay, and a secret after its name is gone whatever stands around it.
pub(super) fn redaction(data: &[u8]) {
    let mut input = Input::new(data);
    let name =
        ["password=", "token: ", "\"api_key\":\"", "Authorization: Bearer ", "--secret ", "db://u:"][input.pick(6)];
    let after = if name.starts_with("db") { "@host/ " } else { " " };
    let mut redactor = Redactor::new();
    for (i, line) in input.text.split_inclusive(|b| *b == b'\n').enumerate() {
        let out = redactor.line(line);
        assert_eq!(out.ends_with(b"\n"), line.ends_with(b"\n"), "{line:?}");
        assert!(out.iter().filter(|b| **b == b'\n').count() <= 1);
        let text = String::from_utf8_lossy(line);
        let once = redact(&text);
        assert_eq!(redact(&once), once, "{text:?}");
        if i < 20 && !text.contains(SECRET) {
            let text = text.trim_end_matches('\n');
            let (before, behind) = text.split_at(text.floor_char_boundary(text.len() / 2));
            let planted = format!("{before} {name}{SECRET}{after}{behind}");
            assert!(!redact(&planted).contains(SECRET), "{planted:?} gives {:?}", redact(&planted));
            assert!(
                !String::from_utf8_lossy(&Redactor::new().line(planted.as_bytes())).contains(SECRET),
                "{planted:?}"
            );
        }
    }
}
