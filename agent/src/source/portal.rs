//! The portal source.
use super::{Source, SourceError, SourceRequest};

/// Its name in configuration and on the command line.
pub const NAME: &str = "portal";

/// Open it for `request`.
///
/// # Errors
/// As for [`super::open`].
pub fn open(request: &SourceRequest) -> Result<Box<dyn Source>, SourceError> {
    let _ = request;
    Err(SourceError::Unavailable {
        name: NAME,
        why: "this build has no such source yet".to_owned(),
    })
}
