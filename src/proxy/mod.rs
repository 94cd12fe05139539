//! The reverse proxy: TLS in, the exchange forwarded and copied, the answer held back until its record is on file.

mod certificate;
mod connection;
mod deliver;
mod draft;
mod forward;
mod forwarded;
mod from_server;
mod h2_device;
mod inbound;
mod listen;
mod plain;
mod pool;
mod protocols;
mod pump;
mod relay;
mod repeated;
mod rescue;
mod rewrite;
mod settings;
mod sites;
mod tap;
mod translate;
mod trunk;
mod versions;

pub use forwarded::Forwarded;
pub use listen::{Control, Proxy, ProxyError};
pub use settings::{Asking, Limits, ListenerSettings, Mode, PlainHttp, Route, Settings, SiteSettings};
