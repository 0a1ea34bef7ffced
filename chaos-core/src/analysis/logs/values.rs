//! What stands at the places that vary: which client, which path. Reads the values of a sample of a template's records
//! back out of their texts.

use std::collections::BTreeMap;

use serde::Serialize;

use super::mask::WILD;

/// Values of one place that are told, the most frequent first.
const MOST: usize = 5;
/// Bytes of a value.
const LONG: usize = 120;

/// The values at one place of a template, as far as a sample of its records tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Values {
    /// Records of the sample in which the place was found; at most 32.
    pub sample: u32,
    /// Different values among them.
    pub distinct: u32,
    /// The most frequent values and in how many records of the sample they stand.
    pub top: Vec<(String, u32)>,
}

/// For each place of the template that varies, in order, its values in these records.
#[must_use]
pub fn values<'a>(template: &str, records: impl IntoIterator<Item = &'a str>) -> Vec<Values> {
    let places = template.matches(WILD).count();
    let mut counts: Vec<BTreeMap<String, u32>> = vec![BTreeMap::new(); places];
    for record in records {
        for (count, value) in counts.iter_mut().zip(taken(template, record).unwrap_or_default()) {
            *count.entry(value).or_default() += 1;
        }
    }
    counts.into_iter().map(told).collect()
}

fn told(counts: BTreeMap<String, u32>) -> Values {
    let (sample, distinct) = (counts.values().sum(), counts.len() as u32);
    let mut top: Vec<(String, u32)> = counts.into_iter().collect();
    top.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    top.truncate(MOST);
    Values { sample, distinct, top }
}

/// The text at each place of the template; `None` when the record does not read like it.
pub(super) fn taken(template: &str, record: &str) -> Option<Vec<String>> {
    let text = record
        .split(|c: char| c == ' ' || c.is_ascii_control())
        .filter(|w| !w.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    let mut parts = template.split(WILD);
    let mut rest = text.strip_prefix(parts.next()?)?;
    let mut taken = Vec::new();
    for part in parts {
        // The last place has all that is left; between others lies the next text that stays the same.
        let end = if part.is_empty() { rest.len() } else { rest.find(part)? };
        let (value, after) = rest.split_at(end);
        taken.push(short(value));
        rest = &after[part.len()..];
    }
    Some(taken)
}

fn short(value: &str) -> String {
    let mut end = value.len().min(LONG);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    value[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_read_back_from_the_texts() {
        let taken = |template: &str, record: &str| taken(template, record);
        let of = |values: &[&str]| Some(values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>());
        assert_eq!(taken("from <*> port <*>", "from 10.0.0.1  port 22"), of(&["10.0.0.1", "22"]));
        assert_eq!(taken("size <*>, free <*>) done", "size 384.0 B, free 3 KB) done"), of(&["384.0 B", "3 KB"]));
        assert_eq!(taken("delete <*> now", "delete blk_1 blk_2 now"), of(&["blk_1 blk_2"]));
        assert_eq!(taken("from <*> (<*>)", "from a ()"), of(&["a", ""]));
        assert_eq!(taken("from <*>", "to x"), None);
    }

    #[test]
    fn the_most_frequent_values_are_told() {
        let records: Vec<String> =
            (0..30).map(|n| format!("GET /{} from {}", n % 10, if n % 3 == 0 { "b" } else { "a" })).collect();
        let told = values("GET <*> from <*>", records.iter().map(String::as_str));
        assert_eq!((told[0].sample, told[0].distinct, told[0].top.len()), (30, 10, 5));
        assert_eq!(told[1].top, [("a".to_owned(), 20), ("b".to_owned(), 10)]);
    }

    proptest! {
        #[test]
        fn any_texts_are_read_without_a_panic(template in "[a <*>é]{0,20}", record in "[a <*>é\\n]{0,20}") {
            let told = values(&template, [&*record]);
            prop_assert_eq!(told.len(), template.matches(WILD).count());
        }
    }
}
