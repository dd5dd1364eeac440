//! The session's outputs as the compositor announces them: names, places and current modes.

use wayland_client::{
    Dispatch, Proxy, QueueHandle,
    globals::{GlobalList, GlobalListContents},
    protocol::{
        wl_output::{self, Transform, WlOutput},
        wl_registry::{self, WlRegistry},
    },
};
use wayland_protocols::xdg::xdg_output::zv1::client::{
    zxdg_output_manager_v1::ZxdgOutputManagerV1,
    zxdg_output_v1::{self, ZxdgOutputV1},
};

use crate::input::Place;

/// The version of `wl_output` that says names.
const NAMED: u32 = 4;

/// All outputs, kept up to date while the queue is served.
#[derive(Debug, Default)]
pub struct Outputs(Vec<Output>);

#[derive(Debug)]
pub struct Output {
    global: u32,
    pub proxy: WlOutput,
    pub name: String,
    /// In the compositor's space, logical pixels.
    pub position: (i32, i32),
    /// Of the current mode, pixels.
    pub size: (u32, u32),
    /// Of the current mode, in thousandths of a hertz; 0 where it is not known.
    pub refresh: u32,
    /// How its pictures are turned for its device.
    pub transform: Transform,
    /// All of the above has been said.
    complete: bool,
    logical: Option<Logical>,
}

/// What `xdg-output` says of an output: where it lies, without the scale that its pixels have.
#[derive(Debug)]
struct Logical {
    proxy: ZxdgOutputV1,
    position: (i32, i32),
    size: (u32, u32),
}

impl Output {
    /// Where it lies in the compositor's space, in logical pixels.
    pub fn place(&self) -> Place {
        match &self.logical {
            Some(logical) if logical.size != (0, 0) => Place {
                position: logical.position,
                size: logical.size,
            },
            _ => Place {
                position: self.position,
                size: self.size,
            },
        }
    }
}

impl Outputs {
    /// The output of this name, once it is fully described.
    pub fn named(&self, name: &str) -> Option<&Output> {
        self.0
            .iter()
            .find(|output| output.complete && output.name == name)
    }

    /// The names of all that are fully described, in the compositor's order.
    pub fn names(&self) -> Vec<&str> {
        let complete = self.0.iter().filter(|output| output.complete);
        complete.map(|output| output.name.as_str()).collect()
    }

    fn bind<S>(&mut self, registry: &WlRegistry, handle: &QueueHandle<S>, name: u32, version: u32)
    where
        S: Dispatch<WlOutput, ()> + 'static,
    {
        if version < NAMED {
            return;
        }
        self.0.push(Output {
            global: name,
            proxy: registry.bind(name, NAMED, handle, ()),
            name: String::new(),
            position: (0, 0),
            size: (0, 0),
            refresh: 0,
            transform: Transform::Normal,
            complete: false,
            logical: None,
        });
    }

    /// Ask for the logical place of an output, from where it is told as long as the queue is served.
    pub fn follow<S>(&mut self, name: &str, globals: &GlobalList, handle: &QueueHandle<S>)
    where
        S: Dispatch<ZxdgOutputManagerV1, ()> + Dispatch<ZxdgOutputV1, ()> + 'static,
    {
        let manager = globals.bind::<ZxdgOutputManagerV1, _, _>(handle, 1..=3, ());
        let output = self.0.iter_mut().find(|output| output.name == name);
        if let (Ok(manager), Some(output)) = (manager, output) {
            output.logical = Some(Logical {
                proxy: manager.get_xdg_output(&output.proxy, handle, ()),
                position: (0, 0),
                size: (0, 0),
            });
            manager.destroy();
        }
    }

    /// Such a place was told.
    pub fn logical_event(&mut self, proxy: &ZxdgOutputV1, event: zxdg_output_v1::Event) {
        let logical = self
            .0
            .iter_mut()
            .filter_map(|output| output.logical.as_mut())
            .find(|logical| logical.proxy == *proxy);
        let Some(logical) = logical else { return };
        match event {
            zxdg_output_v1::Event::LogicalPosition { x, y } => logical.position = (x, y),
            zxdg_output_v1::Event::LogicalSize { width, height } => {
                logical.size = (
                    u32::try_from(width).unwrap_or(0),
                    u32::try_from(height).unwrap_or(0),
                );
            }
            _ => {}
        }
    }

    /// `base`, or `base` with the lowest number behind it that makes a name which no output has. Few different names
    /// are used, because KWin remembers every output that it ever saw.
    pub fn free_name(&self, prefix: &str, base: &str) -> String {
        let taken = |name: &str| {
            self.0
                .iter()
                .any(|output| output.name.strip_prefix(prefix) == Some(name))
        };
        if !taken(base) {
            return base.to_owned();
        }
        (2u32..)
            .map(|number| format!("{base}-{number}"))
            .find(|name| !taken(name))
            .unwrap_or_else(|| base.to_owned())
    }

    /// Bind the outputs that exist already.
    pub fn bind_all<S>(
        &mut self,
        registry: &WlRegistry,
        handle: &QueueHandle<S>,
        globals: &GlobalListContents,
    ) where
        S: Dispatch<WlOutput, ()> + 'static,
    {
        for global in globals.clone_list() {
            if global.interface == WlOutput::interface().name {
                self.bind(registry, handle, global.name, global.version);
            }
        }
    }

    /// An output came or went.
    pub fn registry_event<S>(
        &mut self,
        registry: &WlRegistry,
        event: wl_registry::Event,
        handle: &QueueHandle<S>,
    ) where
        S: Dispatch<WlOutput, ()> + 'static,
    {
        match event {
            wl_registry::Event::Global {
                name,
                interface,
                version,
            } if interface == WlOutput::interface().name => {
                self.bind(registry, handle, name, version);
            }
            wl_registry::Event::GlobalRemove { name } => {
                self.0.retain(|output| output.global != name);
            }
            _ => {}
        }
    }

    /// An output said something of itself.
    pub fn output_event(&mut self, proxy: &WlOutput, event: wl_output::Event) {
        let Some(output) = self.0.iter_mut().find(|output| output.proxy == *proxy) else {
            return;
        };
        match event {
            wl_output::Event::Geometry {
                x, y, transform, ..
            } => {
                output.position = (x, y);
                output.transform = transform.into_result().unwrap_or(Transform::Normal);
            }
            wl_output::Event::Mode {
                flags,
                width,
                height,
                refresh,
                ..
            } if flags
                .into_result()
                .is_ok_and(|flags| flags.contains(wl_output::Mode::Current)) =>
            {
                output.size = (
                    u32::try_from(width).unwrap_or(0),
                    u32::try_from(height).unwrap_or(0),
                );
                output.refresh = u32::try_from(refresh).unwrap_or(0);
            }
            wl_output::Event::Name { name } => output.name = name,
            wl_output::Event::Done => output.complete = true,
            _ => {}
        }
    }
}
