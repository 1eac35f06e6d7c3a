//! The ports of the stack.

use anyhow::{Result, bail};
use provision::port;

#[derive(Debug, Clone, clap::Args)]
pub struct Ports {
    /// The one origin for the page, API, pushes and sockets.
    #[arg(long = "port-web", value_name = "PORT", default_value_t = 8088)]
    pub web: u16,
    /// calendar-api.
    #[arg(long = "port-api", value_name = "PORT", default_value_t = 8080)]
    pub api: u16,
    /// webhook-ingest.
    #[arg(long = "port-webhook", value_name = "PORT", default_value_t = 8081)]
    pub webhook: u16,
    /// watch-renewer: health only.
    #[arg(long = "port-renewer", value_name = "PORT", default_value_t = 8082)]
    pub renewer: u16,
    /// The Google emulator, with its page at /.
    #[arg(long = "port-emulator", value_name = "PORT", default_value_t = 8085)]
    pub emulator: u16,
    /// Centrifugo's WebSocket.
    #[arg(long = "port-centrifugo", value_name = "PORT", default_value_t = 8000)]
    pub centrifugo: u16,
    /// Centrifugo's HTTP API.
    #[arg(long = "port-centrifugo-api", value_name = "PORT", default_value_t = 9000)]
    pub centrifugo_api: u16,
    /// The private Postgres.
    #[arg(long = "port-postgres", value_name = "PORT", default_value_t = 15432)]
    pub postgres: u16,
}

impl Ports {
    /// Fails when a port is taken or given twice; the error names the flag to change.
    pub fn check(&self, with_postgres: bool) -> Result<()> {
        let mut ports = vec![
            ("--port-web", self.web),
            ("--port-api", self.api),
            ("--port-webhook", self.webhook),
            ("--port-renewer", self.renewer),
            ("--port-emulator", self.emulator),
            ("--port-centrifugo", self.centrifugo),
            ("--port-centrifugo-api", self.centrifugo_api),
        ];
        if with_postgres {
            ports.push(("--port-postgres", self.postgres));
        }
        for (index, &(flag, port)) in ports.iter().enumerate() {
            if let Some((other, _)) = ports[..index].iter().find(|(_, earlier)| *earlier == port) {
                bail!("{other} and {flag} are both {port}");
            }
            if !port::is_free(port) {
                bail!("port {port} is taken by another program: stop that, or choose another with {flag}");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(api: u16, webhook: u16) -> Ports {
        let free = || port::free().unwrap();
        Ports {
            web: free(),
            api,
            webhook,
            renewer: free(),
            emulator: free(),
            centrifugo: free(),
            centrifugo_api: free(),
            postgres: free(),
        }
    }

    #[test]
    fn a_taken_port_is_reported_with_its_flag() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = taken.local_addr().unwrap().port();
        let error = ports(port::free().unwrap(), taken)
            .check(true)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with(&format!("port {taken} is taken by another program")),
            "{error}"
        );
        assert!(error.ends_with("with --port-webhook"), "{error}");
    }

    #[test]
    fn two_ports_may_not_be_the_same() {
        let port = port::free().unwrap();
        let error = ports(port, port).check(true).unwrap_err().to_string();
        assert_eq!(error, format!("--port-api and --port-webhook are both {port}"));
    }
}
