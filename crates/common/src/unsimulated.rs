//! What the test-only macros of the simulation are in production: nothing.

/// A step between two others, at which a simulated process can be made to die or to wait. Here: nothing.
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {};
}

/// From here on a pass only lets time pass. Here: nothing.
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

/// Whether waiting for others is in vain. Here: it is not.
#[macro_export]
macro_rules! clock_frozen {
    () => {
        false
    };
}
