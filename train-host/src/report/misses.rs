//! The test samples that one of the nets got wrong.

use maud::{Markup, html};

use super::number::counted;
use super::picture::Picture;
use super::sparkline::sparkline;
use super::{Miss, Report};
use crate::{Error, Result};

/// Samples beyond which the rest is only counted.
const MOST: usize = 60;

/// Pixels of the longer side of a picture, about.
const SIDE: usize = 84;

/// The section; nothing where nothing was tested.
///
/// # Errors
/// Where a sample holds other than `height x width x channels` numbers; names the sample.
pub(super) fn section(report: &Report) -> Result<Option<Markup>> {
    if report.misses.is_empty() {
        let perfect = report.int8.samples > 0 && report.int8.errors == 0 && report.float.errors == 0;
        return Ok(perfect.then(|| {
            html! {
                section {
                    h2 { "Misclassified samples" }
                    p.note { "None: both nets get every test sample right." }
                }
            }
        }));
    }
    let group =
        |keep: fn(&Miss) -> bool| -> Vec<&Miss> { report.misses.iter().filter(|m| keep(m)).collect() };
    let groups = [
        ("Lost to quantisation: float right, int8 wrong", group(|m| m.float == m.truth && m.int8 != m.truth)),
        ("Wrong in both", group(|m| m.float != m.truth && m.int8 != m.truth)),
        ("Won by quantisation: float wrong, int8 right", group(|m| m.float != m.truth && m.int8 == m.truth)),
    ];
    let mut room = MOST;
    let mut shown = Vec::new();
    for (title, misses) in &groups {
        let taken = misses.len().min(room);
        room -= taken;
        let tiles = misses[..taken].iter().map(|miss| tile(report, miss)).collect::<Result<Vec<_>>>()?;
        shown.push((title, misses.len(), tiles));
    }
    Ok(Some(html! {
        section {
            h2 { "Misclassified samples" }
            p.note {
                "Every test sample that the float or the int8 net gets wrong, with its number in the test set. "
                span.wrong { "Red" } " answers are wrong."
            }
            @for (title, count, tiles) in &shown { @if *count > 0 {
                h3 { (title) " " span.soft { "(" (count) ")" } }
                div.misses { @for tile in tiles { (tile) } }
                @if tiles.len() < *count { p.note { (counted((count - tiles.len()) as u64, "more sample")) " not shown." } }
            } }
        }
    }))
}

fn tile(report: &Report, miss: &Miss) -> Result<Markup> {
    let answer = |class: usize| {
        html! { dd.wrong[class != miss.truth] { (report.class(class)) } }
    };
    Ok(html! {
        figure {
            (look(report, miss)?)
            figcaption {
                dl {
                    dt { "truth" } dd { (report.class(miss.truth)) }
                    dt { "float" } (answer(miss.float))
                    dt { "int8" } (answer(miss.int8))
                }
                span.soft { "no. " (miss.index) }
            }
        }
    })
}

/// The sample as a picture, or as a line of its numbers where it is none.
fn look(report: &Report, miss: &Miss) -> Result<Markup> {
    let &Miss { index, ref pixels, height, width, channels, .. } = miss;
    let needed = height.checked_mul(width).and_then(|n| n.checked_mul(channels));
    if needed != Some(pixels.len()) {
        let has = pixels.len();
        return Err(Error::new(format!(
            "sample {index} of {height}x{width}x{channels} cannot hold {has} numbers"
        )));
    }
    let label = format!("sample {index}, {}", report.class(miss.truth));
    if height < 2 || width < 2 || !matches!(channels, 1 | 3) {
        return sparkline(pixels, SIDE as u32, SIDE as u32 / 2, &label);
    }
    // The cast cuts off at 0 and 255; what is not a number becomes 0.
    let samples = pixels.iter().map(|p| p.round() as u8).collect();
    Picture::new(height, width, channels, samples)?.element(SIDE, &label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn miss(index: usize, truth: usize, float: usize, int8: usize) -> Miss {
        Miss { index, pixels: vec![128.0; 16], height: 4, width: 4, channels: 1, truth, float, int8 }
    }

    fn page(misses: Vec<Miss>) -> String {
        let report = Report { misses, ..Report::default() };
        section(&report).expect("draws").expect("has misses").into_string()
    }

    #[test]
    fn what_quantisation_lost_comes_first() {
        let text = page(vec![miss(1, 0, 1, 1), miss(2, 0, 0, 1), miss(3, 0, 1, 0)]);
        let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} in {text}"));
        assert!(at("no. 2") < at("no. 1") && at("no. 1") < at("no. 3"), "{text}");
    }

    #[test]
    fn many_are_counted_and_few_shown() {
        let text = page((0..75).map(|i| miss(i, 0, 1, 1)).collect());
        assert_eq!(text.matches("<img").count(), MOST);
        assert!(text.contains("15 more samples not shown"), "{text}");
    }

    #[test]
    fn what_is_no_picture_is_a_line() {
        let row =
            Miss { pixels: vec![f32::NAN; 640], height: 1, width: 1, channels: 640, ..miss(7, 0, 1, 1) };
        let text = page(vec![row]);
        assert!(text.contains("<svg") && !text.contains("<img"), "{text}");
    }

    #[test]
    fn a_wrong_count_names_the_sample() {
        let report = Report { misses: vec![Miss { height: 5, ..miss(7, 0, 1, 1) }], ..Report::default() };
        let error = section(&report).expect_err("must be refused").to_string();
        assert!(error.contains("sample 7") && error.contains("5x4x1") && error.contains("16"), "{error}");
    }
}
