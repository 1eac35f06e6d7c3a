//! The emulator as its clients see it: over HTTP, through Google's own Python client, and in a browser.

mod google_python_client;
mod http;
mod page;
