//! How much one run looks at. A hostile or mistaken input meets a limit, and is told which.

/// Largest inputs that are read; each can be set by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Files of a folder.
    pub files: u64,
    /// Bytes of one file, unpacked.
    pub bytes: u64,
    /// Bytes that a packed file may unpack to however small it is.
    pub unpacked: u64,
    /// Unpacked size by packed size, beyond that: JSON of metrics packs 10 to 30 times, a bomb 100 to
    /// 1,000 times.
    pub ratio: u64,
    /// Members of an archive.
    pub members: u64,
    /// Spans of Parquet that are held one by one; more are counted in buckets as they are read.
    pub spans: u64,
    /// Series of a file: label sets, or columns; of all files together four times as many.
    pub series: u64,
}

/// Spans take about 130 bytes each while they are looked at: 1.3 GB.
const SPANS: u64 = 10_000_000;

/// A million label sets are many and can be meant; what has more is one series per request.
pub const SERIES: u64 = 1_000_000;

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            files: 100_000,
            bytes: 4 << 30,
            unpacked: 256 << 20,
            ratio: 50,
            members: 10_000,
            spans: SPANS,
            series: SERIES,
        }
    }
}

/// A limit's name, what it counts, and the number itself.
type Row = (&'static str, &'static str, fn(&mut Limits) -> &mut u64);

/// Every limit that can be set.
pub const LIMITS: [Row; 7] = [
    ("files", "files of a folder", |l| &mut l.files),
    ("bytes", "bytes of one file, unpacked", |l| &mut l.bytes),
    ("unpacked", "bytes that any packed file may unpack to", |l| &mut l.unpacked),
    ("ratio", "unpacked by packed bytes, beyond that", |l| &mut l.ratio),
    ("members", "members of an archive", |l| &mut l.members),
    ("spans", "spans of Parquet that are held one by one", |l| &mut l.spans),
    ("series", "series of a file; of a folder four times as many", |l| &mut l.series),
];

impl Limits {
    /// Most bytes that `stored` packed bytes may unpack to.
    pub fn unpacked_max(&self, stored: u64) -> u64 {
        stored.saturating_mul(self.ratio).max(self.unpacked).min(self.bytes)
    }

    /// Sets the limit that `NAME=VALUE` says.
    ///
    /// # Errors
    ///
    /// When there is no such limit, or its value is no whole number above zero.
    pub fn set(&mut self, text: &str) -> Result<(), String> {
        let (name, value) = text.split_once('=').ok_or("not NAME=VALUE")?;
        let row = LIMITS.iter().find(|row| row.0 == name).ok_or_else(|| {
            let all: Vec<&str> = LIMITS.iter().map(|row| row.0).collect();
            format!("there is no limit \"{name}\": {}", all.join(", "))
        })?;
        let value = value.replace('_', "").parse().ok().filter(|v| *v > 0);
        *row.2(self) = value.ok_or("not a whole number above zero")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_set_by_name() {
        let mut limits = Limits::default();
        assert_eq!(limits.set("bytes=1_000"), Ok(()));
        assert_eq!((limits.bytes, limits.unpacked_max(10)), (1_000, 1_000));
        for bad in ["bytes", "bytes=", "bytes=-1", "bytes=0", "size=1", "bytes=1e9"] {
            assert!(limits.set(bad).is_err(), "{bad}");
        }
        assert_eq!(Limits::default().unpacked_max(1 << 30), 4 << 30);
        assert_eq!(Limits::default().unpacked_max(10 << 20), 500 << 20);
    }
}
