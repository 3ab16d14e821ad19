//! Seeded pseudo-random numbers (splitmix64): the same seed tells the same history on every machine.

pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 when the bound is 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { (self.next() % bound as u64) as usize }
    }

    /// So many days below `bound`, in milliseconds.
    pub(crate) fn days_ms(&mut self, bound: u8) -> i64 {
        (0..self.below(usize::from(bound))).map(|_| 86_400_000).sum()
    }

    /// A number below `bound`, which is more than 0.
    pub(crate) fn below_ms(&mut self, bound: i64) -> i64 {
        i64::try_from(self.next() % bound.unsigned_abs()).unwrap()
    }

    pub(crate) fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    /// One of them; `None` of none.
    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        from.get(self.below(from.len())).cloned()
    }

    /// One of them, the earlier ones more often.
    pub(crate) fn pick_early<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        let first = self.below(from.len());
        from.get(self.below(first + 1)).cloned()
    }

    /// One to `most` distinct ones; `None` of none.
    pub(crate) fn some<T: Clone + PartialEq>(&mut self, from: &[T], most: usize) -> Option<Vec<T>> {
        let count = 1 + self.below(most);
        let mut chosen: Vec<T> = Vec::new();
        for _ in 0..count {
            let one = self.pick(from)?;
            if !chosen.contains(&one) {
                chosen.push(one);
            }
        }
        Some(chosen)
    }
}
