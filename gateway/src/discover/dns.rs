//! Replicas by name: every address that a name resolves to is one.
//!
//! Whoever controls a public name could point it at this host or at its neighbours, so an address inside of private
//! networks is taken from names of private networks only, unless the configuration allows it.

use super::{Look, Source};
use crate::config::DiscoverConfig;
use futures::future::BoxFuture;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// How a name is resolved; another one in tests.
type Resolve = Box<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

pub(super) struct Dns {
    /// `host:port`.
    name: String,
    allows_private: bool,
    resolve: Resolve,
}

impl Dns {
    pub(super) fn new(config: &DiscoverConfig) -> Dns {
        let resolve: Resolve = Box::new(|name| {
            Box::pin(async move { tokio::net::lookup_host(name).await.map(Iterator::collect) })
        });
        let allows_private = config.allow_private || is_private_name(host(&config.place));
        Dns { name: config.place.clone(), allows_private, resolve }
    }

    async fn resolved(&self) -> Look {
        let found = match tokio::time::timeout(PATIENCE, (self.resolve)(self.name.clone())).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => return Look::failed(format!("{} can't be resolved: {error}", self.name)),
            Err(_) => return Look::failed(format!("{} can't be resolved: no answer in time", self.name)),
        };
        let allowed = |address: &SocketAddr| self.allows_private || !is_private(address.ip());
        let (mut taken, refused): (Vec<SocketAddr>, Vec<SocketAddr>) = found.into_iter().partition(allowed);
        taken.sort_unstable();
        taken.dedup();
        let trouble = refused.first().map(|address| {
            let (name, ip) = (&self.name, address.ip());
            format!("{name} leads to {ip}, which is no public address; allow_private = true takes it")
        });
        // Nothing usable is no news of an empty pool: names vanish by mistake more often than pools do.
        let trouble = trouble.or_else(|| taken.is_empty().then(|| format!("{} has no address", self.name)));
        let addresses = taken.iter().map(|address| format!("http://{address}")).collect();
        Look { addresses: Some(addresses).filter(|_| !taken.is_empty()), trouble }
    }
}

impl Source for Dns {
    fn look(&mut self) -> BoxFuture<'_, Look> {
        Box::pin(self.resolved())
    }
}

fn host(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(host, _)| host)
}

/// Whether a name, or an address written as one, belongs to a private network by its look: no dot, or an ending that
/// public DNS doesn't have.
fn is_private_name(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let is_address = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    is_address || !host.contains('.') || PRIVATE_ENDINGS.iter().any(|ending| host.ends_with(ending))
}

/// Endings that are reserved for private use, and those of container networks.
const PRIVATE_ENDINGS: &[&str] =
    &[".localhost", ".local", ".internal", ".svc", ".lan", ".home.arpa", ".test", ".private"];

/// Whether an address is not one of the public internet.
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_private_v4(ip),
        IpAddr::V6(ip) => ip.to_ipv4_mapped().map_or_else(|| is_private_v6(ip), is_private_v4),
    }
}

fn is_private_v4(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    let is_shared = a == 100 && (64..128).contains(&b); // RFC 6598, where clouds keep their metadata too
    ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_unspecified()
        || ip.is_multicast()
        || a == 0
        || a >= 240
        || is_shared
}

fn is_private_v6(ip: Ipv6Addr) -> bool {
    let head = ip.segments()[0];
    let is_unique_local = head & 0xfe00 == 0xfc00;
    let is_link_local = head & 0xffc0 == 0xfe80;
    ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() || is_unique_local || is_link_local
}

/// How long a resolver may take.
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// A source whose resolver says what the test wants.
    struct Fake {
        says: Arc<Mutex<Result<Vec<&'static str>, &'static str>>>,
        dns: Dns,
    }

    fn fake(name: &str, allow_private: bool) -> Fake {
        let says = Arc::new(Mutex::new(Ok(vec![])));
        let said = says.clone();
        let resolve: Resolve = Box::new(move |_| {
            let said = said.lock().expect("no panic").clone();
            let found =
                said.map(|all| all.iter().map(|text: &&str| text.parse().expect("an address")).collect());
            Box::pin(std::future::ready(found.map_err(io::Error::other)))
        });
        let config = DiscoverConfig { source: "dns", place: name.to_owned(), allow_private };
        Fake { says, dns: Dns { resolve, ..Dns::new(&config) } }
    }

    impl Fake {
        async fn look(
            &mut self,
            says: Result<Vec<&'static str>, &'static str>,
        ) -> (Option<Vec<String>>, String) {
            *self.says.lock().expect("no panic") = says;
            let look = self.dns.look().await;
            (look.addresses, look.trouble.unwrap_or_default())
        }
    }

    fn urls(of: &[&str]) -> Option<Vec<String>> {
        Some(of.iter().map(|address| format!("http://{address}")).collect())
    }

    #[tokio::test]
    async fn row_17_a_change_is_followed_and_a_name_that_is_gone_keeps_what_is_known() {
        let mut fake = fake("experts.example.org:8000", false);
        assert_eq!(
            fake.look(Ok(vec!["9.9.9.9:8000", "8.8.8.8:8000", "9.9.9.9:8000"])).await.0,
            urls(&["8.8.8.8:8000", "9.9.9.9:8000"])
        );
        assert_eq!(fake.look(Ok(vec!["8.8.4.4:8000"])).await, (urls(&["8.8.4.4:8000"]), String::new()));
        let (kept, why) = fake.look(Err("NXDOMAIN")).await;
        assert!(kept.is_none() && why.contains("NXDOMAIN"), "{why}");
        let (kept, why) = fake.look(Ok(vec![])).await;
        assert!(kept.is_none() && why.contains("no address"), "{why}");
    }

    #[tokio::test]
    async fn row_17_a_public_name_that_leads_inside_is_refused() {
        for inside in [
            "127.0.0.1:1",
            "10.1.2.3:1",
            "169.254.169.254:80",
            "100.100.100.200:80",
            "[::1]:1",
            "[fe80::1]:1",
            "[fd00::1]:1",
            "[::ffff:10.0.0.1]:1",
            "0.0.0.0:1",
        ] {
            let mut strict = fake("experts.example.org:8000", false);
            let (taken, why) = strict.look(Ok(vec![inside])).await;
            assert!(taken.is_none() && why.contains("allow_private"), "{inside}: {why}");
            let (taken, why) = strict.look(Ok(vec![inside, "8.8.8.8:1"])).await;
            assert!(taken == urls(&["8.8.8.8:1"]) && why.contains("allow_private"), "{inside}: {why}");
            assert!(
                fake("experts.example.org:8000", true).look(Ok(vec![inside])).await.0.is_some(),
                "{inside}"
            );
            assert!(
                fake("experts.default.svc:8000", false).look(Ok(vec![inside])).await.0.is_some(),
                "{inside}"
            );
        }
    }

    #[test]
    fn private_names_look_private() {
        for name in [
            "vllm",
            "localhost",
            "a.localhost",
            "vllm.default.svc.cluster.local",
            "x.internal.",
            "10.0.0.1",
            "[::1]",
        ] {
            assert!(is_private_name(name), "{name}");
        }
        for name in ["example.org", "local.example.org", "evil.com."] {
            assert!(!is_private_name(name), "{name}");
        }
    }
}
