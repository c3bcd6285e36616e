//! Row 36: Postgres slow, away, stopped and started again under load. Nothing is lost, nothing is there twice, and it
//! mends by itself.

use super::*;

/// Writes so many requests, a few at a time, while `meanwhile` happens between them.
async fn load(gateway: &Gateway, requests: u64, mut meanwhile: impl FnMut(u64)) {
    for n in 0..requests {
        gateway.journal.record(record(n)).await;
        if n % 20 == 0 {
            meanwhile(n);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    gateway.journal.flush().await.expect("durable");
}

async fn until(shipping: &Shipping, what: &str, is: impl Fn(&Shipped) -> bool) {
    let seen = async {
        while !is(&shipping.state()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let seen = tokio::time::timeout(Duration::from_secs(60), seen).await;
    assert!(seen.is_ok(), "{what}: {:?}", shipping.state());
}

#[tokio::test]
async fn row_36_a_wire_that_loses_answers_breaks_and_drags_loses_no_row_and_doubles_none() {
    let Some(schema) = Schema::fresh() else { return };
    let gateway = Gateway::new("one");
    gateway.writes(0..0).await;
    let wire = schema.wire();
    let (shipper, shipping) = gateway.shipping(&schema.url_through(&wire));
    let work = async {
        load(&gateway, 3_000, |n| match n / 20 % 8 {
            1 => wire.lose_answers(),
            3 => wire.go_away(),
            5 => wire.slow_down(),
            _ => wire.heal(),
        })
        .await;
        wire.heal();
        until(&shipping, "all is shipped", |state| state.unshipped == 0 && state.trouble.is_none()).await;
        shipping.finish().await;
    };
    futures::join!(shipper.run(), work);
    check_whole(&schema, 3_000);
    assert_eq!(reports(&schema.url()), reports(&gateway.url));
}

#[tokio::test]
async fn row_36_while_postgres_is_away_it_is_told_how_much_has_gathered_until_it_is_too_much() {
    let Some(schema) = Schema::fresh() else { return };
    let gateway = Gateway::new("one");
    gateway.writes(0..10).await;
    let wire = schema.wire();
    wire.go_away();
    let (shipper, shipping) = gateway.shipping(&schema.url_through(&wire));
    let work = async {
        until(&shipping, "the failure is told", |state| state.trouble.is_some()).await;
        let state = shipping.state();
        assert_eq!((state.unshipped, state.oldest_ms), (11, Some(settled(0).at_unix_ms)));
        assert!(!shipping.is_full());
        gateway.writes(10..1_000).await;
        until(&shipping, "the bound is passed", |_| shipping.is_full()).await;
        wire.heal();
        until(&shipping, "it mends by itself", |state| *state == Shipped::default()).await;
        assert!(!shipping.is_full());
        shipping.finish().await;
    };
    futures::join!(shipper.run(), work);
    check_whole(&schema, 1_000);
}

#[tokio::test]
async fn row_36_a_gateway_that_is_told_to_stop_ships_what_is_left_and_does_not_wait_for_what_is_away() {
    let Some(schema) = Schema::fresh() else { return };
    let gateway = Gateway::new("one");
    let (shipper, shipping) = gateway.shipping(&schema.url());
    let work = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        gateway.writes(0..500).await;
        shipping.finish().await;
    };
    futures::join!(shipper.run(), work);
    check_whole(&schema, 500);
    gateway.writes(500..600).await;
    let left = gateway.ships("postgres://postgres@127.0.0.1:1/x").await;
    assert_eq!(left.unshipped, 601, "what another ledger has counts for that one only");
    assert!(left.trouble.is_some());
}

#[tokio::test]
async fn row_36_a_postgres_that_is_stopped_at_once_and_started_again_under_load_has_everything_once() {
    let Some(cluster) = Cluster::start() else { return };
    let schema = Schema::on(&cluster.url());
    let gateway = Gateway::new("one");
    gateway.writes(0..0).await;
    let (shipper, shipping) = gateway.shipping(&schema.url());
    let work = async {
        load(&gateway, 3_000, |n| match n {
            600 | 1_800 => cluster.stop_at_once(),
            1_200 | 2_400 => cluster.start_again(),
            _ => {}
        })
        .await;
        until(&shipping, "all is shipped", |state| *state == Shipped::default()).await;
        shipping.finish().await;
    };
    futures::join!(shipper.run(), work);
    check_whole(&schema, 3_000);
    assert_eq!(reports(&schema.url()), reports(&gateway.url));
}
