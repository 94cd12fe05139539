//! The command line: what `--help`, completions, the man page and the configuration file all come from.

mod alert;
mod args;
mod bundle;
mod conform;
mod doctor;
mod explain;
mod limits;
mod look;
mod redact;
mod replay;
mod rotation;
mod sim;
mod suite;
mod transfer;
mod values;

pub use alert::{AlertArgs, AlertTestArgs, Failures, NotifyArgs, NotifyAs, Overdue, SecretUrl};
pub use args::{
    Bodies, CertsArgs, CertsCommand, CheckArgs, CheckFormat, Cli, ClientCertificates, Command, ConfigCommand,
    DemoArgs, ExpectArgs, FailOn, FilterArgs, Format, ForwardedMode, Http2, OpenArgs, PassthroughFlag,
    PlainHttp, ProxyArgs, RecordingArgs, Redact, RepairArgs, RouteFlag, RulesArgs, START_ONLY, When, command,
};
pub use bundle::{BundleArgs, BundleCommand, BundleOther};
pub use conform::{ConformArgs, ConformFormat};
pub use doctor::{DoctorArgs, StepsFormat};
pub use explain::ExplainArgs;
pub use limits::LimitsArgs;
pub use look::{LookArgs, ThemeFlag};
pub use redact::{RedactArgs, RedactTo};
pub use replay::{
    ComparingArgs, ComparisonFormat, DiffArgs, FailOnDifference, LoginArgs, MissAction, ReplayArgs,
    ReplayIdentity, ReplayPace, ServeArgs, TargetArgs,
};
pub use rotation::RotationArgs;
pub use sim::{DeviceShape, EnrollArgs, ServerArgs, ServerAuth};
pub use suite::{SuiteAddArgs, SuiteCommand, SuiteMinimiseArgs, SuiteRunArgs};
pub use transfer::{ExportArgs, ForeignFormat, ImportArgs};
