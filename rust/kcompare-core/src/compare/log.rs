//! One side of a partition as prefix digests.

use crate::digest::{Base, CellRow, Lanes, LayoutError, read_anchors, read_cells};

/// The lanes of every record below an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// One past the last offset that `lanes` covers.
    pub offset: i64,
    /// The lanes of the log from its start up to `offset`; `lanes.count` is the ordinal of the next record.
    pub lanes: Lanes,
}

/// The checkpoints of one side, ascending; the first has no records, the last has all of them.
#[derive(Clone, Debug)]
pub struct LogDigest {
    checkpoints: Vec<Checkpoint>,
    cells: Vec<CellRow>,
}

impl LogDigest {
    /// From cell and anchor rows; `start` is where the log begins when it has no cell at all.
    pub fn new(cells: &[u8], anchors: &[u8], start: i64, base: &Base) -> Result<Self, LayoutError> {
        let cells = read_cells(cells)?;
        let anchors = read_anchors(anchors)?;
        let start = cells.first().map_or(start, |cell| cell.start);
        let mut prefix = Lanes::default();
        let mut checkpoints = Vec::with_capacity(cells.len() + anchors.len() + 1);
        checkpoints.push(Checkpoint { offset: start, lanes: prefix });
        let mut rest = anchors.as_slice();
        for cell in &cells {
            let inside = rest.partition_point(|anchor| anchor.offset < cell.stop);
            let (here, after) = rest.split_at(inside);
            rest = after;
            if here.len() as u64 != cell.anchors
                || here.first().is_some_and(|anchor| anchor.offset < cell.start)
            {
                return Err(LayoutError::Inconsistent {
                    offset: cell.start,
                    what: "anchors do not fit their cell",
                });
            }
            for anchor in here.iter().filter(|anchor| anchor.offset + 1 < cell.stop) {
                let lanes = prefix.concat(&anchor.lanes, base);
                checkpoints.push(Checkpoint { offset: anchor.offset + 1, lanes });
            }
            prefix = prefix.concat(&cell.lanes, base);
            checkpoints.push(Checkpoint { offset: cell.stop, lanes: prefix });
        }
        if let Some(anchor) = rest.first() {
            return Err(LayoutError::Inconsistent {
                offset: anchor.offset,
                what: "an anchor lies past the last cell",
            });
        }
        Ok(Self { checkpoints, cells })
    }

    /// All checkpoints.
    pub fn checkpoints(&self) -> &[Checkpoint] {
        &self.checkpoints
    }

    /// All cells.
    pub fn cells(&self) -> &[CellRow] {
        &self.cells
    }

    /// First offset.
    pub fn start(&self) -> i64 {
        self.checkpoints[0].offset
    }

    /// One past the last offset.
    pub fn stop(&self) -> i64 {
        self.checkpoints[self.checkpoints.len() - 1].offset
    }

    /// The lanes of the whole log.
    pub fn whole(&self) -> Lanes {
        self.checkpoints[self.checkpoints.len() - 1].lanes
    }

    /// Offset of the first record.
    pub fn first_offset(&self) -> Option<i64> {
        self.cells.iter().find(|cell| cell.lanes.count != 0).map(|cell| cell.first_offset)
    }

    /// The checkpoint at exactly `offset`.
    pub fn at_offset(&self, offset: i64) -> Option<&Checkpoint> {
        let index = self.checkpoints.partition_point(|checkpoint| checkpoint.offset < offset);
        self.checkpoints.get(index).filter(|checkpoint| checkpoint.offset == offset)
    }
}
