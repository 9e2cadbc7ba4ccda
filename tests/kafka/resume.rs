//! What `--resume` promises about a file. (Resuming after a kill has its own series.)

use crate::cluster;
use crate::judge;
use crate::tool::{self, Case};
use std::collections::HashMap;
use std::path::Path;

fn send(case: &Case<'_>, resume: bool, input: &Path) -> tool::Done {
    let mut send = case.send(if resume { &["--resume"] } else { &[] });
    send.arg(input);
    tool::run(send)
}

#[test]
fn resume_goes_on_in_the_same_file_only() {
    let Some(cluster) = cluster::shared("resume_goes_on_in_the_same_file_only") else {
        return;
    };
    let case = Case::new(&cluster, "resume", 2);
    let lines = judge::lines(0, 3000, 50);
    let input = case.file("input", &judge::text(&lines[..1000]));
    send(&case, false, &input).expect(0);
    // Nothing new: nothing is sent.
    send(&case, true, &input).expect(0);
    assert_eq!(cluster.read(&case.topic).len(), 1000);
    // The file has grown: only what is new is sent.
    std::fs::write(&input, judge::text(&lines[..2000])).unwrap();
    send(&case, true, &input).expect(0);
    assert_eq!(cluster.read(&case.topic).len(), 2000);
    // The file is another one, of the same length and longer: refused, and nothing is sent.
    let mut changed = judge::text(&lines);
    changed[500] ^= 1;
    std::fs::write(&input, &changed).unwrap();
    let refused = send(&case, true, &input).expect(2);
    assert!(
        refused.stderr.contains("not the file that was being sent"),
        "{}",
        refused.stderr
    );
    std::fs::write(&input, judge::text(&lines[..1000])).unwrap();
    send(&case, true, &input).expect(2);
    assert_eq!(cluster.read(&case.topic).len(), 2000);
    case.verify(&[]).expect_clean(2000);
}

#[test]
fn a_file_sent_twice_is_there_twice() {
    let Some(cluster) = cluster::shared("a_file_sent_twice_is_there_twice") else {
        return;
    };
    let case = Case::new(&cluster, "twice", 2);
    let lines = judge::lines(0, 500, 50);
    let input = case.file("input", &judge::text(&lines));
    send(&case, false, &input).expect(0);
    send(&case, false, &input).expect(0);
    let mut ids: HashMap<Vec<u8>, Vec<String>> = HashMap::new();
    for record in cluster.read(&case.topic) {
        ids.entry(record.value).or_default().push(record.id.unwrap());
    }
    assert_eq!(ids.len(), lines.len());
    assert!(ids.values().all(|ids| ids.len() == 2 && ids[0] != ids[1]));
    // Two messages of their own, not one message twice.
    let verified = case.verify(&["--deny", "duplicate,reordered,moved"]);
    verified.expect_clean(1000);
    assert_eq!(verified.total("duplicate"), 0);
}
