//! `certs kit`: one page that leads a test device here and away again, every command with the one that undoes it.

use std::net::IpAddr;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::output::Output;
use crate::net::LocalCa;

const HOSTS_FILE: &str = r"%SystemRoot%\System32\drivers\etc\hosts";

/// Prints the page, or writes it to a file.
pub(super) fn kit(
    ca: &LocalCa,
    certs: &Path,
    address: Option<IpAddr>,
    output: Option<&Path>,
    out: Output,
) -> Result<()> {
    let file = ca.path().with_extension("cer");
    let page = Page {
        name: ca.common_name(),
        thumbprint: &ca.thumbprint(),
        until: &ca.expires().to_string(),
        hosts: ca.hosts(),
        file: &file.display().to_string(),
        directory: &certs.display().to_string(),
        address,
    }
    .text();
    match output {
        None => out.print(&page),
        Some(path) => {
            std::fs::write(path, page)
                .with_context(|| format!("could not write the page to {}", path.display()))?;
            out.note(&format!("the page is in {}", path.display()));
        }
    }
    Ok(())
}

struct Page<'a> {
    name: &'a str,
    thumbprint: &'a str,
    until: &'a str,
    hosts: &'a [String],
    /// The authority's certificate, DER.
    file: &'a str,
    directory: &'a str,
    /// Where the device reaches us.
    address: Option<IpAddr>,
}

impl Page<'_> {
    fn text(&self) -> String {
        let Self { name, thumbprint, until, file, directory, .. } = self;
        let address = self.address.map_or_else(|| "ADDRESS".to_owned(), |address| address.to_string());
        let url = match self.address {
            Some(IpAddr::V6(address)) => format!("http://[{address}]/ca.cer"),
            _ => format!("http://{address}/ca.cer"),
        };
        let hosts = self.hosts.join(", ");
        let server = self.hosts.first().map_or("HOST", String::as_str);
        let lines: String =
            self.hosts.iter().map(|host| format!("    >>{HOSTS_FILE} echo {address} {host}\n")).collect();
        let without: String = self.hosts.iter().map(|host| format!(" /c:\" {host}\"")).collect();
        format!(
            r#"# A test device: in and out

The authority {name}
  can issue for {hosts} and for nothing else, until {until}
  thumbprint {thumbprint}

{file} is its certificate. While `enrollscope proxy --listen-http 0.0.0.0:80 …` runs, it is at {url}, too.
Everything below is for a prompt with administrator's rights (cmd).

## In

1. Trust, on the device; one of these:

    certutil -addstore -f Root enrollscope-ca.cer
    powershell "Import-Certificate -FilePath .\enrollscope-ca.cer -CertStoreLocation Cert:\LocalMachine\Root"

   In the out-of-box experience (Shift+F10 opens a prompt), or wherever there is no way to copy a file:

    curl -fo %TEMP%\ca.cer {url} && certutil -addstore -f Root %TEMP%\ca.cer

   That came in the clear, so look whether it is the right one; this fails if it is not:

    certutil -store Root {thumbprint}

   Many devices: Group Policy, Computer Configuration, Policies, Windows Settings, Security Settings, Public Key Policies,
   Trusted Root Certification Authorities, Import; then `gpupdate /force` on a device.

2. The way, on the device, where DNS does not lead here already:

    >>{HOSTS_FILE} echo.
{lines}    ipconfig /flushdns

3. The firewall, on the machine with enrollscope, if that is Windows:

    netsh advfirewall firewall add rule name="enrollscope" dir=in action=allow protocol=TCP localport=80,443

4. Enroll: Settings, Accounts, Access work or school, Enroll only in device management; or

    start "" "ms-device-enrollment:?mode=mdm&servername=https://{server}"

## Out

1. The enrollment, on the device: Settings, Accounts, Access work or school, Disconnect. An enrollment that is kept goes on
   at the server itself, unless it was made with --rewrite: then it knows enrollscope's address only.

2. Trust, on the device; the first or the second undoes each of the ways in:

    certutil -delstore Root {thumbprint}
    powershell "Remove-Item Cert:\LocalMachine\Root\{thumbprint}"

   Where Group Policy brought it, delete it there first, then `gpupdate /force`. Nothing is left when this fails:

    certutil -store Root {thumbprint}

3. The way, on the device:

    findstr /v /i /e{without} {HOSTS_FILE} >%TEMP%\hosts.new
    copy /y %TEMP%\hosts.new {HOSTS_FILE} && del %TEMP%\hosts.new
    ipconfig /flushdns

4. The firewall, on the machine with enrollscope:

    netsh advfirewall firewall delete rule name="enrollscope"

5. The authority's key, on the machine with enrollscope:

    enrollscope certs remove --delete --certs {directory}
"#
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(address: Option<&str>) -> String {
        let hosts = ["enterpriseenrollment.contoso.com", "mdm.contoso.com"].map(str::to_owned);
        Page {
            name: "enrollscope 1a2b",
            thumbprint: "AB12",
            until: "2026-12-24T00:00:00.000Z",
            hosts: &hosts,
            file: "certs/enrollscope-ca.cer",
            directory: "certs",
            address: address.map(|address| address.parse().unwrap()),
        }
        .text()
    }

    #[test]
    fn every_way_in_has_its_way_out() {
        let text = page(Some("192.0.2.1"));
        let (way_in, way_out) = text.split_once("## Out").unwrap();
        for (done, undone) in [
            ("certutil -addstore -f Root enrollscope-ca.cer", "certutil -delstore Root AB12"),
            ("Import-Certificate", "Remove-Item Cert:\\LocalMachine\\Root\\AB12"),
            ("curl -fo %TEMP%\\ca.cer http://192.0.2.1/ca.cer &&", "certutil -delstore Root AB12"),
            ("Group Policy", "Group Policy"),
            ("echo 192.0.2.1 enterpriseenrollment.contoso.com\n", "/c:\" enterpriseenrollment.contoso.com\""),
            ("echo 192.0.2.1 mdm.contoso.com\n", "/c:\" mdm.contoso.com\""),
            ("firewall add rule name=\"enrollscope\"", "firewall delete rule name=\"enrollscope\""),
            ("servername=https://enterpriseenrollment.contoso.com\"", "Disconnect"),
        ] {
            assert!(way_in.contains(done) && way_out.contains(undone), "{done}, {undone}: {text}");
        }
    }

    #[test]
    fn an_address_that_is_not_known_is_left_to_be_filled_in() {
        assert!(
            page(None).contains("echo ADDRESS mdm.contoso.com")
                && page(None).contains("http://ADDRESS/ca.cer")
        );
        assert!(page(Some("2001:db8::1")).contains("http://[2001:db8::1]/ca.cer"));
    }
}
