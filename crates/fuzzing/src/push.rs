//! The headers of a push, one a line: `name: value`.

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
        "\n",
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
        }
        // The error never quotes the header's value.
        Err(error) => assert!(error.to_string().len() < 120, "{error}"),
    }
}
