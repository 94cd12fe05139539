//! The wall clock, read here and nowhere else on the wire, and the word that the time to stop has come.

use tokio::sync::watch;

use crate::event::Time;

/// The present, as events carry it.
pub fn now() -> Time {
    Time(jiff::Timestamp::now().as_millisecond())
}

/// Ends once `stop` is true; also when the one who could tell is gone.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
