//! The interactive view of one diagnosis: a cursor in time, five panes that show that instant, and
//! hypotheses that a person may reject. The state ([`App`]) knows no terminal, the drawing decides
//! nothing, and [`terminal`] alone touches the screen.

mod app;
mod draw;
mod instant;
mod ranking;
mod rows;
pub mod terminal;
mod view;

pub use app::{App, Effect, Mode, PANES, Pane};
pub use draw::draw;
pub use ranking::{Remaining, remaining};
pub use view::View;
