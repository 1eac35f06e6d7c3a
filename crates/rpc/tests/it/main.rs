//! Both protocols, byte by byte.

mod wire;
