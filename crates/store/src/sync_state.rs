//! sync_state
