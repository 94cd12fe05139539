//! HAR 1.2, as browsers, Fiddler and mitmproxy write it: read entry by entry into exchanges, and written from them.

mod read;
mod write;

#[cfg(test)]
mod tests;

pub use read::read;
pub use write::Writer;
