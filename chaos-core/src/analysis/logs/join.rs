//! Finds what varies in a set of templates once all of it is known: a place where many different words stand in
//! otherwise equal templates holds a value, one where only few stand tells messages apart. After Brain (Yu, He, Chen,
//! Wu, "Brain: Log Parsing with Bidirectional Parallel Tree", IEEE TSC 2023), which looks at the variety of words at
//! a place too. Pure and deterministic.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
};

use super::{mask::WILD, telling::tells};

/// Different words at one place of a short and of a long template that make it a value.
const MANY: usize = 5;
const SOME: usize = 3;
/// Templates of one length and beginning that are too many to be told apart by a place where most differ.
const CROWD: usize = 40;
/// Each round joins what the one before made equal; more than a few are rare.
const ROUNDS: usize = 30;
/// Words of a template that make it long.
const LONG: usize = 8;

/// The group of each template, as the index of its first one, and that group's text.
pub(super) fn join(templates: &[String]) -> (Vec<u32>, Vec<String>) {
    let mut groups: Vec<Vec<&str>> = templates.iter().map(|t| t.split(' ').collect()).collect();
    let mut into: Vec<u32> = (0..templates.len() as u32).collect();
    columns(&mut groups);
    for _ in 0..ROUNDS {
        if !round(&mut groups, &mut into) {
            break;
        }
    }
    let texts = groups.iter().map(|g| g.join(" ")).collect();
    let roots = (0..into.len()).map(|i| root(&into, i as u32)).collect();
    (roots, texts)
}

fn root(into: &[u32], mut index: u32) -> u32 {
    while into[index as usize] != index {
        index = into[index as usize];
    }
    index
}

/// Masks places that hold something else in most templates of the same length and beginning: where several places vary
/// at once, no two templates differ in one only.
fn columns(groups: &mut [Vec<&str>]) {
    let mut leaves: BTreeMap<(usize, String), Vec<usize>> = BTreeMap::new();
    for (index, words) in groups.iter().enumerate() {
        leaves.entry((words.len(), words[0].to_owned())).or_default().push(index);
    }
    for ((words, _), leaf) in leaves.into_iter().filter(|(_, l)| l.len() >= CROWD) {
        (1..words).for_each(|place| column(groups, &leaf, place));
    }
}

fn column(groups: &mut [Vec<&str>], leaf: &[usize], place: usize) {
    let different: BTreeSet<&str> = leaf.iter().map(|i| groups[*i][place]).collect();
    if different.len() * 2 < leaf.len() {
        return;
    }
    for index in leaf {
        let word = &mut groups[*index][place];
        if !tells(word) {
            *word = WILD;
        }
    }
}

/// Joins what differs in one place only, where that place holds a value; says whether there was something to join.
fn round(groups: &mut [Vec<&str>], into: &mut [u32]) -> bool {
    let mut seen: HashMap<(u64, usize), Vec<u32>> = HashMap::new();
    let live: Vec<u32> = (0..into.len() as u32).filter(|i| into[*i as usize] == *i).collect();
    for index in live {
        for (place, key) in keys(&groups[index as usize]).into_iter().enumerate() {
            seen.entry((key, place)).or_default().push(index);
        }
    }
    let mut sets: Vec<(usize, Vec<u32>)> =
        seen.into_iter().filter(|(_, s)| s.len() > 1).map(|((_, place), s)| (place, s)).collect();
    // The largest first: what varies most is told first.
    sets.sort_by(|(p, a), (q, b)| b.len().cmp(&a.len()).then(a[0].cmp(&b[0])).then(p.cmp(q)));
    let mut joined = false;
    for (place, set) in sets {
        let set: Vec<u32> = set.into_iter().filter(|i| into[*i as usize] == *i).collect();
        // An earlier set may have changed the text.
        let fits = set.len() > 1 && is_value(groups, &set, place);
        if !fits {
            continue;
        }
        let first = set[0];
        let word = groups[first as usize][place];
        if set.iter().any(|i| groups[*i as usize][place] != word) {
            groups[first as usize][place] = WILD;
        }
        for index in &set[1..] {
            into[*index as usize] = first;
        }
        joined = true;
    }
    joined
}

fn is_value(groups: &[Vec<&str>], set: &[u32], place: usize) -> bool {
    let first = &groups[set[0] as usize];
    let same = |i: &u32| {
        let other = &groups[*i as usize];
        other.len() == first.len() && (0..first.len()).all(|p| p == place || other[p] == first[p])
    };
    if !set.iter().all(same)
        || set.iter().any(|i| tells(groups[*i as usize][place]) || is_method(groups[*i as usize][place]))
    {
        return false;
    }
    let mut different: Vec<&str> = set.iter().map(|i| groups[*i as usize][place]).collect();
    different.sort_unstable();
    different.dedup();
    if different.len() == 1 {
        return true;
    }
    let words = first.len();
    // Nothing but values is no template.
    let told = first.iter().enumerate().filter(|(p, w)| *p != place && !w.contains(WILD)).count();
    let masked = set.iter().any(|i| groups[*i as usize][place].trim_end_matches([',', '.', ':', ';']) == WILD);
    told > 0 && (masked || different.len() >= if words >= LONG { SOME } else { MANY })
}

/// The method of an HTTP request, as the mask leaves it.
fn is_method(word: &str) -> bool {
    word.strip_prefix('"').is_some_and(|m| m.len() >= 3 && m.bytes().all(|b| b.is_ascii_uppercase()))
}

/// For each place a key of all the other words.
fn keys(words: &[&str]) -> Vec<u64> {
    let of = |part: u64, place: usize, word: &str| {
        let mut hasher = DefaultHasher::new();
        (part, place, word).hash(&mut hasher);
        hasher.finish()
    };
    let hashes: Vec<u64> = words.iter().enumerate().map(|(p, w)| of(0, p, w)).collect();
    let all = hashes.iter().fold(words.len() as u64, |a, h| a.wrapping_add(*h));
    hashes.iter().map(|h| all.wrapping_sub(*h)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(templates: &[&str]) -> Vec<String> {
        let all: Vec<String> = templates.iter().map(|t| (*t).to_owned()).collect();
        let (roots, texts) = join(&all);
        roots.iter().map(|r| texts[*r as usize].clone()).collect()
    }

    #[test]
    fn a_place_of_many_words_holds_a_value_and_one_of_few_tells() {
        let users: Vec<String> = ["a", "b", "c", "d", "e"].iter().map(|u| format!("user {u} logged in")).collect();
        let got = joined(&users.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(got.iter().all(|t| t == "user <*> logged in"), "{got:?}");
        let events = ["VM Paused by <*>", "VM Resumed by <*>"];
        assert_eq!(joined(&events), events);
    }

    #[test]
    fn words_that_tell_success_from_failure_are_kept_apart() {
        let all = ["job a failed", "job a b", "job a c", "job a d", "job a e"];
        assert_eq!(joined(&all), all);
    }

    #[test]
    fn several_places_may_vary_at_once() {
        let words = |n: usize| format!("job {} of {} was done", char::from(b'a' + n as u8), char::from(b'A' + n as u8));
        let twice: Vec<String> = (0..26).map(words).chain((0..26).map(|n| words(n).replace("job", "task"))).collect();
        let all: Vec<String> = twice.iter().flat_map(|t| [t.clone(), t.replace("done", "late")]).collect();
        let got = joined(&all.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(got[0], "job <*> of <*> was done", "{got:?}");
        assert_eq!(got[all.len() - 1], "task <*> of <*> was late", "{got:?}");
    }

    #[test]
    fn what_is_only_values_is_left_alone() {
        let all = ["a", "b", "c", "d", "e", "f"];
        assert_eq!(joined(&all), all);
    }
}
