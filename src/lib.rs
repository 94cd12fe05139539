#![doc = include_str!("ARCHITECTURE.md")]

// Facts, pure.
pub mod event;

pub mod xml;

pub mod message;

pub mod redact;

pub mod capture;

pub mod dialogue;

// Judgement, pure.
pub mod rules;

pub mod enrollment;

pub mod diagnosis;

pub mod engine;

pub mod compare;

pub mod filter;

// Presentation, pure.
pub mod metrics;

pub mod report;

pub mod alert;

pub mod dashboard;

// The world: files, sockets, clocks.
pub mod sink;

pub mod net;

pub mod proxy;

pub mod sim;

pub mod replay;

pub mod doctor;

pub mod conform;

pub mod terminal;

// Wiring.
pub mod cli;

pub mod config;

pub mod commands;
