//! A stream from launch to end: HTTPS launch, RTSP, control, video and audio, in the order that clients keep.

use crate::{
    announce::{Agreement, Offer, surround_audio_info},
    audio,
    breach::Breaches,
    client::{Client, Options},
    control::{self, Control},
    crypto::{Gcm, Key, random},
    impairment::Impairment,
    input::{Input, Step, enable_haptics, mouse_relative},
    pings::Pings,
    report::Report,
    rtsp::{Response, Rtsp},
    video::{self, decoder::Shared},
};
use anyhow::{Context, Result, bail};
use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// What `launch` or `resume` gave.
pub struct Launched {
    pub key: Key,
    pub key_id: i32,
    /// `rtsp://…` or `rtspenc://…`.
    pub session_url: String,
    pub rtsp_port: u16,
    pub sealed_rtsp: bool,
}

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
    /// `launch`, or `resume` of what is running.
    pub fn launch(&self, options: &Options, resume: bool) -> Result<Launched> {
        let key: Key = random();
        let key_id = i32::from_be_bytes(random());
        let mode = format!("{}x{}x{}", options.width, options.height, options.fps);
        let surround = surround_audio_info(options.audio_channels).to_string();
        let (app, key_text, key_id_text, core) = (
            options.app.to_string(),
            hex::encode(key),
            key_id.to_string(),
            options.core_version.to_string(),
        );
        let parameters = [
            ("appid", app.as_str()),
            ("mode", &mode),
            ("additionalStates", "1"),
            ("sops", "0"),
            ("rikey", &key_text),
            ("rikeyid", &key_id_text),
            ("localAudioPlayMode", "0"),
            ("surroundAudioInfo", &surround),
            ("remoteControllersBitmap", "0"),
            ("gcmap", "0"),
            ("gcpersist", "0"),
            ("corever", &core),
        ];
        let (endpoint, element, timeout) = if resume {
            ("resume", "resume", 30)
        } else {
            ("launch", "gamesession", 120)
        };
        let answer = self
            .request(true, endpoint, &parameters, Duration::from_secs(timeout))?
            .accepted()?;
        let granted = answer
            .text(element)
            .is_some_and(|value| value != "0" && !value.is_empty());
        self.breaches
            .require(granted, "3.4", "launch-without-session", || {
                format!("{endpoint}: <{element}> is {:?}", answer.text(element))
            });
        let session_url = answer
            .text("sessionUrl0")
            .with_context(|| format!("{endpoint}: no sessionUrl0"))?;
        let sealed_rtsp = session_url.starts_with("rtspenc://");
        self.breaches.require(
            sealed_rtsp || session_url.starts_with("rtsp://"),
            "3.4",
            "session-url-scheme",
            || session_url.clone(),
        );
        self.breaches.require(
            !sealed_rtsp || options.core_version >= 1,
            "3.4",
            "rtspenc-for-old-client",
            || session_url.clone(),
        );
        let rtsp_port = session_url
            .rsplit_once(':')
            .and_then(|(_, port)| port.trim_end_matches('/').parse().ok())
            .unwrap_or(48010);
        Ok(Launched {
            key,
            key_id,
            session_url,
            rtsp_port,
            sealed_rtsp,
        })
    }

    /// An RTSP client for this launch.
    pub fn rtsp(&self, launched: &Launched) -> Rtsp {
        let host = launched
            .session_url
            .split_once("://")
            .map_or("", |(_, host)| host)
            .to_owned();
        Rtsp::new(
            self.address(launched.rtsp_port),
            launched.sealed_rtsp.then(|| Gcm::new(&launched.key)),
            host,
            self.breaches.clone(),
        )
    }

    /// Launch (or resume) and start streaming.
    pub fn stream(&self, options: &Options, resume: bool) -> Result<Running> {
        let launched = self.launch(options, resume)?;
        self.start(options, &launched)
    }

    /// Everything after the launch.
    pub fn start(&self, options: &Options, launched: &Launched) -> Result<Running> {
        let breaches = &self.breaches;
        let mut rtsp = self.rtsp(launched);
        rtsp.exchange("OPTIONS", &launched.session_url, &[], "")?;
        let described = rtsp.exchange(
            "DESCRIBE",
            &launched.session_url,
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
            breaches.clone(),
        )?;
        let shared = Shared::default();
        let decoder = video::Decoder::start(
            shared.clone(),
            options.decode,
            options.write_h264.clone(),
            options.write_png.is_some(),
        )?;
        let socket = self.media_socket()?;
        enlarge(&socket);
        let video_pings = match options.no_ping {
            true => None,
            false => Some(Pings::start(
                socket.try_clone()?,
                negotiated.video,
                negotiated.video_ping,
            )),
        };
        let settings = video::receiver::Settings {
            packet_size: negotiated.agreement.packet_size,
            seal: (negotiated.agreement.encryption & 2 != 0).then_some(launched.key),
            impairment: options.impairment,
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
            started: Instant::now(),
            stop,
            control: Some(control),
            video: Some(video_plane),
            audio: Some(audio_plane),
            pings: vec![Some(audio_pings), video_pings],
            shared,
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

const SINCE: &str = "Thu, 01 Jan 1970 00:00:00 GMT";
const TRANSPORT: (&str, &str) = ("Transport", "unicast;X-GS-ClientPort=50000-50001");

fn parse_number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

fn server_port(response: &Response, default: u16, breaches: &Breaches) -> u16 {
    let transport = response.header("Transport").unwrap_or_default();
    let port = transport.split_once("server_port=").and_then(|(_, rest)| {
        rest.split(|c: char| !c.is_ascii_digit())
            .next()?
            .parse()
            .ok()
    });
    breaches.require(port.is_some(), "6.5", "setup-server-port", || {
        format!("Transport {transport:?}")
    });
    port.unwrap_or(default)
}

fn ping_payload(response: &Response, options: &Options, breaches: &Breaches) -> Option<[u8; 16]> {
    let text = response.header("X-SS-Ping-Payload").unwrap_or_default();
    let payload: Option<[u8; 16]> = text
        .as_bytes()
        .try_into()
        .ok()
        .filter(|payload: &[u8; 16]| payload[0] != 0);
    breaches.require(
        payload.is_some(),
        "6.5",
        "ping-payload-not-16-characters",
        || format!("{text:?}"),
    );
    payload.filter(|_| !options.legacy_ping)
}

/// As large a receive buffer as the system grants.
fn enlarge(socket: &UdpSocket) {
    let _ = nix::sys::socket::setsockopt(socket, nix::sys::socket::sockopt::RcvBuf, &(8 << 20));
}

/// A stream that runs on its own threads until [`Running::finish`].
pub struct Running {
    pub options: Options,
    pub negotiated: Negotiated,
    pub started: Instant,
    pub shared: Shared,
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
                Step::Send(input) => self.input(input),
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
        let (audio, tones) = self
            .audio
            .take()
            .map(audio::Plane::finish)
            .unwrap_or_default();
        let statistics = self.shared.snapshot();
        self.check_silence(&statistics);
        if let (Some(path), Some(picture)) = (&self.options.write_png, &picture) {
            picture.write_png(path)?;
        }
        Ok(Report::new(
            &self.options,
            &self.negotiated,
            &statistics,
            &audio,
            tones,
            &state,
            self.breaches.list(),
        ))
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
