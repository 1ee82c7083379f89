//! One connection: requests in, responses out, one after the other, as Kafka does it.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::broker::Shared;
use super::dispatch::{self, Reply};
use super::fault::FaultAction;

/// The largest request; those of a reader are a few hundred bytes.
const REQUEST_LIMIT: usize = 1 << 20;
/// How long a read or a write blocks before the thread looks whether the broker stops.
const SOCKET_TIMEOUT: Duration = Duration::from_millis(100);
/// A connection without a request for so long is closed: `connections.max.idle.ms` of Kafka's brokers.
const IDLE_LIMIT: Duration = Duration::from_secs(600);
/// A response of which no byte is taken for so long is given up.
const WRITE_LIMIT: Duration = Duration::from_secs(60);
/// How much is read at a time; room is made for bytes that are there, not for those that a length promises.
const READ_SIZE: usize = 16 << 10;

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
}

/// Serves a connection until either side ends it.
pub(super) fn serve(stream: TcpStream, shared: &Shared) {
    let mut connection = Connection { stream, shared };
    if connection.prepare().is_ok() {
        while connection.exchange().is_ok() {}
    }
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

    /// One request and its response.
    fn exchange(&mut self) -> Result<(), End> {
        let prefix = self.receive(4)?;
        let length = prefix.first_chunk().map(|bytes| i32::from_be_bytes(*bytes)).ok_or(End::Malformed)?;
        let length = usize::try_from(length).map_err(|_| End::Malformed)?;
        if length > REQUEST_LIMIT {
            return Err(End::Malformed);
        }
        let request = self.receive(length)?;
        let reply = dispatch::answer(self.shared, Bytes::from(request)).map_err(|_| End::Malformed)?;
        self.send(&reply)
    }

    /// Exactly `length` bytes.
    fn receive(&mut self, length: usize) -> Result<Vec<u8>, End> {
        let mut received = Vec::new();
        let mut scratch = [0_u8; READ_SIZE];
        let mut last_byte = Instant::now();
        while received.len() < length {
            let wanted = (length - received.len()).min(READ_SIZE);
            match self.stream.read(&mut scratch[..wanted]) {
                Ok(0) => return Err(End::Closed),
                Ok(count) => {
                    received.extend_from_slice(&scratch[..count]);
                    last_byte = Instant::now();
                }
                Err(error) if would_wait(&error) => self.still(last_byte, IDLE_LIMIT)?,
                Err(error) => return Err(error.into()),
            }
            if self.shared.stopping() {
                return Err(End::Stopping);
            }
        }
        Ok(received)
    }

    /// Whether waiting goes on.
    fn still(&self, since: Instant, limit: Duration) -> Result<(), End> {
        if self.shared.stopping() {
            Err(End::Stopping)
        } else if since.elapsed() > limit {
            Err(End::TooSlow)
        } else {
            Ok(())
        }
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<(), End> {
        let mut last_byte = Instant::now();
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(0) => return Err(End::Closed),
                Ok(count) => {
                    bytes = &bytes[count..];
                    last_byte = Instant::now();
                }
                Err(error) if would_wait(&error) => self.still(last_byte, WRITE_LIMIT)?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Sends a response, or what the faults leave of it.
    fn send(&mut self, reply: &Reply) -> Result<(), End> {
        let mut pace = None;
        for fault in &reply.faults {
            match fault {
                FaultAction::Delay(duration) => self.shared.sleep(*duration),
                FaultAction::Close => return Err(End::Scripted),
                FaultAction::CloseMidResponse(length) => {
                    self.write(&reply.frame[..reply.frame.len().min(*length)])?;
                    return Err(End::Scripted);
                }
                FaultAction::Stall => return Err(self.park()),
                FaultAction::Garbage(bytes) => return self.write(bytes),
                FaultAction::SlowBytes { chunk, pause } => pace = Some(((*chunk).max(1), *pause)),
                _ => {}
            }
        }
        let Some((chunk, pause)) = pace else { return self.write(&reply.frame) };
        for piece in reply.frame.chunks(chunk) {
            self.write(piece)?;
            self.shared.sleep(pause);
            self.still(Instant::now(), WRITE_LIMIT)?;
        }
        Ok(())
    }

    /// Keeps the connection open and takes nothing in until the peer or the broker ends it. Bytes that come are thrown
    /// away, so that the end of the peer can be seen behind them.
    fn park(&mut self) -> End {
        while self.receive(1).is_ok() {}
        if self.shared.stopping() { End::Stopping } else { End::Closed }
    }
}
