//! Whom `doctor` meets: name servers that are wrong in one way each, and servers that show any chain.

use std::net::SocketAddr;
use std::sync::Arc;

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, CNAME};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

/// What a name server does with a name.
#[derive(Clone, Copy)]
pub enum Zone {
    At(&'static [&'static str]),
    Alias(&'static str),
    /// It exists, without an address.
    Empty,
    Refused,
    /// Bytes that are no DNS.
    Garbage,
    /// It is said to be too long for UDP, and TCP is not there.
    Truncated,
    Silent,
}

/// A name server that knows these names and no others.
pub async fn name_server(zones: &'static [(&'static str, Zone)]) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
            let Ok(query) = Message::from_vec(&buffer[..length]) else { continue };
            if let Some(answer) = answer(&query, zones) {
                socket.send_to(&answer, peer).await.unwrap();
            }
        }
    });
    address
}

fn answer(query: &Message, zones: &[(&str, Zone)]) -> Option<Vec<u8>> {
    let asked = query.queries.first()?;
    let name = asked.name().to_ascii().to_ascii_lowercase();
    let zone = zones.iter().find(|(known, _)| *known == name.trim_end_matches('.')).map(|(_, zone)| *zone);
    let mut message = Message::response(query.metadata.id, query.metadata.op_code);
    message.metadata.recursion_available = true;
    message.add_query(asked.clone());
    let mut add = |data| {
        message.add_answer(Record::from_rdata(asked.name().clone(), 300, data));
    };
    match (zone, asked.query_type()) {
        (Some(Zone::At(addresses)), RecordType::A) => {
            for address in addresses {
                add(RData::A(A(address.parse().unwrap())));
            }
        }
        (Some(Zone::Alias(of)), RecordType::CNAME) => {
            add(RData::CNAME(CNAME(Name::from_ascii(format!("{of}.")).unwrap())));
        }
        (Some(Zone::At(_) | Zone::Alias(_) | Zone::Empty), _) => {}
        (Some(Zone::Refused), _) => message.metadata.response_code = ResponseCode::Refused,
        (Some(Zone::Garbage), _) => return Some(vec![0xFF; 40]),
        (Some(Zone::Truncated), _) => message.metadata.truncation = true,
        (Some(Zone::Silent), _) => return None,
        (None, _) => message.metadata.response_code = ResponseCode::NXDomain,
    }
    Some(message.to_vec().unwrap())
}

/// Who issues what the servers here show.
pub struct Issuer(pub CertifiedIssuer<'static, KeyPair>);

impl Issuer {
    pub fn new(name: &str) -> Self {
        Self(CertifiedIssuer::self_signed(Self::params(name), KeyPair::generate().unwrap()).unwrap())
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        params
    }

    pub fn below(&self, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::signed_by(Self::params(name), key, &self.0).unwrap())
    }

    pub fn leaf(&self, change: impl FnOnce(&mut CertificateParams)) -> (CertificateDer<'static>, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["mdm.contoso.example".to_owned()]).unwrap();
        change(&mut params);
        (params.signed_by(&key, &self.0).unwrap().der().clone(), key)
    }
}

/// A server that shows this chain, and says nothing further; its port.
pub async fn showing(
    chain: Vec<CertificateDer<'static>>,
    key: &KeyPair,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> u16 {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    accepting(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let mut head = [0; 1024];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
        }
    })
    .await
}

pub async fn accepting<F>(each: impl Fn(tokio::net::TcpStream) -> F + Send + 'static) -> u16
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(each(stream));
        }
    });
    port
}
