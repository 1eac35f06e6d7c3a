//! Limits under load, and hostile clients.

use super::*;

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_limit_holds_for_the_whole_process(pool: PgPool) {
    calendar(&pool, CHANNEL, Some(GOOGLE_RESOURCE)).await;
    let service = Service::start(&pool, &[("WEBHOOK_MAX_IN_FLIGHT", "8")]).await;
    // So that the channel's row is cached and each push reaches the commit.
    assert_eq!(service.genuine().send().await.unwrap().status(), StatusCode::OK);

    let holder = hold_queue(&pool).await;
    let pushes: Vec<_> = (0..64).map(|_| tokio::spawn(service.genuine().send())).collect();
    tokio::time::sleep(Duration::from_millis(800)).await;
    let answered = pushes.iter().filter(|push| push.is_finished()).count();
    assert_eq!(answered, 56, "pushes over the limit were not answered at once");
    holder.rollback().await.unwrap();
    let mut statuses = Vec::new();
    for push in pushes {
        statuses.push(push.await.unwrap().unwrap().status().as_u16());
    }
    let count = |status| statuses.iter().filter(|&&got| got == status).count();
    assert_eq!((count(200), count(503)), (8, 56));
    service.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn one_source_cannot_exhaust_the_service_or_get_429(pool: PgPool) {
    let resource = calendar(&pool, CHANNEL, Some(GOOGLE_RESOURCE)).await;
    let settings = [
        ("WEBHOOK_MAX_PER_SOURCE", "20"),
        ("TRUSTED_PROXIES", "127.0.0.0/8"),
    ];
    let service = Service::start(&pool, &settings).await;
    let mut statuses = std::collections::BTreeMap::new();
    for n in 0..200 {
        let forged = service.push(&Uuid::new_v4().to_string(), "guess", "guess");
        let from = if n % 2 == 0 {
            "198.51.100.1"
        } else {
            "198.51.100.2"
        };
        let response = forged.header("X-Forwarded-For", from).send().await.unwrap();
        *statuses.entry(response.status().as_u16()).or_insert(0) += 1;
    }
    assert_eq!(
        statuses.keys().copied().collect::<Vec<_>>(),
        [404, 503],
        "{statuses:?}"
    );
    assert!(
        statuses[&404] < 40,
        "guessing was not rate-limited soon: {statuses:?}"
    );
    let google = service.genuine().header("X-Forwarded-For", "203.0.113.9");
    assert_eq!(google.send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(dirty_seq(&pool, resource).await, 1);
    service.stop().await;
}

/// With the headers of a genuine push, as a stranger could send them.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn promised_bodies_hold_no_slot(pool: PgPool) {
    calendar(&pool, CHANNEL, Some(GOOGLE_RESOURCE)).await;
    let service = Service::start(&pool, &[("WEBHOOK_MAX_IN_FLIGHT", "8")]).await;
    let head = format!(
        "POST /api/calendar/webhook HTTP/1.1\r\nHost: x\r\nX-Goog-Channel-ID: {CHANNEL}\r\n\
         X-Goog-Channel-Token: {TOKEN}\r\nX-Goog-Resource-ID: {GOOGLE_RESOURCE}\r\n\
         X-Goog-Resource-State: exists\r\nX-Goog-Message-Number: 2\r\n"
    );
    let mut sockets = Vec::new();
    for promise in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        for _ in 0..16 {
            let mut socket = TcpStream::connect(("127.0.0.1", service.port)).await.unwrap();
            let said = format!("{head}{promise}\r\n\r\n");
            socket.write_all(said.as_bytes()).await.unwrap();
            sockets.push((promise, socket));
        }
    }
    for _ in 0..50 {
        assert_eq!(service.genuine().send().await.unwrap().status(), StatusCode::OK);
    }
    for (promise, mut socket) in sockets {
        let mut answer = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(15), socket.read_to_end(&mut answer)).await;
        assert!(closed.is_ok(), "still open: {promise}: {answer:?}");
        let answer = String::from_utf8_lossy(&answer);
        let status = match promise {
            "Content-Length: 100" => "HTTP/1.1 413",
            _ => "HTTP/1.1 408",
        };
        assert!(answer.starts_with(status), "{promise}: {answer}");
    }
    service.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stranger_leaves_slots_for_other_sources(pool: PgPool) {
    calendar(&pool, CHANNEL, Some(GOOGLE_RESOURCE)).await;
    let settings = [("WEBHOOK_MAX_IN_FLIGHT", "8"), ("TRUSTED_PROXIES", "127.0.0.0/8")];
    let service = Service::start(&pool, &settings).await;
    let google = || service.genuine().header("X-Forwarded-For", "203.0.113.9");
    assert_eq!(google().send().await.unwrap().status(), StatusCode::OK);

    let holder = hold_queue(&pool).await;
    let of_a_stranger = || service.genuine().header("X-Forwarded-For", "198.51.100.1");
    let strangers: Vec<_> = (0..20).map(|_| tokio::spawn(of_a_stranger().send())).collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let pushes: Vec<_> = (0..6).map(|_| tokio::spawn(google().send())).collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    holder.rollback().await.unwrap();
    for push in pushes {
        assert_eq!(push.await.unwrap().unwrap().status(), StatusCode::OK);
    }
    let mut taken = 0;
    for push in strangers {
        taken += usize::from(push.await.unwrap().unwrap().status() == StatusCode::OK);
    }
    assert!(taken <= 2, "a stranger had {taken} slots");
    service.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn slow_and_silent_sockets_are_closed(pool: PgPool) {
    calendar(&pool, CHANNEL, Some(GOOGLE_RESOURCE)).await;
    let service = Service::start(&pool, &[]).await;
    let head = "POST /api/calendar/webhook HTTP/1.1\r\nHost: x\r\n";
    let body = format!("{head}Content-Length: 100\r\n\r\nhalf");
    let started = Instant::now();
    let mut sockets = Vec::new();
    for said in ["", "POST /api/cal", head, &body] {
        for _ in 0..50 {
            let mut socket = TcpStream::connect(("127.0.0.1", service.port)).await.unwrap();
            socket.write_all(said.as_bytes()).await.unwrap();
            sockets.push((said.to_owned(), socket));
        }
    }
    assert_eq!(service.genuine().send().await.unwrap().status(), StatusCode::OK);
    for (said, mut socket) in sockets {
        let mut answer = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(15), socket.read_to_end(&mut answer)).await;
        assert!(
            closed.is_ok(),
            "still open after {:?}: {said:?}",
            started.elapsed()
        );
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 408") || answer.starts_with("HTTP/1.1 413"),
            "{said:?}: {answer}"
        );
    }
    assert_eq!(service.genuine().send().await.unwrap().status(), StatusCode::OK);
    service.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_flood_costs_few_transactions_and_loses_nothing(pool: PgPool) {
    let mut resources = Vec::new();
    for n in 0..20 {
        resources.push(calendar(&pool, &format!("channel-{n}"), Some(GOOGLE_RESOURCE)).await);
    }
    let service = Service::start(&pool, &[]).await;
    // So that the address is not a stranger's.
    let first = service.push("channel-0", TOKEN, GOOGLE_RESOURCE);
    assert_eq!(first.send().await.unwrap().status(), StatusCode::OK);
    let pushes: Vec<_> = (0..1_000)
        .map(|n| {
            tokio::spawn(
                service
                    .push(&format!("channel-{}", n % 20), TOKEN, GOOGLE_RESOURCE)
                    .send(),
            )
        })
        .collect();
    for push in pushes {
        assert_eq!(push.await.unwrap().unwrap().status(), StatusCode::OK);
    }
    for resource in resources {
        assert!(dirty_seq(&pool, resource).await >= 1);
    }
    service.stop().await;
}

/// Google keeps pushing to channels of a database that was replaced, from the addresses of the genuine pushes.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn unknown_channels_leave_the_budget_of_googles_address(pool: PgPool) {
    calendar(&pool, CHANNEL, Some(GOOGLE_RESOURCE)).await;
    let service = Service::start(&pool, &[("WEBHOOK_MAX_PER_SOURCE", "60")]).await;
    let genuine = async || service.genuine().send().await.unwrap().status();
    assert_eq!(genuine().await, StatusCode::OK);
    for _ in 0..30 {
        let unknown = service.push(&Uuid::new_v4().to_string(), TOKEN, GOOGLE_RESOURCE);
        assert_eq!(unknown.send().await.unwrap().status(), StatusCode::NOT_FOUND);
    }
    assert_eq!(genuine().await, StatusCode::OK);
    // A wrong token is a guess, wherever it comes from.
    let mut statuses = Vec::new();
    for _ in 0..30 {
        let forged = service.push(CHANNEL, "guess", GOOGLE_RESOURCE);
        statuses.push(forged.send().await.unwrap().status());
    }
    assert!(
        statuses.contains(&StatusCode::SERVICE_UNAVAILABLE),
        "{statuses:?}"
    );
    service.stop().await;
}

/// After a start, no address is known to be Google's yet.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn unknown_channels_before_the_first_genuine_push_are_cheap(pool: PgPool) {
    calendar(&pool, CHANNEL, Some(GOOGLE_RESOURCE)).await;
    // Google sends 150 a second where the limit is 2,000.
    let service = Service::start(&pool, &[("WEBHOOK_MAX_PER_SOURCE", "600")]).await;
    let unknown = async |channel: &str| {
        let push = service.push(channel, TOKEN, GOOGLE_RESOURCE);
        push.send().await.unwrap().status()
    };
    for n in 0..100 {
        let status = unknown(&Uuid::new_v4().to_string()).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{n}");
    }
    assert_eq!(service.genuine().send().await.unwrap().status(), StatusCode::OK);
    service.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn repeated_pushes_of_an_unknown_channel_are_free(pool: PgPool) {
    calendar(&pool, CHANNEL, Some(GOOGLE_RESOURCE)).await;
    let service = Service::start(&pool, &[("WEBHOOK_MAX_PER_SOURCE", "1")]).await;
    let stray = Uuid::new_v4().to_string();
    for n in 0..300 {
        let push = service.push(&stray, TOKEN, GOOGLE_RESOURCE);
        let status = push.send().await.unwrap().status();
        assert_eq!(status, StatusCode::NOT_FOUND, "{n}");
    }
    service.stop().await;
}
