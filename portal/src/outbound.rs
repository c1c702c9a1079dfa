//! The one way out: HTTP calls that the website makes to others, with TLS and with bounds.
//!
//! Each call has a time within which it ends, a bound on what is read, and follows no redirect.
//! Addresses are of two kinds. A *named* one stands in the settings: whoever runs the switch chose
//! it, and it may be on this machine. A *given* one came over an API or from a browser: it is
//! looked up, and what it leads to must be a public address, so that nobody makes the website knock
//! on doors behind the wall. What was looked up is what is connected to, and no proxy stands
//! between.
//!
//! Whom TLS believes: Mozilla's authorities, as they were when this was built, so that the binary
//! is the same on every machine; or those of `[portal] ca_file` in their place, which may be the
//! machine's own bundle.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use ureq::config::Config;
use ureq::http::{Request, Response, Uri};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

/// Calls to others. Cheap to clone.
#[derive(Clone)]
pub struct Outbound {
    given: Line,
    named: Line,
    reach: Reach,
}

/// What the settings say about calls to others.
#[derive(Clone, Debug, Default)]
pub struct OutboundSettings {
    /// Authorities that TLS believes in the place of the built-in ones, as PEM.
    pub ca_file: Option<PathBuf>,
    /// Where given addresses may lead.
    pub reach: Reach,
}

/// Where given addresses may lead.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Reach {
    /// Anywhere, this machine included: for trying things out.
    Anywhere,
    /// To public addresses.
    #[default]
    Public,
}

/// Who chose an address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Target {
    /// It came over an API or from a browser.
    Given,
    /// It stands in the settings.
    Named,
}

/// How long a call may take, and how much of its answer's body is read.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// From the first look-up to the last octet.
    pub time_max: Duration,
    /// Octets of the body.
    pub body_octets_max: u64,
    /// What becomes of a longer body.
    pub longer: Longer,
}

/// What becomes of a body beyond its bound.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Longer {
    /// Its beginning is taken.
    Cut,
    /// The call fails.
    Fail,
}

impl Default for Bounds {
    /// Ten seconds and a mebibyte.
    fn default() -> Self {
        Self { time_max: Duration::from_secs(10), body_octets_max: 1 << 20, longer: Longer::Fail }
    }
}

/// Why a call got no answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// It went wrong on the way, or the address is not one that may be called.
    #[error(transparent)]
    Http(#[from] ureq::Error),
    /// The website stops.
    #[error("the call was given up")]
    GivenUp,
}

/// Why no calls can be made. The message says what to do.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {cause}\nhelp: `[portal] ca_file` names a file of certificates as PEM")]
pub struct OutboundError {
    place: String,
    cause: String,
}

/// An agent, and how many of its calls may be under way.
#[derive(Clone)]
struct Line {
    agent: ureq::Agent,
    room: Arc<Semaphore>,
}

impl Outbound {
    /// Reads the file of authorities, if there is one.
    ///
    /// # Errors
    /// [`OutboundError`].
    pub fn open(settings: &OutboundSettings) -> Result<Outbound, OutboundError> {
        let roots = match &settings.ca_file {
            Some(path) => authorities(path)?,
            None => RootCerts::WebPki,
        };
        let tls = TlsConfig::builder().root_certs(roots).build();
        let config = |builder: ureq::config::ConfigBuilder<ureq::typestate::AgentScope>| {
            builder.http_status_as_error(false).max_redirects(0).tls_config(tls.clone())
        };
        let line = |agent| Line { agent, room: Arc::new(Semaphore::new(CALLS_MAX)) };
        let named = config(ureq::Agent::config_builder()).build();
        let given = config(ureq::Agent::config_builder()).proxy(None).build();
        let guard = Guard { reach: settings.reach, names: DefaultResolver::default() };
        let given = ureq::Agent::with_parts(given, DefaultConnector::new(), guard);
        Ok(Outbound { given: line(given), named: line(named.into()), reach: settings.reach })
    }

    /// Where given addresses may lead.
    #[must_use]
    pub const fn reach(&self) -> Reach {
        self.reach
    }

    /// Makes a call. Whatever the status of the answer is, it is one.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn send(
        &self,
        target: Target,
        request: Request<Vec<u8>>,
        bounds: Bounds,
    ) -> Result<Response<Vec<u8>>, SendError> {
        let Line { agent, room } = match target {
            Target::Given => self.given.clone(),
            Target::Named => self.named.clone(),
        };
        let seat = room.acquire_owned().await.map_err(|_| SendError::GivenUp)?;
        let asked = tokio::task::spawn_blocking(move || {
            let _seat = seat;
            let request = agent.configure_request(request);
            let request = request.timeout_global(Some(bounds.time_max)).build();
            let (parts, body) = agent.run(request)?.into_parts();
            Ok(Response::from_parts(parts, read(body, bounds)?))
        });
        asked.await.map_err(|_| SendError::GivenUp)?
    }
}

fn read(mut body: ureq::Body, bounds: Bounds) -> Result<Vec<u8>, ureq::Error> {
    match bounds.longer {
        Longer::Fail => body.with_config().limit(bounds.body_octets_max).read_to_vec(),
        Longer::Cut => {
            let mut octets = Vec::new();
            let mut start = std::io::Read::take(body.as_reader(), bounds.body_octets_max);
            std::io::Read::read_to_end(&mut start, &mut octets)?;
            Ok(octets)
        }
    }
}

fn authorities(path: &Path) -> Result<RootCerts, OutboundError> {
    let failed = |cause: String| OutboundError { place: path.display().to_string(), cause };
    let text = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    let mut found: Vec<Certificate<'static>> = Vec::new();
    for item in parse_pem(&text) {
        if let PemItem::Certificate(certificate) =
            item.map_err(|error| failed(error.to_string()))?
        {
            found.push(certificate);
        }
    }
    if found.is_empty() {
        return Err(failed("it has no certificate".to_owned()));
    }
    Ok(RootCerts::Specific(Arc::new(found)))
}

/// Looks names up, and lets pass only what may be called.
#[derive(Debug)]
struct Guard {
    reach: Reach,
    names: DefaultResolver,
}

impl Resolver for Guard {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.names.resolve(uri, config, timeout)?;
        let may_pass =
            self.reach == Reach::Anywhere || found.iter().all(|address| is_public(address.ip()));
        // One bad address spoils the name: whoever mixes them means the bad one.
        if may_pass { Ok(found) } else { Err(ureq::Error::Other(Box::new(NotPublic))) }
    }
}

/// A name leads to an address that is not public.
#[derive(Debug, thiserror::Error)]
#[error("the address is not a public one, and [portal] private_targets is off")]
struct NotPublic;

/// Whether an address belongs to the public net: what is set apart for machines, local nets,
/// groups, transition and documents does not (RFC 6890 and its registries).
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let is_shared = first == 100 && (64..128).contains(&second);
    let is_protocol = (first, second, third) == (192, 0, 0) || (first, second) == (192, 88);
    let is_benchmark = first == 198 && (18..20).contains(&second);
    let is_this_net = first == 0;
    let is_reserved = first >= 240;
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || is_shared
        || is_protocol
        || is_benchmark
        || is_this_net
        || is_reserved)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    let [first, second, ..] = address.segments();
    // Of 2000::/3, without special purposes (2001::/23), documents, and tunnels that hide an
    // address of the old net (2002::/16).
    let is_special = first == 0x2001 && (second < 0x200 || second == 0xdb8);
    let is_document = first == 0x3fff && second < 0x1000;
    first & 0xe000 == 0x2000 && first != 0x2002 && !is_special && !is_document
}

/// Calls of one kind that are under way; more wait.
const CALLS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    #[test]
    fn what_is_set_apart_is_not_public() {
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::1",
            "3fff::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "1.1.1.1",
            "100.128.0.1",
            "172.32.0.1",
            "193.2.1.66",
            "2a00:1450::1",
            "2001:67c:2e8::1",
            "::ffff:193.2.1.66",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn a_file_without_a_certificate_is_refused_by_its_name() {
        let missing = OutboundSettings {
            ca_file: Some(PathBuf::from("/no/such/file.pem")),
            reach: Reach::Public,
        };
        let error = Outbound::open(&missing).err().unwrap().to_string();
        assert!(error.starts_with("/no/such/file.pem: "), "{error}");
        assert!(error.contains("ca_file"), "{error}");
    }

    #[tokio::test]
    async fn a_given_address_on_this_machine_is_not_even_connected_to() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let outbound = Outbound::open(&OutboundSettings::default()).unwrap();
        for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"] {
            let request = Request::get(format!("http://{host}:{port}/")).body(Vec::new()).unwrap();
            let sent = outbound.send(Target::Given, request, Bounds::default()).await;
            let error = sent.err().unwrap().to_string();
            assert!(error.contains("private_targets"), "{host}: {error}");
        }
        let asked = listener.accept().err().unwrap();
        assert_eq!(asked.kind(), std::io::ErrorKind::WouldBlock);
    }
}
