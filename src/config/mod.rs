//! Settings of the tool itself: what "safe" means for each kind of work.

mod near;
mod profile;
mod repository;
mod severity;

pub use profile::{BUILT_IN, Profile, ProfileError, Thresholds};
pub use repository::Repository;
pub use severity::{Level, Severity};
