//! The pushes that are handled at once: a limit for the process, and one for each source that may be anyone.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

/// A stranger gets at most this part of the slots. Genuine pushes may come from one address and take all of them.
const STRANGERS_PART: usize = 4;

/// One slot for each push that may be handled at once. For the whole process: a limit per worker thread would be no limit.
pub struct Slots {
    free: Semaphore,
    /// The most slots of one stranger.
    per_stranger: usize,
    /// The slots that each stranger holds.
    strangers: Mutex<HashMap<IpAddr, usize>>,
}

/// A held slot; free again when it is dropped.
pub struct Slot<'a> {
    slots: &'a Slots,
    stranger: Option<IpAddr>,
    _permit: SemaphorePermit<'a>,
}

impl Slots {
    pub fn new(max: usize) -> Self {
        Self {
            free: Semaphore::new(max),
            per_stranger: max.div_ceil(STRANGERS_PART),
            strangers: Mutex::default(),
        }
    }

    /// Takes a slot. `stranger`: the network of a source that has sent no genuine push lately. None: there is no slot for it.
    pub fn take(&self, stranger: Option<IpAddr>) -> Option<Slot<'_>> {
        let permit = self.free.try_acquire().ok()?;
        if let Some(stranger) = stranger {
            let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
            let held = strangers.entry(stranger).or_default();
            if *held >= self.per_stranger {
                return None;
            }
            *held += 1;
        }
        Some(Slot {
            slots: self,
            stranger,
            _permit: permit,
        })
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let Some(stranger) = self.stranger else { return };
        let mut strangers = (self.slots.strangers.lock()).unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = strangers.get_mut(&stranger) {
            *held -= 1;
            if *held == 0 {
                strangers.remove(&stranger);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_gets_a_part_and_a_known_source_all() {
        let slots = Slots::new(8);
        let (a, b): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let of_a = [slots.take(Some(a)).unwrap(), slots.take(Some(a)).unwrap()];
        assert!(slots.take(Some(a)).is_none());
        assert!(slots.take(Some(b)).is_some());
        let rest: Vec<_> = (0..10).filter_map(|_| slots.take(None)).collect();
        assert_eq!(rest.len(), 6);
        drop(of_a);
        assert!(slots.take(Some(a)).is_some());
        drop(rest);
        assert!(slots.strangers.lock().unwrap().is_empty());
        assert_eq!(slots.free.available_permits(), 8);
    }
}
