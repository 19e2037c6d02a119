//! What was found, in words: medians of interleaved rounds, ratios, goals.

use std::time::{Duration, Instant};

use crate::load::Run;

/// The middle one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Something that is loaded, under its name.
pub struct Row<'a> {
    /// Its name.
    pub name: &'static str,
    /// Loads it once.
    pub load: Box<dyn FnMut() -> Run + 'a>,
    /// What came of it.
    pub runs: Vec<Run>,
}

impl<'a> Row<'a> {
    /// A row.
    pub fn new(name: &'static str, load: impl FnMut() -> Run + 'a) -> Self {
        Self {
            name,
            load: Box::new(load),
            runs: Vec::new(),
        }
    }

    /// The median of something over the rounds.
    pub fn median(&self, what: impl Fn(&Run) -> f64) -> f64 {
        median(self.runs.iter().map(what).collect())
    }

    /// Answers a second.
    pub fn rate(&self) -> f64 {
        self.median(|run| run.rate)
    }

    /// The median over the rounds of `what` here divided by `what` there, in the same round: what slows one round
    /// down slows both.
    pub fn ratio(&self, base: &Row<'_>) -> f64 {
        let pairs = self.runs.iter().zip(&base.runs);
        median(pairs.map(|(own, base)| own.rate / base.rate).collect())
    }
}

/// Loads the rows in turn, so many rounds, after one that does not count; then prints them.
pub fn rounds(rows: &mut [Row<'_>], rounds: usize) {
    for round in 0..=rounds {
        for row in &mut *rows {
            let run = (row.load)();
            if round > 0 {
                row.runs.push(run);
            }
        }
    }
    println!(
        "{:<32} {:>10} {:>10} {:>10} {:>12}",
        "", "req/s", "p50 µs", "p99 µs", "cpu µs/req"
    );
    for row in rows {
        println!(
            "{:<32} {:>10.0} {:>10.0} {:>10.0} {:>12.1}",
            row.name,
            row.rate(),
            row.median(|run| micros(run.p50)),
            row.median(|run| micros(run.p99)),
            row.median(|run| micros(run.cpu)),
        );
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Prints whether something reaches a goal.
pub fn at_least(what: &str, found: f64, goal: f64) {
    say(what, found, "at least", goal, found >= goal);
}

/// Prints whether something stays below a goal.
pub fn at_most(what: &str, found: f64, goal: f64) {
    say(what, found, "at most", goal, found <= goal);
}

/// Prints what has no goal: what the goals are to be seen against.
pub fn aside(what: &str, found: f64) {
    println!("{:<10} {what}: {found:.2}", "");
}

fn say(what: &str, found: f64, word: &str, goal: f64, is_reached: bool) {
    let verdict = if is_reached { "PASS" } else { "BELOW GOAL" };
    println!("{verdict:<10} {what}: {found:.2} (goal: {word} {goal})");
}

/// How long something takes.
pub fn time<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    let made = work();
    (made, began.elapsed())
}
