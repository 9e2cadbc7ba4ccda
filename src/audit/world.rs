//! Everything that was given in one run, for rules that join several files.

use super::fact::Unit;
use super::role::{self, Role};
use std::collections::HashMap;

/// How many units a rule compares one with. A run that has more of one kind in one place is no single system.
const MAX_NEAR: usize = 256;

/// The units of a run and what they are.
#[derive(Debug)]
pub struct World<'a> {
    units: &'a [Unit],
    /// Units by role and directory; a unit stands in its own directory and in every one above.
    below: HashMap<(Role, &'a str), Vec<usize>>,
}

impl<'a> World<'a> {
    /// The world of these units.
    pub fn new(units: &'a [Unit]) -> World<'a> {
        let mut below: HashMap<(Role, &'a str), Vec<usize>> = HashMap::new();
        for (i, unit) in units.iter().enumerate() {
            for role in role::of(unit) {
                for directory in directories(&unit.file) {
                    let list = below.entry((*role, directory)).or_default();
                    if list.len() < MAX_NEAR {
                        list.push(i);
                    }
                }
            }
        }
        World { units, below }
    }

    /// Every unit.
    pub fn units(&self) -> &'a [Unit] {
        self.units
    }

    /// The units of a role that stand nearest to a file: in its directory or below it, else one directory up, and so on. Whoever gives
    /// several systems in one run keeps them in directories of their own.
    pub fn near(&self, role: Role, file: &str) -> impl Iterator<Item = &'a Unit> + use<'a> {
        self.near_any(&[role], file)
    }

    /// As [`World::near`], of any of several roles: one of a role that stands further away than another's does not count.
    pub fn near_any(&self, roles: &[Role], file: &str) -> impl Iterator<Item = &'a Unit> + use<'a> {
        let units = self.units;
        let found = directories(file).find_map(|d| {
            let lists = roles.iter().filter_map(|role| self.below.get(&(*role, d)));
            let list: Vec<usize> = lists.flatten().copied().collect();
            (!list.is_empty()).then_some(list)
        });
        found.unwrap_or_default().into_iter().filter_map(move |i| units.get(i))
    }
}

/// The directory of a file and every one above, the nearest first; the last is empty.
fn directories(file: &str) -> impl Iterator<Item = &str> {
    let parent = |path: &str| path.rfind(['/', '\\']).unwrap_or(0);
    let first = file.get(..parent(file));
    std::iter::successors(first, move |d| if d.is_empty() { None } else { d.get(..parent(d)) })
}

#[cfg(test)]
mod tests {
    use super::directories;

    #[test]
    fn directories_go_up_to_the_empty_one() {
        assert_eq!(directories("a/b/c.yaml").collect::<Vec<_>>(), ["a/b", "a", ""]);
        assert_eq!(directories("c.yaml").collect::<Vec<_>>(), [""]);
        assert_eq!(directories("/c.yaml").collect::<Vec<_>>(), [""]);
    }
}
