//! Who is at the other end: the client's address, and what it calls itself.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;

use crate::http::app::App;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The address of the client. It is the one that connected, unless that is a proxy which the settings name: then it is
/// the last one in `X-Forwarded-For` that is no such proxy. What others write into that header is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

impl FromRequestParts<App> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(Self(peer(parts, app)))
    }
}

/// The address of whoever sent this.
pub(in crate::http) fn peer(parts: &Parts, app: &App) -> IpAddr {
    let connected = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    // Only a caller within the process has no address.
    let connected = connected.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |info| info.0.ip());
    client(connected.to_canonical(), &parts.headers, app.proxies())
}

fn client(connected: IpAddr, headers: &HeaderMap, proxies: &[IpAddr]) -> IpAddr {
    let mut client = connected;
    let values = headers.get_all(FORWARDED_FOR).iter().rev();
    let mut hops = values.flat_map(|value| value.to_str().unwrap_or_default().rsplit(',')).map(str::trim);
    while proxies.contains(&client) {
        // A hop that can't be read was not written by a proxy of ours: nobody before it can be believed either.
        let Some(Ok(hop)) = hops.next().map(str::parse::<IpAddr>) else { break };
        client = hop.to_canonical();
    }
    client
}

/// What the client calls itself, or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserAgent(pub String);

impl<S: Send + Sync> FromRequestParts<S> for UserAgent {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let text = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        Ok(Self(text.unwrap_or_default().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(connected: &str, forwarded: &[&str]) -> String {
        let proxies = ["192.0.2.1", "192.0.2.2", "2001:db8::1"].map(|proxy| proxy.parse().unwrap());
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        client(connected.parse().unwrap(), &headers, &proxies).to_string()
    }

    #[test]
    fn only_named_proxies_say_who_is_behind_them() {
        assert_eq!(seen("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(seen("192.0.2.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(seen("192.0.2.1", &["10.0.0.1, 198.51.100.1, 192.0.2.2"]), "198.51.100.1");
        assert_eq!(seen("192.0.2.1", &["10.0.0.1, 198.51.100.1", "192.0.2.2"]), "198.51.100.1");
        assert_eq!(seen("2001:db8::1", &["::ffff:198.51.100.1"]), "198.51.100.1");
        for unreadable in [&[][..], &["unknown"], &["198.51.100.1, _hidden"], &[""]] {
            assert_eq!(seen("192.0.2.1", unreadable), "192.0.2.1", "{unreadable:?}");
        }
    }
}
