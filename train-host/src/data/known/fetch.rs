//! Downloading a public set from its mirrors.

use super::Known;
use crate::data::idx::{FILES, Idx, file_name};
use crate::data::write_whole;
use crate::{Error, Result};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::Agent;

/// The largest packed file of any set is 26 MB; what is longer is not one of them.
const MOST: u64 = 64 << 20;

/// Folders of the four files as `<name>-idx?-ubyte.gz`, best first.
pub(super) fn mirrors(name: &str) -> &'static [&'static str] {
    match name {
        "mnist" => &[
            "https://ossci-datasets.s3.amazonaws.com/mnist",
            "https://storage.googleapis.com/cvdf-datasets/mnist",
        ],
        "fashion-mnist" => &[
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
        ],
        _ => &[],
    }
}

/// Downloads the four files into `dir`, each from the first mirror that has the right one. Nothing is written
/// before all four are there and checked.
pub(super) fn set(
    set: &Known,
    mirrors: &[&str],
    dir: &Path,
    progress: &mut dyn FnMut(&str, u64, Option<u64>),
) -> Result<PathBuf> {
    let agent: Agent = Agent::config_builder()
        .timeout_connect(Some(Duration::from_secs(15)))
        .timeout_recv_response(Some(Duration::from_secs(30)))
        .timeout_global(Some(Duration::from_secs(20 * 60)))
        .build()
        .into();
    let mut files = Vec::new();
    for ((part, kind), sha256) in FILES.into_iter().zip(set.sha256) {
        let name = file_name(part, kind) + ".gz";
        let mut failures = Vec::new();
        let found = mirrors.iter().find_map(|mirror| {
            let url = format!("{mirror}/{name}");
            let checked =
                download(&agent, &url, |done, total| progress(&name, done, total)).and_then(|packed| {
                    let most = packed.len().saturating_mul(crate::data::picture::MAX_EXPANSION);
                    let found =
                        Idx::parse(flate2::bufread::MultiGzDecoder::new(&packed[..]), most, kind)?.sha256();
                    if found == sha256 {
                        Ok(packed)
                    } else {
                        Err(format!("SHA-256 {found} instead of {sha256}"))
                    }
                });
            checked.map_err(|what| failures.push(format!("{url}: {what}"))).ok()
        });
        match found {
            Some(packed) => files.push((name, packed)),
            None => {
                return Err(Error::new(format!(
                    "{}: no mirror has the right {name} ({}); install the {} instead",
                    set.name,
                    failures.join("; "),
                    set.package
                )));
            }
        }
    }
    std::fs::create_dir_all(dir).map_err(|e| Error::file(dir, format!("cannot make the folder: {e}")))?;
    for (name, packed) in files {
        write_whole(&dir.join(name), &packed)?;
    }
    Ok(dir.to_owned())
}

/// The body behind `url`.
fn download(agent: &Agent, url: &str, mut progress: impl FnMut(u64, Option<u64>)) -> Result<Vec<u8>, String> {
    let mut response = agent.get(url).call().map_err(|e| e.to_string())?;
    let total = response.body().content_length();
    let mut reader = response.body_mut().with_config().limit(MOST).reader();
    let (mut bytes, mut chunk) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        let got = reader.read(&mut chunk).map_err(|e| e.to_string())?;
        if got == 0 {
            return Ok(bytes);
        }
        bytes.extend_from_slice(&chunk[..got]);
        progress(bytes.len() as u64, total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use sha2::{Digest, Sha256};
    use std::collections::HashMap;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    /// A server on this machine that answers `requests` requests from `files`, and 404 to the others.
    fn serve(files: HashMap<String, Vec<u8>>, requests: usize) -> (String, std::thread::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            for _ in 0..requests {
                let mut stream = listener.accept().unwrap().0;
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
                let path = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
                lines.find(String::is_empty).unwrap();
                let (status, body) = match files.get(&path) {
                    Some(body) => ("200 OK", &body[..]),
                    None => ("404 Not Found", &b"gone"[..]),
                };
                let length = body.len();
                write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")
                    .unwrap();
                stream.write_all(body).unwrap();
            }
        });
        (address, thread)
    }

    /// A tiny set: its packed files under their paths, and its description.
    fn tiny() -> (HashMap<String, Vec<u8>>, Known) {
        let contents: [Vec<u8>; 4] = [[0x803, 2, 1, 1], [0x801, 2, 0, 0], [0x803, 1, 1, 1], [0x801, 1, 0, 0]]
            .map(|words: [u32; 4]| {
                let header = if words[0] == 0x803 { &words[..] } else { &words[..2] };
                header.iter().flat_map(|w| w.to_be_bytes()).chain((0..words[1]).map(|i| i as u8)).collect()
            });
        let sha256 = std::array::from_fn(|i| &*crate::data::hex(&Sha256::digest(&contents[i])).leak());
        let gzip = |bytes: &[u8]| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        };
        let paths = FILES.map(|(part, kind)| format!("/set/{}.gz", file_name(part, kind)));
        let files = paths.into_iter().zip(contents.iter().map(|c| gzip(c))).collect();
        (files, Known { name: "tiny", summary: "", classes: ["c"; 10], sha256, package: "package tiny" })
    }

    const FIRST: &str = "/set/train-images-idx3-ubyte.gz";

    #[test]
    fn good_files_arrive_and_are_whole() {
        let (files, known) = tiny();
        let dir = tempfile::tempdir().unwrap();
        let into = dir.path().join("cache/tiny");
        let (address, server) = serve(files.clone(), 4);
        let mut told = Vec::new();
        let mut progress =
            |name: &str, done: u64, total: Option<u64>| told.push((name.to_owned(), done, total));
        assert_eq!(set(&known, &[&format!("{address}/set")], &into, &mut progress).unwrap(), into);
        server.join().unwrap();
        assert!(known.read(&into).is_ok());
        assert_eq!(std::fs::read_dir(&into).unwrap().count(), 4);
        let length = files[FIRST].len() as u64;
        assert_eq!(told[0], ("train-images-idx3-ubyte.gz".to_owned(), length, Some(length)));
    }

    #[test]
    fn the_second_mirror_serves_when_the_first_does_not() {
        let (files, known) = tiny();
        let dir = tempfile::tempdir().unwrap();
        // Each of the four files is missing at the first place and present at the second.
        let (address, server) = serve(files, 8);
        let mirrors = [format!("{address}/elsewhere"), format!("{address}/set")];
        set(&known, &[&mirrors[0], &mirrors[1]], dir.path(), &mut |_, _, _| {}).unwrap();
        server.join().unwrap();
        assert!(known.read(dir.path()).is_ok());
    }

    /// The error of fetching with one file spoilt. Nothing may have been written.
    fn error_with(spoil: impl Fn(&mut HashMap<String, Vec<u8>>)) -> String {
        let (mut files, known) = tiny();
        spoil(&mut files);
        let dir = tempfile::tempdir().unwrap();
        let (address, server) = serve(files, 1);
        let into = dir.path().join("tiny");
        let text =
            set(&known, &[&format!("{address}/set")], &into, &mut |_, _, _| {}).unwrap_err().to_string();
        server.join().unwrap();
        assert!(!into.exists());
        assert!(
            text.contains("no mirror has the right train-images-idx3-ubyte.gz")
                && text.contains("package tiny")
        );
        text
    }

    #[test]
    fn a_missing_file_is_an_error() {
        let text = error_with(|files| _ = files.remove(FIRST));
        assert!(text.contains("404"), "{text}");
    }

    #[test]
    fn a_wrong_hash_is_an_error() {
        // The test images are a well-formed file of images, but not the training images.
        let text = error_with(|files| {
            let other = files["/set/t10k-images-idx3-ubyte.gz"].clone();
            files.insert(FIRST.to_owned(), other);
        });
        assert!(text.contains("SHA-256") && text.contains("instead of"), "{text}");
    }

    #[test]
    fn a_page_that_is_no_file_is_an_error() {
        let text = error_with(|files| {
            _ = files.insert(FIRST.to_owned(), b"<!doctype html><title>Moved</title>".to_vec());
        });
        assert!(text.contains("cannot unpack"), "{text}");
    }

    #[test]
    fn every_set_has_mirrors() {
        for name in super::super::names() {
            assert!(mirrors(name).len() >= 2, "{name}");
        }
    }

    #[test]
    fn a_mirror_that_does_not_answer_is_an_error() {
        let (_, known) = tiny();
        let dir = tempfile::tempdir().unwrap();
        // A port that was free a moment ago.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mirror = format!("http://127.0.0.1:{port}");
        let text = set(&known, &[&mirror], dir.path(), &mut |_, _, _| {}).unwrap_err().to_string();
        assert!(text.contains(&mirror), "{text}");
    }
}
