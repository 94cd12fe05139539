#![doc = include_str!("ARCHITECTURE.md")]

// Facts, pure.
pub mod event;

pub mod capture;

// The world: files, sockets, clocks.
pub mod sink;
