//! Whether there is a standard input at all.

use crate::model::{Problem, Result};
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

/// The device `/dev/null` on Linux (admin-guide/devices).
const NULL: (u32, u32) = (1, 3);

/// Refuses a standard input that was closed: nothing would be read from it, and nothing to send is something else.
///
/// A closed one is replaced by `/dev/null`, opened for reading and writing, before `main` begins (Rust's runtime does it, so that
/// no other file gets the number 0). A shell opens it for reading only.
///
/// # Errors
/// When it was closed.
pub(super) fn must_be_open() -> Result<()> {
    let stdin = std::io::stdin();
    let null = || -> std::io::Result<bool> {
        let device = File::from(stdin.as_fd().try_clone_to_owned()?).metadata()?.rdev();
        Ok((rustix::fs::major(device), rustix::fs::minor(device)) == NULL)
    };
    let is_both = rustix::fs::fcntl_getfl(&stdin).is_ok_and(|flags| flags.contains(rustix::fs::OFlags::RDWR));
    if is_both && null().unwrap_or(false) {
        return Err(Problem::usage("standard input is closed")
            .because("there is nothing to read, which is not the same as no messages")
            .next("give a FILE, or feed it with < FILE or a pipe"));
    }
    Ok(())
}
