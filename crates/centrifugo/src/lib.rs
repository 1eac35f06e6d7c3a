//! centrifugo
