//! The headers of a push: a line each, as `name: value`.

use google::push::Notification;

use crate::Target;

pub const TARGET: Target = Target {
    name: "push_headers",
    run,
    words: &[
        "x-goog-channel-id: ",
        "x-goog-channel-token: ",
        "x-goog-channel-expiration: ",
        "x-goog-resource-id: ",
        "x-goog-resource-uri: ",
        "x-goog-resource-state: ",
        "x-goog-message-number: ",
        "\n",
        "sync",
        "exists",
        "not_exists",
        "18446744073709551616",
        "Tue, 19 Nov 2030 01:13:52 GMT",
    ],
};

fn run(data: &[u8]) {
    let lines: Vec<&[u8]> = data.split(|&byte| byte == b'\n').collect();
    let read = Notification::from_headers(|name| {
        lines
            .iter()
            .find_map(|line| line.strip_prefix(name.as_bytes())?.strip_prefix(b": "))
    });
    match read {
        Ok(push) => {
            let plain = |text: &str, max| {
                !text.is_empty() && text.len() <= max && text.bytes().all(|b| b.is_ascii_graphic())
            };
            assert!(plain(&push.channel_id, 64), "{:?}", push.channel_id);
            assert!(plain(&push.resource_id, 256), "{:?}", push.resource_id);
            assert!(push.resource_uri.is_none_or(|uri| plain(&uri, 2_048)));
        }
        // What is told of a bad header is never its value.
        Err(error) => assert!(error.to_string().len() < 120, "{error}"),
    }
}
