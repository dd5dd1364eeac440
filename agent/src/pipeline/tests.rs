use super::*;
use crate::{
    encode::EncoderSettings,
    source::{self, Picture, PictureSlot, SourceRequest},
};
use std::sync::Arc;

const MODE: (u32, u32, u32) = (640, 368, 60);
const TICK_NS: u64 = 1_000_000_000 / 60;

#[derive(Default)]
struct Recorder {
    full: bool,
    answer: Option<Delivered>,
    units: Vec<(bool, Tag)>,
}

impl Sink for Recorder {
    fn ready(&mut self) -> bool {
        !self.full
    }
    fn deliver(&mut self, unit: &AccessUnit<'_>) -> Result<Delivered, String> {
        self.units.push((unit.key, unit.tag));
        Ok(self.answer.take().unwrap_or(Delivered::Taken))
    }
}

fn encoder() -> Box<dyn Encoder> {
    let settings = EncoderSettings {
        width: MODE.0,
        height: MODE.1,
        fps: MODE.2,
        bitrate_kbps: 2000,
        colour: crate::convert::Colour::default(),
    };
    crate::encode::open("h264", &settings).unwrap()
}

fn synthetic() -> Pipeline {
    let request = SourceRequest {
        width: MODE.0,
        height: MODE.1,
        fps: MODE.2,
        cursor: false,
    };
    let mut source = source::open("synthetic-fast", &request).unwrap();
    Pipeline::new(Feed::of(source.as_mut()), encoder(), MODE.2, 2000, 0)
}

fn captured() -> (Pipeline, Arc<PictureSlot>) {
    let slot = Arc::<PictureSlot>::default();
    let feed = Feed::Captured {
        slot: Arc::clone(&slot),
        taken: None,
        capture_ns: None,
    };
    (Pipeline::new(feed, encoder(), MODE.2, 2000, 0), slot)
}

fn picture(capture_ns: u64) -> Picture {
    Picture {
        width: MODE.0,
        height: MODE.1,
        stride: MODE.0 as usize * 4,
        data: vec![90; (MODE.0 * MODE.1 * 4) as usize],
        capture_ns,
        sequence: 1,
    }
}

#[test]
fn nothing_is_encoded_while_there_is_no_room_and_the_ticks_are_counted() {
    let mut pipeline = synthetic();
    let mut sink = Recorder::default();
    for tick in 0..10 {
        sink.full = (4..7).contains(&tick);
        pipeline.tick(tick * TICK_NS, &mut sink).unwrap();
    }
    let totals = pipeline.totals();
    assert_eq!((totals.submitted, totals.encoded), (7, 7));
    assert_eq!(totals.skipped_no_slot, 3);
    assert_eq!(totals.keyframes, 1, "a skipped tick breaks no reference");
}

#[test]
fn the_last_picture_is_encoded_again_when_nothing_new_came() {
    let (mut pipeline, slot) = captured();
    let mut sink = Recorder::default();
    pipeline.tick(0, &mut sink).unwrap();
    assert!(sink.units.is_empty(), "there is no picture yet");
    slot.put(picture(TICK_NS / 2));
    for tick in 1..4 {
        pipeline.tick(tick * TICK_NS, &mut sink).unwrap();
    }
    let repeated: Vec<bool> = sink.units.iter().map(|unit| unit.1.repeated).collect();
    assert_eq!(repeated, [false, true, true]);
    assert!(
        sink.units
            .iter()
            .all(|unit| unit.1.capture_ns == TICK_NS / 2)
    );
    assert_eq!(pipeline.totals().repeated, 2);
    assert_eq!(slot.state().spare.len(), 1, "the buffer went back");
}

#[test]
fn presentation_times_always_grow() {
    let (mut pipeline, slot) = captured();
    let mut sink = Recorder::default();
    slot.put(picture(10));
    pipeline.tick(TICK_NS, &mut sink).unwrap();
    pipeline.tick(2 * TICK_NS, &mut sink).unwrap();
    // captured before the repetition was, but arrived after it
    slot.put(picture(2 * TICK_NS - 5));
    pipeline.tick(3 * TICK_NS, &mut sink).unwrap();
    let times: Vec<u64> = sink.units.iter().map(|unit| unit.1.pts_ns).collect();
    assert_eq!(times, [10, 2 * TICK_NS, 2 * TICK_NS + PTS_STEP_NS]);
}

#[test]
fn a_lost_access_unit_is_followed_by_a_key_frame() {
    let mut pipeline = synthetic();
    let mut sink = Recorder::default();
    for tick in 0..6 {
        if tick == 3 {
            sink.answer = Some(Delivered::Lost);
        }
        pipeline.tick(tick * TICK_NS, &mut sink).unwrap();
    }
    let keys: Vec<bool> = sink.units.iter().map(|unit| unit.0).collect();
    assert_eq!(keys, [true, false, false, false, true, false]);
    assert_eq!(pipeline.totals().encoded, 5);
}

#[test]
fn a_frame_that_never_fits_ends_the_stream_with_its_limit() {
    let mut pipeline = synthetic();
    let mut sink = Recorder::default();
    let mut tick = 0;
    let error = loop {
        sink.answer = Some(Delivered::TooLarge { limit: 1234 });
        tick += 1;
        if let Err(error) = pipeline.tick(tick * TICK_NS, &mut sink) {
            break error;
        }
        assert!(tick < 100, "never given up");
    };
    assert!(error.to_string().contains("1234"), "{error}");
    assert!(
        sink.units.iter().all(|unit| unit.0),
        "each retry is a key frame"
    );
}

#[test]
fn an_invalidation_that_the_encoder_cannot_do_becomes_a_key_frame() {
    let mut pipeline = synthetic();
    let mut sink = Recorder::default();
    pipeline.tick(0, &mut sink).unwrap();
    let orders = OrdersHandle::default();
    orders.invalidate(0, 0);
    orders.invalidate(2, 3);
    let Wake::Tick(orders) = orders.wait_until(0) else {
        panic!("not stopped")
    };
    assert_eq!(orders.invalidate, Some((0, 3)));
    pipeline.obey(&orders).unwrap();
    pipeline.tick(TICK_NS, &mut sink).unwrap();
    assert!(sink.units[1].0);
}

#[test]
fn a_source_that_dies_or_stays_silent_ends_the_pipeline_with_a_reason() {
    let (mut pipeline, slot) = captured();
    slot.fail("the compositor went away");
    let error = pipeline.tick(0, &mut Recorder::default()).unwrap_err();
    assert!(error.to_string().contains("compositor went away"));

    let (mut pipeline, _slot) = captured();
    let mut sink = Recorder::default();
    pipeline.tick(FIRST_PICTURE_NS, &mut sink).unwrap();
    assert!(pipeline.tick(FIRST_PICTURE_NS + 1, &mut sink).is_err());
}

#[test]
fn stopping_ends_a_wait_at_once() {
    let orders = OrdersHandle::default();
    let waiting = orders.clone();
    let thread = std::thread::spawn(move || waiting.wait_until(u64::MAX));
    orders.stop();
    assert_eq!(thread.join().unwrap(), Wake::Stop);
    assert!(orders.stopped());
}
