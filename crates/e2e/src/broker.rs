//! The real Centrifugo with the shipped configuration: one node with channels in memory, or several that share them by a real
//! Redis.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use provision::centrifugo::{CentrifugoOptions, CentrifugoServer, binary};
use provision::redis;

use crate::balancer::Balancer;
use crate::tcp_balancer::TcpBalancer;

/// Keys of a test stack.
pub const API_KEY: &str = "e2e-centrifugo-api-key-0123456789abcdef";
pub const TOKEN_SECRET: &str = "e2e-centrifugo-token-secret-0123456789abcdef";

pub struct Broker {
    nodes: Vec<Node>,
    shared: Option<Shared>,
}

/// One Centrifugo, always started on the same ports.
struct Node {
    server: Option<CentrifugoServer>,
    options: CentrifugoOptions,
    log: tempfile::NamedTempFile,
}

/// The Redis of several nodes, and the proxies before them.
struct Shared {
    redis: Redis,
    api: Balancer,
    sockets: TcpBalancer,
}

/// Always started on the same port.
struct Redis {
    server: Option<redis::RedisServer>,
    port: u16,
    log: tempfile::NamedTempFile,
}

impl Broker {
    /// Pages of `origin` may open a socket. More than one node: with a Redis.
    pub fn start(origin: &str, nodes: usize) -> Result<Self> {
        let redis = (nodes > 1).then(Redis::start).transpose()?;
        let node = || Node::new(origin, redis.as_ref().map(Redis::url));
        let mut nodes = (0..nodes).map(|_| node()).collect::<Result<Vec<_>>>()?;
        for node in &mut nodes {
            node.start()?;
        }
        let shared = redis.map(|redis| Shared::before(&nodes, redis)).transpose()?;
        Ok(Self { nodes, shared })
    }

    /// Kills every node, as by a crash. The memory engine loses everything: history, epoch, idempotency keys.
    pub fn kill(&mut self) {
        self.nodes.iter_mut().for_each(Node::kill);
    }

    pub fn start_again(&mut self) -> Result<()> {
        self.nodes.iter_mut().try_for_each(Node::start)
    }

    pub const fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// The process of the first node.
    pub fn pid(&self) -> Option<u32> {
        self.nodes[0].pid()
    }

    /// Kills one node, as by a crash.
    pub fn kill_node(&mut self, node: usize) {
        self.nodes[node].kill();
    }

    /// Blocks until it answers.
    pub fn start_node(&mut self, node: usize) -> Result<()> {
        self.nodes[node].start()
    }

    /// Kills it, as by a crash. It starts again empty.
    pub fn kill_redis(&mut self) -> Result<()> {
        self.redis()?
            .server
            .take()
            .context("Redis is not running")?
            .kill();
        Ok(())
    }

    pub fn start_redis(&mut self) -> Result<()> {
        self.redis()?.start_again()
    }

    fn redis(&mut self) -> Result<&mut Redis> {
        let shared = self.shared.as_mut().context("one node has no Redis")?;
        Ok(&mut shared.redis)
    }

    /// The logs of all nodes.
    pub fn log(&self) -> Result<String> {
        let logs = self.nodes.iter().map(|node| read(node.log.path()));
        Ok(logs.collect::<Result<Vec<_>>>()?.concat())
    }

    pub fn api_url(&self) -> String {
        match &self.shared {
            Some(shared) => format!("{}/api", shared.api.url()),
            None => self.nodes[0].options.api_url(),
        }
    }

    /// Where browsers connect.
    pub fn port(&self) -> u16 {
        match &self.shared {
            Some(shared) => shared.sockets.port(),
            None => self.nodes[0].options.port,
        }
    }

    pub fn ws_url(&self) -> String {
        format!("ws://localhost:{}/connection/websocket", self.port())
    }
}

impl Node {
    fn new(origin: &str, redis: Option<String>) -> Result<Self> {
        let options = CentrifugoOptions {
            config: workspace_root().join("deploy/centrifugo.json"),
            port: provision::port::free()?,
            internal_port: provision::port::free()?,
            api_key: API_KEY.to_owned(),
            token_secret: TOKEN_SECRET.to_owned(),
            allowed_origins: vec![origin.to_owned()],
            redis,
        };
        Ok(Self {
            server: None,
            options,
            log: tempfile::NamedTempFile::new()?,
        })
    }

    fn kill(&mut self) {
        if let Some(server) = self.server.take() {
            server.kill();
        }
    }

    fn pid(&self) -> Option<u32> {
        self.server.as_ref().map(CentrifugoServer::pid)
    }

    fn start(&mut self) -> Result<()> {
        ensure!(self.server.is_none(), "Centrifugo is running");
        let binary = binary(&mut |line| eprintln!("{line}"))?;
        let server = CentrifugoServer::start(&binary, self.options.clone(), self.log.path());
        self.server = Some(server.with_context(|| read(self.log.path()).unwrap_or_default())?);
        Ok(())
    }
}

impl Shared {
    fn before(nodes: &[Node], redis: Redis) -> Result<Self> {
        let api = Balancer::start("/health")?;
        api.serve(
            nodes
                .iter()
                .map(|node| format!("http://127.0.0.1:{}", node.options.internal_port)),
        );
        let sockets = TcpBalancer::start(nodes.iter().map(|node| node.options.port).collect())?;
        Ok(Self { redis, api, sockets })
    }
}

impl Redis {
    fn start() -> Result<Self> {
        let mut redis = Self {
            server: None,
            port: provision::port::free()?,
            log: tempfile::NamedTempFile::new()?,
        };
        redis.start_again()?;
        Ok(redis)
    }

    fn start_again(&mut self) -> Result<()> {
        ensure!(self.server.is_none(), "Redis is running");
        let binary = redis::find_or_install(&mut |line| eprintln!("{line}"))?;
        let server = redis::RedisServer::start(&binary, self.port, self.log.path());
        self.server = Some(server.with_context(|| read(self.log.path()).unwrap_or_default())?);
        Ok(())
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

fn read(log: &Path) -> Result<String> {
    Ok(std::fs::read_to_string(log)?)
}

/// The root of the workspace, where `deploy/` and `web/` are.
pub fn workspace_root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}
