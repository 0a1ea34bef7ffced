//! `analyze logs`: the templates of log files, or what became of each of their lines.

use std::{
    io::{self, BufReader, BufWriter, Read as _, Seek as _, Write as _},
    path::Path,
};

use chaos_core::{
    analysis::logs::{LineTag, LogMiner, Survey, Template, Trend, Values},
    chart::{spark, visible},
    error::Error,
    model::{Level, Timestamp},
};
use serde::Serialize;
use tempfile::SpooledTempFile;

use super::input::Input;
use crate::{
    cli::AnalyzeLogsArgs,
    exit::{Exit, Failure},
    output,
};

/// Bytes of tags that are held in memory; more go to a temporary file.
const IN_MEMORY: usize = 16 << 20;
/// Templates that a person is shown at most; JSON has all.
pub(super) const MOST: usize = 60;
/// Characters of a template.
const WIDE: usize = 140;
/// Cells of a template's course over time.
const COURSE: usize = 12;

pub(super) fn logs(args: &AnalyzeLogsArgs) -> Result<Exit, Failure> {
    let mut tags = args.per_line.then(Tags::new);
    let survey = survey(args, tags.as_mut())?;
    match tags {
        Some(tags) => tags.print(&survey, args.files.len() > 1)?,
        None if args.json => output::print_json(&survey)?,
        None => output::print(&shown(&survey, args.values))?,
    }
    Ok(Exit::Ok)
}

fn survey(args: &AnalyzeLogsArgs, mut tags: Option<&mut Tags>) -> Result<Survey, Failure> {
    let mut miner = LogMiner::new(Timestamp::default()).counting();
    if let Some(baseline) = &args.baseline {
        push(&mut miner, baseline, None)?;
        miner.baseline_ends();
    }
    if tags.is_some() {
        miner = miner.tag_lines();
    }
    for file in &args.files {
        push(&mut miner, file, tags.as_deref_mut())?;
        miner.cut();
        if let Some(tags) = &mut tags {
            tags.keep(&miner.take_tags())?;
            tags.ends(file);
        }
    }
    Ok(miner.survey())
}

/// Reads a file into the miner.
fn push(miner: &mut LogMiner, file: &Path, mut tags: Option<&mut Tags>) -> Result<(), Failure> {
    let input = Input::open(file)?;
    let written = input.written;
    miner.next_file(written);
    input.read(|piece| {
        miner.push(written, piece);
        match &mut tags {
            Some(tags) => tags.keep(&miner.take_tags()),
            None => Ok(()),
        }
    })
}

/// What became of each line so far, and where each file's lines end.
struct Tags {
    file: BufWriter<SpooledTempFile>,
    lines: u64,
    ends: Vec<(u64, String)>,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    line: u64,
    template_id: Option<&'a str>,
    level: Option<Level>,
    alert: bool,
}

fn temporary(e: io::Error) -> Failure {
    Failure::storage(&Error::storage("use", "a temporary file".as_ref(), e))
}

impl Tags {
    fn new() -> Self {
        let file = BufWriter::with_capacity(64 << 10, tempfile::spooled_tempfile(IN_MEMORY));
        Self { file, lines: 0, ends: Vec::new() }
    }

    fn keep(&mut self, tags: &[LineTag]) -> Result<(), Failure> {
        self.lines += tags.len() as u64;
        tags.iter().try_for_each(|t| self.file.write_all(&t.to_bytes())).map_err(temporary)
    }

    fn ends(&mut self, file: &Path) {
        self.ends.push((self.lines, file.display().to_string()));
    }

    /// Prints an object a line; the file's name where there are several.
    fn print(self, survey: &Survey, several: bool) -> Result<(), Failure> {
        let mut file = self.file.into_inner().map_err(|e| temporary(e.into_error()))?;
        file.rewind().map_err(temporary)?;
        let mut kept = BufReader::with_capacity(64 << 10, file);
        let mut out = BufWriter::with_capacity(64 << 10, io::stdout().lock());
        let mut begin = 0;
        for (end, name) in &self.ends {
            for line in 1..=end - begin {
                let mut bytes = [0; 4];
                kept.read_exact(&mut bytes).map_err(temporary)?;
                let tag = LineTag::from_bytes(bytes);
                let object = Line {
                    file: several.then_some(name),
                    line,
                    template_id: survey.template(tag).map(|t| &*t.id),
                    level: tag.level(),
                    alert: survey.is_alert(tag),
                };
                let text = serde_json::to_string(&object).expect("plain data");
                if let Err(e) = writeln!(out, "{text}") {
                    return output::ended(e);
                }
            }
            begin = *end;
        }
        out.flush().or_else(output::ended)
    }
}

fn shown(survey: &Survey, with_values: bool) -> String {
    let templates = survey.templates.len();
    let s = |n: usize| if n == 1 { "" } else { "s" };
    let mut text =
        format!("{} record{}, {templates} template{}", survey.records, s(survey.records as usize), s(templates));
    if let Some(span) = &survey.span {
        text.push_str(&format!(", {} to {}", moment(span.start), moment(span.end)));
    }
    if let Some(usual) = survey.baseline_records {
        let new = survey.templates.iter().filter(|t| t.new).count();
        text.push_str(&format!("; {new} new against {usual} records of the baseline, {} gone", survey.gone.len()));
    }
    text.push('\n');
    if templates == 0 {
        return text;
    }
    let timed = survey.span.is_some();
    text.push_str(&format!("\n{:>9}  {:<8}", "COUNT", "LEVEL"));
    if timed {
        text.push_str(&format!(" {:<19} {:<19} {:<8} {:<COURSE$}", "FIRST", "LAST", "TREND", "COURSE"));
    }
    text.push_str("  TEMPLATE\n");
    for t in first(survey) {
        text.push_str(&row(t, survey, timed));
        if with_values {
            t.values.iter().zip(1..).for_each(|(values, place)| text.push_str(&place_values(values, place)));
        }
    }
    if templates > MOST {
        text.push_str(&format!("… and {} templates more; --json has all\n", templates - MOST));
    }
    for gone in survey.gone.iter().take(MOST) {
        text.push_str(&format!("     gone, {} times before: {}\n", gone.baseline_count, cut(&gone.template)));
    }
    text
}

/// Those that a person has to see: what is new, what asks for attention, then the most frequent; in their order.
fn first(survey: &Survey) -> Vec<&Template> {
    let mut ranked: Vec<(usize, &Template)> = survey.templates.iter().enumerate().collect();
    ranked.sort_by_key(|(i, t)| (!(t.new && t.alert), !(t.new || t.alert), *i));
    ranked.truncate(MOST);
    ranked.into_iter().map(|(_, t)| t).collect()
}

fn row(t: &Template, survey: &Survey, timed: bool) -> String {
    let level = t.level.map_or("-".to_owned(), |l| format!("{l:?}").to_lowercase());
    let mark = if t.alert { "!" } else { " " };
    let mut row = format!("{:>9} {mark}{level:<8}", t.count);
    if timed {
        let trend = match t.trend {
            Some(Trend::Rising) => "rising",
            Some(Trend::Falling) => "falling",
            Some(Trend::Steady) => "steady",
            None => "-",
        };
        let at = |t: Option<Timestamp>| t.map_or_else(String::new, moment);
        row.push_str(&format!(" {:<19} {:<19} {trend:<8} {:<COURSE$}", at(t.first), at(t.last), course(t, survey)));
    }
    let news = match t.baseline_count {
        Some(0) => "[new] ".to_owned(),
        Some(n) => format!("[{n} before] "),
        None => String::new(),
    };
    row + &format!("  {news}{}\n", cut(&t.template))
}

/// What stands at one place of a template, with its share of the sample.
fn place_values(values: &Values, place: usize) -> String {
    let share = |n: u32| 100.0 * f64::from(n) / f64::from(values.sample.max(1));
    let told: Vec<String> =
        values.top.iter().take(3).map(|(value, n)| format!("{} ({:.0} %)", cut(value), share(*n))).collect();
    let others = match values.distinct as usize - told.len() {
        0 => String::new(),
        n => format!(", {n} others in a sample of {}", values.sample),
    };
    format!("{:>22} {}{others}\n", format!("<*>{place}"), told.join(", "))
}

/// How it came over the time of the whole log.
fn course(t: &Template, survey: &Survey) -> String {
    let (Some(histogram), Some(span)) = (&t.histogram, &survey.span) else { return String::new() };
    let width = (span.end.0 - span.start.0).max(1) as f64;
    let mut cells = [0.0; COURSE];
    for (at, n) in histogram.intervals().filter(|(_, n)| *n > 0) {
        let part = (at.0 - span.start.0) as f64 / width * COURSE as f64;
        cells[(part.max(0.0) as usize).min(COURSE - 1)] += f64::from(n);
    }
    spark(&cells)
}

pub(super) fn moment(at: Timestamp) -> String {
    at.to_string().replace('T', " ").chars().take(19).collect()
}

pub(super) fn cut(text: &str) -> String {
    let text = visible(text);
    match text.char_indices().nth(WIDE) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
