//! The source address of a request, and a budget of each source.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use ipnet::IpNet;
use moka::sync::Cache;

/// Tracked sources. An attacker with more addresses meets only the limits of the process.
pub const SOURCES: u64 = 20_000;

/// The proxies whose `X-Forwarded-For` is trusted: addresses or networks, separated by commas.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl FromStr for TrustedProxies {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let network = |part: &str| {
            part.parse::<IpNet>()
                .or_else(|_| part.parse::<IpAddr>().map(IpNet::from))
                .map_err(|_| format!("{part:?} is neither an address (10.0.0.7) nor a network (10.0.0.0/8)"))
        };
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(network).collect::<Result<_, _>>().map(Self)
    }
}

impl TrustedProxies {
    /// The address that the request came from: the peer, or behind trusted proxies the last hop that is not one of them.
    pub fn source(&self, request: &HttpRequest) -> Option<IpAddr> {
        let peer = request.peer_addr()?.ip().to_canonical();
        if self.0.is_empty() || !self.trusts(peer) {
            return Some(peer);
        }
        let forwarded = request.headers().get_all("x-forwarded-for");
        let mut hops: Vec<&str> = forwarded.filter_map(|value| value.to_str().ok()).collect();
        hops.reverse();
        let hop = hops
            .iter()
            .flat_map(|value| value.rsplit(','))
            .map_while(|hop| hop.trim().parse::<IpAddr>().ok())
            .map(|hop| hop.to_canonical())
            .find(|hop| !self.trusts(*hop));
        Some(hop.unwrap_or(peer))
    }

    fn trusts(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&ip))
    }
}

/// A budget of requests for each source, refilled steadily.
pub struct Budgets {
    /// The time that a source's budget takes to regain one request.
    cost: Duration,
    started: Instant,
    /// For each source, when its budget will be full again, in nanoseconds since `started`.
    full_at: Cache<IpAddr, Arc<AtomicU64>>,
}

impl Budgets {
    /// `longest`: the most time that a source may be ahead of its rate.
    pub fn new(per_second: u32, longest: Duration) -> Self {
        Self {
            cost: Duration::from_secs(1) / per_second.max(1),
            started: Instant::now(),
            full_at: Cache::builder()
                .max_capacity(SOURCES)
                .time_to_idle(longest)
                .build(),
        }
    }

    /// Takes `requests` from the budget of `source`. False: it would be more than `ahead` of its rate, and nothing is taken.
    pub fn take(&self, source: IpAddr, requests: u32, ahead: Duration) -> bool {
        self.take_at(self.started.elapsed(), source, requests, ahead)
    }

    /// `now`: since `started`.
    fn take_at(&self, now: Duration, source: IpAddr, requests: u32, ahead: Duration) -> bool {
        let now = nanos(now);
        let cost = nanos(self.cost * requests);
        let full_at = self.full_at.get_with(network_of(source), Arc::default);
        full_at
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| {
                let next = full_at.max(now) + cost;
                (next <= now + nanos(ahead)).then_some(next)
            })
            .is_ok()
    }
}

/// One household or host has a whole /64 of IPv6 addresses.
pub fn network_of(source: IpAddr) -> IpAddr {
    match source {
        IpAddr::V4(_) => source,
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    const BURST: Duration = Duration::from_secs(2);
    const DEBT: Duration = Duration::from_secs(10);

    #[test]
    fn each_source_has_a_budget_and_may_owe() {
        let budgets = Budgets::new(1_000, DEBT);
        let (a, b): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap());
        let neighbour: IpAddr = "2001:db8::2".parse().unwrap();
        let admit = |at, source| budgets.take_at(at, source, 1, BURST);
        let start = Duration::from_secs(1);
        assert_eq!((0..10_000).filter(|_| admit(start, a)).count(), 2_000);
        assert!(!admit(start, a) && admit(start, b));
        let guesses = (0..10_000).take_while(|_| {
            budgets.take_at(start, b, 20, DEBT);
            admit(start, neighbour)
        });
        // Each costs 21, and `b` had sent one push.
        assert_eq!(guesses.count(), 95);
        // A request is regained each millisecond.
        let later = start + Duration::from_millis(3);
        assert_eq!((0..10).filter(|_| admit(later, a)).count(), 3);
    }

    #[test]
    fn only_trusted_proxies_name_the_source() {
        let trusted: TrustedProxies = "10.0.0.0/8, 192.0.2.7".parse().unwrap();
        let source = |peer: &str, forwarded: &[&str]| {
            let mut request = TestRequest::default().peer_addr(format!("{peer}:1").parse().unwrap());
            for value in forwarded {
                request = request.append_header(("x-forwarded-for", *value));
            }
            trusted.source(&request.to_http_request()).unwrap().to_string()
        };
        assert_eq!(source("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(source("10.1.2.3", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(
            source("10.1.2.3", &["6.6.6.6, 198.51.100.1, 192.0.2.7"]),
            "198.51.100.1"
        );
        assert_eq!(source("10.1.2.3", &["6.6.6.6", "198.51.100.1"]), "198.51.100.1");
        assert_eq!(source("10.1.2.3", &["198.51.100.1, garbage"]), "10.1.2.3");
        assert_eq!(source("10.1.2.3", &[]), "10.1.2.3");
        assert!(
            "10.0.0.0/8,proxy"
                .parse::<TrustedProxies>()
                .unwrap_err()
                .starts_with("\"proxy\" is neither")
        );
    }
}
