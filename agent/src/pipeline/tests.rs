use super::*;
use crate::{
    encode::EncoderSettings,
    source::{
        self, Dmabuf, DmabufFormat, Importable, Outputs, Picture, PictureSlot, SourceRequest,
        dmabuf::DmabufBuffer,
    },
};
use std::sync::Arc;

const MODE: (u32, u32, u32) = (640, 368, 60);
const TICK_NS: u64 = 1_000_000_000 / 60;

#[derive(Default)]
struct Recorder {
    full: bool,
    answer: Option<Delivered>,
    units: Vec<(bool, Tag)>,
    /// Parts of a picture that was neither delivered nor given up, and those given up.
    begun: Vec<Tag>,
    voided: Vec<u32>,
}

impl Sink for Recorder {
    fn ready(&mut self) -> bool {
        !self.full
    }
    fn deliver(&mut self, unit: &AccessUnit<'_>) -> Result<Delivered, String> {
        self.units.push((unit.key, unit.tag));
        let parts = std::mem::take(&mut self.begun);
        assert!(parts.iter().all(|part| *part == unit.tag), "{parts:?}");
        let answer = self.answer.take().unwrap_or(Delivered::Taken);
        if answer != Delivered::Taken {
            self.begun = parts;
        }
        Ok(answer)
    }
    fn part(&mut self, unit: &AccessUnit<'_>, _: u8) {
        self.begun.push(unit.tag);
    }
    fn void(&mut self) -> bool {
        let parts = std::mem::take(&mut self.begun);
        self.voided.extend(parts.last().map(|tag| tag.picture));
        !parts.is_empty()
    }
}

fn encoder() -> Box<dyn Encoder> {
    let settings = EncoderSettings {
        width: MODE.0,
        height: MODE.1,
        fps: MODE.2,
        bitrate_kbps: 2000,
        ..EncoderSettings::default()
    };
    let software = crate::encode::Choice::Only(crate::encode::Kind::OpenH264);
    software.open("h264", &settings).unwrap()
}

fn painted() -> Feed {
    let request = SourceRequest {
        width: MODE.0,
        height: MODE.1,
        fps: MODE.2,
        cursor: false,
        importable: Importable::NOTHING,
        inside: Default::default(),
        outputs: Outputs::Extend,
        monitor: Default::default(),
        hdr: false,
    };
    let mut source = source::open("synthetic-fast", &request).unwrap();
    Feed::of(source.as_mut())
}

fn synthetic() -> Pipeline {
    Pipeline::new(painted(), encoder(), MODE.2 * 100, 2000, 0)
}

fn captured() -> (Pipeline, Arc<PictureSlot>) {
    let slot = Arc::<PictureSlot>::default();
    let feed = Feed::Captured {
        slot: Arc::clone(&slot),
        taken: None,
        capture_ns: None,
    };
    (Pipeline::new(feed, encoder(), MODE.2 * 100, 2000, 0), slot)
}

fn picture(capture_ns: u64) -> Picture {
    Picture {
        width: MODE.0,
        height: MODE.1,
        stride: MODE.0 as usize * 4,
        data: vec![90; (MODE.0 * MODE.1 * 4) as usize],
        capture_ns,
        sequence: 1,
        ..Picture::default()
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

/// From `earliest_ns` on, as soon as a picture is there.
fn once_there(earliest_ns: u64) -> impl Fn(Option<u64>) -> u64 {
    move |arrived_ns| arrived_ns.map_or(u64::MAX, |at_ns| at_ns.max(earliest_ns))
}

#[test]
fn a_picture_that_comes_ends_the_wait_once_its_tick_may_be_served() {
    let orders = OrdersHandle::default();
    let slot = PictureSlot::default();
    announce(&slot, &orders);
    let waiting = orders.clone();
    let thread = std::thread::spawn(move || waiting.wait(once_there(0)));
    slot.put(Picture::default());
    let Wake::Tick(first) = thread.join().unwrap() else {
        panic!("not stopped")
    };
    assert!(first.arrived_ns.is_some());
    // It counts once; and too early it ends nothing.
    assert_eq!(orders.wait_until(0), Wake::Tick(Orders::default()));
    slot.put(Picture::default());
    let soon = crate::clock::now_ns() + 5_000_000;
    assert!(matches!(orders.wait(once_there(soon)), Wake::Tick(_)));
    assert!(crate::clock::now_ns() >= soon);
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

/// An encoder without pictures: it remembers what it was told and can leave references out.
#[derive(Default)]
struct Told {
    ready: Option<Tag>,
    key: bool,
    /// Pictures that give no access unit.
    swallows: Vec<u32>,
    invalidated: Arc<std::sync::Mutex<Vec<(u32, u32)>>>,
    /// Hands out two parts of each picture, and begins these anew after them.
    in_parts: bool,
    again: Vec<u32>,
    /// Refuse to invalidate pictures before this one.
    window: u32,
}

impl Encoder for Told {
    fn name(&self) -> &'static str {
        "told"
    }
    fn submit(&mut self, _: &Picture, tag: Tag) -> Result<(), EncodeError> {
        self.submit_again(tag)
    }
    fn submit_again(&mut self, tag: Tag) -> Result<(), EncodeError> {
        self.ready = (!self.swallows.contains(&tag.picture)).then_some(tag);
        Ok(())
    }
    fn submit_in_parts(
        &mut self,
        _: Option<&Picture>,
        tag: Tag,
        parts: &mut dyn Parts,
    ) -> Result<(), EncodeError> {
        let key = self.key || tag.picture == 0;
        let rounds = usize::from(self.in_parts) + usize::from(self.again.contains(&tag.picture));
        for round in 0..rounds {
            if round > 0 {
                parts.void();
            }
            for data in [b"u".as_slice(), b"un"] {
                parts.part(&AccessUnit { data, key, tag }, 3);
            }
        }
        self.submit_again(tag)
    }
    fn poll(&mut self) -> Result<Option<AccessUnit<'_>>, EncodeError> {
        let key = self.key;
        let unit = self.ready.take().map(|tag| AccessUnit {
            data: b"unit",
            key: key || tag.picture == 0,
            tag,
        });
        self.key &= unit.is_none();
        Ok(unit)
    }
    fn request_keyframe(&mut self) {
        self.key = true;
    }
    fn can_invalidate_refs(&self) -> bool {
        true
    }
    fn invalidate_refs(&mut self, first: u32, last: u32) -> bool {
        let possible = first >= self.window;
        if possible {
            self.invalidated.lock().unwrap().push((first, last));
        }
        possible
    }
    fn set_bitrate(&mut self, _: u32) -> Result<(), EncodeError> {
        Ok(())
    }
    fn flush(&mut self) -> Result<(), EncodeError> {
        Ok(())
    }
}

fn told(encoder: Told) -> Pipeline {
    let feed = painted();
    Pipeline::new(feed, Box::new(encoder), 6000, 2000, 0)
}

fn lost(first: u32, last: u32) -> Orders {
    Orders {
        invalidate: Some((first, last)),
        ..Orders::default()
    }
}

#[test]
fn an_invalidation_counts_in_pictures_reaches_to_the_latest_and_marks_the_next_frame() {
    let calls = Arc::<std::sync::Mutex<Vec<(u32, u32)>>>::default();
    let mut pipeline = told(Told {
        swallows: vec![2, 3],
        invalidated: Arc::clone(&calls),
        ..Told::default()
    });
    let mut sink = Recorder::default();
    for tick in 0..7 {
        pipeline.tick(tick * TICK_NS, &mut sink).unwrap();
    }
    // Pictures 0, 1, 4, 5 and 6 became frames 0 to 4; frame 3 was lost.
    pipeline.obey(&lost(3, 3)).unwrap();
    for tick in 7..9 {
        pipeline.tick(tick * TICK_NS, &mut sink).unwrap();
    }
    assert_eq!(*calls.lock().unwrap(), [(5, 6)]);
    let marks: Vec<(u32, bool)> = sink.units[4..]
        .iter()
        .map(|(_, tag)| (tag.picture, tag.after_invalidation))
        .collect();
    assert_eq!(marks, [(6, false), (7, true), (8, false)]);
    assert!(sink.units.iter().skip(1).all(|(key, _)| !key));
}

#[test]
fn frames_that_were_given_up_in_part_count_as_frames_and_take_no_mark_with_them() {
    let calls = Arc::<std::sync::Mutex<Vec<(u32, u32)>>>::default();
    let mut pipeline = told(Told {
        in_parts: true,
        swallows: vec![2],
        again: vec![3, 6],
        invalidated: Arc::clone(&calls),
        ..Told::default()
    });
    let mut sink = Recorder::default();
    for tick in 0..6 {
        if tick == 4 {
            sink.answer = Some(Delivered::Lost);
        }
        pipeline.tick(tick * TICK_NS, &mut sink).unwrap();
    }
    assert_eq!(sink.voided, [2, 3, 4]);
    // Frames 0 to 6 are pictures 0, 1, 2 (void), 3 (void), 3, 4 (void), 5.
    pipeline.obey(&lost(4, 4)).unwrap();
    assert_eq!(*calls.lock().unwrap(), [(3, 5)]);
    for tick in 6..8 {
        pipeline.tick(tick * TICK_NS, &mut sink).unwrap();
    }
    let marks: Vec<(u32, bool)> = (sink.units.iter())
        .map(|(_, tag)| (tag.picture, tag.after_invalidation))
        .collect();
    assert_eq!(marks[marks.len() - 2..], [(6, true), (7, false)]);
    assert_eq!(sink.voided, [2, 3, 4, 6]);
    assert!(sink.begun.is_empty());
}

#[test]
fn what_cannot_be_invalidated_becomes_a_key_frame_without_a_mark() {
    // Outside of the encoder's references; a frame that never was; together with an order for a key frame.
    let both = Orders {
        keyframe: true,
        ..lost(4, 4)
    };
    for orders in [lost(1, 4), lost(9, 9), both] {
        let mut pipeline = told(Told {
            window: 2,
            ..Told::default()
        });
        let mut sink = Recorder::default();
        for tick in 0..5 {
            pipeline.tick(tick * TICK_NS, &mut sink).unwrap();
        }
        pipeline.obey(&orders).unwrap();
        for tick in 5..7 {
            pipeline.tick(tick * TICK_NS, &mut sink).unwrap();
        }
        let seen: Vec<_> = sink.units[5..]
            .iter()
            .map(|(key, tag)| (*key, tag.after_invalidation))
            .collect();
        assert_eq!(seen, [(true, false), (false, false)], "{orders:?}");
    }
}

#[test]
fn a_marked_frame_that_is_lost_on_the_way_is_followed_by_a_key_frame() {
    let mut pipeline = told(Told::default());
    let mut sink = Recorder::default();
    pipeline.tick(0, &mut sink).unwrap();
    pipeline.tick(TICK_NS, &mut sink).unwrap();
    pipeline.obey(&lost(1, 1)).unwrap();
    sink.answer = Some(Delivered::Lost);
    pipeline.tick(2 * TICK_NS, &mut sink).unwrap();
    pipeline.tick(3 * TICK_NS, &mut sink).unwrap();
    let (key, tag) = sink.units[3];
    assert!(key && !tag.after_invalidation);
}

#[test]
fn a_picture_that_cannot_be_imported_costs_itself_alone_and_is_the_last_of_its_kind() {
    let (mut pipeline, slot) = captured();
    let mut sink = Recorder::default();
    slot.put(picture(TICK_NS / 2));
    pipeline.tick(TICK_NS, &mut sink).unwrap();
    let format = DmabufFormat {
        fourcc: DmabufFormat::XRGB8888,
        modifier: DmabufFormat::LINEAR,
    };
    let importable = Importable::new(vec![format]);
    let back = Arc::<std::sync::atomic::AtomicU64>::default();
    let given = Arc::clone(&back);
    let buffer = DmabufBuffer {
        id: 7,
        width: MODE.0,
        height: MODE.1,
        format,
        planes: Vec::new(),
    };
    let dmabuf = Dmabuf::new(
        Arc::new(buffer),
        importable.clone(),
        Arc::new(move |id| given.store(id, std::sync::atomic::Ordering::Relaxed)),
    );
    slot.put(Picture {
        dmabuf: Some(Arc::new(dmabuf)),
        data: Vec::new(),
        stride: 0,
        ..picture(TICK_NS * 3 / 2)
    });
    pipeline.tick(2 * TICK_NS, &mut sink).unwrap();
    assert_eq!(sink.units.len(), 2);
    assert!(sink.units[1].1.repeated);
    assert!(importable.formats().is_empty(), "the source is told");
    assert_eq!(back.load(std::sync::atomic::Ordering::Relaxed), 7);
    slot.put(picture(TICK_NS * 5 / 2));
    pipeline.tick(3 * TICK_NS, &mut sink).unwrap();
    assert!(!sink.units[2].1.repeated);
}
