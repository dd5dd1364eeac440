//! What is asked of this KWin, and how it answers.

use std::sync::Mutex;

use wayland_protocols_plasma::{
    output_order::v1::server::kde_output_order_v1::{self, KdeOutputOrderV1},
    screencast::v1::server::{
        zkde_screencast_stream_unstable_v1::{self, ZkdeScreencastStreamUnstableV1},
        zkde_screencast_unstable_v1::{self, ZkdeScreencastUnstableV1},
    },
};
use wayland_server::{
    Client, DataInit, Dispatch, DisplayHandle, GlobalDispatch, New, Resource,
    backend::ClientId,
    protocol::wl_output::{self, WlOutput},
};

use super::{
    Edition,
    outputs::{Answer, Asked, Mode, ModeOf, Session, Timing},
    protocol::{
        kde_mode_list_v2::{self, KdeModeListV2},
        kde_output_configuration_v2::{self, KdeOutputConfigurationV2},
        kde_output_device_mode_v2::{self, KdeOutputDeviceModeV2},
        kde_output_device_registry_v2::{self, KdeOutputDeviceRegistryV2},
        kde_output_device_v2::{self, KdeOutputDeviceV2},
        kde_output_management_v2::{self, KdeOutputManagementV2},
    },
};

const GONE: &str = "One of the relevant outputs is no longer available";

impl Edition {
    /// The version of the descriptions.
    pub fn describes(self) -> u32 {
        match self {
            Self::Plasma520 => 1,
            Self::Plasma63 => 13,
            Self::Plasma66 => 20,
            Self::Plasma67 => 21,
        }
    }

    /// And of the changes.
    fn changes(self) -> u32 {
        match self {
            Self::Plasma520 => 1,
            Self::Plasma63 => 13,
            Self::Plasma66 | Self::Plasma67 => 18,
        }
    }

    /// And of the casts.
    fn casts(self) -> u32 {
        match self {
            Self::Plasma520 => 1,
            _ => 4,
        }
    }
}

/// A change as it is put together.
#[derive(Default)]
pub struct Change {
    enable: Vec<(u32, bool)>,
    order: Vec<(u32, u32)>,
    modes: Option<(u32, Vec<Timing>)>,
    mode: Option<ModeOf>,
    begun_at: u32,
    applied: bool,
}

#[derive(Default)]
pub struct ModeList {
    modes: Vec<Timing>,
    size: Option<(u32, u32)>,
    rate: Option<u32>,
}

impl Session {
    /// The globals that are always there.
    pub fn offer(&mut self) {
        let (handle, edition) = (self.handle.clone(), self.edition);
        handle.create_global::<Self, ZkdeScreencastUnstableV1, ()>(edition.casts(), ());
        handle.create_global::<Self, KdeOutputManagementV2, ()>(edition.changes(), ());
        handle.create_global::<Self, KdeOutputOrderV1, ()>(1, ());
        if edition == Edition::Plasma67 {
            handle.create_global::<Self, KdeOutputDeviceRegistryV2, ()>(edition.describes(), ());
        }
    }

    fn bear(
        &mut self,
        name: &str,
        (width, height): (i32, i32),
        stream: New<ZkdeScreencastStreamUnstableV1>,
        init: &mut DataInit<'_, Self>,
    ) {
        let failure = self.failures.pop_front();
        let name = format!("Virtual-{name}");
        let size = (width.cast_unsigned(), height.cast_unsigned());
        self.born.push((name.clone(), size));
        match failure {
            Some(why) => init.init(stream, 0).failed(why.to_owned()),
            None => {
                let id = self.add(&name, size);
                let stream = init.init(stream, id);
                stream.created(1000 + id);
                self.streams.push((id, stream));
            }
        }
    }

    fn name_of(&self, id: u32) -> Option<String> {
        let output = self.outputs.iter().find(|output| output.id == id)?;
        Some(output.name.clone())
    }

    fn note(&mut self, change: &Change) {
        let mode = change.mode.and_then(|of| {
            let output = self.outputs.iter().find(|output| output.id == of.output)?;
            let mode = output.modes.iter().find(|mode| mode.id == of.mode)?;
            Some(mode.size)
        });
        let (enable, order) = (change.enable.iter(), change.order.iter());
        let asked = Asked {
            enable: enable
                .filter_map(|(id, on)| Some((self.name_of(*id)?, *on)))
                .collect(),
            order: order
                .filter_map(|(place, id)| Some((*place, self.name_of(*id)?)))
                .collect(),
            modes: change.modes.clone().map(|(_, m)| m).unwrap_or_default(),
            mode,
        };
        self.asked.push(asked);
    }

    fn apply(&mut self, resource: &KdeOutputConfigurationV2, change: &Change) {
        let answer = self.answers.pop_front().unwrap_or(Answer::Done);
        self.note(change);
        if let Answer::FirstGone(name) = answer {
            self.unplug(name);
        }
        let done = match answer {
            Answer::Nothing => return,
            Answer::Refused(why) => Err(why),
            _ => self.attempt(change, answer == Answer::NoMode),
        };
        match done {
            Ok(()) => resource.applied(),
            Err(why) => {
                if resource.version() >= 12 {
                    resource.failure_reason(why.to_owned());
                }
                resource.failed();
            }
        }
        // KWin collects these for the end of its turn
        self.settled(|_| true);
        if let Answer::ThenGone(name) = answer {
            self.unplug(name);
        }
    }

    fn attempt(&mut self, change: &Change, forget_modes: bool) -> Result<(), &'static str> {
        if change.begun_at != self.upheavals {
            return Err(GONE);
        }
        let on = |id: u32, now: bool| {
            let asked = change.enable.iter().rev().find(|(of, _)| *of == id);
            asked.map_or(now, |(_, on)| *on)
        };
        let outputs = self.outputs.iter();
        let lit: Vec<u32> = outputs
            .filter(|output| on(output.id, output.enabled))
            .map(|output| output.id)
            .collect();
        if lit.is_empty() {
            return Err("Disabling all outputs through configuration changes is not allowed");
        }
        let mut ordered = change.order.clone();
        if !ordered.is_empty() {
            if ordered.len() != self.outputs.len() {
                return Err("Provided output order doesn't contain all outputs!");
            }
            ordered.retain(|(_, id)| lit.contains(id));
            ordered.sort_unstable();
            if !(1..)
                .zip(&ordered)
                .all(|(place, (asked, _))| place == *asked)
            {
                return Err("Provided output order is invalid!");
            }
        }
        if let Some(of) = change.mode {
            let known = self.by_id(of.output);
            if !known.is_some_and(|output| output.modes.iter().any(|mode| mode.id == of.mode)) {
                return Err(GONE);
            }
        }
        if let Some((id, modes)) = &change.modes
            && !forget_modes
        {
            self.set_custom_modes(*id, modes);
        }
        if let Some(of) = change.mode {
            self.take_mode(of.output, of.mode);
        }
        let names: Vec<String> = if ordered.is_empty() {
            let kept = self.order.iter().filter_map(|name| self.named(name));
            let kept: Vec<u32> = kept.map(|output| output.id).collect();
            let new = lit.iter().filter(|id| !kept.contains(id));
            let all = kept.iter().filter(|id| lit.contains(id)).chain(new);
            all.filter_map(|id| self.name_of(*id)).collect()
        } else {
            let places = ordered.iter();
            places.filter_map(|(_, id)| self.name_of(*id)).collect()
        };
        self.light(names);
        Ok(())
    }

    /// Timings are made by CVT: the width is cut to a multiple of 8, and the rate is a little less.
    fn set_custom_modes(&mut self, id: u32, modes: &[Timing]) {
        let numbers: Vec<u32> = modes.iter().map(|_| self.number()).collect();
        let Some(output) = self.by_id(id) else { return };
        output.modes.retain(|mode| !mode.custom);
        for (id, (width, height, rate)) in numbers.into_iter().zip(modes) {
            output.modes.push(Mode {
                id,
                size: (width & !7, *height),
                refresh_mhz: rate - rate / 1500,
                custom: true,
            });
        }
        if output.modes.iter().all(|mode| mode.id != output.current) {
            output.current = output.modes[0].id;
        }
        self.announce_modes(id);
    }
}

impl Dispatch<KdeOutputConfigurationV2, Mutex<Change>> for Session {
    fn request(
        session: &mut Self,
        _: &Client,
        resource: &KdeOutputConfigurationV2,
        request: kde_output_configuration_v2::Request,
        change: &Mutex<Change>,
        _: &DisplayHandle,
        _: &mut DataInit<'_, Self>,
    ) {
        use kde_output_configuration_v2::Request;
        let mut change = change.lock().unwrap();
        let of = |device: &KdeOutputDeviceV2| *device.data::<u32>().unwrap();
        match request {
            Request::Enable {
                outputdevice,
                enable,
            } => change.enable.push((of(&outputdevice), enable != 0)),
            Request::Mode { mode, .. } => change.mode = mode.data::<ModeOf>().copied(),
            Request::SetPriority {
                outputdevice,
                priority,
            } => change.order.push((priority, of(&outputdevice))),
            Request::SetCustomModes {
                outputdevice,
                modes,
            } => {
                let list = modes.data::<Mutex<ModeList>>().unwrap().lock().unwrap();
                change.modes = Some((of(&outputdevice), list.modes.clone()));
            }
            Request::Apply if change.applied => {
                resource.post_error(0u32, "an output configuration can be applied only once");
            }
            Request::Apply => {
                change.applied = true;
                session.apply(resource, &change);
            }
            Request::Destroy => {}
            other => resource.post_error(99u32, format!("the agent asks for {other:?}")),
        }
    }
}

impl Dispatch<KdeModeListV2, Mutex<ModeList>> for Session {
    fn request(
        _: &mut Self,
        _: &Client,
        resource: &KdeModeListV2,
        request: kde_mode_list_v2::Request,
        list: &Mutex<ModeList>,
        _: &DisplayHandle,
        _: &mut DataInit<'_, Self>,
    ) {
        use kde_mode_list_v2::Request;
        let mut list = list.lock().unwrap();
        match request {
            Request::SetResolution { width, height } => list.size = Some((width, height)),
            Request::SetRefreshRate { rate } => list.rate = Some(rate),
            Request::AddMode => match (list.size, list.rate) {
                (Some((width, height)), Some(rate)) => list.modes.push((width, height, rate)),
                _ => resource.post_error(0u32, "Resolution or refresh rate were not set"),
            },
            _ => {}
        }
    }
}

impl Dispatch<KdeOutputManagementV2, ()> for Session {
    fn request(
        session: &mut Self,
        _: &Client,
        _: &KdeOutputManagementV2,
        request: kde_output_management_v2::Request,
        (): &(),
        _: &DisplayHandle,
        init: &mut DataInit<'_, Self>,
    ) {
        use kde_output_management_v2::Request;
        match request {
            Request::CreateConfiguration { id } => {
                let change = Change {
                    begun_at: session.upheavals,
                    ..Change::default()
                };
                init.init(id, Mutex::new(change));
            }
            Request::CreateModeList { id } => {
                init.init(id, Mutex::new(ModeList::default()));
            }
        }
    }
}

impl Dispatch<ZkdeScreencastUnstableV1, ()> for Session {
    fn request(
        session: &mut Self,
        _: &Client,
        resource: &ZkdeScreencastUnstableV1,
        request: zkde_screencast_unstable_v1::Request,
        (): &(),
        _: &DisplayHandle,
        init: &mut DataInit<'_, Self>,
    ) {
        use zkde_screencast_unstable_v1::Request;
        match request {
            Request::StreamVirtualOutput {
                stream,
                name,
                width,
                height,
                ..
            }
            | Request::StreamVirtualOutputWithDescription {
                stream,
                name,
                width,
                height,
                ..
            } => session.bear(&name, (width, height), stream, init),
            other => resource.post_error(99u32, format!("the agent asks for {other:?}")),
        }
    }
}

impl Dispatch<ZkdeScreencastStreamUnstableV1, u32> for Session {
    fn request(
        _: &mut Self,
        _: &Client,
        _: &ZkdeScreencastStreamUnstableV1,
        _: zkde_screencast_stream_unstable_v1::Request,
        _: &u32,
        _: &DisplayHandle,
        _: &mut DataInit<'_, Self>,
    ) {
    }

    /// Closed, or its client is gone.
    fn destroyed(
        session: &mut Self,
        _: ClientId,
        _: &ZkdeScreencastStreamUnstableV1,
        output: &u32,
    ) {
        session.remove(*output);
    }
}

impl Dispatch<KdeOutputDeviceV2, u32> for Session {
    fn request(
        _: &mut Self,
        _: &Client,
        _: &KdeOutputDeviceV2,
        _: kde_output_device_v2::Request,
        _: &u32,
        _: &DisplayHandle,
        _: &mut DataInit<'_, Self>,
    ) {
    }

    fn destroyed(session: &mut Self, _: ClientId, device: &KdeOutputDeviceV2, id: &u32) {
        if let Some(output) = session.by_id(*id) {
            output.devices.retain(|known| known != device);
        }
    }
}

impl Dispatch<WlOutput, u32> for Session {
    fn request(
        _: &mut Self,
        _: &Client,
        _: &WlOutput,
        _: wl_output::Request,
        _: &u32,
        _: &DisplayHandle,
        _: &mut DataInit<'_, Self>,
    ) {
    }

    fn destroyed(session: &mut Self, _: ClientId, proxy: &WlOutput, id: &u32) {
        if let Some(output) = session.by_id(*id) {
            output.wl_outputs.retain(|known| known != proxy);
        }
    }
}

/// What has no requests that the agent makes.
macro_rules! listens {
    ($($interface:ty, $module:ident, $data:ty;)*) => {$(
        impl Dispatch<$interface, $data> for Session {
            fn request(
                _: &mut Self,
                _: &Client,
                _: &$interface,
                _: $module::Request,
                _: &$data,
                _: &DisplayHandle,
                _: &mut DataInit<'_, Self>,
            ) {
            }
        }
    )*};
}
listens! {
    KdeOutputDeviceModeV2, kde_output_device_mode_v2, ModeOf;
    KdeOutputDeviceRegistryV2, kde_output_device_registry_v2, ();
    KdeOutputOrderV1, kde_output_order_v1, ();
}

/// What is done when a global of this kind is bound.
macro_rules! binds {
    ($($interface:ty, $data:ty => |$session:ident, $resource:ident, $of:ident| $then:expr;)*) => {$(
        impl GlobalDispatch<$interface, $data> for Session {
            fn bind(
                $session: &mut Self,
                _: &DisplayHandle,
                _: &Client,
                resource: New<$interface>,
                $of: &$data,
                init: &mut DataInit<'_, Self>,
            ) {
                let $resource = init.init(resource, *$of);
                $then
            }
        }
    )*};
}
binds! {
    ZkdeScreencastUnstableV1, () => |_session, _resource, of| {};
    KdeOutputManagementV2, () => |_session, _resource, of| {};
    KdeOutputOrderV1, () => |session, resource, of| {
        session.tell_order(&resource);
        session.orders.push(resource);
    };
    KdeOutputDeviceRegistryV2, () => |session, resource, of| {
        let ids: Vec<u32> = session.outputs.iter().map(|output| output.id).collect();
        for id in ids {
            session.announce(&resource, id);
        }
        session.registries.push(resource);
    };
    KdeOutputDeviceV2, u32 => |session, resource, of| session.describe(resource);
    WlOutput, u32 => |session, resource, of| session.describe_wl(resource, *of);
}
