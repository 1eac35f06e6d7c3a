//! The test-only macros of the simulation, in production: nothing.

/// A point at which a simulated process can be made to crash or to wait. Here: nothing.
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {};
}

/// From here on a pass only waits for time to pass. Here: nothing.
#[macro_export]
macro_rules! idle_point {
    () => {};
}

/// Whether the mutant of this name is active. Here: never.
#[macro_export]
macro_rules! mutant {
    ($bug:literal) => {
        false
    };
}

/// Whether waiting is futile. Here: never.
#[macro_export]
macro_rules! clock_frozen {
    () => {
        false
    };
}
