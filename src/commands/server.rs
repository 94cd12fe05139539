//! `server`: the reference enrollment server on a port of its own.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use tokio::net::TcpListener;

use super::output::{Exit, Output};
use super::proxy::{announce, interrupted};
use crate::cli::{ServerArgs, ServerAuth};
use crate::message::{AuthPolicy, read_request};
use crate::net::{now, write_secret};
use crate::rules::by_id;
use crate::sim::{Accounts, Authority, Holder, Key, Live, Server, Settings, serve};

pub fn server(args: &ServerArgs, out: Output) -> Result<Exit> {
    let runtime = tokio::runtime::Runtime::new().context("could not start the network's threads")?;
    runtime.block_on(async {
        let listener = TcpListener::bind(args.listen).await.with_context(|| {
            format!("could not listen on {}; is the port in use? port 0 takes any free one", args.listen)
        })?;
        let address = listener.local_addr().context("could not learn the port")?;
        let own = match args.host.first() {
            Some(host) => format!("https://{host}:{}", address.port()),
            None => format!("https://localhost:{}", address.port()),
        };
        let public_url = args.public_url.as_ref().map_or(own, ToString::to_string);
        let mut settings = Settings {
            auth: match args.auth {
                ServerAuth::OnPremise => AuthPolicy::OnPremise,
                ServerAuth::Federated => AuthPolicy::Federated,
                ServerAuth::Certificate => AuthPolicy::Certificate,
            },
            newest: args.enrollment_version,
            full_policy: args.full_policy,
            wants_client_cert: args.require_client_cert,
            accounts: match std::env::var(&args.password_env) {
                Ok(password) if !password.is_empty() => Accounts::Password(password),
                _ => Accounts::Anyone,
            },
            ..Settings::new(&public_url)
        };
        if let Some(id) = &args.break_rule {
            let Some(rule) = by_id(id) else {
                bail!("there is no rule {id}; `enrollscope rules` lists them all")
            };
            settings = settings.breaking(rule)?;
            out.note(&format!("every answer breaks {} ({})", rule.id, rule.name));
        }
        let authority = Authority::new("enrollscope reference server", Key::generate()?, now())?;
        if let Some(path) = &args.ca_file {
            std::fs::write(path, authority.root_pem())
                .with_context(|| format!("could not write the authority to {}", path.display()))?;
            out.note(&format!("its authority is in {}", path.display()));
        }
        if let Some(path) = &args.identity_file {
            let key = Key::generate()?;
            let certificate = authority.issue("enrollscope device", &key.public(), now(), None)?.client;
            let pem = Holder { certificate, key: Arc::new(key) }.to_pem();
            write_secret(path, pem.as_bytes()).with_context(|| {
                format!("could not write the certificate and its key to {}", path.display())
            })?;
            out.note(&format!("a certificate to enroll with is in {}", path.display()));
        }
        let mut names = vec!["localhost".to_owned(), address.ip().to_string()];
        names.extend(args.host.iter().cloned());
        let live = Live::new(Server::new(settings, authority), now, move |peer, request, response| {
            let kind = read_request(request).kind.word();
            out.print(&format!(
                "{} {peer} {} {} {kind} {}\n",
                now(),
                request.method,
                request.target,
                response.status
            ));
        })
        .with_tls(&names, &Key::generate()?)?;
        announce(&[format!("https://{address}")], args.ready_file.as_deref(), out)?;
        serve(Arc::new(live), listener, interrupted()).await;
        Ok(Exit::Good)
    })
}
