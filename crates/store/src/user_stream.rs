//! user_stream
