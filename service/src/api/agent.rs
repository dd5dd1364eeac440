//! Methods of a registered agent.
use super::{ApiError, call::Call};
use crate::agents::AgentInfo;
use zbus::Message;

pub(super) async fn call(call: &Call<'_>, agent: &AgentInfo) -> Result<Message, ApiError> {
    let host = &call.context.host;
    match call.member.as_str() {
        "ListApplications" => {
            call.no_arguments()?;
            let catalogue = host.applications.of(&host.agents, agent.uid).await;
            let list: Vec<(u32, &str)> = catalogue
                .iter()
                .map(|application| (application.id, application.title.as_str()))
                .collect();
            call.answer(&list)
        }
        member => Err(ApiError::unknown_method(&call.interface, member)),
    }
}
