//! The window itself, a plain Wayland client in shared memory.

use std::{
    fs::File,
    os::{fd::AsFd, unix::fs::FileExt},
    time::Duration,
};

use anyhow::{Context, ensure};
use nix::{
    sys::memfd::{MFdFlags, memfd_create},
    time::{ClockId, clock_gettime},
};
use wayland_client::{
    Connection, Dispatch, Proxy, QueueHandle, delegate_noop,
    globals::{GlobalListContents, registry_queue_init},
    protocol::{
        wl_buffer::{self, WlBuffer},
        wl_callback::{self, WlCallback},
        wl_compositor::WlCompositor,
        wl_output::{self, WlOutput},
        wl_registry::{self, WlRegistry},
        wl_seat::WlSeat,
        wl_shm::{self, WlShm},
        wl_shm_pool::WlShmPool,
        wl_surface::WlSurface,
    },
};
use wayland_protocols::xdg::shell::client::{
    xdg_surface::{self, XdgSurface},
    xdg_toplevel::{self, XdgToplevel},
    xdg_wm_base::{self, XdgWmBase},
};

use crate::{devices::Devices, pattern};

/// Buffers that the compositor and this program share.
const BUFFERS: usize = 3;

struct Output {
    global: u32,
    proxy: WlOutput,
    name: String,
    size: (u32, u32),
}

struct Buffer {
    proxy: WlBuffer,
    offset: u64,
    free: bool,
}

#[derive(Default)]
pub struct State {
    outputs: Vec<Output>,
    /// The global of the output that is covered.
    covered: Option<u32>,
    window: Option<WlSurface>,
    wanted: (u32, u32),
    configured: bool,
    shm: Option<WlShm>,
    memory: Option<File>,
    buffers: Vec<Buffer>,
    size: (u32, u32),
    number: u32,
    waiting: bool,
    pub devices: Devices,
    /// Each picture has the time of its painting in it.
    clock: bool,
    over: bool,
}

/// Cover the first output whose name begins with `prefix`, as soon as there is one, until it goes; with the prefix `new`
/// the first that was not there before.
pub fn show(prefix: &str, clock: bool) -> anyhow::Result<()> {
    let connection = Connection::connect_to_env()?;
    let (globals, mut queue) = registry_queue_init::<State>(&connection)?;
    let handle = queue.handle();
    let compositor: WlCompositor = globals.bind(&handle, 4..=4, ())?;
    let shell: XdgWmBase = globals.bind(&handle, 1..=1, ())?;
    let _seat: WlSeat = globals.bind(&handle, 5..=8, ())?;
    let mut state = State {
        shm: Some(globals.bind(&handle, 1..=1, ())?),
        devices: Devices::of(globals.bind(&handle, 1..=1, ()).ok()),
        clock,
        ..State::default()
    };
    for global in globals.contents().clone_list() {
        if global.interface == WlOutput::interface().name {
            state.bind(globals.registry(), &handle, global.name, global.version);
        }
    }
    let before: Vec<u32> = match prefix {
        "new" => state.outputs.iter().map(|output| output.global).collect(),
        _ => Vec::new(),
    };
    println!("waiting");
    let (output, global, size) = loop {
        queue.blocking_dispatch(&mut state)?;
        let found = state.outputs.iter().find(|output| {
            output.size.0 > 0
                && !before.contains(&output.global)
                && (prefix == "new" || output.name.starts_with(prefix))
        });
        if let Some(found) = found {
            break (found.proxy.clone(), found.global, found.size);
        }
    };
    state.covered = Some(global);
    state.wanted = size;
    let surface = compositor.create_surface(&handle, ());
    let role = shell.get_xdg_surface(&surface, &handle, ());
    let window = role.get_toplevel(&handle, ());
    window.set_title("known".to_owned());
    window.set_app_id("known".to_owned());
    window.set_fullscreen(Some(&output));
    surface.commit();
    state.window = Some(surface);
    while !state.over {
        queue.blocking_dispatch(&mut state)?;
        if state.configured && !state.waiting {
            state.paint(&handle)?;
        }
    }
    Ok(())
}

impl State {
    fn bind(
        &mut self,
        registry: &WlRegistry,
        handle: &QueueHandle<Self>,
        global: u32,
        version: u32,
    ) {
        self.outputs.push(Output {
            global,
            proxy: registry.bind(global, version.min(4), handle, ()),
            name: String::new(),
            size: (0, 0),
        });
    }

    /// Make buffers of the wanted size and paint what does not move.
    fn make_buffers(&mut self, handle: &QueueHandle<Self>) -> anyhow::Result<()> {
        let (width, height) = self.wanted;
        ensure!(width > 0 && height > 0, "a window without size");
        let bytes = width as usize * height as usize * 4;
        let file = File::from(memfd_create(c"window", MFdFlags::MFD_CLOEXEC)?);
        let mut pixels = vec![0; bytes];
        pattern::paint(&mut pixels, width, height);
        for at in 0..BUFFERS {
            file.write_all_at(&pixels, (at * bytes) as u64)?;
        }
        let shm = self.shm.as_ref().context("no shared memory")?;
        let pool = shm.create_pool(file.as_fd(), (bytes * BUFFERS) as i32, handle, ());
        for old in self.buffers.drain(..) {
            old.proxy.destroy();
        }
        for at in 0..BUFFERS {
            self.buffers.push(Buffer {
                proxy: pool.create_buffer(
                    (at * bytes) as i32,
                    width as i32,
                    height as i32,
                    width as i32 * 4,
                    wl_shm::Format::Xrgb8888,
                    handle,
                    (),
                ),
                offset: (at * bytes) as u64,
                free: true,
            });
        }
        pool.destroy();
        self.memory = Some(file);
        self.size = self.wanted;
        println!("size {width} {height}");
        Ok(())
    }

    /// The next picture, if a buffer is free.
    fn paint(&mut self, handle: &QueueHandle<Self>) -> anyhow::Result<()> {
        let resized = self.size != self.wanted;
        if resized {
            self.make_buffers(handle)?;
        }
        let (width, height) = self.size;
        let (Some(surface), Some(memory)) = (&self.window, &self.memory) else {
            return Ok(());
        };
        let Some(buffer) = self.buffers.iter_mut().find(|buffer| buffer.free) else {
            return Ok(());
        };
        let from = pattern::strip(height);
        let line = width as usize * 4;
        // Only the lines of the strip are written again.
        let mut strip = vec![0; line * height as usize];
        pattern::paint_strip(&mut strip, width, height, self.number);
        let at = line * from as usize;
        memory.write_all_at(&strip[at..], buffer.offset + at as u64)?;
        if self.clock {
            let mut cells = vec![0; line * pattern::CLOCK_HEIGHT as usize];
            let now = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC)?);
            pattern::paint_clock(&mut cells, width, (now.as_micros() / 10) as u32);
            memory.write_all_at(&cells, buffer.offset)?;
            surface.damage_buffer(0, 0, width as i32, pattern::CLOCK_HEIGHT as i32);
        }
        self.number += 1;
        if self.number.is_multiple_of(20) {
            println!("painted {}", self.number);
        }
        surface.attach(Some(&buffer.proxy), 0, 0);
        if resized {
            surface.damage_buffer(0, 0, width as i32, height as i32);
        } else {
            surface.damage_buffer(0, from as i32, width as i32, (height - from) as i32);
        }
        surface.frame(handle, ());
        surface.commit();
        buffer.free = false;
        self.waiting = true;
        Ok(())
    }
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
            } if interface == WlOutput::interface().name => {
                state.bind(registry, handle, name, version);
            }
            wl_registry::Event::GlobalRemove { name } => state.over |= state.covered == Some(name),
            _ => {}
        }
    }
}

impl Dispatch<WlOutput, ()> for State {
    fn event(
        state: &mut Self,
        proxy: &WlOutput,
        event: wl_output::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        let Some(output) = state.outputs.iter_mut().find(|o| o.proxy == *proxy) else {
            return;
        };
        match event {
            wl_output::Event::Name { name } => output.name = name,
            wl_output::Event::Mode { width, height, .. } => {
                output.size = (width as u32, height as u32);
            }
            _ => {}
        }
    }
}

impl Dispatch<XdgWmBase, ()> for State {
    fn event(
        _: &mut Self,
        shell: &XdgWmBase,
        event: xdg_wm_base::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let xdg_wm_base::Event::Ping { serial } = event {
            shell.pong(serial);
        }
    }
}

impl Dispatch<XdgSurface, ()> for State {
    fn event(
        state: &mut Self,
        surface: &XdgSurface,
        event: xdg_surface::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let xdg_surface::Event::Configure { serial } = event {
            surface.ack_configure(serial);
            state.configured = true;
            state.waiting = false;
        }
    }
}

impl Dispatch<XdgToplevel, ()> for State {
    fn event(
        state: &mut Self,
        _: &XdgToplevel,
        event: xdg_toplevel::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        match event {
            xdg_toplevel::Event::Configure { width, height, .. } if width > 0 && height > 0 => {
                state.wanted = (width as u32, height as u32);
            }
            xdg_toplevel::Event::Close => state.over = true,
            _ => {}
        }
    }
}

impl Dispatch<WlBuffer, ()> for State {
    fn event(
        state: &mut Self,
        proxy: &WlBuffer,
        event: wl_buffer::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let wl_buffer::Event::Release = event
            && let Some(buffer) = state.buffers.iter_mut().find(|b| b.proxy == *proxy)
        {
            buffer.free = true;
        }
    }
}

impl Dispatch<WlCallback, ()> for State {
    fn event(
        state: &mut Self,
        _: &WlCallback,
        event: wl_callback::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let wl_callback::Event::Done { .. } = event {
            state.waiting = false;
        }
    }
}

delegate_noop!(State: WlCompositor);
delegate_noop!(State: WlShmPool);
delegate_noop!(State: ignore WlShm);
delegate_noop!(State: ignore WlSurface);
