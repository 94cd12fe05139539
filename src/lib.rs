#![doc = include_str!("ARCHITECTURE.md")]

// Facts, pure.
pub mod event;

pub mod xml;

// The world: files, sockets, clocks.
pub mod sink;
