//! Test only: the mutants that take more than a line.

use std::cell::{Cell, RefCell};

use centrifugo::{Client, Publication, channel_of};
use common::ids::UserId;
use common::mutant;
use store::outbox::Stream;
use uuid::Uuid;

thread_local! {
    static BROKER: RefCell<Option<Client>> = const { RefCell::new(None) };
    static LAST: Cell<Uuid> = const { Cell::new(Uuid::nil()) };
}

/// The broker to which `publish_before_commit` publishes from this thread.
pub fn set_broker(client: Client) {
    BROKER.with_borrow_mut(|broker| *broker = Some(client));
}

/// `publish_before_commit`: a message is published although its change may never be committed.
pub(crate) async fn publish_early(user: &UserId, seq: i64, payload: &[u8]) {
    let broker = BROKER.with_borrow(Clone::clone);
    let Some(broker) = broker.filter(|_| mutant!("publish_before_commit")) else {
        return;
    };
    let publication = Publication {
        channel: &channel_of(user),
        data: payload,
        idempotency_key: &Uuid::now_v7().to_string(),
        version: seq.unsigned_abs(),
        version_epoch: "early",
    };
    // The relay publishes it as well.
    let _ = broker.publish(publication).await;
}

/// `outbox_after_last`: rows are read by `id > last`, so a row that commits late is never read.
pub(crate) fn after_last(mut streams: Vec<Stream>) -> Vec<Stream> {
    if !mutant!("outbox_after_last") {
        return streams;
    }
    let last = LAST.get();
    for stream in &mut streams {
        stream.messages.retain(|message| message.id > last);
    }
    let ids = streams
        .iter()
        .flat_map(|stream| &stream.messages)
        .map(|message| message.id);
    LAST.set(ids.max().map_or(last, |newest| newest.max(last)));
    streams
}
