//! What a chart promises: it never panics, is the same each time, is well-formed, and shows what it must.

use super::*;

fn series(values: &[f64]) -> Series {
    Series {
        name: "system.cpu.utilization".into(),
        unit: "1".into(),
        at: (0..values.len() as i64).map(|i| i * 1000).collect(),
        values: values.to_vec(),
        ..Series::default()
    }
}

fn chart(title: &str, unit: &str, all: &[Series], end: i64) -> String {
    let lines = all.iter().map(|s| Line { label: title.into(), series: s, gaps: &[] }).collect();
    render(&Spec {
        title: title.into(),
        unit: unit.into(),
        lines,
        baseline: Some(Timestamp(0)..Timestamp(end / 3)),
        observed: Timestamp(end / 3)..Timestamp(end),
        fault: Some(Timestamp(end / 2)..Timestamp(end)),
        onset: Some(Timestamp(end / 2)),
    })
}

/// Every tag is closed in order, and every `&` begins an entity.
fn assert_well_formed(svg: &str) {
    let mut open: Vec<&str> = Vec::new();
    for part in svg.split('<').skip(1) {
        let (tag, text) = part.split_once('>').expect("a tag ends");
        assert!(!text.contains('>'), "{text:?}");
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name)),
            None if tag.ends_with('/') => {}
            None => open.push(tag.split(' ').next().unwrap()),
        }
        for entity in part.split('&').skip(1) {
            assert!(["lt;", "gt;", "amp;", "quot;", "apos;"].iter().any(|e| entity.starts_with(e)), "{entity:?}");
        }
    }
    assert!(open.is_empty(), "{open:?}");
    assert!(!svg.chars().any(|c| c.is_control() && c != '\n'));
}

#[test]
fn degenerate_data_never_panics() {
    let extreme = [f64::MAX, f64::MIN, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 5e-324, -0.0, 0.0, 1.0];
    let sets: Vec<Vec<f64>> = vec![
        vec![],
        vec![0.5],
        vec![f64::NAN; 9],
        vec![0.0; 50],
        vec![7.25; 50],
        extreme.to_vec(),
        vec![1e300; 3],
        vec![1e16, 1e16 + 2.0],
        vec![-3.0, -2.0],
    ];
    for values in &sets {
        for unit in ["1", "By", "By/s", "{x}/s", "", "s", "{", "}{", "<&"] {
            for end in [0, 1, 30_000, i64::MAX, i64::MIN] {
                assert_well_formed(&chart("t", unit, &[series(values)], end));
            }
        }
    }
    let mut odd = series(&[1.0, 2.0, 3.0]);
    odd.at = vec![i64::MIN, i64::MAX];
    assert_well_formed(&chart("t", "1", &[odd], 10));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let s = [series(&[0.1, 0.2, 0.9])];
    assert_eq!(chart("CPU", "1", &s, 3000), chart("CPU", "1", &s, 3000));
}

#[test]
fn text_is_only_ever_text() {
    let svg = chart("</text><script>alert(1)</script>&\u{1b}[31m\u{202e}\u{0}", "1", &[series(&[0.1, 0.9])], 2000);
    assert_well_formed(&svg);
    assert!(!svg.contains("<script") && svg.contains("&lt;script&gt;") && svg.contains("\\u{202e}"), "{svg}");
}

#[test]
fn windows_onset_and_description_are_shown() {
    let svg = chart("CPU utilization", "1", &[series(&[0.1; 30])], 30_000);
    for want in ["baseline", "observed", "injected fault", "onset 00:00:15", "<title>CPU utilization</title>", "<desc>"]
    {
        assert!(svg.contains(want), "{want}");
    }
}

#[test]
fn gaps_are_not_bridged() {
    let mut values = vec![0.5; 30];
    values[10] = f64::NAN;
    assert_eq!(chart("t", "1", &[series(&values)], 30_000).matches("<polyline").count(), 2);
}

#[test]
fn at_most_five_lines_are_drawn() {
    let many: Vec<Series> = (0..9).map(|i| series(&[f64::from(i), 1.0])).collect();
    assert_eq!(chart("t", "1", &many, 2000).matches("<polyline").count(), 5);
}
