//! Replies of Centrifugo: the status in the first two bytes, then the body.

use centrifugo::Position;

use crate::Target;

pub const TARGET: Target = Target {
    name: "centrifugo_reply",
    run,
    words: &[
        "\x00\u{48}",
        r#"{"result":{"offset":7,"epoch":"e1"}}"#,
        r#"{"error":{"code":102,"message":"unknown channel"}}"#,
        r#""result":"#,
        r#""error":"#,
        r#""code":4294967296"#,
        "18446744073709551616",
        "null",
        "<html>",
    ],
};

fn run(data: &[u8]) {
    let (status, body) = match data {
        [high, low, body @ ..] => (u16::from_be_bytes([*high, *low]) % 1_000, body),
        _ => (200, data),
    };
    let read = Position::of_reply(status, body);
    if status != 200 {
        assert!(read.is_err(), "{status}");
    }
    if let Err(error) = read {
        // It is logged: one line, of bounded length.
        let message = error.to_string();
        assert!(
            message.chars().count() < 400 && !message.chars().any(char::is_control),
            "{message}"
        );
    }
}
