//! Outputs, their modes and their arrangement, against a KWin of the tests' own.

mod modes;
mod places;

use super::{
    double::{Answer, Asked, Edition, Kwin},
    heads::{Heads, HeadsError, Layout},
    screencast::OpenError,
    topology::Topology,
    *,
};

const OURS: &str = "Virtual-punktfunk";

/// There is one memory of the outputs in a process: one test at a time that uses it.
static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

fn request(width: u32, height: u32, fps: u32, outputs: Outputs) -> SourceRequest {
    SourceRequest {
        width,
        height,
        fps,
        outputs,
        ..crate::source::tests::SMALL
    }
}

/// A stream's output, with the others arranged as its policy says.
async fn stream(wanted: &SourceRequest) -> (Topology, VirtualOutput) {
    let mut topology = Topology::join(wanted.outputs).await.unwrap();
    let (output, _) = make(wanted, Some(&mut topology)).await.unwrap();
    topology.arrange(output.name()).await.unwrap();
    (topology, output)
}

fn names<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).to_vec()
}

fn born(kwin: &Kwin) -> Vec<(u32, u32)> {
    kwin.tell(|session| session.born.iter().map(|(_, size)| *size).collect())
}
