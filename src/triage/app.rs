//! The state of the interactive view and what keys do to it. Draws nothing, touches no terminal.

use super::instant;
use super::ranking::{Remaining, remaining};
use super::rows::{Row, rows};
use super::view::View;
use crate::diagnosis::{
    ActionKind, Diagnosis, Hypothesis, Left, NOTES_SCHEMA, RejectedByHand, Span, TriageNotes,
};
use crate::model::Micros;
use crate::time;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::collections::BTreeMap;

/// Steps of the fast keys.
const FAST: i64 = 10;
/// Longest reason or filter that is taken, characters.
const TYPED: usize = 200;

/// What is listed; the keys `1` to `5` in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pane {
    Hypotheses,
    Evidence,
    Graph,
    Sessions,
    Timeline,
}

/// All panes in the order of their keys.
pub const PANES: [Pane; 5] =
    [Pane::Hypotheses, Pane::Evidence, Pane::Graph, Pane::Sessions, Pane::Timeline];

impl Pane {
    /// Its title.
    pub fn word(self) -> &'static str {
        match self {
            Pane::Hypotheses => "Hypotheses",
            Pane::Evidence => "Evidence",
            Pane::Graph => "Graph",
            Pane::Sessions => "Sessions",
            Pane::Timeline => "Timeline",
        }
    }
}

/// What the keys mean at the moment.
#[derive(Clone, Debug, PartialEq)]
pub enum Mode {
    Browse,
    /// Typing the filter of the pane.
    Filter,
    /// Typing why the selected hypothesis is rejected.
    Reject(String),
    /// Reading, from line `top` on.
    Read {
        view: View,
        top: usize,
    },
}

/// What the world outside has to do after a key.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    None,
    /// Puts a text on the clipboard of the terminal.
    Copy(String),
    /// Writes the notes to a new file.
    Export,
    Quit,
}

/// The interactive view.
pub struct App<'d> {
    pub d: &'d Diagnosis,
    pub ascii: bool,
    pub color: bool,
    pub pane: Pane,
    pub mode: Mode,
    /// The instant that everything shows.
    pub cursor: Micros,
    pub axis: Span,
    /// Selected row of each pane, among those that the filter leaves.
    pub selected: [usize; 5],
    pub filters: [String; 5],
    /// Reasons by id of the hypothesis.
    pub rejected: BTreeMap<String, String>,
    /// Marked to be compared with the next one.
    pub marked: Option<String>,
    /// Said once, until the next key.
    pub message: Option<String>,
    /// Columns and lines of the terminal.
    pub size: (u16, u16),
}

impl<'d> App<'d> {
    /// Opens in the middle of the incident, where it shows, on the hypotheses.
    pub fn new(d: &'d Diagnosis, ascii: bool, color: bool) -> App<'d> {
        let axis = instant::axis(d);
        let incident = d.window.incident;
        let middle = incident.from + (incident.to - incident.from) / 2;
        App {
            d,
            ascii,
            color,
            pane: Pane::Hypotheses,
            mode: Mode::Browse,
            cursor: middle.clamp(axis.from, axis.to.max(axis.from)),
            axis,
            selected: [0; 5],
            filters: Default::default(),
            rejected: BTreeMap::new(),
            marked: None,
            message: None,
            size: (80, 24),
        }
    }

    /// Takes up notes of an earlier session; gives how many rejections fit this diagnosis.
    pub fn resume(&mut self, notes: &TriageNotes) -> usize {
        for r in &notes.rejected {
            let same = |h: &&Hypothesis| {
                h.signature.as_deref().unwrap_or_default() == r.signature
                    && h.entity.name == r.entity
            };
            if let Some(h) = self.d.hypotheses.iter().find(same) {
                self.rejected.insert(h.id.clone(), r.reason.clone());
            }
        }
        self.rejected.len()
    }

    /// What the person decided, to be written to a file.
    pub fn notes(&self) -> TriageNotes {
        let left = self.remaining();
        let named =
            |h: &Hypothesis| (h.signature.clone().unwrap_or_default(), h.entity.name.clone());
        let mut notes = TriageNotes {
            schema: NOTES_SCHEMA,
            incident: time::rfc3339(self.d.window.incident.from),
            catalog: self.d.catalog.hash.clone(),
            cursor: time::rfc3339(self.cursor),
            rejected: vec![],
            ranking: vec![],
        };
        for (h, share) in self.d.hypotheses.iter().zip(left.shares) {
            let (signature, entity) = named(h);
            let (hypothesis, probability) = (h.id.clone(), h.probability);
            match (self.rejected.get(&h.id), share) {
                (Some(reason), _) => notes.rejected.push(RejectedByHand {
                    hypothesis,
                    signature,
                    entity,
                    reason: reason.clone(),
                    probability,
                }),
                (None, Some(share)) => {
                    notes.ranking.push(Left { hypothesis, signature, entity, probability, share });
                }
                (None, None) => {}
            }
        }
        notes
    }

    /// The ranking without what was rejected.
    pub fn remaining(&self) -> Remaining {
        remaining(self.d, &self.rejected)
    }

    /// The hypothesis that the other panes are about.
    pub fn hypothesis(&self) -> Option<&'d Hypothesis> {
        let row = self.row(Pane::Hypotheses)?;
        self.d.hypotheses.get(row.key)
    }

    /// The selected row of a pane.
    pub fn row(&self, pane: Pane) -> Option<Row> {
        let mut rows = rows(self, pane);
        let at = self.selected[pane as usize].min(rows.len().checked_sub(1)?);
        Some(rows.swap_remove(at))
    }

    /// What one key does.
    pub fn key(&mut self, key: KeyEvent) -> Effect {
        self.message = None;
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Effect::Quit;
        }
        match self.mode.clone() {
            Mode::Browse => self.browse(key),
            Mode::Filter => self.type_filter(key),
            Mode::Reject(reason) => self.type_reason(key, reason),
            Mode::Read { view, top } => self.read(key, view, top),
        }
    }

    fn browse(&mut self, key: KeyEvent) -> Effect {
        if self.moves(key.code) {
            return Effect::None;
        }
        match key.code {
            KeyCode::Char('q') => return Effect::Quit,
            KeyCode::Char('?') => self.open(View::Help),
            KeyCode::Char('/') => self.mode = Mode::Filter,
            KeyCode::Char('e') => return Effect::Export,
            KeyCode::Char('y') => return self.copy(),
            KeyCode::Char('x') => self.toggle_rejected(),
            KeyCode::Char('c') => self.compare(),
            KeyCode::Enter => self.drill_in(),
            KeyCode::Esc => {
                self.filters[self.pane as usize].clear();
                self.marked = None;
            }
            _ => self.message = Some("? shows the keys".to_owned()),
        }
        Effect::None
    }

    /// Keys that move the cursor, the selection or the pane.
    fn moves(&mut self, code: KeyCode) -> bool {
        let step = instant::step(self.axis);
        let here = self.pane as usize;
        match code {
            KeyCode::Left | KeyCode::Char('h') => self.go(self.cursor - step),
            KeyCode::Right | KeyCode::Char('l') => self.go(self.cursor + step),
            KeyCode::Char('H') => self.go(self.cursor - FAST * step),
            KeyCode::Char('L') => self.go(self.cursor + FAST * step),
            KeyCode::Home | KeyCode::Char('0') => self.go(self.axis.from),
            KeyCode::End | KeyCode::Char('$') => self.go(self.axis.to),
            KeyCode::Char('[') => self.jump(false),
            KeyCode::Char(']') => self.jump(true),
            KeyCode::Up | KeyCode::Char('k') => self.select(-1),
            KeyCode::Down | KeyCode::Char('j') => self.select(1),
            KeyCode::PageUp => self.select(-10),
            KeyCode::PageDown => self.select(10),
            KeyCode::Tab => self.pane = PANES[(here + 1) % PANES.len()],
            KeyCode::BackTab => self.pane = PANES[(here + PANES.len() - 1) % PANES.len()],
            KeyCode::Char(c @ '1'..='5') => self.pane = PANES[c as usize - '1' as usize],
            _ => return false,
        }
        true
    }

    fn go(&mut self, at: Micros) {
        self.cursor = at.clamp(self.axis.from, self.axis.to);
    }

    /// To the next moment of the timeline, or the one before.
    fn jump(&mut self, later: bool) {
        let mut all: Vec<Micros> = self.d.timeline.iter().map(|m| m.at).collect();
        all.extend([self.d.window.incident.from, self.d.window.incident.to]);
        let found = match later {
            true => all.into_iter().filter(|at| *at > self.cursor).min(),
            false => all.into_iter().filter(|at| *at < self.cursor).max(),
        };
        match found {
            Some(at) => self.go(at),
            None => self.message = Some("nothing more is on record that way".to_owned()),
        }
    }

    fn select(&mut self, by: isize) {
        let count = rows(self, self.pane).len();
        let at = &mut self.selected[self.pane as usize];
        *at = at.saturating_add_signed(by).min(count.saturating_sub(1));
        if self.pane == Pane::Hypotheses {
            self.selected[Pane::Evidence as usize] = 0;
        }
    }

    fn open(&mut self, view: View) {
        self.mode = Mode::Read { view, top: 0 };
    }

    /// Opens what is selected; a moment also takes the cursor to it.
    fn drill_in(&mut self) {
        let Some(row) = self.row(self.pane) else {
            self.message = Some("nothing is selected".to_owned());
            return;
        };
        if self.pane == Pane::Timeline
            && let Some(moment) = self.d.timeline.get(row.key)
        {
            self.go(moment.at);
        }
        self.open(match self.pane {
            Pane::Hypotheses => View::Hypothesis(row.key),
            Pane::Evidence => View::Evidence(row.id),
            Pane::Graph => View::Node(row.key),
            Pane::Sessions => View::Server(row.key),
            Pane::Timeline => View::Moment(row.key),
        });
    }

    /// The first call marks a hypothesis, the second one compares.
    fn compare(&mut self) {
        let Some(h) = self.hypothesis() else { return };
        let find = |id: &String| self.d.hypotheses.iter().position(|h| &h.id == id);
        match self.marked.take().filter(|id| *id != h.id).as_ref().and_then(find) {
            Some(other) => {
                let own = self.d.hypotheses.iter().position(|o| o.id == h.id).unwrap_or(other);
                self.open(View::Compare(own.max(other), own.min(other)));
            }
            None => {
                let said = format!("{} marked: select another one and press c", h.id);
                self.message = Some(said);
                self.pane = Pane::Hypotheses;
                self.marked = Some(h.id.clone());
            }
        }
    }

    /// The command that helps most with the selected hypothesis: what to do now, else what to check.
    fn copy(&mut self) -> Effect {
        let Some(h) = self.hypothesis() else { return Effect::None };
        let now = h.mitigation.iter().filter(|a| a.kind == ActionKind::Now);
        let now = now.filter_map(|a| a.command.clone());
        let checks = h.discriminators.iter().filter_map(|c| c.command.clone());
        match now.chain(checks).next() {
            Some(command) => {
                self.open(View::Command(command.clone()));
                Effect::Copy(command)
            }
            None => {
                self.message = Some(format!("{} has no command to copy", h.id));
                Effect::None
            }
        }
    }

    fn toggle_rejected(&mut self) {
        let Some(h) = self.hypothesis() else { return };
        if self.rejected.remove(&h.id).is_some() {
            self.message = Some(format!("{} stands in the ranking again", h.id));
            self.keep_on(h);
        } else {
            self.mode = Mode::Reject(String::new());
        }
    }

    /// Keeps the selection on a hypothesis that has moved in the list.
    fn keep_on(&mut self, h: &Hypothesis) {
        let is_it = |r: &Row| self.d.hypotheses.get(r.key).is_some_and(|o| o.id == h.id);
        let at = rows(self, Pane::Hypotheses).iter().position(is_it);
        self.selected[Pane::Hypotheses as usize] = at.unwrap_or(0);
    }

    fn type_reason(&mut self, key: KeyEvent, mut reason: String) -> Effect {
        match key.code {
            KeyCode::Esc => self.mode = Mode::Browse,
            KeyCode::Enter if reason.trim().is_empty() => {
                self.message = Some("a rejection needs a reason: the review shows it".to_owned());
            }
            KeyCode::Enter => {
                if let Some(h) = self.hypothesis() {
                    self.rejected.insert(h.id.clone(), reason.trim().to_owned());
                    self.keep_on(h);
                }
                self.mode = Mode::Browse;
            }
            code => {
                typed(&mut reason, code);
                self.mode = Mode::Reject(reason);
            }
        }
        Effect::None
    }

    fn type_filter(&mut self, key: KeyEvent) -> Effect {
        let here = self.pane as usize;
        match key.code {
            KeyCode::Enter => self.mode = Mode::Browse,
            KeyCode::Esc => {
                self.filters[here].clear();
                self.mode = Mode::Browse;
            }
            code => typed(&mut self.filters[here], code),
        }
        self.selected[here] = 0;
        Effect::None
    }

    fn read(&mut self, key: KeyEvent, view: View, top: usize) -> Effect {
        let page = usize::from(self.size.1.saturating_sub(6)).max(1);
        let last = view.lines(self, self.read_width()).len().saturating_sub(page);
        let top = match key.code {
            KeyCode::Char('q') | KeyCode::Esc | KeyCode::Enter | KeyCode::Backspace => {
                self.mode = Mode::Browse;
                return Effect::None;
            }
            KeyCode::Char('y') => return self.copy(),
            KeyCode::Up | KeyCode::Char('k') => top.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => top + 1,
            KeyCode::PageUp => top.saturating_sub(page),
            KeyCode::PageDown | KeyCode::Char(' ') => top + page,
            KeyCode::Home => 0,
            KeyCode::End => last,
            code => {
                // The cursor moves under what is read: it shows that instant as well.
                if matches!(code, KeyCode::Left | KeyCode::Right)
                    || matches!(code, KeyCode::Char('H' | 'L' | '[' | ']'))
                {
                    self.moves(code);
                }
                top
            }
        };
        self.mode = Mode::Read { view, top: top.min(last) };
        Effect::None
    }

    /// Columns of what is read.
    pub fn read_width(&self) -> usize {
        usize::from(self.size.0.saturating_sub(4)).clamp(40, 200)
    }
}

/// Puts a key into a line that is typed.
fn typed(line: &mut String, code: KeyCode) {
    match code {
        KeyCode::Backspace => {
            line.pop();
        }
        KeyCode::Char(c) if !c.is_control() && line.chars().count() < TYPED => line.push(c),
        _ => {}
    }
}
