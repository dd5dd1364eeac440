//! One call: what was asked, by whom, and how it is answered.
use super::{ApiError, Context};
use crate::{authority::Caller, ids::Uid};
use serde::{Serialize, de::DeserializeOwned};
use zbus::{
    Message,
    message::Header,
    zvariant::{DynamicType, Type},
};

pub(super) struct Call<'a> {
    pub(super) context: &'a Context,
    pub(super) message: &'a Message,
    pub(super) header: Header<'a>,
    pub(super) caller: Caller,
    pub(super) path: String,
    pub(super) interface: String,
    pub(super) member: String,
}

impl Call<'_> {
    /// The arguments, if they have exactly this type.
    pub(super) fn arguments<T: DeserializeOwned + Type>(&self) -> Result<T, ApiError> {
        self.message
            .body()
            .deserialize()
            .map_err(|error| ApiError::invalid(error.to_string()))
    }

    /// There must be none.
    pub(super) fn no_arguments(&self) -> Result<(), ApiError> {
        if self.message.body().is_empty() {
            Ok(())
        } else {
            Err(ApiError::invalid("this method takes no arguments"))
        }
    }

    /// The caller may call this very method on an object of `owner`.
    pub(super) async fn require(&self, owner: Option<Uid>) -> Result<(), ApiError> {
        let authority = &self.context.authority;
        let allowed = authority.require(&self.caller, &self.interface, &self.member, owner);
        Ok(allowed.await?)
    }

    /// A successful answer.
    pub(super) fn answer<T: Serialize + DynamicType>(&self, body: &T) -> Result<Message, ApiError> {
        Ok(Message::method_return(&self.header)?.build(body)?)
    }

    /// Whether the caller is still connected. Asked after something was noted in its name: if it is, the end of the
    /// connection is still to come and takes the note away.
    pub(super) async fn still_there(&self) -> bool {
        let authority = &self.context.authority;
        authority.uid_of(&self.caller.name).await.is_ok()
    }

    /// Everything that was just changed is on the bus before the answer is.
    pub(super) async fn announced(&self) {
        self.context.announcer.flush().await;
    }
}
