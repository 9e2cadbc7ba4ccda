//! Terraform (to come).
use super::Reading;
use crate::text::SourceFile;
use std::sync::Arc;
pub(super) fn read(_file: &Arc<str>, _source: &SourceFile) -> Reading {
    Reading::NotYet("Terraform is not read yet".to_owned())
}
