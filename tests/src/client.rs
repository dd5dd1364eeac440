//! One client device towards one host: identity, pin, and what it wants of a stream.

use crate::{
    breach::Breaches, http, identity::Identity, impairment::Impairment, tls, video::VideoCodec,
};
use anyhow::{Context, Result, bail};
use std::{
    fs,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

/// Where a host answers over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostAddress {
    pub ip: IpAddr,
    pub http_port: u16,
}

impl FromStr for HostAddress {
    type Err = anyhow::Error;

    /// `ADDRESS`, `ADDRESS:PORT`, `[v6]:PORT` or a name; the port defaults to 47989.
    fn from_str(text: &str) -> Result<Self> {
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Self {
                ip,
                http_port: 47989,
            });
        }
        let with_port = if text
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok())
        {
            text.to_owned()
        } else {
            format!("{text}:47989")
        };
        let address = with_port
            .to_socket_addrs()
            .with_context(|| format!("cannot resolve {text}"))?
            .next()
            .with_context(|| format!("{text} has no address"))?;
        Ok(Self {
            ip: address.ip(),
            http_port: address.port(),
        })
    }
}

/// What a stream should be. Sizes in pixels, rates in kbit/s.
#[derive(Debug, Clone)]
pub struct Options {
    pub app: u32,
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    pub codec: VideoCodec,
    /// Ask for 10 bits and HDR.
    pub hdr: bool,
    /// Ask for 4:4:4 chroma.
    pub chroma_444: bool,
    /// (colour space << 1) + full range.
    pub csc_mode: u8,
    pub slices: u32,
    /// 0 = the host decides, 1 = one reference only.
    pub reference_frames: u32,
    /// The display's refresh rate times 100; `None` = as the stream's.
    pub refresh_rate_x100: Option<u32>,
    pub bitrate_kbps: u32,
    /// P of the wire description, before any reduction.
    pub packet_size: usize,
    /// Encryption bits that the user wants: 2 video, 4 audio. The control stream is v2 whenever the host can.
    pub encryption: u32,
    /// Do not encrypt what the host asks for and the user does not want.
    pub ignore_requested_encryption: bool,
    /// Announce audio encryption by the old general flag (0x20), as desktop clients do.
    pub audio_encryption_flag: bool,
    /// Pretend to be a client that knows only the legacy control encryption.
    pub legacy_control: bool,
    /// `corever` of the launch: 0 = this client cannot do encrypted RTSP.
    pub core_version: u32,
    pub audio_channels: u8,
    pub audio_packet_ms: u8,
    pub high_quality_audio: bool,
    /// The sound is to be heard on the host as well.
    pub play_on_host: bool,
    /// Never send a video ping.
    pub no_ping: bool,
    /// Send the short `PING` instead of the payload.
    pub legacy_ping: bool,
    pub impairment: Impairment,
    /// The decoder can go on after lost references: use it where the host can.
    pub reference_invalidation: bool,
    /// Host and client run on one machine: time stamps are compared with our own clock.
    pub same_machine: bool,
    /// Decode pictures (of H.264; other codecs are only looked at) and sound.
    pub decode: bool,
    /// What the pictures carry for a counter is the time of their painting, in 10 µs of this machine's CLOCK_MONOTONIC.
    pub picture_clock: bool,
    /// Where to write the elementary stream.
    pub write_stream: Option<PathBuf>,
    /// Keep the last decoded picture for this PNG file.
    pub write_png: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            app: 0,
            width: 1280,
            height: 720,
            fps: 60,
            codec: VideoCodec::H264,
            hdr: false,
            chroma_444: false,
            csc_mode: 2,
            slices: 1,
            reference_frames: 1,
            refresh_rate_x100: None,
            bitrate_kbps: 10_000,
            packet_size: 1392,
            encryption: 2 | 4,
            ignore_requested_encryption: false,
            audio_encryption_flag: true,
            legacy_control: false,
            core_version: 1,
            audio_channels: 2,
            audio_packet_ms: 5,
            high_quality_audio: true,
            play_on_host: false,
            no_ping: false,
            legacy_ping: false,
            impairment: Impairment::default(),
            reference_invalidation: false,
            same_machine: false,
            decode: true,
            picture_clock: false,
            write_stream: None,
            write_png: None,
        }
    }
}

impl Options {
    /// Clients ask for sound of high quality only where the picture has a rate to match.
    pub fn wants_good_sound(&self) -> bool {
        self.high_quality_audio && self.bitrate_kbps >= 15_000
    }
}

/// A client device. Pairing changes the pin; everything else only reads.
pub struct Client {
    pub host: HostAddress,
    pub https_port: u16,
    pub identity: Identity,
    /// DER of the host's certificate; `None` before pairing.
    pub pinned: Option<Vec<u8>>,
    pub tls: tls::Versions,
    pub breaches: Breaches,
}

impl Client {
    /// A client that has not met this host before.
    pub fn new(host: HostAddress, identity: Identity) -> Self {
        Self {
            host,
            https_port: host.http_port.saturating_sub(5),
            identity,
            pinned: None,
            tls: tls::Versions::default(),
            breaches: Breaches::default(),
        }
    }

    /// The client kept in `state`: its identity, and its pin when it has paired with this host.
    pub fn open(host: HostAddress, state: &Path) -> Result<Self> {
        let mut client = Self::new(host, Identity::load_or_generate(state)?);
        let pin = client.pin_file(state);
        if pin.exists() {
            client.pinned =
                Some(fs::read(&pin).with_context(|| format!("cannot read {}", pin.display()))?);
        }
        Ok(client)
    }

    /// Write the pin (or its absence) to `state`.
    pub fn save(&self, state: &Path) -> Result<()> {
        let file = self.pin_file(state);
        match &self.pinned {
            Some(certificate) => fs::write(&file, certificate)
                .with_context(|| format!("cannot write {}", file.display())),
            None if file.exists() => {
                fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))
            }
            None => Ok(()),
        }
    }

    fn pin_file(&self, state: &Path) -> PathBuf {
        state.join(format!(
            "host-{}-{}.der",
            self.host.ip.to_string().replace(':', "_"),
            self.host.http_port
        ))
    }

    /// Learn the HTTPS port from the host, as clients do before anything else.
    pub fn discover(&mut self) -> Result<()> {
        self.https_port = self.server_info(false)?.https_port;
        Ok(())
    }

    /// An address of the host with another port.
    pub fn address(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.host.ip, port)
    }

    pub(crate) fn get(&self, secure: bool, path: &str, timeout: Duration) -> Result<http::Reply> {
        if !secure {
            return http::get(
                self.address(self.host.http_port),
                None,
                path,
                timeout,
                &self.breaches,
            );
        }
        if self.pinned.is_none() {
            bail!("not paired with this host: run `punktfunk-testclient pair` first");
        }
        self.get_secure(self.pinned.clone(), path, timeout)
    }

    /// HTTPS with another pin than our own; `None` accepts any certificate (a stranger's request, for tests).
    pub fn get_secure(
        &self,
        pin: Option<Vec<u8>>,
        path: &str,
        timeout: Duration,
    ) -> Result<http::Reply> {
        let config = tls::config(Some(&self.identity), pin, self.tls, &self.breaches)?;
        http::get(
            self.address(self.https_port),
            Some(config),
            path,
            timeout,
            &self.breaches,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_addresses_carry_an_optional_http_port() {
        let parse = |text: &str| {
            text.parse::<HostAddress>()
                .map(|host| (host.ip.to_string(), host.http_port))
                .unwrap()
        };
        assert_eq!(parse("127.0.0.1"), ("127.0.0.1".into(), 47989));
        assert_eq!(parse("127.0.0.1:28000"), ("127.0.0.1".into(), 28000));
        assert_eq!(parse("::1"), ("::1".into(), 47989));
        assert_eq!(parse("[::1]:28000"), ("::1".into(), 28000));
    }
}
