//! A cluster as a whole: who leads what, and requests that find their broker.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::codes::{broker_error, is_retriable, refused};
use super::connection::{Connection, Wait};
use super::fetch::buffers::Buffers;
use super::metadata::{self, ClusterMetadata, TopicInfo};
use super::pool::{Endpoint, Pool};
use super::settings::ClusterSettings;
use super::silence::{ONE_TRY, Silence};
use super::transport::Connector;
use crate::cancel::CancelToken;
use crate::error::{BrokerError, WireError};

/// Partitions in one request to a leader.
const PARTITIONS_PER_REQUEST: usize = 2000;

/// Who leads a partition, as far as known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leader {
    pub(crate) broker: i32,
    pub(crate) epoch: i32,
}

/// A partition with the leader epoch that is sent along (KIP-320).
pub(crate) type PartitionAtEpoch = (i32, i32);

/// An answer for each partition, in order.
pub type ByPartition<T> = Vec<(i32, Result<T, BrokerError>)>;

/// What became of one partition of a request.
pub(crate) type Answers<T> = Vec<(i32, Result<T, i16>)>;

#[derive(Debug, Default)]
struct Known {
    brokers: BTreeMap<i32, Endpoint>,
    topics: HashMap<String, TopicInfo>,
    /// The endpoint that answered the last request that any broker can answer.
    answered: Option<Endpoint>,
}

/// A Kafka cluster, read only. Its methods may be called from many threads; each uses connections of its own.
pub struct Cluster {
    pub(crate) settings: Arc<ClusterSettings>,
    pub(crate) pool: Pool,
    pub(crate) buffers: Buffers,
    pub(crate) silence: Silence,
    cancel: CancelToken,
    known: Mutex<Known>,
    id: Option<String>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Cluster").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Cluster {
    /// Asks the bootstrap servers for the cluster's brokers. `cancel` stops every request but a fetch, which has a
    /// token of its own.
    pub fn connect(
        settings: ClusterSettings,
        connector: Arc<dyn Connector>,
        cancel: CancelToken,
    ) -> Result<Self, WireError> {
        let settings = Arc::new(settings);
        let mut cluster = Self {
            pool: Pool::new(connector, Arc::clone(&settings)),
            buffers: Buffers::default(),
            silence: Silence::new(settings.stall_timeout),
            settings,
            cancel,
            known: Mutex::default(),
            id: None,
        };
        cluster.id = cluster.metadata(Some(&[]))?.cluster_id;
        Ok(cluster)
    }

    /// The id of the cluster, where its brokers tell it.
    pub fn cluster_id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The settings that the cluster was connected with.
    pub fn settings(&self) -> &ClusterSettings {
        &self.settings
    }

    /// Brokers, and the named topics or all of them. Topics that do not exist are listed with their error code; they
    /// are never created.
    pub fn metadata(&self, topics: Option<&[String]>) -> Result<ClusterMetadata, WireError> {
        let cancel = &self.cancel;
        self.retrying(|| self.metadata_once(topics, self.request_limit(), cancel))
    }

    /// A topic that exists, as the cluster describes it now.
    pub(crate) fn topic(&self, name: &str) -> Result<TopicInfo, WireError> {
        let metadata = self.metadata(Some(&[name.to_owned()]))?;
        let Some(info) = metadata.topics.into_iter().find(|info| info.name == name) else {
            let (endpoint, detail) = ("the cluster".to_owned(), format!("topic {name} is not in the answer"));
            return Err(WireError::Protocol { endpoint, request: "Metadata", detail });
        };
        if info.error_code == 0 {
            Ok(info)
        } else {
            Err(refused("the cluster", format!("topic {name}"), info.error_code))
        }
    }

    /// One round over the known brokers and the bootstrap servers.
    pub(crate) fn metadata_once(
        &self,
        topics: Option<&[String]>,
        limit: Duration,
        cancel: &CancelToken,
    ) -> Result<ClusterMetadata, WireError> {
        let metadata =
            self.at_any_broker(limit, cancel, |connection, wait| metadata::ask(connection, topics, wait))?;
        self.remember(&metadata);
        Ok(metadata)
    }

    fn remember(&self, metadata: &ClusterMetadata) {
        let mut known = self.known();
        if !metadata.brokers.is_empty() {
            let endpoint = |host: &String, port| Endpoint { host: host.clone(), port };
            known.brokers = metadata.brokers.iter().map(|b| (b.id, endpoint(&b.host, b.port))).collect();
        }
        for topic in &metadata.topics {
            known.topics.insert(topic.name.clone(), topic.clone());
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The topic as last seen.
    pub(crate) fn known_topic(&self, topic: &str) -> Option<TopicInfo> {
        self.known().topics.get(topic).cloned()
    }

    /// The id and leader of a partition as last seen. A leader of -1 is none.
    pub(crate) fn known_leader(&self, topic: &str, partition: i32) -> Option<([u8; 16], Leader)> {
        let known = self.known();
        let topic = known.topics.get(topic)?;
        let found = topic.partitions.iter().find(|info| info.partition == partition)?;
        Some((topic.topic_id, Leader { broker: found.leader, epoch: found.leader_epoch }))
    }

    /// Where a broker listens, as last seen.
    pub(crate) fn broker_endpoint(&self, broker: i32) -> Option<Endpoint> {
        self.known().brokers.get(&broker).cloned()
    }

    /// A connection to a broker; it must be checked in or dropped.
    pub(crate) fn checkout(&self, broker: i32, wait: &Wait<'_>) -> Result<Connection, WireError> {
        let Some(endpoint) = self.broker_endpoint(broker) else {
            let endpoint = format!("broker {broker}");
            return Err(WireError::Unreachable {
                endpoint,
                detail: "the cluster does not list it".to_owned(),
            });
        };
        self.pool.checkout(&endpoint, wait)
    }

    /// Runs `work` at the first broker that answers.
    pub(crate) fn at_any_broker<T>(
        &self,
        limit: Duration,
        cancel: &CancelToken,
        mut work: impl FnMut(&mut Connection, &Wait<'_>) -> Result<T, WireError>,
    ) -> Result<T, WireError> {
        let started = Instant::now();
        let mut failures = Vec::new();
        let mut candidates = self.candidates().into_iter().peekable();
        while let Some(endpoint) = candidates.next() {
            let left = limit.saturating_sub(started.elapsed());
            if !failures.is_empty() && left.is_zero() {
                break;
            }
            // A broker that hangs must leave time for those that would answer.
            let wait = Wait::new(if candidates.peek().is_some() { left / 2 } else { left }, cancel);
            let result = self.pool.checkout(&endpoint, &wait).and_then(|mut connection| {
                let result = work(&mut connection, &wait)?;
                self.pool.checkin(connection);
                Ok(result)
            });
            match result {
                Err(error) if error.is_retriable() => {
                    self.silence.failed(&endpoint.to_string(), started, Instant::now());
                    failures.push(error);
                }
                Ok(answer) => {
                    self.known().answered = Some(endpoint);
                    return Ok(answer);
                }
                Err(error) => return Err(error),
            }
        }
        Err(summary(failures))
    }

    /// Everybody to ask, the one that answered last in front.
    fn candidates(&self) -> Vec<Endpoint> {
        let known = self.known();
        let mut list: Vec<Endpoint> = known.answered.iter().cloned().collect();
        list.extend(
            known.brokers.values().filter(|known| !list.contains(known)).cloned().collect::<Vec<_>>(),
        );
        drop(known);
        for (host, port) in &self.settings.bootstrap {
            let endpoint = Endpoint { host: host.clone(), port: *port };
            if !list.contains(&endpoint) {
                list.push(endpoint);
            }
        }
        list
    }

    /// Runs `work` until it succeeds, fails for good, or the retries or the stall timeout are used up.
    pub(crate) fn retrying<T>(&self, mut work: impl FnMut() -> Result<T, WireError>) -> Result<T, WireError> {
        let started = Instant::now();
        for attempt in 0..self.settings.retries {
            match work() {
                Err(error) if error.is_retriable() && !self.is_late(started) && !self.is_given_up() => {
                    self.cancel.sleep(self.settings.backoff(attempt))?;
                }
                other => return other,
            }
        }
        work()
    }

    /// Whether every broker has had its time: then another request need not wait as long again.
    fn is_given_up(&self) -> bool {
        let now = Instant::now();
        self.candidates().iter().all(|endpoint| self.silence.is_given_up(&endpoint.to_string(), now))
    }

    /// Notes that a leader failed, and tells whether it has had its time.
    fn gives_up(&self, leader: i32, started: Instant) -> bool {
        if let Some(endpoint) = self.broker_endpoint(leader) {
            self.silence.failed(&endpoint.to_string(), started, Instant::now());
        }
        self.has_had_its_time(leader)
    }

    /// Whether a leader has got nobody any further for the stall timeout: it gets one try, and no more.
    fn has_had_its_time(&self, leader: i32) -> bool {
        let endpoint = self.broker_endpoint(leader);
        endpoint.is_some_and(|endpoint| self.silence.is_given_up(&endpoint.to_string(), Instant::now()))
    }

    /// Whether a request that began then has had its time.
    fn is_late(&self, started: Instant) -> bool {
        started.elapsed() >= self.settings.stall_timeout
    }

    /// Asks the leaders of `partitions`, many partitions in one request, and asks again where a leader has moved.
    /// Every partition is in the result once, in order.
    pub(crate) fn by_leader<T>(
        &self,
        topic: &str,
        partitions: &[i32],
        mut ask: impl FnMut(&mut Connection, &[PartitionAtEpoch], &Wait<'_>) -> Result<Answers<T>, WireError>,
    ) -> Result<ByPartition<T>, WireError> {
        let mut done: BTreeMap<i32, Result<T, BrokerError>> = BTreeMap::new();
        let mut open: Vec<i32> = partitions.to_vec();
        let started = Instant::now();
        for attempt in 0..=self.settings.retries {
            if attempt > 0 {
                self.cancel.sleep(self.settings.backoff(attempt - 1))?;
            }
            if attempt > 0 || self.known_topic(topic).is_none() {
                self.metadata(Some(&[topic.to_owned()]))?;
            }
            let mut answers = Vec::new();
            let groups = self.grouped(topic, &open, &mut answers);
            let given_up = !groups.is_empty() && groups.keys().all(|leader| self.has_had_its_time(*leader));
            let last = given_up || attempt == self.settings.retries || self.is_late(started);
            for (leader, group) in groups {
                for chunk in group.chunks(PARTITIONS_PER_REQUEST) {
                    match self.at_leader(leader, |connection, wait| ask(connection, chunk, wait)) {
                        Ok(list) => answers.extend(list),
                        Err(error) if error.is_retriable() && !self.gives_up(leader, started) && !last => {}
                        Err(error) => return Err(error),
                    }
                }
            }
            for (partition, answer) in answers {
                match answer {
                    Err(code) if is_retriable(code) && !last => {}
                    answer => {
                        done.insert(partition, answer.map_err(broker_error));
                    }
                }
            }
            open.retain(|partition| !done.contains_key(partition));
            if open.is_empty() || last {
                break;
            }
        }
        for partition in open {
            // A broker that leaves a partition out of its answers gives no reason.
            done.insert(partition, Err(broker_error(-1)));
        }
        done.retain(|partition, _| partitions.contains(partition));
        Ok(done.into_iter().collect())
    }

    /// The partitions by leader; those without one go to `answers` with the reason.
    fn grouped<T>(
        &self,
        topic: &str,
        partitions: &[i32],
        answers: &mut Answers<T>,
    ) -> BTreeMap<i32, Vec<PartitionAtEpoch>> {
        let mut groups: BTreeMap<i32, Vec<PartitionAtEpoch>> = BTreeMap::new();
        let info = self.known_topic(topic);
        let listed: HashMap<i32, (i32, i32)> = info
            .iter()
            .flat_map(|info| &info.partitions)
            .map(|info| (info.partition, (info.leader, info.leader_epoch)))
            .collect();
        let topic_code = info.map_or(super::codes::UNKNOWN_TOPIC_OR_PARTITION, |info| info.error_code);
        for partition in partitions {
            match listed.get(partition) {
                Some((leader, epoch)) if *leader >= 0 => {
                    groups.entry(*leader).or_default().push((*partition, *epoch));
                }
                Some(_) => answers.push((*partition, Err(super::codes::LEADER_NOT_AVAILABLE))),
                None if topic_code != 0 => answers.push((*partition, Err(topic_code))),
                None => answers.push((*partition, Err(super::codes::UNKNOWN_TOPIC_OR_PARTITION))),
            }
        }
        groups
    }

    fn at_leader<T>(
        &self,
        leader: i32,
        work: impl FnOnce(&mut Connection, &Wait<'_>) -> Result<T, WireError>,
    ) -> Result<T, WireError> {
        let limit = if self.has_had_its_time(leader) { ONE_TRY } else { Duration::MAX };
        let limit = limit.min(self.request_limit());
        let mut connection = self.checkout(leader, &Wait::new(limit, &self.cancel))?;
        let result = work(&mut connection, &Wait::new(limit, &self.cancel))?;
        self.pool.checkin(connection);
        Ok(result)
    }

    /// How long one request may take.
    pub(crate) fn request_limit(&self) -> Duration {
        self.settings.request_timeout.min(self.settings.stall_timeout)
    }

    /// The cancel token that the cluster was connected with.
    pub(crate) fn cancel_token(&self) -> &CancelToken {
        &self.cancel
    }
}

/// One error for all brokers that were tried.
fn summary(mut failures: Vec<WireError>) -> WireError {
    let Some(last) = failures.pop() else {
        let detail = "no bootstrap server is given".to_owned();
        return WireError::Unreachable { endpoint: "the cluster".to_owned(), detail };
    };
    // A listener that wants credentials says more than the brokers that are down beside it.
    if failures.is_empty() || failures.iter().any(|error| error.kind() != last.kind()) {
        return last;
    }
    let detail =
        failures.into_iter().chain([last]).map(|error| error.to_string()).collect::<Vec<_>>().join("; ");
    WireError::Unreachable { endpoint: "any broker".to_owned(), detail }
}
