//! `enroll`: one simulated device, step by step.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use super::output::{Exit, Output};
use crate::capture::{MessageFile, Play, Played};
use crate::cli::{DeviceShape, EnrollArgs, Format};
use crate::event::{Event, Exchange};
use crate::message::{Content, Jwt, read_request};
use crate::net::{now, write_secret};
use crate::rules::{Golden, by_id};
use crate::sim::{
    Address, Device, Holder, Key, Options, Outcome, Profile, Proof, Shape, StepReport, Trust, entra_token,
};
use crate::sink;

pub fn enroll(args: &EnrollArgs, out: Output) -> Result<Exit> {
    let Some(server) = Address::parse(&args.server) else {
        bail!("--server {}: an absolute URL is wanted, for instance https://mdm.contoso.com", args.server);
    };
    let password = std::env::var(&args.password_env).unwrap_or_else(|_| "password".to_owned());
    let trust = match &args.ca {
        Some(path) => {
            let pem = read(path).with_context(|| format!("could not read {}", path.display()))?;
            Trust::from_pem(&pem).with_context(|| format!("{}", path.display()))?
        }
        None => Trust::System,
    };
    let proof = proof(args, &server)?;
    if let Some(path) = &args.keep {
        // Better now than when the certificate is there.
        try_out(path).with_context(|| format!("cannot write the certificate to {}", path.display()))?;
    }
    let mut options = Options { connect: args.connect, sync: true, ..Options::new(server, trust, now) };
    if let Some(id) = &args.break_rule {
        let Some(rule) = by_id(id) else {
            bail!("there is no rule {id}; `enrollscope rules` lists them all")
        };
        options = options.breaking(rule)?;
        if !proof.suits(options.like) {
            bail!("{} is about another way to enroll: add {}", rule.id, needed(options.like));
        }
    }
    // Every run is another device.
    let seed = u64::try_from(now().0).unwrap_or_default();
    let profile = match &args.profile_of {
        Some(path) => profile_of(path, &args.user, &password)?,
        None => Profile::numbered(seed, 0, &args.user, &password),
    };
    let profile = match args.shape {
        Some(shape) => profile.shaped(shaped(shape)),
        None => profile,
    };
    out.note(&format!("{} ({}), Windows {}", profile.name, profile.device_id, profile.os_version));
    let device = Device { proof, ..Device::new(profile, Arc::new(Key::generate()?)) };
    let runtime = tokio::runtime::Runtime::new().context("could not start the network's threads")?;
    let ended = runtime
        .block_on(crate::sim::enroll(&device, &options, |step| out.print(&line(step, args.format))))?;
    // With the certificate and the settings the device is enrolled, whatever becomes of the first session.
    let enrolled = ended.provision.is_some();
    if let (Some(path), Some(provision)) = (&args.keep, &ended.provision) {
        let holder = Holder { certificate: provision.certificate.clone(), key: Arc::clone(&device.key) };
        write_secret(path, holder.to_pem().as_bytes())
            .with_context(|| format!("could not write the certificate to {}", path.display()))?;
        out.note(&format!("the device's certificate and key are in {}", path.display()));
    }
    if args.format == Format::Human {
        let done = if args.renew.is_some() { "renewed" } else { "enrolled" };
        out.print(&match (enrolled, ended.succeeded()) {
            (true, true) => format!("{done}\n"),
            (true, false) => format!("{done}, but the first management session failed\n"),
            (false, _) => format!("not {done}\n"),
        });
    }
    Ok(if enrolled { Exit::Good } else { Exit::Found })
}

/// A certificate, a key or a token: none is longer than this, in bytes.
const LONGEST: u64 = 1 << 20;

pub(super) fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(LONGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LONGEST {
        return Err(io::Error::other("it is longer than 1 MiB"));
    }
    Ok(text)
}

/// Whether the file can be written, as far as that can be told before it is.
fn try_out(path: &Path) -> io::Result<()> {
    let existed = path.exists();
    File::options().append(true).create(true).open(path)?;
    if existed { Ok(()) } else { fs::remove_file(path) }
}

/// How the device proves who it is.
fn proof(args: &EnrollArgs, server: &Address) -> Result<Proof> {
    let read = |path: &Path| read(path).with_context(|| format!("could not read {}", path.display()));
    let holder = |path: &Path| Holder::from_pem(&read(path)?).with_context(|| format!("{}", path.display()));
    Ok(if args.entra {
        let audience = args.audience.as_ref().map_or_else(|| server.origin(), ToString::to_string);
        Proof::Entra(entra_token((&args.user, &args.user), &audience, now(), &Key::generate()?)?)
    } else if let Some(path) = &args.token_file {
        let token = read(path)?.trim().to_owned();
        if Jwt::read(&token).is_none() {
            bail!(
                "{} holds no token: three base64url parts with dots between are wanted (JWT)",
                path.display()
            );
        }
        Proof::Entra(token)
    } else if let Some(path) = &args.identity {
        Proof::Certificate(holder(path)?)
    } else if let Some(path) = &args.renew {
        Proof::Renewal(holder(path)?)
    } else {
        Proof::Password
    })
}

/// What a device needs to be like the golden's.
fn needed(golden: Golden) -> &'static str {
    match golden {
        Golden::Entra => "--entra, or a token with --token-file FILE",
        Golden::Certificate => "--identity FILE (`server --identity-file FILE` writes one)",
        Golden::Renewal => "--renew FILE (`enroll --keep FILE` writes one)",
        _ => "nothing",
    }
}

fn shaped(shape: DeviceShape) -> Shape {
    match shape {
        DeviceShape::Windows10 => Shape::Windows10,
        DeviceShape::Windows11H23 => Shape::Windows11H23,
        DeviceShape::Windows11H24 => Shape::Windows11H24,
        DeviceShape::Windows11H25 => Shape::Windows11H25,
        DeviceShape::Programmatic => Shape::Programmatic,
        DeviceShape::Autopilot => Shape::Autopilot,
    }
}

/// A device like the first one that asks for a certificate in the capture or message.
fn profile_of(path: &Path, user: &str, password: &str) -> Result<Profile> {
    let mut discover = None;
    let mut visit = |exchange: &Exchange| match read_request(&exchange.request).content {
        Content::DiscoverRequest(found) => {
            discover = Some(found);
            None
        }
        Content::TokenRequest(token) => Some(Profile::like(discover.as_ref(), &token, user, password)),
        _ => None,
    };
    let found = match sink::read(path) {
        Ok(reader) => Play::new(reader).filter_map(Result::ok).find_map(|played| match played {
            Played::Event { event: Event::Exchange(exchange), .. } => visit(&exchange),
            Played::Event { .. } | Played::Damage(_) | Played::Closed(_) => None,
        }),
        Err(_) => {
            let bytes = fs::read(path).with_context(|| format!("could not read {}", path.display()))?;
            visit(&MessageFile::read(&bytes).into_exchange())
        }
    };
    found.with_context(|| format!("no device asks for a certificate in {}", path.display()))
}

fn line(step: &StepReport, format: Format) -> String {
    match format {
        Format::Human => format!("{step}\n"),
        Format::Json => {
            let (done, reason, code) = match &step.outcome {
                Outcome::Done(what) => (true, what.clone(), None),
                Outcome::GaveUp(why) => {
                    (false, why.reason.clone(), why.hresult.map(|c| format!("0x{c:08X}")))
                }
            };
            let value = json!({
                "step": step.name(), "url": step.url, "status": step.status, "ms": step.millis,
                "done": done, "what": reason, "hresult": code,
            });
            format!("{value}\n")
        }
    }
}
