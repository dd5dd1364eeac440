//! Where the client points, when the captured picture stands in the stream's with bars around it.

use crate::convert::{Placement, placement};
use punktfunk_core::input::{InputEvent, Pen, Touch};

/// Units of an absolute position that was mapped: the most that an event can say.
const UNITS: i16 = i16::MAX;

/// A captured picture inside of the stream's.
pub struct Letterbox {
    /// First covered column and line, and how many, as shares of the stream's sides.
    left: f64,
    top: f64,
    wide: f64,
    high: f64,
}

impl Letterbox {
    /// `captured` fitted into `stream`, as the encoder does it. Sizes in pixels, no side zero.
    pub fn new(captured: (u32, u32), stream: (u32, u32)) -> Self {
        let usize_of = |(width, height): (u32, u32)| (width as usize, height as usize);
        let Placement {
            left,
            top,
            wide,
            high,
        } = placement(usize_of(captured), usize_of(stream));
        let (width, height) = (f64::from(stream.0), f64::from(stream.1));
        Self {
            left: left as f64 / width,
            top: top as f64 / height,
            wide: wide as f64 / width,
            high: high as f64 / height,
        }
    }

    /// The event in terms of the captured picture: what points at a bar points at the edge beside it.
    pub fn mapped(&self, event: &InputEvent) -> InputEvent {
        match *event {
            InputEvent::MouseAbsolute {
                x,
                y,
                ref_width,
                ref_height,
            } if ref_width > 0 && ref_height > 0 => {
                let (x, y) = self.place(
                    f64::from(x) / f64::from(ref_width),
                    f64::from(y) / f64::from(ref_height),
                );
                let units = |share: f64| (share * f64::from(UNITS)).round() as i16;
                InputEvent::MouseAbsolute {
                    x: units(x),
                    y: units(y),
                    ref_width: UNITS,
                    ref_height: UNITS,
                }
            }
            InputEvent::Touch(touch) => {
                let (x, y) = self.place(touch.x.into(), touch.y.into());
                InputEvent::Touch(Touch {
                    x: x as f32,
                    y: y as f32,
                    ..touch
                })
            }
            InputEvent::Pen(pen) => {
                let (x, y) = self.place(pen.x.into(), pen.y.into());
                InputEvent::Pen(Pen {
                    x: x as f32,
                    y: y as f32,
                    ..pen
                })
            }
            ref other => other.clone(),
        }
    }

    fn place(&self, x: f64, y: f64) -> (f64, f64) {
        let share = |at: f64, start: f64, length: f64| ((at - start) / length).clamp(0.0, 1.0);
        (
            share(x, self.left, self.wide),
            share(y, self.top, self.high),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A 4:3 picture in a stream of 16:9: bars of 160 pixels on the left and on the right.
    fn bars() -> Letterbox {
        Letterbox::new((1024, 768), (1280, 720))
    }

    fn pointed(letterbox: &Letterbox, at: (i16, i16)) -> (f64, f64) {
        let event = InputEvent::MouseAbsolute {
            x: at.0,
            y: at.1,
            ref_width: 1280,
            ref_height: 720,
        };
        let InputEvent::MouseAbsolute {
            x,
            y,
            ref_width,
            ref_height,
        } = letterbox.mapped(&event)
        else {
            panic!("another kind of event")
        };
        // in pixels of the captured picture
        (
            f64::from(x) / f64::from(ref_width) * 1024.0,
            f64::from(y) / f64::from(ref_height) * 768.0,
        )
    }

    #[test]
    fn a_click_lands_on_what_is_seen_beside_the_bars() {
        let near = |(x, y): (f64, f64), (to_x, to_y): (f64, f64)| {
            assert!((x - to_x).abs() < 0.1 && (y - to_y).abs() < 0.1, "{x} {y}");
        };
        let bars = bars();
        near(pointed(&bars, (640, 360)), (512.0, 384.0));
        near(pointed(&bars, (160, 0)), (0.0, 0.0));
        near(pointed(&bars, (1120, 720)), (1024.0, 768.0));
        near(pointed(&bars, (400, 180)), (256.0, 192.0));
    }

    #[test]
    fn what_points_at_a_bar_points_at_the_edge_beside_it() {
        let bars = bars();
        assert_eq!(pointed(&bars, (3, 0)).0, 0.0);
        assert_eq!(pointed(&bars, (1279, 0)).0, 1024.0);
        assert_eq!(pointed(&bars, (-400, -1)), (0.0, 0.0));
    }

    #[test]
    fn fingers_and_pens_are_mapped_too_and_the_rest_stays_as_it_is() {
        let touch = Touch {
            event: 1,
            pointer: 4,
            x: 0.125,
            y: 0.5,
            pressure_or_distance: 1.0,
            contact_major: 0.0,
            contact_minor: 0.0,
            rotation: 0xFFFF,
        };
        let InputEvent::Touch(mapped) = bars().mapped(&InputEvent::Touch(touch)) else {
            panic!("another kind of event")
        };
        assert_eq!((mapped.x, mapped.y, mapped.pointer), (0.0, 0.5, 4));
        let motion = InputEvent::MouseRelative { dx: 3, dy: -3 };
        assert_eq!(bars().mapped(&motion), motion);
    }
}
