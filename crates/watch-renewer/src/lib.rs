//! watch-renewer
