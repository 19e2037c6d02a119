//! Untrusted JSON, consumed by taking.
//!
//! Whoever maps a member takes it out; what nobody took is the rest, and the rest is kept. So nothing can be lost by
//! being unknown, which types with named members could not promise.

use serde_json::{Map, Value};

use super::error::ImportError;

/// The members of one object.
#[derive(Debug, Default)]
pub(super) struct Members(Map<String, Value>);

impl Members {
    /// The members of an object, or the value back when it is none.
    pub(super) fn of(value: Value) -> Result<Self, Value> {
        match value {
            Value::Object(map) => Ok(Self(map)),
            other => Err(other),
        }
    }

    pub(super) fn peek(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.shift_remove(name).filter(|value| !value.is_null())
    }

    fn take_if(&mut self, name: &str, wanted: fn(&Value) -> bool) -> Option<Value> {
        let fits = self
            .0
            .get(name)
            .is_some_and(|value| value.is_null() || wanted(value));
        if fits { self.take(name) } else { None }
    }

    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        match self.take_if(name, Value::is_string) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    pub(super) fn list(&mut self, name: &str) -> Option<Vec<Value>> {
        match self.take_if(name, Value::is_array) {
            Some(Value::Array(list)) => Some(list),
            _ => None,
        }
    }

    pub(super) fn object(&mut self, name: &str) -> Option<Self> {
        self.take_if(name, Value::is_object)
            .and_then(|value| Self::of(value).ok())
    }

    pub(super) fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// Puts back what is left of a member that was taken apart.
    pub(super) fn put_rest(&mut self, name: &str, rest: Self) {
        if !rest.is_empty() {
            self.put(name, rest.into_value());
        }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(super) fn drop_nulls(&mut self) {
        self.0.retain(|_, value| !value.is_null());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}

/// Parses `export.data`.
pub(super) fn parse(bytes: &[u8], depth: usize) -> Result<Value, ImportError> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    check_depth(bytes, depth)?;
    // The parser's message repeats the value it stumbled over: only the place may leave.
    serde_json::from_slice(bytes).map_err(|error| ImportError::BadJson {
        line: error.line(),
        column: error.column(),
    })
}

fn check_depth(bytes: &[u8], limit: usize) -> Result<(), ImportError> {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > limit {
            return Err(ImportError::TooDeep { limit });
        }
    }
    Ok(())
}
