//! Work that waits, beside the thread that injects, which has no time to.

use std::{io, thread};

/// Run this on a thread of its own, with a runtime for one.
pub fn beside<Work: Future>(
    name: &str,
    work: impl FnOnce() -> Work + Send + 'static,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            runtime.block_on(work());
        })
        .map(drop)
}
