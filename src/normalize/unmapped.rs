//! What could not be understood, said once: names without a meaning with the nearest that is known,
//! series without an entity, defects of mapping.toml.

use super::series::Run;
use super::units;
use crate::error::did_you_mean;
use crate::ingest::raw::Raw;
use crate::model::{Gap, GapKind};

/// Unknown names that are listed with a suggestion; the rest are counted.
const SUGGESTED: usize = 10;

impl Run<'_> {
    /// Lists what was not understood, with suggestions.
    pub(super) fn report(&mut self, raw: &Raw) {
        for m in raw.mapping.iter().filter(|m| self.table.named(&m.signal).is_none()) {
            let near = did_you_mean(&m.signal, self.table.all_names());
            let near = near.map(|n| format!(", did you mean \"{n}\"?")).unwrap_or_default();
            let what = format!("mapping.toml: signal \"{}\" is not known{near}", m.signal);
            self.resolver.gaps.push(Gap::new(GapKind::Doubtful, what));
        }
        for m in raw.mapping.iter() {
            let unit = m.unit.as_deref().filter(|u| units::factor(u).is_none());
            if let Some(unit) = unit {
                let what =
                    format!("mapping.toml: unit \"{unit}\" of \"{}\" is not known", m.metric);
                self.resolver.gaps.push(Gap::new(GapKind::Doubtful, what));
            }
        }
        for (name, count) in self.unknown.iter().take(SUGGESTED) {
            let near = did_you_mean(name, self.table.all_names());
            let signal = near.and_then(|n| self.table.meaning(n)).map(|m| m.signal);
            let signal = signal.map_or("other", |id| self.table.get(id).name.as_str());
            let near = near.map(|n| format!(", nearest \"{n}\"")).unwrap_or_default();
            let what = format!(
                "metric \"{name}\" has no known meaning{near}; mapping.toml may give it one: \
                 metric = [{{ name = \"{name}\", signal = \"{signal}\" }}]"
            );
            self.resolver.gaps.push(Gap { count: *count, ..Gap::new(GapKind::Doubtful, what) });
        }
        let rest: Vec<&String> = self.unknown.keys().skip(SUGGESTED).collect();
        if !rest.is_empty() {
            let what = format!("{} more metric names have no known meaning", rest.len());
            let count = self.unknown.values().skip(SUGGESTED).sum();
            self.resolver.gaps.push(Gap { count, ..Gap::new(GapKind::Doubtful, what) });
        }
        for (name, count) in &self.told {
            let what = format!(
                "{name} of callers that are unknown repeats what the callees report: left out"
            );
            self.resolver.gaps.push(Gap { count: *count, ..Gap::new(GapKind::Inferred, what) });
        }
        if !self.lost.is_empty() {
            let names: Vec<&str> = self.lost.keys().take(5).map(String::as_str).collect();
            let what = format!(
                "series that no label, name or file ties to an entity: {}",
                names.join(", ")
            );
            let count = self.lost.values().sum();
            self.resolver.gaps.push(Gap { count, ..Gap::new(GapKind::Missing, what) });
        }
    }
}
