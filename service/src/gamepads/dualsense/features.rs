//! Feature reports: what drivers ask once, when they bind.
//!
//! The calibration is ours to choose. It makes one step of the gyroscope 1/16 degree per second and one of the
//! accelerometer 1/8192 g, so that drivers and programs come to the units that the client sent.

/// Steps of the gyroscope for one degree per second.
pub(super) const STEPS_PER_DEGREE: f32 = 16.0;
/// Steps of the accelerometer for one g.
pub(super) const STEPS_PER_G: f32 = 8192.0;

/// Degrees per second at which both ends of the gyroscope's calibration were "measured".
const SPEED: i16 = 540;
/// Its reading there: SPEED steps of 1/16 degree.
const GYRO_RANGE: i16 = 540 * 16;
const ACCELEROMETER_RANGE: i16 = 8192;

const CALIBRATION: u8 = 0x05;
const ADDRESSES: u8 = 0x09;
const FIRMWARE: u8 = 0x20;

/// The feature report of that number, for a pad with this address. `None`: it is not answered.
pub(super) fn feature(number: u8, address: [u8; 6]) -> Option<Vec<u8>> {
    match number {
        CALIBRATION => Some(calibration()),
        ADDRESSES => Some(addresses(address)),
        FIRMWARE => Some(firmware()),
        _ => None,
    }
}

fn calibration() -> Vec<u8> {
    let (gyro, acceleration) = (
        [GYRO_RANGE, GYRO_RANGE.saturating_neg()],
        [ACCELEROMETER_RANGE, ACCELEROMETER_RANGE.saturating_neg()],
    );
    let mut report = vec![CALIBRATION];
    let mut push = |values: &[i16]| {
        report.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    };
    // Bias of pitch, yaw, roll; plus and minus of each; the speeds; plus and minus of x, y, z.
    push(&[0; 3]);
    (0..3).for_each(|_| push(&gyro));
    push(&[SPEED, SPEED]);
    (0..3).for_each(|_| push(&acceleration));
    report.resize(41, 0);
    report
}

fn addresses(address: [u8; 6]) -> Vec<u8> {
    let mut report = vec![ADDRESSES];
    // Lowest byte first.
    report.extend(address.iter().rev());
    report.extend([0x08, 0x25, 0x00]);
    report.resize(20, 0);
    report
}

/// An ordinary firmware, recent enough for drivers to use the newer form of rumble.
fn firmware() -> Vec<u8> {
    let mut report = vec![FIRMWARE];
    report.extend(b"Jun 19 2023");
    report.extend(b"14:47:34");
    report.extend(3_u16.to_le_bytes());
    report.extend(4_u16.to_le_bytes());
    report.extend(0x0100_0616_u32.to_le_bytes());
    report.extend(0x0100_0211_u32.to_le_bytes());
    report.resize(44, 0);
    report.extend(0x0630_u16.to_le_bytes());
    report.resize(64, 0);
    report
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::*;

    fn word(report: &[u8], at: usize) -> i16 {
        i16::from_le_bytes([report[at], report[at + 1]])
    }

    #[test]
    fn drivers_come_to_the_units_that_were_sent() {
        let report = feature(CALIBRATION, [0; 6]).unwrap();
        assert_eq!(report.len(), 41);
        let at = |index: usize| f64::from(word(&report, 1 + 2 * index));
        // As hid-playstation works: (speed+ + speed-) / (|plus - bias| + |minus - bias|) degrees per second and step.
        let degrees = (at(9) + at(10)) / ((at(3) - at(0)).abs() + (at(4) - at(0)).abs());
        assert!((degrees * f64::from(STEPS_PER_DEGREE) - 1.0).abs() < 1e-9);
        // 2 g lie between plus and minus.
        let g = 2.0 / (at(11) - at(12));
        assert!((g * f64::from(STEPS_PER_G) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_reports_have_the_sizes_that_drivers_insist_on() {
        for (number, size) in [(0x05, 41), (0x09, 20), (0x20, 64)] {
            let report = feature(number, [2, 0, 0, 0, 0, 9]).unwrap();
            assert_eq!((report[0], report.len()), (number, size));
        }
        assert_eq!(feature(0x22, [0; 6]), None);
        let addresses = feature(ADDRESSES, [2, 3, 4, 5, 6, 7]).unwrap();
        assert_eq!(addresses[1..7], [7, 6, 5, 4, 3, 2]);
    }
}
