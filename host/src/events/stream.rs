//! One client's stream.

use std::{collections::BTreeSet, fmt::Write, sync::Arc, time::Duration};

use bytes::Bytes;
use sekisho_core::{
    changes::{Change, ChangeKind},
    id::{TokenId, VaultId},
    records::TokenState,
};
use serde_json::json;
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval},
};

use super::{Events, Position};
use crate::{clock::Clock, live::Live};

/// A comment when nothing else was sent for so long, so that nobody in between takes the connection for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often the token's time is looked at; revocations come with a swap.
const LOOK: Duration = Duration::from_millis(250);
/// Changes sent in one piece.
const PIECE: usize = 200;

pub(super) struct Stream {
    events: Arc<Events>,
    live: Arc<Live>,
    clock: Arc<dyn Clock>,
    token: TokenId,
    /// The vaults that the token could read when it was last asked.
    scope: BTreeSet<VaultId>,
    at: At,
}

/// How far the client is.
#[derive(Clone, Copy)]
enum At {
    /// It has just come, and wants what happens from now on.
    Start,
    /// It says that it was here before, with an id that makes no sense.
    Lost,
    /// It has everything up to here.
    Number(u64),
}

impl Stream {
    pub(super) fn new(
        events: &Arc<Events>,
        token: TokenId,
        after: Option<&str>,
        live: &Arc<Live>,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let at = match after {
            None | Some("") => At::Start,
            Some(id) => Position::parse(id).map_or(At::Lost, |id| At::Number(id.number)),
        };
        let mut stream = Self {
            events: Arc::clone(events),
            live: Arc::clone(live),
            clock: Arc::clone(clock),
            token,
            scope: BTreeSet::new(),
            at,
        };
        stream.scope = stream.scope_now().unwrap_or_default();
        stream
    }

    /// Ends when the client leaves, the token is no good any more, or the server stops.
    pub(super) async fn run(mut self, sender: mpsc::Sender<Bytes>) {
        let mut swaps = self.events.swaps.subscribe();
        let mut closed = self.events.closed.subscribe();
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut sent_at = Instant::now();
        // The first piece says at once that the stream is open.
        let mut due = true;
        loop {
            tokio::select! {
                place = sender.reserve(), if due => {
                    let Ok(place) = place else { return };
                    let Some(mut piece) = self.next() else { return };
                    if piece.is_empty() && sent_at.elapsed() >= HEARTBEAT {
                        piece.push_str(": still here\n\n");
                    }
                    if !piece.is_empty() {
                        place.send(Bytes::from(piece));
                        sent_at = Instant::now();
                    }
                }
                () = sender.closed() => return,
                _ = closed.wait_for(|closed| *closed) => return,
                // An error means that nothing will change any more; the server is about to stop.
                _ = swaps.changed() => {}
                _ = look.tick() => {}
            }
            let Some(scope) = self.scope_now() else {
                return;
            };
            due = scope != self.scope || self.is_behind() || sent_at.elapsed() >= HEARTBEAT;
        }
    }

    fn is_behind(&self) -> bool {
        let last = self.events.journal().last().number;
        !matches!(self.at, At::Number(number) if number == last)
    }

    /// What the client does not have yet, as far as it goes into one piece; `None` = it may have nothing any more.
    fn next(&mut self) -> Option<String> {
        let scope = self.scope_now()?;
        let mut out = String::new();
        let journal = self.events.journal();
        let last = journal.last();
        let found = match self.at {
            At::Start => {
                // An id alone is no event, but it is where the client goes on if it is cut off now.
                let _ = write!(out, "retry: 2000\nid: {last}\n\n");
                Some(Vec::new())
            }
            At::Lost => None,
            At::Number(number) => journal.after(number, PIECE),
        };
        drop(journal);
        match found {
            Some(found) => {
                let told = |change: &Change| {
                    let was_seen = change.item.is_none()
                        && change.kind == ChangeKind::Deleted
                        && self.scope.contains(&change.vault);
                    was_seen || scope.contains(&change.vault)
                };
                for (position, change) in found.iter().filter(|(_, change)| told(change)) {
                    out.push_str(&event(*position, change));
                }
                let reached = match (found.last(), self.at) {
                    (Some((position, _)), _) => *position,
                    (None, _) => last,
                };
                if out.is_empty() && !found.is_empty() {
                    // Nothing for this client, yet it need not be told again that there was.
                    let _ = write!(out, "id: {reached}\n\n");
                }
                self.at = At::Number(reached.number);
                if scope != self.scope {
                    out.push_str(&reset(reached));
                }
            }
            None => {
                out.push_str(&reset(last));
                self.at = At::Number(last.number);
            }
        }
        self.scope = scope;
        Some(out)
    }

    /// The vaults that the token may read now; `None` = it may not be used any more.
    fn scope_now(&self) -> Option<BTreeSet<VaultId>> {
        let snapshot = self.live.snapshot();
        let record = snapshot.token(&self.token).ok()?;
        let now = self.clock.now();
        let is_good = record.state == TokenState::Active
            && record.expires_at.is_none_or(|expires| expires > now);
        let readable = record.grants.iter().filter(|grant| grant.rights.can_read());
        is_good.then(|| readable.map(|grant| grant.vault).collect())
    }
}

fn event(position: Position, change: &Change) -> String {
    let mut data = json!({ "type": change.kind.as_str(), "vault": change.vault });
    let name = match change.item {
        Some(item) => {
            data["item"] = json!(item);
            "item"
        }
        None => "vault",
    };
    if let Some(version) = change.version {
        data["version"] = json!(version);
    }
    format!("event: {name}\nid: {position}\ndata: {data}\n\n")
}

/// What was missed cannot be told: the client must look for itself.
fn reset(position: Position) -> String {
    format!("event: reset\nid: {position}\ndata: {{\"type\":\"reset\"}}\n\n")
}
