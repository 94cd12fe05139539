#![doc = include_str!("ARCHITECTURE.md")]

// Facts, pure.
pub mod event;

pub mod xml;

pub mod message;

pub mod capture;

pub mod dialogue;

// Judgement, pure.
pub mod rules;

// The world: files, sockets, clocks.
pub mod sink;

pub mod sim;
