//! `launch` and `resume`: the key goes to the host, the address of RTSP comes back.

use crate::{
    announce::surround_audio_info,
    client::{Client, Options},
    crypto::{Gcm, Key, random},
    rtsp::Rtsp,
};
use anyhow::{Context, Result};
use std::time::{Duration, Instant};

/// What `launch` or `resume` gave.
pub struct Launched {
    pub key: Key,
    pub key_id: i32,
    /// `rtsp://…` or `rtspenc://…`.
    pub session_url: String,
    pub rtsp_port: u16,
    pub sealed_rtsp: bool,
    /// When the client asked.
    pub asked: Instant,
}

impl Client {
    /// `launch`, or `resume` of what is running.
    pub fn launch(&self, options: &Options, resume: bool) -> Result<Launched> {
        let asked = Instant::now();
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
        let play_on_host = if options.play_on_host { "1" } else { "0" };
        let parameters = [
            ("appid", app.as_str()),
            ("mode", &mode),
            ("additionalStates", "1"),
            ("sops", "0"),
            ("rikey", &key_text),
            ("rikeyid", &key_id_text),
            ("localAudioPlayMode", play_on_host),
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
            asked,
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
}
