//! Settings of the tool itself: what "safe" means for each kind of work.

mod profile;
mod severity;

pub use profile::{BUILT_IN, Profile, ProfileError, Thresholds};
pub use severity::{Level, Severity};
