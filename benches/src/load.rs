//! A load generator: one thread, connections that are kept, requests whose bytes never change.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream as BlockingStream},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Builder,
    task::JoinSet,
};

/// Connections of a run.
pub const CONNECTIONS: usize = 16;
const THREAD: &str = "load";

/// A request without a body.
pub fn get(path: &str, token: &str, extra: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n{extra}\r\n"
    )
    .into_bytes()
}

/// A request with one.
pub fn put(path: &str, token: &str, body: &[u8]) -> Vec<u8> {
    let mut out = format!(
        "PUT {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    out.extend_from_slice(body);
    out
}

/// What a client does between answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// It sleeps, as clients do. To wake it costs 5 µs and more of the server's thread in a virtual machine, and only a
    /// server that is slower than its client finds it asleep.
    Sleeps,
    /// It looks for answers all the time, so that a server is measured and not its wake-ups. It takes a processor of its
    /// own: for servers that leave it one.
    StaysAwake,
}

/// What one run found.
#[derive(Debug, Clone)]
pub struct Run {
    /// Answers a second.
    pub rate: f64,
    /// Half of the answers took no longer.
    pub p50: Duration,
    /// Nearly all of the answers took no longer.
    pub p99: Duration,
    /// Processor time of this process for one answer, the generator's own left out.
    pub cpu: Duration,
}

/// Asks for `time`, one request after another on each of [`CONNECTIONS`]; connection `n` sends request
/// `n % requests.len()`. Every answer must have this status.
pub fn load(
    client: Client,
    addr: SocketAddr,
    requests: &[Vec<u8>],
    status: u16,
    time: Duration,
) -> Run {
    let before = cpu_of_others();
    let thread = std::thread::Builder::new().name(THREAD.into());
    let requests = requests.to_vec();
    let run = move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        if client == Client::StaysAwake {
            runtime.spawn(stay_awake());
        }
        runtime.block_on(ask_all(addr, requests, status, time))
    };
    let (mut latencies, took) = thread.spawn(run).unwrap().join().unwrap();
    let cpu = cpu_of_others().saturating_sub(before);
    latencies.sort_unstable();
    let count = latencies.len();
    let nth = |part: f64| {
        let at = ((count - 1) as f64 * part) as usize;
        Duration::from_nanos(latencies.get(at).copied().unwrap_or_default())
    };
    Run {
        rate: count as f64 / took.as_secs_f64(),
        p50: nth(0.5),
        p99: nth(0.99),
        cpu: cpu / count as u32,
    }
}

async fn stay_awake() {
    loop {
        tokio::task::yield_now().await;
    }
}

async fn ask_all(
    addr: SocketAddr,
    requests: Vec<Vec<u8>>,
    status: u16,
    time: Duration,
) -> (Vec<u64>, Duration) {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let stream = TcpStream::connect(addr).await.unwrap();
        stream.set_nodelay(true).unwrap();
        connections.push(stream);
    }
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for (at, stream) in connections.into_iter().enumerate() {
        let request = requests.get(at % requests.len()).unwrap().clone();
        tasks.spawn(ask(stream, request, status, began + time));
    }
    let latencies = tasks.join_all().await.concat();
    (latencies, began.elapsed())
}

async fn ask(mut stream: TcpStream, request: Vec<u8>, status: u16, end: Instant) -> Vec<u64> {
    let begin = format!("HTTP/1.1 {status} ").into_bytes();
    let mut buffer = vec![0; 512 * 1024];
    let mut latencies = Vec::with_capacity(64 * 1024);
    let mut sent = Instant::now();
    while sent < end {
        stream.write_all(&request).await.unwrap();
        let mut held = 0;
        let mut whole = None;
        while whole.is_none_or(|whole| held < whole) {
            let more = stream.read(&mut buffer[held..]).await.unwrap();
            assert!(more > 0, "the server closed the connection");
            held += more;
            if whole.is_none() {
                whole = length(&buffer[..held]);
            }
            if whole.is_some_and(|whole| whole > buffer.len()) {
                buffer.resize(whole.unwrap_or_default(), 0);
            }
        }
        assert!(
            buffer.starts_with(&begin),
            "not {status}: {}",
            String::from_utf8_lossy(&buffer[..held.min(1000)])
        );
        let now = Instant::now();
        latencies.push((now - sent).as_nanos() as u64);
        sent = now;
    }
    latencies
}

/// Bytes of the whole answer, once its head is there.
fn length(held: &[u8]) -> Option<usize> {
    const END: &[u8] = b"\r\n\r\n";
    let head = held.windows(END.len()).position(|bytes| bytes == END)?;
    let lines = held[..head].split(|byte| *byte == b'\n').skip(1);
    let mut body = 0;
    for line in lines {
        const NAME: &[u8] = b"content-length:";
        if line.len() > NAME.len() && line[..NAME.len()].eq_ignore_ascii_case(NAME) {
            let digits = std::str::from_utf8(&line[NAME.len()..]).unwrap();
            body = digits.trim().parse().unwrap();
        }
    }
    Some(head + END.len() + body)
}

/// Asks so many times on one connection.
pub fn ask_times(addr: SocketAddr, request: &[u8], times: usize) {
    let mut stream = BlockingStream::connect(addr).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut buffer = vec![0; 64 * 1024];
    for _ in 0..times {
        stream.write_all(request).unwrap();
        let mut held = 0;
        let mut whole = None;
        while whole.is_none_or(|whole| held < whole) {
            let more = stream.read(&mut buffer[held..]).unwrap();
            assert!(more > 0, "the server closed the connection");
            held += more;
            whole = whole.or_else(|| length(&buffer[..held]));
        }
        assert!(buffer.starts_with(b"HTTP/1.1 200 "), "not 200");
    }
}

/// Reads an answer to its end and throws it away; says how many bytes of content there were.
pub fn download(addr: SocketAddr, request: &[u8]) -> u64 {
    let mut stream = BlockingStream::connect(addr).unwrap();
    stream.write_all(request).unwrap();
    let mut buffer = vec![0; 256 * 1024];
    let (mut held, mut whole) = (0, None);
    while whole.is_none() {
        held += stream.read(&mut buffer[held..]).unwrap();
        whole = length(&buffer[..held]);
    }
    assert!(buffer.starts_with(b"HTTP/1.1 200 "), "not 200");
    let mut left = whole.unwrap_or_default() - held;
    let head = buffer
        .windows(4)
        .position(|bytes| bytes == b"\r\n\r\n")
        .unwrap()
        + 4;
    while left > 0 {
        let more = stream.read(&mut buffer).unwrap();
        assert!(more > 0, "the body broke off, {left} bytes before its end");
        left -= more;
    }
    (whole.unwrap_or_default() - head) as u64
}

/// Processor time of all threads of this process but the generator's.
fn cpu_of_others() -> Duration {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten();
    let times = threads.filter_map(|thread| {
        let thread = thread.ok()?.path();
        let name = fs::read_to_string(thread.join("comm")).ok()?;
        let times = fs::read_to_string(thread.join("schedstat")).ok()?;
        let nanos = times.split(' ').next()?.parse().ok()?;
        (name.trim() != THREAD).then_some(Duration::from_nanos(nanos))
    });
    times.sum()
}
