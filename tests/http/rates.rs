//! Requests have a limit for each credential, and for each network without one.

use std::time::Duration;

use kyodaku::http::{App, routes};
use serde_json::json;

use crate::world::client::Client;
use crate::world::{World, both};

both!(nobody_uses_up_what_another_has, async |world: World| {
    let stage = world.stage().await;
    let (one, other) = (stage.developer("Kagami Labs").await, stage.developer("Kumo Trading").await);
    let app = App::new(stage.registry.clone()).answering(60);
    let nobody = Client::new(routes::router(&app, routes::table()));
    let (one, other) = (nobody.with_key(&one.key), nobody.with_key(&other.key));
    let first = one.get("/v1/me").await;
    assert_eq!(first.headers["ratelimit-policy"], "\"person\";q=60;w=60");
    assert_eq!(first.headers["ratelimit"], "\"person\";r=59;t=1");
    for _ in 1..60 {
        assert_eq!(one.get("/v1/me").await.status, 200);
    }
    let refused = one.json("POST", "/v1/checks", &json!({}), &[]).await;
    assert_eq!((refused.status.as_u16(), refused.problem()), (429, "too_many_requests".to_owned()));
    assert_eq!(
        (&refused.headers["retry-after"], &refused.headers["ratelimit"]),
        (&"2".parse().unwrap(), &"\"person\";r=0;t=60".parse().unwrap())
    );
    assert_eq!(other.get("/v1/me").await.status, 200);
    stage.clock().advance(Duration::from_secs(1));
    assert_eq!(one.get("/v1/me").await.status, 200);
    assert_eq!(one.get("/v1/me").await.status, 429);
    // Without a credential the network counts, for what is open to all and for guesses.
    let guess = nobody.with_key("kyo_live_nonsense");
    for _ in 0..3 {
        assert_eq!(guess.get("/v1/me").await.status, 401);
        assert_eq!(nobody.get("/v1/status").await.status, 200);
    }
    assert_eq!(
        (guess.get("/v1/me").await.status.as_u16(), nobody.get("/v1/status").await.status.as_u16()),
        (429, 429)
    );
    assert_eq!(nobody.get("/healthz").await.status, 200);
    assert_eq!(other.get("/v1/me").await.status, 200);
});
