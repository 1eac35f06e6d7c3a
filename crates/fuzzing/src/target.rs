//! A fuzz target.

/// A parser of untrusted bytes.
#[derive(Clone, Copy)]
pub struct Target {
    /// Also the name of its file in `fuzz/fuzz_targets` and of its folder in `fuzz/corpus`.
    pub name: &'static str,
    pub run: fn(&[u8]),
    /// Tokens of its input language. Random bytes alone would hardly ever produce them.
    pub words: &'static [&'static str],
}
