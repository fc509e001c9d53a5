//! Small pictures that travel inside the page.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, html};

use crate::{Error, Result};

/// Rows of pixels, 8 bits a sample.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Picture {
    width: usize,
    height: usize,
    /// Samples a pixel: 1 (grey) or 3 (red, green, blue).
    depth: usize,
    samples: Vec<u8>,
}

impl Picture {
    /// `samples` holds `height` x `width` pixels of `depth` samples, 1 or 3.
    ///
    /// # Errors
    /// Where the numbers do not match.
    pub(super) fn new(height: usize, width: usize, depth: usize, samples: Vec<u8>) -> Result<Self> {
        let needed = height.checked_mul(width).and_then(|n| n.checked_mul(depth));
        if needed != Some(samples.len()) || samples.is_empty() || !matches!(depth, 1 | 3) {
            let has = samples.len();
            return Err(Error::new(format!(
                "a picture of {height}x{width}x{depth} cannot hold {has} numbers"
            )));
        }
        Ok(Self { width, height, depth, samples })
    }

    /// The picture as an element, each pixel blown up by a whole number so that the longer side comes close to `side`
    /// pixels.
    ///
    /// # Errors
    /// Where it cannot be encoded.
    pub(super) fn element(&self, side: usize, label: &str) -> Result<Markup> {
        let zoom = (side / self.width.max(self.height)).max(1);
        Ok(html! {
            img src=(self.data_uri()?) width=(self.width * zoom) height=(self.height * zoom) alt=(label);
        })
    }

    /// The PNG, as an address that holds its own data.
    fn data_uri(&self) -> Result<String> {
        let failed = |e: &dyn std::fmt::Display| Error::new(format!("picture: {e}"));
        let side = |n: usize| u32::try_from(n).map_err(|e| failed(&e));
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, side(self.width)?, side(self.height)?);
        encoder.set_color(if self.depth == 3 { png::ColorType::Rgb } else { png::ColorType::Grayscale });
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().map_err(|e| failed(&e))?;
        writer.write_image_data(&self.samples).map_err(|e| failed(&e))?;
        writer.finish().map_err(|e| failed(&e))?;
        Ok(format!("data:image/png;base64,{}", STANDARD.encode(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_png_reads_back() {
        let samples: Vec<u8> = (0..2 * 3 * 3).map(|i| i * 10).collect();
        let picture = Picture::new(2, 3, 3, samples.clone()).expect("six pixels");
        let uri = picture.data_uri().expect("encodes");
        let bytes =
            STANDARD.decode(uri.strip_prefix("data:image/png;base64,").expect("a data URI")).expect("base64");
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().expect("a PNG");
        let mut read = vec![0; reader.output_buffer_size().expect("small")];
        let info = reader.next_frame(&mut read).expect("a frame");
        assert_eq!((info.width, info.height, &read), (3, 2, &samples));
    }

    #[test]
    fn numbers_that_do_not_match_are_refused() {
        for (h, w, d, n) in [(2, 2, 1, 3), (0, 4, 1, 0), (2, 2, 2, 8), (usize::MAX, 2, 1, 4)] {
            let error = Picture::new(h, w, d, vec![0; n]).expect_err("must be refused").to_string();
            assert!(error.contains(&format!("{n} numbers")), "{error}");
        }
    }
}
