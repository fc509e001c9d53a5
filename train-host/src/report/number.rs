//! Figures as people read them.

/// What stands for a number that is not there.
pub(super) const NONE: &str = "-";

/// `1234567` as `1,234,567`.
pub(super) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `0.98854` as `98.85 %`.
pub(super) fn percent(share: f64) -> String {
    fixed(100.0 * share, 2, " %")
}

/// `value` with so many decimals and a unit; never `-0.00`.
pub(super) fn fixed(value: f64, decimals: usize, unit: &str) -> String {
    if !value.is_finite() {
        return NONE.to_owned();
    }
    let text = format!("{value:.decimals$}");
    let bare = text.strip_prefix('-').filter(|rest| rest.chars().all(|c| c == '0' || c == '.'));
    format!("{}{unit}", bare.unwrap_or(&text))
}

/// `1024` as `1,024 B`.
pub(super) fn bytes(n: usize) -> String {
    format!("{} B", thousands(n as u64))
}

/// `1536` as `1.5 KiB`.
pub(super) fn kibibytes(n: usize) -> String {
    format!("{:.1} KiB", n as f64 / 1024.0)
}

/// Seconds, or minutes and seconds.
pub(super) fn seconds(seconds: f64) -> String {
    if seconds.is_finite() && seconds >= 100.0 {
        let whole = seconds.round() as u64;
        return format!("{} min {:02} s", whole / 60, whole % 60);
    }
    fixed(seconds, 1, " s")
}

/// A loss or another positive number of any size: four significant digits at most.
pub(super) fn compact(value: f64) -> String {
    match value.abs() {
        size if !size.is_finite() => NONE.to_owned(),
        size if size >= 1e5 || (size > 0.0 && size < 1e-3) => format!("{value:.2e}"),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 1.0 => format!("{value:.3}"),
        _ => format!("{value:.4}"),
    }
}

/// `count` and its noun: `1 sample`, `2 samples`.
pub(super) fn counted(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", thousands(count), if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_by_three() {
        let cases = [(0, "0"), (999, "999"), (1_000, "1,000"), (63_660, "63,660"), (1_234_567, "1,234,567")];
        for (n, text) in cases {
            assert_eq!(thousands(n), text);
        }
    }

    #[test]
    fn what_is_not_finite_is_a_dash_and_zero_has_no_sign() {
        assert_eq!(percent(f64::NAN), NONE);
        assert_eq!(percent(0.98854), "98.85 %");
        assert_eq!(fixed(-0.001, 2, " pp"), "0.00 pp");
        assert_eq!(fixed(-0.05, 2, " pp"), "-0.05 pp");
        assert_eq!(seconds(f64::INFINITY), NONE);
        assert_eq!(compact(f64::NAN), NONE);
    }

    #[test]
    fn units_follow_the_size() {
        assert_eq!(bytes(1_024), "1,024 B");
        assert_eq!(kibibytes(12_760), "12.5 KiB");
        assert_eq!(seconds(14.94), "14.9 s");
        assert_eq!(seconds(125.2), "2 min 05 s");
        assert_eq!(
            (compact(2.312_59), compact(0.012_345), compact(1.5e-5)),
            ("2.313".into(), "0.0123".into(), "1.50e-5".into())
        );
        assert_eq!(
            (counted(1, "sample"), counted(2_007, "sample")),
            ("1 sample".into(), "2,007 samples".into())
        );
    }
}
