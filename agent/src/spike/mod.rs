//! The pipeline on its own: capture, encode, a playable file (Annex B, AV1: OBUs) and a line of figures, without service or client.
//!
//! With the loopback every access unit also crosses the wire's host and client halves and is compared byte for byte;
//! anything lost or different fails the run.

mod loopback;
#[cfg(test)]
mod tests;

use crate::{
    cli::SpikeArgs,
    clock,
    encode::{AccessUnit, EncoderSettings},
    pipeline::{self, Delivered, Feed, OrdersHandle, Pipeline, Sink, Totals},
    source::{self, Importable, Outputs, SourceRequest, gamescope::Inside},
};
use anyhow::{Context, ensure};
use loopback::Loopback;
use std::{fmt, fs::File, io::Write};

/// What a run found out; displayed as the line of figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    pub totals: Totals,
    /// Frames a second that one core would encode: pictures over the time spent on them.
    pub encode_fps: f64,
    /// Access units that crossed the loopback unchanged, and shards repaired on the way; None without one.
    pub loopback: Option<(u64, u64)>,
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals {
            submitted,
            encoded,
            keyframes,
            bytes,
            repeated,
            missed_ticks,
            ..
        } = self.totals;
        write!(
            out,
            "submitted={submitted} encoded={encoded} keyframes={keyframes} bytes={bytes} encode_fps={:.1} \
             repeated={repeated} missed_ticks={missed_ticks}",
            self.encode_fps
        )?;
        match self.loopback {
            Some((compared, repaired)) => {
                write!(out, " compared={compared} repaired_shards={repaired}")
            }
            None => Ok(()),
        }
    }
}

/// Run it as the arguments say.
///
/// # Errors
/// Anything that kept the run from delivering each submitted picture as a whole, comparable access unit.
pub fn run(args: &SpikeArgs) -> anyhow::Result<Figures> {
    let mastering = source::mastering(&args.source).filter(|_| args.hdr);
    if args.hdr && mastering.is_none() {
        tracing::warn!("{} gives no HDR: this is SDR in 10 bits", args.source);
    }
    let settings = EncoderSettings {
        width: args.width,
        height: args.height,
        fps: args.fps,
        bitrate_kbps: args.bitrate,
        hdr: args.hdr,
        mastering,
        ..EncoderSettings::default()
    };
    // the cheap part that can refuse comes first
    let encoder = args.encoder.open(&args.codec, &settings)?;
    let request = SourceRequest {
        width: args.width,
        height: args.height,
        fps: args.fps,
        cursor: true,
        importable: Importable::new(encoder.importable()),
        inside: match args.command.as_slice() {
            [] => Inside::Whatever,
            command => Inside::Command(command.to_vec()),
        },
        outputs: Outputs::parse(&args.outputs)
            .context("--outputs: extend, primary or exclusive")?,
        monitor: Default::default(),
        hdr: args.hdr,
    };
    let mut sink = FileSink::create(args)?;
    let mut source = source::open(&args.source, &request)?;
    let feed = Feed::of(source.as_mut());
    let mut pipeline = Pipeline::new(
        feed,
        encoder,
        args.fps.saturating_mul(100),
        args.bitrate,
        clock::now_ns(),
    );
    let wanted = u64::from(args.fps) * u64::from(args.seconds);
    let orders = OrdersHandle::default();
    pipeline::run(&mut pipeline, &orders, &mut sink, |totals| {
        totals.submitted >= wanted
    })?;
    pipeline.finish(&mut sink)?;
    let loopback = sink.finish()?;
    let totals = pipeline.totals();
    let figures = Figures {
        totals,
        encode_fps: totals.submitted as f64 / (totals.busy_ns.max(1) as f64 / 1e9),
        loopback,
    };
    ensure!(
        totals.encoded == totals.submitted,
        "{} of {} submitted pictures came out of the encoder ({figures})",
        totals.encoded,
        totals.submitted
    );
    if let Some((compared, _)) = loopback {
        ensure!(
            compared == totals.encoded,
            "only {compared} of {} access units crossed the loopback ({figures})",
            totals.encoded
        );
    }
    Ok(figures)
}

struct FileSink {
    file: std::io::BufWriter<File>,
    loopback: Option<Loopback>,
}

impl FileSink {
    fn create(args: &SpikeArgs) -> anyhow::Result<Self> {
        let file = File::create(&args.out)
            .with_context(|| format!("cannot write {}", args.out.display()))?;
        Ok(Self {
            file: std::io::BufWriter::new(file),
            loopback: match args.loopback {
                true => Some(Loopback::new(args.drop)?),
                false => None,
            },
        })
    }

    /// What the loopback has to say.
    fn finish(mut self) -> anyhow::Result<Option<(u64, u64)>> {
        self.file.flush().context("cannot finish the file")?;
        self.loopback.map(Loopback::finish).transpose()
    }
}

impl Sink for FileSink {
    fn ready(&mut self) -> bool {
        true
    }

    fn deliver(&mut self, unit: &AccessUnit<'_>) -> Result<Delivered, String> {
        self.file
            .write_all(unit.data)
            .map_err(|error| format!("cannot write the file: {error}"))?;
        if let Some(loopback) = &mut self.loopback {
            loopback.pass(unit).map_err(|error| format!("{error:#}"))?;
        }
        Ok(Delivered::Taken)
    }
}
