//! The engine's clock: a tick every five seconds, told from the times of events.

use crate::event::{Event, Exchange, Time};

/// Milliseconds between two ticks. Ticks fall on multiples of it, so that a live run and its capture have the same.
pub const TICK: i64 = 5_000;

/// After an hour of silence only the last tick before the next event is given: nothing changes in between, and a
/// capture that was continued after a year must not cost millions of them.
const MOST: i64 = 720;

/// Says which ticks are due before an event; time never runs backwards in it.
#[derive(Clone, Debug, Default)]
pub struct Ticker {
    last: Option<Time>,
}

impl Ticker {
    /// The ticks after the last one up to and including `now`, in order. The first call only starts the clock.
    pub fn due(&mut self, now: Time) -> Vec<Time> {
        let latest = Time(now.0.saturating_sub(now.0.rem_euclid(TICK)));
        let Some(last) = self.last.replace(latest) else {
            return Vec::new();
        };
        if latest <= last {
            self.last = Some(last);
            return Vec::new();
        }
        let missed = latest.since(last) / TICK;
        let mut ticks: Vec<_> = (1..=missed.min(MOST)).map(|n| last.plus_millis(n * TICK)).collect();
        if missed > MOST {
            ticks.push(latest);
        }
        ticks
    }
}

/// When an event was ripe for the record: for an exchange that is when its answer had come, not when it began.
pub fn recorded_at(event: &Event) -> Time {
    match event {
        Event::Exchange(exchange) => exchange_ended(exchange),
        Event::Connection(_) | Event::End(_) | Event::Session { .. } | Event::Gap { .. } | Event::Tick(_) => {
            event.at()
        }
    }
}

fn exchange_ended(exchange: &Exchange) -> Time {
    let Some(response) = &exchange.response else {
        return exchange.request.at;
    };
    // An answer takes less than a day; a larger number is damage, and must not turn the clock.
    let receive = exchange.timing.receive.map_or(0, |micros| micros / 1000).min(86_400_000);
    response.at.plus_millis(receive.cast_signed()).max(exchange.request.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(times: &[i64], expected: &[i64]) {
        let mut ticker = Ticker::default();
        let ticks: Vec<_> = times.iter().flat_map(|t| ticker.due(Time(*t))).map(|t| t.0).collect();
        assert_eq!(ticks, expected, "{times:?}");
    }

    #[test]
    fn ticks_fall_on_multiples_and_never_run_backwards() {
        check(&[12_345], &[]);
        check(&[12_345, 14_999], &[]);
        check(&[12_345, 15_000], &[15_000]);
        check(&[12_345, 26_000, 13_000, 26_001, 30_500], &[15_000, 20_000, 25_000, 30_000]);
        check(&[-7_000, 1], &[-5_000, 0]);
    }

    #[test]
    fn long_silence_costs_an_hour_of_ticks_and_one() {
        let mut ticker = Ticker::default();
        ticker.due(Time(0));
        let ticks = ticker.due(Time(400 * 86_400_000 + 1));
        assert_eq!(ticks.len(), 721);
        assert_eq!(ticks.last(), Some(&Time(400 * 86_400_000)));
        assert_eq!(ticker.due(Time(i64::MAX)).len(), 721);
        assert_eq!(ticker.due(Time(i64::MIN)), []);
    }

    #[test]
    fn an_exchange_is_recorded_when_its_answer_had_come() {
        let mut exchange = Exchange::default();
        exchange.request.at = Time(1_000);
        let at = |e: &Exchange| recorded_at(&Event::Exchange(e.clone().into())).0;
        assert_eq!(at(&exchange), 1_000);
        exchange.response = Some(crate::event::Response { at: Time(101_000), ..Default::default() });
        assert_eq!(at(&exchange), 101_000);
        exchange.timing.receive = Some(2_000_999);
        assert_eq!(at(&exchange), 103_000);
        exchange.timing.receive = Some(u64::MAX);
        assert_eq!(at(&exchange), 101_000 + 86_400_000);
    }
}
