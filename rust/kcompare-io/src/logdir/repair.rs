//! What the header pass does where a log is damaged: whose fault it is, and where sound batches begin again.

use kcompare_core::digest::UnreadReason;
use kcompare_core::records::Frame;

use super::damage::{Damage, DamageKind, Spot};
use super::error::LogDirError;
use super::resync::{Found, Plausible, hash_allowance, only_zeros, search};
use super::scan::{Item, Previous, Scan};
use super::window::{Seen, Window};

/// Damaged stretches of one segment, past which the rest of it is one.
const MOST_SPOTS: usize = 256;
const HOLDS_DATA: &str = "a record batch with a sound CRC lies in it";
const GIVEN_UP: &str = "the search for a sound batch in it was given up";

/// What damage in one segment may cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    /// Bytes that may be hashed.
    hash: u64,
    /// Damaged stretches.
    spots: usize,
}

impl Allowance {
    pub(super) fn for_segment(size: u64) -> Self {
        Self { hash: hash_allowance(size), spots: MOST_SPOTS }
    }
}

/// Damage as far as it is known: where it begins, and what speaks for it.
struct Suspect {
    position: u64,
    kind: DamageKind,
    detail: String,
    /// A batch with a sound CRC is part of it.
    holds_data: bool,
    plausible: Plausible,
    /// Where sound batches begin again, if that is known.
    found: Option<Found>,
}

impl Scan<'_> {
    /// Bytes at `position` are no batch, or one that cannot be here. Returns where the pass goes on.
    pub(super) fn damaged(
        &mut self,
        window: &mut Window<'_>,
        number: usize,
        position: u64,
        seen: &Seen,
    ) -> Result<u64, LogDirError> {
        let sound = match seen {
            Seen::Batch(frame) => window.is_sound(position, frame)?.then_some(frame),
            _ => None,
        };
        let suspect = match self.culprit(window, number, position, sound)? {
            Some(suspect) => suspect,
            None => self.suspect(window, number, position, seen, sound.is_some())?,
        };
        self.close_run();
        self.previous = None;
        let size = window.file().size();
        let found = match suspect.found {
            Some(found) => found,
            None => self.look_for(window, number, suspect.position + 1, suspect.plausible)?,
        };
        let mut never_end = suspect.holds_data.then(|| HOLDS_DATA.to_owned());
        let end_position = match found {
            Found::Batch(position) => position,
            Found::Nothing => size,
            Found::GivenUp => {
                never_end.get_or_insert(GIVEN_UP.to_owned());
                size
            }
        };
        // Only what the end of a file cuts off is torn.
        let torn = suspect.kind == DamageKind::Torn && end_position < size;
        self.add(Spot {
            damage: Damage {
                segment: number,
                position: suspect.position,
                end_position,
                kind: if torn { DamageKind::Corrupt } else { suspect.kind },
                from: self.found.reached,
                to: None,
                detail: suspect.detail,
            },
            never_end,
            reason: UnreadReason::DamageBeforeEnd,
        });
        Ok(end_position)
    }

    fn add(&mut self, spot: Spot) {
        self.found.transactions.doubt(spot.damage.from, spot.reason);
        self.found.items.push_back(Item::Spot(spot));
    }

    /// The rest of a segment cannot be read.
    pub(super) fn unreadable(&mut self, number: usize, position: u64, error: &LogDirError) {
        self.close_run();
        let damage = Damage {
            segment: number,
            position,
            end_position: self.segments[number].size,
            kind: DamageKind::Corrupt,
            from: self.found.reached,
            to: None,
            detail: error.to_string(),
        };
        self.add(Spot { damage, never_end: Some(error.to_string()), reason: UnreadReason::IoError });
    }

    fn look_for(
        &mut self,
        window: &Window<'_>,
        number: usize,
        position: u64,
        plausible: Plausible,
    ) -> Result<Found, LogDirError> {
        let left = &mut self.left[number];
        let Some(spots) = left.spots.checked_sub(1) else {
            return Ok(Found::GivenUp);
        };
        left.spots = spots;
        search(window.file(), position, plausible, &mut left.hash)
    }

    /// Whether the batch before is wrong: one with a bad CRC, whose length is not to be believed either, or one that had
    /// jumped ahead of the sound batch that is here. It is taken back then.
    fn culprit(
        &mut self,
        window: &mut Window<'_>,
        number: usize,
        position: u64,
        here: Option<&Frame>,
    ) -> Result<Option<Suspect>, LogDirError> {
        let Some(previous) = self.previous else {
            return Ok(None);
        };
        let plausible = Plausible { from: previous.reached, ..self.plausible(number) };
        let here = here.filter(|frame| plausible.holds(frame));
        let is_sound = window.is_sound(previous.position, &previous.frame)?;
        if is_sound && !(previous.follows_a_hole() && here.is_some()) {
            return Ok(None);
        }
        self.take_back(number, &previous);
        let header = &previous.frame.header;
        // Where the log goes on as the bad batch says that it does, its length was right, and what its bytes look like
        // does not matter: they may hold a batch in a record.
        let goes_on = here.is_some_and(|frame| is_sound || frame.header.base_offset <= header.next_offset());
        let detail = if is_sound {
            format!(
                "the batch at byte {} says offsets [{}, {}), and a sound batch behind it begins below that",
                previous.position,
                header.base_offset,
                header.next_offset()
            )
        } else {
            format!(
                "the CRC of the batch at byte {} does not fit, and neither does what follows it",
                previous.position
            )
        };
        Ok(Some(Suspect {
            position: previous.position,
            kind: DamageKind::Corrupt,
            detail,
            holds_data: is_sound,
            plausible,
            found: goes_on.then_some(Found::Batch(position)),
        }))
    }

    /// Forgets the last batch of the run.
    fn take_back(&mut self, number: usize, previous: &Previous) {
        let reached = previous.reached;
        if let Some(run) = &mut self.run {
            (run.end_position, run.to) = (previous.position, reached);
        }
        let found = &mut self.found;
        found.reached = reached;
        found.index.forget_from(number, previous.position);
        while found.epochs.pop_if(|epoch| epoch.start_offset >= reached).is_some() {}
        found.transactions.rewind(reached, UnreadReason::DamageBeforeEnd);
    }

    /// What is at `position` is wrong itself.
    fn suspect(
        &mut self,
        window: &mut Window<'_>,
        number: usize,
        position: u64,
        seen: &Seen,
        holds_data: bool,
    ) -> Result<Suspect, LogDirError> {
        let plausible = self.plausible(number);
        let size = window.file().size();
        let (kind, found) = if only_zeros(window.file(), position)? {
            (DamageKind::Zeros, Some(Found::Nothing))
        } else {
            let kind = if matches!(seen, Seen::Torn(_)) { DamageKind::Torn } else { DamageKind::Corrupt };
            (kind, behind(window, position, seen, plausible)?)
        };
        let detail = clause(seen, kind, position, size, plausible);
        Ok(Suspect { position, kind, detail, holds_data, plausible, found })
    }

    /// Looks for sound batches inside those with a bad CRC at the end of a log: a batch that says that it is longer than
    /// it is swallows others. Returns from where to go over the segments again.
    pub(super) fn hidden_in(&mut self, tail: &mut [Spot]) -> Result<Option<(usize, u64)>, LogDirError> {
        let Some(from) = tail.first().map(|spot| spot.damage.from) else {
            return Ok(None);
        };
        for place in 0..tail.len() {
            let Damage { segment, position, from: reached, kind, .. } = tail[place].damage;
            if kind != DamageKind::BadCrc {
                continue;
            }
            let plausible = Plausible { from: reached, ..self.plausible(segment) };
            let window = Window::new(self.open(segment)?);
            let found = match self.rescans_left {
                0 => Found::GivenUp,
                _ => self.look_for(&window, segment, position + 1, plausible)?,
            };
            match found {
                Found::Nothing => {}
                Found::GivenUp => tail[place].never_end = Some(GIVEN_UP.to_owned()),
                Found::Batch(end_position) => {
                    self.rescans_left -= 1;
                    self.found.transactions.rewind(from, UnreadReason::DamageBeforeEnd);
                    while self.found.epochs.pop_if(|epoch| epoch.start_offset >= from).is_some() {}
                    tail[place].damage.end_position = end_position;
                    tail[place].damage.kind = DamageKind::Corrupt;
                    for spot in &tail[..=place] {
                        self.add(spot.clone());
                    }
                    self.found.reached = reached;
                    return Ok(Some((segment, end_position)));
                }
            }
        }
        Ok(None)
    }
}

/// The batch behind a damaged one, where that says that it ends. It is tried before the bytes of the damaged one, because
/// those may hold a batch in a record.
fn behind(
    window: &mut Window<'_>,
    position: u64,
    seen: &Seen,
    plausible: Plausible,
) -> Result<Option<Found>, LogDirError> {
    let Seen::Batch(frame) = seen else {
        return Ok(None);
    };
    let behind = position + frame.size as u64;
    let Seen::Batch(next) = window.look(behind)? else {
        return Ok(None);
    };
    let is_it = plausible.holds(&next) && window.is_sound(behind, &next)?;
    Ok(is_it.then_some(Found::Batch(behind)))
}

fn clause(seen: &Seen, kind: DamageKind, position: u64, size: u64, plausible: Plausible) -> String {
    let left = size - position;
    match seen {
        _ if kind == DamageKind::Zeros => format!("only zeros follow byte {position}"),
        Seen::Torn(Some(frame)) => {
            format!("the batch at byte {position} says that it has {} bytes, and {left} are left", frame.size)
        }
        Seen::Batch(frame) => format!(
            "the batch at byte {position} says offsets [{}, {}), which cannot be within [{}, {})",
            frame.header.base_offset,
            frame.header.next_offset(),
            plausible.from,
            plausible.limit
        ),
        Seen::Bad(error) => format!("no batch begins at byte {position}: {}", error.kind),
        Seen::Torn(None) | Seen::End => format!("{left} bytes at byte {position} are too few for a batch"),
    }
}
