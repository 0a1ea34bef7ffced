//! A queue that is fair to those who wait: each caller has a lane, and lanes take turns.

use std::collections::VecDeque;

/// The queue.
#[derive(Debug)]
pub(super) struct FairQueue<T>(VecDeque<(String, VecDeque<T>)>);

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> FairQueue<T> {
    pub(super) fn push(&mut self, caller: &str, item: T) {
        match self.0.iter_mut().find(|(name, _)| name == caller) {
            Some((_, lane)) => lane.push_back(item),
            None => self.0.push_back((caller.to_owned(), VecDeque::from([item]))),
        }
    }

    /// The next one; its caller's next turn comes after everybody else's.
    pub(super) fn pop(&mut self) -> Option<T> {
        let (caller, mut lane) = self.0.pop_front()?;
        let item = lane.pop_front();
        if !lane.is_empty() {
            self.0.push_back((caller, lane));
        }
        item
    }

    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|(_, lane)| lane.len()).sum()
    }

    /// Takes one out.
    pub(super) fn remove(&mut self, is: impl Fn(&T) -> bool) -> Option<T> {
        let (at, place) =
            self.0.iter().enumerate().find_map(|(at, (_, lane))| Some((at, lane.iter().position(&is)?)))?;
        let item = self.0[at].1.remove(place);
        if self.0[at].1.is_empty() {
            self.0.remove(at);
        }
        item
    }

    /// The how manieth one is, from 1.
    pub(super) fn position(&self, is: impl Fn(&T) -> bool) -> Option<usize> {
        let (at, place) =
            self.0.iter().enumerate().find_map(|(at, (_, lane))| Some((at, lane.iter().position(&is)?)))?;
        // Before it: what each lane gives in the rounds before, and the lanes that come first in its own round.
        let before: usize = self.0.iter().map(|(_, lane)| lane.len().min(place)).sum();
        let first = self.0.iter().take(at).filter(|(_, lane)| lane.len() > place).count();
        Some(before + first + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_take_turns_and_positions_say_when() {
        let mut queue = FairQueue::default();
        for (caller, item) in [("a", 1), ("a", 2), ("a", 3), ("b", 4), ("c", 5), ("b", 6)] {
            queue.push(caller, item);
        }
        assert_eq!(queue.len(), 6);
        let positions: Vec<_> = [1, 4, 5, 2, 6, 3].map(|n| queue.position(|i| *i == n).unwrap()).into();
        assert_eq!(positions, [1, 2, 3, 4, 5, 6]);
        assert_eq!(queue.remove(|i| *i == 5), Some(5));
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, [1, 4, 2, 6, 3]);
        assert_eq!(queue.position(|i| *i == 1), None);
    }
}
