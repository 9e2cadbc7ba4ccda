//! No more messages a second than were asked for.

use std::time::{Duration, Instant};

/// So many messages in a length of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    per_second: f64,
}

impl Rate {
    /// Reads `500`, `500/s`, `30/m` or `10/h`.
    ///
    /// # Errors
    /// Words about what is wrong with it.
    pub fn parse(text: &str) -> Result<Rate, String> {
        let (count, seconds) = match text.split_once('/') {
            None => (text, 1.0),
            Some((count, "s")) => (count, 1.0),
            Some((count, "m")) => (count, 60.0),
            Some((count, "h")) => (count, 3600.0),
            Some((_, unit)) => return Err(format!("{unit:?} is no unit; it is /s, /m or /h")),
        };
        match count.trim().parse::<u32>() {
            Ok(n) if n > 0 => Ok(Rate {
                per_second: f64::from(n) / seconds,
            }),
            Ok(_) | Err(_) => Err("a rate is a whole number above 0, such as 500, 500/s or 30/m".to_owned()),
        }
    }

    /// How many may come at once: those of a tenth of a second, and at least one.
    pub fn burst(self) -> usize {
        ((self.per_second / 10.0) as usize).max(1)
    }
}

/// Keeps a rate: a bucket that fills as time goes by, and never beyond the burst.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    rate: Rate,
    tokens: f64,
    at: Instant,
}

impl Pace {
    pub(super) fn new(rate: Rate, now: Instant) -> Pace {
        Pace {
            rate,
            tokens: rate.burst() as f64,
            at: now,
        }
    }

    fn fill(&mut self, now: Instant) {
        let gone = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + gone * self.rate.per_second).min(self.rate.burst() as f64);
        self.at = now;
    }

    /// Takes `n` if they may go now; more than a burst never may.
    pub(super) fn take(&mut self, n: usize, now: Instant) -> bool {
        self.fill(now);
        let may = self.tokens + 1e-9 >= n as f64;
        if may {
            self.tokens -= n as f64;
        }
        may
    }

    /// How long until `n` may go.
    pub(super) fn wait(&self, n: usize) -> Duration {
        let missing = (n as f64 - self.tokens).max(0.0);
        Duration::from_secs_f64((missing / self.rate.per_second).min(3600.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_as_people_write_them() {
        for (text, burst) in [("500", 50), ("500/s", 50), ("30/m", 1), ("7/h", 1), ("600000/m", 1000)] {
            assert_eq!(Rate::parse(text).unwrap().burst(), burst, "{text}");
        }
        for bad in ["", "0", "-1", "5/d", "1.5", "x", "5/", "/s"] {
            assert!(Rate::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn never_more_than_the_rate_and_a_burst() {
        let (rate, start) = (Rate::parse("200").unwrap(), Instant::now());
        let mut pace = Pace::new(rate, start);
        let mut gone = 0;
        for ms in 0..10_000 {
            let now = start + Duration::from_millis(ms);
            // Somebody who always has more, and sometimes looks away.
            while ms % 700 < 350 && pace.take(1, now) {
                gone += 1;
            }
            assert!(gone <= 20 + ms / 5, "{gone} after {ms} ms");
        }
        // Half of the time was not used, and no more than a burst of it is made good.
        assert!((1000..=1320).contains(&gone), "{gone}");
        assert!(!pace.take(21, start + Duration::from_secs(99)));
        let mut slow = Pace::new(Rate::parse("30/m").unwrap(), start);
        assert!(slow.take(1, start) && !slow.take(1, start));
        assert_eq!(slow.wait(1), Duration::from_secs(2));
        assert!(!slow.take(1, start + Duration::from_millis(1900)));
        assert!(slow.take(1, start + Duration::from_millis(2001)));
    }
}
