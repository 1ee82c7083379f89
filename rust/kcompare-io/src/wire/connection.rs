//! One connection: frames, correlation ids, the handshake.
//!
//! # References
//! - <https://kafka.apache.org/protocol#protocol_messages>

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use bytes::BufMut;
use kafka_protocol::messages::{ApiVersionsRequest, RequestHeader};
use kafka_protocol::protocol::{Encodable, HeaderVersion, StrBytes};

use super::api::{API_VERSIONS, Api, ApiVersions, ReadRequest, decode_api_versions};
use super::codes::{UNSUPPORTED_VERSION, refused};
use super::input::{Input, Slice};
use super::settings::ClusterSettings;
use super::transport::{ConnectContext, Connector, Exchange, READ_SLICE, Transport, endpoint_name};
use crate::cancel::CancelToken;
use crate::error::WireError;

/// An answer is read into memory in steps of this size, so that a length alone reserves nothing.
const STEP: usize = 256 << 10;

const SASL_HINT: &str = ", right after the handshake, as a listener does that requires SASL authentication";
const TLS_HINT: &str = "it closed the connection on the first request, as a TLS listener does";

/// How long to wait for bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wait<'a> {
    pub(crate) cancel: &'a CancelToken,
    pub(crate) deadline: Instant,
    /// The same limit as a duration, for the error message.
    pub(crate) limit: Duration,
}

impl<'a> Wait<'a> {
    pub(crate) fn new(limit: Duration, cancel: &'a CancelToken) -> Self {
        Self { cancel, deadline: Instant::now() + limit, limit }
    }
}

/// An answer that is due.
#[derive(Debug, Clone, Copy)]
struct Due {
    correlation_id: i32,
    flexible_header: bool,
    request: &'static str,
}

pub(crate) struct Connection {
    transport: Box<dyn Transport>,
    endpoint: String,
    client_id: StrBytes,
    versions: ApiVersions,
    next_correlation_id: i32,
    due: VecDeque<Due>,
    out: Vec<u8>,
    /// Whether any answer came after the handshake, on this connection or on an earlier one to the same endpoint.
    in_use: bool,
    endpoint_is_known: bool,
    pub(crate) idle_since: Instant,
}

impl Connection {
    /// Connects, learns the versions and authenticates, all before `wait` is over.
    pub(crate) fn open(
        connector: &dyn Connector,
        host: &str,
        port: u16,
        settings: &ClusterSettings,
        wait: &Wait<'_>,
    ) -> Result<Self, WireError> {
        let (cancel, deadline) = (wait.cancel, wait.deadline);
        let (connect_timeout, request_timeout) = (settings.connect_timeout, settings.request_timeout);
        let context = ConnectContext { connect_timeout, request_timeout, deadline, cancel };
        let endpoint = endpoint_name(host, port);
        let transport = connector.connect(host, port, &context)?;
        transport.set_read_timeout(Some(READ_SLICE)).map_err(|error| WireError::Unreachable {
            endpoint: endpoint.clone(),
            detail: format!("the read timeout cannot be set ({error})"),
        })?;
        let mut connection = Self {
            transport,
            endpoint,
            client_id: StrBytes::from_string(settings.client_id.clone()),
            versions: ApiVersions::default(),
            next_correlation_id: 1,
            due: VecDeque::new(),
            out: Vec::new(),
            in_use: false,
            endpoint_is_known: false,
            idle_since: Instant::now(),
        };
        let limit = request_timeout.min(deadline.saturating_duration_since(Instant::now()));
        connection.handshake(&Wait::new(limit, cancel))?;
        connector.authenticate(&mut Authenticating { connection: &mut connection, limit, cancel })?;
        Ok(connection)
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The endpoint has answered requests before: it will not close a connection for want of credentials.
    pub(crate) fn expect_no_refusal(&mut self) {
        self.endpoint_is_known = true;
    }

    /// Whether any answer came after the handshake.
    pub(crate) fn is_in_use(&self) -> bool {
        self.in_use
    }

    /// Whether no answer is due: only then may another user have the connection.
    pub(crate) fn is_clean(&self) -> bool {
        self.due.is_empty()
    }

    /// The newest version of an API that both sides speak, not above `cap`.
    pub(crate) fn version(&self, api: Api, cap: i16) -> Result<i16, WireError> {
        self.versions.pick(api, cap, &self.endpoint)
    }

    /// A broker that does not know our `ApiVersions` version answers `UNSUPPORTED_VERSION` in the format of version 0
    /// (KIP-511).
    fn handshake(&mut self, wait: &Wait<'_>) -> Result<(), WireError> {
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str("kcompare"))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        for version in [API_VERSIONS.max, API_VERSIONS.min] {
            let request = if version == 0 { ApiVersionsRequest::default() } else { request.clone() };
            let body = self.ask(version, &request, wait).map_err(closed_in_handshake)?;
            let code = Slice::new(&body, &self.endpoint, API_VERSIONS.name).i16("error_code")?;
            if code == UNSUPPORTED_VERSION && version != 0 {
                continue;
            }
            if code != 0 {
                return Err(refused(&self.endpoint, format!("ApiVersions version {version}"), code));
            }
            let mut input = Slice::new(&body, &self.endpoint, API_VERSIONS.name);
            self.versions = decode_api_versions(&mut input, version)?.1;
            self.in_use = false;
            return Ok(());
        }
        Err(refused(&self.endpoint, "ApiVersions version 0".to_owned(), UNSUPPORTED_VERSION))
    }

    /// Sends a request and returns the body of its answer.
    pub(crate) fn ask<R: ReadRequest>(
        &mut self,
        version: i16,
        request: &R,
        wait: &Wait<'_>,
    ) -> Result<Vec<u8>, WireError> {
        self.send(version, request)?;
        self.receive(R::API.largest_answer, wait)
    }

    /// Sends a request; its answer is due after those of earlier requests.
    pub(crate) fn send<R: ReadRequest>(&mut self, version: i16, request: &R) -> Result<(), WireError> {
        let header = self.request_header(R::API.key, version);
        self.out.clear();
        self.out.put_i32(0);
        header
            .encode(&mut self.out, R::header_version(version))
            .and_then(|()| request.encode(&mut self.out, version))
            .map_err(|error| WireError::Unsupported {
                endpoint: self.endpoint.clone(),
                request: R::API.name,
                detail: format!("the request has no form in version {version}: {error}"),
            })?;
        let flexible_header = R::Response::header_version(version) >= 1;
        self.send_out(R::API.name, header.correlation_id, flexible_header)
    }

    fn request_header(&mut self, key: i16, version: i16) -> RequestHeader {
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id = self.next_correlation_id.wrapping_add(1).max(1);
        RequestHeader::default()
            .with_request_api_key(key)
            .with_request_api_version(version)
            .with_correlation_id(correlation_id)
            .with_client_id(Some(self.client_id.clone()))
    }

    /// Writes the frame in `out`, whose first four bytes are still to be filled with its length.
    fn send_out(
        &mut self,
        request: &'static str,
        correlation_id: i32,
        flexible_header: bool,
    ) -> Result<(), WireError> {
        let length = i32::try_from(self.out.len() - 4).unwrap_or(i32::MAX);
        self.out[..4].copy_from_slice(&length.to_be_bytes());
        self.due.push_back(Due { correlation_id, flexible_header, request });
        let written = self.transport.write_all(&self.out).and_then(|()| self.transport.flush());
        written.map_err(|error| self.broken(&error))
    }

    /// Reads some bytes, at least one. Waits in slices, so that a set cancel token is seen.
    pub(crate) fn read_some(&mut self, buffer: &mut [u8], wait: &Wait<'_>) -> Result<usize, WireError> {
        loop {
            wait.cancel.check()?;
            match self.transport.read(buffer) {
                Ok(0) => return Err(self.closed()),
                Ok(count) => return Ok(count),
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                        if Instant::now() >= wait.deadline {
                            let (endpoint, request) = (self.endpoint.clone(), self.due_request());
                            return Err(WireError::TimedOut { endpoint, request, after: wait.limit });
                        }
                    }
                    _ => return Err(self.broken(&error)),
                },
            }
        }
    }

    fn read_exact(&mut self, buffer: &mut [u8], wait: &Wait<'_>) -> Result<(), WireError> {
        let mut filled = 0;
        while filled < buffer.len() {
            filled += self.read_some(&mut buffer[filled..], wait)?;
        }
        Ok(())
    }

    /// Takes the next answer into memory, up to `largest` bytes, and returns its body.
    pub(crate) fn receive(&mut self, largest: usize, wait: &Wait<'_>) -> Result<Vec<u8>, WireError> {
        let mut length = [0; 4];
        self.read_exact(&mut length, wait)?;
        let length = self.frame_length(length, largest)?;
        let mut frame = Vec::new();
        while frame.len() < length {
            let from = frame.len();
            frame.resize(length.min(from + STEP), 0);
            self.read_exact(&mut frame[from..], wait)?;
        }
        // correlation_id: INT32, then tagged fields in flexible versions
        let mut input = Slice::new(&frame, &self.endpoint, self.due_request());
        let correlation_id = input.i32("correlation_id")?;
        input.skip_tags(self.check_due(correlation_id)?)?;
        let header = frame.len() - input.left() as usize;
        frame.drain(..header);
        self.answered();
        Ok(frame)
    }

    /// The number of bytes that follow the four bytes in front of an answer.
    pub(crate) fn frame_length(&self, bytes: [u8; 4], largest: usize) -> Result<usize, WireError> {
        let length = i32::from_be_bytes(bytes);
        match usize::try_from(length) {
            Ok(length) if (4..=largest).contains(&length) => Ok(length),
            _ => Err(self.strange_length(bytes, length, largest)),
        }
    }

    fn strange_length(&self, bytes: [u8; 4], length: i32, largest: usize) -> WireError {
        let endpoint = self.endpoint.clone();
        let looks_like = match &bytes {
            // A TLS record: alert or handshake, version 3.x.
            [0x15 | 0x16, 0x03, ..] => Some("it looks like a TLS listener"),
            b"HTTP" => Some("it looks like an HTTP server"),
            b"SSH-" => Some("it looks like an SSH server"),
            _ => None,
        };
        if let Some(looks_like) = looks_like {
            return WireError::WrongProtocol { endpoint, looks_like };
        }
        let detail =
            format!("the answer claims {length} bytes, at least 4 and at most {largest} are allowed");
        WireError::Protocol { endpoint, request: self.due_request(), detail }
    }

    /// Checks the correlation id of an answer against the oldest one that is due; whether tagged fields follow.
    pub(crate) fn check_due(&self, correlation_id: i32) -> Result<bool, WireError> {
        let detail = match self.due.front() {
            Some(due) if due.correlation_id == correlation_id => return Ok(due.flexible_header),
            Some(due) => format!("correlation_id is {correlation_id}, {} was due", due.correlation_id),
            None => "it was not asked for".to_owned(),
        };
        Err(WireError::Protocol { endpoint: self.endpoint.clone(), request: self.due_request(), detail })
    }

    /// The oldest answer that was due has come to its end.
    pub(crate) fn answered(&mut self) {
        self.due.pop_front();
        self.in_use = true;
    }

    fn due_request(&self) -> &'static str {
        self.due.front().map_or("no request", |due| due.request)
    }

    fn closed(&self) -> WireError {
        let request = self.due_request();
        let heard = self.in_use || self.endpoint_is_known;
        let hint = if heard || request == API_VERSIONS.name { "" } else { SASL_HINT };
        WireError::Closed { endpoint: self.endpoint.clone(), request, hint }
    }

    fn broken(&self, error: &std::io::Error) -> WireError {
        match error.kind() {
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof
            | ErrorKind::NotConnected => self.closed(),
            // What TLS reports about bytes that it cannot accept.
            ErrorKind::InvalidData => {
                let detail = error.to_string();
                WireError::Protocol { endpoint: self.endpoint.clone(), request: self.due_request(), detail }
            }
            _ => WireError::Unreachable { endpoint: self.endpoint.clone(), detail: error.to_string() },
        }
    }
}

fn closed_in_handshake(error: WireError) -> WireError {
    match error {
        WireError::Closed { endpoint, .. } => {
            WireError::Unreachable { endpoint, detail: TLS_HINT.to_owned() }
        }
        other => other,
    }
}

/// What a connector sees while it authenticates.
struct Authenticating<'a> {
    connection: &'a mut Connection,
    limit: Duration,
    cancel: &'a CancelToken,
}

impl Exchange for Authenticating<'_> {
    fn versions(&self, api_key: i16) -> Option<(i16, i16)> {
        self.connection.versions.range(api_key)
    }

    fn exchange(
        &mut self,
        api_key: i16,
        api_version: i16,
        flexible: bool,
        body: &[u8],
    ) -> Result<Vec<u8>, WireError> {
        // SaslHandshake and SaslAuthenticate; everything else goes through `ReadRequest`.
        let request = match api_key {
            17 => "SaslHandshake",
            36 => "SaslAuthenticate",
            _ => {
                let detail = format!("API key {api_key} is no part of authentication");
                let endpoint = self.connection.endpoint.clone();
                return Err(WireError::Unsupported { endpoint, request: "authentication", detail });
            }
        };
        let connection = &mut *self.connection;
        let header = connection.request_header(api_key, api_version);
        connection.out.clear();
        connection.out.put_i32(0);
        header.encode(&mut connection.out, if flexible { 2 } else { 1 }).map_err(|error| {
            WireError::Unsupported {
                endpoint: connection.endpoint.clone(),
                request,
                detail: error.to_string(),
            }
        })?;
        connection.out.put_slice(body);
        connection.send_out(request, header.correlation_id, flexible)?;
        let answer = connection.receive(STEP, &Wait::new(self.limit, self.cancel));
        // Tokens and passwords do not stay in a buffer that lives as long as the connection.
        connection.out.fill(0);
        connection.in_use = false;
        answer
    }

    fn endpoint(&self) -> &str {
        &self.connection.endpoint
    }
}
