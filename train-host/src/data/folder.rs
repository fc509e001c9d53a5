//! Folders of PNGs, one folder a class: `train/<class>/*.png` and `test/<class>/*.png`, or `<class>/*.png` alone.

use super::{Dataset, Split, hold_out, in_class_order, picture, stem};
use crate::{Error, Result};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Height, width and channels of the first picture read, and its path: what all others must match.
type First = Option<([usize; 3], PathBuf)>;

/// The data set in a folder. Files and folders whose name starts with a dot are passed over, and so is
/// everything in a class folder that is not a `.png`.
///
/// # Errors
/// No class folders, an empty class folder, a class in the test that training lacks, a broken picture, pictures
/// of different sizes or colour.
pub(super) fn load(dir: &Path) -> Result<Dataset> {
    let (train_dir, test_dir) = (dir.join("train"), dir.join("test"));
    let parted = train_dir.is_dir();
    let top = if parted { &train_dir } else { dir };
    let classes = in_class_order(folders(top)?);
    if classes.is_empty() {
        return Err(Error::file(
            top,
            "no data set here: it holds neither class folders of .png files, nor IDX files, nor train.csv",
        ));
    }
    if classes.len() > usize::from(u16::MAX) {
        return Err(Error::file(
            top,
            format!("{} classes, at most {} are possible", classes.len(), u16::MAX),
        ));
    }
    let mut first = None;
    let all = split(top, &classes, &mut first)?;
    let ([height, width, channels], _) = first.clone().expect("every class folder holds a picture");
    let (train, test) = if parted && test_dir.is_dir() {
        let tested = folders(&test_dir)?;
        if let Some(unknown) = tested.iter().find(|name| !classes.contains(name)) {
            return Err(Error::file(
                &test_dir.join(unknown),
                "a class that the training folder does not have",
            ));
        }
        (all, split(&test_dir, &classes, &mut first)?)
    } else {
        hold_out(all, height * width * channels, classes.len())
    };
    Dataset { name: stem(dir), height, width, channels, range: (0.0, 255.0), classes, train, test }
        .checked(dir)
}

/// Reads every class folder that exists below `dir`, classes in order, pictures by file name.
fn split(dir: &Path, classes: &[String], first: &mut First) -> Result<Split> {
    let mut split = Split::default();
    for (label, class) in classes.iter().enumerate() {
        let class_dir = dir.join(class);
        if !class_dir.is_dir() {
            continue;
        }
        let mut files: Vec<PathBuf> = entries(&class_dir)?.filter(|path| is_png(path)).collect();
        if files.is_empty() {
            return Err(Error::file(&class_dir, "empty class folder: it holds no .png file"));
        }
        files.sort();
        for file in files {
            let bytes = std::fs::read(&file).map_err(|e| Error::file(&file, format!("cannot read: {e}")))?;
            let picture = picture::decode(&bytes).map_err(|what| Error::file(&file, what))?;
            let shape = [picture.height, picture.width, picture.channels];
            let (want, of) = first.get_or_insert_with(|| (shape, file.clone()));
            if shape != *want {
                let text =
                    |[h, w, c]: [usize; 3]| format!("{h}x{w}, {}", if c == 1 { "grey" } else { "colour" });
                let (got, want) = (text(shape), text(*want));
                return Err(Error::file(
                    &file,
                    format!("{got}, but {} is {want}: all must be alike", of.display()),
                ));
            }
            split.pixels.extend(picture.pixels.iter().map(|&b| f32::from(b)));
            split.labels.push(label as u16);
        }
    }
    Ok(split)
}

/// Names of the folders in `dir`.
fn folders(dir: &Path) -> Result<BTreeSet<String>> {
    let name = |path: PathBuf| match path.file_name().and_then(|n| n.to_str()) {
        Some(name) => Ok(name.to_owned()),
        None => Err(Error::file(&path, "the name of a class must be UTF-8")),
    };
    entries(dir)?.filter(|path| path.is_dir()).map(name).collect()
}

/// Everything in `dir` whose name does not start with a dot, in no particular order.
fn entries(dir: &Path) -> Result<impl Iterator<Item = PathBuf>> {
    let list = std::fs::read_dir(dir).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let list = list.map_err(|e| Error::file(dir, format!("cannot read: {e}")))?;
    Ok(list.into_iter().filter(|e| !e.file_name().as_encoded_bytes().starts_with(b".")).map(|e| e.path()))
}

fn is_png(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("png")) && path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::picture::encode_grey;

    /// A folder with these files; a value is the grey level of a picture of 2x3 pixels.
    fn folder(files: &[(&str, u8)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for &(name, grey) in files {
            put(dir.path(), name, &encode_grey(2, 3, &[grey; 6]));
        }
        dir
    }

    fn put(dir: &Path, name: &str, bytes: &[u8]) {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn assert_fails(dir: &tempfile::TempDir, parts: &[&str]) {
        let text = Dataset::load(dir.path().to_str().unwrap()).unwrap_err().to_string();
        for part in parts {
            assert!(text.contains(part), "`{part}` in: {text}");
        }
    }

    #[test]
    fn two_parts_are_read_as_they_are() {
        let dir = folder(&[("train/cat/b.png", 2), ("train/cat/a.PNG", 1), ("train/dog/x.png", 3)]);
        put(dir.path(), "test/dog/y.png", &encode_grey(2, 3, &[4; 6]));
        put(dir.path(), "train/dog/.hidden.png", b"not a picture");
        put(dir.path(), "train/dog/notes.txt", b"not a picture");
        let set = Dataset::load(dir.path().to_str().unwrap()).unwrap();
        assert_eq!((set.height, set.width, set.channels, set.len_of_sample()), (2, 3, 1, 6));
        assert_eq!(set.classes, ["cat", "dog"]);
        assert_eq!(set.train.labels, [0, 0, 1]);
        assert_eq!(set.train.pixels, [[1.0; 6], [2.0; 6], [3.0; 6]].concat());
        assert_eq!(set.test, Split { pixels: vec![4.0; 6], labels: vec![1] });
    }

    #[test]
    fn one_part_is_held_out_from_by_file_name() {
        let files: Vec<(String, u8)> = (0..12)
            .flat_map(|i| [(format!("9/{i:02}.png"), i), (format!("10/{i:02}.png"), 100 + i)])
            .collect();
        let files: Vec<(&str, u8)> = files.iter().map(|(name, grey)| (name.as_str(), *grey)).collect();
        let set = load(folder(&files).path()).unwrap();
        assert_eq!(set.classes, ["9", "10"]);
        assert_eq!(set.train.len(), 20);
        assert_eq!(set.test.labels, [0, 0, 1, 1]);
        assert_eq!(set.test.pixels, [[4.0; 6], [9.0; 6], [104.0; 6], [109.0; 6]].concat());
    }

    #[test]
    fn a_picture_of_another_size_is_named() {
        let dir = folder(&[("cat/a.png", 1), ("dog/a.png", 2)]);
        put(dir.path(), "dog/b.png", &encode_grey(3, 2, &[1; 6]));
        assert_fails(&dir, &["dog/b.png: 3x2, grey", "cat/a.png is 2x3, grey"]);
    }

    #[test]
    fn a_broken_picture_is_named() {
        let dir = folder(&[("cat/a.png", 1), ("dog/a.png", 2)]);
        put(dir.path(), "dog/b.png", &encode_grey(2, 3, &[1; 6])[..40]);
        assert_fails(&dir, &["dog/b.png: not a readable PNG"]);
        put(dir.path(), "dog/b.png", b"");
        assert_fails(&dir, &["dog/b.png: not a readable PNG"]);
    }

    #[test]
    fn an_empty_class_folder_is_named() {
        let dir = folder(&[("cat/a.png", 1), ("dog/a.png", 2)]);
        put(dir.path(), "eel/a.jpg", b"");
        assert_fails(&dir, &["eel: empty class folder", "no .png"]);
    }

    #[test]
    fn a_folder_of_nothing_says_what_it_lacks() {
        assert_fails(&folder(&[]), &["neither class folders", "IDX", "train.csv"]);
    }

    #[test]
    fn classes_must_be_two_and_known() {
        let names = ["cat/1.png", "cat/2.png", "cat/3.png", "cat/4.png", "cat/5.png"];
        assert_fails(&folder(&names.map(|n| (n, 1))), &["one class, `cat`", "at least two"]);
        let dir = folder(&[("train/cat/a.png", 1), ("train/dog/a.png", 1), ("test/eel/a.png", 1)]);
        assert_fails(&dir, &["test/eel: a class that the training folder does not have"]);
    }

    #[test]
    fn too_few_to_hold_out_from_says_so() {
        assert_fails(&folder(&[("cat/a.png", 1), ("dog/a.png", 2)]), &["test split is empty", "at least 5"]);
    }
}
