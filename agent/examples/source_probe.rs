//! Try a source by hand: capture for some seconds, keep the last picture, and put a little input into the session.
//!
//! `source_probe SOURCE WIDTH HEIGHT SECONDS OUT.ppm [TEXT]`: prints one line of figures; exit status 1 without moving
//! pictures. With TEXT the letters are typed, the pointer goes to the middle, clicks and scrolls, once the file named
//! by `TYPE_WHEN` exists (at once without the variable). `PROBE_FPS` asks for another rate than 60. With `PROBE_DISTINCT`
//! it ends at so many different pictures, and SECONDS is the most that it waits for them. `PROBE_UTF8` is typed as text
//! after TEXT. `source_probe lockers`: the lock screen that runs and logind knows nothing of.
//!
//! SOURCE `node:ID` captures a PipeWire node as it is;
//! then `PROBE_IMPORT="XR24:0 XR24:100000000000002"` takes GPU memory of these layouts (the first one as if it were ordinary
//! memory), `PROBE_REFUSE=N` refuses it after N pictures, and `PROBE_POINTER=1` draws a pointer that the node tells of.

use std::{
    collections::HashSet,
    fs::File,
    hash::{DefaultHasher, Hash, Hasher},
    io::{BufWriter, Write},
    os::unix::fs::FileExt,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use punktfunk_agent::{
    capture::{Capture, CaptureRequest, Remote},
    life,
    source::{
        self, Dmabuf, DmabufFormat, Importable, Injector, Outputs, Picture, PictureSlot,
        SourceRequest,
    },
};
use punktfunk_core::input::InputEvent;

fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // The agent's own second process, which is started from whatever program opened the output.
    if let Some((command, task)) = arguments.split_first()
        && command == source::warden::COMMAND
    {
        let task: Vec<_> = task.iter().map(Into::into).collect();
        return source::warden::watch(&task);
    }
    if arguments == ["lockers"] {
        println!("{}", life::lockers::running().unwrap_or("none"));
        return Ok(());
    }
    let [name, width, height, seconds, out, text @ ..] = &arguments[..] else {
        bail!("usage: source_probe SOURCE WIDTH HEIGHT SECONDS OUT.ppm [TEXT]");
    };
    let request = SourceRequest {
        width: width.parse()?,
        height: height.parse()?,
        fps: std::env::var("PROBE_FPS").map_or(Ok(60), |fps| fps.parse())?,
        cursor: true,
        importable: Importable::NOTHING,
        inside: Default::default(),
        outputs: Outputs::Extend,
        monitor: Default::default(),
        hdr: false,
    };
    let refuse_after: u32 = std::env::var("PROBE_REFUSE").map_or(Ok(u32::MAX), |n| n.parse())?;
    let (slot, mut source, capture) = match name.strip_prefix("node:") {
        Some(node) => {
            let slot = Arc::new(PictureSlot::default());
            let capture = Capture::start(
                CaptureRequest {
                    remote: Remote::Daemon,
                    node: node.parse()?,
                    width: request.width,
                    height: request.height,
                    fps: request.fps,
                    settled: None,
                    importable: importable()?,
                    pointer_apart: std::env::var_os("PROBE_POINTER").is_some(),
                    rate_from_limit: false,
                },
                Arc::clone(&slot),
            )?;
            (slot, None, Some(capture))
        }
        None => {
            let source = source::open(name, &request)?;
            (source.slot(), Some(source), None)
        }
    };
    let mut typing = source
        .as_mut()
        .and_then(|source| source.injector())
        .zip(text.first().cloned())
        .map(|(injector, text)| std::thread::spawn(move || type_and_point(injector, &text)));
    if typing.is_none() && !text.is_empty() {
        bail!("the source takes no input");
    }

    let end = Instant::now() + Duration::from_secs(seconds.parse()?);
    let (mut count, mut contents, mut last) = (0, HashSet::new(), None::<Picture>);
    let mut ages_us = Vec::new();
    let (mut on_gpu, mut buffers) = (0, HashSet::new());
    let enough: usize = std::env::var("PROBE_DISTINCT").map_or(Ok(usize::MAX), |n| n.parse())?;
    let began_cpu = cpu_ns();
    let began = Instant::now();
    while Instant::now() < end && contents.len() < enough {
        slot.wait(Duration::from_millis(100));
        if let Some(why) = &slot.state().failed {
            bail!("the source ended: {why}");
        }
        let Some(mut picture) = slot.take() else {
            continue;
        };
        count += 1;
        if let Some(dmabuf) = picture.dmabuf.take() {
            buffers.insert(dmabuf.buffer().id);
            on_gpu += 1;
            fetch(&dmabuf, &mut picture)?;
            if on_gpu == refuse_after {
                dmabuf.refuse();
            }
        }
        let mut hash = DefaultHasher::new();
        picture.data.hash(&mut hash);
        contents.insert(hash.finish());
        ages_us.push(now_ns().saturating_sub(picture.capture_ns) / 1000);
        if let Some(old) = last.replace(picture) {
            slot.recycle(old.data);
        }
    }
    if let Some(typing) = typing.take() {
        typing.join().ok().context("typing")?;
    }
    let last = last.context("no picture arrived")?;
    write_ppm(out, &last)?;
    ages_us.sort_unstable();
    let age = |percent: usize| {
        let at = (ages_us.len() * percent / 100).min(ages_us.len().saturating_sub(1));
        ages_us.get(at).copied().unwrap_or_default()
    };
    println!(
        "pictures {count} distinct {} size {}x{} fps {:.1} replaced {} gpu {on_gpu} in {} buffers age p50 {} p95 {} max {} us cpu {:.1} %",
        contents.len(),
        last.width,
        last.height,
        f64::from(count) / began.elapsed().as_secs_f64(),
        slot.state().replaced,
        buffers.len(),
        age(50),
        age(95),
        age(100),
        (cpu_ns() - began_cpu) as f64 / began.elapsed().as_nanos() as f64 * 100.0,
    );
    drop((source, capture));
    if contents.len() < enough.min(2) {
        bail!("the picture never moved");
    }
    Ok(())
}

/// What `PROBE_IMPORT` names.
fn importable() -> anyhow::Result<Importable> {
    let named = std::env::var("PROBE_IMPORT").unwrap_or_default();
    let formats = named.split_whitespace().map(|format| {
        let (code, modifier) = format.split_once(':').context("FOURCC:MODIFIER")?;
        Ok(DmabufFormat {
            fourcc: u32::from_le_bytes(code.as_bytes().try_into()?),
            modifier: u64::from_str_radix(modifier, 16)?,
        })
    });
    Ok(Importable::new(formats.collect::<anyhow::Result<_>>()?))
}

/// Read a picture that lies in GPU memory line after line.
fn fetch(dmabuf: &Dmabuf, picture: &mut Picture) -> anyhow::Result<()> {
    let plane = dmabuf.buffer().planes.first().context("no plane")?;
    let stride = plane.stride as usize;
    picture.stride = stride;
    picture.data = vec![0; stride * picture.height as usize];
    let file = File::from(plane.fd.try_clone()?);
    file.read_exact_at(&mut picture.data, plane.offset.into())?;
    Ok(())
}

fn type_and_point(mut injector: Box<dyn Injector>, text: &str) {
    let pause = || std::thread::sleep(Duration::from_millis(50));
    if let Some(path) = std::env::var_os("TYPE_WHEN") {
        while !std::path::Path::new(&path).exists() {
            pause();
        }
    }
    let at = |x, y| InputEvent::MouseAbsolute {
        x,
        y,
        ref_width: 1000,
        ref_height: 1000,
    };
    for event in [
        at(400, 400),
        at(500, 500),
        InputEvent::MouseRelative { dx: 3, dy: -2 },
    ] {
        injector.inject(&event);
        pause();
    }
    for down in [true, false] {
        injector.inject(&InputEvent::MouseButton { down, button: 1 });
        pause();
    }
    injector.inject(&InputEvent::Scroll { amount: -120 });
    pause();
    for letter in text.bytes() {
        for down in [true, false] {
            injector.inject(&InputEvent::Key {
                down,
                code: 0x8000 | u16::from(letter.to_ascii_uppercase()),
                modifiers: u8::from(letter.is_ascii_uppercase()),
                flags: 0,
            });
            pause();
        }
    }
    // As a client's own keyboard sends what is no key of a US one.
    for character in std::env::var("PROBE_UTF8").unwrap_or_default().chars() {
        injector.inject(&InputEvent::Text(character));
        pause();
    }
    injector.release(punktfunk_dbus::channel::message::Held::ALL);
}

fn now_ns() -> u64 {
    read_ns(nix::time::ClockId::CLOCK_MONOTONIC)
}

/// Of all threads of this program.
fn cpu_ns() -> u64 {
    read_ns(nix::time::ClockId::CLOCK_PROCESS_CPUTIME_ID)
}

fn read_ns(clock: nix::time::ClockId) -> u64 {
    nix::time::clock_gettime(clock)
        .map(|time| Duration::from(time).as_nanos() as u64)
        .unwrap_or_default()
}

fn write_ppm(path: &str, picture: &Picture) -> anyhow::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    writeln!(file, "P6 {} {} 255", picture.width, picture.height)?;
    for row in picture.data.chunks(picture.stride) {
        for pixel in row.chunks(4).take(picture.width as usize) {
            file.write_all(&[pixel[2], pixel[1], pixel[0]])?;
        }
    }
    Ok(())
}
