//! Runs cases: variables in, exchanges out.

use std::{collections::BTreeMap, fmt};

use serde_json::Value;

use super::{Carrier, Case, CaseFile, CaseRequest, RawAnswer, Request, Runtime, check, invariants};
use crate::world::World;

/// One exchange as it went over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// Which: file, case, step.
    pub place: String,
    /// What was sent.
    pub request: Request,
    /// What came back.
    pub answer: RawAnswer,
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (request, answer) = (&self.request, &self.answer);
        writeln!(
            f,
            "# {}\n> {} {}",
            self.place, request.method, request.target
        )?;
        for (name, value) in &request.headers {
            let shown = value.get(..60).unwrap_or(value);
            writeln!(f, "> {name}: {shown}")?;
        }
        if !request.body.is_empty() {
            let body = String::from_utf8_lossy(&request.body);
            writeln!(f, "> {}", body.get(..2000).unwrap_or(&body))?;
        }
        writeln!(f, "< {}", answer.status)?;
        for (name, value) in &answer.headers {
            writeln!(f, "< {name}: {value}")?;
        }
        writeln!(f, "< {}", String::from_utf8_lossy(&answer.body))
    }
}

/// What a run gave.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Cases run.
    pub ran: usize,
    /// Cases this runtime could not be given.
    pub skipped: usize,
    /// Everything that went over the wire, in order.
    pub transcript: Vec<Exchange>,
    /// What was wrong, ready to be read.
    pub failures: Vec<String>,
}

impl Outcome {
    /// Panics with every failure.
    pub fn unwrap(&self) {
        let count = self.failures.len();
        assert!(
            count == 0,
            "{count} failures\n\n{}",
            self.failures.join("\n\n")
        );
    }
}

/// Answers that differ between two runs of the same cases, ready to be read.
pub fn differences(one: &Outcome, other: &Outcome) -> Vec<String> {
    let pairs = one.transcript.iter().zip(&other.transcript);
    let differing = pairs.filter(|(one, other)| bytes(one) != bytes(other));
    differing
        .map(|(one, other)| format!("{one}\nbut\n{other}"))
        .collect()
}

/// All of an answer; headers by name, for their order means nothing (RFC 9110 §5.3).
fn bytes(exchange: &Exchange) -> (u16, Vec<(String, String)>, &[u8]) {
    let mut headers = exchange.answer.headers.clone();
    headers.sort();
    (exchange.answer.status, headers, &exchange.answer.body)
}

/// Runs every case of every file, each on a fresh world.
pub fn run(runtime: &dyn Runtime, files: &[CaseFile]) -> Outcome {
    let mut outcome = Outcome::default();
    for file in files {
        for case in &file.cases {
            match runtime.start(&case.given) {
                None => outcome.skipped += 1,
                Some(mut carrier) => {
                    outcome.ran += 1;
                    let place = format!("{} · {} · {}", runtime.name(), file.name, case.name);
                    run_case(&place, case, carrier.as_mut(), &mut outcome);
                }
            }
        }
    }
    outcome
}

/// Runs one case; the first wrong step ends it.
pub fn run_case(place: &str, case: &Case, carrier: &mut dyn Carrier, outcome: &mut Outcome) {
    let mut variables = Variables::default();
    for (index, step) in case.steps.iter().enumerate() {
        let request = match prepare(&step.request, &variables) {
            Ok(request) => request,
            Err(error) => {
                outcome
                    .failures
                    .push(format!("{place} · step {index}: {error}"));
                return;
            }
        };
        let answer = carrier.exchange(&request);
        let exchange = Exchange {
            place: format!("{place} · step {index}"),
            request,
            answer,
        };
        let mut wrong = invariants(&exchange.request, &exchange.answer);
        match variables.answer(&step.answer) {
            Ok(wanted) => wrong.extend(check::check(&wanted, &exchange.answer)),
            Err(error) => wrong.push(error),
        }
        for (name, pointer) in &step.save {
            match variables.save(name, pointer, &exchange.answer) {
                Ok(()) => {}
                Err(error) => wrong.push(error),
            }
        }
        let failed = !wrong.is_empty();
        if failed {
            let list = wrong.join("\n  ");
            outcome.failures.push(format!(
                "{exchange}= {} ({})\n  {list}",
                case.name, case.about
            ));
        }
        outcome.transcript.push(exchange);
        if failed {
            return;
        }
    }
}

fn prepare(raw: &CaseRequest, variables: &Variables) -> Result<Request, String> {
    let mut headers = Vec::new();
    if let Some(name) = &raw.token {
        let token = variables.find(&format!("token.{name}"))?;
        headers.push(("authorization".to_owned(), format!("Bearer {token}")));
    }
    let names: Vec<&str> = raw.headers.keys().map(String::as_str).collect();
    if raw.body.is_some() && !names.contains(&"content-type") {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
    }
    // Named by us, so that two runtimes give the same bytes.
    if !names.contains(&"x-request-id") {
        headers.push(("x-request-id".to_owned(), "case".to_owned()));
    }
    for (name, value) in &raw.headers {
        if !value.is_empty() {
            headers.push((name.clone(), variables.fill(value)?));
        }
    }
    Ok(Request {
        method: raw.method.clone(),
        target: variables.fill(&raw.path)?,
        headers,
        body: body(raw, variables)?,
    })
}

fn body(raw: &CaseRequest, variables: &Variables) -> Result<Vec<u8>, String> {
    match (&raw.body, &raw.text, &raw.hex) {
        (Some(body), None, None) => {
            let body = variables.fill_json(body)?;
            serde_json::to_vec(&body).map_err(|error| error.to_string())
        }
        (None, Some(text), None) => {
            let text = variables.fill(text)?;
            Ok(text.repeat(raw.times.unwrap_or(1)).into_bytes())
        }
        (None, None, Some(hex)) => crate::vectors::from_hex(hex).ok_or("hex digits".to_owned()),
        (None, None, None) => Ok(Vec::new()),
        _ => Err("a request has one of body, text and hex".to_owned()),
    }
}

/// `{group.name}` is of the world, `{name}` was saved by an earlier step.
#[derive(Debug, Default)]
struct Variables(BTreeMap<String, String>);

impl Variables {
    fn find(&self, name: &str) -> Result<String, String> {
        let saved = self.0.get(name).cloned();
        saved
            .or_else(|| World::get().variable(name))
            .ok_or_else(|| format!("no variable {{{name}}}"))
    }

    fn fill(&self, text: &str) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            let name = after.split_once('}').map(|(name, _)| name);
            match name.filter(|name| is_name(name)) {
                Some(name) => {
                    out.push_str(&self.find(name)?);
                    rest = after.get(name.len() + 1..).unwrap_or_default();
                }
                None => {
                    out.push('{');
                    rest = after;
                }
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    fn fill_json(&self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) => Value::String(self.fill(text)?),
            Value::Array(values) => {
                let values = values.iter().map(|value| self.fill_json(value));
                Value::Array(values.collect::<Result<_, _>>()?)
            }
            Value::Object(members) => {
                let members = members
                    .iter()
                    .map(|(name, value)| Ok((self.fill(name)?, self.fill_json(value)?)));
                Value::Object(members.collect::<Result<_, String>>()?)
            }
            other => other.clone(),
        })
    }

    fn answer(&self, raw: &super::CaseAnswer) -> Result<super::CaseAnswer, String> {
        let mut out = raw.clone();
        for value in [&mut out.body, &mut out.like].into_iter().flatten() {
            *value = self.fill_json(value)?;
        }
        for value in out.headers.values_mut().flatten() {
            *value = self.fill(value)?;
        }
        Ok(out)
    }

    /// A whole answer can be saved too: as the text of its JSON, by the empty pointer.
    fn save(&mut self, name: &str, pointer: &str, answer: &RawAnswer) -> Result<(), String> {
        let body = answer
            .json()
            .ok_or("nothing to save in a body without JSON")?;
        let value = body
            .pointer(pointer)
            .ok_or(format!("nothing to save at {pointer}"))?;
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        self.0.insert(name.to_owned(), text);
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
}
