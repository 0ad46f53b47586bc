//! A standby takes over. In: a primary. Out: its pools at the standby that states the same statements.

use super::World;
use super::parts::Db;

impl World {
    /// The standby that can take over from a server: one for which the scenario states the same
    /// statements.
    pub fn successor(&self, primary: u16) -> Option<u16> {
        let names = |d: &Db| d.statements.iter().map(|s| s.name.clone()).collect::<Vec<_>>();
        let wanted = names(self.databases.get(usize::from(primary))?);
        let fits = |d: &Db| d.primary == Some(primary) && names(d) == wanted;
        self.databases.iter().position(fits).map(|at| at as u16)
    }

    /// A standby leads as well, while the server goes on: instances of odd number see the standby
    /// only, as those on the other side of a cut do. At its end they come back, and the standby
    /// follows again.
    pub fn split(&mut self, primary: u16, begins: bool) {
        let standby = match begins {
            true => self.successor(primary),
            false => self.leads_beside(primary),
        };
        let Some(standby) = standby else { return };
        self.databases[usize::from(standby)].timeline += u32::from(begins);
        let (from, to) = if begins { (primary, standby) } else { (standby, primary) };
        // Their connections break: a statement under way cannot go on at another server.
        self.close_odd(from);
        self.databases[usize::from(standby)].primary = (!begins).then_some(primary);
        for s in &mut self.services {
            for (at, i) in s.instances.iter_mut().enumerate() {
                for p in i.pools.iter_mut().filter(|p| at % 2 == 1 && p.database == from) {
                    p.database = to;
                    p.idle.clear();
                }
            }
        }
    }

    /// A server that leads and states the same statements.
    fn leads_beside(&self, primary: u16) -> Option<u16> {
        let names = |d: &Db| d.statements.iter().map(|s| s.name.clone()).collect::<Vec<_>>();
        let wanted = names(self.databases.get(usize::from(primary))?);
        let mut all = self.databases.iter().enumerate();
        let found = all.find(|(at, d)| {
            *at != usize::from(primary) && d.primary.is_none() && names(d) == wanted
        });
        found.map(|(at, _)| at as u16)
    }

    /// A standby of the server becomes the primary: pools go there. Says whether there is one.
    pub fn promote(&mut self, primary: u16) -> bool {
        let Some(standby) = self.successor(primary) else { return false };
        self.close_all(primary);
        self.databases[usize::from(standby)].primary = None;
        self.databases[usize::from(standby)].timeline += 1;
        self.databases[usize::from(standby)].replay_waits = None;
        self.databases[usize::from(primary)].primary = Some(standby);
        let instances = self.services.iter_mut().flat_map(|s| &mut s.instances);
        let pools = instances.flat_map(|i| &mut i.pools).filter(|p| p.database == primary);
        pools.for_each(|p| {
            p.database = standby;
            p.idle.clear();
        });
        true
    }
}
