//! org.freedesktop.DBus.Properties and ObjectManager: only what the caller may see.
use super::{
    ApiError, Context,
    call::Call,
    object::{Object, Properties},
};
use crate::authority::{Audience, Caller};
use std::collections::HashMap;
use zbus::{Message, fdo, zvariant::OwnedObjectPath};

/// Whether this object exists for the caller.
pub(super) async fn sees(context: &Context, caller: &Caller, audience: Audience) -> bool {
    (audience == Audience::Pairers && context.windows.held_by(caller.uid))
        || context
            .authority
            .may_see(&caller.name, caller.uid, audience)
            .await
}

pub(super) async fn answer(call: &Call<'_>) -> Result<Message, ApiError> {
    match call.member.as_str() {
        "Get" => {
            let (interface, name): (String, String) = call.arguments()?;
            let mut properties = read(call, &interface).await?;
            let value = properties
                .remove(name.as_str())
                .ok_or_else(|| unknown(&interface, &name))?;
            call.answer(&zbus::zvariant::Value::from(value))
        }
        "GetAll" => {
            let interface: String = call.arguments()?;
            call.answer(&read(call, &interface).await?)
        }
        "Set" => {
            let (interface, name, _value): (String, String, zbus::zvariant::OwnedValue) =
                call.arguments()?;
            let properties = read(call, &interface).await?;
            if !properties.contains_key(name.as_str()) {
                return Err(unknown(&interface, &name).into());
            }
            Err(fdo::Error::PropertyReadOnly(format!("{name} can only be read")).into())
        }
        member => Err(ApiError::unknown_method(&call.interface, member)),
    }
}

fn unknown(interface: &str, name: &str) -> fdo::Error {
    fdo::Error::UnknownProperty(format!("no property {interface}.{name}"))
}

async fn read(call: &Call<'_>, interface: &str) -> Result<Properties, ApiError> {
    let host = &call.context.host;
    let object =
        Object::at(host, &call.path).ok_or_else(|| ApiError::unknown_object(&call.path))?;
    if !sees(call.context, &call.caller, object.audience()).await {
        return Err(ApiError::unknown_object(&call.path));
    }
    if interface == object.interface() {
        Ok(object.properties(host))
    } else if interface.starts_with("org.freedesktop.DBus.") {
        Ok(Properties::new())
    } else {
        Err(fdo::Error::UnknownInterface(format!("no interface {interface} here")).into())
    }
}

/// ObjectManager: the caller's objects, and from now on it hears of changes.
pub(super) async fn manager(call: &Call<'_>) -> Result<Message, ApiError> {
    if call.member != "GetManagedObjects" {
        return Err(ApiError::unknown_method(&call.interface, &call.member));
    }
    call.no_arguments()?;
    let context = call.context;
    // Before looking: a change in between is signalled rather than missed.
    context.listeners.add(&call.caller.name, call.caller.uid);
    if !call.still_there().await {
        context.listeners.forget(&call.caller.name);
    }
    let mut sight = Sight::default();
    let mut objects: HashMap<OwnedObjectPath, HashMap<&str, Properties>> = HashMap::new();
    for object in Object::all(&context.host) {
        if sight.sees(context, &call.caller, object.audience()).await {
            let properties = object.properties(&context.host);
            objects.insert(
                object.path(),
                HashMap::from([(object.interface(), properties)]),
            );
        }
    }
    call.answer(&objects)
}

/// What one caller sees, asked once for each kind of audience.
#[derive(Default)]
pub(super) struct Sight {
    others: Option<bool>,
    pairings: Option<bool>,
}

impl Sight {
    pub(super) async fn sees(
        &mut self,
        context: &Context,
        caller: &Caller,
        audience: Audience,
    ) -> bool {
        let known = match audience {
            Audience::Everyone => return true,
            Audience::Owner(owner) if owner == caller.uid => {
                return sees(context, caller, audience).await;
            }
            Audience::Owner(_) => &mut self.others,
            Audience::Pairers => &mut self.pairings,
        };
        match known {
            Some(known) => *known,
            None => *known.insert(sees(context, caller, audience).await),
        }
    }
}
