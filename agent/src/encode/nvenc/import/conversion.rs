//! The conversion itself, as OpenGL computes it: what [`Converter`](crate::convert::Converter) does in memory, sample by
//! sample within one code of it.

use super::gl::Value;
use crate::convert::{Colour, ColourSpace, Placement};
use std::ffi::CStr;

/// A triangle that covers everything.
pub const VERTEX: &CStr = c"#version 300 es
void main() {
    vec2 corner = vec2((gl_VertexID << 1) & 2, gl_VertexID & 2);
    gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0);
}
";

/// One or two codes for each sample of a plane. Pictures of another size are laid between four pixels, in steps of 1/256.
pub const FRAGMENT: &CStr = c"#version 300 es
precision highp float;
precision highp int;
uniform highp sampler2D picture;
uniform ivec2 size;
uniform ivec4 place;
uniform int cell;
uniform vec4 first;
uniform vec4 second;
out vec4 written;

vec3 pixel(ivec2 at) {
    return floor(texelFetch(picture, at, 0).rgb * 255.0 + 0.5);
}

vec3 fitted(ivec2 at) {
    at -= place.xy;
    if (any(lessThan(at, ivec2(0))) || any(greaterThanEqual(at, place.zw))) {
        return vec3(0.0);
    }
    if (size == place.zw) {
        return pixel(at);
    }
    ivec2 middle = (2 * at + 1) * size;
    ivec2 between = middle / place.zw * 128 + middle % place.zw * 128 / place.zw - 128;
    between = max(between, ivec2(0));
    ivec2 near = min(between / 256, size - 1);
    ivec2 far = min(near + 1, size - 1);
    vec2 weight = vec2(between % 256);
    vec3 north = pixel(near) * (256.0 - weight.x) + pixel(ivec2(far.x, near.y)) * weight.x;
    vec3 south = pixel(ivec2(near.x, far.y)) * (256.0 - weight.x) + pixel(far) * weight.x;
    return floor((north * (256.0 - weight.y) + south * weight.y + 32768.0) / 65536.0);
}

void main() {
    ivec2 corner = ivec2(gl_FragCoord.xy) * cell;
    vec3 sum = vec3(0.0);
    for (int y = 0; y < cell; ++y) {
        for (int x = 0; x < cell; ++x) {
            sum += fitted(corner + ivec2(x, y));
        }
    }
    vec4 colour = vec4(sum / float(cell * cell), 1.0);
    vec2 codes = clamp(vec2(dot(first, colour), dot(second, colour)), 0.0, 255.0);
    written = vec4(floor(codes + 0.5) / 255.0, 0.0, 1.0);
}
";

/// Shares of red, green and blue in a code, and what is added: all of them in codes of 255.
pub type Weights = [f32; 4];

/// Of luma and both chroma.
pub fn weights(colour: Colour) -> [Weights; 3] {
    let (red, blue) = match colour.space {
        ColourSpace::Bt601 => (0.299, 0.114),
        ColourSpace::Bt709 => (0.2126, 0.0722),
        ColourSpace::Bt2020 => (0.2627, 0.0593),
    };
    let green = 1.0 - red - blue;
    let (black, steps, chroma_steps) = match colour.full_range {
        true => (0.0, 1.0, 1.0),
        false => (16.0, 219.0 / 255.0, 224.0 / 255.0),
    };
    let luma = [red, green, blue];
    // the difference of one primary and luma, from -1/2 to 1/2
    let difference = |primary: usize| {
        let mut of = luma.map(|share| -share);
        of[primary] += 1.0;
        of.map(|share: f32| share / (2.0 * (1.0 - luma[primary])))
    };
    let row = |[r, g, b]: [f32; 3], steps: f32, zero| [r * steps, g * steps, b * steps, zero];
    [
        row(luma, steps, black),
        row(difference(2), chroma_steps, 128.0),
        row(difference(0), chroma_steps, 128.0),
    ]
}

/// What one plane is computed with. `cell`: pixels a side that a sample stands for.
pub fn uniforms(
    size: (u32, u32),
    place: Placement,
    cell: usize,
    weights: [Weights; 2],
) -> [(&'static CStr, Value); 5] {
    let Placement {
        left,
        top,
        wide,
        high,
    } = place;
    let place = [left, top, wide, high].map(|side| side as i32);
    [
        (c"size", Value::Two([size.0 as i32, size.1 as i32])),
        (c"place", Value::Four(place)),
        (c"cell", Value::Whole(cell as i32)),
        (c"first", Value::Weights(weights[0])),
        (c"second", Value::Weights(weights[1])),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        convert::{Converter, Layout},
        source::Picture,
    };

    #[test]
    fn the_weights_give_the_colours_of_the_conversion_in_memory_in_every_matrix_and_range() {
        let levels = [0u8, 1, 16, 64, 127, 128, 200, 254, 255];
        for mode in 0..6 {
            let colour = Colour::from_csc_mode(mode).unwrap();
            let [luma, blue, red] = weights(colour);
            let mut converter = Converter::new(2, 2, colour);
            for pixel in 0..levels.len().pow(3) {
                let level = |power: u32| levels[pixel / levels.len().pow(power) % levels.len()];
                let [r, g, b] = [level(0), level(1), level(2)];
                let picture = Picture {
                    width: 2,
                    height: 2,
                    stride: 8,
                    data: [b, g, r, 255].repeat(4),
                    ..Picture::default()
                };
                let mut planes = [0; 12];
                converter
                    .convert_into(&picture, Layout::Yuv444, &mut planes)
                    .unwrap();
                for (weights, code) in [luma, blue, red].into_iter().zip([0, 4, 8]) {
                    let sum = weights.iter().zip([r, g, b, 1]);
                    let sum: f32 = sum.map(|(share, level)| share * f32::from(level)).sum();
                    let off = (sum.clamp(0.0, 255.0).round() - f32::from(planes[code])).abs();
                    assert!(
                        off <= 1.0,
                        "{r} {g} {b} in mode {mode}: {sum} and {planes:?}"
                    );
                }
            }
        }
    }
}
