//! Idle connections by endpoint. A broker answers one request of a connection at a time, so every worker that talks to
//! a broker has a connection of its own.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::connection::{Connection, Wait};
use super::settings::ClusterSettings;
use super::transport::{Connector, endpoint_name};
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
    /// Endpoints that have answered more than the handshake.
    heard: Mutex<HashSet<String>>,
}

impl Pool {
    pub(crate) fn new(connector: Arc<dyn Connector>, settings: Arc<ClusterSettings>) -> Self {
        Self { connector, settings, idle: Mutex::default(), heard: Mutex::default() }
    }

    /// An idle connection, or a new one that is made before `wait` is over.
    pub(crate) fn checkout(&self, endpoint: &Endpoint, wait: &Wait<'_>) -> Result<Connection, WireError> {
        let name = endpoint.to_string();
        if let Some(connection) = self.take_idle(&name) {
            return Ok(connection);
        }
        let mut connection =
            Connection::open(&*self.connector, &endpoint.host, endpoint.port, &self.settings, wait)?;
        if self.heard.lock().unwrap_or_else(PoisonError::into_inner).contains(&name) {
            connection.expect_no_refusal();
        }
        Ok(connection)
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
        if connection.is_in_use() {
            let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            if !heard.contains(connection.endpoint()) {
                heard.insert(connection.endpoint().to_owned());
            }
        }
        connection.idle_since = Instant::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle.entry(connection.endpoint().to_owned()).or_default();
        if kept.len() < MAX_KEPT {
            kept.push(connection);
        }
    }
}
