//! A daemon that leaves before its key is open.

use std::sync::Arc;
use std::time::Duration;

use super::{House, NOW, Told, client_record};
use crate::host::clock::Clock;

#[tokio::test]
async fn who_waits_for_a_key_that_nobody_opens_does_not_hold_a_leaving_daemon() {
    let house = House::new();
    let silent = Arc::new(Told::default());
    let store = house.open_with(silent, Clock::from_fn(|| NOW)).await.unwrap();
    house.tasks.work("load", async move {
        let client = client_record();
        let locked = store.load_client(&client.issuer, &client.client_id).await;
        assert!(locked.is_err());
    });
    assert!(house.tasks.finish(Duration::from_secs(60)).await);
}
