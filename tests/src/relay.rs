//! The way between an edge and the host that feeds it: it tells what was asked, and may alter what is answered.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use crate::{
    cases::{RawAnswer, Request},
    hosted::Connection,
};

type Meddle = dyn Fn(&Request, RawAnswer) -> RawAnswer + Send + Sync;

/// It stays until the process ends. One exchange goes over each connection, as runtimes have it for a guest.
#[derive(Debug)]
pub struct Relay {
    addr: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Relay {
    /// To a host, altering answers as `meddle` does.
    pub fn new(
        host: SocketAddr,
        meddle: impl Fn(&Request, RawAnswer) -> RawAnswer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let meddle: Arc<Meddle> = Arc::new(meddle);
        let noted = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (noted, meddle) = (Arc::clone(&noted), Arc::clone(&meddle));
                thread::spawn(move || drop(carry(stream, host, &noted, &*meddle)));
            }
        });
        Self { addr, asked }
    }

    /// Where an edge finds it.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Methods and paths, in order; from now on they are forgotten.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn carry(
    mut stream: TcpStream,
    host: SocketAddr,
    asked: &Mutex<Vec<String>>,
    meddle: &Meddle,
) -> std::io::Result<()> {
    let request = read(&mut BufReader::new(stream.try_clone()?))?;
    let line = format!("{} {}", request.method, request.target);
    asked.lock().unwrap().push(line);
    let answer = Connection::to(host).send(&request);
    let answer = meddle(&request, answer);
    let mut head = format!("HTTP/1.1 {} Answer\r\nconnection: close\r\n", answer.status);
    if answer.status == 204 {
        return stream.write_all(format!("{head}\r\n").as_bytes());
    }
    head += &format!("content-length: {}\r\n\r\n", answer.body.len());
    stream.write_all(head.as_bytes())?;
    stream.write_all(&answer.body)
}

fn read(reader: &mut impl BufRead) -> std::io::Result<Request> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let mut request = Request {
        method: words.next().unwrap_or_default(),
        target: words.next().unwrap_or_default(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        let name = name.to_ascii_lowercase();
        if name == "content-length" {
            request.body = vec![0; value.parse().unwrap()];
        } else if !["host", "connection", "transfer-encoding"].contains(&name.as_str()) {
            request.headers.push((name, value.to_owned()));
        }
    }
    reader.read_exact(&mut request.body)?;
    Ok(request)
}
