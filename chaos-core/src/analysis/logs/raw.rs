//! The text of `raw_logs.txt`: what was kept of all sources, merged by time.

use std::fmt::Write;

use crate::model::{LogLine, Observation};

/// All kept records as `time source level unit[pid]: text`, oldest first, at most about `max_bytes`; when there is
/// more, the newest stay and the first line says so. Control characters are escaped, so that a terminal that shows
/// the file does only that.
#[must_use]
pub fn raw_logs(observation: &Observation, max_bytes: usize) -> String {
    let mut rows: Vec<(&str, &LogLine)> =
        observation.logs().flat_map(|(_, source, logs)| logs.lines.iter().map(move |l| (source, l))).collect();
    // Stable: records of one time stay in the order of their sources and of their arrival.
    rows.sort_by_key(|(_, line)| line.at);
    let mut texts = Vec::new();
    let mut bytes = 0;
    for (source, line) in rows.iter().rev() {
        let text = render(source, line);
        if bytes + text.len() > max_bytes {
            break;
        }
        bytes += text.len();
        texts.push(text);
    }
    let missing = rows.len() - texts.len();
    let mut out = String::with_capacity(bytes + 64);
    if missing > 0 {
        let _ = writeln!(out, "… {missing} older records left out");
    }
    out.extend(texts.into_iter().rev());
    out
}

fn render(source: &str, line: &LogLine) -> String {
    let mut out = line.at.to_string();
    out.push(' ');
    escape(source, &mut out);
    let level = line.level.map_or("-".to_owned(), |l| format!("{l:?}").to_lowercase());
    let _ = write!(out, " {level} ");
    if let Some(unit) = &line.unit {
        escape(unit, &mut out);
        if let Some(pid) = line.pid {
            let _ = write!(out, "[{pid}]");
        }
        out.push_str(": ");
    }
    for (i, part) in line.text.split('\n').enumerate() {
        out.push_str(if i == 0 { "" } else { "\n    " });
        escape(part, &mut out);
    }
    out.push('\n');
    out
}

fn escape(text: &str, out: &mut String) {
    // Marks that turn the direction of text can make a line read as another.
    let turns = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    for c in text.chars() {
        if (c.is_control() && c != '\t') || turns(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Body, Evidence, Facts, Level, Logs, Timestamp};

    fn observation() -> Observation {
        let line = |at, text: &str| LogLine {
            at: Timestamp(at),
            level: Some(Level::Error),
            unit: Some("a".into()),
            pid: Some(3),
            text: text.into(),
            pattern: 0,
        };
        let evidence = |source: &str, lines| Evidence {
            source: source.into(),
            body: Body::Logs(Logs { lines, ..Logs::default() }),
            gaps: vec![],
        };
        Observation {
            facts: Facts::default(),
            baseline: None,
            observed: Timestamp(0)..Timestamp(10),
            evidence: [
                evidence("x", vec![line(3, "late"), line(1, "two\nlines")]),
                evidence("y", vec![line(2, "\x1b[31mred\r")]),
            ]
            .into_iter()
            .collect(),
        }
    }

    #[test]
    fn sources_are_merged_by_time_and_made_harmless() {
        assert_eq!(
            raw_logs(&observation(), 10_000),
            concat!(
                "1970-01-01T00:00:00.001Z x error a[3]: two\n    lines\n",
                "1970-01-01T00:00:00.002Z y error a[3]: \\u{1b}[31mred\\r\n",
                "1970-01-01T00:00:00.003Z x error a[3]: late\n",
            )
        );
    }

    #[test]
    fn what_is_too_much_is_left_out_and_said() {
        let text = raw_logs(&observation(), 60);
        assert_eq!(text, "… 2 older records left out\n1970-01-01T00:00:00.003Z x error a[3]: late\n");
    }
}
