//! The colours of the page, once for paper and once for the dark.
//!
//! Plots are drawn in the light colours; a browser swaps them because the stylesheet matches a shape's `fill` or
//! `stroke` by its value. So no two colours may be the same.

use std::fmt::Write as _;

use plotters::style::RGBColor;

/// Text, and what must be seen first.
pub(super) const INK: RGBColor = RGBColor(28, 32, 38);
/// Text that explains.
pub(super) const SOFT: RGBColor = RGBColor(92, 101, 112);
/// Lines between things.
pub(super) const RULE: RGBColor = RGBColor(218, 221, 226);
/// The first of two series; the float net.
pub(super) const FIRST: RGBColor = RGBColor(31, 98, 168);
/// The second of two series; the int8 net.
pub(super) const SECOND: RGBColor = RGBColor(194, 88, 16);
/// Fills that take turns where neighbours must differ.
pub(super) const TURNS: [RGBColor; 5] = [
    RGBColor(70, 120, 180),
    RGBColor(204, 121, 40),
    RGBColor(63, 143, 115),
    RGBColor(150, 95, 160),
    RGBColor(176, 148, 32),
];

/// Name in the stylesheet, in the light, in the dark.
const COLOURS: [(&str, RGBColor, RGBColor); 13] = [
    ("ink", INK, RGBColor(230, 233, 237)),
    ("soft", SOFT, RGBColor(153, 163, 175)),
    ("rule", RULE, RGBColor(52, 58, 66)),
    ("paper", RGBColor(250, 250, 248), RGBColor(20, 22, 26)),
    ("card", RGBColor(255, 255, 255), RGBColor(28, 31, 36)),
    ("first", FIRST, RGBColor(110, 172, 236)),
    ("second", SECOND, RGBColor(240, 150, 82)),
    ("wrong", RGBColor(179, 38, 30), RGBColor(244, 124, 112)),
    ("turn-0", TURNS[0], RGBColor(104, 158, 220)),
    ("turn-1", TURNS[1], RGBColor(224, 150, 80)),
    ("turn-2", TURNS[2], RGBColor(96, 184, 152)),
    ("turn-3", TURNS[3], RGBColor(190, 138, 202)),
    ("turn-4", TURNS[4], RGBColor(212, 186, 80)),
];

/// The head of the stylesheet: a variable a colour (`--ink`, and `--ink-rgb` for shades of it), and the swap.
pub(super) fn stylesheet() -> String {
    let mut light = String::new();
    let mut dark = String::new();
    let mut swap = String::new();
    for (name, day, night) in COLOURS {
        for (text, RGBColor(r, g, b)) in [(&mut light, day), (&mut dark, night)] {
            write!(text, "--{name}:rgb({r},{g},{b});--{name}-rgb:{r},{g},{b};")
                .expect("a string takes any text");
        }
        let RGBColor(r, g, b) = day;
        let hex = format!("#{r:02X}{g:02X}{b:02X}");
        writeln!(
            swap,
            ".plot [fill=\"{hex}\"]{{fill:var(--{name})}}.plot [stroke=\"{hex}\"]{{stroke:var(--{name})}}"
        )
        .expect("a string takes any text");
    }
    format!(":root{{{light}}}\n@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n{swap}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_colours_are_the_same_by_day() {
        for (i, a) in COLOURS.iter().enumerate() {
            for b in &COLOURS[..i] {
                assert_ne!(a.1, b.1, "{} and {}", a.0, b.0);
            }
        }
    }
}
