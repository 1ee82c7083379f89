//! The shape of a request, checked before it is decoded.
//!
//! `kafka-protocol` makes room for as many elements as an array claims to have. A claim of two thousand million would
//! end the process, so that no count reaches it that the bytes of the request do not bear out: the walk below goes over
//! every element and fails where the bytes end.
//!
//! # References
//! * <https://kafka.apache.org/protocol.html#protocol_types>
//! * KIP-482 for compact lengths and tagged fields.

use kafka_protocol::messages::ApiKey;

/// Marks a request whose bytes end early, or that says something that no client says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

type Walked = Result<(), Malformed>;

struct Walk<'a> {
    rest: &'a [u8],
    version: i16,
    /// Whether lengths are varints and structures end with tagged fields.
    flexible: bool,
}

impl<'a> Walk<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    fn skip(&mut self, length: usize) -> Walked {
        self.take(length).map(|_| ())
    }

    /// Skips a field that exists from `since` on.
    fn skip_since(&mut self, since: i16, length: usize) -> Walked {
        if self.version >= since { self.skip(length) } else { Ok(()) }
    }

    fn varint(&mut self) -> Result<usize, Malformed> {
        let mut value = 0_u64;
        for shift in 0..5 {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << (7 * shift);
            if byte & 0x80 == 0 {
                return u32::try_from(value).map(|value| value as usize).map_err(|_| Malformed);
            }
        }
        Err(Malformed)
    }

    /// A nullable string, of which a plain one is the case without -1 (or, in compact form, 0).
    fn string(&mut self) -> Walked {
        let length = if self.flexible {
            self.varint()?.saturating_sub(1)
        } else {
            let bytes = self.take(2)?;
            usize::try_from(i16::from_be_bytes([bytes[0], bytes[1]])).unwrap_or(0)
        };
        self.skip(length)
    }

    /// Nullable bytes.
    fn bytes(&mut self) -> Walked {
        let length = if self.flexible { self.varint()?.saturating_sub(1) } else { self.length()? };
        self.skip(length)
    }

    /// The length of bytes or of an array that is no varint; -1 stands for null.
    fn length(&mut self) -> Result<usize, Malformed> {
        let bytes = self.take(4)?;
        Ok(usize::try_from(i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])).unwrap_or(0))
    }

    /// A nullable array. An element takes at least one byte, so the walk ends with the request at the latest.
    fn array(&mut self, mut element: impl FnMut(&mut Self) -> Walked) -> Walked {
        let count = if self.flexible { self.varint()?.saturating_sub(1) } else { self.length()? };
        if count > self.rest.len() {
            return Err(Malformed);
        }
        (0..count).try_for_each(|_| element(self))
    }

    /// The tagged fields at the end of a structure. `sizes` are the tags that the decoder reads by their type and not
    /// by their length, with the size that the type has.
    fn tags(&mut self, sizes: &[(usize, usize)]) -> Walked {
        if !self.flexible {
            return Ok(());
        }
        for _ in 0..self.varint()? {
            let (tag, size) = (self.varint()?, self.varint()?);
            if sizes.iter().any(|&(known, wanted)| known == tag && wanted != size) {
                return Err(Malformed);
            }
            self.skip(size)?;
        }
        Ok(())
    }

    fn fetch(&mut self) -> Walked {
        // replicaId (to v14), maxWaitMs, minBytes, maxBytes, isolationLevel, and from v7 sessionId and sessionEpoch
        self.skip(if self.version <= 14 { 17 } else { 13 })?;
        self.skip_since(7, 8)?;
        self.array(|walk| {
            walk.topic_reference()?;
            walk.array(|walk| {
                // partition, currentLeaderEpoch (v9), fetchOffset, lastFetchedEpoch (v12), logStartOffset (v5),
                // partitionMaxBytes; replicaDirectoryId and highWatermark are tags
                walk.skip(16)?;
                walk.skip_since(9, 4)?;
                walk.skip_since(12, 4)?;
                walk.skip_since(5, 8)?;
                walk.tags(&[(0, 16), (1, 8)])
            })?;
            walk.tags(&[])
        })?;
        if self.version >= 7 {
            // forgottenTopicsData
            self.array(|walk| {
                walk.topic_reference()?;
                walk.array(|walk| walk.skip(4))?;
                walk.tags(&[])
            })?;
        }
        if self.version >= 11 {
            self.string()?;
        }
        self.tags(&[])
    }

    /// A topic of a fetch: its name to v12, its id from v13 on.
    fn topic_reference(&mut self) -> Walked {
        if self.version >= 13 { self.skip(16) } else { self.string() }
    }

    fn produce(&mut self) -> Walked {
        // transactionalId, acks, timeoutMs
        self.string()?;
        self.skip(6)?;
        self.array(|walk| {
            walk.string()?;
            walk.array(|walk| {
                walk.skip(4)?;
                walk.bytes()?;
                walk.tags(&[])
            })?;
            walk.tags(&[])
        })?;
        self.tags(&[])
    }

    fn list_offsets(&mut self) -> Walked {
        // replicaId, isolationLevel (v2)
        self.skip(4)?;
        self.skip_since(2, 1)?;
        self.array(|walk| {
            walk.string()?;
            walk.array(|walk| {
                // partitionIndex, currentLeaderEpoch (v4), timestamp
                walk.skip(12)?;
                walk.skip_since(4, 4)?;
                walk.tags(&[])
            })?;
            walk.tags(&[])
        })?;
        self.skip_since(10, 4)?;
        self.tags(&[])
    }

    fn metadata(&mut self) -> Walked {
        self.array(|walk| {
            walk.skip_since(10, 16)?;
            walk.string()?;
            walk.tags(&[])
        })?;
        // allowAutoTopicCreation (v4), includeClusterAuthorizedOperations (v8 to v10), includeTopicAuthorizedOperations
        self.skip_since(4, 1)?;
        self.skip(match self.version {
            8..=10 => 2,
            11.. => 1,
            _ => 0,
        })?;
        self.tags(&[])
    }

    fn describe_configs(&mut self) -> Walked {
        self.array(|walk| {
            walk.skip(1)?;
            walk.string()?;
            walk.array(Self::string)?;
            walk.tags(&[])
        })?;
        // includeSynonyms, includeDocumentation (v3)
        self.skip(1)?;
        self.skip_since(3, 1)?;
        self.tags(&[])
    }

    fn offset_for_leader_epoch(&mut self) -> Walked {
        self.skip_since(3, 4)?;
        self.array(|walk| {
            walk.string()?;
            walk.array(|walk| {
                // partition, currentLeaderEpoch, leaderEpoch
                walk.skip(12)?;
                walk.tags(&[])
            })?;
            walk.tags(&[])
        })?;
        self.tags(&[])
    }

    /// Keys were one string in a field of their own before version 4.
    fn find_coordinator(&mut self) -> Walked {
        if self.version < 4 {
            self.string()?;
        }
        self.skip_since(1, 1)?;
        if self.version >= 4 {
            self.array(Self::string)?;
        }
        self.tags(&[])
    }

    fn join_group(&mut self) -> Walked {
        // groupId, sessionTimeoutMs, rebalanceTimeoutMs (v1), memberId, groupInstanceId (v5), protocolType
        self.string()?;
        self.skip(4)?;
        self.skip_since(1, 4)?;
        self.string()?;
        if self.version >= 5 {
            self.string()?;
        }
        self.string()?;
        self.array(|walk| {
            walk.string()?;
            walk.bytes()?;
            walk.tags(&[])
        })?;
        if self.version >= 8 {
            self.string()?;
        }
        self.tags(&[])
    }

    fn sync_group(&mut self) -> Walked {
        self.membership(3)?;
        if self.version >= 5 {
            self.string()?;
            self.string()?;
        }
        self.array(|walk| {
            walk.string()?;
            walk.bytes()?;
            walk.tags(&[])
        })?;
        self.tags(&[])
    }

    /// groupId, generationId, memberId, and groupInstanceId from `static_since` on.
    fn membership(&mut self, static_since: i16) -> Walked {
        self.string()?;
        self.skip(4)?;
        self.string()?;
        if self.version >= static_since { self.string() } else { Ok(()) }
    }

    fn heartbeat(&mut self) -> Walked {
        self.membership(3)?;
        self.tags(&[])
    }

    fn leave_group(&mut self) -> Walked {
        self.string()?;
        if self.version < 3 {
            self.string()?;
        } else {
            self.array(|walk| {
                walk.string()?;
                walk.string()?;
                if walk.version >= 5 {
                    walk.string()?;
                }
                walk.tags(&[])
            })?;
        }
        self.tags(&[])
    }

    fn offset_fetch(&mut self) -> Walked {
        if self.version < 8 {
            self.string()?;
            self.committed_topics()?;
        } else {
            self.array(|walk| {
                walk.string()?;
                if walk.version >= 9 {
                    walk.string()?;
                    walk.skip(4)?;
                }
                walk.committed_topics()?;
                walk.tags(&[])
            })?;
        }
        self.skip_since(7, 1)?;
        self.tags(&[])
    }

    fn committed_topics(&mut self) -> Walked {
        self.array(|walk| {
            walk.string()?;
            walk.array(|walk| walk.skip(4))?;
            walk.tags(&[])
        })
    }

    fn offset_commit(&mut self) -> Walked {
        self.membership(7)?;
        // retentionTimeMs
        self.skip(if self.version <= 4 { 8 } else { 0 })?;
        self.array(|walk| {
            walk.string()?;
            walk.array(|walk| {
                // partitionIndex, committedOffset, committedLeaderEpoch (v6), committedMetadata
                walk.skip(12)?;
                walk.skip_since(6, 4)?;
                walk.string()?;
                walk.tags(&[])
            })?;
            walk.tags(&[])
        })?;
        self.tags(&[])
    }

    fn init_producer_id(&mut self) -> Walked {
        // transactionalId, transactionTimeoutMs, producerId and producerEpoch (v3)
        self.string()?;
        self.skip(4)?;
        self.skip_since(3, 10)?;
        self.tags(&[])
    }
}

/// Checks that the body of a request bears out every count that it claims.
pub(super) fn check(api: ApiKey, version: i16, body: &[u8]) -> Result<(), Malformed> {
    let flexible = api.request_header_version(version) >= 2;
    let mut walk = Walk { rest: body, version, flexible };
    match api {
        ApiKey::Produce => walk.produce(),
        ApiKey::Fetch => walk.fetch(),
        ApiKey::ListOffsets => walk.list_offsets(),
        ApiKey::Metadata => walk.metadata(),
        ApiKey::DescribeConfigs => walk.describe_configs(),
        ApiKey::OffsetForLeaderEpoch => walk.offset_for_leader_epoch(),
        ApiKey::FindCoordinator => walk.find_coordinator(),
        ApiKey::JoinGroup => walk.join_group(),
        ApiKey::SyncGroup => walk.sync_group(),
        ApiKey::Heartbeat => walk.heartbeat(),
        ApiKey::LeaveGroup => walk.leave_group(),
        ApiKey::OffsetFetch => walk.offset_fetch(),
        ApiKey::OffsetCommit => walk.offset_commit(),
        ApiKey::InitProducerId => walk.init_producer_id(),
        // ApiVersions and DescribeCluster have no arrays.
        _ => Ok(()),
    }
}
