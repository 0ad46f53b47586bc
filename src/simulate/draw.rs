//! Chance: one stream of random numbers per component, so that a change to one moves no other.

use super::scenario::Law;
use super::station::Nanos;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Exp1, StandardNormal, Zipf};
use rand_pcg::Pcg64Mcg;

/// The random numbers of one component.
#[derive(Clone, Debug)]
pub struct Draw(Pcg64Mcg);

/// FNV-1a over the bytes: the same in every version of the compiler.
pub fn hash(text: &str, seed: u64) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325 ^ mix(seed), |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Spreads the bits of a number (the finaliser of SplitMix64).
pub fn mix(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// The partition, of so many, that keeps a key; one that is salted has several `way`s.
pub fn member_of(key: u32, way: u32, partitions: usize) -> usize {
    (mix((u64::from(key) << 8) | u64::from(way)) % partitions.max(1) as u64) as usize
}

impl Draw {
    /// The stream of a component under a seed.
    pub fn of(component: &str, seed: u64) -> Draw {
        Draw(Pcg64Mcg::seed_from_u64(mix(hash(component, seed))))
    }

    /// Uniform in `0 <= x < 1`.
    pub fn unit(&mut self) -> f64 {
        self.0.random::<f64>()
    }

    /// True with probability `share`.
    pub fn hits(&mut self, share: f64) -> bool {
        share > 0.0 && self.unit() < share
    }

    /// Below `n`, at least one.
    pub fn below(&mut self, n: u32) -> u32 {
        self.0.random_range(0..n.max(1))
    }

    /// Exponential with this mean.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        let x: f64 = Exp1.sample(&mut self.0);
        x * mean
    }

    /// A duration of this law, whose mean is `mean_ns`.
    pub fn time(&mut self, mean_ns: f64, law: Law, spread: f64) -> Nanos {
        let ns = match law {
            Law::Constant => mean_ns,
            Law::Exponential => self.exponential(mean_ns),
            Law::LogNormal => {
                let z: f64 = StandardNormal.sample(&mut self.0);
                mean_ns * (spread * z - spread * spread / 2.0).exp()
            }
        };
        ns.max(0.0) as Nanos
    }

    /// A key of `count` by Zipf's law with this exponent, from 0.
    pub fn key(&mut self, count: u32, zipf: f64) -> u32 {
        if zipf <= 0.0 {
            return self.below(count);
        }
        match Zipf::new(f64::from(count.max(1)), zipf) {
            Ok(law) => (law.sample(&mut self.0) as u32).saturating_sub(1),
            Err(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws_have_their_means() {
        let mut draw = Draw::of("test", 1);
        for law in [Law::Constant, Law::Exponential, Law::LogNormal] {
            let n = 40_000;
            let sum: u64 = (0..n).map(|_| draw.time(1e6, law, 0.5)).sum();
            let mean = sum as f64 / f64::from(n);
            assert!((mean / 1e6 - 1.0).abs() < 0.02, "{law:?}: {mean}");
        }
    }

    #[test]
    fn streams_are_their_own_and_repeat() {
        let first = |name: &str, seed| Draw::of(name, seed).unit();
        assert_eq!(first("a", 1).to_bits(), first("a", 1).to_bits());
        assert_ne!(first("a", 1).to_bits(), first("b", 1).to_bits());
        assert_ne!(first("a", 1).to_bits(), first("a", 2).to_bits());
    }
}
