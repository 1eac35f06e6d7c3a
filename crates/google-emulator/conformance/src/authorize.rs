//! Signs a person in: by the browser, with a redirect to this machine, or with tokens from the environment.

use std::net::Ipv4Addr;

use anyhow::{Context, Result, bail, ensure};
use google::scopes::{CALENDAR, EMAIL, OPENID};
use google::{AuthorizationRequest, Google, Pkce};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;
use uuid::Uuid;

use crate::target::Account;

/// The whole of Calendar: the run creates and deletes its scratch calendar.
const SCOPES: [&str; 3] = [OPENID, EMAIL, CALENDAR];
const REQUEST_MAX_LEN: usize = 16 * 1024;

/// Tokens that a person has already, instead of the browser.
#[derive(Debug, Clone, Default)]
pub struct GivenTokens {
    pub access: Option<SecretString>,
    pub refresh: Option<SecretString>,
}

/// How a person signs in without given tokens.
#[derive(Debug, Clone, Copy)]
pub struct Browser {
    /// Where the browser is redirected to on this machine; 0 takes a free port.
    pub port: u16,
    /// Shows the URL that must be opened, and the account.
    pub show: fn(&Url, &str),
}

/// Signs `email` in: with the given tokens, or by the browser.
pub async fn sign_in(google: &Google, email: &str, given: &GivenTokens, browser: Browser) -> Result<Account> {
    let account = |access, refresh| Ok(Account::new(google.clone(), email.to_owned(), access, refresh));
    if let Some(refresh) = &given.refresh {
        let access = google
            .refresh(refresh)
            .await
            .with_context(|| format!("no access token for {email}"))?;
        return account(access.secret, Some(refresh.clone()));
    }
    if let Some(access) = &given.access {
        return account(access.clone(), None);
    }
    let (access, refresh) = by_browser(google, email, browser).await?;
    account(access, refresh)
}

async fn by_browser(
    google: &Google,
    email: &str,
    Browser { port, show }: Browser,
) -> Result<(SecretString, Option<SecretString>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .with_context(|| format!("cannot listen on port {port}: choose another with --redirect-port"))?;
    let redirect_uri = format!("http://127.0.0.1:{}/", listener.local_addr()?.port());
    let pkce = Pkce::generate();
    let state = Uuid::new_v4().simple().to_string();
    let url = google.authorization_url(&AuthorizationRequest {
        redirect_uri: &redirect_uri,
        scopes: &SCOPES,
        state: &state,
        code_challenge: &pkce.challenge,
        login_hint: Some(email),
        force_consent: true,
    });
    show(&url, email);
    let code = redirected(&listener, &state).await?;
    let grant = google.exchange_code(&code, &pkce.verifier, &redirect_uri).await?;
    ensure!(
        grant.scopes.iter().any(|scope| scope == CALENDAR),
        "the permission for Google Calendar was not granted"
    );
    let signed_in = google.userinfo(&grant.access_token).await?.email;
    ensure!(
        signed_in.eq_ignore_ascii_case(email),
        "signed in with another account than {email}"
    );
    Ok((grant.access_token, grant.refresh_token))
}

/// The code of the redirect. A browser also asks for an icon; other requests are ignored.
async fn redirected(listener: &TcpListener, state: &str) -> Result<String> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        let Some(url) = requested(&mut stream).await else {
            continue;
        };
        let parameter = |name: &str| {
            let mut pairs = url.query_pairs();
            Some(pairs.find(|(key, _)| key == name)?.1.into_owned())
        };
        let is_ours = parameter("state").as_deref() == Some(state);
        let text = if is_ours {
            "Done. Continue in the terminal; this window can be closed."
        } else {
            "Nothing is here."
        };
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
            text.len()
        );
        // The browser may have gone; the code has arrived all the same.
        let _ = stream.write_all(answer.as_bytes()).await;
        match (is_ours, parameter("code"), parameter("error")) {
            (true, Some(code), _) => return Ok(code),
            (true, None, error) => bail!("Google did not grant access: {}", error.unwrap_or_default()),
            (false, ..) => {}
        }
    }
}

/// The URL of the first line of a request.
async fn requested(stream: &mut TcpStream) -> Option<Url> {
    let mut received = Vec::new();
    let mut buffer = [0; 2048];
    while !received.windows(4).any(|end| end == b"\r\n\r\n") && received.len() < REQUEST_MAX_LEN {
        let read = stream.read(&mut buffer).await.ok()?;
        if read == 0 {
            return None;
        }
        received.extend_from_slice(&buffer[..read]);
    }
    let text = String::from_utf8_lossy(&received);
    let path = text.split(' ').nth(1)?;
    Url::parse("http://127.0.0.1/").ok()?.join(path).ok()
}
