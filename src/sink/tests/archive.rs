//! Archives of Fiddler, and what can be wrong with a zip file.

use std::io::{Cursor, Write as _};

use proptest::prelude::*;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::capture::Imported;
use crate::event::{Event, Exchange};
use crate::sink::{ArchiveError, archive};

const REQUEST: &[u8] = b"POST https://mdm.example/x HTTP/1.1\r\nHost: mdm.example\r\n\r\n<a/>";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<b/>";
const FACTS: &[u8] = br#"<Session><SessionTimers ClientBeginRequest="2026-11-20T08:00:01Z"/></Session>"#;

fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, bytes) in files {
        zip.start_file(*name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn read(bytes: &[u8]) -> (Result<Imported, ArchiveError>, Vec<Exchange>) {
    let mut exchanges = Vec::new();
    let imported = archive(Cursor::new(bytes), |event| {
        if let Event::Exchange(exchange) = event {
            exchanges.push((*exchange).clone());
        }
    });
    (imported, exchanges)
}

fn three() -> Vec<u8> {
    packed(&[
        ("[Content_Types].xml", b"<Types/>"),
        ("raw/10_c.txt", b"GET https://mdm.example/last HTTP/1.1\r\nHost: mdm.example\r\n\r\n"),
        ("raw/10_m.xml", FACTS),
        ("raw/2_s.txt", ANSWER),
        ("raw/2_m.xml", FACTS),
        ("raw/2_c.txt", REQUEST),
        ("../raw/3_c.txt", REQUEST),
        ("/etc/passwd", REQUEST),
        ("raw/4_s.txt", ANSWER),
    ])
}

/// Changes every place that has these bytes.
fn changed(mut file: Vec<u8>, from: &[u8], by: impl Fn(&mut [u8])) -> Vec<u8> {
    let places: Vec<_> = (0..file.len()).filter(|at| file[*at..].starts_with(from)).collect();
    for at in places {
        by(&mut file[at..]);
    }
    file
}

const LOCAL: &[u8] = b"PK\x03\x04";
const LISTED: &[u8] = b"PK\x01\x02";

#[test]
fn sessions_come_in_the_order_of_their_numbers() {
    let (imported, exchanges) = read(&three());
    let imported = imported.unwrap();
    assert_eq!((imported.exchanges, imported.lost.len()), (2, 1));
    assert_eq!(imported.lost.get("sessions without a request"), Some(&1));
    assert_eq!(exchanges.iter().map(|e| e.request.target.as_str()).collect::<Vec<_>>(), ["/x", "/last"]);
    assert!(exchanges[0].response.is_some() && exchanges[1].response.is_none());
}

#[test]
fn what_is_no_archive_or_not_to_be_read_ends_in_a_word() {
    let protected = changed(three(), LOCAL, |file| file[6] |= 1);
    let protected = changed(protected, LISTED, |file| file[8] |= 1);
    for (file, expected) in [
        (b"PK\x03\x04 and nothing more".to_vec(), "the zip file is broken"),
        (packed(&[("a.txt", b"a")]), "there is no raw/N_c.txt in it"),
        (packed(&[]), "there is no raw/N_c.txt in it"),
        (protected, "protected by a password"),
        (three()[..400].to_vec(), "the zip file is broken"),
    ] {
        let (imported, exchanges) = read(&file);
        let error = imported.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(exchanges.is_empty());
    }
}

#[test]
fn sizes_that_lie_change_nothing_or_lose_their_session() {
    let large = |file: &mut [u8]| file[24..28].copy_from_slice(&u32::MAX.wrapping_sub(1).to_le_bytes());
    let small = |file: &mut [u8]| file[24..28].copy_from_slice(&1_u32.to_le_bytes());
    for lie in [large as fn(&mut [u8]), small] {
        let (imported, exchanges) = read(&changed(three(), LISTED, lie));
        let imported = imported.unwrap();
        assert_eq!(imported.exchanges + imported.lost.values().sum::<u64>(), 3, "{imported:?}");
        assert!(exchanges.len() as u64 == imported.exchanges);
    }
    // A checksum that does not hold.
    let (imported, exchanges) = read(&changed(three(), LISTED, |file| file[16] ^= 1));
    assert_eq!(imported.unwrap().lost.get("sessions with a file that cannot be unpacked"), Some(&3));
    assert!(exchanges.is_empty());
}

#[test]
fn of_what_unpacks_to_much_the_beginning_is_taken() {
    let long = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; 40 << 20]].concat();
    let (imported, exchanges) =
        read(&packed(&[("raw/1_c.txt", REQUEST), ("raw/1_m.xml", FACTS), ("raw/1_s.txt", &long)]));
    assert_eq!(imported.unwrap().lost.len(), 1);
    assert_eq!(exchanges[0].response.as_ref().unwrap().body.bytes.len(), 1 << 20);
}

#[test]
fn one_file_that_is_listed_a_thousand_times_is_a_bomb() {
    // All entries of the list lead to the same megabyte of zeros.
    let zeros = [REQUEST, &vec![0; 1 << 20]].concat();
    let names: Vec<_> = (1000..1400).map(|n| format!("raw/{n}_c.txt")).collect();
    let mut files: Vec<(&str, &[u8])> = vec![(names[0].as_str(), &zeros)];
    files.extend(names[1..].iter().map(|name| (name.as_str(), &b""[..])));
    let file = packed(&files);
    let first = file.windows(4).position(|at| at == LISTED).unwrap();
    // Checksum, sizes and place.
    let (facts, place) = (file[first + 16..first + 28].to_vec(), file[first + 42..first + 46].to_vec());
    let bomb = changed(file, LISTED, |entry| {
        entry[16..28].copy_from_slice(&facts);
        entry[42..46].copy_from_slice(&place);
    });
    let (imported, exchanges) = read(&bomb);
    assert!(matches!(imported, Err(ArchiveError::Bomb)), "{imported:?}");
    assert!(exchanges.len() < 400);
}

#[test]
fn a_list_without_end_is_not_read() {
    let names: Vec<_> = (0..300).map(|n| format!("{n}{}", "x".repeat(60_000))).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    let (imported, _) = read(&packed(&files));
    assert!(matches!(imported, Err(ArchiveError::TooMany)), "{imported:?}");
}

proptest! {
    #[test]
    fn damage_anywhere_is_told_and_invents_nothing(at in 0_usize..900, by in any::<[u8; 3]>(), cut in 0_usize..900) {
        let mut file = three();
        for (place, byte) in file.iter_mut().skip(at).zip(by) {
            *place = byte;
        }
        let (_, exchanges) = read(&file);
        prop_assert!(exchanges.len() <= 3);
        file.truncate(cut);
        let (_, exchanges) = read(&file);
        prop_assert!(exchanges.len() <= 3);
    }
}
