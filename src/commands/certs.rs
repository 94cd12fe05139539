//! `certs`: the local authority, and how devices come to trust it and to forget it.

use anyhow::{Result, bail};

use super::kit::kit;
use super::output::{Exit, Output};
use crate::cli::{CertsArgs, CertsCommand};
use crate::net::{self, LocalCa};

pub fn certs(command: &CertsCommand, out: Output) -> Result<Exit> {
    match command {
        CertsCommand::Make(args) => {
            if args.host.is_empty() {
                bail!(
                    "for which host names? give each with --host, for instance --host enterpriseenrollment.contoso.com"
                );
            }
            let ca = LocalCa::open_or_make(&args.certs, &args.host, net::now())?;
            out.print(&describe(&ca));
        }
        CertsCommand::Show(args) => out.print(&describe(&existing(args)?)),
        CertsCommand::Export(args) => out.print(&existing(args)?.pem()),
        CertsCommand::Kit { certs, address, output } => {
            kit(&existing(certs)?, &certs.certs, *address, output.as_deref(), out)?;
        }
        CertsCommand::Install(args) => out.print(&install(&existing(args)?)),
        CertsCommand::Remove { certs, delete } => {
            out.print(&remove(&existing(certs)?));
            if *delete {
                LocalCa::remove(&certs.certs)?;
                out.print(&format!("\nThe authority in {} is deleted.\n", certs.certs.display()));
            }
        }
    }
    Ok(Exit::Good)
}

fn existing(args: &CertsArgs) -> Result<LocalCa> {
    match LocalCa::open(&args.certs)? {
        Some(ca) => Ok(ca),
        None => bail!(
            "there is no authority in {}; `enrollscope certs make --host NAME` makes one",
            args.certs.display()
        ),
    }
}

fn describe(ca: &LocalCa) -> String {
    format!(
        "{}\n  certificate  {}\n  hosts        {} (it can issue for no others)\n  valid until  {}\n  thumbprint   {} (SHA-1)\n  fingerprint  {} (SHA-256)\n",
        ca.common_name(),
        ca.path().display(),
        ca.hosts().join(", "),
        ca.expires(),
        ca.thumbprint(),
        ca.fingerprint()
    )
}

fn install(ca: &LocalCa) -> String {
    let der = ca.path().with_extension("cer");
    let name = der.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    format!(
        "Copy {} to the test device. Then, there, as an administrator:\n\n    certutil -addstore -f Root {name}\n\nCompare the thumbprint that `certutil -store Root \"{}\"` shows:\n\n    {}\n\nMany devices: Group Policy, Computer Configuration, Windows Settings, Security Settings, Public Key Policies,\nTrusted Root Certification Authorities, Import. In the out-of-box experience: Shift+F10 opens a prompt for certutil.\n\n`enrollscope certs remove` tells how to take it away again, `enrollscope certs kit` all that a test device needs.\n",
        der.display(),
        ca.common_name(),
        ca.thumbprint()
    )
}

fn remove(ca: &LocalCa) -> String {
    format!(
        "On each device that trusts it, as an administrator:\n\n    certutil -delstore Root {}\n\nWhere Group Policy brought it, delete it there, then `gpupdate /force`.\n",
        ca.thumbprint()
    )
}
