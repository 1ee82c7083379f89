//! The seam between Kafka's frames and the bytes below them: plain sockets here, TLS and SASL behind the same traits.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::cancel::CancelToken;
use crate::error::WireError;

/// A read blocks at most this long, so that a set cancel token is seen within 100 ms.
pub const READ_SLICE: Duration = Duration::from_millis(100);

/// Room for what the broker sends while we digest.
const RECEIVE_BUFFER: usize = 4 << 20;

/// A byte stream to one broker. Reads return `WouldBlock` or `TimedOut` when the read timeout passes.
pub trait Transport: Read + Write + Send {
    /// Limits how long one read may block.
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;
    /// The other end for error messages: `host:port`.
    fn peer(&self) -> String;
}

/// Limits for making a connection.
#[derive(Debug, Clone, Copy)]
pub struct ConnectContext<'a> {
    /// How long one attempt may take.
    pub connect_timeout: Duration,
    /// How long a handshake may wait for bytes.
    pub request_timeout: Duration,
    /// When all attempts together must be over.
    pub deadline: Instant,
    /// Stops the attempt.
    pub cancel: &'a CancelToken,
}

/// One request and its answer before a connection is used: what a SASL exchange needs.
pub trait Exchange {
    /// The version range that the broker advertises for an API, if it does.
    fn versions(&self, api_key: i16) -> Option<(i16, i16)>;
    /// Sends `body` under `api_key` and `api_version` and returns the body of the answer. `flexible` says whether the
    /// headers have tagged fields in that version.
    fn exchange(
        &mut self,
        api_key: i16,
        api_version: i16,
        flexible: bool,
        body: &[u8],
    ) -> Result<Vec<u8>, WireError>;
    /// The other end: `host:port`.
    fn endpoint(&self) -> &str;
}

/// Makes connections that are ready for Kafka's frames.
pub trait Connector: Send + Sync {
    /// Connects to `host:port`.
    fn connect(
        &self,
        host: &str,
        port: u16,
        context: &ConnectContext<'_>,
    ) -> Result<Box<dyn Transport>, WireError>;

    /// Proves who we are on a new connection. Without SASL there is nothing to do.
    fn authenticate(&self, _connection: &mut dyn Exchange) -> Result<(), WireError> {
        Ok(())
    }
}

/// Plain sockets without authentication.
#[derive(Debug, Clone, Copy, Default)]
pub struct TcpConnector;

impl Connector for TcpConnector {
    fn connect(
        &self,
        host: &str,
        port: u16,
        context: &ConnectContext<'_>,
    ) -> Result<Box<dyn Transport>, WireError> {
        Ok(Box::new(TcpTransport::connect(host, port, context)?))
    }
}

/// A plain socket.
#[derive(Debug)]
pub struct TcpTransport {
    stream: TcpStream,
    peer: String,
}

impl TcpTransport {
    /// Resolves `host` and tries its addresses in turn.
    pub fn connect(host: &str, port: u16, context: &ConnectContext<'_>) -> Result<Self, WireError> {
        let peer = endpoint_name(host, port);
        let unreachable = |detail: String| WireError::Unreachable { endpoint: peer.clone(), detail };
        let addresses: Vec<SocketAddr> = (host, port)
            .to_socket_addrs()
            .map_err(|error| unreachable(format!("the host name does not resolve ({error})")))?
            .collect();
        let mut failure = unreachable("the host name resolves to no address".to_owned());
        for address in addresses {
            context.cancel.check()?;
            match connect_one(address, context)? {
                Ok(stream) => return Ok(Self { stream, peer }),
                Err(error) => failure = unreachable(format!("{error} at {address}")),
            }
        }
        Err(failure)
    }
}

/// Connects without blocking and looks at the cancel token meanwhile. Calling connect(2) again on a pending socket
/// says whether it is done, which needs no poll(2).
fn connect_one(
    address: SocketAddr,
    context: &ConnectContext<'_>,
) -> Result<io::Result<TcpStream>, WireError> {
    let socket = match prepare(address) {
        Ok(socket) => socket,
        Err(error) => return Ok(Err(error)),
    };
    let target = SockAddr::from(address);
    let started = Instant::now();
    let deadline = (started + context.connect_timeout).min(context.deadline);
    let mut nap = Duration::from_micros(200);
    loop {
        context.cancel.check()?;
        match socket.connect(&target) {
            Ok(()) => return Ok(finish(socket, context)),
            Err(error) if is_connected(&error) => return Ok(finish(socket, context)),
            Err(error) if is_pending(&error) => {}
            Err(error) => return Ok(Err(error)),
        }
        if Instant::now() >= deadline {
            let text = format!("no connection within {:.1} s", started.elapsed().as_secs_f64());
            return Ok(Err(io::Error::new(ErrorKind::TimedOut, text)));
        }
        std::thread::sleep(nap);
        nap = (nap * 2).min(Duration::from_millis(20));
    }
}

fn is_connected(error: &io::Error) -> bool {
    // EISCONN has no ErrorKind: 106 on Linux, 56 on the BSDs and macOS.
    matches!(error.raw_os_error(), Some(106 | 56))
}

fn is_pending(error: &io::Error) -> bool {
    // EINPROGRESS and EALREADY: 115 and 114 on Linux, 36 and 37 on the BSDs and macOS.
    error.kind() == ErrorKind::WouldBlock || matches!(error.raw_os_error(), Some(114 | 115 | 36 | 37))
}

fn prepare(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if large_buffer_allowed() {
        // Best effort, and before connect(2), because the window scale is fixed by the handshake.
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A set `SO_RCVBUF` switches Linux's own tuning off and is cut to `rmem_max`. Where that is below what we want, the
/// tuning gets further (up to `tcp_rmem[2]`), so it is left alone.
fn large_buffer_allowed() -> bool {
    static ALLOWED: OnceLock<bool> = OnceLock::new();
    *ALLOWED.get_or_init(|| {
        std::fs::read_to_string("/proc/sys/net/core/rmem_max")
            .ok()
            .and_then(|text| text.trim().parse::<usize>().ok())
            .is_none_or(|limit| limit >= RECEIVE_BUFFER)
    })
}

fn finish(socket: Socket, context: &ConnectContext<'_>) -> io::Result<TcpStream> {
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    socket.set_nonblocking(false)?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(READ_SLICE))?;
    // Requests are small; a write that blocks this long meets a dead peer.
    stream.set_write_timeout(Some(context.request_timeout.max(READ_SLICE)))?;
    Ok(stream)
}

/// `host:port`, with the brackets that an IPv6 address needs.
pub(crate) fn endpoint_name(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

impl Read for TcpTransport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl Write for TcpTransport {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Transport for TcpTransport {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream.set_read_timeout(timeout)
    }

    fn peer(&self) -> String {
        self.peer.clone()
    }
}

impl Drop for TcpTransport {
    fn drop(&mut self) {
        // Tells the broker at once that nothing more is wanted, also when a clone of the handle lives on.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}
