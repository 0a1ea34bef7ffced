//! `assess`: what a command or a script risks, by its text alone.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Write as _},
    path::Path,
};

use chaos_core::{
    chart::visible,
    model::{RiskCategory, RiskLevel, RiskVerdict},
    risk::{MOST_BYTES, RiskRules, StaticRisk},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    cli::AssessArgs,
    exit::{Exit, Failure},
    output,
};

/// Bytes of a line of JSON that are read: a script as large as is analysed, escaped.
const LONGEST: u64 = 16 << 20;

/// A line of the input; what else is in it is not looked at.
#[derive(Deserialize)]
struct Line {
    command: String,
}

pub(super) fn assess(args: &AssessArgs) -> Result<Exit, Failure> {
    let mut input = open(&args.file)?;
    if args.jsonl {
        return lines(&mut input, &args.file);
    }
    let mut bytes = Vec::new();
    let limited = input.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes);
    limited.map_err(|e| unreadable(&args.file, &e))?;
    let risk = RiskRules::builtin().script(&String::from_utf8_lossy(&bytes));
    if args.json {
        output::print_json(&object(&risk))?;
    } else {
        output::print(&told(&risk))?;
    }
    Ok(match risk.verdict {
        RiskVerdict::Safe => Exit::Ok,
        RiskVerdict::NeedsApproval => Exit::NeedsApproval,
        RiskVerdict::Dangerous => Exit::Dangerous,
    })
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file = File::open(path).map_err(|e| unreadable(path, &e))?;
    Ok(Box::new(BufReader::new(file)))
}

fn unreadable(path: &Path, e: &io::Error) -> Failure {
    let exit = if e.kind() == io::ErrorKind::NotFound { Exit::NotFound } else { Exit::Usage };
    Failure::new(exit, format!("can't read {}: {e}", path.display()))
}

/// One object for each line that is not empty, in their order. What can't be read gets its object too, so that nobody
/// who counts lines takes one's verdict for another's.
fn lines(input: &mut dyn BufRead, path: &Path) -> Result<Exit, Failure> {
    let rules = RiskRules::builtin();
    let mut out = io::stdout().lock();
    let (mut number, mut bad) = (0u64, 0u64);
    loop {
        let mut line = Vec::new();
        number += 1;
        let read = (&mut *input).take(LONGEST).read_until(b'\n', &mut line).map_err(|e| unreadable(path, &e))?;
        if read == 0 {
            break;
        }
        let whole = (read as u64) < LONGEST || line.ends_with(b"\n");
        if !whole {
            input.skip_until(b'\n').map_err(|e| unreadable(path, &e))?;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let parsed = match whole {
            true => serde_json::from_slice::<Line>(&line).map_err(|e| e.to_string()),
            false => Err(format!("it is longer than {LONGEST} bytes")),
        };
        let object = match parsed {
            Ok(line) => object(&rules.script(&line.command)),
            Err(why) => {
                bad += 1;
                let why = format!("line {number} is no object with `command`: {why}");
                output::note(&format!("error: {why}"));
                json!({ "verdict": RiskVerdict::NeedsApproval, "categories": [], "reasons": [why], "error": true })
            }
        };
        let written = writeln!(out, "{object}");
        if let Err(e) = written {
            return output::ended(e).map(|()| Exit::Ok);
        }
    }
    out.flush().or_else(output::ended)?;
    Ok(if bad > 0 { Exit::Usage } else { Exit::Ok })
}

fn object(risk: &StaticRisk) -> Value {
    json!({
        "verdict": risk.verdict, "level": risk.level, "categories": risk.categories, "reasons": risk.reasons(),
        "rules": risk.hits(), "unresolved": risk.unresolved,
    })
}

fn told(risk: &StaticRisk) -> String {
    let verdict = match (risk.verdict, risk.level) {
        (RiskVerdict::Safe, RiskLevel::None) => "safe: it reads only",
        (RiskVerdict::Safe, _) => "safe: ordinary work",
        (RiskVerdict::NeedsApproval, _) => "needs approval",
        (RiskVerdict::Dangerous, _) => "dangerous",
    };
    let categories: Vec<&str> = risk.categories.iter().map(named).collect();
    let mut text = match categories.is_empty() {
        true => format!("{verdict}\n"),
        false => format!("{verdict} ({})\n", categories.join(", ")),
    };
    for hit in risk.hits() {
        text.push_str(&format!("  {}\n      {}\n", visible(&hit.words.join(" ")), hit.why));
    }
    for what in &risk.unresolved {
        text.push_str(&format!("  not resolved: {}\n", visible(what)));
    }
    text
}

fn named(category: &RiskCategory) -> &'static str {
    match category {
        RiskCategory::Downtime => "downtime",
        RiskCategory::DataLoss => "data loss",
        RiskCategory::DependencyRipple => "dependency ripple",
        RiskCategory::Privilege => "privilege",
        RiskCategory::Network => "network",
        RiskCategory::Irreversible => "irreversible",
    }
}
