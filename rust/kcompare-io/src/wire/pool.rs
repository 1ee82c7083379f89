//! Idle connections by endpoint. A broker answers one request of a connection at a time, so every worker that talks to
//! a broker has a connection of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::settings::ClusterSettings;
use super::transport::{Connector, endpoint_name};
use crate::cancel::CancelToken;
use crate::error::WireError;

/// Older idle connections are not used again: brokers and what stands before them close those that rest for minutes.
const MAX_IDLE: Duration = Duration::from_secs(60);
/// Idle connections kept for one endpoint.
const MAX_KEPT: usize = 16;

/// Where a broker listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&endpoint_name(&self.host, self.port))
    }
}

pub(crate) struct Pool {
    connector: Arc<dyn Connector>,
    settings: Arc<ClusterSettings>,
    idle: Mutex<HashMap<String, Vec<Connection>>>,
}

impl Pool {
    pub(crate) fn new(connector: Arc<dyn Connector>, settings: Arc<ClusterSettings>) -> Self {
        Self { connector, settings, idle: Mutex::default() }
    }

    /// An idle connection, or a new one.
    pub(crate) fn checkout(
        &self,
        endpoint: &Endpoint,
        cancel: &CancelToken,
    ) -> Result<Connection, WireError> {
        if let Some(connection) = self.take_idle(&endpoint.to_string()) {
            return Ok(connection);
        }
        Connection::open(&*self.connector, &endpoint.host, endpoint.port, &self.settings, cancel)
    }

    fn take_idle(&self, endpoint: &str) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle.get_mut(endpoint)?;
        while let Some(connection) = kept.pop() {
            if connection.idle_since.elapsed() < MAX_IDLE {
                return Some(connection);
            }
        }
        None
    }

    /// Takes a connection back; one that an answer is due on is closed instead.
    pub(crate) fn checkin(&self, mut connection: Connection) {
        if !connection.is_clean() {
            return;
        }
        connection.idle_since = Instant::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle.entry(connection.endpoint().to_owned()).or_default();
        if kept.len() < MAX_KEPT {
            kept.push(connection);
        }
    }
}
