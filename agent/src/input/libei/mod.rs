//! Emulated input through libei's protocol: Mutter's socket, or the one of the RemoteDesktop portal.
//!
//! A thread reads what the compositor says about its devices; actions are written from the caller's thread.

#[cfg(test)]
mod tests;

use std::{
    net::Shutdown,
    os::{fd::AsFd, fd::OwnedFd, unix::net::UnixStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    time::{Duration, Instant},
};

use nix::poll::{PollFd, PollFlags, PollTimeout};
use reis::{
    PendingRequestResult,
    ei::{self, button::ButtonState, handshake::ContextType, keyboard::KeyState},
    enumflags2::BitFlags,
    event::{Connection, Device, DeviceCapability, EiEvent, EiEventConverter},
    handshake::{EiHandshaker, HandshakeResp},
};

use super::{
    Action, Backend, InputError, Target, Text, in_force::InForce, keysyms::Keysyms, layout::Layout,
};

/// How long the compositor may take to greet, and then to offer its devices. Only the thread of the attempt waits.
const GREETING_LIMIT: Duration = Duration::from_secs(20);
const DEVICES_LIMIT: Duration = Duration::from_secs(2);

/// A region of this side and more says "anywhere" (gamescope's one has 2^31 - 1): coordinates are then the picture's.
const NO_REGION: u32 = 1 << 20;

/// What one notch of a wheel is in pixels, for amounts that are no whole notches.
const NOTCH_PIXELS: f32 = 10.0;

pub struct Libei {
    devices: Arc<Devices>,
    connection: Connection,
    target: Target,
    /// To end the reading thread.
    socket: UnixStream,
    /// The layout in force, as far as it is told elsewhere.
    in_force: Option<InForce>,
    keysyms: Keysyms,
    /// It has been said that some characters depend on the layout in force.
    told_of_layouts: bool,
}

/// The devices that take input at the moment.
#[derive(Default)]
struct Devices {
    table: Mutex<Table>,
    changed: Condvar,
}

#[derive(Default)]
struct Table {
    resumed: Vec<Device>,
    /// Why the connection ended.
    gone: Option<String>,
    /// Counts `start_emulating`.
    emulations: u32,
    /// Of the keyboard, as far as the compositor tells.
    layout: Option<Layout>,
    /// Which of the layout's groups is in force, where the compositor tells it here.
    group: Option<u32>,
}

impl Devices {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn with(&self, capability: DeviceCapability) -> Option<&Device> {
        self.resumed
            .iter()
            .find(|device| device.has_capability(capability))
    }
}

fn failed(error: impl std::fmt::Display) -> InputError {
    InputError::Libei(error.to_string())
}

impl Libei {
    /// Greet the compositor on `fd` and wait for its devices.
    pub fn connect(fd: OwnedFd, target: Target) -> Result<Self, InputError> {
        let socket = UnixStream::from(fd);
        let context = ei::Context::new(socket.try_clone().map_err(failed)?).map_err(failed)?;
        let greeting = greet(&context)?;
        let devices = Arc::new(Devices::default());
        let (greeted, connection) = mpsc::channel();
        let table = Arc::clone(&devices);
        std::thread::Builder::new()
            .name("pf-libei".into())
            .spawn(move || {
                // The converter cannot change threads, and the connection's serial is kept by it.
                let mut converter = EiEventConverter::new(&context, greeting);
                let _ = greeted.send(converter.connection().clone());
                let reason = read_events(&context, &mut converter, &table);
                let mut state = table.table();
                state.resumed.clear();
                state.gone = Some(reason);
                table.changed.notify_all();
            })
            .map_err(failed)?;

        let this = Self {
            devices,
            connection: connection.recv().map_err(failed)?,
            // a compositor inside the session's has a keyboard of its own
            in_force: (!target.foreign).then(InForce::follow),
            keysyms: Keysyms::default(),
            told_of_layouts: false,
            target,
            socket,
        };
        this.wait_for_devices()?;
        Ok(this)
    }

    /// Wait for a keyboard and a place to point at; go on with less after the limit, as not every compositor offers all.
    fn wait_for_devices(&self) -> Result<(), InputError> {
        let complete = |table: &mut Table| {
            table.gone.is_none()
                && (table.with(DeviceCapability::Keyboard).is_none()
                    || table.with(DeviceCapability::PointerAbsolute).is_none())
        };
        let (table, _) = self
            .devices
            .changed
            .wait_timeout_while(self.devices.table(), DEVICES_LIMIT, complete)
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = &table.gone {
            return Err(failed(reason));
        }
        for (capability, what) in [
            (DeviceCapability::Keyboard, "keyboard"),
            (DeviceCapability::Pointer, "relative pointer"),
            (DeviceCapability::PointerAbsolute, "absolute pointer"),
        ] {
            if table.with(capability).is_none() {
                tracing::warn!("the compositor offers no {what} for emulated input (yet)");
            }
        }
        Ok(())
    }

    fn apply_to(&self, table: &Table, action: Action) -> Option<()> {
        let device = match action {
            Action::Key { code, down } => {
                let device = table.with(DeviceCapability::Keyboard)?;
                let state = if down {
                    KeyState::Press
                } else {
                    KeyState::Released
                };
                device.interface::<ei::Keyboard>()?.key(code.into(), state);
                device
            }
            Action::Button { code, down } => {
                let device = table.with(DeviceCapability::Button)?;
                let state = if down {
                    ButtonState::Press
                } else {
                    ButtonState::Released
                };
                device.interface::<ei::Button>()?.button(code.into(), state);
                device
            }
            Action::Move { dx, dy } => {
                let device = table.with(DeviceCapability::Pointer)?;
                device.interface::<ei::Pointer>()?.motion_relative(dx, dy);
                device
            }
            Action::MoveTo { x, y } => {
                let place = DeviceCapability::PointerAbsolute;
                let (device, (px, py)) = at(&table.resumed, place, &self.target, x, y)?;
                device
                    .interface::<ei::PointerAbsolute>()?
                    .motion_absolute(px, py);
                device
            }
            Action::Scroll { x, y } => {
                let device = table.with(DeviceCapability::Scroll)?;
                let scroll = device.interface::<ei::Scroll>()?;
                if self.target.wheel_in_120ths || (x % 120 == 0 && y % 120 == 0) {
                    scroll.scroll_discrete(x, y);
                } else {
                    scroll.scroll(
                        x as f32 / 120.0 * NOTCH_PIXELS,
                        y as f32 / 120.0 * NOTCH_PIXELS,
                    );
                }
                device
            }
            Action::TouchDown { finger, x, y } => {
                let (device, (px, py)) = self.screen(table, x, y)?;
                let screen = device.interface::<ei::Touchscreen>()?;
                screen.down(finger, px, py);
                device
            }
            Action::TouchMove { finger, x, y } => {
                let (device, (px, py)) = self.screen(table, x, y)?;
                let screen = device.interface::<ei::Touchscreen>()?;
                screen.motion(finger, px, py);
                device
            }
            Action::TouchUp { finger } | Action::TouchCancel { finger } => {
                let (device, _) = self.screen(table, 0.0, 0.0)?;
                let screen = device.interface::<ei::Touchscreen>()?;
                // The first version of the protocol only lifts.
                match action {
                    Action::TouchCancel { .. } if screen.version() >= 2 => screen.cancel(finger),
                    _ => screen.up(finger),
                }
                device
            }
        };
        self.frame(device);
        Some(())
    }

    /// The touch screen, and the coordinates on it.
    fn screen<'d>(&self, table: &'d Table, x: f64, y: f64) -> Option<(&'d Device, (f32, f32))> {
        at(&table.resumed, DeviceCapability::Touch, &self.target, x, y)
    }

    fn frame(&self, device: &Device) {
        let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)
            .map(|time| Duration::from(time).as_micros() as u64)
            .unwrap_or_default();
        device.device().frame(self.connection.serial(), now);
    }
}

impl Backend for Libei {
    fn apply(&mut self, action: Action) {
        let table = self.devices.table();
        if self.apply_to(&table, action).is_none() {
            tracing::debug!(?action, "no device takes this at the moment");
        }
    }

    fn text(&mut self, character: char) -> Text {
        let devices = Arc::clone(&self.devices);
        let table = devices.table();
        let device = table.with(DeviceCapability::Text);
        if let Some(device) = device
            && let Some(text) = device.interface::<ei::Text>()
        {
            text.utf8(character.encode_utf8(&mut [0; 4]));
            self.frame(device);
            return Text::Done;
        }
        let elsewhere = || self.in_force.as_ref()?.group();
        let group = table.group.or_else(elsewhere);
        match &table.layout {
            // All of it, also what is the same key in each layout: characters must not go two ways, or one overtakes the other.
            Some(layout)
                if group.is_none()
                    && self.target.mutter
                    && layout.has_several()
                    && !character.is_control() =>
            {
                if !layout.has(character) {
                    return Text::Impossible;
                }
                if !layout.has_everywhere(character)
                    && !std::mem::replace(&mut self.told_of_layouts, true)
                {
                    tracing::info!(
                        "some characters of this text are in some of the session's layouts only: Mutter leaves them out while another is in force"
                    );
                }
                drop(table);
                // keys that were pressed before come before
                let _ = self.connection.flush();
                self.keysyms.press(character);
                Text::Done
            }
            layout => Text::keys(layout.as_ref(), character, group.unwrap_or(0)),
        }
    }

    fn flush(&mut self) -> Result<(), InputError> {
        if let Some(reason) = &self.devices.table().gone {
            return Err(failed(reason));
        }
        // A socket that is full for a moment keeps the rest in the connection's own buffer.
        match self.connection.flush() {
            Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => Err(failed(error)),
            _ => Ok(()),
        }
    }
}

impl Drop for Libei {
    fn drop(&mut self) {
        self.connection.connection().disconnect();
        let _ = self.connection.flush();
        // Ends the reading thread, and with it the connection.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// The device of this kind and the coordinates in its space for a place in the picture: the region that belongs to the
/// stream, else the one at the output's place, else one of the picture's size, else the first.
fn at<'d>(
    devices: &'d [Device],
    kind: DeviceCapability,
    target: &Target,
    x: f64,
    y: f64,
) -> Option<(&'d Device, (f32, f32))> {
    let regions = || {
        devices
            .iter()
            .filter(|device| device.has_capability(kind))
            .flat_map(|device| device.regions().iter().map(move |region| (device, region)))
    };
    let place = target.corner();
    let (device, region) = regions()
        .find(|(_, region)| target.mapping_id.is_some() && region.mapping_id == target.mapping_id)
        .or_else(|| {
            regions().find(|(_, region)| {
                let corner = (i32::try_from(region.x).ok(), i32::try_from(region.y).ok());
                place.is_some_and(|(x, y)| corner == (Some(x), Some(y)))
            })
        })
        .or_else(|| {
            regions().find(|(_, region)| target.size == Some((region.width, region.height)))
        })
        .or_else(|| regions().next())?;
    if let Some((width, height)) = target.size
        && region.width >= NO_REGION
        && region.height >= NO_REGION
    {
        return Some((
            device,
            (along(region.x, width, x), along(region.y, height, y)),
        ));
    }
    Some((
        device,
        (
            along(region.x, region.width, x),
            along(region.y, region.height, y),
        ),
    ))
}

/// The coordinate of a fraction within a region; 1 is the last pixel, which still belongs to it.
fn along(start: u32, length: u32, fraction: f64) -> f32 {
    (f64::from(start) + fraction * f64::from(length.saturating_sub(1))) as f32
}

/// The handshake, with a time limit.
fn greet(context: &ei::Context) -> Result<HandshakeResp, InputError> {
    let mut handshaker = EiHandshaker::new("punktfunk", ContextType::Sender);
    let end = Instant::now() + GREETING_LIMIT;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let wait = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        if left.is_zero() || !readable(context, wait)? {
            return Err(failed("the compositor did not answer on its input socket"));
        }
        context.read().map_err(failed)?;
        while let Some(message) = context.pending_event() {
            let PendingRequestResult::Request(event) = message else {
                return Err(failed("the compositor's greeting could not be read"));
            };
            if let Some(greeting) = handshaker.handle_event(event).map_err(failed)? {
                return Ok(greeting);
            }
        }
    }
}

fn readable(context: &ei::Context, wait: PollTimeout) -> Result<bool, InputError> {
    let mut fds = [PollFd::new(context.as_fd(), PollFlags::POLLIN)];
    match nix::poll::poll(&mut fds, wait) {
        Ok(count) => Ok(count > 0),
        Err(nix::errno::Errno::EINTR) => Ok(true),
        Err(error) => Err(failed(error)),
    }
}

/// Follow the compositor until the connection ends; says why it did.
fn read_events(
    context: &ei::Context,
    converter: &mut EiEventConverter,
    devices: &Devices,
) -> String {
    loop {
        // First what came together with the end of the greeting.
        while let Some(message) = context.pending_event() {
            match message {
                PendingRequestResult::Request(event) => {
                    if let Err(error) = converter.handle_event(event) {
                        return error.to_string();
                    }
                }
                PendingRequestResult::ParseError(error) => return error.to_string(),
                // An event of an object that was removed meanwhile.
                PendingRequestResult::InvalidObject(_) => {}
            }
        }
        while let Some(event) = converter.next_event() {
            if let EiEvent::Disconnected(end) = &event {
                let why = end.explanation.clone().unwrap_or_default();
                return format!("the compositor ended emulated input: {why}");
            }
            follow(event, converter.connection(), devices);
        }
        let _ = context.flush();
        if let Err(error) = readable(context, PollTimeout::NONE) {
            return error.to_string();
        }
        match context.read() {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(_) => return "the compositor closed its input socket".to_owned(),
        }
    }
}

fn follow(event: EiEvent, connection: &Connection, devices: &Devices) {
    let mut table = devices.table();
    match event {
        EiEvent::SeatAdded(added) => {
            added.seat.bind_capabilities(
                BitFlags::from(DeviceCapability::Keyboard)
                    | DeviceCapability::Pointer
                    | DeviceCapability::PointerAbsolute
                    | DeviceCapability::Button
                    | DeviceCapability::Scroll
                    | DeviceCapability::Touch
                    | DeviceCapability::Text,
            );
        }
        // From version 3 on a device stays paused until its client says that it has seen it.
        EiEvent::DeviceAdded(added) if added.device.device().version() >= 3 => {
            added.device.device().ready();
        }
        EiEvent::DeviceResumed(resumed) => {
            tracing::debug!(device = ?resumed.device, regions = ?resumed.device.regions(), "emulated device");
            table.emulations += 1;
            let emulation = table.emulations;
            resumed
                .device
                .device()
                .start_emulating(connection.serial(), emulation);
            if let Some(keymap) = resumed.device.keymap() {
                table.layout = Layout::of_file(&keymap.fd, keymap.size);
                table.group = None;
            }
            table.resumed.retain(|device| *device != resumed.device);
            table.resumed.push(resumed.device);
        }
        EiEvent::KeyboardModifiers(modifiers) => table.group = Some(modifiers.group),
        EiEvent::DevicePaused(paused) => table.resumed.retain(|device| *device != paused.device),
        EiEvent::DeviceRemoved(removed) => table.resumed.retain(|device| *device != removed.device),
        _ => {}
    }
    devices.changed.notify_all();
}
