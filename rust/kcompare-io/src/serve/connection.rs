//! One connection: requests in, responses out, one after the other, as Kafka does it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::broker::Shared;
use super::dispatch::{self, Reply};
use super::fault::FaultAction;
use super::piece::{CHUNK, Piece};

/// The largest request; those of a reader are a few hundred bytes.
const REQUEST_LIMIT: usize = 1 << 20;
/// Requests above this size are answered one at a time in the whole broker: decoded they take many times their size.
const LARGE_REQUEST: usize = 128 << 10;
/// How long a read or a write blocks before the thread looks whether the broker stops.
const SOCKET_TIMEOUT: Duration = Duration::from_millis(100);
/// How much is read at a time; room is made for bytes that are there, not for those that a length promises.
const READ_SIZE: usize = 16 << 10;

/// How long a peer may take. None of them is for ever: the slots for connections are few.
#[derive(Debug, Clone)]
pub struct Patience {
    /// From the start of a connection to the end of its first request.
    pub first_request: Duration,
    /// From one request to the next: `connections.max.idle.ms` of Kafka's brokers.
    pub idle: Duration,
    /// From the first byte of a request to its last.
    pub request: Duration,
    /// Without one byte of a response taken.
    pub write: Duration,
    /// Bytes that a reader takes in a second, once `write` is over, seen over the whole response.
    pub write_rate: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first_request: Duration::from_secs(30),
            idle: Duration::from_secs(600),
            request: Duration::from_secs(30),
            write: Duration::from_secs(60),
            write_rate: 1024,
        }
    }
}

/// A connection as the answers to its requests know it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    /// The number of the connection, never used again.
    pub(super) id: u64,
    /// The address that the peer has connected to.
    pub(super) local: SocketAddr,
}

/// Why a connection ends. Nobody is told; the reason is for the reader of the code.
enum End {
    Closed,
    Stopping,
    TooSlow,
    Malformed,
    Scripted,
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Closed
    }
}

struct Connection<'a> {
    stream: TcpStream,
    shared: &'a Shared,
    peer: Peer,
    /// Where stored bytes go on their way out; nothing until there are any.
    chunk: Vec<u8>,
}

/// Serves a connection until either side ends it.
pub(super) fn serve(stream: TcpStream, id: u64, shared: &Shared) {
    let Ok(local) = stream.local_addr() else { return };
    let mut connection = Connection { stream, shared, peer: Peer { id, local }, chunk: Vec::new() };
    if connection.prepare().is_ok() {
        let mut patience = shared.config.patience.first_request;
        while connection.exchange(patience).is_ok() {
            patience = shared.config.patience.idle;
        }
    }
    shared.groups.leave_all(id);
}

fn would_wait(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

impl Connection<'_> {
    fn prepare(&self) -> io::Result<()> {
        // Some systems hand the listener's mode on to the connection.
        self.stream.set_nonblocking(false)?;
        self.stream.set_nodelay(true)?;
        self.stream.set_read_timeout(Some(SOCKET_TIMEOUT))?;
        self.stream.set_write_timeout(Some(SOCKET_TIMEOUT))
    }

    /// One request and its response. `patience` is how long the request may be in coming.
    fn exchange(&mut self, patience: Duration) -> Result<(), End> {
        let mut prefix = self.receive(1, Instant::now() + patience)?;
        let deadline = Instant::now() + self.shared.config.patience.request;
        prefix.extend(self.receive(3, deadline)?);
        let length = prefix.first_chunk().map(|bytes| i32::from_be_bytes(*bytes)).ok_or(End::Malformed)?;
        let length = usize::try_from(length).map_err(|_| End::Malformed)?;
        if length > REQUEST_LIMIT {
            return Err(End::Malformed);
        }
        let request = self.receive(length, deadline)?;
        let shared = self.shared;
        let _turn = (length > LARGE_REQUEST)
            .then(|| shared.large_requests.lock().unwrap_or_else(PoisonError::into_inner));
        let reply = dispatch::answer(shared, self.peer, Bytes::from(request)).map_err(|_| End::Malformed)?;
        self.send(&reply)
    }

    /// Exactly `length` bytes.
    fn receive(&mut self, length: usize, deadline: Instant) -> Result<Vec<u8>, End> {
        let mut received = Vec::new();
        let mut scratch = [0_u8; READ_SIZE];
        while received.len() < length {
            let wanted = (length - received.len()).min(READ_SIZE);
            match self.stream.read(&mut scratch[..wanted]) {
                Ok(0) => return Err(End::Closed),
                Ok(count) => received.extend_from_slice(&scratch[..count]),
                Err(error) if would_wait(&error) => {}
                Err(error) => return Err(error.into()),
            }
            // Bytes that trickle in do not make the time longer.
            if received.len() < length {
                self.still(deadline)?;
            }
        }
        if self.shared.stopping() { Err(End::Stopping) } else { Ok(received) }
    }

    /// Whether waiting goes on.
    fn still(&self, deadline: Instant) -> Result<(), End> {
        if self.shared.stopping() {
            Err(End::Stopping)
        } else if Instant::now() > deadline {
            Err(End::TooSlow)
        } else {
            Ok(())
        }
    }

    /// Writes `bytes`, which follow `sent` bytes of a response that began at `started`.
    fn write(&mut self, mut bytes: &[u8], started: Instant, mut sent: u64) -> Result<(), End> {
        let patience = &self.shared.config.patience;
        let mut last_byte = Instant::now();
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(0) => return Err(End::Closed),
                Ok(count) => {
                    bytes = &bytes[count..];
                    sent += count as u64;
                    last_byte = Instant::now();
                }
                Err(error) if would_wait(&error) => {}
                Err(error) => return Err(error.into()),
            }
            let earned = Duration::from_secs(sent / u64::from(patience.write_rate.max(1)));
            self.still((last_byte + patience.write).min(started + patience.write + earned))?;
        }
        Ok(())
    }

    /// Writes a response piece by piece. Stored bytes that are not there any more end the connection: the length of
    /// the response is out already, and nothing else may stand in their place.
    fn write_pieces(&mut self, pieces: &[Piece]) -> Result<(), End> {
        let started = Instant::now();
        let mut sent = 0_u64;
        for piece in pieces {
            match piece {
                Piece::Memory(bytes) => self.write(bytes, started, sent)?,
                Piece::Stored { file, position, length } => {
                    let mut chunk = std::mem::take(&mut self.chunk);
                    chunk.resize(CHUNK, 0);
                    let mut done = 0;
                    while done < *length {
                        let part = &mut chunk[..CHUNK.min(*length - done)];
                        file.read_exact_at(part, position + done as u64)?;
                        self.write(part, started, sent + done as u64)?;
                        done += part.len();
                    }
                    self.chunk = chunk;
                }
            }
            sent += piece.len() as u64;
        }
        Ok(())
    }

    /// Sends a response, or what the faults leave of it.
    fn send(&mut self, reply: &Reply) -> Result<(), End> {
        if reply.faults.is_empty() { self.write_pieces(&reply.pieces) } else { self.send_faulty(reply) }
    }

    fn send_faulty(&mut self, reply: &Reply) -> Result<(), End> {
        let frame = reply.frame()?;
        let started = Instant::now();
        let mut pace = None;
        for fault in &reply.faults {
            match fault {
                FaultAction::Delay(duration) => self.shared.sleep(*duration),
                FaultAction::Close => return Err(End::Scripted),
                FaultAction::CloseMidResponse(length) => {
                    self.write(&frame[..frame.len().min(*length)], started, 0)?;
                    return Err(End::Scripted);
                }
                FaultAction::Stall => return Err(self.park()),
                FaultAction::Garbage(bytes) => return self.write(bytes, started, 0),
                FaultAction::SlowBytes { chunk, pause } => pace = Some(((*chunk).max(1), *pause)),
                _ => {}
            }
        }
        let Some((chunk, pause)) = pace else { return self.write(&frame, started, 0) };
        for piece in frame.chunks(chunk) {
            self.write(piece, Instant::now(), 0)?;
            self.shared.sleep(pause);
            if self.shared.stopping() {
                return Err(End::Stopping);
            }
        }
        Ok(())
    }

    /// Keeps the connection open and takes nothing in until the peer or the broker ends it. Bytes that come are thrown
    /// away, so that the end of the peer can be seen behind them.
    fn park(&mut self) -> End {
        while self.receive(1, Instant::now() + self.shared.config.patience.idle).is_ok() {}
        if self.shared.stopping() { End::Stopping } else { End::Closed }
    }
}
