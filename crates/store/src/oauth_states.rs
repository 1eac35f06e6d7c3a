//! oauth_states
