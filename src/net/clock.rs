//! The wall clock, read here and nowhere else on the wire.

use crate::event::Time;

/// The present, as events carry it.
pub fn now() -> Time {
    Time(jiff::Timestamp::now().as_millisecond())
}
