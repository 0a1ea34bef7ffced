//! The sampler's frames.

use chaos_core::{
    analysis::{metrics::process::process_groups, proc::ProcSampler},
    model::{Series, Timestamp},
};

use super::input::Input;

fn read(text: &[u8], size: usize, resumed: usize) -> Vec<Series> {
    let mut sampler = ProcSampler::new();
    let (one, two) = text.split_at(resumed);
    one.chunks(size).for_each(|piece| sampler.push(Timestamp(1000), piece));
    if !two.is_empty() {
        sampler.resume();
    }
    two.chunks(size).for_each(|piece| sampler.push(Timestamp(5000), piece));
    let frames = sampler.frames();
    let series = sampler.finish();
    assert!(series.iter().all(|s| s.at.len() <= frames));
    series
}

/// Series have as many times as values, times ascend, and no value is negative or infinite; how the stream was cut
/// makes no difference.
pub(super) fn frames(data: &[u8]) {
    let mut input = Input::new(data);
    let size = 1 + input.pick(100);
    let resumed = if input.flag() { input.place() } else { input.text.len() };
    let series = read(input.text, usize::MAX, resumed);
    assert_eq!(
        serde_json::to_string(&series).unwrap(),
        serde_json::to_string(&read(input.text, size, resumed)).unwrap()
    );
    for s in &series {
        assert!(s.at.len() == s.values.len() && s.at.is_sorted_by(|a, b| a < b), "{s:?}");
        assert!(s.values.iter().all(|v| v.is_nan() || v.is_finite() && *v >= 0.0), "{s:?}");
        assert!(s.unit != "1" || s.values.iter().all(|v| v.is_nan() || *v <= 1.0), "{s:?}");
    }
    let processes = series.iter().filter(|s| s.name == "process.memory.usage");
    assert!(processes.count() <= 40);
    let all: Vec<&Series> = series.iter().collect();
    for group in process_groups(&all) {
        assert!(!group.members.is_empty() && group.sum.at.len() == group.sum.values.len());
    }
}
