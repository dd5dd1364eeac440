//! `punktfunkctl agents`: the sessions that can be streamed.
use crate::{bus::Bus, failure::Failure, report::Report, snapshot::Snapshot, table::table};

pub async fn run(bus: &Bus) -> Result<Report, Failure> {
    let snapshot = bus.snapshot().await?;
    Report::new(human(&snapshot), &snapshot.agents)
}

fn human(snapshot: &Snapshot) -> String {
    if snapshot.agents.is_empty() {
        return "No session of yours can be streamed.\n\
                Log in to a desktop, or look at its agent: systemctl --user status punktfunk-agent"
            .into();
    }
    let row = |agent: &crate::snapshot::Agent| {
        let seat = if agent.seat.is_empty() {
            "headless"
        } else {
            &agent.seat
        };
        [
            agent.session.clone(),
            agent.user.to_string(),
            seat.to_owned(),
            agent.compositor.clone(),
            agent.encoders.join(", "),
            agent.codecs.join(", "),
        ]
    };
    let rows: Vec<_> = snapshot.agents.iter().map(row).collect();
    table(
        [
            "SESSION",
            "USER",
            "SEAT",
            "COMPOSITOR",
            "ENCODERS",
            "CODECS",
        ],
        &rows,
    )
}
