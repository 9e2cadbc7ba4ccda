//! RQC004: frameworks that acknowledge early.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::{is_false, is_true};

rule! {
    /// # What it finds
    /// Celery with `task_acks_late` false, or true without `task_reject_on_worker_lost`, where a file says so.
    ///
    /// # How messages are lost
    /// The worker dies after the acknowledgement and before the end of the task: nobody does it again.
    ///
    /// # Instead
    /// `task_acks_late=True` and `task_reject_on_worker_lost=True`, with tasks that may be done twice.
    ///
    /// # Example
    /// `celeryconfig.py`, found:
    /// ```python
    /// broker_url = "amqp://mq//"
    /// task_acks_late = False
    /// ```
    /// `celeryconfig.py`, clean:
    /// ```python
    /// broker_url = "amqp://mq//"
    /// task_acks_late = True
    /// task_reject_on_worker_lost = True
    /// ```
    ///
    /// # Source
    /// Celery `app/defaults.py`: both false.
    pub(crate) static RULE = {
        code: "RQC004",
        name: "early-acknowledgement",
        title: "A task is acknowledged before it is done",
        evidence: &[Evidence::File, Evidence::Code],
        variants: &[],
        applies: &[Role::Application],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let Some(late) = unit.live("task_acks_late") else {
        return;
    };
    let lost = unit.live("task_reject_on_worker_lost");
    let headline = if is_false(late) {
        "tasks are acknowledged before they are done"
    } else if is_true(late) && !lost.is_some_and(is_true) {
        "a task whose worker is killed is acknowledged all the same"
    } else {
        return;
    };
    let at = judge.at_fact(late);
    judge.hit(
        at,
        Say::new(
            headline,
            "begun counts as done",
            "The worker dies in the middle of the task, and nobody does it again.",
            "task_acks_late=True and task_reject_on_worker_lost=True, with tasks that may be done twice",
        ),
    );
}
