//! Everything that was given in one run, and what of it belongs together, for rules that join several files.
//!
//! Whoever gives several systems in one run keeps them in files or directories of their own. So a unit belongs to what stands nearest:
//! in its own file, else in its directory or below, else one directory up. And it must be so from both sides: a broker does not belong to
//! the producer of another project that has a broker of its own, and a producer to none when several clusters are equally near.
//!
//! A running cluster stands nowhere. What was read of one belongs together, and the files of the run belong to it when it is the only one of
//! its kind: whoever gives both means that they are one system. Of clusters, what runs counts and not what some file says of them; rules
//! on drift compare the two by [`World::running`].

use super::fact::Unit;
use super::role::{self, Role};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// How many units may belong together. A place that holds more of one kind is a heap of files and no system.
const MAX_NEAR: usize = 128;

/// Numbers of units.
type List = Rc<[usize]>;

/// The units of a run, by what they are and where they stand.
#[derive(Debug)]
pub struct World<'a> {
    units: &'a [Unit],
    /// Units by role and place; a unit stands in its file, in its directory and in every one above.
    at: HashMap<(Role, &'a str), Vec<usize>>,
    /// Units of running clusters, by what they are.
    live: HashMap<Role, Vec<usize>>,
    /// Units of files, by what they are.
    files: HashMap<Role, Vec<usize>>,
    /// What was found near a file before, by the roles that were asked for.
    found: RefCell<HashMap<(u32, Arc<str>), List>>,
}

impl<'a> World<'a> {
    /// The world of these units.
    pub fn new(units: &'a [Unit]) -> World<'a> {
        let mut at: HashMap<(Role, &'a str), Vec<usize>> = HashMap::new();
        let mut live: HashMap<Role, Vec<usize>> = HashMap::new();
        let mut files: HashMap<Role, Vec<usize>> = HashMap::new();
        for (i, unit) in units.iter().enumerate() {
            for role in role::of(unit) {
                if unit.is_live() {
                    live.entry(*role).or_default().push(i);
                    continue;
                }
                files.entry(*role).or_default().push(i);
                for place in places(&unit.file) {
                    let list = at.entry((*role, place)).or_default();
                    // One more than may be, so that it shows.
                    if list.len() <= MAX_NEAR {
                        list.push(i);
                    }
                }
            }
        }
        World {
            units,
            at,
            live,
            files,
            found: RefCell::default(),
        }
    }

    /// Every unit.
    pub fn units(&self) -> &'a [Unit] {
        self.units
    }

    /// The units of another role that a unit belongs together with.
    pub fn near(&self, role: Role, unit: &Unit) -> Vec<&'a Unit> {
        self.near_any(&[role], unit)
    }

    /// As [`World::near`], of any of several roles: one of a role that stands further away than another's does not count.
    pub fn near_any(&self, roles: &[Role], unit: &Unit) -> Vec<&'a Unit> {
        if unit.is_live() {
            return self.near_running(roles, unit);
        }
        if roles.iter().any(|r| r.is_of_a_cluster()) {
            let running: Vec<&'a Unit> = roles.iter().flat_map(|role| self.running(*role)).collect();
            if !running.is_empty() {
                return running;
            }
        }
        let own = role::of(unit);
        let back = |other: &Unit| {
            let mut lists = own.iter().map(|role| self.seen_from(&[*role], other));
            lists.any(|list| {
                list.iter()
                    .any(|i| self.units.get(*i).is_some_and(|u| u.file == unit.file))
            })
        };
        let list = self.seen_from(roles, unit);
        let units = list.iter().filter_map(|i| self.units.get(*i));
        units.filter(|other| other.file == unit.file || back(other)).collect()
    }

    /// What runs of a role, when that is one cluster.
    pub fn running(&self, role: Role) -> Vec<&'a Unit> {
        let list = self.live.get(&role).map(Vec::as_slice).unwrap_or_default();
        let units: Vec<&'a Unit> = list.iter().filter_map(|i| self.units.get(*i)).collect();
        match units.windows(2).all(|w| matches!(w, [a, b] if a.file == b.file)) {
            true => units,
            false => Vec::new(),
        }
    }

    /// What belongs to a unit of a running cluster: the rest of the cluster; of what is no part of it, the files of the run.
    fn near_running(&self, roles: &[Role], unit: &Unit) -> Vec<&'a Unit> {
        let of = |lists: &'_ HashMap<Role, Vec<usize>>| -> Vec<&'a Unit> {
            let lists = roles.iter().filter_map(|role| lists.get(role));
            lists.flatten().filter_map(|i| self.units.get(*i)).collect()
        };
        let mut own = of(&self.live);
        own.retain(|u| u.file == unit.file);
        if !own.is_empty() {
            return own;
        }
        let alone = role::of(unit).iter().any(|role| !self.running(*role).is_empty());
        if alone { of(&self.files) } else { Vec::new() }
    }

    /// The units of these roles that stand nearest to a unit, as long as that is one system.
    fn seen_from(&self, roles: &[Role], unit: &Unit) -> List {
        let mask = roles.iter().fold(0, |mask, role| mask | 1 << (*role as u32));
        let file = &unit.file;
        if let Some(list) = self.found.borrow().get(&(mask, file.clone())) {
            return list.clone();
        }
        let all = |place: &str| -> Vec<usize> {
            let lists = roles.iter().filter_map(|role| self.at.get(&(*role, place)));
            lists.flatten().copied().collect()
        };
        let mut list = places(file).map(all).find(|list| !list.is_empty()).unwrap_or_default();
        let directory = |i: &usize| self.units.get(*i).map(|u| directory(&u.file));
        let own = Some(self::directory(file));
        if list.iter().any(|i| directory(i) == own) {
            list.retain(|i| directory(i) == own);
        }
        let one = list
            .windows(2)
            .all(|w| w.first().map(directory) == w.last().map(directory));
        if list.len() > MAX_NEAR || !one && roles.iter().any(|r| r.is_of_a_cluster()) {
            list.clear();
        }
        let list: List = list.into();
        self.found.borrow_mut().insert((mask, file.clone()), list.clone());
        list
    }

    /// The other units of the same role that a unit belongs together with: those of its directory or, when it is alone there, of the
    /// nearest one above. Itself is one of them.
    pub fn beside(&self, role: Role, unit: &Unit) -> Vec<&'a Unit> {
        if unit.is_live() {
            let list = self.live.get(&role).map(Vec::as_slice).unwrap_or_default();
            let units = list.iter().filter_map(|i| self.units.get(*i));
            return units.filter(|u| u.file == unit.file).collect();
        }
        let Some(place) = self.nearest(role, unit, true) else {
            return self.units.iter().filter(|u| std::ptr::eq(*u, unit)).take(1).collect();
        };
        let list = self.at.get(&(role, place)).map(Vec::as_slice).unwrap_or_default();
        let near = list.iter().filter_map(|i| self.units.get(*i));
        let fits = |other: &&Unit| {
            other.file == unit.file || list.len() <= MAX_NEAR && self.nearest(role, other, true) == Some(place)
        };
        near.filter(fits).collect()
    }

    /// The nearest place of a unit that holds a role; with `other`, one that holds another file of it.
    fn nearest<'f>(&self, role: Role, unit: &'f Unit, other: bool) -> Option<&'f str> {
        places(&unit.file).find(|place| {
            let list = self.at.get(&(role, *place)).map(Vec::as_slice).unwrap_or_default();
            list.iter()
                .filter_map(|i| self.units.get(*i))
                .any(|u| !other || u.file != unit.file)
        })
    }
}

/// The directory of a file.
fn directory(file: &str) -> &str {
    file.get(..file.rfind(['/', '\\']).unwrap_or(0)).unwrap_or_default()
}

/// A file, its directory and every one above, the nearest first; the last is empty.
fn places(file: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(file), |place| match place.is_empty() {
        true => None,
        false => place.get(..place.rfind(['/', '\\']).unwrap_or(0)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::fact::{Component, Dialect};

    fn unit(file: &str, dialect: Dialect) -> Unit {
        Unit::new(Arc::from(file), dialect, Component::KafkaBroker, Vec::new(), Vec::new())
    }

    fn files(units: Vec<&Unit>) -> Vec<String> {
        units.into_iter().map(|u| u.file.to_string()).collect()
    }

    #[test]
    fn places_go_up_to_the_empty_one() {
        assert_eq!(places("a/b/c.yaml").collect::<Vec<_>>(), ["a/b/c.yaml", "a/b", "a", ""]);
        assert_eq!(places("c.yaml").collect::<Vec<_>>(), ["c.yaml", ""]);
    }

    #[test]
    fn what_belongs_together_is_near_from_both_sides() {
        let units = [
            unit("one/producer", Dialect::KafkaProducer),
            unit("one/server", Dialect::KafkaBroker),
            unit("two/server", Dialect::KafkaBroker),
            unit("infra/kafka/server", Dialect::KafkaBroker),
        ];
        let world = World::new(&units);
        assert_eq!(files(world.near(Role::KafkaBroker, &units[0])), ["one/server"]);
        assert_eq!(files(world.near(Role::KafkaProducer, &units[1])), ["one/producer"]);
        // The producer has a broker of its own.
        assert!(world.near(Role::KafkaProducer, &units[2]).is_empty());
        // Two clusters are equally near to a third project: none of them is its own.
        let third = [
            unit("one/server", Dialect::KafkaBroker),
            unit("two/server", Dialect::KafkaBroker),
            unit("three/producer", Dialect::KafkaProducer),
        ];
        let world = World::new(&third);
        assert!(world.near(Role::KafkaBroker, &third[2]).is_empty());
        assert!(world.near(Role::KafkaProducer, &third[0]).is_empty());
        let apart = [
            unit("apps/a/producer", Dialect::KafkaProducer),
            unit("apps/b/producer", Dialect::KafkaProducer),
            unit("infra/server", Dialect::KafkaBroker),
        ];
        let world = World::new(&apart);
        assert_eq!(
            files(world.near(Role::KafkaProducer, &apart[2])),
            ["apps/a/producer", "apps/b/producer"]
        );
        assert_eq!(files(world.near(Role::KafkaBroker, &apart[1])), ["infra/server"]);
    }

    #[test]
    fn one_of_the_same_role_stands_beside() {
        let units = [
            unit("a/controller", Dialect::KafkaBroker),
            unit("a/broker", Dialect::KafkaBroker),
            unit("b/broker", Dialect::KafkaBroker),
        ];
        let world = World::new(&units);
        assert_eq!(
            files(world.beside(Role::KafkaBroker, &units[0])),
            ["a/controller", "a/broker"]
        );
        assert_eq!(files(world.beside(Role::KafkaBroker, &units[2])), ["b/broker"]);
    }

    #[test]
    fn a_heap_of_files_is_no_system() {
        let mut units: Vec<Unit> = (0..300)
            .map(|i| unit(&format!("p{i}"), Dialect::KafkaProducer))
            .collect();
        units.push(unit("server", Dialect::KafkaBroker));
        let world = World::new(&units);
        assert!(world.near(Role::KafkaProducer, &units[300]).is_empty());
    }
}
