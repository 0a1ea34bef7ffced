//! Which metrics get a chart, and which belong into one. Drawing is `crate::chart`'s business.

use std::collections::{BTreeMap, BTreeSet};

use super::{story::score, words};
use crate::{
    chart::{self, Line, Spec},
    model::{Body, Chart, Finding, Gap, Id, Incident, Observation, Series, Timestamp},
};

/// More charts than anybody looks at.
const MOST: usize = 8;
const LINES: usize = 5;

/// A chart before it is drawn.
pub(super) struct ChartPlan<'a> {
    /// `cpu-utilization`: the file is this plus `.svg`, the anchor `chart-` plus this.
    pub(super) slug: String,
    /// Letters, digits and spaces only.
    pub(super) title: String,
    /// The findings whose series it shows.
    pub(super) findings: BTreeSet<Id<Finding>>,
    unit: &'a str,
    lines: Vec<(&'a Series, &'a [Gap])>,
    onset: Option<Timestamp>,
    weight: f64,
}

impl ChartPlan<'_> {
    pub(super) fn file(&self) -> String {
        format!("{}.svg", self.slug)
    }

    /// Where the report shows it: GitHub derives this from the heading `Chart: {title}`.
    pub(super) fn link(&self) -> String {
        format!("[{}](#chart-{})", self.title, self.slug)
    }

    pub(super) fn draw(&self, incident: &Incident, seen: &Observation) -> Chart {
        let fault = incident.injection.as_ref().and_then(|i| Some((i.started?, i.reverted)));
        let spec = Spec {
            title: self.title.clone(),
            unit: self.unit.to_owned(),
            lines: labels(&self.lines),
            baseline: seen.baseline.clone(),
            observed: seen.observed.clone(),
            fault: fault.map(|(start, end)| start..end.unwrap_or(incident.span.end)),
            onset: self.onset,
        };
        Chart { name: self.file(), title: self.title.clone(), svg: chart::render(&spec) }
    }
}

/// The charts of an incident: the metrics that findings cite, most abnormal first.
pub(super) fn plan(incident: &Incident) -> Vec<ChartPlan<'_>> {
    let Some(seen) = &incident.observation else { return Vec::new() };
    let mut groups: BTreeMap<(&str, &str), ChartPlan<'_>> = BTreeMap::new();
    let mut ranked: Vec<_> = incident.findings.iter().collect();
    ranked.sort_by(|(a, f), (b, g)| score(g).total_cmp(&score(f)).then(a.cmp(b)));
    for (id, finding) in ranked {
        for cite in &finding.cites {
            let Some(evidence) = seen.evidence.get(cite.evidence) else { continue };
            let Body::Metric(series) = &evidence.body else { continue };
            let group = groups.entry((family(&series.name), series.unit.as_str())).or_insert_with(|| empty(series));
            group.weight = group.weight.max(score(finding));
            group.findings.insert(id);
            group.onset = [group.onset, finding.onset].into_iter().flatten().min();
            add(group, series, &evidence.gaps);
        }
    }
    let mut plans: Vec<ChartPlan<'_>> = groups.into_values().collect();
    plans.sort_by(|a, b| b.weight.total_cmp(&a.weight).then_with(|| a.findings.first().cmp(&b.findings.first())));
    plans.truncate(MOST);
    for plan in &mut plans {
        add_context(plan, incident, seen);
        plan.lines.truncate(LINES);
    }
    name_them(&mut plans);
    plans
}

fn empty(series: &Series) -> ChartPlan<'_> {
    ChartPlan {
        slug: String::new(),
        title: words::metric(&format!("system.{}", family(&series.name))),
        findings: BTreeSet::new(),
        unit: &series.unit,
        lines: Vec::new(),
        onset: None,
        weight: 0.0,
    }
}

/// The host's and its processes' metrics of one kind belong into one chart.
fn family(name: &str) -> &str {
    let stem = name.strip_prefix("system.").or_else(|| name.strip_prefix("process.")).unwrap_or(name);
    stem.strip_prefix("linux.").unwrap_or(stem)
}

fn add<'a>(plan: &mut ChartPlan<'a>, series: &'a Series, gaps: &'a [Gap]) {
    if !plan.lines.iter().any(|(s, _)| std::ptr::eq(*s, series)) {
        plan.lines.push((series, gaps));
    }
}

/// Puts a whole beside its parts: the host's total first, and the process that took the most of it.
fn add_context<'a>(plan: &mut ChartPlan<'a>, incident: &Incident, seen: &'a Observation) {
    let Some(first) = plan.lines.first().map(|(s, _)| *s) else { return };
    let kind = family(&first.name);
    let same = seen.evidence.iter().filter_map(|(_, e)| match &e.body {
        Body::Metric(s) if family(&s.name) == kind && s.unit == plan.unit => Some((s, e.gaps.as_slice())),
        _ => None,
    });
    let same: Vec<(&'a Series, &'a [Gap])> = same.collect();
    let of_process = |s: &Series| s.name.starts_with("process.");
    let total = same.iter().find(|(s, _)| s.name.starts_with("system.") && s.attributes.is_empty());
    if let Some((series, gaps)) = total {
        plan.lines.retain(|(s, _)| !std::ptr::eq(*s, *series));
        plan.lines.insert(0, (series, gaps));
    }
    if plan.lines.iter().any(|(s, _)| of_process(s)) {
        return;
    }
    let culprit = incident.diagnosis.as_ref().and_then(|d| d.culprit.as_ref());
    let pid = culprit.and_then(|c| c.entity.attributes.get("pid")).map_or("", String::as_str);
    let processes = || same.iter().filter(|(s, _)| of_process(s));
    let named = processes().find(|(s, _)| !pid.is_empty() && s.attribute("process.pid") == pid);
    let top = || {
        let weigh = |s: &Series| s.samples().filter(|(t, _)| seen.observed.contains(t)).map(|(_, v)| v).sum::<f64>();
        processes().max_by(|(a, _), (b, _)| weigh(a).total_cmp(&weigh(b)))
    };
    if let Some((series, gaps)) = named.or_else(top) {
        plan.lines.truncate(LINES - 1);
        plan.lines.insert(plan.lines.len().min(1), (series, gaps));
    }
}

/// Safe and unique names from the titles, so that a heading's anchor can be told beforehand.
fn name_them(plans: &mut [ChartPlan<'_>]) {
    let mut taken = BTreeSet::new();
    for plan in plans {
        let kept: String =
            plan.title.chars().filter(|c| *c != '/').map(|c| if c.is_ascii_alphanumeric() { c } else { ' ' }).collect();
        let words: Vec<&str> = kept.split_whitespace().collect();
        let title: String = words.join(" ").chars().take(60).collect();
        let title = if title.is_empty() { "Metric".to_owned() } else { title.trim_end().to_owned() };
        let slug = |t: &str| t.to_ascii_lowercase().replace(' ', "-");
        let named = (1..).map(|n| if n == 1 { title.clone() } else { format!("{title} {n}") });
        plan.title = named.into_iter().find(|t| !taken.contains(&slug(t))).expect("some number is free");
        plan.slug = slug(&plan.title);
        taken.insert(plan.slug.clone());
    }
}

fn labels<'a>(lines: &[(&'a Series, &'a [Gap])]) -> Vec<Line<'a>> {
    let names: BTreeSet<&str> = lines.iter().map(|(s, _)| s.name.as_str()).collect();
    lines.iter().map(|(series, gaps)| Line { label: label(series, names.len() > 1), series, gaps }).collect()
}

fn label(s: &Series, mixed: bool) -> String {
    if !s.attribute("process.command").is_empty() {
        return format!("{} [{}]", s.attribute("process.command"), s.attribute("process.pid"));
    }
    let which: Vec<&str> = s.attributes.values().map(String::as_str).collect();
    match (which.is_empty(), mixed) {
        (true, _) if s.name.starts_with("system.") => "whole host".to_owned(),
        (true, _) => words::metric(&s.name),
        (false, true) => format!("{} {}", words::metric(&s.name), which.join(" ")),
        (false, false) => which.join(" "),
    }
}
