//! The receiving half of one channel: what arrives is put in order.
//!
//! Reliable messages come out in their order, each once. An unreliable one comes out if nothing newer of its channel has,
//! and not before the reliable ones that were sent ahead of it.
use super::{MAX_AHEAD, MAX_HELD, OVERHEAD, assembly::Assembly, framing::Fragment};
use std::collections::VecDeque;

/// Unreliable messages of one channel that wait for a reliable one.
const MAX_LATER: usize = 32;

/// Bytes that one peer's channels keep together.
#[derive(Debug, Default)]
pub(super) struct Held(usize);

impl Held {
    fn take(&mut self, len: usize) -> bool {
        let sum = self.0.saturating_add(len).saturating_add(OVERHEAD);
        let fits = sum <= MAX_HELD;
        if fits {
            self.0 = sum;
        }
        fits
    }
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.0
    }
    fn give(&mut self, len: usize) {
        self.0 = self.0.saturating_sub(len.saturating_add(OVERHEAD));
    }
}

#[derive(Debug)]
enum Content {
    Whole(Vec<u8>),
    Parts(Assembly),
}

impl Content {
    fn len(&self) -> usize {
        match self {
            Self::Whole(bytes) => bytes.len(),
            Self::Parts(assembly) => assembly.len(),
        }
    }
    fn is_whole(&self) -> bool {
        match self {
            Self::Whole(_) => true,
            Self::Parts(assembly) => assembly.is_whole(),
        }
    }
    fn numbers(&self) -> u16 {
        match self {
            Self::Whole(_) => 1,
            Self::Parts(assembly) => u16::try_from(assembly.count()).unwrap_or(1),
        }
    }
    fn into_message(self) -> Vec<u8> {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Parts(assembly) => assembly.into_message(),
        }
    }
}

#[derive(Debug)]
struct Unreliable {
    /// The reliable message that comes before it.
    after: u16,
    number: u16,
    payload: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Channel {
    /// The next reliable message to come out.
    next: u16,
    /// The last unreliable one that came out since.
    unreliable: u16,
    /// Reliable ones behind a gap, by their (first) number.
    ahead: Vec<(u16, Content)>,
    later: VecDeque<Unreliable>,
    /// The unreliable message that is being put together: `after`, number, parts.
    partial: Option<(u16, u16, Assembly)>,
}

impl Default for Channel {
    fn default() -> Self {
        Self {
            next: 1,
            unreliable: 0,
            ahead: Vec::new(),
            later: VecDeque::new(),
            partial: None,
        }
    }
}

/// Whether to acknowledge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is here, now or since before.
    Taken,
    /// No room or too far ahead: the sender is to send it again.
    Refused,
}

impl Channel {
    /// A reliable message; what may come out is appended to `out`.
    pub(super) fn reliable(
        &mut self,
        sequence: u16,
        payload: &[u8],
        held: &mut Held,
        out: &mut Vec<Vec<u8>>,
    ) -> Verdict {
        match self.place(sequence) {
            Place::Past => return Verdict::Taken,
            Place::TooFar => return Verdict::Refused,
            Place::Here if self.ahead.is_empty() && self.later.is_empty() => {
                out.push(payload.to_vec());
                self.advance(1);
                return Verdict::Taken;
            }
            Place::Here | Place::Ahead => {}
        }
        if !self.ahead.iter().any(|(of, _)| *of == sequence) {
            if !held.take(payload.len()) {
                return Verdict::Refused;
            }
            self.ahead
                .push((sequence, Content::Whole(payload.to_vec())));
        }
        self.release(held, out);
        Verdict::Taken
    }

    /// A part of a reliable message, sent under the number `sequence`.
    pub(super) fn fragment(
        &mut self,
        sequence: u16,
        fragment: &Fragment<'_>,
        held: &mut Held,
        out: &mut Vec<Vec<u8>>,
    ) -> Verdict {
        let number = u16::try_from(fragment.number).unwrap_or(u16::MAX);
        if sequence != fragment.start.wrapping_add(number) {
            return Verdict::Refused;
        }
        match self.place(fragment.start) {
            Place::Past => return Verdict::Taken,
            Place::TooFar => return Verdict::Refused,
            Place::Here | Place::Ahead => {}
        }
        let known = self.ahead.iter().position(|(of, _)| *of == fragment.start);
        let at = match known {
            Some(at) => at,
            None => {
                let assembly = Assembly::new(fragment);
                if !held.take(assembly.len()) {
                    return Verdict::Refused;
                }
                self.ahead.push((fragment.start, Content::Parts(assembly)));
                self.ahead.len().saturating_sub(1)
            }
        };
        if let Some((_, Content::Parts(assembly))) = self.ahead.get_mut(at) {
            assembly.add(fragment);
        }
        self.release(held, out);
        Verdict::Taken
    }

    /// An unreliable message that was sent behind the reliable one `after`.
    pub(super) fn unreliable(
        &mut self,
        after: u16,
        number: u16,
        payload: &[u8],
        held: &mut Held,
        out: &mut Vec<Vec<u8>>,
    ) {
        // It comes out when `after + 1` is the next.
        match self.place(after.wrapping_add(1)) {
            Place::Here => {
                if self.is_newer(number) {
                    self.unreliable = number;
                    out.push(payload.to_vec());
                }
            }
            Place::Ahead => {
                if self.later.len() >= MAX_LATER
                    && let Some(oldest) = self.later.pop_front()
                {
                    held.give(oldest.payload.len());
                }
                if held.take(payload.len()) {
                    self.later.push_back(Unreliable {
                        after,
                        number,
                        payload: payload.to_vec(),
                    });
                }
            }
            Place::Past | Place::TooFar => {}
        }
    }

    /// A part of an unreliable message. One such message is put together at a time, the newest.
    pub(super) fn unreliable_fragment(
        &mut self,
        after: u16,
        fragment: &Fragment<'_>,
        held: &mut Held,
        out: &mut Vec<Vec<u8>>,
    ) {
        let same =
            |(of, number, _): &(u16, u16, Assembly)| (*of, *number) == (after, fragment.start);
        let mut parts = match self.partial.take() {
            Some(partial) if same(&partial) => partial.2,
            older => {
                if let Some((.., assembly)) = older {
                    held.give(assembly.len());
                }
                let assembly = Assembly::new(fragment);
                if !held.take(assembly.len()) {
                    return;
                }
                assembly
            }
        };
        parts.add(fragment);
        if parts.is_whole() {
            held.give(parts.len());
            self.unreliable(after, fragment.start, &parts.into_message(), held, out);
        } else {
            self.partial = Some((after, fragment.start, parts));
        }
    }

    fn release(&mut self, held: &mut Held, out: &mut Vec<Vec<u8>>) {
        loop {
            self.release_later(held, out);
            let next = self.next;
            let ready = |(of, content): &(u16, Content)| *of == next && content.is_whole();
            let Some(at) = self.ahead.iter().position(ready) else {
                return;
            };
            let (_, content) = self.ahead.swap_remove(at);
            held.give(content.len());
            self.advance(content.numbers());
            out.push(content.into_message());
            // What claimed numbers in the middle of a message was no message.
            let next = self.next;
            self.ahead.retain(|(of, content)| {
                let keep = of.wrapping_sub(next) < 0x8000;
                if !keep {
                    held.give(content.len());
                }
                keep
            });
        }
    }

    /// Unreliable messages whose turn has come, or is over.
    fn release_later(&mut self, held: &mut Held, out: &mut Vec<Vec<u8>>) {
        for _ in 0..self.later.len() {
            let Some(message) = self.later.pop_front() else {
                return;
            };
            match self.place(message.after.wrapping_add(1)) {
                Place::Here => {
                    held.give(message.payload.len());
                    if self.is_newer(message.number) {
                        self.unreliable = message.number;
                        out.push(message.payload);
                    }
                }
                Place::Past => held.give(message.payload.len()),
                Place::Ahead | Place::TooFar => self.later.push_back(message),
            }
        }
    }

    fn advance(&mut self, numbers: u16) {
        self.next = self.next.wrapping_add(numbers);
        self.unreliable = 0;
    }

    fn is_newer(&self, number: u16) -> bool {
        (1..0x8000).contains(&number.wrapping_sub(self.unreliable))
    }

    fn place(&self, sequence: u16) -> Place {
        match sequence.wrapping_sub(self.next) {
            0 => Place::Here,
            ahead if ahead < MAX_AHEAD => Place::Ahead,
            ahead if ahead < 0x8000 => Place::TooFar,
            _ => Place::Past,
        }
    }
}

enum Place {
    Past,
    Here,
    Ahead,
    TooFar,
}
