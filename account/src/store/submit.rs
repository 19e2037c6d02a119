//! The door for operators: a signed request is verified, noted against replay, then executed.

use rusqlite::params;
use sekisho_core::{id::UserId, time::Timestamp};

use super::{Account, Caller, columns::millis, users};
use crate::{AccountError, Response, SignedRequest, operator::AccountApi, protocol::REPLAY_WINDOW};

impl Account {
    /// Verifies and executes. `from` says where it came from, for the audit.
    pub fn submit(
        &self,
        signed: &SignedRequest,
        from: &str,
        now: Timestamp,
    ) -> Result<Response, AccountError> {
        let key = self.read(|db| users::signing_key(db, &signed.user))?;
        let key = key.ok_or(AccountError::NotAuthenticated)?;
        signed
            .verify(&self.id(), &key)
            .map_err(|_| AccountError::NotAuthenticated)?;
        if !signed.is_fresh(now) {
            let issued_at = signed.issued_at;
            return Err(AccountError::ClockSkew { issued_at, now });
        }
        self.take_nonce(&signed.user, &signed.nonce, signed.issued_at, now)?;
        let caller = Caller {
            user: signed.user,
            from: from.to_owned(),
            now,
        };
        self.execute(&caller, signed.request()?)
    }

    /// Noted before and apart from what is executed: a request that failed must not be replayed either. Not flushed:
    /// a power cut may forget the last nonces, and the requests they belong to are still too old in five minutes.
    fn take_nonce(
        &self,
        user: &UserId,
        nonce: &[u8; 16],
        issued_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), AccountError> {
        let db = self.writer();
        let forgotten = millis(now).saturating_sub(2 * REPLAY_WINDOW.cast_signed() * 1000);
        db.pragma_update(None, "synchronous", "NORMAL")?;
        let noted = db
            .prepare_cached("DELETE FROM nonces WHERE issued < ?")
            .and_then(|mut old| old.execute([forgotten]))
            .and_then(|_| {
                db.prepare_cached(
                    "INSERT OR IGNORE INTO nonces (user, nonce, issued) VALUES (?, ?, ?)",
                )
            })
            .and_then(|mut new| new.execute(params![user.as_str(), nonce, millis(issued_at)]));
        db.pragma_update(None, "synchronous", "FULL")?;
        match noted? {
            1 => Ok(()),
            _ => Err(AccountError::Replayed),
        }
    }
}

impl AccountApi for Account {
    fn call(&self, request: SignedRequest) -> Result<Response, AccountError> {
        self.submit(&request, "local", crate::clock::now())
    }
}
