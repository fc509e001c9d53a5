//! One PNG picture as bytes.

use png::{BitDepth, ColorType, Decoder, Encoder, Transformations};
use std::io::Cursor;

/// DEFLATE expands at most 1032 times (one bit for a run of 258 bytes, RFC 1951), so a header that promises
/// more than this lies, and nothing is allocated for it.
pub(super) const MAX_EXPANSION: usize = 1032;

/// A picture, 8 bits a value, HWC.
#[derive(Debug, PartialEq)]
pub(super) struct Picture {
    pub(super) height: usize,
    pub(super) width: usize,
    /// 1 for grey, 3 for colour.
    pub(super) channels: usize,
    pub(super) pixels: Vec<u8>,
}

/// Decodes any PNG: palettes are looked up, depths brought to 8 bits, an alpha channel that is opaque dropped.
///
/// # Errors
/// What is wrong, without the file name: not a PNG, broken, truncated, or with transparency.
pub(super) fn decode(bytes: &[u8]) -> Result<Picture, String> {
    let mut decoder = Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(Transformations::normalize_to_color8());
    let broken = |e| format!("not a readable PNG: {e}");
    let mut reader = decoder.read_info().map_err(broken)?;
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    let size = reader
        .output_buffer_size()
        .filter(|&size| size <= bytes.len().saturating_mul(MAX_EXPANSION))
        .ok_or_else(|| {
            format!(
                "not a readable PNG: the header says {width}x{height} pixels, more than {} bytes can hold",
                bytes.len()
            )
        })?;
    let mut pixels = vec![0; size];
    let frame = reader.next_frame(&mut pixels).map_err(broken)?;
    pixels.truncate(frame.buffer_size());
    let (pixels, channels) = match frame.color_type {
        ColorType::Grayscale => (pixels, 1),
        ColorType::Rgb => (pixels, 3),
        ColorType::GrayscaleAlpha => (without_alpha(&pixels, 2)?, 1),
        ColorType::Rgba => (without_alpha(&pixels, 4)?, 3),
        ColorType::Indexed => return Err("not a readable PNG: a palette index without a palette".to_owned()),
    };
    Ok(Picture { height, width, channels, pixels })
}

fn without_alpha(pixels: &[u8], stride: usize) -> Result<Vec<u8>, String> {
    if pixels.chunks_exact(stride).any(|p| p[stride - 1] != 255) {
        return Err("has transparent pixels: flatten it onto the background it is meant for".to_owned());
    }
    Ok(pixels.chunks_exact(stride).flat_map(|p| &p[..stride - 1]).copied().collect())
}

/// Encodes a grey picture as small as the encoder can.
///
/// # Panics
/// The number of pixels is not height x width.
pub(super) fn encode_grey(height: usize, width: usize, pixels: &[u8]) -> Vec<u8> {
    assert_eq!(pixels.len(), height * width);
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    // Strokes on plain black repeat; differences between neighbours do so less (a sheet of digits is a fifth larger).
    encoder.set_filter(png::Filter::NoFilter);
    let mut writer = encoder.write_header().expect("the header goes into memory");
    writer.write_image_data(pixels).expect("the pixels go into memory");
    writer.finish().expect("the end goes into memory");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(color: ColorType, depth: BitDepth, width: u32, data: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, width, 1);
        encoder.set_color(color);
        encoder.set_depth(depth);
        if color == ColorType::Indexed {
            encoder.set_palette([9, 8, 7, 1, 2, 3].as_slice());
        }
        encoder.write_header().unwrap().write_image_data(data).unwrap();
        bytes
    }

    #[test]
    fn grey_survives_a_round_trip() {
        let pixels: Vec<u8> = (0..=255).collect();
        let picture = decode(&encode_grey(8, 32, &pixels)).unwrap();
        assert_eq!(picture, Picture { height: 8, width: 32, channels: 1, pixels });
    }

    #[test]
    fn every_colour_type_comes_as_bytes() {
        let of = |color, depth, width, data: &[u8]| {
            let p = decode(&png(color, depth, width, data)).unwrap();
            (p.width, p.channels, p.pixels)
        };
        assert_eq!(of(ColorType::Rgb, BitDepth::Eight, 1, &[1, 2, 3]), (1, 3, vec![1, 2, 3]));
        assert_eq!(of(ColorType::Rgba, BitDepth::Eight, 1, &[1, 2, 3, 255]), (1, 3, vec![1, 2, 3]));
        assert_eq!(of(ColorType::GrayscaleAlpha, BitDepth::Eight, 1, &[7, 255]), (1, 1, vec![7]));
        assert_eq!(of(ColorType::Grayscale, BitDepth::Sixteen, 1, &[7, 200]), (1, 1, vec![7]));
        assert_eq!(of(ColorType::Grayscale, BitDepth::One, 2, &[0b0100_0000]), (2, 1, vec![0, 255]));
        assert_eq!(of(ColorType::Indexed, BitDepth::Eight, 2, &[1, 0]), (2, 3, vec![1, 2, 3, 9, 8, 7]));
    }

    #[test]
    fn transparency_is_refused() {
        let text = decode(&png(ColorType::Rgba, BitDepth::Eight, 1, &[1, 2, 3, 254])).unwrap_err();
        assert!(text.contains("transparent"), "{text}");
    }

    #[test]
    fn damage_is_named() {
        let whole = encode_grey(16, 16, &[77; 256]);
        for cut in [0, 7, 20, whole.len() - 20] {
            let text = decode(&whole[..cut]).unwrap_err();
            assert!(text.contains("not a readable PNG"), "{text}");
        }
        let mut flipped = whole.clone();
        flipped[50] ^= 0x55;
        assert!(decode(&flipped).unwrap_err().contains("not a readable PNG"));
    }

    #[test]
    fn a_header_that_promises_too_much_allocates_nothing() {
        // A valid header chunk for 60000 x 60000 pixels, followed by the data of a small picture.
        let mut bytes = encode_grey(1, 1, &[0]);
        bytes[16..20].copy_from_slice(&60_000_u32.to_be_bytes());
        bytes[20..24].copy_from_slice(&60_000_u32.to_be_bytes());
        let mut crc = flate2::Crc::new();
        crc.update(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&crc.sum().to_be_bytes());
        let text = decode(&bytes).unwrap_err();
        assert!(text.contains("60000x60000") && text.contains("can hold"), "{text}");
    }
}
