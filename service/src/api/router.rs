//! From a message to the code that answers it. What is not found here cannot be called.
use super::{
    ApiError, Context, agent, call::Call, client, host, introspection, limits::Slot,
    object::Object, pairing, properties, stream,
};
use crate::ids::Uid;
use punktfunk_dbus::names::ROOT_PATH;
use zbus::{Message, fdo, message::Flags};

/// Answer one call. `slot` is missing when the sender has too many already.
pub(super) async fn answer(context: &Context, message: &Message, mut slot: Option<Slot>) {
    let header = message.header();
    let outcome = match &mut slot {
        Some(_) if message.data().len() > MAX_CALL => Err(too_large()),
        Some(slot) => route(context, message, slot).await,
        None => Err(too_many()),
    };
    let reply = match outcome {
        Ok(reply) => Ok(reply),
        Err(error) => {
            tracing::debug!(call = ?header.member(), path = ?header.path(), sender = ?header.sender(), error = %error.name(), "refused");
            error.reply(&header)
        }
    };
    if header.primary().flags().contains(Flags::NoReplyExpected) {
        return;
    }
    let sent = match reply {
        Ok(reply) => context.connection.send(&reply).await,
        Err(error) => Err(error),
    };
    if let Err(error) = sent {
        tracing::debug!(%error, "a call could not be answered");
    }
}

/// No call of ours needs a tenth of it.
const MAX_CALL: usize = 64 << 10;

fn too_large() -> ApiError {
    fdo::Error::LimitsExceeded(format!("a call has at most {} KiB", MAX_CALL >> 10)).into()
}

fn too_many() -> ApiError {
    fdo::Error::LimitsExceeded("too many calls in progress; wait for answers".into()).into()
}

async fn route(context: &Context, message: &Message, slot: &mut Slot) -> Result<Message, ApiError> {
    let header = message.header();
    let text = |part: Option<&str>| {
        part.map(str::to_owned)
            .ok_or_else(|| ApiError::invalid("path, interface or member is missing"))
    };
    let path = text(header.path().map(|path| path.as_str()))?;
    let interface = text(header.interface().map(|interface| interface.as_str()))?;
    let member = text(header.member().map(|member| member.as_str()))?;
    let caller = context.authority.caller(&header).await?;
    if !slot.belongs_to(caller.uid) {
        return Err(too_many());
    }
    let call = Call {
        context,
        message,
        header,
        caller,
        path,
        interface,
        member,
    };
    match call.interface.as_str() {
        "org.freedesktop.DBus.Peer" => peer(&call),
        "org.freedesktop.DBus.Introspectable" => introspection::answer(&call).await,
        "org.freedesktop.DBus.Properties" => properties::answer(&call).await,
        "org.freedesktop.DBus.ObjectManager" if call.path == ROOT_PATH => {
            properties::manager(&call).await
        }
        _ => own(&call).await,
    }
}

/// Any path will do, as the D-Bus specification says.
fn peer(call: &Call<'_>) -> Result<Message, ApiError> {
    match call.member.as_str() {
        "Ping" => call.answer(&()),
        "GetMachineId" => {
            let id = std::fs::read_to_string("/etc/machine-id")
                .map_err(|error| fdo::Error::Failed(error.to_string()))?;
            call.answer(&id.trim())
        }
        member => Err(ApiError::unknown_method(&call.interface, member)),
    }
}

/// Our own interfaces: first whether the caller may, then whether the object is there.
async fn own(call: &Call<'_>) -> Result<Message, ApiError> {
    if crate::authority::rule(&call.interface, &call.member).is_none() {
        return Err(ApiError::unknown_method(&call.interface, &call.member));
    }
    let object = Object::at(&call.context.host, &call.path)
        .filter(|object| object.interface() == call.interface);
    let owner = match &object {
        Some(object) => object.owner(),
        // An object that is not there is treated as another account's: its absence is told to those alone who may see all.
        None => Some(NOBODY),
    };
    call.require(owner).await?;
    match object {
        Some(Object::Host) => host::call(call).await,
        Some(Object::Pairing(pairing)) => pairing::call(call, &pairing).await,
        Some(Object::Client(client)) => client::call(call, &client).await,
        Some(Object::Stream(stream)) => stream::call(call, &stream).await,
        Some(Object::Agent(agent)) => agent::call(call, &agent).await,
        None => Err(ApiError::unknown_object(&call.path)),
    }
}

/// No account has this uid (POSIX: (uid_t) -1).
const NOBODY: Uid = Uid(u32::MAX);
