//! `send --transaction`: one input, all or nothing, whatever crashes.

use crate::cluster::with_cluster;
use crate::judge::Record;
use crate::tool::{Case, Done, run, run_with};

