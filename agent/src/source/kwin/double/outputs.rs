//! What this KWin knows, and what becomes of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use wayland_protocols_plasma::{
    output_order::v1::server::kde_output_order_v1::KdeOutputOrderV1,
    screencast::v1::server::zkde_screencast_stream_unstable_v1::ZkdeScreencastStreamUnstableV1,
};
use wayland_server::{
    Client, DisplayHandle, Resource,
    backend::GlobalId,
    protocol::wl_output::{self, WlOutput},
};

use super::{
    Edition,
    protocol::{
        kde_output_device_mode_v2::KdeOutputDeviceModeV2,
        kde_output_device_registry_v2::KdeOutputDeviceRegistryV2,
        kde_output_device_v2::KdeOutputDeviceV2,
    },
};

/// The capability of taking custom modes.
const CUSTOM_MODES: u32 = 1 << 13;

/// What is done about a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// What KWin's own rules say.
    Done,
    /// Refused by the driver.
    Refused(&'static str),
    Nothing,
    /// Applied, without the modes that were asked for.
    NoMode,
    /// The output is taken away after the change.
    ThenGone(&'static str),
    /// The output is taken away before.
    FirstGone(&'static str),
}

/// Width, height, thousandths of a hertz.
pub type Timing = (u32, u32, u32);

/// A change, as it was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Outputs switched on or off.
    pub enable: Vec<(String, bool)>,
    /// Outputs by their priority.
    pub order: Vec<(u32, String)>,
    pub modes: Vec<Timing>,
    pub mode: Option<(u32, u32)>,
}

#[derive(Debug, Clone, Copy)]
pub struct Mode {
    pub id: u32,
    pub size: (u32, u32),
    pub refresh_mhz: u32,
    pub custom: bool,
}

/// Whose resource a mode's is: the output's number and the mode's.
#[derive(Debug, Clone, Copy)]
pub struct ModeOf {
    pub output: u32,
    pub mode: u32,
}

#[derive(Debug)]
pub struct Output {
    pub id: u32,
    pub name: String,
    pub enabled: bool,
    pub position: (i32, i32),
    pub modes: Vec<Mode>,
    pub current: u32,
    pub devices: Vec<KdeOutputDeviceV2>,
    announced: Vec<KdeOutputDeviceModeV2>,
    pub wl_outputs: Vec<WlOutput>,
    device_global: Option<GlobalId>,
    wl_global: Option<GlobalId>,
}

impl Output {
    pub fn mode(&self) -> Mode {
        let mode = self.modes.iter().find(|mode| mode.id == self.current);
        *mode.expect("an output has a mode")
    }

    /// Bytes on the wire are `int`s.
    fn size(&self) -> (i32, i32) {
        let (width, height) = self.mode().size;
        (width.cast_signed(), height.cast_signed())
    }
}

pub struct Session {
    pub handle: DisplayHandle,
    pub edition: Edition,
    pub outputs: Vec<Output>,
    /// Those that are lit, first to last.
    pub order: Vec<String>,
    /// For each set of outputs, what was lit last, in its order.
    remembered: BTreeMap<BTreeSet<String>, Vec<String>>,
    pub registries: Vec<KdeOutputDeviceRegistryV2>,
    pub orders: Vec<KdeOutputOrderV1>,
    /// Each with its output.
    pub streams: Vec<(u32, ZkdeScreencastStreamUnstableV1)>,
    pub answers: VecDeque<Answer>,
    /// Why the next virtual outputs are not made.
    pub failures: VecDeque<&'static str>,
    pub asked: Vec<Asked>,
    /// Every virtual output so far, with the size that it was made with.
    pub born: Vec<(String, (u32, u32))>,
    /// How often an output came or went.
    pub upheavals: u32,
    next: u32,
    pub over: bool,
}

impl Session {
    pub fn new(handle: DisplayHandle, edition: Edition) -> Self {
        let mut session = Self {
            handle,
            edition,
            outputs: Vec::new(),
            order: Vec::new(),
            remembered: BTreeMap::new(),
            registries: Vec::new(),
            orders: Vec::new(),
            streams: Vec::new(),
            answers: VecDeque::new(),
            failures: VecDeque::new(),
            asked: Vec::new(),
            born: Vec::new(),
            upheavals: 0,
            next: 1,
            over: false,
        };
        session.offer();
        session
    }

    pub fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    pub fn named(&self, name: &str) -> Option<&Output> {
        self.outputs.iter().find(|output| output.name == name)
    }

    pub fn by_id(&mut self, id: u32) -> Option<&mut Output> {
        self.outputs.iter_mut().find(|output| output.id == id)
    }

    /// A monitor.
    pub fn plug(&mut self, name: &str) -> u32 {
        self.add(name, (1920, 1080))
    }

    /// An output, to the right of the others, with one mode.
    pub fn add(&mut self, name: &str, size: (u32, u32)) -> u32 {
        let (id, mode) = (self.number(), self.number());
        let lit = self.outputs.iter().filter(|output| output.enabled);
        let x = lit.map(|output| output.position.0 + output.size().0).max();
        self.outputs.push(Output {
            id,
            name: name.to_owned(),
            enabled: true,
            position: (x.unwrap_or(0), 0),
            modes: vec![Mode {
                id: mode,
                size,
                refresh_mhz: 60_000,
                custom: false,
            }],
            current: mode,
            devices: Vec::new(),
            announced: Vec::new(),
            wl_outputs: Vec::new(),
            device_global: None,
            wl_global: None,
        });
        self.order.push(name.to_owned());
        if self.edition == Edition::Plasma67 {
            for registry in self.registries.clone() {
                self.announce(&registry, id);
            }
        } else {
            let version = self.edition.describes();
            let global = self
                .handle
                .create_global::<Self, KdeOutputDeviceV2, u32>(version, id);
            self.by_id(id).unwrap().device_global = Some(global);
        }
        self.upheaval();
        id
    }

    /// It is unplugged, or its stream has ended.
    pub fn remove(&mut self, id: u32) {
        let Some(place) = self.outputs.iter().position(|output| output.id == id) else {
            return;
        };
        let gone = self.outputs.remove(place);
        for (_, stream) in self.streams.extract_if(.., |(of, _)| *of == id) {
            stream.closed();
        }
        self.order.retain(|name| *name != gone.name);
        if self.edition == Edition::Plasma67 {
            gone.devices.iter().for_each(KdeOutputDeviceV2::removed);
        }
        for global in [gone.device_global, gone.wl_global].into_iter().flatten() {
            self.handle.disable_global::<Self>(global);
        }
        self.upheaval();
    }

    pub fn unplug(&mut self, name: &str) {
        if let Some(id) = self.named(name).map(|output| output.id) {
            self.remove(id);
        }
    }

    /// Another set of outputs: as it was when it was there last; else lit, if nothing would be.
    fn upheaval(&mut self) {
        self.upheavals += 1;
        if let Some(lit) = self.remembered.get(&self.set()).cloned() {
            self.light(lit);
        } else if self.order.is_empty() {
            let all = self.outputs.iter().map(|output| output.name.clone());
            self.light(all.collect());
        } else {
            self.light(self.order.clone());
        }
        self.settled(|_| true);
    }

    fn set(&self) -> BTreeSet<String> {
        let names = self.outputs.iter().map(|output| output.name.clone());
        names.collect()
    }

    /// These outputs are lit, in this order, and the others dark.
    pub fn light(&mut self, lit: Vec<String>) {
        for output in &mut self.outputs {
            let on = lit.contains(&output.name);
            if output.enabled != on {
                output.enabled = on;
                output.devices.iter().for_each(|d| d.enabled(on.into()));
            }
            if on && output.wl_global.is_none() {
                let global = self
                    .handle
                    .create_global::<Self, WlOutput, u32>(4, output.id);
                output.wl_global = Some(global);
            } else if !on && let Some(global) = output.wl_global.take() {
                self.handle.disable_global::<Self>(global);
                output.wl_outputs.clear();
            }
        }
        self.order = lit;
        self.remembered.insert(self.set(), self.order.clone());
        self.orders
            .clone()
            .iter()
            .for_each(|told| self.tell_order(told));
    }

    pub fn tell_order(&self, told: &KdeOutputOrderV1) {
        self.order.iter().for_each(|name| told.output(name.clone()));
        told.done();
    }

    /// What was said of these outputs is complete.
    pub fn settled(&self, of: impl Fn(&Output) -> bool) {
        for output in self.outputs.iter().filter(|output| of(output)) {
            output.devices.iter().for_each(KdeOutputDeviceV2::done);
        }
    }

    /// The output has another list of modes, which is told as a whole before the old one is taken back.
    pub fn announce_modes(&mut self, id: u32) {
        let handle = self.handle.clone();
        let Some(output) = self.by_id(id) else { return };
        let old = std::mem::take(&mut output.announced);
        for device in output.devices.clone() {
            tell_modes(&handle, output, &device);
        }
        for mode in old {
            mode.removed();
        }
    }

    /// The output takes one of its modes.
    pub fn take_mode(&mut self, id: u32, mode: u32) {
        let Some(output) = self.by_id(id) else { return };
        output.current = mode;
        for device in &output.devices {
            let of = output.announced.iter().find(|told| {
                told.data::<ModeOf>().is_some_and(|of| of.mode == mode)
                    && told.client().map(|c| c.id()) == device.client().map(|c| c.id())
            });
            device.current_mode(of.expect("a mode that was told"));
            tell_geometry(output, device);
        }
        for proxy in &output.wl_outputs {
            tell_wl_mode(output, proxy);
            proxy.done();
        }
    }

    /// Tell a registry of an output.
    pub fn announce(&mut self, registry: &KdeOutputDeviceRegistryV2, id: u32) {
        let (handle, version) = (self.handle.clone(), registry.version());
        let Some(client) = registry.client() else {
            return;
        };
        let device: KdeOutputDeviceV2 = client
            .create_resource::<_, u32, Self>(&handle, version, id)
            .unwrap();
        registry.output(&device);
        self.describe(device);
    }

    /// Tell a new listener everything of its output.
    pub fn describe(&mut self, device: KdeOutputDeviceV2) {
        let handle = self.handle.clone();
        let id = *device.data::<u32>().unwrap();
        let modes_of_our_own = matches!(self.edition, Edition::Plasma66 | Edition::Plasma67);
        let Some(output) = self.by_id(id) else { return };
        tell_geometry(output, &device);
        device.scale(1.0);
        device.name(output.name.clone());
        tell_modes(&handle, output, &device);
        device.uuid(format!("uuid-{id}"));
        device.enabled(output.enabled.into());
        device.capabilities(if modes_of_our_own { CUSTOM_MODES } else { 0 });
        device.done();
        output.devices.push(device);
    }

    /// The same of a `wl_output`.
    pub fn describe_wl(&mut self, proxy: WlOutput, id: u32) {
        let Some(output) = self.by_id(id) else { return };
        let (x, y) = output.position;
        proxy.geometry(
            x,
            y,
            0,
            0,
            wl_output::Subpixel::Unknown,
            "the double".into(),
            output.name.clone(),
            wl_output::Transform::Normal,
        );
        tell_wl_mode(output, &proxy);
        proxy.name(output.name.clone());
        proxy.done();
        output.wl_outputs.push(proxy);
    }
}

fn tell_geometry(output: &Output, device: &KdeOutputDeviceV2) {
    let (x, y) = output.position;
    let (make, model) = ("the double".into(), output.name.clone());
    device.geometry(x, y, 0, 0, 0, make, model, 0);
}

fn tell_wl_mode(output: &Output, proxy: &WlOutput) {
    let (width, height) = output.size();
    let refresh = output.mode().refresh_mhz.cast_signed();
    proxy.mode(wl_output::Mode::Current, width, height, refresh);
}

fn tell_modes(handle: &DisplayHandle, output: &mut Output, device: &KdeOutputDeviceV2) {
    let Some(client): Option<Client> = device.client() else {
        return;
    };
    for mode in &output.modes {
        let of = ModeOf {
            output: output.id,
            mode: mode.id,
        };
        let told: KdeOutputDeviceModeV2 = client
            .create_resource::<_, ModeOf, Session>(handle, device.version(), of)
            .unwrap();
        device.mode(&told);
        let (width, height) = mode.size;
        told.size(width.cast_signed(), height.cast_signed());
        told.refresh(mode.refresh_mhz.cast_signed());
        if mode.id == output.current {
            device.current_mode(&told);
        }
        output.announced.push(told);
    }
}
