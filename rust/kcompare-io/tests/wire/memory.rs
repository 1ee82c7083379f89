//! A broker without sockets: every read returns as many bytes as the test says.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kcompare_io::error::WireError;
use kcompare_io::wire::{ConnectContext, Connector, Transport};

use crate::broker::{Action, World};

/// How answers are cut into reads.
#[derive(Debug, Clone, Copy)]
pub enum Segments {
    /// At most this many bytes a read.
    Of(usize),
    /// Each answer in two pieces, cut after this many bytes.
    CutAt(usize),
}

#[derive(Clone)]
pub struct Memory {
    pub world: Arc<World>,
    pub segments: Arc<Mutex<Segments>>,
    /// Every answer that was sent.
    pub sent: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Connector for Memory {
    fn connect(&self, _: &str, _: u16, _: &ConnectContext<'_>) -> Result<Box<dyn Transport>, WireError> {
        Ok(Box::new(Pipe {
            memory: self.clone(),
            requests: Vec::new(),
            answers: VecDeque::new(),
            closed: false,
        }))
    }
}

struct Pipe {
    memory: Memory,
    requests: Vec<u8>,
    answers: VecDeque<Vec<u8>>,
    closed: bool,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(front) = self.answers.front_mut() else {
            if self.closed {
                return Ok(0);
            }
            std::thread::sleep(Duration::from_millis(1));
            return Err(io::ErrorKind::WouldBlock.into());
        };
        let count = front.len().min(buffer.len());
        buffer[..count].copy_from_slice(&front[..count]);
        front.drain(..count);
        if front.is_empty() {
            self.answers.pop_front();
        }
        Ok(count)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.requests.extend_from_slice(bytes);
        while self.requests.len() >= 4 {
            let length = i32::from_be_bytes(self.requests[..4].try_into().unwrap()) as usize;
            if self.requests.len() < 4 + length {
                break;
            }
            let frame: Vec<u8> = self.requests.drain(..4 + length).skip(4).collect();
            match self.memory.world.answer(1, &frame) {
                Action::Send(answer) | Action::SendLate(_, answer) => self.push(&answer),
                Action::Close => self.closed = true,
                Action::Hang => {}
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Pipe {
    fn push(&mut self, answer: &[u8]) {
        self.memory.sent.lock().unwrap().push(answer.to_vec());
        match *self.memory.segments.lock().unwrap() {
            Segments::Of(size) => self.answers.extend(answer.chunks(size).map(<[u8]>::to_vec)),
            Segments::CutAt(at) => {
                let (front, back) = answer.split_at(at.min(answer.len()));
                let pieces = [front, back].into_iter().filter(|piece| !piece.is_empty());
                self.answers.extend(pieces.map(<[u8]>::to_vec));
            }
        }
    }
}

impl Transport for Pipe {
    fn set_read_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn peer(&self) -> String {
        "memory:1".to_owned()
    }
}
