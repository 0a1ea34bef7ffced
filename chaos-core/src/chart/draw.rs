//! The drawing itself: geometry, colours and marks of a chart.

use std::ops::Range;

use plotters::{
    backend::{DrawingBackend, SVGBackend},
    style::{
        Color, IntoFont, RGBAColor, RGBColor, ShapeStyle, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{Spec, points, points::Stretch, units, visible};
use crate::model::Timestamp;

/// The canvas has twice the displayed size, because plotters draws on whole units.
const FINE: i32 = 2;
const WIDTH: i32 = 880 * FINE;
const PLOT_HEIGHT: i32 = 230 * FINE;
const LEFT: i32 = 84 * FINE;
const RIGHT: i32 = 32 * FINE;
const HEAD: i32 = 34 * FINE;
const ROW: i32 = 19 * FINE;
/// Room for the marks' labels between the legend and the plot.
const MARKS: i32 = 20 * FINE;
const FOOT: i32 = 34 * FINE;
const MAX_LINES: usize = 5;

// Okabe & Ito's colours, which people with any colour vision can tell apart.
const COLORS: [RGBColor; MAX_LINES] =
    [RGBColor(0, 114, 178), RGBColor(213, 94, 0), RGBColor(0, 158, 115), RGBColor(204, 121, 167), RGBColor(110, 90, 0)];
const INK: RGBColor = RGBColor(36, 41, 47);
const GREY: RGBColor = RGBColor(87, 96, 106);
const GRID: RGBColor = RGBColor(225, 228, 232);
const BASELINE: RGBColor = RGBColor(26, 127, 55);
const FAULT: RGBColor = RGBColor(207, 34, 46);

/// Maps time and value to the canvas.
struct Frame {
    time: Range<Timestamp>,
    low: f64,
    high: f64,
    top: i32,
}

impl Frame {
    fn x(&self, at: i64) -> i32 {
        let span = (self.time.end.0 as f64 - self.time.start.0 as f64).max(1.0);
        let share = ((at as f64 - self.time.start.0 as f64) / span).clamp(0.0, 1.0);
        LEFT + (share * f64::from(WIDTH - LEFT - RIGHT)).round() as i32
    }

    fn y(&self, value: f64) -> i32 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.bottom() - (share * f64::from(PLOT_HEIGHT)).round() as i32
    }

    fn bottom(&self) -> i32 {
        self.top + PLOT_HEIGHT
    }
}

/// A canvas that never fails: plotters writes into a text.
struct Canvas<'a>(SVGBackend<'a>);

impl Canvas<'_> {
    fn rect(&mut self, from: (i32, i32), to: (i32, i32), color: RGBAColor) {
        let _ = self.0.draw_rect(from, to, &color.filled(), true);
    }

    fn line(&mut self, from: (i32, i32), to: (i32, i32), color: RGBColor, width: u32) {
        let _ = self.0.draw_line(from, to, &stroke(color, width));
    }

    fn path(&mut self, points: &[(i32, i32)], color: RGBColor, width: u32) {
        let _ = self.0.draw_path(points.iter().copied(), &stroke(color, width));
    }

    fn dot(&mut self, at: (i32, i32), color: RGBColor) {
        let _ = self.0.draw_circle(at, 3 * FINE as u32, &color.filled(), true);
    }

    fn dashed(&mut self, x: i32, from: i32, to: i32, color: RGBColor) {
        for y in (from..to).step_by(7 * FINE as usize) {
            self.line((x, y), (x, (y + 4 * FINE).min(to)), color, 3);
        }
    }

    fn text(&mut self, text: &str, at: (i32, i32), size: i32, color: RGBColor, h: HPos) {
        // plotters divides by 1.24 on its way to the SVG.
        let font = ("sans-serif", f64::from(size * FINE) * 1.24).into_font();
        let style = TextStyle::from(font).color(&color).pos(Pos::new(h, VPos::Center));
        let _ = self.0.draw_text(text, &style, at);
    }
}

fn stroke(color: RGBColor, width: u32) -> ShapeStyle {
    ShapeStyle { color: color.to_rgba(), filled: false, stroke_width: width }
}

/// Labels and stretches of the lines that are drawn, in order.
type Drawn = Vec<(String, Vec<Stretch>)>;

pub(super) fn svg(spec: &Spec<'_>) -> String {
    let time = time_range(spec);
    let drawn: Drawn = spec
        .lines
        .iter()
        .take(MAX_LINES)
        .map(|l| (cut(&visible(&l.label), 44), points::stretches(l.series, l.gaps, &time)))
        .collect();
    let legend = legend_rows(&drawn);
    let (low, high) = value_range(&drawn, &spec.unit);
    let frame = Frame { time, low, high, top: HEAD + ROW * legend.len().max(1) as i32 + MARKS };
    let height = frame.bottom() + FOOT;
    let mut body = String::with_capacity(16 << 10);
    {
        let mut canvas = Canvas(SVGBackend::with_string(&mut body, (WIDTH as u32, height as u32)));
        canvas.rect((0, 0), (WIDTH, height), RGBColor(255, 255, 255).to_rgba());
        head(&mut canvas, spec, &frame, &legend);
        bands(&mut canvas, spec, &frame);
        axes(&mut canvas, spec, &frame);
        lines(&mut canvas, &frame, &drawn);
        marks(&mut canvas, spec, &frame);
        let _ = canvas.0.present();
    }
    accessible(&body, spec, &drawn, height)
}

/// The window that the run is about, or that of the samples where the run has none.
fn time_range(spec: &Spec<'_>) -> Range<Timestamp> {
    let start = spec.baseline.as_ref().map_or(spec.observed.start, |b| b.start.min(spec.observed.start));
    if start < spec.observed.end {
        return start..spec.observed.end;
    }
    let times = || spec.lines.iter().flat_map(|l| l.series.at.iter().copied());
    match (times().min(), times().max()) {
        (Some(a), Some(b)) if a < b => Timestamp(a)..Timestamp(b),
        (Some(a), _) => Timestamp(a.saturating_sub(1000))..Timestamp(a.saturating_add(1000)),
        _ => start..Timestamp(start.0.saturating_add(1000)),
    }
}

/// Zero is part of the axis unless the values lie close together far from it; a share that comes near 1 is shown
/// up to 1.
fn value_range(drawn: &Drawn, unit: &str) -> (f64, f64) {
    let values = || drawn.iter().flat_map(|(_, s)| s.iter().flatten().map(|p| p.1));
    let (min, max) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    if !(min.is_finite() && max.is_finite()) {
        return (0.0, 1.0);
    }
    if unit == "1" && min >= 0.0 && (0.4..=1.0).contains(&max) {
        return (0.0, 1.0);
    }
    let narrow = min > 0.0 && max - min > max * 1e-9 && max - min < max * 0.05;
    let low = if narrow { min - (max - min) } else { min.min(0.0) };
    let mut high = if narrow { max + (max - min) } else { max.max(0.0) };
    if high - low <= 0.0 {
        high = low + 1.0;
    }
    let scale = units::Scale::of(high.abs().max(low.abs()), unit).divisor;
    let step = units::nice_step((high - low) / scale / 5.0) * scale;
    let up = (high / step).ceil() * step;
    let down = (low / step).floor() * step;
    if up.is_finite() && down.is_finite() && up > down { (down, up) } else { (low, high) }
}

/// Entries of the legend by row, as (index of the line, x).
fn legend_rows(drawn: &Drawn) -> Vec<Vec<(usize, String, i32)>> {
    let mut rows: Vec<Vec<(usize, String, i32)>> = vec![Vec::new()];
    let mut x = LEFT;
    for (i, (label, stretches)) in drawn.iter().enumerate() {
        let label = if stretches.is_empty() { format!("{label} (no data)") } else { label.clone() };
        let width = (30 + 7 * label.chars().count() as i32) * FINE;
        if x + width > WIDTH - RIGHT && x > LEFT {
            rows.push(Vec::new());
            x = LEFT;
        }
        rows.last_mut().expect("there is always a row").push((i, label, x));
        x += width;
    }
    rows
}

fn head(canvas: &mut Canvas<'_>, spec: &Spec<'_>, frame: &Frame, legend: &[Vec<(usize, String, i32)>]) {
    // What is counted is too long for the labels of the axis.
    let scale = units::Scale::of(0.0, &spec.unit);
    let of = if scale.countable { format!(" ({})", cut(&visible(scale.suffix.trim()), 30)) } else { String::new() };
    canvas.text(&format!("{}{of}", cut(&visible(&spec.title), 70)), (LEFT, 18 * FINE), 15, INK, HPos::Left);
    let date = frame.time.start.to_string();
    let date = date.split_once('T').map_or(date.as_str(), |(d, _)| d);
    canvas.text(&format!("{date}, UTC"), (WIDTH - RIGHT, 18 * FINE), 12, GREY, HPos::Right);
    for (r, row) in legend.iter().enumerate() {
        let y = HEAD + ROW * r as i32 + ROW / 2;
        for (i, label, x) in row {
            canvas.line((*x, y), (x + 18 * FINE, y), COLORS[*i], 3 * FINE as u32);
            canvas.text(label, (x + 23 * FINE, y), 12, INK, HPos::Left);
        }
    }
}

/// The part of `span` that the chart covers, in canvas units.
fn clip(frame: &Frame, span: &Range<Timestamp>) -> Option<(i32, i32)> {
    let (start, end) = (span.start.max(frame.time.start), span.end.min(frame.time.end));
    (start < end).then(|| (frame.x(start.0), frame.x(end.0)))
}

fn bands(canvas: &mut Canvas<'_>, spec: &Spec<'_>, frame: &Frame) {
    let mut band = |span: Option<&Range<Timestamp>>, color: RGBColor| {
        if let Some((a, b)) = span.and_then(|s| clip(frame, s)) {
            canvas.rect((a, frame.top), (b, frame.bottom()), color.mix(0.09));
        }
    };
    band(spec.baseline.as_ref(), BASELINE);
    band(spec.fault.as_ref(), FAULT);
}

fn axes(canvas: &mut Canvas<'_>, spec: &Spec<'_>, frame: &Frame) {
    let scale = units::Scale::of(frame.high.abs().max(frame.low.abs()), &spec.unit);
    for tick in units::value_ticks(frame.low / scale.divisor, frame.high / scale.divisor, 5) {
        let y = frame.y(tick * scale.divisor);
        canvas.line((LEFT, y), (WIDTH - RIGHT, y), GRID, 2);
        let suffix = if scale.countable { "" } else { &scale.suffix };
        let label = format!("{}{}", units::number(tick), cut(&visible(suffix), 8));
        canvas.text(&label, (LEFT - 8 * FINE, y), 12, GREY, HPos::Right);
    }
    for (at, label) in units::time_ticks(frame.time.start, frame.time.end, 8) {
        let x = frame.x(at.0);
        canvas.line((x, frame.bottom()), (x, frame.bottom() + 5 * FINE), GREY, 2);
        canvas.text(&label, (x, frame.bottom() + 16 * FINE), 12, GREY, HPos::Center);
    }
    canvas.line((LEFT, frame.bottom()), (WIDTH - RIGHT, frame.bottom()), GREY, 2);
}

fn lines(canvas: &mut Canvas<'_>, frame: &Frame, drawn: &Drawn) {
    if drawn.iter().all(|(_, s)| s.is_empty()) {
        let middle = ((LEFT + WIDTH - RIGHT) / 2, frame.top + PLOT_HEIGHT / 2);
        canvas.text("no data in this window", middle, 14, GREY, HPos::Center);
    }
    // The first line is the most important one: it is drawn last, on top.
    for (i, (_, stretches)) in drawn.iter().enumerate().rev() {
        for stretch in stretches {
            let path: Vec<(i32, i32)> = stretch.iter().map(|(t, v)| (frame.x(*t), frame.y(*v))).collect();
            match path.as_slice() {
                [one] => canvas.dot(*one, COLORS[i]),
                many => canvas.path(many, COLORS[i], 2 * FINE as u32),
            }
        }
    }
}

/// What is written above the plot: the windows by name, and the onset as a dashed line through it.
fn marks(canvas: &mut Canvas<'_>, spec: &Spec<'_>, frame: &Frame) {
    let bar = frame.top - 3 * FINE;
    let row = frame.top - 12 * FINE;
    let onset = spec.onset.filter(|o| frame.time.start <= *o && *o <= frame.time.end);
    // Labels of the windows are left out where they would run into the onset's.
    let taken = onset.map(|o| {
        let x = frame.x(o.0);
        if x > WIDTH * 3 / 4 { x - 100 * FINE..x + 4 * FINE } else { x - 4 * FINE..x + 100 * FINE }
    });
    let label = |canvas: &mut Canvas<'_>, text: &str, x: i32, end: i32, color: RGBColor, free_from: &mut i32| {
        let from = x.max(*free_from);
        let from = match &taken {
            Some(t) if from < t.end && from + 7 * FINE * text.len() as i32 > t.start => t.end,
            _ => from,
        };
        let to = from + 7 * FINE * text.len() as i32;
        if to <= end.max(x) + 4 * FINE {
            canvas.text(text, (from, row), 11, color, HPos::Left);
            *free_from = to;
        }
    };
    let mut free = 0;
    let windows = [
        (spec.baseline.as_ref(), "baseline", BASELINE),
        (Some(&spec.observed), "observed", GREY),
        (spec.fault.as_ref(), "injected fault", FAULT),
    ];
    for (i, (span, name, color)) in windows.into_iter().enumerate() {
        let Some((a, b)) = span.and_then(|s| clip(frame, s)) else { continue };
        let y = bar - if i == 2 { 3 * FINE } else { 0 };
        canvas.line((a, y), (b, y), color, 2 * FINE as u32);
        label(canvas, name, a, b, color, &mut free);
    }
    if let Some(at) = onset {
        let x = frame.x(at.0);
        canvas.dashed(x, frame.top - 6 * FINE, frame.bottom(), INK);
        let side = if x > WIDTH * 3 / 4 { HPos::Right } else { HPos::Left };
        let at_x = if x > WIDTH * 3 / 4 { x - 3 * FINE } else { x + 3 * FINE };
        canvas.text(&format!("onset {}", at.time_of_day()), (at_x, row), 11, INK, side);
    }
}

/// Puts a size, a role, a title and a description into the document, so that a screen reader can tell what it is.
fn accessible(body: &str, spec: &Spec<'_>, drawn: &Drawn, height: i32) -> String {
    let rest = body.split_once('>').map_or("", |(_, rest)| rest);
    let mut about = format!("Line chart from {} to {}.", time_range(spec).start, time_range(spec).end);
    for (label, stretches) in drawn {
        let values = || stretches.iter().flatten().map(|p| p.1);
        let (min, max) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
        let last = values().next_back();
        about += &match last {
            Some(last) => format!(
                " {label}: {} to {}, last {}.",
                units::human(min, &spec.unit),
                units::human(max, &spec.unit),
                units::human(last, &spec.unit)
            ),
            None => format!(" {label}: no data."),
        };
    }
    if let Some(onset) = spec.onset {
        about += &format!(" Onset at {onset}.");
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" viewBox=\"0 0 {WIDTH} {height}\" \
         role=\"img\">\n<title>{}</title>\n<desc>{}</desc>{rest}",
        WIDTH / FINE,
        height / FINE,
        xml(&spec.title),
        xml(&about)
    )
}

fn xml(text: &str) -> String {
    visible(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
