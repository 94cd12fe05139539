//! One integration binary: linking once is faster, and helpers are plain modules.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod architecture;
mod messages;
mod sim;
