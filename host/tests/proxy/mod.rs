//! What stands between a host and its account on a bad day.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test uses its part; a panic is a failure"
)]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// What it does to an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The connection ends as soon as it begins.
    Cut,
    /// The request arrives, the answer does not.
    LostAnswer,
    /// Half of the answer, then the end.
    HalfClose,
    /// The answer comes late.
    Delay,
    /// The answer comes, byte by byte, and not to its end before the client loses patience.
    SlowLoris,
    /// Bytes that are no HTTP.
    Garbage,
    /// HTTP, but no account: a captive portal.
    Portal,
    /// A page whose JSON ends early, in a body that does not.
    TruncatedPage,
    /// An earlier page of the feed again.
    RepeatedPage,
    /// The next page instead of this one.
    ReorderedPages,
    /// 429.
    TooMany,
    /// 500.
    Broken,
}

pub const ALL: [Fault; 12] = [
    Fault::Cut,
    Fault::LostAnswer,
    Fault::HalfClose,
    Fault::Delay,
    Fault::SlowLoris,
    Fault::Garbage,
    Fault::Portal,
    Fault::TruncatedPage,
    Fault::RepeatedPage,
    Fault::ReorderedPages,
    Fault::TooMany,
    Fault::Broken,
];

/// A proxy for plain HTTP.
#[derive(Clone)]
pub struct Proxy {
    pub addr: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    account: SocketAddr,
    fault: Mutex<Fault>,
    /// Connections that are open, so that a cut is one.
    open: Mutex<Vec<TcpStream>>,
    /// The first page of the feed that passed.
    page: Mutex<Option<Vec<u8>>>,
    /// Exchanges that were spoilt, and those among them that were for pages of the feed.
    spoilt: AtomicU64,
    pages: AtomicU64,
}

impl Proxy {
    pub fn start(account: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            account,
            fault: Mutex::new(Fault::None),
            open: Mutex::default(),
            page: Mutex::default(),
            spoilt: AtomicU64::new(0),
            pages: AtomicU64::new(0),
        });
        let of_thread = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&of_thread);
                thread::spawn(move || {
                    let Ok(ours) = stream.try_clone() else { return };
                    // Who broke off was meant to, or is tested by it.
                    let _ = shared.serve(stream);
                    // It is held open elsewhere, to be cut.
                    let _ = ours.shutdown(std::net::Shutdown::Both);
                });
            }
        });
        Self { addr, shared }
    }

    /// From now on; what is under way is cut.
    pub fn set(&self, fault: Fault) {
        // Held until all are cut: nothing comes through in between.
        let mut open = self.shared.open.lock().unwrap();
        self.ease(fault);
        for stream in open.drain(..) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }

    /// From now on; what is under way ends as it began.
    pub fn ease(&self, fault: Fault) {
        *self.shared.fault.lock().unwrap() = fault;
    }

    /// Exchanges that it spoilt so far.
    pub fn spoilt(&self) -> u64 {
        self.shared.spoilt.load(Ordering::Relaxed)
    }

    /// Pages of the feed that it spoilt so far; of a connection that it cut it does not know what was asked for.
    pub fn spoilt_pages(&self) -> u64 {
        self.shared.pages.load(Ordering::Relaxed)
    }
}

struct Answer {
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn bytes(&self) -> Vec<u8> {
        [self.head.as_bytes(), &self.body].concat()
    }

    fn of(status: &str, kind: &str, body: &[u8]) -> Self {
        let length = body.len();
        Self {
            head: format!(
                "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
            ),
            body: body.to_vec(),
        }
    }
}

impl Shared {
    fn fault(&self) -> Fault {
        *self.fault.lock().unwrap()
    }

    fn serve(&self, mut client: TcpStream) -> std::io::Result<()> {
        self.open.lock().unwrap().push(client.try_clone()?);
        if self.fault() == Fault::Cut {
            self.spoil();
            return Ok(());
        }
        let (head, body) = read_message(&mut client)?;
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let fault = self.fault();
        let is_feed = path.contains("/feed");
        if is_feed && fault != Fault::None {
            self.pages.fetch_add(1, Ordering::Relaxed);
        }
        let answer = match fault {
            Fault::Garbage => {
                self.spoil();
                return client.write_all(&[0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x28, 0xff, b'\n']);
            }
            Fault::Portal => Answer::of("200 OK", "text/html", b"<html>Please log in</html>"),
            Fault::TooMany => Answer::of("429 Too Many Requests", "text/plain", b"slow down"),
            Fault::Broken => Answer::of("500 Internal Server Error", "text/plain", b"oops"),
            _ => self.forward(&head, &body)?,
        };
        let answer = if is_feed {
            self.page(fault, answer)?
        } else {
            answer
        };
        if fault != Fault::None {
            self.spoil();
        }
        self.answer(&mut client, fault, &answer)
    }

    fn spoil(&self) {
        self.spoilt.fetch_add(1, Ordering::Relaxed);
    }

    /// Pages of the feed, spoilt as pages.
    fn page(&self, fault: Fault, answer: Answer) -> std::io::Result<Answer> {
        let mut first = self.page.lock().unwrap();
        let page = first.get_or_insert_with(|| answer.body.clone()).clone();
        drop(first);
        Ok(match fault {
            Fault::RepeatedPage => Answer::of("200 OK", "application/json", &page),
            Fault::TruncatedPage => {
                let half = answer.body.len() / 2;
                Answer::of("200 OK", "application/json", &answer.body[..half])
            }
            Fault::ReorderedPages => {
                let page: serde_json::Value = serde_json::from_slice(&answer.body)?;
                if page["more"] != true {
                    return Ok(answer);
                }
                let cursor = page["cursor"].as_str().unwrap();
                self.forward(&self.request_of_feed(cursor), &[])?
            }
            _ => answer,
        })
    }

    fn request_of_feed(&self, cursor: &str) -> String {
        // The last one that came, at another place.
        let last = LAST_FEED.lock().unwrap().clone();
        let (path, rest) = last.split_once(" HTTP/1.1").unwrap();
        let (before, limit) = path.rsplit_once("&limit=").unwrap();
        let before = before.rsplit_once("cursor=").unwrap().0;
        format!("{before}cursor={cursor}&limit={limit} HTTP/1.1{rest}")
    }

    fn answer(&self, client: &mut TcpStream, fault: Fault, answer: &Answer) -> std::io::Result<()> {
        let bytes = answer.bytes();
        match fault {
            Fault::LostAnswer => Ok(()),
            Fault::HalfClose => client.write_all(&bytes[..bytes.len() / 2]),
            Fault::Delay => {
                thread::sleep(Duration::from_millis(150));
                client.write_all(&bytes)
            }
            Fault::SlowLoris => {
                for byte in &bytes {
                    client.write_all(std::slice::from_ref(byte))?;
                    thread::sleep(Duration::from_millis(50));
                    if self.fault() != Fault::SlowLoris {
                        break;
                    }
                }
                Ok(())
            }
            _ => client.write_all(&bytes),
        }
    }

    /// Asks the account, unzipped and to the end of the connection.
    fn forward(&self, head: &str, body: &[u8]) -> std::io::Result<Answer> {
        if head.contains("/feed") {
            head.clone_into(&mut LAST_FEED.lock().unwrap());
        }
        let mut account = TcpStream::connect(self.account)?;
        let (first, rest) = head.split_once("\r\n").unwrap();
        let rest: Vec<&str> = rest
            .split("\r\n")
            .filter(|line| {
                let line = line.to_ascii_lowercase();
                // Pages as text, for they are looked into.
                !line.starts_with("connection:")
                    && !line.starts_with("accept:")
                    && !line.starts_with("accept-encoding:")
                    && !line.is_empty()
            })
            .collect();
        let request = format!(
            "{first}\r\n{}\r\nconnection: close\r\n\r\n",
            rest.join("\r\n")
        );
        account.write_all(request.as_bytes())?;
        account.write_all(body)?;
        let (head, body) = read_message(&mut account)?;
        Ok(Answer { head, body })
    }
}

static LAST_FEED: Mutex<String> = Mutex::new(String::new());

/// A head, and the body that it announces.
fn read_message(stream: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut piece = [0; 16 * 1024];
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        match stream.read(&mut piece)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            n => bytes.extend_from_slice(&piece[..n]),
        }
    };
    let mut body = bytes.split_off(end);
    let head = String::from_utf8_lossy(&bytes).into_owned();
    let length = head
        .split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, value)| value.trim().parse().unwrap());
    while body.len() < length {
        match stream.read(&mut piece)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            n => body.extend_from_slice(&piece[..n]),
        }
    }
    Ok((head, body))
}
