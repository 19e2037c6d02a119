//! What goes wrong on demand.

use std::time::Duration;

use serde_json::json;

use crate::Answer;

/// Which requests, and how many of them.
#[derive(Debug, Clone, Copy)]
pub struct When {
    /// How many more.
    pub times: u32,
    /// Part of the path; empty = any.
    pub path: &'static str,
    /// The method; empty = any.
    pub method: &'static str,
}

impl When {
    /// The next requests, whatever they are.
    pub const fn next(times: u32) -> Self {
        Self {
            times,
            path: "",
            method: "",
        }
    }

    /// The next ones whose path holds this.
    pub const fn path(path: &'static str, times: u32) -> Self {
        Self {
            times,
            path,
            method: "",
        }
    }
}

/// How a request goes wrong.
#[derive(Debug, Clone)]
pub enum Fault {
    /// It is refused with this status.
    Status(u16),
    /// 429, with or without `Retry-After` in seconds.
    Limited(Option<u64>),
    /// It is done, but the answer is not JSON.
    Malformed,
    /// It is done, but the answer breaks off.
    Cut,
    /// The connection breaks before it is done.
    Lost,
    /// It is done, but the connection breaks before the answer.
    LostAnswer,
    /// It is done, but late.
    Slow(Duration),
    /// A redirect to another host.
    Redirect(&'static str),
}

impl Fault {
    pub(crate) const fn is_done_first(&self) -> bool {
        matches!(
            self,
            Self::Malformed | Self::Cut | Self::LostAnswer | Self::Slow(_)
        )
    }

    /// What is answered, given what would have been. `None` = the connection breaks.
    pub(crate) fn answer(self, done: Option<Answer>) -> Option<Answer> {
        let refusal = |status| Answer::json(status, &json!({}));
        match self {
            Self::Status(status) => Some(refusal(status)),
            Self::Limited(after) => {
                let mut answer = refusal(429);
                let header = after.map(|after| ("retry-after".to_owned(), after.to_string()));
                answer.headers.extend(header);
                Some(answer)
            }
            Self::Redirect(to) => {
                let mut answer = refusal(302);
                answer.headers.push(("location".to_owned(), to.to_owned()));
                Some(answer)
            }
            Self::Malformed => done.map(|answer| Answer {
                body: b"<html>not what you think</html>".to_vec(),
                ..answer
            }),
            Self::Cut => done.map(|answer| Answer {
                cut: true,
                ..answer
            }),
            Self::Slow(_) => done,
            Self::Lost | Self::LostAnswer => None,
        }
    }
}

pub(crate) struct Pending {
    pub(crate) when: When,
    pub(crate) fault: Fault,
}

/// The fault for a request, if there is one; it is used up by it.
pub(crate) fn next(faults: &mut Vec<Pending>, method: &str, path: &str) -> Option<Fault> {
    let fits = |pending: &Pending| {
        path.contains(pending.when.path)
            && (pending.when.method.is_empty() || pending.when.method == method)
    };
    let at = faults.iter().position(fits)?;
    let pending = &mut faults[at];
    let fault = pending.fault.clone();
    pending.when.times = pending.when.times.saturating_sub(1);
    if pending.when.times == 0 {
        faults.remove(at);
    }
    Some(fault)
}
