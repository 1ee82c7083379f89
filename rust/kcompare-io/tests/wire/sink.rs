//! A sink that writes down what it gets.

use kcompare_core::records::{AbortedTransaction, Frame};
use kcompare_io::wire::{BatchSink, Unreadable};

#[derive(Default)]
pub struct Recorder {
    pub position: i64,
    /// Base offsets of the batches, in order.
    pub bases: Vec<i64>,
    /// The bytes of all batches, one behind the other.
    pub bytes: Vec<u8>,
    pub unreadable: Vec<(Option<i64>, Unreadable)>,
    /// One list for each answer.
    pub aborted: Vec<Vec<(i64, i64)>>,
    /// A batch at one of these offsets is refused, once for each entry: the position stays until it comes again.
    pub refuse: Vec<i64>,
    pub waiting: bool,
    /// Called with each base offset.
    pub on_batch: Option<Box<dyn FnMut(i64)>>,
}

impl Recorder {
    pub fn at(position: i64) -> Self {
        Self { position, ..Self::default() }
    }
}

impl BatchSink for Recorder {
    fn aborted_transactions(&mut self, list: &[AbortedTransaction]) {
        self.aborted.push(list.iter().map(|entry| (entry.producer_id, entry.first_offset)).collect());
    }

    fn batch(&mut self, frame: &Frame, bytes: &[u8]) {
        assert_eq!(frame.size, bytes.len());
        let base = frame.header.base_offset;
        if let Some(index) = self.refuse.iter().position(|refused| *refused == base) {
            self.refuse.swap_remove(index);
            self.waiting = true;
            return;
        }
        if self.waiting && base > self.position {
            return;
        }
        self.waiting = false;
        self.bases.push(base);
        self.bytes.extend_from_slice(bytes);
        self.position = frame.header.next_offset();
        if let Some(on_batch) = &mut self.on_batch {
            on_batch(base);
        }
    }

    fn unreadable(&mut self, frame: Option<&Frame>, reason: Unreadable) {
        match (&reason, frame) {
            (Unreadable::BatchTooLarge { .. }, Some(frame)) => self.position = frame.header.next_offset(),
            (Unreadable::Damaged { to, .. }, _) => self.position = *to,
            _ => {}
        }
        self.unreadable.push((frame.map(|frame| frame.header.base_offset), reason));
    }

    fn position(&self) -> i64 {
        self.position
    }
}
