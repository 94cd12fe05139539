//! The ways to a row of enrollments, by what an exchange says of its sender: bounded, and forgotten with their row.

use std::collections::HashMap;
use std::hash::Hash;

use super::correlate::Correlator;
use super::row::Row;
use super::state::EnrollmentId;

/// Enrollments beyond this number go, oldest first.
pub(super) const MAX_ROWS: usize = 20_000;
/// Connections, and tokens, whose enrollment is remembered; beyond it all are forgotten, and users and addresses must do.
pub(super) const MAX_KEYS: usize = 65_536;
/// Rows of one address that are searched, the latest: each exchange costs a look at all of them.
const MAX_LISTED: usize = 1024;

impl Correlator {
    /// Beyond the most that are remembered the oldest goes.
    pub(super) fn remember(&mut self, id: EnrollmentId, row: Row) {
        self.rows.insert(id, Box::new(row));
        if self.rows.len() > MAX_ROWS
            && let Some((_, oldest)) = self.rows.pop_first()
        {
            self.unlist(&oldest);
        }
    }

    /// Forgets the ways to a row that is gone.
    pub(super) fn unlist(&mut self, row: &Row) {
        let Row { enrollment, threads, .. } = row;
        let id = enrollment.id;
        unlist_at(&mut self.open_at, &enrollment.address, id);
        unlist_at(&mut self.anchored_at, &enrollment.address, id);
        for thread in threads {
            for (connection, _) in &thread.connections {
                forget(&mut self.by_connection, connection, &id);
            }
            thread.token.iter().for_each(|token| forget(&mut self.by_token, token, &Some(id)));
        }
        enrollment.device_id.iter().for_each(|device| forget(&mut self.by_device, device, &id));
        enrollment.issued.iter().for_each(|issued| forget(&mut self.by_certificate, issued, &id));
    }
}

/// Takes a way out, unless it leads elsewhere by now.
fn forget<K: Hash + Eq, V: PartialEq>(ways: &mut HashMap<K, V>, key: &K, row: &V) {
    if ways.get(key) == Some(row) {
        ways.remove(key);
    }
}

pub(super) fn unlist_at(lists: &mut HashMap<String, Vec<EnrollmentId>>, address: &str, id: EnrollmentId) {
    let Some(ids) = lists.get_mut(address) else { return };
    ids.retain(|other| *other != id);
    if ids.is_empty() {
        lists.remove(address);
    }
}

pub(super) fn list_at(lists: &mut HashMap<String, Vec<EnrollmentId>>, address: &str, id: EnrollmentId) {
    let ids = lists.entry(address.to_owned()).or_default();
    if ids.len() == MAX_LISTED {
        ids.remove(0);
    }
    ids.push(id);
}
