//! Snapshots of a PostgreSQL server's sessions at an interval. In: a server. Out: a CSV file that
//! grows by whole snapshots, and a gap with its times wherever the server gave none.

use super::journal::{Growing, Journal};
use super::pace::Signals;
use super::server::{Line, Server, Snapshot, Told};
use crate::error::Result;
use crate::model::Micros;
use crate::time;
use std::time::{Duration, Instant};

/// Longest wait for one snapshot: a login and a statement that runs into its limit.
const PATIENCE: Duration = Duration::from_secs(8);

/// When a server has been looked at enough.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// After so many looks: the window is past and the server keeps no history.
    Looks(u32),
    /// When this time is reached.
    Time(Micros),
}

/// A server and how it is looked at.
pub struct Sessions<'a> {
    pub server: &'a Server,
    pub journal: &'a Journal,
    pub signals: Signals,
    pub every: Duration,
    pub until: Until,
    /// When an earlier try last wrote.
    pub resumed: Option<Micros>,
}

/// A stretch without snapshots.
struct Outage {
    since: Micros,
    why: String,
}

impl Sessions<'_> {
    fn part(&self) -> String {
        format!("postgres/{}", self.server.name)
    }

    /// Takes snapshots until enough or a signal.
    ///
    /// # Errors
    ///
    /// When the folder cannot be written; a server that refuses is a gap.
    pub fn run(&self) -> Result<()> {
        if self.journal.is_done(&self.part()) {
            return Ok(());
        }
        let file = format!("postgres/{}_pg_stat_activity.csv", self.server.name);
        let mut growing = self.journal.grow(&file)?;
        if let (Some(since), Until::Time(_)) = (self.resumed, self.until) {
            let now = super::now();
            let outage = Outage { since, why: "the recording stood still".to_owned() };
            self.say(&outage, Some(now))?;
        }
        let mut line = self.server.start();
        let (mut looks, mut taken, mut outage) = (0u32, 0u32, None);
        while !self.signals.finishing() && !self.is_enough(looks) {
            let next = Instant::now() + self.every;
            looks += 1;
            taken += u32::from(self.look(&mut line, &mut growing, &mut outage)?);
            // Not after the last one.
            if !self.is_enough(looks) {
                self.signals.wait(next);
            }
        }
        if let Some(outage) = outage {
            self.say(&outage, Some(super::now()))?;
        }
        self.journal.note(&self.part(), &format!("{taken} snapshots"))?;
        match taken > 0 && !self.signals.stopped() {
            true => self.journal.done(&self.part()),
            false => Ok(()),
        }
    }

    fn is_enough(&self, looks: u32) -> bool {
        match self.until {
            Until::Looks(enough) => looks >= enough,
            Until::Time(end) => super::now() >= end,
        }
    }

    /// Takes one snapshot; says whether there is one.
    fn look(
        &self,
        line: &mut Line,
        growing: &mut Growing,
        outage: &mut Option<Outage>,
    ) -> Result<bool> {
        let at = super::now();
        let told = line.snapshot(PATIENCE);
        let none = || Err(format!("no answer for {} s", PATIENCE.as_secs()));
        match told.unwrap_or_else(none) as Told {
            Ok(snapshot) => {
                if let Some(outage) = outage.take() {
                    self.say(&outage, Some(at))?;
                }
                self.keep(snapshot, growing)?;
                Ok(true)
            }
            Err(why) => {
                let since = outage.as_ref().map_or(at, |o| o.since);
                if outage.as_ref().is_none_or(|o| o.why != why) {
                    let new = Outage { since, why };
                    self.say(&new, None)?;
                    *outage = Some(new);
                }
                Ok(false)
            }
        }
    }

    fn keep(&self, snapshot: Snapshot, growing: &mut Growing) -> Result<()> {
        if let Some(settings) = snapshot.settings {
            let name = &self.server.name;
            let part = format!("postgres/{name}/settings");
            self.journal.write(&part, &format!("postgres/{name}_pg_settings.csv"), &settings)?;
        }
        if let Some(standby) = snapshot.standby {
            let role = if standby { "standby" } else { "primary" };
            self.journal.note(&self.part(), &format!("{} is a {role}", self.server.shown))?;
        }
        let rows = snapshot.sessions;
        let header = rows.iter().position(|b| *b == b'\n').map_or(rows.len(), |at| at + 1);
        let rows = if growing.is_empty() { &rows[..] } else { &rows[header..] };
        growing.add(rows)
    }

    /// Notes a stretch without snapshots; the last word about it counts.
    fn say(&self, outage: &Outage, to: Option<Micros>) -> Result<()> {
        let part = match self.until {
            // A later try gets as good a snapshot: then nothing is missing.
            Until::Looks(_) => self.part(),
            Until::Time(_) => format!("{}/{}", self.part(), outage.since),
        };
        let to = to.map_or_else(|| "on".to_owned(), |to| format!("to {}", time::rfc3339(to)));
        let since = time::rfc3339(outage.since);
        self.journal.gap(&part, &format!("no snapshots from {since} {to}: {}", outage.why))
    }
}
