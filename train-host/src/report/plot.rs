//! From drawing calls to an SVG that sits in the page.

use maud::{Markup, PreEscaped, html};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::{Error, Result};

/// Drawing units a pixel of the page: the library places things on whole units, and a curve wants finer steps.
pub(super) const FINE: i32 = 4;

/// Height of the text in plots, in pixels.
pub(super) const TEXT: f64 = 12.0;

/// What is drawn on.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// What a drawing call comes to.
pub(super) type Drawn = std::result::Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// A plot of `width` x `height` pixels, with what it shows in words for who cannot see it.
///
/// # Errors
/// Where the library refuses; names the plot.
pub(super) fn plot(
    label: &str,
    width: u32,
    height: u32,
    draw: impl FnOnce(&Area<'_>) -> Drawn,
) -> Result<Markup> {
    let svg = svg(label, width, height, draw)?;
    Ok(html! {
        div.plot role="img" aria-label=(label) { (PreEscaped(svg)) }
    })
}

/// A picture of `width` x `height` pixels, as the text of a file.
///
/// # Errors
/// Where the library refuses; names the picture.
pub(super) fn svg(
    label: &str,
    width: u32,
    height: u32,
    draw: impl FnOnce(&Area<'_>) -> Drawn,
) -> Result<String> {
    let mut svg = String::new();
    let size = [width, height].map(|side| side * FINE as u32);
    {
        let area = SVGBackend::with_string(&mut svg, size.into()).into_drawing_area();
        draw(&area).and_then(|()| area.present()).map_err(|e| Error::new(format!("plot of {label}: {e}")))?;
    }
    // Its size is in drawing units; what shows it by itself wants pixels.
    let units = format!("width=\"{}\" height=\"{}\"", size[0], size[1]);
    Ok(svg.replacen(&units, &format!("width=\"{width}\" height=\"{height}\""), 1))
}

/// A font of `height` pixels in a colour, held at `horizontal` and `vertical`.
pub(super) fn text(height: f64, colour: RGBColor, horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
    // The backend divides the size it is given by 1.24.
    ("sans-serif", height * 1.24 * f64::from(FINE))
        .into_font()
        .color(&colour)
        .pos(Pos::new(horizontal, vertical))
}

/// About how wide a text of `height` pixels is, in pixels. No font is at hand, so this is an upper guess.
pub(super) fn text_width(height: f64, text: &str) -> f64 {
    0.6 * height * text.chars().count() as f64
}
