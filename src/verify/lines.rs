//! How lanes, and what is excused in them, stand in the lines of a state.

use super::home::{ByLane, Excuses};
use super::lane::{Lane, Rare};
use super::numbers::{self, Numbers};
use serde::{Deserialize, Serialize};

type Ranges = Vec<(u64, u64)>;

#[derive(Serialize, Deserialize)]
pub(super) struct LaneLine {
    pub(super) name: String,
    home: u64,
    seen: Ranges,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    away: Ranges,
    #[serde(default, skip_serializing_if = "is_none")]
    moved: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    voids: Ranges,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    repeated: Ranges,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    late: Ranges,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unread: Ranges,
}

#[derive(Serialize, Deserialize, Default)]
pub(super) struct ExcusedLine {
    name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    aborted: Ranges,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    held_back: Ranges,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    set_aside: Ranges,
}

/// One line for each lane of which something is excused.
pub(super) fn lines_of(excuses: &Excuses) -> Vec<ExcusedLine> {
    let Excuses {
        aborted,
        held_back,
        set_aside,
    } = excuses;
    let mut names: Vec<_> = aborted.keys().chain(held_back.keys()).chain(set_aside.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let of = |all: &ByLane, name| all.get(name).map(numbers::ranges).unwrap_or_default();
    names
        .into_iter()
        .map(|name| ExcusedLine {
            name: format!("{} {}", name.0, name.1),
            aborted: of(aborted, name),
            held_back: of(held_back, name),
            set_aside: of(set_aside, name),
        })
        .collect()
}

pub(super) fn excuses_of(line: &ExcusedLine) -> Option<Excuses> {
    let (producer, lane) = line.name.split_once(' ')?;
    let of = |ranges: &Ranges| {
        let set = set_of(ranges)?;
        let name = (producer.to_owned(), lane.to_owned());
        Some(ByLane::from_iter((!set.is_empty()).then_some((name, set))))
    };
    Some(Excuses {
        aborted: of(&line.aborted)?,
        held_back: of(&line.held_back)?,
        set_aside: of(&line.set_aside)?,
    })
}

fn is_none(n: &u64) -> bool {
    *n == 0
}

pub(super) fn line_of(name: String, lane: &Lane) -> LaneLine {
    let rare = lane.seldom();
    let of = |pick: fn(&Rare) -> &Numbers| rare.map(|rare| numbers::ranges(pick(rare))).unwrap_or_default();
    LaneLine {
        name,
        home: lane.read_home(),
        seen: numbers::ranges(lane.seen()),
        away: of(|rare| &rare.away),
        moved: lane.moved(),
        voids: of(|rare| &rare.voids),
        repeated: of(|rare| &rare.repeated),
        late: of(|rare| &rare.late),
        unread: of(|rare| &rare.unread),
    }
}

/// `None` when a range ends before it begins.
fn set_of(ranges: &Ranges) -> Option<Numbers> {
    let is_good = ranges.iter().all(|(from, to)| from <= to);
    is_good.then(|| ranges.iter().map(|(from, to)| *from..=*to).collect())
}

pub(super) fn lane_of(line: &LaneLine) -> Option<Lane> {
    let set = set_of;
    let rare = Rare {
        away: set(&line.away)?,
        moved: line.moved,
        voids: set(&line.voids)?,
        repeated: set(&line.repeated)?,
        late: set(&line.late)?,
        unread: set(&line.unread)?,
    };
    Some(Lane::restored(set(&line.seen)?, line.home, rare))
}
