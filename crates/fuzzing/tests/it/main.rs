//! Runs every fuzz target on its corpus, and for some seconds on mutated inputs.

mod fuzz;
