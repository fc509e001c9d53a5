//! Rust source as text without comments, strings and test code; enough of a scanner for `absence.rs`.

use std::fs;
use std::path::{Path, PathBuf};

/// A file.
pub(crate) struct Source {
    path: PathBuf,
    code: String,
}

impl Source {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Self { path: path.into(), code: bare(&text) }
    }

    /// The code; lines are where they were.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// `path:line: what`, the path from the project's root on.
    pub(crate) fn place(&self, line: usize, what: &str) -> String {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        format!("{}:{line}: {what}", self.path.strip_prefix(root).unwrap_or(&self.path).display())
    }

    /// Whether it lies in a folder, told from the project's root on.
    pub(crate) fn is_under(&self, folder: &str) -> bool {
        self.path.starts_with(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
    }

    /// Every identifier and keyword, with its line.
    pub(crate) fn words(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().flat_map(|(i, line)| {
            let words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            words.filter(|w| w.starts_with(|c: char| c.is_alphabetic() || c == '_')).map(move |w| (i + 1, w))
        })
    }

    /// Lines with a number that has a fraction.
    pub(crate) fn float_literals(&self) -> impl Iterator<Item = usize> {
        self.code.lines().enumerate().filter_map(|(i, line)| {
            let bytes = line.as_bytes();
            let fraction =
                bytes.windows(3).any(|w| w[0].is_ascii_digit() && w[1] == b'.' && w[2].is_ascii_digit());
            fraction.then_some(i + 1)
        })
    }

    /// Every `match` with its line and the patterns of its arms.
    pub(crate) fn matches(&self) -> Vec<(usize, Vec<String>)> {
        let code = &self.code;
        let is_word = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
        let starts =
            code.match_indices("match ").filter(|&(at, _)| at == 0 || !is_word(code.as_bytes()[at - 1]));
        starts
            .filter_map(|(at, _)| {
                let open = at + code[at..].find('{')?;
                let line = code[..at].lines().count().max(1);
                Some((line, arms(&code[open + 1..])))
            })
            .collect()
    }
}

/// The patterns of a match whose opening brace has just been passed.
fn arms(body: &str) -> Vec<String> {
    let (mut arms, mut pattern, mut depth, mut in_pattern) = (vec![], String::new(), 0, true);
    let mut chars = body.char_indices().peekable();
    while let Some((i, c)) = chars.next() {
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' if depth == 0 => break,
            '}' | ')' | ']' => {
                depth -= 1;
                // The brace that ends a block ends its arm.
                if !in_pattern && depth == 0 && c == '}' {
                    let after = body[i + 1..].trim_start();
                    let goes_on = [".", "?", "else", ",", ")", "as "].iter().any(|s| after.starts_with(s));
                    if !goes_on {
                        (in_pattern, pattern) = (true, String::new());
                        continue;
                    }
                }
            }
            ',' if depth == 0 && !in_pattern => {
                (in_pattern, pattern) = (true, String::new());
                continue;
            }
            '=' if depth == 0 && in_pattern && chars.peek().is_some_and(|&(_, next)| next == '>') => {
                chars.next();
                arms.push(pattern.split_whitespace().collect::<Vec<_>>().join(" "));
                in_pattern = false;
                continue;
            }
            _ => {}
        }
        if in_pattern {
            pattern.push(c);
        }
    }
    arms
}

/// Whether a pattern takes whatever is left: `_` or a lone name, guarded or not.
pub(crate) fn catches_all(pattern: &str) -> bool {
    let pattern = pattern.trim_start_matches(',').trim();
    let bare = pattern.split(" if ").next().unwrap_or(pattern).trim();
    bare == "_"
        || (bare.starts_with(|c: char| c.is_lowercase())
            && bare.chars().all(|c| c.is_alphanumeric() || c == '_'))
}

/// All `.rs` files of a folder, or the one file, but for those that are compiled for tests only.
pub(crate) fn sources(path: &Path) -> Vec<Source> {
    let mut files = vec![];
    collect(path, &mut files);
    let tests: Vec<PathBuf> = files.iter().flat_map(|file| test_modules(file)).collect();
    let kept = files.iter().filter(|file| {
        !tests.iter().any(|test| file.starts_with(test) || *file == &test.with_extension("rs"))
    });
    kept.map(|file| Source::read(file)).collect()
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_dir() {
        let mut entries: Vec<PathBuf> = fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).collect();
        entries.sort();
        entries.iter().for_each(|entry| collect(entry, files));
    } else if path.extension().is_some_and(|e| e == "rs") {
        files.push(path.into());
    }
}

/// The paths, without extension, of modules that a file declares for tests only.
fn test_modules(file: &Path) -> Vec<PathBuf> {
    let text = blank(&fs::read_to_string(file).unwrap());
    let owner = match file.file_stem().and_then(|s| s.to_str()) {
        Some("mod" | "lib" | "main") => file.parent().unwrap().into(),
        _ => file.with_extension(""),
    };
    let declared = text.split("#[cfg(test)]").skip(1).filter_map(|rest| {
        let item = rest.trim_start().split([';', '{']).next()?;
        let ends_flat = rest.trim_start()[item.len()..].starts_with(';');
        let name = item.trim_start_matches("pub(crate) ").strip_prefix("mod ")?;
        ends_flat.then(|| owner.join(name.trim()))
    });
    declared.collect()
}

/// Source without comments, strings and items under `#[cfg(test)]`.
fn bare(text: &str) -> String {
    let mut code = blank(text);
    while let Some(at) = code.find("#[cfg(test)]") {
        let mut depth = 0;
        let mut end = code.len();
        for (i, c) in code[at + 12..].char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 && (c == ';' || c == '}') {
                end = at + 12 + i + 1;
                break;
            }
        }
        let lines: String = code[at..end].chars().filter(|&c| c == '\n').collect();
        code.replace_range(at..end, &lines);
    }
    code
}

/// Source with comments gone and the insides of strings and characters gone; line breaks stay.
fn blank(text: &str) -> String {
    let mut out = String::new();
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut i = 0;
    while i < chars.len() {
        let before = out.chars().last().unwrap_or(' ');
        match (at(i), at(i + 1)) {
            ('/', '/') => {
                while i < chars.len() && at(i) != '\n' {
                    i += 1;
                }
            }
            ('/', '*') => {
                let mut depth = 0;
                loop {
                    match (at(i), at(i + 1)) {
                        ('/', '*') => (depth, i) = (depth + 1, i + 2),
                        ('*', '/') => (depth, i) = (depth - 1, i + 2),
                        (c, _) => {
                            out.extend((c == '\n').then_some(c));
                            i += 1;
                        }
                    }
                    if depth == 0 || i >= chars.len() {
                        break;
                    }
                }
            }
            ('r', '"' | '#')
                if !before.is_alphanumeric() && before != '_' && raw_string(&chars[i + 1..]).is_some() =>
            {
                let length = raw_string(&chars[i + 1..]).unwrap();
                out.push('"');
                out.extend(chars[i..i + 1 + length].iter().filter(|&&c| c == '\n'));
                out.push('"');
                i += 1 + length;
            }
            ('"', _) => {
                out.push('"');
                i += 1;
                while i < chars.len() && at(i) != '"' {
                    out.extend((at(i) == '\n').then_some('\n'));
                    i += if at(i) == '\\' && at(i + 1) != '\n' { 2 } else { 1 };
                }
                out.push('"');
                i += 1;
            }
            ('\'', '\\') => {
                i += 3;
                while i < chars.len() && at(i) != '\'' {
                    i += 1;
                }
                i += 1;
            }
            ('\'', _) if at(i + 2) == '\'' => i += 3,
            (c, _) => {
                out.push(c);
                i += 1;
            }
        }
    }
    out
}

/// Length of a raw string whose `r` has just been passed; `None` if it is none (a raw identifier).
fn raw_string(rest: &[char]) -> Option<usize> {
    let hashes = rest.iter().take_while(|&&c| c == '#').count();
    if rest.get(hashes) != Some(&'"') {
        return None;
    }
    let closes = |w: &[char]| w[0] == '"' && w[1..].iter().all(|&c| c == '#');
    let body = &rest[hashes + 1..];
    let end = body.windows(hashes + 1).position(closes)?;
    Some(hashes + 1 + end + hashes + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source { path: "planted.rs".into(), code: bare(text) }
    }

    #[test]
    fn comments_strings_and_tests_are_taken_out() {
        let text = r##"
            // f32 in a comment
            /* f32 /* nested f32 */ f32 */
            const A: &str = "f32 \" f32";
            const B: &str = r#"f32 " f32"#;
            const C: char = 'f'; const D: char = '\''; fn life<'a>(x: &'a u8) {}
            #[cfg(test)]
            mod tests { fn f() { let x: f32 = 1.5; } }
            #[cfg(test)]
            mod elsewhere;
            const LAST: f64 = 2.5;
        "##;
        let planted = source(text);
        let words: Vec<_> = planted.words().map(|(_, word)| word).collect();
        assert!(!words.contains(&"f32") && words.contains(&"f64") && words.contains(&"life"), "{words:?}");
        assert_eq!(planted.words().find(|&(_, word)| word == "LAST"), Some((11, "LAST")));
        assert_eq!(planted.float_literals().collect::<Vec<_>>(), [11]);
    }

    #[test]
    fn wildcard_arms_are_found_whatever_their_form() {
        let arms_of =
            |body: &str| source(&format!("fn f() {{ match op {{ {body} }} }}")).matches().remove(0).1;
        let good = arms_of(
            "Op::Add => { match x { _ => 0 } } Op::Concat | Op::Relu => f(|_| 1, (2, 3)), Op::Dense(_) => S { a, .. },",
        );
        assert_eq!(good, ["Op::Add", "Op::Concat | Op::Relu", "Op::Dense(_)"]);
        assert!(!good.iter().any(|arm| catches_all(arm)));
        for bad in ["_ => 1", "_ if x > 2 => {}", "other => g(other),", "Op::Relu => [1, 2], _ => 3"] {
            let arms = arms_of(&format!("Op::Add => {{}} {bad}"));
            assert!(arms.iter().any(|arm| catches_all(arm)), "{bad}: {arms:?}");
        }
    }

    #[test]
    fn modules_for_tests_only_are_left_out() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let kept = sources(&root);
        assert!(
            !kept.iter().any(|f| f.path.ends_with("kernels/oracle.rs") || f.path.ends_with("arch/twin.rs"))
        );
        assert!(kept.iter().any(|f| f.path.ends_with("kernels/mod.rs")));
    }
}
