//! Prometheus' text format, version 0.0.4. Written by hand: `prometheus-client` writes OpenMetrics, whose counters
//! have other names in their `# TYPE` lines than this format asks for.

use std::{
    fmt::{Display, Write},
    sync::atomic::Ordering,
};

use sekisho_core::rest::CONNECT_VERSION;

use super::{BUCKETS, Metrics, VERDICTS, read, upstream};
use crate::engine::Engine;

/// All there is to say about a host.
pub(crate) fn render(engine: &Engine) -> String {
    let mut page = Page::default();
    let backing = engine.backing();
    requests(&mut page, &backing.metrics);
    tokens(&mut page, &backing.metrics);
    calls(&mut page, &backing.metrics);
    circuit(&mut page, &backing.metrics);
    let now = backing.clock.now();
    let vouched = backing.live.vouched_at(now);
    if let (Some(head), Some(vouched)) = (backing.live.snapshot().head(), vouched) {
        let age = now.millis().saturating_sub(vouched.millis());
        page.gauge(
            "sekisho_snapshot_version",
            "Version of the set that is served",
            head.version,
        );
        page.gauge(
            "sekisho_snapshot_age_seconds",
            "Seconds since the account vouched for the set that is served",
            Seconds(age * 1000),
        );
    }
    page.gauge(
        "sekisho_write_queue_depth",
        "Writes that wait for their vault",
        backing.writer.depth(),
    );
    page.gauge(
        "sekisho_usage_queue_depth",
        "Accesses not reported to the account yet",
        backing.usage.depth(),
    );
    page.gauge(
        "sekisho_event_streams",
        "Streams of /v1/events that are open",
        backing.events.open(),
    );
    if let Some((used, most)) = engine.instances() {
        page.gauge(
            "sekisho_instances_in_use",
            "Sandboxes in which a request runs",
            used,
        );
        page.gauge("sekisho_instances_limit", "Sandboxes at once at most", most);
    }
    let name = "sekisho_kept_answers_total";
    let help = "Requests that met an answer kept for their bearer";
    page.family(name, "counter", help);
    page.sample(name, &[], read(&backing.metrics.kept));
    if let Some(bytes) = resident() {
        page.gauge(
            "process_resident_memory_bytes",
            "Resident memory size in bytes.",
            bytes,
        );
    }
    page.family("sekisho_build_info", "gauge", "Which program this is");
    let labels = [
        ("version", env!("CARGO_PKG_VERSION")),
        ("connect_version", CONNECT_VERSION),
        ("engine", engine.kind().as_str()),
    ];
    page.sample("sekisho_build_info", &labels, 1);
    for dependency in &backing.dependencies {
        page.0.push_str(&dependency.metrics());
    }
    page.0
}

fn requests(page: &mut Page, metrics: &Metrics) {
    let routes = metrics
        .routes
        .read()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .clone();
    let name = "sekisho_http_requests_total";
    page.family(name, "counter", "Requests answered, by route and status");
    for ((method, route), series) in &routes {
        for (status, count) in (100..).zip(&series.statuses) {
            let count = read(count);
            if count > 0 {
                let status = status.to_string();
                let labels = [("method", *method), ("route", route), ("status", &status)];
                page.sample(name, &labels, count);
            }
        }
    }
    let name = "sekisho_http_request_duration_seconds";
    page.family(name, "histogram", "Time until an answer begins");
    for ((method, route), series) in &routes {
        let mut sum = 0;
        for (end, count) in BUCKETS.iter().zip(&series.times) {
            sum += read(count);
            let end = Seconds(*end).to_string();
            let labels = [("method", *method), ("route", route), ("le", &end)];
            page.sample(&format!("{name}_bucket"), &labels, sum);
        }
        sum += series.times.last().map_or(0, read);
        let labels = [("method", *method), ("route", route), ("le", "+Inf")];
        page.sample(&format!("{name}_bucket"), &labels, sum);
        let labels = [("method", *method), ("route", *route)];
        page.sample(
            &format!("{name}_sum"),
            &labels,
            Seconds(read(&series.micros)),
        );
        page.sample(&format!("{name}_count"), &labels, sum);
    }
}

fn tokens(page: &mut Page, metrics: &Metrics) {
    let name = "sekisho_token_checks_total";
    page.family(
        name,
        "counter",
        "Tokens looked at, by result: accepted, or the refusal's code",
    );
    for ((_, word), count) in VERDICTS.iter().zip(&metrics.verdicts) {
        page.sample(name, &[("result", word)], read(count));
    }
}

fn calls(page: &mut Page, metrics: &Metrics) {
    let name = "sekisho_upstream_calls_total";
    page.family(name, "counter", "Calls to the account");
    for (call, count) in upstream::CALLS.iter().zip(&metrics.calls.made) {
        page.sample(name, &[("call", call)], read(count));
    }
    let name = "sekisho_upstream_failures_total";
    page.family(name, "counter", "Calls to the account that failed, by kind");
    for (call, counts) in upstream::CALLS.iter().zip(&metrics.calls.failed) {
        for (kind, count) in upstream::FAILURES.iter().zip(counts) {
            page.sample(name, &[("call", call), ("kind", kind)], read(count));
        }
    }
}

fn circuit(page: &mut Page, metrics: &Metrics) {
    let name = "sekisho_upstream_not_asked_total";
    page.family(
        name,
        "counter",
        "Calls to the account that were not made because the last ones failed",
    );
    page.sample(name, &[], read(&metrics.not_asked));
    page.gauge(
        "sekisho_upstream_circuit_open",
        "Whether calls to the account are not made because the last ones failed",
        u8::from(metrics.spares.load(Ordering::Relaxed)),
    );
}

/// Microseconds, shown as seconds.
struct Seconds(u64);

impl Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let whole = self.0 / 1_000_000;
        match self.0 % 1_000_000 {
            0 => write!(f, "{whole}"),
            rest => {
                let rest = format!("{rest:06}");
                write!(f, "{whole}.{}", rest.trim_end_matches('0'))
            }
        }
    }
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "gauge", help);
        self.sample(name, &[], value);
    }

    /// The values of labels are words of this program: nothing in them needs escaping.
    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (position, (label, word)) in labels.iter().enumerate() {
            let open = if position == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{open}{label}=\"{word}\"");
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{close} {value}");
    }
}

/// Where the system tells.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_exact_and_short() {
        let shown =
            [0, 100, 2_500, 1_000_000, 1_500_000, 12_000_001].map(|n| Seconds(n).to_string());
        assert_eq!(shown, ["0", "0.0001", "0.0025", "1", "1.5", "12.000001"]);
    }

    #[test]
    fn this_process_has_memory() {
        if cfg!(target_os = "linux") {
            assert!(resident().is_some_and(|bytes| bytes > 100_000));
        }
    }
}
