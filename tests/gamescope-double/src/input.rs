//! Emulated input as the real one takes it: a seat "chair" with one device for everything but touch, whose only region is
//! as large as numbers get. Each event becomes a line of the file in `GAMESCOPE_DOUBLE_INPUT`.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    net::Shutdown,
    os::{
        fd::AsFd,
        unix::net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::Context;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use reis::{
    PendingRequestResult,
    eis::{self, device::DeviceType},
    handshake::EisHandshaker,
    request::{DeviceCapability as Capability, EisRequest, EisRequestConverter, Seat},
};

/// How often the file is looked for without which there is no input.
const LOOK: Duration = Duration::from_millis(20);

/// Listen on `path`, for as long as the program runs. With `only_while` there is a socket only while that file is: when it goes,
/// so do the socket and its connections.
pub fn listen(path: &Path, only_while: Option<PathBuf>) -> anyhow::Result<()> {
    let file = std::env::var_os("GAMESCOPE_DOUBLE_INPUT")
        .map(|path| OpenOptions::new().append(true).create(true).open(path))
        .transpose()?;
    let Some(only_while) = only_while else {
        let listener = bind(path)?;
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                take(socket, file.as_ref());
            }
        });
        return Ok(());
    };
    let path = path.to_owned();
    thread::spawn(move || {
        let mut open: Option<(UnixListener, Vec<UnixStream>)> = None;
        loop {
            match (&mut open, only_while.exists()) {
                (None, true) => {
                    let listener = bind(&path).ok();
                    open = listener
                        .filter(|listener| listener.set_nonblocking(true).is_ok())
                        .map(|listener| (listener, Vec::new()));
                }
                (Some((_, sockets)), false) => {
                    for socket in sockets {
                        let _ = socket.shutdown(Shutdown::Both);
                    }
                    let _ = std::fs::remove_file(&path);
                    open = None;
                }
                (Some((listener, sockets)), true) => {
                    while let Ok((socket, _)) = listener.accept() {
                        sockets.extend(socket.try_clone());
                        take(socket, file.as_ref());
                    }
                }
                (None, false) => {}
            }
            thread::sleep(LOOK);
        }
    });
    Ok(())
}

fn bind(path: &Path) -> anyhow::Result<UnixListener> {
    UnixListener::bind(path).context("the socket for emulated input")
}

fn take(socket: UnixStream, file: Option<&File>) {
    let file = file.and_then(|file| file.try_clone().ok());
    thread::spawn(move || {
        let ended = eis::Context::new(socket)
            .map_err(anyhow::Error::from)
            .and_then(|context| serve(&context, file));
        if let Err(error) = ended {
            crate::log::error("gamescope_ei", &error.to_string());
        }
    });
}

fn serve(context: &eis::Context, mut file: Option<File>) -> anyhow::Result<()> {
    let mut handshaker = EisHandshaker::new(context, 1);
    let mut converter: Option<EisRequestConverter> = None;
    let mut has_device = false;
    let _ = context.flush();
    loop {
        poll(
            &mut [PollFd::new(context.as_fd(), PollFlags::POLLIN)],
            PollTimeout::NONE,
        )?;
        if context.read().is_err() {
            return Ok(());
        }
        while let Some(message) = context.pending_request() {
            let PendingRequestResult::Request(request) = message else {
                anyhow::bail!("not a request");
            };
            match &mut converter {
                Some(converter) => converter.handle_request(request)?,
                None => {
                    if let Some(greeting) = handshaker.handle_request(request)? {
                        let greeted = EisRequestConverter::new(context, greeting, 1);
                        let _ = greeted.handle().add_seat(Some("chair"), everything());
                        converter = Some(greeted);
                    }
                }
            }
        }
        let _ = context.flush();
        let Some(converter) = &mut converter else {
            continue;
        };
        while let Some(request) = converter.next_request() {
            match &request {
                EisRequest::Bind(bind) if !has_device && !bind.capabilities.is_empty() => {
                    has_device = true;
                    offer(&bind.seat);
                }
                EisRequest::Disconnect => return Ok(()),
                _ => {}
            }
            if let (Some(line), Some(file)) = (told(&request), &mut file) {
                writeln!(file, "{line}")?;
            }
        }
        let _ = converter.handle().flush();
    }
}

fn everything() -> reis::enumflags2::BitFlags<Capability> {
    Capability::Pointer
        | Capability::PointerAbsolute
        | Capability::Keyboard
        | Capability::Button
        | Capability::Scroll
}

fn offer(seat: &Seat) {
    let device = seat.add_device(
        Some("Gamescope Virtual Input"),
        DeviceType::Virtual,
        everything(),
        |device| {
            let world = i32::MAX.unsigned_abs();
            device.device().region_mapping_id("Mr. Worldwide");
            device.device().region(0, 0, world, world, 1.0);
        },
    );
    device.resumed();
}

/// What the real one makes of it: a turn in pixels counts as notches.
fn told(request: &EisRequest) -> Option<String> {
    Some(match request {
        EisRequest::KeyboardKey(key) => format!("key {} {:?}", key.key, key.state),
        EisRequest::Button(button) => format!("button {:#x} {:?}", button.button, button.state),
        EisRequest::PointerMotion(by) => format!("by {} {}", by.dx, by.dy),
        EisRequest::PointerMotionAbsolute(at) => {
            format!("at {} {}", at.dx_absolute, at.dy_absolute)
        }
        EisRequest::ScrollDelta(by) => format!("notches {} {}", by.dx, by.dy),
        EisRequest::ScrollDiscrete(by) => format!(
            "notches {} {}",
            f64::from(by.discrete_dx) / 120.0,
            f64::from(by.discrete_dy) / 120.0
        ),
        _ => return None,
    })
}
