//! RQT015: replicas that are away now.

use super::topology::{Kind, Topology};
use crate::audit::fact::Layer;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::int_of;
use crate::audit::terms::canonical::{MEMBERS, ONLINE};

rule! {
    /// # What it finds
    /// A live quorum queue or stream some of whose members are not there; one that has no majority any more as `RQT015/minority`.
    ///
    /// # How messages are lost
    /// Each member that is away is a copy less. Without a majority the queue takes nothing, so publishers without a buffer drop; and when the
    /// members that are away are lost for good, it must be deleted or forced, with what only they had.
    ///
    /// # Instead
    /// Start the nodes of the missing members; replace one that is gone for good while there still is a majority.
    ///
    /// # Example
    /// A node answers how many members a queue has, and how many of them are online. `@` begins what was asked, `-` a thing by its name; below it stands what was told.
    /// Recorded, found:
    /// ```facts
    /// @ rabbitmq-topology live
    /// - queue orders
    /// type=quorum
    /// @members=3
    /// @members.online=2
    /// ```
    /// Recorded, clean:
    /// ```facts
    /// @ rabbitmq-topology live
    /// - queue orders
    /// type=quorum
    /// @members=3
    /// @members.online=3
    /// ```
    ///
    /// # Source
    /// RabbitMQ `quorum-queues.md`, `streams.md`; `members` and `online` of `GET /api/queues`.
    pub(crate) static RULE = {
        code: "RQT015",
        name: "members-away",
        title: "A replicated queue has fewer copies than it should",
        evidence: &[Evidence::Live],
        variants: &["minority"],
        applies: &[Role::RabbitTopology],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let topology = Topology::new(judge);
    for queue in unit.subjects_of(Layer::Queue) {
        let (Some((_, all)), Some((fact, there))) = (int_of(judge, queue, MEMBERS), int_of(judge, queue, ONLINE))
        else {
            continue;
        };
        if there >= all {
            continue;
        }
        let minority = there <= all / 2;
        let what = match topology.kind(unit, queue).0 {
            Kind::Stream => "stream",
            Kind::Quorum | Kind::Classic | Kind::Unknown => "quorum queue",
        };
        let at = judge.at_fact(fact).of(queue);
        judge.hit_as(
            minority.then_some("minority"),
            at,
            Say::new(
                format!("{there} of {all} members of {what} `{}` are there", queue.name),
                match minority {
                    true => "no majority: it takes nothing",
                    false => "a copy less",
                },
                "Each member that is away is a copy less. Without a majority the queue takes nothing, and when the members that are away are \
                 lost for good, so is what only they had.",
                "start their nodes; replace a node that is gone for good while there still is a majority (rabbitmq-queues delete_member, then \
                 add_member)",
            ),
        );
    }
}
