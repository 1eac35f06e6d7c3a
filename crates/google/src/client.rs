//! The client and what its calls share.

use std::sync::Arc;

use reqwest::Url;
use yup_oauth2::ApplicationSecret;

use crate::config::GoogleConfig;
use crate::error::SetupError;
use crate::hub::HubFactory;
use crate::transport::Http;

/// A client of Google's OAuth and Calendar v3. Clones share connections.
#[derive(Clone)]
pub struct Google(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    /// Includes `auth_uri` and `token_uri`.
    pub client: ApplicationSecret,
    pub revoke_url: Url,
    pub userinfo_url: Url,
    pub calendar_url: Url,
    pub http: Http,
    pub hub: HubFactory,
}

impl Google {
    pub fn new(config: GoogleConfig) -> Result<Self, SetupError> {
        let calendar_url = config.endpoints.calendar_url.clone();
        Ok(Self(Arc::new(Inner {
            http: Http::new(config.timeout, &config.proxies, calendar_url.as_str())?,
            hub: HubFactory::new(calendar_url.as_str(), config.timeout, config.proxies.clone())?,
            revoke_url: config.endpoints.revoke_url.clone(),
            userinfo_url: config.endpoints.userinfo_url.clone(),
            calendar_url,
            client: config.into_application_secret(),
        })))
    }
}
