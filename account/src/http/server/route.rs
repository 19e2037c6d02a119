//! Which request means what; see [`super::super`] for the table.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, header, request::Parts};
use sekisho_core::{
    id::EnvironmentId,
    key::DeviceSecret,
    records::{DeleteRequest, PutChunkRequest, PutRequest},
};
use serde::de::DeserializeOwned;

use super::{
    Shared,
    answer::{self, Answer, Form},
};
use crate::{
    Account, AccountError, SignedRequest, UsageReport, clock,
    http::{MAX_WAIT, OPENAPI, ROOT, ROUTES, SCHEME, Version},
};

type Answered = Result<Answer, AccountError>;

pub(super) async fn answer(
    head: &Parts,
    body: Bytes,
    from: String,
    shared: Arc<Shared>,
) -> Answered {
    let unknown = || AccountError::missing("resource", head.uri.path());
    let path = head.uri.path().strip_prefix(ROOT).ok_or_else(unknown)?;
    if !is_known(&head.method, path) {
        return Err(unknown());
    }
    match (&head.method, path) {
        (&Method::GET, "openapi.json") => Ok(answer::document(OPENAPI)),
        (&Method::GET, "health") => answer::json(&serde_json::json!({"status": "ok"})),
        (&Method::POST, "submit") => submit(&body, from, &shared).await,
        _ => {
            let device = authenticate(head, &from, &shared).await?;
            match (&head.method, path) {
                (&Method::GET, "feed") => device.feed(head, &shared).await,
                (&Method::GET, "wait") => device.wait(head, &shared).await,
                (&Method::GET, path) if path.starts_with("files/") => {
                    device.files(path, &shared).await
                }
                (&Method::GET, path) => device.chunk(path, &shared).await,
                (&Method::POST, path) => device.post(path, &body, &shared).await,
                _ => Err(unknown()),
            }
        }
    }
}

/// Whether it is one of [`ROUTES`].
fn is_known(method: &Method, path: &str) -> bool {
    ROUTES.iter().any(|(known, route)| {
        let fits = |(wanted, given): (&str, &str)| wanted.starts_with('{') || wanted == given;
        *known == method.as_str()
            && route.matches('/').count() == path.matches('/').count()
            && route.split('/').zip(path.split('/')).all(fits)
    })
}

async fn submit(body: &[u8], from: String, shared: &Shared) -> Answered {
    let (signed, account): (SignedRequest, _) = (parse(body)?, shared.account.clone());
    let response = shared
        .call(move || account.submit(&signed, &from, clock::now()))
        .await?;
    answer::json(&response)
}

/// serde's text would repeat the body: only the fault is told.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, AccountError> {
    serde_json::from_slice(body)
        .map_err(|_| AccountError::invalid("its body is not what is asked for here"))
}

/// A device that proved itself.
struct Known {
    account: Account,
    environment: EnvironmentId,
}

async fn authenticate(head: &Parts, from: &str, shared: &Shared) -> Result<Known, AccountError> {
    let text = head.headers.get(header::AUTHORIZATION);
    let (environment, device) = text
        .and_then(|value| value.to_str().ok()?.strip_prefix(SCHEME)?.split_once('.'))
        .ok_or(AccountError::DeviceUnknown)?;
    let device = DeviceSecret::parse(device).map_err(|_| AccountError::DeviceUnknown)?;
    let account = shared.account.seen_from(from);
    let (found, account) = shared
        .call(move || Ok((account.authenticate_device(&device)?, account)))
        .await?;
    if found.as_str() == environment {
        let environment = found;
        Ok(Known {
            account,
            environment,
        })
    } else {
        Err(AccountError::DeviceUnknown)
    }
}

impl Known {
    async fn feed(self, head: &Parts, shared: &Shared) -> Answered {
        let cursor = query(head, "cursor").unwrap_or_default().to_owned();
        let limit = number(head, "limit")?.unwrap_or(u64::MAX);
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let Self {
            account,
            environment,
        } = self;
        let form = Form::wanted(head);
        shared
            .call(move || {
                let page = account.changes(&environment, &cursor, limit, clock::now())?;
                answer::large(&page, form)
            })
            .await
    }

    async fn wait(self, head: &Parts, shared: &Shared) -> Answered {
        let known = number(head, "version")?.unwrap_or(0);
        let limit = number(head, "seconds")?.unwrap_or(MAX_WAIT).min(MAX_WAIT);
        let until = tokio::time::Instant::now() + Duration::from_secs(limit);
        let mut commits = shared.commits.subscribe();
        loop {
            commits.mark_unchanged();
            let (account, environment) = (self.account.clone(), self.environment);
            let version = shared.call(move || account.version(&environment)).await?;
            let moved = version != known;
            if moved
                || tokio::time::timeout_at(until, commits.changed())
                    .await
                    .is_err()
            {
                return answer::json(&Version { version });
            }
        }
    }

    async fn files(self, path: &str, shared: &Shared) -> Answered {
        let unknown = || AccountError::missing("resource", path);
        let parts: Vec<&str> = path.split('/').collect();
        let ["files", vault, item] = parts.as_slice() else {
            return Err(unknown());
        };
        let (Ok(vault), Ok(item)) = (vault.parse(), item.parse()) else {
            return Err(unknown());
        };
        let files = shared
            .call(move || self.account.files(&self.environment, &vault, &item))
            .await?;
        answer::json(&files)
    }

    async fn chunk(self, path: &str, shared: &Shared) -> Answered {
        let unknown = || AccountError::missing("resource", path);
        let parts: Vec<&str> = path.split('/').collect();
        let ["chunk", vault, item, file, index] = parts.as_slice() else {
            return Err(unknown());
        };
        let place = (vault.parse(), item.parse(), file.parse(), index.parse());
        let (Ok(vault), Ok(item), Ok(file), Ok(index)) = place else {
            return Err(unknown());
        };
        let chunk = shared
            .call(move || {
                self.account
                    .chunk(&self.environment, &vault, &item, &file, index)
            })
            .await?;
        Ok(answer::bytes(chunk.into_bytes()))
    }

    async fn post(self, path: &str, body: &[u8], shared: &Shared) -> Answered {
        let Self {
            account,
            environment,
        } = self;
        match path {
            "put" => {
                let request: PutRequest = parse(body)?;
                let put = move || account.put(&environment, &request, clock::now());
                shared.call(put).await?;
            }
            "delete" => {
                let request: DeleteRequest = parse(body)?;
                let delete = move || account.delete(&environment, &request, clock::now());
                shared.call(delete).await?;
            }
            "chunk" => {
                let request: PutChunkRequest = parse(body)?;
                let put = move || account.put_chunk(&environment, &request, clock::now());
                shared.call(put).await?;
            }
            "usage" => {
                let reports: Vec<UsageReport> = parse(body)?;
                let report = move || account.report_usage(&environment, &reports);
                shared.call(report).await?;
            }
            _ => return Err(AccountError::missing("resource", path)),
        }
        Ok(answer::nothing())
    }
}

/// A parameter as it stands: cursors and numbers need no escapes.
fn query<'h>(head: &'h Parts, name: &str) -> Option<&'h str> {
    let pairs = head.uri.query()?.split('&');
    let mut pairs = pairs.filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn number(head: &Parts, name: &str) -> Result<Option<u64>, AccountError> {
    let value = query(head, name).filter(|value| !value.is_empty());
    let value = value.map(str::parse).transpose();
    value.map_err(|_| AccountError::invalid("a parameter is not a number"))
}
