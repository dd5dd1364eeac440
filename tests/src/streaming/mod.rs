//! A stream from launch to end: HTTPS launch, RTSP, control, video and audio, in the order that clients keep.

mod launch;
mod setup;

pub use launch::Launched;

use crate::{
    announce::{Agreement, Offer},
    audio,
    breach::Breaches,
    client::{Client, Options},
    control::{self, Control},
    impairment::{Darkness, Impairment},
    input::{Input, Step, enable_haptics, mouse_relative},
    pings::Pings,
    report::Report,
    video::{self, VideoCodec, colour::Matrix, decoder::Shared},
};
use anyhow::{Context, Result, bail};
use setup::{parse_number, ping_payload, server_port};
use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

const SINCE: &str = "Thu, 01 Jan 1970 00:00:00 GMT";
const TRANSPORT: (&str, &str) = ("Transport", "unicast;X-GS-ClientPort=50000-50001");

/// Everything that RTSP settled.
pub struct Negotiated {
    pub agreement: Agreement,
    pub offer: Offer,
    pub video: SocketAddr,
    pub control: SocketAddr,
    pub video_ping: Option<[u8; 16]>,
    pub connect_data: u32,
}

/// How to leave a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As when the user quits the stream: the app goes on, `resume` takes it up again.
    Disconnect,
    /// Fall silent, as when the device sleeps.
    Vanish,
}

impl Client {
    /// Launch (or resume) and start streaming.
    pub fn stream(&self, options: &Options, resume: bool) -> Result<Running> {
        let launched = self.launch(options, resume)?;
        self.start(options, &launched)
    }

    /// Everything after the launch.
    pub fn start(&self, options: &Options, launched: &Launched) -> Result<Running> {
        let breaches = &self.breaches;
        let mut rtsp = self.rtsp(launched);
        let mut target = launched.session_url.clone();
        if options.audio_channels == 2 && !options.wants_good_sound() {
            // How a client says that plain stereo will do (section 6.8).
            target = format!("rtsp://0.0.0.0:{}", launched.rtsp_port);
            rtsp.host_header = "0.0.0.0".to_owned();
        }
        rtsp.exchange("OPTIONS", &target, &[], "")?;
        let described = rtsp.exchange(
            "DESCRIBE",
            &target,
            &[("Accept", "application/sdp"), ("If-Modified-Since", SINCE)],
            "",
        )?;
        let offer = Offer::parse(&described.body);
        let Some(agreement) = Agreement::decide(&offer, options) else {
            bail!(
                "the host has no sound in {} channels",
                options.audio_channels
            )
        };
        breaches.require(
            options.legacy_control || agreement.encryption & 1 != 0,
            "6.4",
            "control-encryption-not-offered",
            || format!("encryptionSupported {}", offer.encryption_supported),
        );

        let stop = Arc::new(AtomicBool::new(false));
        let darkness = Darkness::default();
        let audio = rtsp.exchange(
            "SETUP",
            "streamid=audio/0/0",
            &[TRANSPORT, ("If-Modified-Since", SINCE)],
            "",
        )?;
        let session = audio.header("Session").map(|value| {
            value
                .split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned()
        });
        breaches.require(
            session.as_ref().is_some_and(|id| !id.is_empty()),
            "6.5",
            "setup-without-session",
            || format!("{:?}", audio.header("Session")),
        );
        let session = session.context("the SETUP answer has no Session")?;
        let audio_socket = self.media_socket()?;
        let audio_pings = Pings::start(
            audio_socket.try_clone()?,
            self.address(server_port(&audio, 48000, breaches)),
            ping_payload(&audio, options, breaches),
            darkness.clone(),
        );
        let audio_settings = audio::Settings {
            layout: agreement.layout.clone(),
            packet_ms: options.audio_packet_ms,
            seal: agreement
                .audio_sealed
                .then_some((launched.key, launched.key_id)),
            impairment: Impairment {
                seed: options.impairment.seed.wrapping_add(1),
                ..options.impairment
            },
            darkness: darkness.clone(),
            decode: options.decode,
        };
        let audio_plane =
            audio::Plane::start(audio_socket, audio_settings, stop.clone(), breaches.clone())?;

        let with_session = [
            TRANSPORT,
            ("If-Modified-Since", SINCE),
            ("Session", session.as_str()),
        ];
        let video = rtsp.exchange("SETUP", "streamid=video/0/0", &with_session, "")?;
        let video_port = server_port(&video, 47998, breaches);
        let control = rtsp.exchange("SETUP", "streamid=control/13/0", &with_session, "")?;
        let connect_data = control.header("X-SS-Connect-Data").and_then(parse_number);
        breaches.require(connect_data.is_some(), "6.5", "setup-connect-data", || {
            format!("{:?}", control.header("X-SS-Connect-Data"))
        });
        let negotiated = Negotiated {
            video: self.address(video_port),
            control: self.address(server_port(&control, 47999, breaches)),
            video_ping: ping_payload(&video, options, breaches),
            connect_data: connect_data.unwrap_or(0),
            agreement,
            offer,
        };
        let body = negotiated
            .agreement
            .announce(options, negotiated.video, video_port);
        let length = body.len().to_string();
        rtsp.exchange(
            "ANNOUNCE",
            "streamid=control/13/0",
            &[
                ("Session", &session),
                ("Content-type", "application/sdp"),
                ("Content-length", &length),
            ],
            &body,
        )?;
        rtsp.exchange("PLAY", "/", &[("Session", &session)], "")?;

        let control = Control::connect(
            negotiated.control,
            negotiated.connect_data,
            &launched.key,
            negotiated.agreement.encryption & 1 != 0,
            darkness.clone(),
            breaches.clone(),
        )?;
        let shared = Shared::default();
        let decoder = video::Decoder::start(
            shared.clone(),
            options.decode && options.codec == VideoCodec::H264,
            options.picture_clock,
            options.write_stream.clone(),
            options
                .write_png
                .as_ref()
                .map(|_| Matrix::of_csc_mode(options.csc_mode)),
        )?;
        let socket = self.media_socket()?;
        enlarge(&socket);
        let video_pings = match options.no_ping {
            true => None,
            false => Some(Pings::start(
                socket.try_clone()?,
                negotiated.video,
                negotiated.video_ping,
                darkness.clone(),
            )),
        };
        let settings = video::receiver::Settings {
            codec: options.codec,
            packet_size: negotiated.agreement.packet_size,
            seal: (negotiated.agreement.encryption & 2 != 0).then_some(launched.key),
            impairment: options.impairment,
            darkness: darkness.clone(),
            reference_invalidation: negotiated.agreement.reference_invalidation,
        };
        let video_plane = video::receiver::Plane::start(
            socket,
            settings,
            decoder,
            shared.clone(),
            control.commands.clone(),
            stop.clone(),
            breaches.clone(),
        )?;
        control.commands.input(&enable_haptics());
        control.commands.input(&mouse_relative(1, 1));
        control.commands.input(&mouse_relative(-1, -1));
        Ok(Running {
            options: options.clone(),
            negotiated,
            asked: launched.asked,
            started: Instant::now(),
            stop,
            control: Some(control),
            video: Some(video_plane),
            audio: Some(audio_plane),
            pings: vec![Some(audio_pings), video_pings],
            shared,
            darkness,
            breaches: breaches.clone(),
        })
    }

    fn media_socket(&self) -> Result<UdpSocket> {
        let any: SocketAddr = if self.host.ip.is_ipv6() {
            (Ipv6Addr::UNSPECIFIED, 0).into()
        } else {
            (Ipv4Addr::UNSPECIFIED, 0).into()
        };
        Ok(UdpSocket::bind(any)?)
    }
}

/// As large a receive buffer as the system grants.
fn enlarge(socket: &UdpSocket) {
    let _ = nix::sys::socket::setsockopt(socket, nix::sys::socket::sockopt::RcvBuf, &(8 << 20));
}

/// A stream that runs on its own threads until [`Running::finish`].
pub struct Running {
    pub options: Options,
    pub negotiated: Negotiated,
    /// When the launch was asked for.
    pub asked: Instant,
    pub started: Instant,
    pub shared: Shared,
    /// Makes the network go dark, both ways, for a while.
    pub darkness: Darkness,
    stop: Arc<AtomicBool>,
    control: Option<Control>,
    video: Option<video::receiver::Plane>,
    audio: Option<audio::Plane>,
    pings: Vec<Option<Pings>>,
    breaches: Breaches,
}

impl Running {
    /// The control connection.
    pub fn control(&self) -> &Control {
        self.control
            .as_ref()
            .expect("the control connection lives until finish takes self")
    }

    pub fn input(&self, input: &Input) {
        self.control().commands.input(input);
    }

    /// Play a script; blocks for its waits.
    pub fn play(&self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Send(input) if input.is_for(self.negotiated.offer.feature_flags) => {
                    self.input(input);
                }
                Step::Send(_) => {}
                Step::Wait(time) => std::thread::sleep(*time),
            }
        }
    }

    pub fn audio_statistics(&self) -> audio::Statistics {
        self.audio
            .as_ref()
            .map(audio::Plane::statistics)
            .unwrap_or_default()
    }

    /// Wait until that many pictures were decoded.
    pub fn wait_decoded(&self, pictures: u64, timeout: Duration) -> bool {
        self.shared
            .wait(timeout, |statistics| statistics.frames_decoded >= pictures)
    }

    /// Wait until that many frames arrived complete or were lost: the length of the stream so far.
    pub fn wait_frames(&self, frames: u64, timeout: Duration) -> bool {
        self.shared.wait(timeout, |statistics| {
            u64::from(statistics.last_frame_index) >= frames
        })
    }

    /// Wait until the host ended the stream.
    pub fn wait_end(&self, timeout: Duration) -> Option<control::End> {
        self.control().wait(timeout, |state| state.end.is_some());
        self.control().state().end
    }

    /// End it and take stock.
    pub fn finish(mut self, ending: Ending) -> Result<Report> {
        let state = match self.control.take() {
            Some(control) => control.leave(ending == Ending::Disconnect),
            None => control::State::default(),
        };
        self.stop.store(true, Ordering::Relaxed);
        self.pings.clear();
        let picture = match self.video.take().and_then(video::receiver::Plane::finish) {
            Some(decoder) => decoder.finish()?,
            None => None,
        };
        let (audio, heard) = self
            .audio
            .take()
            .map(audio::Plane::finish)
            .unwrap_or_default();
        let statistics = self.shared.snapshot();
        self.check_silence(&statistics);
        self.check_range(&statistics, &state);
        if let (Some(path), Some(picture)) = (&self.options.write_png, &picture) {
            picture.write_png(path)?;
        }
        let mut report = Report::new(
            &self.options,
            &self.negotiated,
            &statistics,
            &audio,
            heard,
            &state,
            self.breaches.list(),
        );
        let first = statistics.first_frame;
        let waited = first.map(|first| first.saturating_duration_since(self.asked));
        report.video.launch_to_first_frame_ms = waited.map(|waited| waited.as_secs_f64() * 1e3);
        Ok(report)
    }

    /// What the host says of HDR, what the stream says of it, and what was asked for.
    fn check_range(&self, statistics: &video::Statistics, state: &control::State) {
        let told = state.hdr();
        let on = told.as_ref().is_some_and(|(enabled, _)| *enabled);
        let described = statistics.described;
        let shown = described.is_some_and(|described| described.is_hdr());
        let detail = || format!("told {told:?}, the stream says {described:?}");
        let any = statistics.key_frames > 0;
        let breaches = &self.breaches;
        breaches.require(
            !on || shown || !any,
            "11.4",
            "hdr-announced-for-sdr",
            detail,
        );
        breaches.require(on || !shown, "11.4", "hdr-without-its-message", detail);
        breaches.require(
            self.options.hdr || !on,
            "11.4",
            "hdr-that-nobody-asked-for",
            detail,
        );
        breaches.require(
            told.is_some() || !self.options.hdr || !any,
            "11.4",
            "hdr-asked-for-and-not-answered",
            detail,
        );
    }

    /// The two ways in which a client gives up on a host that does not deliver.
    fn check_silence(&self, statistics: &video::Statistics) {
        if self.options.no_ping || self.started.elapsed() < Duration::from_secs(10) {
            return;
        }
        let code = match (statistics.first_packet, statistics.key_frames) {
            (None, _) => "-100: no video datagram within 10 s",
            (Some(first), 0) if first.elapsed() > Duration::from_secs(10) => {
                "-101: no key frame within 10 s"
            }
            _ => return,
        };
        self.breaches.record("13", "no-video", || code.to_owned());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test that fails half way must not leave threads behind.
        self.stop.store(true, Ordering::Relaxed);
        if let Some(control) = self.control.take() {
            control.leave(false);
        }
    }
}
