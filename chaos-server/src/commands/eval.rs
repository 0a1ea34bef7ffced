//! `eval`: how good the diagnoses of labelled incidents are.

use chaos_core::{
    catalogue::Catalogue,
    chart::visible,
    evaluation::{Evaluation, Judged, LABEL, Label, Share, judge, labelled},
};

use crate::{
    cli::EvalArgs,
    exit::{Exit, Failure},
    output,
};

/// Characters of a culprit.
const WIDE: usize = 60;

pub(super) async fn eval(args: &EvalArgs) -> Result<Exit, Failure> {
    let catalogue = Catalogue::load(&args.catalogues)?;
    let (mut judged, mut not_judged) = (Vec::new(), Vec::new());
    for dir in &args.dirs {
        let found = labelled(dir)?;
        if found.is_empty() {
            let text =
                format!("{}: no incident with a label.toml is there; eval --help says what that holds", dir.display());
            return Err(Failure::new(Exit::NotFound, text));
        }
        for incident in found {
            // A label that is wrong is a mistake to mend; a recording that is damaged is one fewer.
            Label::read(&incident.join(LABEL))?;
            match judge(&incident, &catalogue).await {
                Ok(one) => judged.push(one),
                Err(e) => not_judged.push((incident.display().to_string(), e.to_string())),
            }
        }
    }
    if let (true, Some((incident, why))) = (judged.is_empty(), not_judged.first()) {
        return Err(Failure::new(Exit::NotFound, format!("no incident could be judged; {incident}: {why}")));
    }
    let evaluation = Evaluation { not_judged, ..Evaluation::new(judged) };
    match args.json {
        true => output::print_json(&evaluation)?,
        false => output::print(&shown(&evaluation))?,
    }
    Ok(Exit::Ok)
}

fn shown(evaluation: &Evaluation) -> String {
    let all = &evaluation.incidents;
    let width =
        |header: &str, of: &dyn Fn(&Judged) -> usize| all.iter().map(of).chain([header.len()]).max().unwrap_or(0);
    let incident = width("INCIDENT", &|j| visible(&j.incident).chars().count());
    let fault = width("WRONG", &|j| j.label.fault.len());
    let said = width("SAID", &|j| j.said.len());
    let mut text =
        format!("  {:<incident$}  {:<fault$}  {:<said$}  SURE  PROBES  CULPRIT\n", "INCIDENT", "WRONG", "SAID");
    for j in all {
        let mark = if j.right { " " } else { "!" };
        let culprit = match (j.culprit, &j.named) {
            (Some(false), Some(named)) => format!("! {}", cut(named)),
            (Some(false), None) => "! none".to_owned(),
            (_, Some(named)) => cut(named),
            (_, None) => String::new(),
        };
        let row = format!(
            "{mark} {:<incident$}  {:<fault$}  {:<said$}  {:>4}  {:>6}  {culprit}",
            visible(&j.incident),
            j.label.fault,
            j.said,
            j.confidence.to_string(),
            j.probes
        );
        text.push_str(row.trim_end());
        text.push('\n');
    }
    for (incident, why) in &evaluation.not_judged {
        text.push_str(&format!("? {}: not judged: {}\n", visible(incident), visible(why)));
    }
    let share = |s: Share| match s.value() {
        Some(value) => format!("{:>5.1} %  ({} of {})", 100.0 * value, s.n, s.of),
        None => "    –    (none)".to_owned(),
    };
    for (what, value) in [
        ("detected", evaluation.detected),
        ("right cause first", evaluation.top_1),
        ("right cause among the first three", evaluation.top_3),
        ("right culprit", evaluation.culprit),
        ("false alarms on healthy hosts", evaluation.false_alarms),
        ("wrong cause at 80 % or more", evaluation.misleading),
    ] {
        text.push_str(&format!("\n{what:<35}{}", share(value)));
    }
    text.push_str(&format!("\n{:<35}{:>7.3}", "Brier score", evaluation.brier));
    text.push_str(&format!("\n{:<35}{:>7.3}", "calibration error", evaluation.calibration_error));
    text.push_str(&format!("\n{:<35}{:>7}", "probes, median", evaluation.probes_median));
    text.push_str(&format!("\n{:<35}{:>5.0} ms\n", "whole replay, median", evaluation.took_ms_median));
    for bin in &evaluation.calibration {
        text.push_str(&format!(
            "  said {:>3.0} to {:>3.0} %, {:>3.0} % on average:  right {}\n",
            100.0 * bin.from,
            100.0 * bin.to,
            100.0 * bin.confidence,
            share(bin.right)
        ));
    }
    text
}

fn cut(text: &str) -> String {
    let text = visible(text);
    match text.char_indices().nth(WIDE) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
