//! A client that writes bytes and reads bytes.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Lower-case names, as they came.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str())
    }

    /// For people.
    pub fn describe(&self) -> String {
        format!(
            "{} {:?} {}",
            self.status,
            self.headers,
            String::from_utf8_lossy(&self.body)
        )
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("not JSON: {}", String::from_utf8_lossy(&self.body)))
    }

    /// That it has the shape of every refusal.
    #[track_caller]
    pub fn assert_refusal(&self, status: u16) {
        assert_eq!(self.status, status, "{self:?}");
        let body = self.json();
        assert_eq!(body["status"], status);
        assert!(body["message"].is_string());
        assert_eq!(self.header("1password-connect-version"), Some("1.8.2"));
    }

    /// Reads an answer to its end.
    pub fn read(stream: &mut TcpStream) -> std::io::Result<Self> {
        Self::read_to(stream, true)
    }

    fn read_to(stream: &mut TcpStream, has_body: bool) -> std::io::Result<Self> {
        let mut bytes = Vec::new();
        let mut piece = [0; 64 * 1024];
        let head_end = loop {
            if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            match stream.read(&mut piece)? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                n => bytes.extend_from_slice(&piece[..n]),
            }
        };
        let mut body = bytes.split_off(head_end);
        let head = String::from_utf8(bytes).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines
            .next()
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let length: usize = headers
            .iter()
            .find(|(name, _)| name == "content-length")
            .filter(|_| has_body)
            .map_or(0, |(_, value)| value.parse().unwrap());
        while body.len() < length {
            match stream.read(&mut piece)? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                n => body.extend_from_slice(&piece[..n]),
            }
        }
        Ok(Self {
            status,
            headers,
            body,
        })
    }
}

/// A connection.
pub struct Client(pub TcpStream);

impl Client {
    pub fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Self(stream)
    }

    pub fn send(&mut self, method: &str, path: &str, token: &str, body: Option<&str>) -> Answer {
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nx-request-id: test-1\r\nauthorization: Bearer {token}\r\n"
        );
        if let Some(body) = body {
            request += &format!(
                "content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
        } else {
            request += "\r\n";
        }
        self.0.write_all(request.as_bytes()).unwrap();
        Answer::read_to(&mut self.0, method != "HEAD").unwrap()
    }

    pub fn get(&mut self, path: &str, token: &str) -> Answer {
        self.send("GET", path, token, None)
    }
}
