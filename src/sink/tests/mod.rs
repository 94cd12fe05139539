//! What the tests of the recorder, the file and the repair share: a disk that fills up, and captures by the handful.

mod archive;
mod captures;
mod damage;
mod file;
mod recorder;
mod repair;
mod rotation;
mod writer;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::{Medium, Origin};
use crate::capture::{Item, Play, Played, Reader, Record, Redaction, Seal};
use crate::event::Event;

/// A disk of a size that can change, and that may refuse to cut.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<Platter>>);

#[derive(Default)]
struct Platter {
    bytes: Vec<u8>,
    size: usize,
    cannot_cut: bool,
    syncs: usize,
}

impl Disk {
    fn of(size: usize) -> Self {
        let disk = Self::default();
        disk.resize(size);
        disk
    }

    fn resize(&self, size: usize) {
        self.0.lock().unwrap().size = size;
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().bytes.clone()
    }
}

impl Medium for Disk {
    fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        let mut platter = self.0.lock().unwrap();
        let room = bytes.len().min(platter.size.saturating_sub(offset as usize));
        if room == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let size = platter.bytes.len().max(offset as usize + room);
        platter.bytes.resize(size, 0);
        platter.bytes[offset as usize..][..room].copy_from_slice(&bytes[..room]);
        Ok(room)
    }

    fn cut(&mut self, size: u64) -> io::Result<()> {
        let mut platter = self.0.lock().unwrap();
        if platter.cannot_cut {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        platter.bytes.truncate(size as usize);
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().bytes.len() as u64)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.lock().unwrap().syncs += 1;
        Ok(())
    }
}
