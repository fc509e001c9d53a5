//! CSV files: a header that names the columns, one of them `label`, all others numeric features.
//!
//! A sample of N features has height 1, width 1 and N channels. Labels may be words or numbers.

use super::{Dataset, Split, hold_out, in_class_order, stem};
use crate::{Error, Result};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// The column that names the class of a row.
const LABEL: &str = "label";

/// The rows of one file, labels as they are written.
struct Table {
    features: Vec<String>,
    values: Vec<f32>,
    labels: Vec<String>,
}

/// The data set in a file, its test rows in a second file or held out from the first.
///
/// # Errors
/// An empty file, no `label` column, rows of different lengths, a value that is not a finite number, an empty
/// label, features that are constant. Line and column are named.
pub(super) fn load(path: &Path, test_path: Option<&Path>) -> Result<Dataset> {
    let table = read(path)?;
    let test_table = test_path.map(|p| Ok((p, read(p)?))).transpose()?;
    let classes = in_class_order(table.labels.iter().cloned().collect::<BTreeSet<_>>());
    if classes.len() > usize::from(u16::MAX) {
        return Err(Error::file(
            path,
            format!("{} classes, at most {} are possible", classes.len(), u16::MAX),
        ));
    }
    let channels = table.features.len();
    let all = split(&table, &classes, path)?;
    let (train, test) = match &test_table {
        Some((test_path, test)) if test.features != table.features => {
            return Err(Error::file(test_path, format!("its columns are not those of {}", path.display())));
        }
        Some((test_path, test)) => (all, split(test, &classes, test_path)?),
        None => hold_out(all, channels, classes.len()),
    };
    let low = train.pixels.iter().copied().fold(f32::INFINITY, f32::min);
    let high = train.pixels.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if low == high {
        return Err(Error::file(path, format!("every feature of every training row is {low}")));
    }
    if !(high - low).is_finite() {
        return Err(Error::file(
            path,
            format!("values from {low:e} to {high:e}: the range is too large for f32"),
        ));
    }
    let name = stem(if path.ends_with("train.csv") { path.parent().unwrap_or(path) } else { path });
    Dataset { name, height: 1, width: 1, channels, range: (low, high), classes, train, test }.checked(path)
}

fn split(table: &Table, classes: &[String], path: &Path) -> Result<Split> {
    let numbers: HashMap<&str, u16> = classes.iter().map(String::as_str).zip(0..).collect();
    let label = |name: &String| match numbers.get(name.as_str()) {
        Some(&label) => Ok(label),
        None => Err(Error::file(path, format!("label `{name}` does not occur in the training rows"))),
    };
    let labels = table.labels.iter().map(label).collect::<Result<_>>()?;
    Ok(Split { pixels: table.values.clone(), labels })
}

fn read(path: &Path) -> Result<Table> {
    let bytes = std::fs::read(path).map_err(|e| Error::file(path, format!("cannot read: {e}")))?;
    parse(&bytes).map_err(|what| Error::file(path, what))
}

fn parse(bytes: &[u8]) -> Result<Table, String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes); // the byte order mark some programs write
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(bytes);
    let header = reader.headers().map_err(|e| e.to_string())?.clone();
    if header.is_empty() {
        return Err("empty: the first line must name the columns".to_owned());
    }
    let mut at = header.iter().enumerate().filter(|(_, name)| *name == LABEL).map(|(i, _)| i);
    let label_at = at.next().ok_or_else(|| {
        let names = header.iter().take(8).collect::<Vec<_>>().join(", ");
        format!(
            "no column `{LABEL}` in the header (it names {names}{})",
            if header.len() > 8 { ", ..." } else { "" }
        )
    })?;
    if at.next().is_some() {
        return Err(format!("more than one column `{LABEL}` in the header"));
    }
    let features: Vec<String> =
        header.iter().enumerate().filter(|(i, _)| *i != label_at).map(|(_, name)| name.to_owned()).collect();
    if features.is_empty() {
        return Err(format!("no column besides `{LABEL}`"));
    }
    let mut table = Table { features, values: Vec::new(), labels: Vec::new() };
    for row in reader.records() {
        let row = row.map_err(|e| e.to_string())?;
        let line = || line_at(bytes, row.position().map_or(0, |p| p.byte() as usize));
        if row.len() != header.len() {
            return Err(format!(
                "line {}: {} fields, but the header has {}",
                line(),
                row.len(),
                header.len()
            ));
        }
        for (i, field) in row.iter().enumerate() {
            if i == label_at {
                if field.is_empty() {
                    return Err(format!("line {}, column `{LABEL}`: it is empty", line()));
                }
                table.labels.push(field.to_owned());
            } else {
                let value = field.parse::<f32>().ok().filter(|v| v.is_finite());
                table.values.push(value.ok_or_else(|| {
                    format!("line {}, column `{}`: `{field}` is not a finite number", line(), &header[i])
                })?);
            }
        }
    }
    if table.labels.is_empty() {
        return Err("no rows after the header".to_owned());
    }
    Ok(table)
}

/// The line, from 1, of the first text at or after byte `from`: a record's own position is before the empty lines
/// that precede it.
fn line_at(bytes: &[u8], from: usize) -> usize {
    let empty = bytes[from..].iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    1 + bytes[..from + empty].iter().filter(|&&b| b == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_text(text: &str) -> Result<Dataset> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sensor.csv");
        std::fs::write(&path, text).unwrap();
        Dataset::load(path.to_str().unwrap())
    }

    fn assert_fails(text: &str, parts: &[&str]) {
        let error = load_text(text).unwrap_err().to_string();
        assert!(!error.contains('\n'));
        for part in parts.iter().chain(&["sensor.csv: "]) {
            assert!(error.contains(part), "`{part}` in: {error}");
        }
    }

    #[test]
    fn the_label_may_stand_anywhere_and_be_a_word() {
        let mut text = String::from("\u{feff}x, label ,\"y, z\"\r\n");
        for i in 0..10 {
            text += &format!("{i},{},-{i}.5\r\n", if i < 5 { "off" } else { "'on'" });
        }
        let set = load_text(&text).unwrap();
        assert_eq!(set.name, "sensor");
        assert_eq!((set.height, set.width, set.channels), (1, 1, 2));
        assert_eq!(set.classes, ["'on'", "off"]);
        assert_eq!(set.train.pixels[..4], [0.0, -0.5, 1.0, -1.5]);
        assert_eq!(set.train.labels, [1, 1, 1, 1, 0, 0, 0, 0]);
        assert_eq!(set.test, Split { pixels: vec![4.0, -4.5, 9.0, -9.5], labels: vec![1, 0] });
        // The range is that of the training rows: the least of all, -9.5, is in the test.
        assert_eq!(set.range, (-8.5, 8.0));
        let normalised = set.normalised(&set.train);
        assert!(normalised.iter().all(|v| (-1.0..=1.0).contains(v)) && normalised.contains(&-1.0));
    }

    #[test]
    fn two_files_are_two_splits() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("train.csv", "label,x\n10,1\n9,2\n");
        write("test.csv", "label,x\n10,3\n");
        let set = Dataset::load(dir.path().to_str().unwrap()).unwrap();
        assert_eq!(set.classes, ["9", "10"]);
        assert_eq!(set.train, Split { pixels: vec![1.0, 2.0], labels: vec![1, 0] });
        assert_eq!(set.test, Split { pixels: vec![3.0], labels: vec![1] });
        let fails = |part: &str| {
            let text = Dataset::load(dir.path().to_str().unwrap()).unwrap_err().to_string();
            assert!(text.contains(part), "{text}");
        };
        write("test.csv", "label,x\n11,3\n");
        fails("test.csv: label `11` does not occur");
        write("test.csv", "label,y\n10,3\n");
        fails("test.csv: its columns are not those of");
    }

    #[test]
    fn values_that_are_not_finite_numbers_are_placed() {
        for bad in ["NaN", "inf", "-inf", "1e999", "", "one"] {
            assert_fails(
                &format!("x,label,volt\n1,a,2\n\n3,b,{bad}\n"),
                &["line 4, column `volt`", &format!("`{bad}` is not a finite number")],
            );
        }
    }

    #[test]
    fn the_header_must_have_a_label_and_a_feature() {
        assert_fails("x,y\n1,2\n", &["no column `label`", "x, y"]);
        assert_fails("label,x,label\na,1,b\n", &["more than one column `label`"]);
        assert_fails("label\na\nb\n", &["no column besides `label`"]);
        assert_fails("", &["empty"]);
        assert_fails("\n\n", &["empty"]);
        assert_fails("x,label\n", &["no rows"]);
    }

    #[test]
    fn ragged_rows_are_placed() {
        assert_fails("x,label\n1,a\n2,b,3\n", &["line 3: 3 fields", "header has 2"]);
        assert_fails("x,label\n1,a\n2\n", &["line 3: 1 fields", "header has 2"]);
        assert_fails("x,label\n1,\n", &["line 2, column `label`: it is empty"]);
    }

    #[test]
    fn what_cannot_be_learned_from_is_refused() {
        assert_fails("x,label\n1,a\n2,a\n3,a\n4,a\n5,a\n", &["one class, `a`", "at least two"]);
        assert_fails("x,label\n1,a\n1,b\n", &["every feature of every training row is 1"]);
        assert_fails("x,label\n3e38,a\n-3e38,b\n", &["range is too large"]);
        assert_fails("x,label\n1,a\n2,b\n", &["test split is empty", "at least 5"]);
    }

    #[test]
    fn text_that_is_not_utf8_is_an_error_of_one_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sensor.csv");
        std::fs::write(&path, b"x,label\n1,\xff\n").unwrap();
        let text = Dataset::load(path.to_str().unwrap()).unwrap_err().to_string();
        assert!(text.contains("sensor.csv: ") && text.contains("UTF-8") && text.contains("line"), "{text}");
    }
}
