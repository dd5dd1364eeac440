//! What KWin says of its outputs, kept up to date while the connection is served.

use wayland_client::{
    Connection, Dispatch, Proxy, QueueHandle, delegate_noop, event_created_child,
    globals::{GlobalList, GlobalListContents},
    protocol::{
        wl_callback::{self, WlCallback},
        wl_registry::{self, WlRegistry},
    },
};
use wayland_protocols_plasma::output_order::v1::client::kde_output_order_v1::{
    self, KdeOutputOrderV1,
};

use crate::source::kwin::protocol::{
    kde_mode_list_v2::KdeModeListV2,
    kde_output_configuration_v2::{self, KdeOutputConfigurationV2},
    kde_output_device_mode_v2::{self, KdeOutputDeviceModeV2},
    kde_output_device_registry_v2::{self, EVT_OUTPUT_OPCODE, KdeOutputDeviceRegistryV2},
    kde_output_device_v2::{self, EVT_MODE_OPCODE, KdeOutputDeviceV2},
    kde_output_management_v2::KdeOutputManagementV2,
};

/// The version of the descriptions that is understood; the registry exists from it on.
const DESCRIBES: u32 = 21;
/// The capability of taking custom modes, among the flags of an output.
const CUSTOM_MODES: u32 = 1 << 13;

/// One output, lit or not.
#[derive(Debug)]
pub struct Head {
    pub device: KdeOutputDeviceV2,
    /// Where each output is a global of its own (before KWin 6.7).
    global: Option<u32>,
    pub name: String,
    pub enabled: bool,
    pub position: (i32, i32),
    pub takes_custom_modes: bool,
    pub modes: Vec<Mode>,
    current: Option<KdeOutputDeviceModeV2>,
    /// All of the above has been said.
    pub complete: bool,
}

#[derive(Debug)]
pub struct Mode {
    pub proxy: KdeOutputDeviceModeV2,
    pub size: (u32, u32),
    pub refresh_mhz: u32,
}

impl Head {
    fn new(device: KdeOutputDeviceV2, global: Option<u32>) -> Self {
        Self {
            device,
            global,
            name: String::new(),
            enabled: false,
            position: (0, 0),
            takes_custom_modes: false,
            modes: Vec::new(),
            current: None,
            complete: false,
        }
    }

    /// The mode in force.
    pub fn mode(&self) -> Option<&Mode> {
        self.modes
            .iter()
            .find(|mode| self.current.as_ref() == Some(&mode.proxy))
    }
}

#[derive(Default)]
pub struct State {
    pub heads: Vec<Head>,
    /// The names of lit outputs, first to last.
    pub order: Vec<String>,
    /// The list that is being told.
    next_order: Vec<String>,
    /// The change that is waited for: what is still said of an earlier one, which was given up, is nobody's answer.
    pub asked: Option<KdeOutputConfigurationV2>,
    /// What came of it.
    pub answer: Option<Result<(), String>>,
    reason: String,
    /// How often KWin was asked whether it has told everything, and up to which question it has.
    pub questions: u64,
    pub answered: u64,
}

impl State {
    /// The output of this name, once it is fully described.
    pub fn named(&self, name: &str) -> Option<&Head> {
        self.heads
            .iter()
            .find(|head| head.complete && head.name == name)
    }

    /// Nobody waits any more for what comes of the last change.
    pub fn give_up(&mut self) {
        self.answer = None;
        self.reason.clear();
        if let Some(change) = self.asked.take() {
            change.destroy();
        }
    }

    /// Bind what describes outputs.
    pub fn bind_all(&mut self, globals: &GlobalList, handle: &QueueHandle<Self>) {
        let _ = globals.bind::<KdeOutputOrderV1, _, _>(handle, 1..=1, ());
        let registry: Result<KdeOutputDeviceRegistryV2, _> =
            globals.bind(handle, DESCRIBES..=DESCRIBES, ());
        if registry.is_ok() {
            return;
        }
        for global in globals.contents().clone_list() {
            self.bind(
                globals.registry(),
                handle,
                global.name,
                &global.interface,
                global.version,
            );
        }
    }

    fn bind(
        &mut self,
        registry: &WlRegistry,
        handle: &QueueHandle<Self>,
        name: u32,
        interface: &str,
        version: u32,
    ) {
        if interface == KdeOutputDeviceV2::interface().name {
            let device = registry.bind(name, version.min(DESCRIBES), handle, ());
            self.heads.push(Head::new(device, Some(name)));
        }
    }

    fn mode(&mut self, proxy: &KdeOutputDeviceModeV2) -> Option<&mut Mode> {
        self.heads
            .iter_mut()
            .flat_map(|head| &mut head.modes)
            .find(|mode| mode.proxy == *proxy)
    }
}

fn size(pixels: i32) -> u32 {
    u32::try_from(pixels).unwrap_or(0)
}

impl Dispatch<WlRegistry, GlobalListContents> for State {
    fn event(
        state: &mut Self,
        registry: &WlRegistry,
        event: wl_registry::Event,
        _: &GlobalListContents,
        _: &Connection,
        handle: &QueueHandle<Self>,
    ) {
        match event {
            wl_registry::Event::Global {
                name,
                interface,
                version,
            } => state.bind(registry, handle, name, &interface, version),
            wl_registry::Event::GlobalRemove { name } => {
                state.heads.retain(|head| head.global != Some(name));
            }
            _ => {}
        }
    }
}

impl Dispatch<WlCallback, u64> for State {
    fn event(
        state: &mut Self,
        _: &WlCallback,
        _: wl_callback::Event,
        question: &u64,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        state.answered = state.answered.max(*question);
    }
}

impl Dispatch<KdeOutputDeviceRegistryV2, ()> for State {
    fn event(
        state: &mut Self,
        _: &KdeOutputDeviceRegistryV2,
        event: kde_output_device_registry_v2::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let kde_output_device_registry_v2::Event::Output { output } = event {
            state.heads.push(Head::new(output, None));
        }
    }

    event_created_child!(State, KdeOutputDeviceRegistryV2, [
        EVT_OUTPUT_OPCODE => (KdeOutputDeviceV2, ()),
    ]);
}

impl Dispatch<KdeOutputDeviceV2, ()> for State {
    fn event(
        state: &mut Self,
        device: &KdeOutputDeviceV2,
        event: kde_output_device_v2::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        use kde_output_device_v2::Event;
        if let Event::Removed = event {
            state.heads.retain(|head| head.device != *device);
            device.release();
            return;
        }
        let Some(head) = state.heads.iter_mut().find(|head| head.device == *device) else {
            return;
        };
        match event {
            Event::Geometry { x, y, .. } => head.position = (x, y),
            Event::CurrentMode { mode } => head.current = Some(mode),
            Event::Mode { mode } => head.modes.push(Mode {
                proxy: mode,
                size: (0, 0),
                refresh_mhz: 0,
            }),
            Event::Enabled { enabled } => head.enabled = enabled != 0,
            Event::Capabilities { flags } => head.takes_custom_modes = flags & CUSTOM_MODES != 0,
            Event::Name { name } => head.name = name,
            Event::Done => head.complete = true,
            _ => {}
        }
    }

    event_created_child!(State, KdeOutputDeviceV2, [
        EVT_MODE_OPCODE => (KdeOutputDeviceModeV2, ()),
    ]);
}

impl Dispatch<KdeOutputDeviceModeV2, ()> for State {
    fn event(
        state: &mut Self,
        proxy: &KdeOutputDeviceModeV2,
        event: kde_output_device_mode_v2::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        use kde_output_device_mode_v2::Event;
        if let Event::Removed = event {
            for head in &mut state.heads {
                head.modes.retain(|mode| mode.proxy != *proxy);
            }
            return;
        }
        let Some(mode) = state.mode(proxy) else {
            return;
        };
        match event {
            Event::Size { width, height } => mode.size = (size(width), size(height)),
            Event::Refresh { refresh } => mode.refresh_mhz = size(refresh),
            _ => {}
        }
    }
}

impl Dispatch<KdeOutputConfigurationV2, ()> for State {
    fn event(
        state: &mut Self,
        change: &KdeOutputConfigurationV2,
        event: kde_output_configuration_v2::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        use kde_output_configuration_v2::Event;
        if state.asked.as_ref() != Some(change) {
            return;
        }
        match event {
            Event::Applied => state.answer = Some(Ok(())),
            Event::FailureReason { reason } => state.reason = reason,
            Event::Failed => {
                let reason = std::mem::take(&mut state.reason);
                state.answer = Some(Err(if reason.is_empty() {
                    "it gives no reason".to_owned()
                } else {
                    reason
                }));
            }
        }
    }
}

impl Dispatch<KdeOutputOrderV1, ()> for State {
    fn event(
        state: &mut Self,
        _: &KdeOutputOrderV1,
        event: kde_output_order_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        match event {
            kde_output_order_v1::Event::Output { output_name } => {
                state.next_order.push(output_name);
            }
            kde_output_order_v1::Event::Done => {
                state.order = std::mem::take(&mut state.next_order);
            }
            _ => {}
        }
    }
}

delegate_noop!(State: KdeOutputManagementV2);
delegate_noop!(State: KdeModeListV2);
