//! `rootline drill list|start|resume|scores|replay|export|check-review`.

mod load;
mod play;
mod simulated;
mod store;

use super::target::Target;
use super::{Outcome, Terminal};
use crate::drill::content::{self, DrillFile};
use crate::drill::progress::Session;
use crate::drill::{Level, kept, list, review, sheet};
use crate::error::{Error, ExitCode, Result};
use crate::report::Style;
use clap::{Args, Subcommand, builder::RangedU64ValueParser};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use store::Store;

/// Longest review that is read, bytes.
const REVIEW_MAX: u64 = 4 << 20;

/// Arguments of `drill`.
#[derive(Debug, Args)]
pub struct Drill {
    #[command(subcommand)]
    command: DrillCommand,
    #[command(flatten)]
    place: Place,
}

/// Where drills and progress lie.
#[derive(Debug, Args)]
struct Place {
    /// Folder for progress; by default $XDG_STATE_HOME/rootline, or ~/.local/state/rootline.
    #[arg(long, global = true, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    // Empty is as good as not set, as the XDG base directory specification says.
    #[arg(long, global = true, hide = true, env = "XDG_STATE_HOME")]
    xdg_state_home: Option<OsString>,
    #[arg(long, global = true, hide = true, env = "HOME")]
    home: Option<OsString>,
    /// Folder that holds fixtures/.
    #[arg(long, global = true, value_name = "DIR", default_value = ".")]
    root: PathBuf,
}

#[derive(Debug, Subcommand)]
enum DrillCommand {
    /// Show the drills, with the best score so far.
    List {
        /// For a game master: with their ids, many of which are the answer.
        #[arg(long)]
        gm: bool,
    },
    /// Play a drill: a page, looks, guesses, actions, a debrief.
    Start(Start),
    /// Go on with a drill that was left.
    Resume {
        /// Number of the session (`drill scores`); the last by default.
        number: Option<u32>,
    },
    /// Show what was played and how well.
    Scores,
    /// Show a played drill again, line by line.
    Replay {
        /// Number of the session (`drill scores`); the last by default.
        number: Option<u32>,
    },
    /// Write the debrief sheet of a played drill for a team.
    Export {
        /// Number of the session (`drill scores`); the last by default.
        number: Option<u32>,
        /// As Markdown, the only format.
        #[arg(long)]
        md: bool,
        #[command(flatten)]
        target: Target,
    },
    /// Check a post-incident review against the facts of a drill.
    CheckReview {
        /// The review, Markdown.
        file: PathBuf,
        /// Id of the drill, or its folder.
        id: String,
    },
}

/// Arguments of `drill start`.
#[derive(Debug, Args)]
struct Start {
    /// Number or id of the drill, `surprise`, a scenario's id, or any folder with a truth.toml.
    id: String,
    /// 1: hints and what is usual are shown; 2: hints cost points; 3: raw series, more decoys.
    #[arg(long, default_value_t = 2, value_parser = RangedU64ValueParser::<u8>::new().range(1..=3))]
    level: u8,
    /// Varies decoys, and everything where the incident is simulated.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Play the lines of a file and print the transcript; nothing is kept.
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Game master: the truth comes first, and decoys can be injected.
    #[arg(long)]
    gm: bool,
}

impl Drill {
    pub(super) fn run(&self, style: &Style, terminal: Terminal) -> Result<Outcome> {
        match &self.command {
            DrillCommand::List { gm } => self.list(*gm, style),
            DrillCommand::Start(start) => self.start(start, style, terminal),
            DrillCommand::Resume { number } => self.resume(*number, style, terminal),
            DrillCommand::Scores => {
                let (all, damaged) = self.store()?.all()?;
                let code = if damaged.is_empty() { ExitCode::Analysed } else { ExitCode::Runtime };
                Ok(Outcome { stdout: kept(&all, style), stderr: damaged, code })
            }
            DrillCommand::Replay { number } => {
                let (_, session) = self.store()?.session(*number)?;
                Ok(Outcome::text(self.transcript(&session, style, terminal)?))
            }
            DrillCommand::Export { number, md: _, target } => {
                target.check()?;
                let (_, session) = self.store()?.session(*number)?;
                let plain = Style { color: false, ..*style };
                target.write(sheet(&session, &self.transcript(&session, &plain, terminal)?))
            }
            DrillCommand::CheckReview { file, id } => self.check(file, id, style, terminal),
        }
    }

    fn store(&self) -> Result<Store> {
        let p = &self.place;
        let (xdg, home) = (p.xdg_state_home.as_deref(), p.home.as_deref());
        Store::find(p.state_dir.as_deref(), xdg.map(Path::new), home.map(Path::new))
    }

    fn list(&self, master: bool, style: &Style) -> Result<Outcome> {
        let all = content::built_in()?;
        // A list needs no progress: where there is none, or no place for it, it shows no scores.
        let (played, stderr) = self.store().and_then(|s| s.all()).unwrap_or_default();
        let best = |id: &str| {
            let own = played.iter().filter(|(_, s)| s.drill == id && s.over);
            own.map(|(_, s)| s.score).reduce(f64::max)
        };
        Ok(Outcome { stderr, ..Outcome::text(list(&all, &best, master, style)) })
    }

    /// The text of a drill by id, by fixture or by folder.
    fn file(&self, id: &str) -> Result<DrillFile> {
        load::file(id, &self.place.root)
    }

    fn start(&self, start: &Start, style: &Style, terminal: Terminal) -> Result<Outcome> {
        let script = start.script.as_deref().map(play::script).transpose()?;
        let file = match start.id.as_str() {
            load::SURPRISE => load::surprise(start.seed, &self.place.root)?,
            id => self.file(id)?,
        };
        // A number or a surprise is another drill when drills are added: its id is kept.
        let by_number = start.id.parse::<usize>().is_ok();
        let name = match start.id.as_str() {
            id if id == load::SURPRISE || by_number => file.drill.id.clone(),
            id => id.to_owned(),
        };
        let mut loaded = load::load(file, &self.place.root, start.seed, terminal)?;
        let level = Level::of(start.level).unwrap_or(Level::Usual);
        let chosen = (level, start.seed, start.gm);
        match script {
            Some(lines) => Ok(Outcome::text(play::transcript(&mut loaded, chosen, &lines, style))),
            None => {
                let store = self.store()?;
                play::interactive(
                    &mut loaded,
                    chosen,
                    &[],
                    style,
                    &mut |s, number| match number {
                        None => store.add(s).map(Some),
                        Some(n) => store.update(n, s).map(|()| Some(n)),
                    },
                    None,
                    &name,
                )
            }
        }
    }

    fn resume(&self, number: Option<u32>, style: &Style, terminal: Terminal) -> Result<Outcome> {
        let store = self.store()?;
        let (number, session) = store.session(number)?;
        if session.over {
            let what = format!("session {number} is over");
            return Err(Error::usage("", what).hint("`rootline drill replay` shows it again"));
        }
        let mut loaded =
            load::load(self.file(&session.drill)?, &self.place.root, session.seed, terminal)?;
        let level = Level::of(session.level).unwrap_or(Level::Usual);
        let chosen = (level, session.seed, false);
        play::interactive(
            &mut loaded,
            chosen,
            &session.lines,
            style,
            &mut |s, _| store.update(number, s).map(|()| Some(number)),
            Some(number),
            &session.drill,
        )
    }

    fn transcript(&self, s: &Session, style: &Style, terminal: Terminal) -> Result<String> {
        let mut loaded = load::load(self.file(&s.drill)?, &self.place.root, s.seed, terminal)?;
        let level = Level::of(s.level).unwrap_or(Level::Usual);
        Ok(play::transcript(&mut loaded, (level, s.seed, false), &s.lines, style))
    }

    fn check(&self, file: &Path, id: &str, style: &Style, terminal: Terminal) -> Result<Outcome> {
        let place = file.display().to_string();
        let text = play::text(file, REVIEW_MAX, "review")?;
        let loaded = load::load(self.file(id)?, &self.place.root, 1, terminal)?;
        let points = review::check(&loaded.case, &text);
        Ok(Outcome::text(review::text(&points, &place, style)))
    }
}
