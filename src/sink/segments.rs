//! The files of a capture: how those are called that are no longer written to, which belong together, and where in
//! them a record is.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use flate2::read::MultiGzDecoder;

use super::file::CaptureError;
use crate::capture::{LONGEST_LINE, Place, Reader, Record, decode};

/// The number of a capture's first file.
pub(super) const FIRST: u32 = 1;

/// What a capture is read from, packed or not.
pub type Input = Box<dyn BufRead + Send>;

/// Where the places of a capture are.
#[derive(Clone, Debug)]
pub enum Segments {
    /// The file that is written to; those before it have numbers.
    Growing(PathBuf),
    /// The names of each, in their order; whoever reads them adds to the list.
    Played(Arc<Mutex<Vec<Vec<PathBuf>>>>),
}

impl Segments {
    /// What follows that place, unpacked.
    ///
    /// # Errors
    /// The file is gone, or cannot be read.
    pub(super) fn read_from(&self, place: Place) -> io::Result<Box<dyn Read + Send>> {
        let (path, mut file) = self.open(place.segment)?;
        if !is_packed(&path) {
            file.seek(SeekFrom::Start(place.offset))?;
            return Ok(Box::new(file));
        }
        let mut unpacked = MultiGzDecoder::new(BufReader::new(file));
        io::copy(&mut unpacked.by_ref().take(place.offset), &mut io::sink())?;
        Ok(Box::new(unpacked))
    }

    /// A segment that is finished while we look changes its name: the first that is there is it.
    fn open(&self, segment: u32) -> io::Result<(PathBuf, File)> {
        let names = match self {
            Self::Growing(path) => names(path, Some(segment)),
            Self::Played(files) => {
                let files = files.lock().unwrap_or_else(PoisonError::into_inner);
                files.get(segment as usize).cloned().unwrap_or_default()
            }
        };
        let gone =
            || io::Error::new(io::ErrorKind::NotFound, format!("segment {segment} of the capture is gone"));
        // It may move on between two looks: then its earlier name is another segment's by now, and we look again.
        for _ in 0..=names.len() {
            let mut later: Vec<&PathBuf> = Vec::new();
            for name in &names {
                match File::open(name) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => later.push(name),
                    Ok(_) if later.iter().any(|later| later.exists()) => break,
                    opened => return opened.map(|file| (name.clone(), file)),
                }
            }
        }
        Err(gone())
    }
}

/// What a file is called that is written to, or has been: `number` is, or will be, its own.
fn names(path: &Path, number: Option<u32>) -> Vec<PathBuf> {
    let Some(number) = number else { return vec![path.to_owned()] };
    let base = parts(path).map_or_else(|| path.to_owned(), |(base, _)| base);
    let finished = numbered(&base, number);
    vec![packed(&finished), finished, path.to_owned()]
}

/// The names that a file that is read now may have later; `next` is the number that it gets if it is written to.
pub(super) fn names_of(path: &Path, next: Option<u32>) -> Vec<PathBuf> {
    names(path, parts(path).and_then(|(_, number)| number).or(next))
}

/// The number that the file which is written to will have.
pub(super) fn next_number(path: &Path) -> u32 {
    finished(path).map_or(0, |files| files.last().map_or(0, |(number, _)| *number)) + FIRST
}

/// Reads one record again, for those who kept its place only.
///
/// # Errors
/// The file is gone, or has something else there.
pub fn read_at(segments: &Segments, place: Place) -> io::Result<Record> {
    let mut line = Vec::new();
    segments.read_from(place)?.take(place.length.min(LONGEST_LINE)).read_to_end(&mut line)?;
    decode(&line).map_err(|what| io::Error::new(io::ErrorKind::InvalidData, what))
}

/// Opens a capture for reading, packed or not.
///
/// # Errors
/// It is not there, not a file, not a capture, or of a newer version.
pub fn read(path: &Path) -> Result<Reader<Input>, CaptureError> {
    read_from(path, |file| file)
}

/// The same, by way of `input`.
pub(super) fn read_from<R: Read + Send + 'static>(
    path: &Path,
    input: impl FnOnce(File) -> R,
) -> Result<Reader<Input>, CaptureError> {
    let open = |source| CaptureError::Open { path: path.to_owned(), source };
    if fs::metadata(path).map_err(open)?.is_dir() {
        return Err(CaptureError::Directory { path: path.to_owned() });
    }
    let input = unpacked(input(File::open(path).map_err(open)?)).map_err(open)?;
    Reader::new(input).map_err(|source| CaptureError::Read { path: path.to_owned(), source })
}

/// Unpacks what begins as gzip does, and passes on everything else.
///
/// # Errors
/// The input cannot be read.
pub fn unpacked(mut input: impl Read + Send + 'static) -> io::Result<Input> {
    let mut start = Vec::new();
    input.by_ref().take(START).read_to_end(&mut start)?;
    let packed = start.starts_with(&MAGIC);
    let whole = BufReader::with_capacity(1 << 16, io::Cursor::new(start).chain(input));
    Ok(if packed {
        Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(whole)))
    } else {
        Box::new(whole)
    })
}

/// So many bytes come first, for those who look at what it is.
const START: u64 = 512;

/// RFC 1952 2.3.1: how gzip begins.
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// `NAME.0001.jsonl` of `NAME.jsonl`.
pub(super) fn numbered(path: &Path, segment: u32) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (stem, extension) =
        name.rsplit_once('.').map_or((&*name, ""), |(stem, _)| (stem, &name[stem.len()..]));
    path.with_file_name(format!("{stem}.{segment:04}{extension}"))
}

/// `NAME.gz`
pub(super) fn packed(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".gz");
    path.with_file_name(name)
}

fn is_packed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gz")
}

/// The name of a capture by its file's: without what packing and numbers add; and the number.
fn parts(path: &Path) -> Option<(PathBuf, Option<u32>)> {
    let name = path.file_name()?.to_str()?;
    let name = name.strip_suffix(".gz").unwrap_or(name);
    let stem = name.strip_suffix(".jsonl")?;
    let (base, number) = match stem.rsplit_once('.') {
        Some((base, digits)) if digits.len() >= 4 && digits.bytes().all(|b| b.is_ascii_digit()) => {
            (base, digits.parse().ok())
        }
        _ => (stem, None),
    };
    let base = if number.is_some() { base } else { stem };
    Some((path.with_file_name(format!("{base}.jsonl")), number))
}

/// Whether a file is called as captures are.
pub fn is_capture_name(path: &Path) -> bool {
    parts(path).is_some()
}

/// Puts the files together that are segments of one capture, oldest first; everything else is by itself. The order is
/// that of the first of each.
pub fn group(files: &[PathBuf]) -> Vec<Vec<PathBuf>> {
    let mut groups: Vec<(PathBuf, Vec<PathBuf>)> = Vec::new();
    for file in files {
        let base = parts(file).map_or_else(|| file.clone(), |(base, _)| base);
        match groups.iter_mut().find(|(other, _)| *other == base) {
            Some((_, group)) => group.push(file.clone()),
            None => groups.push((base, vec![file.clone()])),
        }
    }
    for (_, group) in &mut groups {
        // The one that is written to is the newest.
        group.sort_by_key(|file| parts(file).and_then(|(_, number)| number).unwrap_or(u32::MAX));
        // A segment that was being packed when the machine went down is there twice.
        let twice: Vec<PathBuf> =
            group.iter().filter(|file| group.contains(&packed(file))).cloned().collect();
        group.retain(|file| !twice.contains(file));
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// The finished segments of the capture that is written to `path`, oldest first, with their numbers.
///
/// # Errors
/// The directory cannot be read.
pub(super) fn finished(path: &Path) -> io::Result<Vec<(u32, PathBuf)>> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let file = path.with_file_name(&name);
        if let Some((base, Some(number))) = parts(&file)
            && base == path
        {
            found.push((number, file));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(names: &[&str]) -> Vec<PathBuf> {
        names.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn segments_are_put_together_in_their_order() {
        let files = paths(&[
            "c/a.jsonl",
            "c/a.0002.jsonl",
            "c/b.jsonl",
            "c/a.0001.jsonl.gz",
            "d/a.jsonl",
            "c/a.0002.jsonl.gz",
            "x.xml",
            "c/2026-11-20T08-00-02Z.0010.jsonl.gz",
            "c/2026-11-20T08-00-02Z.jsonl",
            "c/2026-11-20T08-00-02Z.0009.jsonl",
        ]);
        let expected = [
            paths(&["c/a.0001.jsonl.gz", "c/a.0002.jsonl.gz", "c/a.jsonl"]),
            paths(&["c/b.jsonl"]),
            paths(&["d/a.jsonl"]),
            paths(&["x.xml"]),
            paths(&[
                "c/2026-11-20T08-00-02Z.0009.jsonl",
                "c/2026-11-20T08-00-02Z.0010.jsonl.gz",
                "c/2026-11-20T08-00-02Z.jsonl",
            ]),
        ];
        assert_eq!(group(&files), expected);
    }

    #[test]
    fn names_are_made_as_they_are_read() {
        for (name, segment, expected) in
            [("a/c.jsonl", 7, "a/c.0007.jsonl.gz"), ("c.x.jsonl", 12_345, "c.x.12345.jsonl.gz")]
        {
            let made = packed(&numbered(Path::new(name), segment));
            assert_eq!(made, Path::new(expected));
            assert_eq!(parts(&made), Some((PathBuf::from(name), Some(segment))));
        }
        assert!(!is_capture_name(Path::new("a.xml.gz")) && is_capture_name(Path::new("a.jsonl.gz")));
    }
}
