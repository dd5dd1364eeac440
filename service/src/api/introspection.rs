//! org.freedesktop.DBus.Introspectable: the documented XML, with the children that the caller may see.
use super::{
    ApiError,
    call::Call,
    object::{FOLDERS, Object},
    properties::{Sight, sees},
};
use punktfunk_dbus::names::ROOT_PATH;
use std::fmt::Write;
use zbus::Message;

const HEAD: &str = r#"<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">
<node>
"#;

const STANDARD: &str = r#"  <interface name="org.freedesktop.DBus.Peer">
    <method name="Ping"/>
    <method name="GetMachineId">
      <arg name="machine_uuid" type="s" direction="out"/>
    </method>
  </interface>
  <interface name="org.freedesktop.DBus.Introspectable">
    <method name="Introspect">
      <arg name="xml_data" type="s" direction="out"/>
    </method>
  </interface>
"#;

const PROPERTIES: &str = r#"  <interface name="org.freedesktop.DBus.Properties">
    <method name="Get">
      <arg name="interface_name" type="s" direction="in"/>
      <arg name="property_name" type="s" direction="in"/>
      <arg name="value" type="v" direction="out"/>
    </method>
    <method name="GetAll">
      <arg name="interface_name" type="s" direction="in"/>
      <arg name="properties" type="a{sv}" direction="out"/>
    </method>
    <method name="Set">
      <arg name="interface_name" type="s" direction="in"/>
      <arg name="property_name" type="s" direction="in"/>
      <arg name="value" type="v" direction="in"/>
    </method>
    <signal name="PropertiesChanged">
      <arg name="interface_name" type="s"/>
      <arg name="changed_properties" type="a{sv}"/>
      <arg name="invalidated_properties" type="as"/>
    </signal>
  </interface>
"#;

const OBJECT_MANAGER: &str = r#"  <interface name="org.freedesktop.DBus.ObjectManager">
    <method name="GetManagedObjects">
      <arg name="object_paths_interfaces_and_properties" type="a{oa{sa{sv}}}" direction="out"/>
    </method>
    <signal name="InterfacesAdded">
      <arg name="object_path" type="o"/>
      <arg name="interfaces_and_properties" type="a{sa{sv}}"/>
    </signal>
    <signal name="InterfacesRemoved">
      <arg name="object_path" type="o"/>
      <arg name="interfaces" type="as"/>
    </signal>
  </interface>
"#;

pub(super) async fn answer(call: &Call<'_>) -> Result<Message, ApiError> {
    if call.member != "Introspect" {
        return Err(ApiError::unknown_method(&call.interface, &call.member));
    }
    call.no_arguments()?;
    let mut xml = HEAD.to_owned();
    xml.push_str(STANDARD);
    let children = describe(call, &mut xml).await?;
    for child in children {
        // Writing to a string cannot fail.
        let _ = writeln!(xml, "  <node name=\"{child}\"/>");
    }
    xml.push_str("</node>\n");
    call.answer(&xml)
}

/// Append the object's own interfaces; answers its children.
async fn describe(call: &Call<'_>, xml: &mut String) -> Result<Vec<String>, ApiError> {
    let path = call.path.as_str();
    let host = &call.context.host;
    if let Some(object) = Object::at(host, path) {
        if !sees(call.context, &call.caller, object.audience()).await {
            return Err(ApiError::unknown_object(path));
        }
        xml.push_str(PROPERTIES);
        xml.push_str(interface_of(object.xml()));
        if matches!(object, Object::Host) {
            xml.push_str(OBJECT_MANAGER);
            return Ok(FOLDERS.map(str::to_owned).to_vec());
        }
        return Ok(Vec::new());
    }
    if let Some(folder) = path
        .strip_prefix(ROOT_PATH)
        .and_then(|rest| rest.strip_prefix('/'))
        .filter(|folder| FOLDERS.contains(folder))
    {
        let mut sight = Sight::default();
        let mut children = Vec::new();
        for object in Object::all(host) {
            if let Some((place, name)) = object.place()
                && place == folder
                && sight
                    .sees(call.context, &call.caller, object.audience())
                    .await
            {
                children.push(name);
            }
        }
        return Ok(children);
    }
    // On the way to the root object.
    let above = if path == "/" { "" } else { path };
    ROOT_PATH
        .strip_prefix(above)
        .and_then(|rest| rest.strip_prefix('/'))
        .and_then(|rest| rest.split('/').next())
        .map(|next| vec![next.to_owned()])
        .ok_or_else(|| ApiError::unknown_object(path))
}

/// The documented file without its outer node.
fn interface_of(xml: &'static str) -> &'static str {
    let start = xml
        .find("<node>")
        .map_or(0, |at| at.saturating_add("<node>\n".len()));
    let end = xml.rfind("</node>").unwrap_or(xml.len());
    xml.get(start..end).unwrap_or_default()
}
