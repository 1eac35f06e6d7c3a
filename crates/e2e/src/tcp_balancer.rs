//! A proxy for sockets before several nodes, as Caddy is in production: a connection goes to the first node that accepts it, and
//! lives as long as both its ends.

use std::net::{Ipv4Addr, TcpListener as StdListener};

use anyhow::Result;
use tokio::io::copy;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub struct TcpBalancer {
    port: u16,
    accepting: JoinHandle<()>,
}

impl TcpBalancer {
    /// To these ports, in turn.
    pub fn start(nodes: Vec<u16>) -> Result<Self> {
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let accepting = tokio::spawn(accept(TcpListener::from_std(listener)?, nodes));
        Ok(Self { port, accepting })
    }

    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for TcpBalancer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, nodes: Vec<u16>) {
    for turn in 0.. {
        let Ok((client, _)) = listener.accept().await else {
            continue;
        };
        let mut nodes = nodes.clone();
        let first = turn % nodes.len();
        nodes.rotate_left(first);
        tokio::spawn(async move {
            // If no node accepts it, the connection is closed and the client tries again.
            if let Some(node) = connect(&nodes).await {
                pass_on(client, node).await;
            }
        });
    }
}

async fn connect(nodes: &[u16]) -> Option<TcpStream> {
    for node in nodes {
        if let Ok(stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, *node)).await {
            return Some(stream);
        }
    }
    None
}

/// Copies both ways until either end closes, so that a browser's socket ends with its node.
async fn pass_on(mut client: TcpStream, mut node: TcpStream) {
    for stream in [&client, &node] {
        // The rest is sent a little later.
        let _ = stream.set_nodelay(true);
    }
    let (mut from_client, mut to_client) = client.split();
    let (mut from_node, mut to_node) = node.split();
    tokio::select! {
        _ = copy(&mut from_client, &mut to_node) => {}
        _ = copy(&mut from_node, &mut to_client) => {}
    }
}
