//! Every fuzz target on its corpus, and for a while on changed inputs.

mod fuzz;
