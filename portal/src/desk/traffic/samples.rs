//! The last ten minutes of traffic, a sample every few seconds.

use std::collections::VecDeque;
use std::time::Duration;

use cekr_switch::control::process::TrafficView;
use cekr_switch::metrics::buckets::Buckets;
use cekr_switch::sync::{Arc, Mutex};

use crate::Portal;

/// What is kept. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Samples(Arc<Mutex<Kept>>);

impl Samples {
    /// A copy of it, to draw from.
    pub(super) fn read(&self) -> Kept {
        self.0.lock().clone()
    }
}

/// Counters at a moment.
#[derive(Clone, Debug, Default)]
struct Sample {
    /// Milliseconds that the process's own clock showed.
    at_ms: u64,
    answers: u64,
    switch_time: Buckets,
    commit_wait: Buckets,
}

/// The samples of the last ten minutes, the oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    samples: VecDeque<Sample>,
    newest_ms: u64,
}

/// What came within some time.
pub(super) struct Between {
    answers: u64,
    took_ms: u64,
    pub(super) switch_time: Buckets,
    pub(super) commit_wait: Buckets,
}

/// Takes samples until the switch stops.
pub(crate) async fn sample(portal: Portal) {
    let mut stopped = std::pin::pin!(portal.durable().stopped());
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let begun = tokio::time::Instant::now();
    loop {
        let view = portal.durable().process().traffic(portal.durable().control());
        let at_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        portal.samples().0.lock().push(at_ms, &view);
        tokio::select! {
            () = &mut stopped => return,
            _ = ticks.tick() => {}
        }
    }
}

impl Sample {
    fn of(at_ms: u64, view: &TrafficView) -> Sample {
        Sample {
            at_ms,
            answers: view.answers.iter().map(|(_, count)| count).sum(),
            switch_time: view.switch_time.clone(),
            commit_wait: view.commit_wait.clone(),
        }
    }

    fn since(&self, earlier: &Sample) -> Between {
        Between {
            answers: self.answers.saturating_sub(earlier.answers),
            took_ms: self.at_ms.saturating_sub(earlier.at_ms),
            switch_time: self.switch_time.since(&earlier.switch_time),
            commit_wait: self.commit_wait.since(&earlier.commit_wait),
        }
    }
}

impl Between {
    /// Thousandths of an answer a second.
    fn rate_milli(&self) -> u64 {
        let answers = self.answers.saturating_mul(1_000_000);
        answers.checked_div(self.took_ms).unwrap_or_default()
    }

    /// Answers a second with one decimal.
    pub(super) fn rate(&self) -> String {
        let tenths = self.rate_milli() / 100;
        format!("{}.{}", tenths / 10, tenths % 10)
    }
}

impl Kept {
    fn push(&mut self, at_ms: u64, view: &TrafficView) {
        if self.samples.len() >= SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.newest_ms = at_ms;
        self.samples.push_back(Sample::of(at_ms, view));
    }

    /// What came since the sample of a minute ago, or since the oldest.
    pub(super) fn last_minute(&self, now: &TrafficView) -> Between {
        let newest = Sample::of(self.newest_ms, now);
        let since = self.newest_ms.saturating_sub(MINUTE_MS);
        let earlier = self.samples.iter().find(|sample| sample.at_ms >= since);
        newest.since(&earlier.cloned().unwrap_or_default())
    }

    /// Thousandths of an answer a second, from sample to sample.
    pub(super) fn rates_milli(&self) -> Vec<u64> {
        self.between().map(|between| between.rate_milli()).collect()
    }

    /// How long the switch took for `permille` of the answers, from sample to sample.
    pub(super) fn percentiles_ns(&self, permille: u16) -> Vec<u64> {
        self.between().map(|between| between.switch_time.percentile_ns(permille)).collect()
    }

    fn between(&self) -> impl Iterator<Item = Between> {
        let later = self.samples.iter().skip(1);
        self.samples.iter().zip(later).map(|(earlier, later)| later.since(earlier))
    }
}

const EVERY: Duration = Duration::from_secs(5);
/// Ten minutes.
const SAMPLES_MAX: usize = 121;
const MINUTE_MS: u64 = 60 * 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn view(answers: u64) -> TrafficView {
        TrafficView { answers: vec![("00".to_owned(), answers)], ..TrafficView::default() }
    }

    #[test]
    fn rates_come_from_neighbours_and_the_oldest_samples_go() {
        let mut kept = Kept::default();
        for number in 0..200_u64 {
            kept.push(number * 5_000, &view(number * 50));
        }
        assert_eq!(kept.samples.len(), SAMPLES_MAX);
        assert!(kept.rates_milli().iter().all(|rate| *rate == 10_000));
        assert_eq!(kept.last_minute(&view(199 * 50)).rate(), "10.0");
        assert_eq!(kept.percentiles_ns(990).len(), SAMPLES_MAX - 1);
        assert_eq!(Kept::default().last_minute(&view(3)).rate(), "0.0");
    }
}
