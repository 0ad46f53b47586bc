//! Changes of a file that a broken system, or an enemy, could make. All is derived from a seed: two
//! runs do the same. Also used by `fuzz/`.

/// Numbers that look random and are the same in each run.
pub struct Dice(pub u64);

impl Dice {
    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n.max(1)
    }
}

/// Texts that some reader or some statistic might mind.
const WORDS: [&[u8]; 40] = [
    b"\"",
    b"'",
    b"{",
    b"}",
    b"[",
    b"]",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    b"{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":",
    b",",
    b";",
    b"|",
    b"\n",
    b"\r\n",
    b"\t",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xae",
    b"\x1b[2J",
    b"-1",
    b"0",
    b"1e309",
    b"-1e309",
    b"1e-309",
    b"NaN",
    b"+Inf",
    b"-Infinity",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"18446744073709551616",
    b"99999999999999999999999999",
    b"null",
    b"true",
    b"0001-01-01T00:00:00Z",
    b"9999-12-31T23:59:59.999999999Z",
    b"-292277022657-01-27T08:29:52Z",
    b"\\u0000",
    b"\\ud800",
    b"/*",
    b"$$",
];

/// Changes a text or binary file in one to four places.
pub fn mutate(whole: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut out = whole.to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(out.len() + 1);
        let end = (at + 1 + dice.below(64)).min(out.len());
        match dice.below(10) {
            0 => out.truncate(at),
            1 if at < out.len() => out[at] ^= 1 << dice.below(8),
            2 if at < out.len() => out[at] = dice.below(256) as u8,
            3 => drop(out.drain(at..end)),
            4 => {
                let piece = out[at..end].to_vec();
                out.splice(at..at, piece).for_each(drop);
            }
            5 => {
                // A stretch from elsewhere in the file.
                let from = dice.below(out.len() + 1);
                let to = (from + dice.below(200)).min(out.len());
                let piece = out[from..to].to_vec();
                out.splice(at..end, piece).for_each(drop);
            }
            6 => {
                let noise: Vec<u8> = (0..8).map(|_| dice.below(256) as u8).collect();
                out.splice(at..end, noise).for_each(drop);
            }
            _ => {
                let word = WORDS[dice.below(WORDS.len())];
                // In place of a number or a word, if one stands there.
                let is_part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+');
                let len = out[at..].iter().take(40).take_while(|b| is_part(b)).count();
                out.splice(at..at + len, word.iter().copied()).for_each(drop);
            }
        }
    }
    out
}
