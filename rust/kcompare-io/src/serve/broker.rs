//! The broker: who listens, who is served, and how all of it ends.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::connection::{self, Patience, Peer};
use super::fault::{Fault, Script};
use super::group::Groups;
use super::store::LogStore;

/// How often the listener looks for connections and for the end.
const ACCEPT_INTERVAL: Duration = Duration::from_millis(5);

/// A broker as clients see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The id.
    pub id: i32,
    /// The host that clients connect to.
    pub host: String,
    /// The port that clients connect to.
    pub port: u16,
}

/// How a broker presents itself.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// Where to listen; port 0 takes any free port.
    pub listen: SocketAddr,
    /// The id of the cluster.
    pub cluster_id: String,
    /// The id of this broker.
    pub node_id: i32,
    /// Connections beyond this number are closed at once.
    pub max_connections: usize,
    /// The newest version by API key, to pose as an older broker; below the oldest version the API is gone.
    pub max_versions: BTreeMap<i16, i16>,
    /// The host and port that clients are told; by default the address that is listened on, and where that is any
    /// address (`0.0.0.0`, `[::]`) the one that each client has connected to.
    pub advertised: Option<(String, u16)>,
    /// How long peers may take.
    pub patience: Patience,
    /// The other brokers of the cluster.
    pub peers: Vec<Node>,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            cluster_id: "kcompare".to_owned(),
            node_id: 1,
            max_connections: 256,
            max_versions: BTreeMap::new(),
            advertised: None,
            patience: Patience::default(),
            peers: Vec::new(),
        }
    }
}

/// What all threads of a broker know.
pub(super) struct Shared {
    pub(super) config: BrokerConfig,
    pub(super) store: Arc<dyn LogStore>,
    pub(super) script: Script,
    pub(super) groups: Groups,
    /// Held by whoever answers a request that is unusually large.
    pub(super) large_requests: Mutex<()>,
    own: Node,
    /// The address is any of this host; clients are told the one that they came to.
    anywhere: bool,
    peers: RwLock<Vec<Node>>,
    requests: Mutex<BTreeMap<i16, u64>>,
    stopping: AtomicBool,
}

impl Shared {
    pub(super) fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Sleeps for `pause` or to the deadline, and tells whether there is any point in looking again.
    pub(super) fn wait(&self, pause: Duration, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || self.stopping() {
            return false;
        }
        thread::sleep(pause.min(left));
        !self.stopping()
    }

    /// Sleeps for `duration` or to the end of the broker.
    pub(super) fn sleep(&self, duration: Duration) {
        let deadline = Instant::now() + duration;
        while self.wait(Duration::from_millis(20), deadline) {}
    }

    pub(super) fn count(&self, api_key: i16) {
        *self.requests.lock().unwrap_or_else(PoisonError::into_inner).entry(api_key).or_default() += 1;
    }

    /// This broker as a peer is told.
    pub(super) fn own(&self, peer: Peer) -> Node {
        let mut own = self.own.clone();
        if self.anywhere {
            own.host = peer.local.ip().to_canonical().to_string();
        }
        own
    }

    /// All brokers of the cluster in order of their ids, as a peer is told.
    pub(super) fn nodes(&self, peer: Peer) -> Vec<Node> {
        let mut nodes = self.peers.read().unwrap_or_else(PoisonError::into_inner).clone();
        nodes.retain(|node| node.id != self.own.id);
        nodes.push(self.own(peer));
        nodes.sort_by_key(|node| node.id);
        nodes
    }
}

/// A running read-only broker. Dropping it stops it.
pub struct Broker {
    addr: SocketAddr,
    shared: Arc<Shared>,
    listener: Mutex<Option<JoinHandle<()>>>,
}

impl Broker {
    /// Starts to listen and serve. Several brokers may serve one store, as the nodes of one cluster.
    pub fn start(config: BrokerConfig, store: Arc<dyn LogStore>) -> io::Result<Self> {
        let listener = TcpListener::bind(config.listen)?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let anywhere = config.advertised.is_none() && addr.ip().is_unspecified();
        let (host, port) = config.advertised.clone().unwrap_or_else(|| (addr.ip().to_string(), addr.port()));
        let shared = Arc::new(Shared {
            store,
            script: Script::default(),
            groups: Groups::default(),
            large_requests: Mutex::default(),
            anywhere,
            own: Node { id: config.node_id, host, port },
            peers: RwLock::new(config.peers.clone()),
            requests: Mutex::default(),
            stopping: AtomicBool::new(false),
            config,
        });
        let served = Arc::clone(&shared);
        let listener = thread::Builder::new()
            .name("kafka-listener".to_owned())
            .spawn(move || accept(&listener, &served))?;
        Ok(Self { addr, shared, listener: Mutex::new(Some(listener)) })
    }

    /// Where the broker listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The broker as clients are told.
    pub fn node(&self) -> Node {
        self.shared.own.clone()
    }

    /// Replaces the other brokers of the cluster, whose ports are known only when they have started.
    pub fn set_peers(&self, peers: Vec<Node>) {
        *self.shared.peers.write().unwrap_or_else(PoisonError::into_inner) = peers;
    }

    /// How many requests came for each API key, known or not, answered or not.
    pub fn requests(&self) -> BTreeMap<i16, u64> {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds a fault to the script, and returns its number.
    pub fn add_fault(&self, fault: Fault) -> usize {
        self.shared.script.add(fault)
    }

    /// How often a fault has struck.
    pub fn fault_count(&self, number: usize) -> u32 {
        self.shared.script.fired(number)
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.shared.script.clear();
    }

    /// Stops listening, closes all connections and waits for their threads.
    pub fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(listener) = listener {
            // A listener that has panicked has nothing left to join; its connections see the flag themselves.
            let _ = listener.join();
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Accepts connections until the broker stops, then waits for their threads.
fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut connections: Vec<JoinHandle<()>> = Vec::new();
    let mut accepted = 0_u64;
    while !shared.stopping() {
        match listener.accept() {
            Ok((stream, _)) => {
                connections.retain(|connection| !connection.is_finished());
                if connections.len() < shared.config.max_connections {
                    accepted += 1;
                    connections.extend(serve(stream, accepted, shared));
                }
            }
            // There is no connection, or it is gone again, or there are no file descriptors left: later, then.
            Err(_) => thread::sleep(ACCEPT_INTERVAL),
        }
    }
    for connection in connections {
        let _ = connection.join();
    }
}

/// Starts the thread of a connection. A connection that gets none is closed by being dropped.
fn serve(stream: TcpStream, id: u64, shared: &Arc<Shared>) -> Option<JoinHandle<()>> {
    let shared = Arc::clone(shared);
    thread::Builder::new()
        .name("kafka-connection".to_owned())
        .spawn(move || connection::serve(stream, id, &shared))
        .ok()
}
