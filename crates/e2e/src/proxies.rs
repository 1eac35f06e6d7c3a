//! The proxies before the copies of the services, one origin for each service.

use anyhow::Result;

use crate::balancer::Balancer;
use crate::service::Service;

/// Without copies, every request is answered with 503.
pub struct Proxies {
    pub api: Balancer,
    pub webhook: Balancer,
}

impl Proxies {
    pub fn start() -> Result<Self> {
        Ok(Self {
            api: Balancer::start("/readyz")?,
            webhook: Balancer::start("/readyz")?,
        })
    }

    pub fn serve<'a>(
        &self,
        apis: impl Iterator<Item = &'a Service>,
        ingests: impl Iterator<Item = &'a Service>,
    ) {
        self.api.serve(apis.map(Service::url));
        self.webhook.serve(ingests.map(Service::url));
    }
}
