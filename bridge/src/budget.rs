//! How many requests there may be, and when the next ones (op-account.md §E.2). Pure: the time is an argument.
//!
//! What limits is the account's day, which all of its service accounts share. Polls may use 80 % of it, the rest is for
//! clients' writes and for others. What is left of that share is spread evenly over what is left of the day, by what
//! polls cost lately: so polls come at their interval while little happens, and slow down instead of stopping when much
//! does. From 50 % of an even pace on they come at half the rate in any case. At 80 % of the day only writes use requests.

use sekisho_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::net::MeterReading;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
/// Percent of the pace from which on polls come at half the rate.
const SLOW: u64 = 50;
/// Percent of the day from which on there are none.
const WRITES_ONLY: u64 = 80;
/// Percent of the day that polls are spread for: what is between is for those that cost more than usual.
const AIM: u64 = 75;
/// A day younger than this counts as this old: a first mirror is no pace.
const YOUNG: u64 = DAY / 12;
/// Requests of a poll above which it is no measure for the next one: a first mirror, an import upstream.
const USUAL: u64 = 40;
/// Requests of a client's write, the one that writes among them.
const WRITE: u64 = 3;
/// Hundredths, to keep fractions of requests.
const PARTS: u64 = 100;
/// Percent of an hour's limit that is used.
const OF_HOUR: u64 = 90;
/// Failed sign-ins after which nothing more is sent: they may count, and for everyone on the account.
pub const MAX_SIGN_INS: u32 = 3;

/// A 1Password plan, as far as it limits service accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Requests a day for the whole account.
    pub per_day: u64,
    /// Requests an hour that read, for one token.
    pub reads_per_hour: u64,
    /// Requests an hour that write, for one token.
    pub writes_per_hour: u64,
    /// Seconds between polls.
    pub interval: u64,
}

impl Plan {
    /// Individual and Families.
    pub const FAMILIES: Self = Self {
        per_day: 1_000,
        reads_per_hour: 1_000,
        writes_per_hour: 100,
        interval: 300,
    };
    /// Teams.
    pub const TEAMS: Self = Self {
        per_day: 5_000,
        reads_per_hour: 1_000,
        writes_per_hour: 100,
        interval: 60,
    };
    /// Business.
    pub const BUSINESS: Self = Self {
        per_day: 50_000,
        reads_per_hour: 10_000,
        writes_per_hour: 1_000,
        interval: 10,
    };

    /// A plan by its name, or by the requests it may use a day: three tenths of them are for polls that find nothing.
    pub fn parse(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "individual" | "families" => Some(Self::FAMILIES),
            "teams" => Some(Self::TEAMS),
            "business" => Some(Self::BUSINESS),
            number => {
                let per_day: u64 = number
                    .parse()
                    .ok()
                    .filter(|n| (50..=1_000_000).contains(n))?;
                Some(Self {
                    per_day,
                    reads_per_hour: per_day.clamp(1_000, 10_000),
                    writes_per_hour: (per_day / 10).clamp(100, 1_000),
                    interval: (DAY * 10).div_ceil(per_day * 3).max(5),
                })
            }
        }
    }
}

/// A span of time and what was sent in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Window {
    /// Of the first request in it, seconds; 0 = it has not begun.
    begin: u64,
    reads: u64,
    writes: u64,
}

impl Window {
    const fn total(&self) -> u64 {
        self.reads + self.writes
    }

    /// The same, or a fresh one if it is over.
    const fn at(self, now: u64, length: u64) -> Self {
        if self.begin + length <= now {
            Self {
                begin: 0,
                reads: 0,
                writes: 0,
            }
        } else {
            self
        }
    }

    const fn add(&mut self, now: u64, reads: u64, writes: u64) {
        if self.total() == 0 && reads + writes > 0 {
            self.begin = now;
        }
        self.reads += reads;
        self.writes += writes;
    }
}

/// What was sent, kept over restarts. Times are seconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    hour: Window,
    day: Window,
    /// Nothing is sent before.
    blocked_until: u64,
    /// Which token the failed sign-ins are of.
    token: String,
    failed_sign_ins: u32,
    /// When the last poll began; 0 = never.
    last_poll: u64,
    /// Requests of the day when it began.
    before_poll: u64,
    /// What a poll cost lately, in hundredths of a request.
    poll_cost: u64,
}

/// Why a request has to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Hold {
    /// 1Password said 429.
    #[error("1Password asks to wait until {0}")]
    Limited(Timestamp),
    /// The pace, the day or the hour is used up.
    #[error("the requests of the plan are used up until {0}")]
    Spent(Timestamp),
    /// The token was refused too often.
    #[error(
        "the service account token was refused {MAX_SIGN_INS} times: nothing more is sent until it is replaced"
    )]
    Token,
}

impl Hold {
    /// Seconds until it may be over; `None` = not by waiting.
    pub const fn wait(&self, now: Timestamp) -> Option<u64> {
        match self {
            Self::Limited(until) | Self::Spent(until) => {
                Some(until.seconds().saturating_sub(now.seconds()))
            }
            Self::Token => None,
        }
    }
}

/// The ledger under a plan.
#[derive(Debug, Clone)]
pub struct Budget {
    plan: Plan,
    ledger: Ledger,
}

impl Budget {
    /// Goes on where the ledger ends. Failed sign-ins of another token are forgotten; its requests are not, for the
    /// day is the account's.
    pub fn new(plan: Plan, mut ledger: Ledger, token: &str) -> Self {
        if ledger.token != token {
            token.clone_into(&mut ledger.token);
            ledger.failed_sign_ins = 0;
        }
        Self { plan, ledger }
    }

    /// To be kept.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The plan.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Requests of the day under way.
    pub fn used_today(&self, now: Timestamp) -> u64 {
        self.ledger.day.at(now.seconds(), DAY).total()
    }

    /// When the last poll began.
    pub const fn last_poll(&self) -> Timestamp {
        Timestamp::from_seconds(self.ledger.last_poll)
    }

    /// Refused sign-ins in a row.
    pub const fn failed_sign_ins(&self) -> u32 {
        self.ledger.failed_sign_ins
    }

    /// Notes what was sent.
    pub fn spend(&mut self, now: Timestamp, sent: &MeterReading) {
        let now = now.seconds();
        let (reads, writes) = (sent.reads + sent.sign_ins, sent.writes);
        self.ledger.hour = self.ledger.hour.at(now, HOUR);
        self.ledger.day = self.ledger.day.at(now, DAY);
        self.ledger.hour.add(now, reads, writes);
        self.ledger.day.add(now, reads, writes);
    }

    /// Notes a 429. Where it does not say how long, the hour's end is waited for, or the day's if it is that full.
    pub fn limited(&mut self, now: Timestamp, retry_after: Option<u64>, jitter: u64) {
        let now = now.seconds();
        let day = self.ledger.day.at(now, DAY);
        let end = if day.total() * 10 >= self.plan.per_day * 9 {
            day.begin + DAY
        } else {
            self.ledger.hour.at(now, HOUR).begin.max(1) + HOUR
        };
        let until = retry_after.map_or_else(
            || end.clamp(now + 60, now + DAY),
            |after| now + after.clamp(1, DAY),
        );
        self.ledger.blocked_until = until + jitter % 30;
    }

    /// Notes a sign-in that the service refused, or one that it took.
    pub const fn signed_in(&mut self, failed: u32) {
        self.ledger.failed_sign_ins = failed;
    }

    /// Notes that a poll begins.
    pub fn polling(&mut self, now: Timestamp) {
        self.ledger.last_poll = now.seconds();
        self.ledger.before_poll = self.used_today(now);
    }

    /// Notes that the poll that began last ended.
    pub fn polled(&mut self, now: Timestamp) {
        let cost = self.used_today(now).saturating_sub(self.ledger.before_poll);
        self.ledger.poll_cost = match self.ledger.poll_cost {
            0 if cost > USUAL => 0,
            0 => cost.max(1) * PARTS,
            // One that is dear for once does not count whole; if they stay dear, it gets there soon.
            usual => (usual * 3 + (cost.max(1) * PARTS).min((usual * 2).max(USUAL * PARTS))) / 4,
        };
    }

    /// Percent of the pace that is used.
    pub fn used_percent(&self, now: Timestamp) -> u64 {
        let now = now.seconds();
        let day = self.ledger.day.at(now, DAY);
        let passed = if day.begin == 0 { 0 } else { now - day.begin };
        let pace = self.plan.per_day * passed.max(YOUNG);
        day.total() * 100 * DAY / pace.max(1)
    }

    /// Seconds between polls now.
    pub fn interval(&self, now: Timestamp) -> u64 {
        let interval = if self.used_percent(now) >= SLOW {
            self.plan.interval * 2
        } else {
            self.plan.interval
        };
        interval.max(self.affordable(now))
    }

    /// Seconds between polls so that what is left lasts to the end of the day.
    fn affordable(&self, now: Timestamp) -> u64 {
        let now = now.seconds();
        let day = self.ledger.day.at(now, DAY);
        let end = if day.begin == 0 { now } else { day.begin } + DAY;
        let share = self.plan.per_day * AIM / 100;
        let left = share.saturating_sub(day.total());
        // Clients go on writing as they did: else each write would make what is left later in the day ever less.
        let passed = now.saturating_sub(day.begin).max(YOUNG);
        let to_come = day.writes * WRITE * (end - now).min(DAY) / passed;
        let left = (left - to_come.min(left / 2)).max(1);
        (end - now).min(DAY) * self.ledger.poll_cost / (left * PARTS)
    }

    /// Whether a poll may begin.
    pub fn may_poll(&self, now: Timestamp) -> Result<(), Hold> {
        self.may_read(now, 2)
    }

    /// Whether a poll that began may send so many more requests: it may leave the pace, but not the polls' share of the
    /// day.
    pub fn may_read(&self, now: Timestamp, count: u64) -> Result<(), Hold> {
        self.check(now)?;
        let at = now.seconds();
        let day = self.ledger.day.at(at, DAY);
        if (day.total() + count) * 100 > self.plan.per_day * WRITES_ONLY {
            return Err(Hold::Spent(Timestamp::from_seconds(day.begin + DAY)));
        }
        let hour = self.ledger.hour.at(at, HOUR);
        if (hour.reads + count) * 100 > self.plan.reads_per_hour * OF_HOUR {
            return Err(Hold::Spent(Timestamp::from_seconds(hour.begin + HOUR)));
        }
        Ok(())
    }

    /// Whether a client's write may send so many, two of which read.
    pub fn may_write(&self, now: Timestamp, count: u64) -> Result<(), Hold> {
        self.check(now)?;
        let at = now.seconds();
        let day = self.ledger.day.at(at, DAY);
        if day.total() + count > self.plan.per_day {
            return Err(Hold::Spent(Timestamp::from_seconds(day.begin + DAY)));
        }
        let hour = self.ledger.hour.at(at, HOUR);
        if (hour.writes + 1) * 100 > self.plan.writes_per_hour * OF_HOUR {
            return Err(Hold::Spent(Timestamp::from_seconds(hour.begin + HOUR)));
        }
        Ok(())
    }

    fn check(&self, now: Timestamp) -> Result<(), Hold> {
        if self.ledger.failed_sign_ins >= MAX_SIGN_INS {
            return Err(Hold::Token);
        }
        if now.seconds() < self.ledger.blocked_until {
            let until = Timestamp::from_seconds(self.ledger.blocked_until);
            return Err(Hold::Limited(until));
        }
        Ok(())
    }

    /// When the next poll is due.
    pub fn next_poll(&self, now: Timestamp) -> Timestamp {
        let due = self.ledger.last_poll + self.interval(now);
        let due = match self.may_poll(now) {
            Ok(()) | Err(Hold::Token) => due,
            Err(Hold::Limited(until) | Hold::Spent(until)) => due.max(until.seconds()),
        };
        Timestamp::from_seconds(due)
    }
}

#[cfg(test)]
mod tests;
