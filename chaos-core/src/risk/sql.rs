//! SQL as far as it takes to tell what a statement does: its words in capitals, without comments and literals. The
//! rules read it as a command of the program `<sql>`.

/// The statements of a text, each as words.
pub(super) fn statements(text: &str) -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    let mut word = String::new();
    let mut chars = text.chars().peekable();
    let end_word = |word: &mut String, all: &mut Vec<Vec<String>>| {
        if !word.is_empty() {
            let word = std::mem::take(word).to_uppercase();
            all.last_mut().expect("there is always one").push(word);
        }
    };
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                end_word(&mut word, &mut all);
                skip_past(&mut chars, '\'');
                all.last_mut().expect("there is always one").push("?".into());
            }
            '"' | '`' => {
                // A name in quotes is a name.
                word.push('"');
                skip_past(&mut chars, c);
            }
            '-' if chars.peek() == Some(&'-') => skip_past(&mut chars, '\n'),
            '/' if chars.peek() == Some(&'*') => {
                // `/*!` is run by MySQL, so only its marks are skipped.
                chars.next();
                if chars.peek() == Some(&'!') {
                    while chars.next_if(|c| *c == '!' || c.is_ascii_digit()).is_some() {}
                } else {
                    let mut last = ' ';
                    for c in chars.by_ref() {
                        if last == '*' && c == '/' {
                            break;
                        }
                        last = c;
                    }
                }
                end_word(&mut word, &mut all);
            }
            '*' if chars.peek() == Some(&'/') => {
                chars.next();
                end_word(&mut word, &mut all);
            }
            ';' => {
                end_word(&mut word, &mut all);
                all.push(Vec::new());
            }
            c if c.is_whitespace() || matches!(c, ',' | '=' | '<' | '>') => {
                end_word(&mut word, &mut all);
                if matches!(c, '=' | '<' | '>') {
                    all.last_mut().expect("there is always one").push(c.to_string());
                }
            }
            '(' | ')' => {
                end_word(&mut word, &mut all);
                all.last_mut().expect("there is always one").push(c.to_string());
            }
            c => word.push(c),
        }
    }
    end_word(&mut word, &mut all);
    all.retain(|s| !s.is_empty());
    all
}

fn skip_past(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, end: char) {
    for c in chars.by_ref() {
        if c == end {
            return;
        }
    }
}

/// What statements begin with, and what must come somewhere behind; `""` where nothing must.
const BEGINNINGS: [(&str, &[&str]); 22] = [
    ("SELECT", &["FROM", "*", "COUNT", "NOW", "VERSION", "1", "(", "CURRENT_DATABASE", "CURRENT_USER"]),
    ("INSERT", &["INTO"]),
    ("UPDATE", &["SET"]),
    ("DELETE", &["FROM"]),
    (
        "DROP",
        &[
            "TABLE",
            "DATABASE",
            "SCHEMA",
            "INDEX",
            "VIEW",
            "USER",
            "ROLE",
            "FUNCTION",
            "PROCEDURE",
            "TRIGGER",
            "SEQUENCE",
            "COLUMN",
            "TABLESPACE",
            "KEYSPACE",
            "EXTENSION",
            "TYPE",
            "PARTITION",
            "EVENT",
            "PUBLICATION",
            "SUBSCRIPTION",
            "MATERIALIZED",
            "OWNED",
            "COLLECTION",
        ],
    ),
    ("TRUNCATE", &["TABLE", "ONLY"]),
    ("ALTER", &["TABLE", "DATABASE", "USER", "ROLE", "SYSTEM", "SCHEMA", "INDEX", "VIEW", "SEQUENCE", "FUNCTION"]),
    ("CREATE", &["TABLE", "DATABASE", "INDEX", "VIEW", "USER", "ROLE", "SCHEMA", "FUNCTION", "EXTENSION", "SEQUENCE"]),
    ("GRANT", &["ON", "TO"]),
    ("REVOKE", &["ON", "FROM"]),
    ("EXPLAIN", &["SELECT", "ANALYZE", "UPDATE", "DELETE", "INSERT"]),
    ("DESCRIBE", &[""]),
    (
        "SHOW",
        &["TABLES", "DATABASES", "COLUMNS", "INDEX", "PROCESSLIST", "STATUS", "VARIABLES", "CREATE", "GRANTS", "ALL"],
    ),
    ("VACUUM", &[""]),
    ("ANALYZE", &["TABLE"]),
    ("REINDEX", &["TABLE", "DATABASE", "INDEX", "SYSTEM"]),
    ("FLUSH", &["TABLES", "PRIVILEGES", "LOGS", "HOSTS", "STATUS"]),
    ("RENAME", &["TABLE", "USER"]),
    ("PURGE", &["BINARY", "MASTER"]),
    ("RESET", &["MASTER", "SLAVE", "REPLICA"]),
    ("LOCK", &["TABLE", "TABLES"]),
    ("WITH", &["SELECT", "DELETE", "UPDATE", "INSERT"]),
];

/// Whether words, in capitals, are a statement of SQL rather than a command.
pub(super) fn is_statement(words: &[String]) -> bool {
    let Some((first, rest)) = words.split_first() else { return false };
    BEGINNINGS.iter().any(|(begin, then)| {
        let next: &[String] =
            if matches!(*begin, "DROP" | "TRUNCATE" | "ALTER" | "CREATE" | "SHOW" | "DELETE" | "INSERT") {
                &rest[..rest.len().min(3)]
            } else {
                rest
            };
        first == begin && !rest.is_empty() && then.iter().any(|t| t.is_empty() || next.iter().any(|w| w == t))
    })
}

/// The statements of a text that is nothing but SQL, as a person pastes it; none where a shell could do something else
/// with it.
pub(super) fn whole(text: &str) -> Option<Vec<Vec<String>>> {
    let shell = ["$(", "`", "&&", "> /", ">/", ">>", "<(", "| ", " |"];
    if shell.iter().any(|s| text.replace("||", "").contains(s)) {
        return None;
    }
    let statements = statements(text);
    (!statements.is_empty() && statements.iter().all(|s| is_statement(s))).then_some(statements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_cut_into_words() {
        let words = statements("delete from t where a='x;y' -- all\n; /* no */ select 1");
        assert_eq!(words, [vec!["DELETE", "FROM", "T", "WHERE", "A", "=", "?"], vec!["SELECT", "1"]]);
        assert_eq!(statements("/*!50000 drop*/ table t")[0], ["DROP", "TABLE", "T"]);
        assert!(whole("select 1; drop table t").is_some());
        assert!(whole("select 1; rm -rf /").is_none());
        assert!(whole("drop table $(rm -rf /)").is_none());
        assert!(whole("update-grub").is_none());
    }
}
