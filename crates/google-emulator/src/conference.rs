//! Conference data of events: Meet links.

use serde_json::{Value, json};

use crate::new_id::new_id;
use crate::store::Resource;

/// Conference data is kept or created only for a client that declares support for it.
pub fn set(event: &mut Resource, old: &Resource, fields: &Resource, understood: bool) {
    let wanted = if understood {
        fields.get("conferenceData")
    } else {
        old.get("conferenceData")
    };
    let Some(data) = wanted.filter(|data| !data.is_null()) else {
        event.shift_remove("hangoutLink");
        return;
    };
    let mut data = data.clone();
    let request = |data: &Value| data.pointer("/createRequest/requestId").cloned();
    // Google ignores a request with the id of the previous one, and grants any other, whatever became of that one
    // (https://developers.google.com/workspace/calendar/api/v3/reference/events#conferenceData).
    let before = old.get("conferenceData").and_then(request);
    if before.is_some()
        && before != request(&data)
        && let Some(Value::Object(request)) = data.get_mut("createRequest")
    {
        request.shift_remove("status");
    }
    grant_request(&mut data);
    match meet_link(&data) {
        Some(uri) => event.insert("hangoutLink".into(), json!(uri)),
        None => event.shift_remove("hangoutLink"),
    };
    event.insert("conferenceData".into(), data);
}

/// The address of a Meet conference, which Google also shows as `hangoutLink`.
fn meet_link(conference: &Value) -> Option<&str> {
    if conference.pointer("/conferenceSolution/key/type")? != "hangoutsMeet" {
        return None;
    }
    let entries = conference.get("entryPoints")?.as_array()?;
    entries
        .iter()
        .find(|entry| entry["entryPointType"] == "video")?
        .get("uri")?
        .as_str()
}

/// Answers a `createRequest` that has no answer yet with a fictitious Meet conference.
fn grant_request(data: &mut Value) {
    let Some(Value::Object(request)) = data.get_mut("createRequest") else {
        return;
    };
    if request.contains_key("status") {
        return;
    }
    request.insert("status".into(), json!({ "statusCode": "success" }));
    let code = new_id();
    let code = format!("{}-{}-{}", &code[..3], &code[3..7], &code[7..10]);
    let uri = format!("https://meet.google.com/{code}");
    data["conferenceId"] = json!(code);
    data["conferenceSolution"] = json!({ "key": { "type": "hangoutsMeet" }, "name": "Google Meet" });
    data["entryPoints"] = json!([{ "entryPointType": "video", "uri": uri, "label": &uri[8..] }]);
}
