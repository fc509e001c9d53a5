//! An output folder that is replaced whole or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Files on their way into a folder: written beside it, moved in by [`Folder::commit`], removed when dropped
/// before that.
#[derive(Debug)]
pub struct Folder {
    target: PathBuf,
    staging: PathBuf,
    files: Vec<String>,
    /// The target and those above it that were not there before, innermost first.
    made: Vec<PathBuf>,
}

impl Folder {
    /// Prepares to write `target`, which need not exist. Call it before long work: a folder that cannot be written
    /// is found out here.
    ///
    /// # Errors
    /// Names the path that cannot be made.
    pub fn open(target: &Path) -> Result<Self> {
        if target.exists() && !target.is_dir() {
            return Err(Error::file(target, "exists and is not a folder; choose another --out"));
        }
        let missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
        let made = target.ancestors().take_while(missing).map(Path::to_owned).collect();
        fs::create_dir_all(target).map_err(|e| Error::file(target, format!("cannot be made: {e}")))?;
        let staging = target.join(format!(".writing-{}", std::process::id()));
        fs::create_dir_all(&staging).map_err(|e| Error::file(target, format!("cannot be written: {e}")))?;
        Ok(Self { target: target.to_owned(), staging, files: Vec::new(), made })
    }

    /// Writes one file, not yet where readers look.
    ///
    /// # Errors
    /// Names the file that cannot be written.
    pub fn write(&mut self, name: &str, content: &[u8]) -> Result<()> {
        let path = self.staging.join(name);
        fs::write(&path, content).map_err(|e| Error::file(&self.target.join(name), e))?;
        self.files.push(name.to_owned());
        Ok(())
    }

    /// Moves every file into the folder, over those of the same name.
    ///
    /// # Errors
    /// Names the file that cannot be moved.
    pub fn commit(self) -> Result<()> {
        for name in &self.files {
            let path = self.target.join(name);
            fs::rename(self.staging.join(name), &path).map_err(|e| Error::file(&path, e))?;
        }
        Ok(())
    }
}

impl Drop for Folder {
    /// Takes the unfinished files away, and the folders made for them that hold nothing.
    fn drop(&mut self) {
        // Nothing to be done about a failure here, and nobody to tell: the error that led here was told.
        let _ = fs::remove_dir_all(&self.staging);
        for folder in &self.made {
            let _ = fs::remove_dir(folder); // only succeeds on an empty folder
        }
    }
}

/// Writes one file whole or not at all: beside its place, then moved there.
///
/// # Errors
/// Names the file that cannot be written.
pub fn write_beside(path: &Path, content: &[u8]) -> Result<()> {
    let mut name = path.file_name().ok_or_else(|| Error::file(path, "is no file name"))?.to_owned();
    name.push(format!(".writing-{}", std::process::id()));
    let beside = path.with_file_name(name);
    let written = fs::write(&beside, content).and_then(|()| fs::rename(&beside, path));
    written.map_err(|e| {
        let _ = fs::remove_file(&beside); // there may be none
        Error::file(path, e)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_written_whole_or_not_at_all() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let target = dir.path().join("a/b");
        let mut folder = Folder::open(&target).expect("can be made");
        folder.write("x", b"1").expect("can be written");
        assert!(!target.join("x").exists(), "not before commit");
        drop(folder);
        assert!(!dir.path().join("a").exists(), "an abandoned folder leaves nothing");

        let mut folder = Folder::open(&target).expect("can be made");
        folder.write("x", b"1").expect("can be written");
        folder.write("y", b"2").expect("can be written");
        folder.commit().expect("moves");
        let mut names: Vec<_> =
            fs::read_dir(&target).expect("there").map(|e| e.expect("entry").file_name()).collect();
        names.sort();
        assert_eq!(names, ["x", "y"]);

        let mut folder = Folder::open(&target).expect("can be opened again");
        folder.write("x", b"3").expect("can be written");
        drop(folder);
        assert_eq!(fs::read(target.join("x")).expect("there"), b"1", "the old file stays");
    }

    #[test]
    fn a_folder_that_cannot_be_made_names_itself() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let file = dir.path().join("file");
        fs::write(&file, "").expect("can be written");
        let error = Folder::open(&file).expect_err("a file is no folder").to_string();
        assert!(error.contains("file: exists and is not a folder"), "{error}");
        let error = Folder::open(&file.join("below")).expect_err("below a file").to_string();
        assert!(error.contains("below: cannot be made"), "{error}");
    }
}
