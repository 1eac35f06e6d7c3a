//! The results of many runs.

use std::time::Duration;

use super::record::{BROKER, Counts, DATABASE, REST, WORKER};

#[derive(Debug, Default)]
pub struct Totals {
    pub seeds: u64,
    pub failed: Vec<u64>,
    pub sum: Counts,
    pub took: Duration,
}

impl Totals {
    pub fn add(&mut self, seed: u64, counts: Counts) {
        self.seeds += 1;
        if !counts.violations.is_empty() {
            self.failed.push(seed);
        }
        let sum = &mut self.sum;
        for (name, count) in counts.faults {
            *sum.faults.entry(name).or_default() += count;
        }
        for (name, times) in counts.recoveries {
            sum.recoveries.entry(name).or_default().extend(times);
        }
        sum.edits += counts.edits;
        sum.writes += counts.writes;
        sum.loads += counts.loads;
        sum.sockets += counts.sockets;
        sum.messages += counts.messages;
        sum.violations.extend(counts.violations);
    }

    pub fn table(&self) -> String {
        let Counts {
            faults,
            edits,
            writes,
            loads,
            sockets,
            messages,
            recoveries,
            violations,
        } = &self.sum;
        let mut lines = vec![
            format!("seeds        {}", self.seeds),
            format!("took         {:.0} s", self.took.as_secs_f64()),
            format!("operations   {edits} edits in Google, {writes} writes through Calwire"),
            format!(
                "pages        {messages} messages received, {sockets} sockets opened, {loads} snapshots loaded"
            ),
            format!("violations   {}", violations.len()),
            format!("faults       {}", faults.values().sum::<u64>()),
        ];
        lines.extend(
            faults
                .iter()
                .map(|(name, count)| format!("  {name:44} {count:>6}")),
        );
        lines.push(format!("recovery{:61}    p50      max", ""));
        for name in [WORKER, DATABASE, BROKER, REST] {
            let mut times = recoveries.get(name).cloned().unwrap_or_default();
            times.sort();
            let (Some(median), Some(most)) = (times.get(times.len() / 2), times.last()) else {
                continue;
            };
            let (median, most) = (median.as_secs_f64(), most.as_secs_f64());
            let count = times.len();
            lines.push(format!("  {name:60} {count:>4} × {median:>6.2} s {most:>6.2} s"));
        }
        lines.join("\n")
    }
}
