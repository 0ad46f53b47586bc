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

    /// A standby of the server becomes the primary: pools go there. Says whether there is one.
    pub fn promote(&mut self, primary: u16) -> bool {
        let Some(standby) = self.successor(primary) else { return false };
        self.close_all(primary);
        self.databases[usize::from(standby)].primary = None;
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
