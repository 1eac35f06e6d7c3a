//! The token refreshes that run in this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use common::ids::ConnectionId;

/// The connections whose token is being refreshed in this process.
#[derive(Debug, Default)]
pub(crate) struct InFlight(Mutex<HashMap<ConnectionId, Weak<tokio::sync::Mutex<()>>>>);

/// Unused entries are removed once there are this many.
const IN_FLIGHT_MAX: usize = 1_024;

impl InFlight {
    pub fn of(&self, connection: ConnectionId) -> Arc<tokio::sync::Mutex<()>> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(&connection).and_then(Weak::upgrade) {
            return flight;
        }
        if flights.len() >= IN_FLIGHT_MAX {
            flights.retain(|_, flight| flight.strong_count() > 0);
        }
        let flight = Arc::default();
        flights.insert(connection, Arc::downgrade(&flight));
        flight
    }
}
